// The part of the explored graph in which a liveness property has not come true, and its strongly connected components.
// Invariant: a state is in the region exactly when some run gets there without the property coming true on the way.
import type { Edges } from './edges.ts';
import type { Explored } from './explored.ts';
import { SLICE, type Sliced } from './slices.ts';

/** `before` of a state where the region is entered; states outside have `OUTSIDE`. */
export const ENTRY = -1;
export const OUTSIDE = -2;

export interface Region {
  /** The state before it on the shortest way inside the region, `ENTRY` or `OUTSIDE`. */
  readonly before: Int32Array;
  /** The members, in the order in which a breadth-first walk from the entries meets them. */
  readonly order: Int32Array;
}

/** All that is reached from `entries` through states that are not `over`, faults included. */
export function* regionFrom(
  { edges }: Explored,
  entries: Iterable<number>,
  over: Uint8Array,
): Sliced<Region> {
  const before = new Int32Array(over.length).fill(OUTSIDE);
  const order = new Int32Array(over.length);
  let size = 0;
  for (const entry of entries) {
    if (over[entry] === 1 || before[entry] !== OUTSIDE) continue;
    before[entry] = ENTRY;
    order[size++] = entry;
  }
  for (let next = 0; next < size; next++) {
    if (next % SLICE === 0) yield;
    const state = order[next] as number;
    const end = edges.end(state);
    for (let edge = edges.start(state); edge < end; edge++) {
      const target = edges.target(edge);
      if (over[target] === 1 || before[target] !== OUTSIDE) continue;
      before[target] = state;
      order[size++] = target;
    }
  }
  return { before, order: order.subarray(0, size) };
}

export interface Component {
  /** Valid until the next component is asked for. */
  readonly members: Int32Array;
  readonly number: number;
}

/**
 * Yields each strongly connected component of the region, over the edges that `follows` accepts, and nothing in pauses. Tarjan, "Depth-first search and linear graph algorithms" (SIAM J. Comput., 1972), without recursion.
 * `component` is filled with the number of each state's component.
 */
export function* eachComponent(
  edges: Edges,
  { before, order }: Region,
  follows: (edge: number) => boolean,
  component: Int32Array,
): Generator<Component | undefined, void> {
  const seen = new Int32Array(before.length);
  const low = new Int32Array(before.length);
  const cursor = new Int32Array(order.length);
  const calls = new Int32Array(order.length);
  const open = new Int32Array(order.length);
  let [clock, depth, waiting, count, steps] = [0, 0, 0, 0, 0];
  const enter = (state: number) => {
    seen[state] = low[state] = ++clock;
    cursor[depth] = edges.start(state);
    calls[depth++] = state;
    open[waiting++] = state;
  };
  component.fill(-1);
  for (const root of order) {
    if (seen[root] !== 0) continue;
    enter(root);
    while (depth > 0) {
      if (++steps % SLICE === 0) yield;
      const state = calls[depth - 1] as number;
      const edge = (cursor[depth - 1] as number)++;
      if (edge < edges.end(state)) {
        const target = edges.target(edge);
        if (before[target] === OUTSIDE || !follows(edge)) continue;
        if (seen[target] === 0) enter(target);
        else if (component[target] === -1)
          low[state] = Math.min(low[state] as number, seen[target] as number);
        continue;
      }
      depth--;
      const caller = calls[depth - 1];
      if (depth > 0 && caller !== undefined)
        low[caller] = Math.min(low[caller] as number, low[state] as number);
      if (low[state] !== seen[state]) continue;
      let first = waiting;
      do component[open[--first] as number] = count;
      while (open[first] !== state);
      yield { members: open.subarray(first, waiting), number: count++ };
      waiting = first;
    }
  }
}
