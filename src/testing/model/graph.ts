// What a model can do within bounds: its states and the moves between them, found by `xstate/graph`.
// Invariant: breadth first, so the way over `parent` edges is a shortest one; a bound ends the search and is told, never thrown.
import type { AnyActorLogic, AnyActorRef, AnyMachineSnapshot, AnyTransitionDefinition } from 'xstate';
import { getAdjacencyMap } from 'xstate/graph';
import { movesFrom, type Possible } from './moves.ts';
import type { ModelState, RunningDelay, Stepper } from './stepper.ts';
import { keyOfMove, labelOf, type Move } from './steps.ts';
import { canonical, stateInWords } from './words.ts';

export interface Vertex {
  readonly key: string;
  readonly state: ModelState;
  readonly depth: number;
  readonly parent: Edge | undefined;
  readonly out: readonly Edge[];
}

export interface Edge {
  readonly from: Vertex;
  readonly to: Vertex;
  readonly move: Move;
  /** The state after this very move; `to.state` is the one that was found first under the same key. */
  readonly state: ModelState;
}

export interface Bounds {
  readonly maxDepth: number;
  readonly maxStates: number;
}

/** A move that the machine's own code did not survive. */
export interface Fault {
  readonly from: ModelState;
  readonly move: Move;
  readonly error: unknown;
}

export interface Graph {
  readonly vertices: readonly Vertex[];
  /** Moves that were tried and took no transition: no guard let them through. */
  readonly unmoved: readonly { readonly from: ModelState; readonly move: Move }[];
  readonly faults: readonly Fault[];
  /** Words for what nobody can do to the system under test: `events['submit']`. */
  readonly blocked: ReadonlySet<string>;
  /** The bound that ended the search, in words. */
  readonly bound: string | undefined;
}

export interface Exploration extends Possible {
  readonly bounds: Bounds;
  readonly serializeState: StateSerializer | undefined;
  /** Words for the executor that a move lacks; undefined when it can be made. */
  readonly missing: (move: Move) => string | undefined;
}

/** A key for a state: states with the same key are taken for the same. */
export type StateSerializer = (snapshot: AnyMachineSnapshot, delays: readonly RunningDelay[]) => string;

/** Value, status, context, history, living actors, and what is left of each delay. */
export function keyOf(
  { snapshot, nowMs, delays, ended }: ModelState,
  serializeState?: StateSerializer,
): string {
  if (serializeState !== undefined) return `state ${serializeState(snapshot, delays)}`;
  const history = Object.entries((snapshot as { historyValue?: object }).historyValue ?? {}).map(
    ([id, nodes]: [string, readonly { readonly id: string }[]]) => [id, nodes.map((node) => node.id)],
  );
  const actors = Object.entries(snapshot.children as Record<string, AnyActorRef | undefined>)
    .filter(([, child]) => child !== undefined && !ended.has(child))
    .map(([id]) => id);
  const left = delays.map(({ id, name, dueMs }) => [id, name, dueMs - nowMs]);
  const { value, status, context, output } = snapshot;
  return `state ${canonical([value, status, context, output, history, actors, left])}`;
}

/** A state under way in the search. */
interface Place extends ModelState {
  readonly depth: number;
  readonly fault?: unknown;
}

/** A move that did anything: it took a transition, or it ended the machine. */
export const moved = (from: ModelState, to: ModelState): boolean =>
  to.microsteps.some((transitions) => transitions.length > 0) || to.snapshot.status !== from.snapshot.status;

export function explore(stepper: Stepper, exploration: Exploration): Graph {
  const { bounds, serializeState } = exploration;
  const faults: Fault[] = [];
  const blocked = new Set<string>();
  let expanded = 0;
  let bound: string | undefined;

  function moves(place: Place): Move[] {
    if (place.fault !== undefined) return [];
    const all = movesFrom(place, exploration).filter((move) => {
      const missing = exploration.missing(move);
      if (missing !== undefined) blocked.add(missing);
      return missing === undefined;
    });
    if (all.length === 0) return [];
    if (place.depth >= bounds.maxDepth) bound ??= `maxDepth ${bounds.maxDepth}`;
    else if (expanded >= bounds.maxStates) bound = `maxStates ${bounds.maxStates}`;
    else {
      expanded += 1;
      return all;
    }
    return [];
  }

  const logic = {
    getInitialSnapshot: (): Place => ({ ...stepper.start(), depth: 0 }),
    getPersistedSnapshot: (place: Place): Place => place,
    transition(place: Place, move: Move): Place {
      try {
        return { ...stepper.step(place, move), depth: place.depth + 1 };
      } catch (error) {
        faults.push({ from: place, move, error });
        return { ...place, microsteps: [], fault: error };
      }
    },
  };
  const adjacency = getAdjacencyMap(
    logic as unknown as AnyActorLogic,
    {
      events: (place: Place) => moves(place),
      // A place that failed is no place: it must not be taken for the one that it failed in.
      serializeState: (place: Place) =>
        place.fault === undefined ? keyOf(place, serializeState) : `failed ${keyOf(place, serializeState)}`,
      serializeEvent: keyOfMove,
    } as never,
  ) as unknown as Readonly<Record<string, Adjacent>>;
  return { ...tied(adjacency, (place) => keyOf(place, serializeState)), faults, blocked, bound };
}

interface Adjacent {
  readonly state: Place;
  readonly transitions: Readonly<Record<string, { readonly event: Move; readonly state: Place }>>;
}

type Open<T> = { -readonly [K in keyof T]: T[K] };

/** The map as vertices and edges, each vertex with the edge that found it. */
function tied(
  adjacency: Readonly<Record<string, Adjacent>>,
  keyOfPlace: (place: Place) => string,
): Pick<Graph, 'vertices' | 'unmoved'> {
  const vertices = new Map<string, Open<Vertex>>();
  const unmoved: { from: ModelState; move: Move }[] = [];
  for (const [key, { state }] of Object.entries(adjacency)) {
    if (state.fault === undefined)
      vertices.set(key, { key, state, depth: state.depth, parent: undefined, out: [] });
  }
  const [root] = vertices.values();
  for (const vertex of vertices.values()) {
    const out: Edge[] = [];
    for (const { event: move, state } of Object.values(adjacency[vertex.key]?.transitions ?? {})) {
      if (state.fault !== undefined) continue;
      const to = vertices.get(keyOfPlace(state));
      if (to === undefined || !moved(vertex.state, state)) {
        unmoved.push({ from: vertex.state, move });
        continue;
      }
      const edge: Edge = { from: vertex, to, move, state };
      if (to !== root) to.parent ??= edge;
      out.push(edge);
    }
    vertex.out = out;
  }
  return { vertices: [...vertices.values()], unmoved };
}

/** The moves of a shortest way to a vertex. */
export function wayTo(vertex: Vertex): Move[] {
  const moves: Move[] = [];
  for (let at = vertex; at.parent !== undefined; at = at.parent.from) moves.push(at.parent.move);
  return moves.toReversed();
}

/** The transitions of a move, one after another. */
export const takenBy = ({ microsteps }: ModelState): readonly AnyTransitionDefinition[] => microsteps.flat();

/** The state and the move in words, for messages. */
export const placeInWords = ({ from, move }: { readonly from: ModelState; readonly move: Move }): string =>
  `${labelOf(move)} in ${stateInWords(from.snapshot)}`;
