// One part of a system (an actor or a channel) as a finite table that fills itself: local states and inputs are
// interned as small integers, and each step, each list of moves and each renumbering is worked out once.
// Invariant: what a part answers depends on its local state and the input alone.
import { MAX_FAMILIES, rank, replaceEpochs, type EpochVisitor, type Families } from './epochs.ts';
import { PairMap } from './pair-map.ts';
import type { Rename } from './renaming.ts';
import type { Choice, Message, Output } from './system.ts';

/** Everything that can happen to a part. Plain data. */
export type Input =
  | { readonly is: 'event'; readonly event: Message }
  | { readonly is: 'start'; readonly input?: unknown }
  | { readonly is: 'stop' }
  | { readonly is: 'fire'; readonly timer: string }
  | { readonly is: 'await'; readonly key: string; readonly later: readonly Choice[]; readonly atMost: number }
  | { readonly is: 'settle'; readonly index: number }
  | { readonly is: 'push'; readonly message: Message }
  | { readonly is: 'take'; readonly index: number }
  | { readonly is: 'clear' };

/** "Part number `part` gets input number `input`", in the same turn. */
export interface Op {
  readonly part: number;
  readonly input: number;
}

export interface Outcome {
  readonly next: number;
  readonly ops: readonly Op[];
  /** The event must not come in this state. */
  readonly unexpected: boolean;
  /** Names of the effects, for counterexamples. */
  readonly effects: readonly string[];
}

/** Something that can happen next. */
export interface Move {
  readonly ops: readonly Op[];
  readonly fault: boolean;
  /** Index of the budget that it spends, or -1. */
  readonly budget: number;
  readonly label: string;
  /** Where this op would change nothing and lead to nothing, the move is not offered. */
  readonly unlessIdle?: Op;
}

/** Hears what parts work out for the first time. */
export interface Watch {
  stepped(part: Part, local: number, input: number, outcome: Outcome): void;
  offered(part: Part, local: number, moves: readonly Move[]): void;
}

/** What the parts of one system share. */
export interface Wiring {
  readonly families: Families;
  readonly inputs: readonly Input[];
  readonly maxLocalStates: number;
  watch?: Watch;
  /** The number of a part. @throws Error for a name that no part has */
  part(name: string, saidBy: string): number;
  input(input: Input): number;
  /** A small number for a mask of epochs. */
  maskId(mask: number): number;
  budget(name: string | undefined, saidBy: string): number;
  ops(outputs: readonly Output[], saidBy: string): readonly Op[];
  settleMove(choice: Choice, saidBy: string, first: readonly Op[]): Move;
}

/** `registration.received { epoch: 1 }` */
export function inWords(message: Message): string {
  const { type, at: _, ...rest } = message;
  const fields = Object.entries(rest).map(
    ([field, value]) => `${field}: ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`,
  );
  return fields.length === 0 ? type : `${type} { ${fields.join(', ')} }`;
}

/** A local state whose text is longer is taken for one that grows: it collects instead of counting. */
const LONGEST_TEXT = 32_768;

/** A step without consequences for others. */
export const QUIET = { ops: [], effects: [], unexpected: false } as const;

/** Objects whose fields come in one order are read several times faster than objects that only look alike. */
const sameShape = ({ next, ops, unexpected, effects }: Outcome): Outcome => ({
  next,
  ops,
  unexpected,
  effects,
});
const moveOfOneShape = ({ ops, fault, budget, label, unlessIdle }: Move): Move =>
  unlessIdle === undefined ? { ops, fault, budget, label } : { ops, fault, budget, label, unlessIdle };

export abstract class Part<L = unknown> {
  readonly name: string;
  readonly index: number;
  readonly values: L[] = [];
  /** For local state `s` and family `f`, the epochs in it: `masks[s * MAX_FAMILIES + f]`. */
  masks = new Int32Array(64 * MAX_FAMILIES);
  protected readonly wiring: Wiring;
  readonly #ids = new Map<string, number>();
  readonly #steps = new PairMap();
  readonly #outcomes: Outcome[] = [];
  readonly #moves: (readonly Move[])[] = [];
  readonly #remaps = new PairMap();

