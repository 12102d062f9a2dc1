// What one step touched: which parts it looked at and changed, and which families of epochs it met.
// Invariant: a step depends on the parts that it read alone, and changes no other part, but for epochs renumbered.
import { MAX_FAMILIES } from './epochs.ts';
import type { Kinds } from './kinds.ts';
import type { Move, Part } from './part.ts';

/** Parts are bits of one number. */
export const MOST_PARTS = 31;

/** Parts and families are bits. */
export interface Touched {
  /** Parts that heard something or offered the move. Not: unordered channels of which it takes or keeps one message. */
  readonly reads: number;
  /** Parts among `reads` that have another local state now. */
  readonly writes: number;
  /** Unordered channels that got messages, and nothing else. */
  readonly sends: number;
  /** Messages that channels got, all together. */
  readonly sent: number;
  /** The unordered channel that offered the move. */
  readonly offers: number;
  /** `offers`, if the message was taken from it. */
  readonly takes: number;
  /**
   * In the lower half those of epochs in parts that were touched, in the upper half those of which some part holds
   * other epochs now, so that all parts' epochs of the family may be renumbered.
   */
  readonly families: number;
}

export class Footprint implements Touched {
  reads = 0;
  writes = 0;
  sends = 0;
  sent = 0;
  offers = 0;
  takes = 0;
  families = 0;
  readonly #parts: readonly Part[];
  readonly #kinds: Kinds;

  constructor(parts: readonly Part[], kinds: Kinds) {
    this.#parts = parts;
    this.#kinds = kinds;
  }

  /**
   * `move` of `part` (-1: an action) leads from `before` to `after`, whose epochs are not renumbered yet; `turn` is what
   * was heard, part and input by turns.
   */
  measure(
    { before, after }: { readonly before: Int32Array; readonly after: Int32Array },
    part: number,
    move: Move,
    turn: Int32Array,
    heard: number,
  ): void {
    this.sends = this.sent = this.takes = this.writes = this.families = 0;
    const own = part === -1 ? 0 : 1 << part;
    this.offers = move.subject === undefined ? 0 : own;
    this.reads = own & ~this.offers;
    if (move.unlessIdle !== undefined) this.reads |= 1 << move.unlessIdle.part;
    for (let i = 0; i < heard; i++) this.#hear(turn[i * 2] as number, turn[i * 2 + 1] as number);
    this.sends &= ~this.reads;
    const touched = this.reads | this.sends | this.offers;
    for (let bits = touched; bits !== 0; bits &= bits - 1)
      this.#compare(31 - Math.clz32(bits & -bits), before, after);
    this.writes &= this.reads;
  }

  #hear(index: number, input: number): void {
    const part = this.#parts[index] as Part;
    const bit = 1 << index;
    const { is } = part.inputOf(input);
    if (is === 'push' && part.content !== undefined) {
      this.sends |= bit;
      this.sent++;
    } else if (is === 'take' && part.content === 'bag') {
      this.takes |= bit;
    } else {
      this.reads |= bit;
    }
  }

  #compare(index: number, before: Int32Array, after: Int32Array): void {
    const part = this.#parts[index] as Part;
    const [from, to] = [before[index] as number, after[index] as number];
    const { kinds } = part.locals;
    const [kindBefore, kindAfter] = [kinds[from] as number, kinds[to] as number];
    this.families |= this.#kinds.difference(0, this.#kinds.union(kindBefore, kindAfter));
    if (from === to) return;
    this.writes |= 1 << index;
    this.families |= this.#kinds.difference(kindBefore, kindAfter) << MAX_FAMILIES;
  }
}

const PRESENT = (1 << MAX_FAMILIES) - 1;

/**
 * True when two steps that are possible in one state can be made in any order, with the same result, if they are not
 * about the same message or budget. `hasRoom` says whether each of these channels takes so many messages more.
 */
export function commute(
  a: Touched,
  b: Touched,
  hasRoom: (channels: number, messages: number) => boolean,
): boolean {
  if ((a.writes & (b.reads | b.sends | b.offers)) !== 0) return false;
  if ((b.writes & (a.reads | a.sends | a.offers)) !== 0) return false;
  if (((a.sends | a.takes) & b.reads) !== 0 || ((b.sends | b.takes) & a.reads) !== 0) return false;
  if (((a.families >>> MAX_FAMILIES) & b.families & PRESENT) !== 0) return false;
  if (((b.families >>> MAX_FAMILIES) & a.families & PRESENT) !== 0) return false;
  const both = (a.sends & (b.sends | b.takes)) | (b.sends & a.takes);
  return both === 0 || hasRoom(both, a.sent + b.sent);
}
