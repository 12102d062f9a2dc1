// The set of global states: tuples of small integers in typed arrays, found by hash, kept in the order of discovery.
// Invariant: states are compared exactly, never by their hash alone; a state's index never changes.

const CHUNK_BITS = 14;
const CHUNK = 1 << CHUNK_BITS;

/** An array of integers that grows without copying. */
export class IntList {
  readonly #chunks: Int32Array[] = [];
  length = 0;

  get bytes(): number {
    return this.#chunks.length * CHUNK * 4;
  }

  push(value: number): void {
    this.set(this.length, value);
  }

  /** Sets what is there, or makes the list longer; what lies between is 0. */
  set(index: number, value: number): void {
    const chunk = index >> CHUNK_BITS;
    while (chunk >= this.#chunks.length) this.#chunks.push(new Int32Array(CHUNK));
    (this.#chunks[chunk] as Int32Array)[index & (CHUNK - 1)] = value;
    if (index >= this.length) this.length = index + 1;
  }

  at(index: number): number {
    return (this.#chunks[index >> CHUNK_BITS] as Int32Array)[index & (CHUNK - 1)] as number;
  }
}

export class StateSet {
  readonly width: number;
  size = 0;
  readonly #chunks: Int32Array[] = [];
  #table = new Int32Array(1 << 12).fill(-1);

  constructor(width: number) {
    this.width = width;
  }

  get bytes(): number {
    return this.#chunks.length * CHUNK * this.width * 4 + this.#table.length * 4;
  }

  /** Index of `state`, which is added when it is new; new states are those whose index equals the size before. */
  add(state: Int32Array): number {
    if (this.size * 2 > this.#table.length) this.#grow();
    const mask = this.#table.length - 1;
    let slot = this.#hash(state, 0) & mask;
    for (;;) {
      const index = this.#table[slot] as number;
      if (index === -1) break;
      if (this.#equal(index, state)) return index;
      slot = (slot + 1) & mask;
    }
    this.#table[slot] = this.size;
    const chunk = this.size >> CHUNK_BITS;
    if (chunk === this.#chunks.length) this.#chunks.push(new Int32Array(CHUNK * this.width));
    (this.#chunks[chunk] as Int32Array).set(state, (this.size & (CHUNK - 1)) * this.width);
    return this.size++;
  }

  /** Copies state `index` into `into`. */
  read(index: number, into: Int32Array): void {
    const chunk = this.#chunks[index >> CHUNK_BITS] as Int32Array;
    const at = (index & (CHUNK - 1)) * this.width;
    for (let i = 0; i < this.width; i++) into[i] = chunk[at + i] as number;
  }

  #equal(index: number, state: Int32Array): boolean {
    const chunk = this.#chunks[index >> CHUNK_BITS] as Int32Array;
    const at = (index & (CHUNK - 1)) * this.width;
    for (let i = 0; i < this.width; i++) if (chunk[at + i] !== state[i]) return false;
    return true;
  }

  #hash(data: Int32Array, at: number): number {
    let h = 0x811c9dc5;
    for (let i = 0; i < this.width; i++) {
      h = Math.imul(h ^ (data[at + i] as number), 0x9e3779b1);
      h ^= h >>> 15;
    }
    h = Math.imul(h, 0x85ebca6b);
    return (h ^ (h >>> 13)) >>> 0;
  }

  #grow(): void {
    this.#table = new Int32Array(this.#table.length * 2).fill(-1);
    const mask = this.#table.length - 1;
    for (let index = 0; index < this.size; index++) {
      const chunk = this.#chunks[index >> CHUNK_BITS] as Int32Array;
      let slot = this.#hash(chunk, (index & (CHUNK - 1)) * this.width) & mask;
      while (this.#table[slot] !== -1) slot = (slot + 1) & mask;
      this.#table[slot] = index;
    }
  }
}
