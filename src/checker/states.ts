// The set of global states: packed tuples of small integers, found by hash, kept in the order of discovery.
// It takes the bits that the largest numbers need, 4 bytes for each state's predecessor (kept by the search) and 6 to
// 12 for the hash table.
// Invariant: states are compared exactly, never by their hash alone; a state's index never changes.

import { Layout } from './layout.ts';

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

/** The hash table starts with 2^12 slots. */
const FIRST_BITS = 12;

export class StateSet {
  readonly width: number;
  size = 0;
  #layout: Layout;
  #chunks: Int32Array[] = [];
  /** 0, or a state's index + 1 in the lower bits with as much of its hash above as there is room for. */
  #table = new Int32Array(1 << FIRST_BITS);
  #tableBits = FIRST_BITS;
  readonly #packed: Int32Array;
  /** The largest number of each column. */
  readonly #largest: Int32Array;

  constructor(width: number) {
    this.width = width;
    this.#largest = new Int32Array(width);
    this.#layout = Layout.upTo(this.#largest);
    this.#packed = new Int32Array(width);
  }

  get bytes(): number {
    return this.#chunks.length * CHUNK * this.#layout.words * 4 + this.#table.length * 4;
  }

  /** Index of `state`, which is added when it is new; new states are those whose index equals the size before. */
  add(state: Int32Array): number {
    const packed = this.#packed;
    if (!this.#layout.pack(state, packed)) this.#widen(state);
    if (this.size * 3 >= this.#table.length * 2) this.#grow();
    const table = this.#table;
    const bits = this.#tableBits;
    const mask = table.length - 1;
    const hash = this.#hash(packed, 0);
    const tag = hash >>> bits;
    let slot = hash & mask;
    for (let entry = table[slot] as number; entry !== 0; entry = table[slot] as number) {
      if (entry >>> bits === tag && this.#equal((entry & mask) - 1)) return (entry & mask) - 1;
      slot = (slot + 1) & mask;
    }
    const index = this.size++;
    this.#measure(state);
    table[slot] = (tag << bits) | (index + 1);
    const { words } = this.#layout;
    const chunk = index >> CHUNK_BITS;
    if (chunk === this.#chunks.length) this.#chunks.push(new Int32Array(CHUNK * words));
    const into = this.#chunks[chunk] as Int32Array;
    const at = (index & (CHUNK - 1)) * words;
    for (let i = 0; i < words; i++) into[at + i] = packed[i] as number;
    return index;
  }

  /** Copies state `index` into `into`. */
  read(index: number, into: Int32Array): void {
    const chunk = this.#chunks[index >> CHUNK_BITS] as Int32Array;
    this.#layout.unpack(chunk, (index & (CHUNK - 1)) * this.#layout.words, into);
  }

  #equal(index: number): boolean {
    const { words } = this.#layout;
    const chunk = this.#chunks[index >> CHUNK_BITS] as Int32Array;
    const at = (index & (CHUNK - 1)) * words;
    for (let i = 0; i < words; i++) if (chunk[at + i] !== this.#packed[i]) return false;
    return true;
  }

  /** Steps of MurmurHash3 (Appleby, 2011) over the packed words. */
  #hash(data: Int32Array, at: number): number {
    let h = 0x811c9dc5;
    for (let i = 0; i < this.#layout.words; i++) {
      const k = Math.imul(data[at + i] as number, 0xcc9e2d51);
      h ^= Math.imul((k << 15) | (k >>> 17), 0x1b873593);
      h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
    }
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return (h ^ (h >>> 16)) >>> 0;
  }

  #measure(state: Int32Array): void {
    const largest = this.#largest;
    for (let i = 0; i < largest.length; i++) {
      const value = state[i] as number;
      if (value > (largest[i] as number) || value < 0) largest[i] = value;
    }
  }

  /** Packs all states anew, chunk by chunk, with room for `state`. Each column widens at most 28 times. */
  #widen(state: Int32Array): void {
    const from = this.#layout;
    this.#measure(state);
    const to = Layout.upTo(this.#largest);
    const unpacked = new Int32Array(this.width);
    const packed = new Int32Array(to.words);
    for (let c = 0; c < this.#chunks.length; c++) {
      const old = this.#chunks[c] as Int32Array;
      const renewed = new Int32Array(CHUNK * to.words);
      const end = Math.min(CHUNK, this.size - c * CHUNK);
      for (let i = 0; i < end; i++) {
        from.unpack(old, i * from.words, unpacked);
        to.pack(unpacked, packed);
        renewed.set(packed, i * to.words);
      }
      this.#chunks[c] = renewed;
    }
    this.#layout = to;
    to.pack(state, this.#packed);
    this.#rehash(this.#tableBits);
  }

  #grow(): void {
    this.#rehash(this.#tableBits + 1);
  }

  #rehash(bits: number): void {
    // The old table goes before the new one comes: at ten million states they are large.
    this.#table = new Int32Array(0);
    const table = new Int32Array(2 ** bits);
    const mask = table.length - 1;
    const { words } = this.#layout;
    for (let index = 0; index < this.size; index++) {
      const chunk = this.#chunks[index >> CHUNK_BITS] as Int32Array;
      const hash = this.#hash(chunk, (index & (CHUNK - 1)) * words);
      let slot = hash & mask;
      while (table[slot] !== 0) slot = (slot + 1) & mask;
      table[slot] = ((hash >>> bits) << bits) | (index + 1);
    }
    this.#table = table;
    this.#tableBits = bits;
  }
}
