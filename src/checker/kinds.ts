// Which epochs a value holds, as a small number: its kind. There are many local states, of few kinds.
// Invariant: equal sets of epochs have one number, and kind 0 holds none.
import { firstGap, MAX_EPOCH, MAX_FAMILIES, rank, type Renumbering } from './epochs.ts';
import { PairMap } from './pair-map.ts';

export class Kinds {
  /** For kind `k` and family `f` the epochs, as bits: `masks[k * MAX_FAMILIES + f]`. */
  masks = new Int32Array(64 * MAX_FAMILIES);
  #size = 0;
  readonly #known = new Map<string, number>();
  readonly #unions = new PairMap();
  readonly #with = new PairMap();
  readonly #after: number[][] = [];

  constructor() {
    this.#of(new Int32Array(MAX_FAMILIES));
  }

  #of(masks: Int32Array): number {
    const key = masks.join();
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const kind = this.#size++;
    this.#known.set(key, kind);
    if (this.#size * MAX_FAMILIES > this.masks.length) {
      const longer = new Int32Array(this.masks.length * 2);
      longer.set(this.masks);
      this.masks = longer;
    }
    this.masks.set(masks, kind * MAX_FAMILIES);
    return kind;
  }

  /** A copy of the masks of a kind. */
  masksOf(kind: number): Int32Array {
    return this.masks.slice(kind * MAX_FAMILIES, (kind + 1) * MAX_FAMILIES);
  }

  /** The kind of what holds an epoch more. */
  with(kind: number, family: number, epoch: number): number {
    const one = family * (MAX_EPOCH + 1) + epoch;
    const known = this.#with.find(kind, one);
    if (known !== -1) return this.#with.slots[known] as number;
    const masks = this.masksOf(kind);
    masks[family] = (masks[family] as number) | (1 << epoch);
    const found = this.#of(masks);
    this.#with.set(kind, one, found);
    return found;
  }

  /** The kind of what holds two things. */
  union(one: number, other: number): number {
    if (one === other || other === 0) return one;
    if (one === 0) return other;
    const known = this.#unions.find(one, other);
    if (known !== -1) return this.#unions.slots[known] as number;
    const masks = this.masksOf(other);
    const union = this.#of(this.masksOf(one).map((mask, family) => mask | (masks[family] as number)));
    this.#unions.set(one, other, union);
    return union;
  }

  mask(kind: number, family: number): number {
    return this.masks[kind * MAX_FAMILIES + family] as number;
  }

  /** The families of which two kinds hold other epochs, as bits. */
  difference(one: number, other: number): number {
    const { masks } = this;
    let bits = 0;
    for (let f = 0; f < MAX_FAMILIES; f++)
      if (masks[one * MAX_FAMILIES + f] !== masks[other * MAX_FAMILIES + f]) bits |= 1 << f;
    return bits;
  }

  /** True when the epochs of a kind stay what they are when those in `masks` become 1, 2, 3 …: there is no gap below. */
  stays(kind: number, masks: Int32Array): boolean {
    for (let f = 0; f < MAX_FAMILIES; f++) {
      const mask = masks[f] as number;
      if (mask !== 0 && (this.mask(kind, f) & ~(firstGap(mask) - 1)) !== 0) return false;
    }
    return true;
  }

  /** What a kind becomes when epochs are renumbered. */
  after(kind: number, { index, family, mask }: Renumbering): number {
    const row = (this.#after[index] ??= []);
    const known = row[kind];
    if (known !== undefined) return known;
    const masks = this.masksOf(kind);
    let renumbered = 0;
    for (let bits = masks[family] as number; bits !== 0; bits &= bits - 1)
      renumbered |= 1 << rank(mask, 31 - Math.clz32(bits & -bits));
    masks[family] = renumbered;
    return (row[kind] = this.#of(masks));
  }
}
