// Where each column of a state tuple lies in its packed words: as few bits as its largest number so far needs.
// Invariant: a column never straddles two words, and a number that fits its column is packed and unpacked unchanged.

const WORD_BITS = 32;
/** A sign bit more than the numbers of parts ever use. */
const MOST_BITS = 31;
const FEWEST_BITS = 3;

/** Bits for numbers from 0 to `value`. */
const bitsFor = (value: number) => Math.max(FEWEST_BITS, WORD_BITS - Math.clz32(value));

export class Layout {
  /** Words of a packed state. */
  readonly words: number;
  readonly #bits: readonly number[];
  readonly #word: Int32Array;
  readonly #shift: Int32Array;
  readonly #most: Int32Array;

  constructor(bits: readonly number[]) {
    const columns = bits.map((wide, column) => ({ wide, column })).sort((a, b) => b.wide - a.wide);
    const room: number[] = [];
    this.#bits = bits;
    this.#word = new Int32Array(bits.length);
    this.#shift = new Int32Array(bits.length);
    this.#most = Int32Array.from(bits, (wide) => 2 ** wide - 1);
    // The widest first, each into the first word that has room.
    for (const { wide, column } of columns) {
      let word = room.findIndex((left) => left >= wide);
      if (word === -1) word = room.push(WORD_BITS) - 1;
      const left = room[word] as number;
      this.#word[column] = word;
      this.#shift[column] = WORD_BITS - left;
      room[word] = left - wide;
    }
    this.words = room.length;
  }

  static of(width: number): Layout {
    return new Layout(Array.from({ length: width }, () => FEWEST_BITS));
  }

  /** Packs `state` into `into`; false when a number does not fit its column. */
  pack(state: Int32Array, into: Int32Array): boolean {
    const [word, shift, most] = [this.#word, this.#shift, this.#most];
    for (let i = 0; i < this.words; i++) into[i] = 0;
    for (let i = 0; i < word.length; i++) {
      const value = state[i] as number;
      if (value > (most[i] as number)) return false;
      const at = word[i] as number;
      into[at] = (into[at] as number) | (value << (shift[i] as number));
    }
    return true;
  }

  unpack(from: Int32Array, at: number, state: Int32Array): void {
    const [word, shift, most] = [this.#word, this.#shift, this.#most];
    for (let i = 0; i < word.length; i++)
      state[i] = ((from[at + (word[i] as number)] as number) >>> (shift[i] as number)) & (most[i] as number);
  }

  /** A layout that `state` fits too. @throws Error for a number that is no index of a local state */
  widened(state: Int32Array): Layout {
    return new Layout(
      this.#bits.map((bits, column) => {
        const value = state[column] as number;
        if (value < 0) throw new Error(`column ${column} of a state is ${value}, which is no local state`);
        return Math.min(MOST_BITS, Math.max(bits, bitsFor(value)));
      }),
    );
  }
}
