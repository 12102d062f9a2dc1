// Time that passes when it is told to: what a machine in a test has for a clock.
// Invariant: timers end in the order in which they are due, then in that in which they were set, new ones included.

interface VirtualTimer {
  readonly id: number;
  readonly dueMs: number;
  readonly fn: (...args: unknown[]) => void;
}

/** More ends of delays than this within one wait are a loop. */
export const MAX_ENDS = 10_000;

/** A clock for `createActor(machine, { clock })`. */
export class VirtualClock {
  #nowMs = 0;
  #nextId = 1;
  #timers: VirtualTimer[] = [];

  now(): number {
    return this.#nowMs;
  }

  setTimeout(fn: (...args: unknown[]) => void, delayMs: number): number {
    const id = this.#nextId++;
    this.#timers.push({ id, dueMs: this.#nowMs + Math.max(0, delayMs), fn });
    return id;
  }

  clearTimeout(id: unknown): void {
    this.#timers = this.#timers.filter((timer) => timer.id !== id);
  }

  /**
   * Lets time pass and runs what is due, each at its own time.
   * @throws Error when delays of no length set one another for ever
   */
  increment(delayMs: number): void {
    const endMs = this.#nowMs + delayMs;
    for (let ends = 0; ; ends += 1) {
      const next = this.#timers
        .filter((timer) => timer.dueMs <= endMs)
        .toSorted((a, b) => a.dueMs - b.dueMs || a.id - b.id)[0];
      if (next === undefined) break;
      if (ends === MAX_ENDS)
        throw new Error(`${MAX_ENDS} delays ended within ${delayMs} ms: they set one another`);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      this.clearTimeout(next.id);
      next.fn();
    }
    this.#nowMs = endMs;
  }
}
