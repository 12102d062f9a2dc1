// The numbers that stand for peers on the wire: 1 to `limits.maxPeers`.
// Invariant: a number that is given back is given out again as late as can be, for frames about its last holder may still be under way.
import { limits } from '../protocol/limits.ts';

export class Numbers {
  readonly #taken = new Set<number>();
  #next = 1;

  /** Undefined when all are taken. */
  take(): number | undefined {
    if (this.#taken.size >= limits.maxPeers) return undefined;
    while (this.#taken.has(this.#next)) this.#next = (this.#next % limits.maxPeers) + 1;
    const number = this.#next;
    this.#taken.add(number);
    this.#next = (number % limits.maxPeers) + 1;
    return number;
  }

  free(number: number): void {
    this.#taken.delete(number);
  }
}
