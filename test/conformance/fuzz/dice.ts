// Choices of the fuzzer, all from one seed.
// Invariant: the same seed and stream give the same choices.
import { Prng } from '../../../src/testing/prng.ts';

export class Dice {
  readonly #prng: Prng;

  constructor(seed: number, stream: string) {
    this.#prng = new Prng(seed, stream);
  }

  /** A whole number from 0 up to `end`, without it. */
  below(end: number): number {
    return this.#prng.uint32() % end;
  }

  uint32(): number {
    return this.#prng.uint32();
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T; // items is not empty
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}

/** The seed of this run: the one that `FUZZ_SEED` names, or a new one. */
export function seedOf(): number {
  const given = process.env['FUZZ_SEED'];
  return given === undefined ? Math.floor(Math.random() * 0x1_0000_0000) : Number(given);
}
