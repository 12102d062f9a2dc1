// What of an actor is drawn into its machine's chart.
// Invariant: types only.

/** A delay that runs. `now` is the clock that it was started by, in milliseconds. */
export interface TimeLeft {
  readonly startedAt: number;
  readonly delayMs: number;
  readonly now: () => number;
}

export interface Shown {
  readonly active: ReadonlySet<string>;
  /** What was taken last; `flash` is another text each time. */
  readonly lit?: { readonly arrows: ReadonlySet<string>; readonly lines: ReadonlySet<string> } | undefined;
  readonly flash: string;
  /** How often each arrow was seen to be taken. */
  readonly counts: ReadonlyMap<string, number>;
  readonly timers: ReadonlyMap<string, TimeLeft>;
}
