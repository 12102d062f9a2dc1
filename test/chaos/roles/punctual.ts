// Whether a process is on time: its timers fire when they are due, and what it writes is soon written.
// Invariant: it looks only while someone waits for such a moment.

const TICK_MS = 5;
/** A tick or a write that is late by more spoils the moment. */
const LATE_MS = 3;
/** Ticks in a row that were on time. */
const ENOUGH = 20;
/** A machine that never is must do. */
const PATIENCE_MS = 8_000;

export class Punctual {
  #row = 0;
  /** When the oldest write that is not answered was asked for; Infinity: all are. */
  #writingSince = Infinity;

  /** Around a write; one is under way at a time. */
  async write<T>(write: () => Promise<T>): Promise<T> {
    this.#writingSince = performance.now();
    try {
      return await write();
    } finally {
      this.#look();
      this.#writingSince = Infinity;
    }
  }

  #look(): void {
    if (performance.now() - this.#writingSince > LATE_MS) this.#row = 0;
  }

  /** Resolves when the process has been on time for a while. */
  moment(): Promise<void> {
    const startedAt = performance.now();
    let last = startedAt;
    this.#row = 0;
    return new Promise((resolve) => {
      const ticking = setInterval(() => {
        const now = performance.now();
        this.#row = now - last > TICK_MS + LATE_MS ? 0 : this.#row + 1;
        last = now;
        this.#look();
        if (this.#row < ENOUGH && now - startedAt < PATIENCE_MS) return;
        clearInterval(ticking);
        resolve();
      }, TICK_MS);
    });
  }
}
