// A failing path made short: the same failure by as few steps as can be found.
// Own and small: a shrinker of values, such as fast-check's, does not know which steps a machine can take.
// Invariant: every candidate is a path of the model; what is answered did fail, and no single step can be left out of it.
import { wayTo, type Graph } from './graph.ts';
import { runPath, type Failure } from './run.ts';
import { keyOfMove, type Move, type TestStep } from './steps.ts';
import type { StateMatcher, Sut, SutPath } from './sut.ts';

export interface Shrunk {
  readonly path: SutPath;
  readonly failure: Failure;
  /** How often the system was run to get here. */
  readonly runs: number;
}

export interface Shrinking<Instance> {
  readonly sut: Sut<Instance>;
  readonly graph: Graph;
  readonly matcher: StateMatcher;
  /** The path of these moves, or undefined where the model does not have it. */
  readonly pathOf: (moves: readonly Move[]) => SutPath | undefined;
  /** The system is run no more often than this. */
  readonly maxRuns: number;
}

/** The same part fails after the same move: another defect on the way does not take the place of this one. */
function same(found: { path: SutPath; failure: Failure }, path: SutPath, failure: Failure): boolean {
  const last = (steps: readonly TestStep[], at: number): string => {
    const step = steps[at];
    return step === undefined || step.kind === 'start' ? '' : keyOfMove(step);
  };
  return (
    found.failure.part === failure.part &&
    last(found.path.steps, found.failure.at) === last(path.steps, failure.at)
  );
}

/** Ways to other states in which the last move can be made, the shortest first. */
function* shorterWays(graph: Graph, moves: readonly Move[]): Generator<Move[]> {
  const last = moves.at(-1);
  if (last === undefined) return;
  for (const vertex of graph.vertices) {
    if (vertex.depth + 1 >= moves.length) return;
    const edge = vertex.out.find(({ move }) => keyOfMove(move) === keyOfMove(last));
    if (edge !== undefined) yield [...wayTo(vertex), edge.move];
  }
}

/** Parts of the path left out, large ones first (ddmin: Zeller and Hildebrandt, IEEE TSE 28(2), 2002). */
function* withoutParts(moves: readonly Move[]): Generator<Move[]> {
  const body = moves.slice(0, -1);
  for (let size = body.length; size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < body.length; at += size) {
      yield [...body.slice(0, at), ...body.slice(at + size), ...moves.slice(-1)];
    }
  }
}

export async function shrink<Instance>(
  first: SutPath,
  failure: Failure,
  shrinking: Shrinking<Instance>,
): Promise<Shrunk> {
  const { sut, graph, matcher, pathOf, maxRuns } = shrinking;
  const movesOf = (path: SutPath, at: number): Move[] => path.steps.slice(1, at + 1);
  let best = { path: first, failure };
  let runs = 0;
  const tried = new Set<string>();

  async function fails(moves: readonly Move[]): Promise<boolean> {
    const key = moves.map(keyOfMove).join('\n');
    if (runs >= maxRuns || tried.has(key)) return false;
    tried.add(key);
    const path = pathOf(moves);
    if (path === undefined) return false;
    runs += 1;
    const found = await runPath(sut, path, matcher);
    if (found === undefined || !same(best, path, found)) return false;
    best = { path, failure: found };
    return true;
  }

  async function firstOf(ways: Iterable<Move[]>): Promise<boolean> {
    for (const way of ways) if (await fails(way)) return true;
    return false;
  }

  const current = (): Move[] => movesOf(best.path, best.failure.at);
  await firstOf(shorterWays(graph, current()));
  while (await firstOf(withoutParts(current())));
  // What comes after the failing step did not happen.
  const cut = pathOf(current());
  return { path: cut ?? best.path, failure: best.failure, runs };
}
