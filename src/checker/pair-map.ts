// A map from two small numbers to two, for memoising: open addressing in one typed array, nothing allocated per entry.
// Invariant: keys and values are integers from 0 to 2^31 - 1.

/** Spreads two integers over 32 bits (steps of MurmurHash3's finalizer; Appleby, 2011). */
function spread(a: number, b: number): number {
  let h = Math.imul(a, 0x9e3779b1) ^ Math.imul(b + 0x7f4a7c15, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15), 0xc2b2ae35);
  return (h ^ (h >>> 13)) >>> 0;
}

export class PairMap {
  /** Four numbers a slot: both keys (the first plus 1; 0 is an empty slot) and both values. */
  slots: Int32Array;
  #mask: number;
  #size = 0;

  constructor(capacity = 256) {
    this.slots = new Int32Array(capacity * 4);
    this.#mask = capacity - 1;
  }

  /** Where the values of the pair are in `slots`, the first one; -1 when the pair is not known. */
  find(a: number, b: number): number {
    const slots = this.slots;
    const mask = this.#mask;
    for (let i = spread(a, b) & mask; ; i = (i + 1) & mask) {
      const at = i * 4;
      const key = slots[at] as number;
      if (key === a + 1 && slots[at + 1] === b) return at + 2;
      if (key === 0) return -1;
    }
  }

  /** The pair must not be known yet. */
  set(a: number, b: number, first: number, second = 0): void {
    if (++this.#size * 2 > this.#mask) this.#grow();
    this.#put(a + 1, b, first, second);
  }

  #put(key: number, b: number, first: number, second: number): void {
    const slots = this.slots;
    let i = spread(key - 1, b) & this.#mask;
    while (slots[i * 4] !== 0) i = (i + 1) & this.#mask;
    slots[i * 4] = key;
    slots[i * 4 + 1] = b;
    slots[i * 4 + 2] = first;
    slots[i * 4 + 3] = second;
  }

  #grow(): void {
    const old = this.slots;
    this.#mask = this.#mask * 2 + 1;
    this.slots = new Int32Array((this.#mask + 1) * 4);
    for (let at = 0; at < old.length; at += 4) {
      const key = old[at] as number;
      if (key !== 0) this.#put(key, old[at + 1] as number, old[at + 2] as number, old[at + 3] as number);
    }
  }
}
