// One part of a system (an actor or a channel) as a finite table that fills itself: local states and inputs are
// interned as small integers, and each step, each list of moves and each renumbering is worked out once.
// Invariant: what a part answers depends on its local state and the input alone.
import {
  MAX_FAMILIES,
  rank,
  replaceEpochs,
  type EpochVisitor,
  type Families,
  type Renumbering,
} from './epochs.ts';
import type { OpLists } from './op-lists.ts';
import { LONGEST_TEXT } from './pieces.ts';
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
  /** The number of `ops`; whoever offers a move leaves it out. */
  readonly list?: number;
  /** Where this op would change nothing and lead to nothing, the move is not offered. */
  readonly unlessIdle?: Op | undefined;
  /** The message on an unordered channel that it is about; whatever else is in flight, the move stays the same. */
  readonly subject?: string | undefined;
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
  readonly opLists: OpLists;
  readonly maxLocalStates: number;
  watch?: Watch;
  /** The number of a part. @throws Error for a name that no part has */
  part(name: string, saidBy: string): number;
  input(input: Input): number;
  /** A small number for what masks of epochs a local state has in all families. */
  kindOf(masks: Int32Array): number;
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

/** A step without consequences for others. */
export const QUIET = { ops: [], effects: [], unexpected: false } as const;

/** With the number of its ops, and in one shape: objects whose fields come in one order are read much faster. */
export const settled = ({ ops, fault, budget, label, unlessIdle, subject }: Move, lists: OpLists): Move => ({
  ops,
  fault,
  budget,
  label,
  list: lists.of(ops),
  unlessIdle,
  subject,
});

function twice(list: Int32Array): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(list.length * 2);
  longer.set(list);
  return longer;
}

export abstract class Part<L = unknown> {
  readonly name: string;
  readonly index: number;
  readonly values: L[] = [];
  /** For local state `s` and family `f`, the epochs in it: `masks[s * MAX_FAMILIES + f]`. */
  masks = new Int32Array(64 * MAX_FAMILIES);
  /** Local states of the same kind hold the same epochs. */
  kinds = new Int32Array(64);
  /** For each local state, the families of the epochs in it, as bits. */
  readonly families: number[] = [];
  protected readonly wiring: Wiring;
  readonly #ids = new Map<string, number>();
  /** For a local state and an input the number of the outcome, and the next local state. */
  readonly steps = new PairMap();
  readonly outcomes: Outcome[] = [];
  /** For each outcome twice the number of its list of ops, and 1 more when the event was unexpected. */
  lists = new Int32Array(64);
  readonly #moves: (readonly Move[])[] = [];
  readonly #oneMoves = new Map<string, Move>();
  readonly #remaps = new PairMap();
  readonly #visitors: EpochVisitor[] = [];

  constructor(name: string, index: number, wiring: Wiring) {
    this.name = name;
    this.index = index;
    this.wiring = wiring;
  }

  /** The name as errors give it. */
  get title(): string {
    return this.name;
  }

  /** 'bag': a channel that carries messages in no order. 'set': it carries equal ones once. */
  get content(): 'bag' | 'set' | undefined {
    return undefined;
  }

  /** True when messages that are sent to it one after another could as well be sent in another order. */
  get forgetsOrder(): boolean {
    return false;
  }

  /** True when a channel in this local state takes so many messages more. */
  hasRoom(_local: number, _messages: number): boolean {
    return false;
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
    if (local === this.kinds.length) {
      this.masks = twice(this.masks);
      this.kinds = twice(this.kinds);
    }
    this.masks.set(found, local * MAX_FAMILIES);
    this.kinds[local] = this.wiring.kindOf(found);
    this.families.push(found.reduce((bits, mask, family) => (mask === 0 ? bits : bits | (1 << family)), 0));
    return local;
  }

  #failGrowing(local: number, length: number): never {
    const newest = this.describe(local);
    const how =
      length > LONGEST_TEXT
        ? `a local state of it takes ${length} characters`
        : `it has ${local + 1} local states, and maxLocalStates is ${this.wiring.maxLocalStates}`;
    throw new Error(
      `${this.title} seems to grow without bound: ${how}; the newest is ${newest.slice(0, 300)}${newest.length > 300 ? ' …' : ''}. ` +
        'Bound what it counts or collects: a counter that saturates, a list with a greatest length, a capacity or a ' +
        'budget for what is sent; what decides nothing belongs into the ledger',
    );
  }

  inputOf(input: number): Input {
    return this.wiring.inputs[input] as Input;
  }

  step(local: number, input: number): Outcome {
    const at = this.stepAt(local, input); // before `slots` is read: it may grow
    return this.outcomes[this.steps.slots[at] as number] as Outcome;
  }

  /** Where in `steps.slots` the number of the outcome stands, with the next local state behind it. */
  stepAt(local: number, input: number): number {
    const known = this.steps.find(local, input);
    if (known !== -1) return known;
    const outcome = this.react(this.values[local] as L, this.inputOf(input), local);
    const number = this.outcomes.push(outcome) - 1;
    if (number === this.lists.length) this.lists = twice(this.lists);
    this.lists[number] = (this.wiring.opLists.of(outcome.ops) << 1) | (outcome.unexpected ? 1 : 0);
    this.steps.set(local, input, number, outcome.next);
    this.wiring.watch?.stepped(this, local, input, outcome);
    return this.steps.find(local, input);
  }

  moves(local: number): readonly Move[] {
    const known = this.#moves[local];
    if (known !== undefined) return known;
    const moves = this.offer(this.values[local] as L).map((move) =>
      this.#oneMove(settled(move, this.wiring.opLists)),
    );
    this.#moves[local] = moves;
    this.wiring.watch?.offered(this, local, moves);
    return moves;
  }

  /** Equal moves of different local states are one object, so that the few that there are stay near. */
  #oneMove(move: Move): Move {
    const { list, fault, budget, label, unlessIdle } = move;
    const idle = unlessIdle === undefined ? '' : `${unlessIdle.part}:${unlessIdle.input}`;
    const key = `${list} ${String(fault)} ${budget} ${idle} ${label}`;
    const known = this.#oneMoves.get(key);
    if (known !== undefined) return known;
    this.#oneMoves.set(key, move);
    return move;
  }

  /** The local state that `local` becomes when the epochs of one family become 1, 2, 3 … */
  remap(local: number, renumbering: Renumbering): number {
    const known = this.#remaps.find(local, renumbering.index);
    if (known !== -1) return this.#remaps.slots[known] as number;
    const next = this.intern(this.renumbered(this.values[local] as L, this.#visitorFor(renumbering)));
    this.#remaps.set(local, renumbering.index, next);
    return next;
  }

  /** One visitor for each renumbering, so that what it does to a piece of a state can be remembered. */
  #visitorFor({ index, family, mask }: Renumbering): EpochVisitor {
    const { families } = this.wiring;
    return (this.#visitors[index] ??= (field, holder, epoch) =>
      families.of(field, holder, this.name, epoch) === family ? rank(mask, epoch) : epoch);
  }
}