  constructor(name: string, index: number, wiring: Wiring) {
    this.name = name;
    this.index = index;
    this.wiring = wiring;
  }

  /** The local state that the system starts in, and what starting led to. */
  abstract begin(): Outcome;
  /** A few words for counterexamples. */
  abstract describe(local: number): string;
  protected abstract react(value: L, input: Input, local: number): Outcome;
  protected abstract offer(value: L): readonly Move[];
  /** A text that is equal for equal local states. `visit` must be called for every epoch in it. */
  protected abstract keyOf(value: L, visit: EpochVisitor): string;
  protected renumbered(value: L, visit: EpochVisitor): L {
    return replaceEpochs(value, visit);
  }

  /** The value with names exchanged, for the part that has the other name. */
  protected renamed(value: L, rename: Rename): L {
    return rename(value);
  }

  /** The local state that `local` of an alike part becomes when names are exchanged. */
  adopt(from: Part, local: number, rename: Rename): number {
    return this.intern(this.renamed(from.values[local] as L, rename)); // alike parts have the same kind of values
  }

  intern(value: L): number {
    const found = new Int32Array(MAX_FAMILIES);
    const key = this.keyOf(value, (field, holder, epoch) => {
      const family = this.wiring.families.of(field, holder, this.name, epoch);
      found[family] = (found[family] as number) | (1 << epoch);
      return epoch;
    });
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const local = this.values.push(value) - 1;
    this.#ids.set(key, local);
    if (local >= this.wiring.maxLocalStates || key.length > LONGEST_TEXT)
      this.#failGrowing(local, key.length);
    if ((local + 1) * MAX_FAMILIES > this.masks.length) {
      const wider = new Int32Array(this.masks.length * 2);
      wider.set(this.masks);
      this.masks = wider;
    }
    this.masks.set(found, local * MAX_FAMILIES);
    return local;
  }

  #failGrowing(local: number, length: number): never {
    const newest = this.describe(local);
    const how =
      length > LONGEST_TEXT
        ? `a local state of it takes ${length} characters`
        : `it has ${local + 1} local states, and maxLocalStates is ${this.wiring.maxLocalStates}`;
    throw new Error(
      `${this.name} seems to grow without bound: ${how}; the newest is ${newest.slice(0, 300)}${newest.length > 300 ? ' …' : ''}. ` +
        'Bound what it counts or collects: a counter that saturates, a list with a greatest length, a capacity or a ' +
        'budget for what is sent; what decides nothing belongs into the ledger',
    );
  }

  inputOf(input: number): Input {
    return this.wiring.inputs[input] as Input;
  }

  step(local: number, input: number): Outcome {
    const known = this.#steps.get(local, input);
    if (known !== -1) return this.#outcomes[known] as Outcome;
    const outcome = sameShape(this.react(this.values[local] as L, this.inputOf(input), local));
    this.#steps.set(local, input, this.#outcomes.push(outcome) - 1);
    this.wiring.watch?.stepped(this, local, input, outcome);
    return outcome;
  }

  moves(local: number): readonly Move[] {
    const known = this.#moves[local];
    if (known !== undefined) return known;
    const moves = this.offer(this.values[local] as L).map(moveOfOneShape);
    this.#moves[local] = moves;
    this.wiring.watch?.offered(this, local, moves);
    return moves;
  }

  /** The local state that is left of `local` when the epochs of `family` that are in `mask` become 1, 2, 3 … */
  remap(local: number, family: number, mask: number): number {
    const key = this.wiring.maskId(mask) * MAX_FAMILIES + family;
    const known = this.#remaps.get(local, key);
    if (known !== -1) return known;
    const { families } = this.wiring;
    const next = this.intern(
      this.renumbered(this.values[local] as L, (field, holder, epoch) =>
        families.of(field, holder, this.name, epoch) === family ? rank(mask, epoch) : epoch,
      ),
    );
    this.#remaps.set(local, key, next);
    return next;
  }
}
