// The wall clock of the simulated machines, which somebody sets now and then.
// Invariant: it is the process's own only between runs; nothing of a run may depend on it.

const realNow = Date.now;
const START = Date.UTC(2026, 0, 1);

export class WallClock {
  #offsetMs = 0;
  reads = 0;

  /** `now` tells the simulated time. */
  install(now: () => number): void {
    Date.now = () => {
      this.reads += 1;
      return START + now() + this.#offsetMs;
    };
  }

  jump(ms: number): void {
    this.#offsetMs += ms;
  }

  uninstall(): void {
    Date.now = realNow;
  }
}
