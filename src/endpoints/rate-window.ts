// How many attempts on one endpoint failed, of how many, within the last while.
// Invariant: what is older than the window does not count; what is younger than nine tenths of it does.

const BUCKETS = 10;

export class RateWindow {
  readonly #bucketMs: number;
  readonly #volumes = new Uint32Array(BUCKETS);
  readonly #failures = new Uint32Array(BUCKETS);
  #tick = -Infinity;
  volume = 0;
  failures = 0;

  constructor(windowMs: number) {
    this.#bucketMs = windowMs / BUCKETS;
  }

  /** `failures` is 0 or 1. */
  add(now: number, failures: 0 | 1): void {
    const tick = Math.floor(now / this.#bucketMs);
    if (tick !== this.#tick) this.#advance(tick);
    const bucket = ((tick % BUCKETS) + BUCKETS) % BUCKETS;
    this.#volumes[bucket] = (this.#volumes[bucket] ?? 0) + 1;
    this.volume += 1;
    if (failures === 0) return;
    this.#failures[bucket] = (this.#failures[bucket] ?? 0) + 1;
    this.failures += 1;
  }

  clear(): void {
    this.#volumes.fill(0);
    this.#failures.fill(0);
    this.volume = this.failures = 0;
    this.#tick = -Infinity;
  }

  #advance(tick: number): void {
    const stale = Math.min(BUCKETS, tick - this.#tick);
    for (let i = 0; i < stale; i++) {
      const bucket = (((tick - i) % BUCKETS) + BUCKETS) % BUCKETS;
      this.volume -= this.#volumes[bucket] ?? 0;
      this.failures -= this.#failures[bucket] ?? 0;
      this.#volumes[bucket] = 0;
      this.#failures[bucket] = 0;
    }
    this.#tick = tick;
  }
}
