// Which paths to test: few of them, together covering every goal that can be covered.
// Invariant: the same model and options give the same paths in the same order; each path was stepped from its start.
import { candidatesIn, goalKey, type Candidate, type Goal, type Goals } from './goals.ts';
import { moved, wayTo, type Edge, type Graph, type Vertex } from './graph.ts';
import type { Middle } from './middles.ts';
import { moveIn } from './moves.ts';
import type { ModelState, Stepper } from './stepper.ts';
import { keyOfMove, START, type Move } from './steps.ts';

/** A move and the state of the model after it. */
export interface Taken {
  readonly move: Move;
  readonly state: ModelState;
}

/** Steps the moves from the start. Answers why where one of them cannot happen, or does nothing. */
export function replay(stepper: Stepper, moves: readonly Move[]): Taken[] | string {
  const path: Taken[] = [{ move: START, state: stepper.start() }];
  for (const wanted of moves) {
    const { state } = path.at(-1) as Taken;
    const move = moveIn(state, wanted);
    if (typeof move === 'string') return move;
    try {
      const next = stepper.step(state, move);
      const passes = move.kind === 'wait' && move.until === 'middle';
      if (!passes && !moved(state, next)) return `${move.event.type} takes no transition`;
      path.push({ move, state: next });
    } catch (error) {
      return String(error);
    }
  }
  return path;
}

/** What a path covers, as keys of goals. */
export function coveredBy(path: readonly Taken[], goals: Goals): string[] {
  return path.flatMap(({ move, state }, i) => {
    const before = path[i - 1];
    const pairs = before === undefined ? [] : goals.ofPair(before.state, state);
    const isInMiddle = before?.move.kind === 'wait' && before.move.until === 'middle' && move.kind !== 'wait';
    const middles = isInMiddle ? goals.ofMiddle(before.state, state) : [];
    return [...goals.ofStep(move, state), ...pairs, ...middles].map(goalKey);
  });
}

const edgesTo = (vertex: Vertex): Edge[] => {
  const edges: Edge[] = [];
  for (let at = vertex; at.parent !== undefined; at = at.parent.from) edges.push(at.parent);
  return edges.toReversed();
};

/** The way with moves put in that cover something new and lead back to where they were made. */
function withDetours(
  way: readonly Edge[],
  start: Vertex,
  goals: Goals,
  covered: ReadonlySet<string>,
  room: number,
): Move[] {
  const seen = new Set(covered);
  for (const edge of way) for (const goal of goals.ofStep(edge.move, edge.state)) seen.add(goalKey(goal));
  const moves: Move[] = [];
  let left = room - way.length;
  const detours = (vertex: Vertex): void => {
    for (const edge of vertex.out) {
      if (left <= 0 || edge.to !== vertex) continue;
      const gained = goals
        .ofStep(edge.move, edge.state)
        .map(goalKey)
        .filter((key) => !seen.has(key));
      if (gained.length === 0) continue;
      for (const key of gained) seen.add(key);
      moves.push(edge.move);
      left -= 1;
    }
  };
  detours(start);
  for (const edge of way) {
    moves.push(edge.move);
    detours(edge.to);
  }
  return moves;
}

export interface Selection {
  readonly paths: readonly (readonly Taken[])[];
  /** Goals that some path covers. */
  readonly covered: ReadonlySet<string>;
  /** Goals that could be covered, and were left out by `maxPaths`. */
  readonly leftOut: ReadonlySet<string>;
  readonly reachable: readonly Goal[];
}

/** The longest ways first: what they pass on the way needs no path of its own. */
export function select(
  stepper: Stepper,
  graph: Graph,
  goals: Goals,
  limits: { maxPaths: number; maxDepth: number },
  middles: readonly Middle[] = [],
): Selection {
  const [start] = graph.vertices;
  const paths: (readonly Taken[])[] = [];
  const covered = new Set<string>();
  const leftOut = new Set<string>();
  const candidates = candidatesIn(graph, goals);
  const reachable = [...candidates.map(({ goal }) => goal), ...middles.flatMap((middle) => middle.goals)];
  if (start === undefined) return { paths, covered, leftOut, reachable };
  const begun: Taken[] = [{ move: START, state: stepper.start() }];
  for (const key of coveredBy(begun, goals)) covered.add(key);
  const depth = ({ edges }: Candidate): number => (edges[0]?.from.depth ?? 0) + edges.length;
  for (const { goal, edges } of candidates.toSorted((a, b) => depth(b) - depth(a))) {
    const [first] = edges;
    if (first === undefined || covered.has(goalKey(goal))) continue;
    if (paths.length >= limits.maxPaths) {
      leftOut.add(goalKey(goal));
      continue;
    }
    const way = [...edgesTo(first.from), ...edges];
    const plain = way.map(({ move }) => move);
    // With a serializer that leaves things out, a detour may lead elsewhere: then the plain way is taken.
    let path = replay(stepper, withDetours(way, start, goals, covered, limits.maxDepth));
    if (typeof path === 'string' || !coveredBy(path, goals).includes(goalKey(goal)))
      path = replay(stepper, plain);
    if (typeof path === 'string') continue;
    paths.push(path);
    for (const key of coveredBy(path, goals)) covered.add(key);
  }
  for (const middle of middles) {
    const open = middle.goals.map(goalKey).filter((key) => !covered.has(key));
    if (open.length === 0 || middle.moves.length > limits.maxDepth) continue;
    if (paths.length >= limits.maxPaths) {
      for (const key of open) leftOut.add(key);
      continue;
    }
    const path = replay(stepper, middle.moves);
    if (typeof path === 'string') continue;
    paths.push(path);
    for (const key of coveredBy(path, goals)) covered.add(key);
  }
  if (paths.length === 0) paths.push(begun);
  return { paths: paths.toSorted((a, b) => a.length - b.length), covered, leftOut, reachable };
}

/** A shortest path to every state of the graph. */
export function shortestPaths(stepper: Stepper, graph: Graph): (readonly Taken[])[] {
  return graph.vertices
    .map((vertex) => replay(stepper, wayTo(vertex)))
    .filter((path) => typeof path !== 'string');
}

/** Paths that pass no state twice, to every state; no more than `maxPaths` of them. */
export function simplePaths(
  stepper: Stepper,
  graph: Graph,
  limits: { maxPaths: number; maxDepth: number },
): (readonly Taken[])[] {
  const found: Move[][] = [];
  const passed = new Set<Vertex>();
  const walk = (vertex: Vertex, moves: Move[]): void => {
    if (found.length >= limits.maxPaths) return;
    found.push(moves);
    if (moves.length >= limits.maxDepth) return;
    passed.add(vertex);
    for (const { to, move } of vertex.out) if (!passed.has(to)) walk(to, [...moves, move]);
    passed.delete(vertex);
  };
  const [start] = graph.vertices;
  if (start !== undefined) walk(start, []);
  return found.map((moves) => replay(stepper, moves)).filter((path) => typeof path !== 'string');
}

/** Without the paths that are the beginning of another one. */
export function withoutPrefixes(paths: readonly (readonly Taken[])[]): (readonly Taken[])[] {
  const keys = paths.map((path) => path.map(({ move }) => keyOfMove(move)));
  const beginnings = new Set(keys.flatMap((of) => of.map((_, i) => of.slice(0, i).join('\n'))));
  return paths.filter((_, i) => !beginnings.has((keys[i] ?? []).join('\n')));
}
