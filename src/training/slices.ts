// Long work in slices, between which the event loop has its turn: nobody's heartbeat waits for the mean of a large model.
// Invariant: slices change when a result is there, and no bit of it.
import type { Aggregate, Aggregated, AggregationInput } from './contract.ts';

/** Numbers that are read in one slice: about 5 ms. */
export const SLICE_NUMBERS = 4_194_304;

/** Work that yields where others may have their turn. */
export type Slices<T> = Generator<void, T, void>;

/** All of it at once. */
export function atOnce<T>(slices: Slices<T>): T {
  for (;;) {
    const slice = slices.next();
    if (slice.done === true) return slice.value;
  }
}

/** @param turn resolves when others had their turn; rejects when the result is not wanted any more */
export async function turnByTurn<T>(slices: Slices<T>, turn: () => Promise<void>): Promise<T> {
  for (;;) {
    const slice = slices.next();
    if (slice.done === true) return slice.value;
    await turn();
  }
}

/** What a strategy can be asked to do at once, and in slices. */
export function sliced(inSlices: (input: AggregationInput) => Slices<Aggregated>): Aggregate {
  return Object.assign((input: AggregationInput) => atOnce(inSlices(input)), { inSlices });
}
