// A look at regular intervals, which also measures how late the event loop is.
// Invariant: one timer; nothing of it is left after `stop`.
import type { Clock, Timer } from '../ports.ts';

export class Ticker {
  readonly #clock: Clock;
  #timer: Timer | undefined;
  /** How late the last look came, in milliseconds. */
  lagMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(intervalMs: number, look: () => void): void {
    const dueAt = this.#clock.now() + intervalMs;
    this.#timer = this.#clock.setTimer(() => {
      this.lagMs = Math.round(Math.max(0, this.#clock.now() - dueAt) * 10) / 10;
      look();
      this.start(intervalMs, look);
    }, intervalMs);
  }

  stop(): void {
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer);
  }
}
