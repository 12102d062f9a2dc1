// Where each column of a state tuple lies in its packed words: the bits that its largest number so far needs, and its
// share of those that its word has left, so that it can grow for a while.
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
  readonly #word: Int32Array;
  readonly #shift: Int32Array;
  readonly #most: Int32Array;

  constructor(bits: readonly number[]) {
    const columns = bits.map((wide, column) => ({ wide, column })).sort((a, b) => b.wide - a.wide);
    const words: { left: number; readonly columns: { wide: number; readonly column: number }[] }[] = [];
    // The widest first, each into the first word that has room.
    for (const one of columns) {
      let word = words.find(({ left }) => left >= one.wide);
      if (word === undefined) words.push((word = { left: WORD_BITS, columns: [] }));
      word.columns.push(one);
      word.left -= one.wide;
    }
    this.words = words.length;
    this.#word = new Int32Array(bits.length);
    this.#shift = new Int32Array(bits.length);
    this.#most = new Int32Array(bits.length);
    words.forEach((word, index) => {
      for (let i = 0, full = 0; word.left > 0 && full < word.columns.length; i++) {
        const one = word.columns[i % word.columns.length] as { wide: number };
        full = one.wide < MOST_BITS ? 0 : full + 1;
        if (full > 0) continue;
        one.wide++;
        word.left--;
      }
      let shift = 0;
      for (const { wide, column } of word.columns) {
        this.#word[column] = index;
        this.#shift[column] = shift;
        this.#most[column] = 2 ** wide - 1;
        shift += wide;
      }
    });
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

  /** A layout for columns with numbers up to these. @throws Error for a number that is no index of a local state */
  static upTo(largest: Int32Array): Layout {
    return new Layout(
      Array.from(largest, (value, column) => {
        if (value < 0) throw new Error(`column ${column} of a state is ${value}, which is no local state`);
        return Math.min(MOST_BITS, bitsFor(value));
      }),
    );
  }
}
