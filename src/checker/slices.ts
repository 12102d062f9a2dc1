// Long work over all states in small slices: it pauses now and then, so that whoever drives it can stop it.
// Invariant: between two pauses lie so few states that they take milliseconds.

/** Work that pauses by yielding nothing and ends with its result. */
export type Sliced<T> = Generator<undefined, T>;

/** After so many states (or edges) it is time to pause. */
export const SLICE = 4_096;
