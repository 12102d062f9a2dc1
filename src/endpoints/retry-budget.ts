// How many retries a pool may make, so that an outage is not multiplied.
// Invariant: within ten seconds there are at most `ratio` as many retries as requests, except for `minPerSecond` in each second.

/** The window, in seconds; it is counted in buckets of one. */
const SECONDS = 10;

export interface RetryBudgetOptions {
  /** Part of the requests of the last ten seconds that may be retried. @default 0.2 */
  readonly ratio: number;
  /** Retries that are allowed in each second in any case, so that a quiet pool may retry too. @default 3 */
  readonly minPerSecond: number;
}

/** The rule of Finagle's RetryBudget (Twitter, 2016) and Envoy's retry_budget, over a window instead of tokens. */
export class RetryBudget {
  readonly #options: RetryBudgetOptions;
  readonly #requests = new Uint32Array(SECONDS);
  readonly #retries = new Uint32Array(SECONDS);
  #second = -Infinity;
  #requestsInAll = 0;
  #retriesInAll = 0;

  constructor(options: RetryBudgetOptions) {
    this.#options = options;
  }

  /** A request began; its first attempt costs nothing. */
  request(now: number): void {
    const at = this.#at(now);
    this.#requests[at] = (this.#requests[at] ?? 0) + 1;
    this.#requestsInAll += 1;
  }

  /** Takes one retry, or answers `spent`. */
  retry(now: number): 'granted' | 'spent' {
    const at = this.#at(now);
    const { ratio, minPerSecond } = this.#options;
    const inSecond = this.#retries[at] ?? 0;
    if (inSecond >= minPerSecond && this.#retriesInAll + 1 > ratio * this.#requestsInAll) return 'spent';
    this.#retries[at] = inSecond + 1;
    this.#retriesInAll += 1;
    return 'granted';
  }

  #at(now: number): number {
    const second = Math.floor(now / 1_000);
    if (second !== this.#second) this.#advance(second);
    return ((second % SECONDS) + SECONDS) % SECONDS;
  }

  #advance(second: number): void {
    const stale = Math.min(SECONDS, second - this.#second);
    for (let i = 0; i < stale; i++) {
      const at = (((second - i) % SECONDS) + SECONDS) % SECONDS;
      this.#requestsInAll -= this.#requests[at] ?? 0;
      this.#retriesInAll -= this.#retries[at] ?? 0;
      this.#requests[at] = 0;
      this.#retries[at] = 0;
    }
    this.#second = second;
  }
}
