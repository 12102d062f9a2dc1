// A node that leaves waits for what runs, and a while for acknowledgements.
// Invariant: it does not wait for ever for an acknowledgement that died with a hub.
import type { Clock, Timer } from '../ports.ts';
import type { Execution } from './execution.ts';

/** A client that is there acknowledges at once; one that is not back yet gets enough for a reconnect. */
const PRESENT_MS = 1_000;
const ABSENT_MS = 10_000;

export class Leaving {
  readonly #clock: Clock;
  readonly #abandon: (which: (execution: Execution) => boolean) => void;
  #waiting: (() => void)[] = [];
  #timer: Timer | undefined;

  /** `abandon` gives up the outcomes of which the predicate holds. */
  constructor(clock: Clock, abandon: (which: (execution: Execution) => boolean) => void) {
    this.#clock = clock;
    this.#abandon = abandon;
  }

  /** Calls `finished` once nothing is held any more. */
  wait(finished: () => void): void {
    this.#waiting.push(finished);
  }

  /** `held` calls are there, of which `retained` have ended and are not acknowledged. */
  look(held: number, retained: number): void {
    if (this.#waiting.length === 0) return;
    if (held === 0) {
      const waiting = this.#waiting;
      this.stop();
      for (const finished of waiting) finished();
    } else if (held > retained) this.#clear();
    else {
      this.#timer ??= this.#clock.setTimer(() => {
        this.#timer = this.#clock.setTimer(() => this.#abandon(() => true), ABSENT_MS - PRESENT_MS);
        this.#abandon(({ client }) => client.number !== 0);
      }, PRESENT_MS);
    }
  }

  stop(): void {
    this.#waiting = [];
    this.#clear();
  }

  #clear(): void {
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }
}
