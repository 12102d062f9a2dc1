// A map from two small numbers to two, for memoising: a small hash table for each first number, all in one typed array.
// What is asked of one first number lies together, since a search asks the same ones again and again for a while.
// Invariant: keys and values are integers from 0 to 2^31 - 1.

/** Numbers of a slot: the second key plus 1 (0 is an empty slot) and both values. */
const SLOT = 3;
/** Numbers of a row: where its slots begin, how many there are less 1, and how many are taken. */
const ROW = 3;
/** A row begins with room for so many. */
const FIRST_SLOTS = 4;

/** Fibonacci hashing (Knuth, The Art of Computer Programming, volume 3, section 6.4). */
const spread = (key: number): number => Math.imul(key, 0x9e3779b1) >>> 15;

function longer(list: Int32Array<ArrayBuffer>, least: number): Int32Array<ArrayBuffer> {
  let length = list.length;
  while (length < least) length *= 2;
  const renewed = new Int32Array(length);
  renewed.set(list);
  return renewed;
}

export class PairMap {
  slots = new Int32Array(256 * SLOT);
  #end = 0;
  #rows = new Int32Array(64 * ROW);
  /** Where rows that were outgrown begin, by the number of their slots as a power of 2. */
  readonly #free: number[][] = [];

  get bytes(): number {
    return (this.slots.length + this.#rows.length) * 4;
  }

  /** Where the values of the pair are in `slots`, the first one; -1 when the pair is not known. */
  find(a: number, b: number): number {
    const row = a * ROW;
    if (row >= this.#rows.length) return -1;
    const start = this.#rows[row] as number;
    const mask = this.#rows[row + 1] as number;
    if (mask === 0) return -1;
    const { slots } = this;
    for (let i = spread(b) & mask; ; i = (i + 1) & mask) {
      const at = start + i * SLOT;
      const key = slots[at] as number;
      if (key === b + 1) return at + 1;
      if (key === 0) return -1;
    }
  }

  /** The pair must not be known yet. */
  set(a: number, b: number, first: number, second = 0): void {
    const row = a * ROW;
    if (row >= this.#rows.length) this.#rows = longer(this.#rows, row + ROW);
    const rows = this.#rows;
    const taken = (rows[row + 2] as number) + 1;
    if (taken * 4 > ((rows[row + 1] as number) + 1) * 3 || taken === 1) this.#grow(row);
    rows[row + 2] = taken;
    this.#put(row, b + 1, first, second);
  }

  #put(row: number, key: number, first: number, second: number): void {
    const { slots } = this;
    const start = this.#rows[row] as number;
    const mask = this.#rows[row + 1] as number;
    let i = spread(key - 1) & mask;
    while (slots[start + i * SLOT] !== 0) i = (i + 1) & mask;
    slots[start + i * SLOT] = key;
    slots[start + i * SLOT + 1] = first;
    slots[start + i * SLOT + 2] = second;
  }

  #grow(row: number): void {
    const rows = this.#rows;
    const start = rows[row] as number;
    const size = rows[row + 1] === 0 ? 0 : (rows[row + 1] as number) + 1;
    const wider = size === 0 ? FIRST_SLOTS : size * 2;
    rows[row] = this.#room(wider);
    rows[row + 1] = wider - 1;
    if (size === 0) return;
    const { slots } = this;
    for (let at = start; at < start + size * SLOT; at += SLOT) {
      const key = slots[at] as number;
      if (key !== 0) this.#put(row, key, slots[at + 1] as number, slots[at + 2] as number);
    }
    slots.fill(0, start, start + size * SLOT);
    (this.#free[31 - Math.clz32(size)] ??= []).push(start);
  }

  #room(size: number): number {
    const free = this.#free[31 - Math.clz32(size)]?.pop();
    if (free !== undefined) return free;
    const start = this.#end;
    this.#end += size * SLOT;
    if (this.#end > this.slots.length) this.slots = longer(this.slots, this.#end);
    return start;
  }
}
