// A component of a graph that symmetry reduced, as it is without the reduction: whether its runs are fair cannot be seen in
// the reduced graph, where an edge may lead to a state in which the actors have changed names (Emerson and Sistla,
// "Utilizing symmetry when model-checking under fairness assumptions", TOPLAS 19(4), 1997).
// Invariant: what is unfolded is one strongly connected component of the full graph. A way from `from` to a state is, with
// names exchanged, a way on from there; after enough rounds all names are back, and so is `from`.
import { Edges } from './edges.ts';
import type { Explored } from './explored.ts';
import { SLICE, type Sliced } from './slices.ts';
import { StateSet } from './states.ts';

/** The target of an edge that leaves what was unfolded. */
const ELSEWHERE = -1;

/** True when an edge inside leads to a state whose actors have changed names. */
export function turnsInside(edges: Edges, members: Int32Array, isInside: (edge: number) => boolean): boolean {
  return members.some((state) => {
    const end = edges.end(state);
    for (let edge = edges.start(state); edge < end; edge++)
      if (edges.isTurned(edge) && isInside(edge)) return true;
    return false;
  });
}

/**
 * All that is reached from `from` by edges into states that stand for `isMember`, with all edges of these states.
 *
 * @param follows false for edges of this fairness class that must not be part of it
 * @throws Error when there are more than `maxStates`
 */
export function* unfold(
  { composition, set: reduced, edges: { classes } }: Explored,
  from: Int32Array,
  isMember: (index: number) => boolean,
  follows: (kind: number) => boolean,
  maxStates = 10_000_000,
): Sliced<{ readonly set: StateSet; readonly edges: Edges }> {
  const set = new StateSet(composition.width);
  const edges = new Edges(classes);
  const [state, next, stands] = [from.slice(), from.slice(), from.slice()];
  set.add(from);
  for (let index = 0; index < set.size; index++) {
    if (set.size > maxStates)
      throw new Error(
        `more than ${maxStates} states repeat when alike actors are told apart; raise maxStates, or switch symmetry off`,
      );
    if (index % SLICE === 0) yield;
    set.read(index, state);
    edges.open(index);
    composition.eachMove(state, (move, part) => {
      next.set(state);
      composition.run(next, move);
      stands.set(next);
      composition.orbits?.represent(stands);
      // The search was complete, so what stands for a state is in its set, and is not added.
      const isInside = follows(classes.of(move, part)) && isMember(reduced.add(stands));
      edges.add(index, isInside ? set.add(next) : ELSEWHERE, move, part);
    });
  }
  return { set, edges };
}
