// How much of something may happen in a second.
// Invariant: over any span at most a burst more than the rate allows; it needs no timer.

export class Bucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #filledAt: number;

  constructor(perSecond: number, now: number, burst = perSecond) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#filledAt = now;
  }

  take(now: number, tokens = 1): boolean {
    const elapsedMs = Math.max(0, now - this.#filledAt);
    this.#filledAt = now;
    this.#tokens = Math.min(this.#burst, this.#tokens + (elapsedMs * this.#perSecond) / 1_000);
    if (this.#tokens < tokens) return false;
    this.#tokens -= tokens;
    return true;
  }
}
