// A map from two small numbers to one, for memoising: open addressing in one typed array, nothing allocated per entry.
// Invariant: keys and values are integers from 0 to 2^31 - 1.

/** Spreads two integers over 32 bits (steps of MurmurHash3's finalizer; Appleby, 2011). */
function spread(a: number, b: number): number {
  let h = Math.imul(a, 0x9e3779b1) ^ Math.imul(b + 0x7f4a7c15, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15), 0xc2b2ae35);
  return (h ^ (h >>> 13)) >>> 0;
}

export class PairMap {
  #slots: Int32Array;
  #mask: number;
  #size = 0;

  constructor(capacity = 256) {
    this.#slots = new Int32Array(capacity * 3).fill(-1);
    this.#mask = capacity - 1;
  }

  /** -1 when the pair is not known. */
  get(a: number, b: number): number {
    const slots = this.#slots;
    for (let i = spread(a, b) & this.#mask; ; i = (i + 1) & this.#mask) {
      const at = i * 3;
      const key = slots[at] as number;
      if (key === -1) return -1;
      if (key === a && slots[at + 1] === b) return slots[at + 2] as number;
    }
  }

  /** The pair must not be known yet. */
  set(a: number, b: number, value: number): void {
    if (++this.#size * 2 > this.#mask) this.#grow();
    this.#put(a, b, value);
  }

  #put(a: number, b: number, value: number): void {
    const slots = this.#slots;
    let i = spread(a, b) & this.#mask;
    while (slots[i * 3] !== -1) i = (i + 1) & this.#mask;
    slots[i * 3] = a;
    slots[i * 3 + 1] = b;
    slots[i * 3 + 2] = value;
  }

  #grow(): void {
    const old = this.#slots;
    this.#mask = this.#mask * 2 + 1;
    this.#slots = new Int32Array((this.#mask + 1) * 3).fill(-1);
    for (let at = 0; at < old.length; at += 3) {
      if (old[at] !== -1) this.#put(old[at] as number, old[at + 1] as number, old[at + 2] as number);
    }
  }
}
