// One timer for the time-outs of one attempt: they follow each other, so one at a time is due.
// Invariant: it barks once, not before the time that was set last.
import type { Clock, Timer } from '../../ports.ts';

/** A later time is only noted: the timer looks again when it fires. So each byte that comes costs a comparison, no timer. */
export class Watchdog {
  readonly #clock: Clock;
  readonly #bark: () => void;
  #timer: Timer | undefined;
  #firesAt = Infinity;
  #dueAt = Infinity;

  constructor(clock: Clock, bark: () => void) {
    this.#clock = clock;
    this.#bark = bark;
  }

  /** In place of what was set before. */
  set(dueAt: number): void {
    this.#dueAt = dueAt;
    if (dueAt < this.#firesAt) this.#arm();
  }

  stop(): void {
    this.#dueAt = Infinity;
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#firesAt = Infinity;
  }

  #arm(): void {
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer);
    this.#firesAt = this.#dueAt;
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = undefined;
      this.#firesAt = Infinity;
      if (this.#dueAt === Infinity) return;
      if (this.#clock.now() < this.#dueAt) this.#arm();
      else {
        this.#dueAt = Infinity;
        this.#bark();
      }
    }, this.#dueAt - this.#clock.now());
  }
}
