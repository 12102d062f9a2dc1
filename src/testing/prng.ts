// Random numbers that a seed determines.
// Invariant: the same seed gives the same numbers, on every platform; streams forked by name do not disturb each other.
import type { Random } from '../ports.ts';

/** FNV-1a, 32 bits (Fowler, Noll, Vo): a name's part in a seed. */
export function fnv1a(text: string, offset = 0x811c9dc5): number {
  let hash = offset;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}

/**
 * xoshiro128** 1.1 (Blackman and Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS 2021), its state
 * filled from the seed by a Weyl sequence under MurmurHash3's finalizer (the construction of SplitMix; Steele, Lea and
 * Flood, OOPSLA 2014).
 */
export class Prng implements Random {
  readonly #state = new Uint32Array(4);

  constructor(seed: number, stream = '') {
    let weyl = (seed ^ Math.floor(seed / 0x1_0000_0000) ^ fnv1a(stream)) >>> 0;
    for (let index = 0; index < 4; index += 1) {
      weyl = (weyl + 0x9e3779b9) >>> 0;
      let mixed = Math.imul(weyl ^ (weyl >>> 16), 0x85ebca6b);
      mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
      this.#state[index] = mixed ^ (mixed >>> 16);
    }
  }

  uint32(): number {
    const state = this.#state;
    const [a = 0, b = 0, c = 0, d = 0] = state;
    const scrambled = Math.imul(b, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9) >>> 0;
    const third = c ^ a;
    const fourth = d ^ b;
    state[1] = b ^ third;
    state[0] = a ^ fourth;
    state[2] = third ^ (b << 9);
    state[3] = (fourth << 11) | (fourth >>> 21);
    return result;
  }

  /** In [0, 1), with 32 bits. */
  fraction(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  /** 128 bits in the grouping of a UUID. */
  id(): string {
    const hex = Array.from({ length: 4 }, () => this.uint32().toString(16).padStart(8, '0')).join('');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }
}
