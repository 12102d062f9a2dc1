// What a finished exploration leaves to the properties that need the whole graph.
// Invariant: read only; state 0 is the first one, and `pathTo` leads from it.
import type { Predicate } from './options.ts';
import type { Composition } from './composition.ts';
import type { Edges } from './edges.ts';
import { failedIn, type PathStep } from './explain.ts';
import { property } from './properties.ts';
import { SLICE, type Sliced } from './slices.ts';
import type { IntList, StateSet } from './states.ts';
import { StateView } from './view.ts';

export interface Explored {
  readonly composition: Composition;
  readonly set: StateSet;
  readonly parents: IntList;
  readonly edges: Edges;
}

/** 1 for each state where the predicate holds. */
export function* marksOf(
  { composition, set, parents }: Explored,
  kind: string,
  name: string,
  predicate: Predicate,
): Sliced<Uint8Array> {
  const view = new StateView(composition, new Int32Array(composition.width));
  const { holdsIn } = property(kind, name, predicate);
  const marks = new Uint8Array(set.size);
  for (let index = 0; index < set.size; index++) {
    if (index % SLICE === 0) yield;
    set.read(index, view.state);
    try {
      if (holdsIn(view)) marks[index] = 1;
    } catch (cause) {
      throw failedIn(composition, statesOf(set, pathTo(parents, index)), cause);
    }
  }
  return marks;
}

function statesOf(set: StateSet, path: readonly number[]): PathStep[] {
  return path.map((index) => {
    const state = new Int32Array(set.width);
    set.read(index, state);
    return { state };
  });
}

/** The indices of the states on the way to `last`, the first one's included. */
export function pathTo(parents: IntList, last: number): number[] {
  const path: number[] = [];
  for (let index = last; index !== -1; index = parents.at(index)) path.push(index);
  return path.reverse();
}

/**
 * A state from which no goal can be reached without faults: the first one found, or undefined.
 * Backward reachability by repeated passes: one byte a state instead of a second set of edges.
 */
export function* trappedState(explored: Explored, name: string, goal: Predicate): Sliced<number | undefined> {
  const { edges } = explored;
  const reaches = yield* marksOf(explored, 'alwaysPossible', name, goal);
  const anyEdge = (index: number): boolean => {
    const end = edges.end(index);
    for (let edge = edges.start(index); edge < end; edge++)
      if (edges.kind(edge) >= 0 && reaches[edges.target(edge)] === 1) return true;
    return false;
  };
  for (let changed = true; changed;) {
    changed = false;
    for (let index = reaches.length - 1; index >= 0; index--) {
      if (index % SLICE === 0) yield;
      if (reaches[index] === 1 || !anyEdge(index)) continue;
      reaches[index] = 1;
      changed = true;
    }
  }
  const trapped = reaches.indexOf(0);
  return trapped === -1 ? undefined : trapped;
}
