// One part of a system (an actor or a channel) as a finite table that fills itself: local states and inputs are
// interned as small integers, and each step, each list of moves and each renumbering is worked out once.
// Invariant: what a part answers depends on its local state and the input alone.
import { isDense, type Families, type Renumbering } from './epochs.ts';
import type { Kinds } from './kinds.ts';
import type { OpLists } from './op-lists.ts';
import { PairMap } from './pair-map.ts';
import type { Rename } from './renaming.ts';
import type { Choice, Message, Output } from './system.ts';
import { Values, type Numbered } from './values.ts';

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

/** What a step leads to. */
export interface Told {
  readonly next: number;
  readonly ops: readonly Op[];
  /** The event must not come in this state. */
  readonly unexpected: boolean;
}

export interface Outcome extends Told {
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
  /** The number of `ops`; whoever makes a move leaves it out, and `one` fills it in. */
  readonly list?: number;
  /** Where this op would change nothing and lead to nothing, the move is not offered. */
  readonly unlessIdle?: Op | undefined;
  /** The message on an unordered channel that it is about; whatever else is in flight, the move stays the same. */
  readonly subject?: string | undefined;
}

/** Hears what parts work out for the first time. */
export interface Watch {
  stepped(part: Part, local: number, input: number, outcome: Told): void;
  offered(part: Part, local: number, moves: readonly Move[]): void;
}

/** What the parts of one system share. */
export interface Wiring {
  readonly families: Families;
  readonly inputs: readonly Input[];
  readonly opLists: OpLists;
  readonly kinds: Kinds;
  readonly maxLocalStates: number;
  watch?: Watch;
  /** The number of a part. @throws Error for a name that no part has */
  part(name: string, saidBy: string): number;
  input(input: Input): number;
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

/** A part whose local state takes more characters is taken for one that grows: it collects instead of counting. */
const LONGEST_TEXT = 32_768;
/** And so is one of which so many local states were each longer than all before. */
const MOST_RECORDS = 1_000;

/** What is known of a part's local states, as numbers: all that a turn reads. */
export class Locals {
  /** For a local state and an input twice the number of the list of ops (1 more: unexpected), and the next local state. */
  readonly steps = new PairMap();
  /** Local states of the same kind hold the same epochs. */
  kinds = new Int32Array(64);
  /** Local states that become each other when epochs are renumbered have one root; its number + 1, 0 until asked. */
  roots = new Int32Array(64);
  /** The local state of a root and a kind. */
  readonly alike = new PairMap();
  /** What a local state becomes in a renumbering. */
  readonly remaps = new PairMap();

  add(local: number, kind: number): void {
    if (local === this.kinds.length) {
      this.kinds = twice(this.kinds);
      this.roots = twice(this.roots);
    }
    this.kinds[local] = kind;
  }
}

function twice(list: Int32Array): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(list.length * 2);
  longer.set(list);
  return longer;
}

export abstract class Part<L = unknown> {
  readonly name: string;
  readonly index: number;
  readonly values: L[] = [];
  readonly locals = new Locals();
  protected readonly wiring: Wiring;
  /** Local states and their pieces. */
  protected readonly pieces: Values;
  /** Local states by the numbers of their values. */
  readonly #ids: (number | undefined)[] = [];
  #longest = 0;
  #records = 0;
  readonly #moves: (readonly Move[])[] = [];
  readonly #oneMoves = new Map<string, Move>();

  constructor(name: string, index: number, wiring: Wiring) {
    this.name = name;
    this.index = index;
    this.wiring = wiring;
    this.pieces = new Values(wiring.kinds, (field, holder, epoch) =>
      wiring.families.of(field, holder, name, epoch),
    );
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
  /** Equal local states have one number. */
  protected abstract numberOf(value: L): Numbered;
  /** The value with epochs renumbered, as `Values.renumbered` does. */
  protected abstract renumbered(value: L, masks: Int32Array): L;

  /** The value with names exchanged, for the part that has the other name. */
  protected renamed(value: L, rename: Rename): L {
    return rename(value);
  }

  /** The local state that `local` of an alike part becomes when names are exchanged. */
  adopt(from: Part, local: number, rename: Rename): number {
    return this.intern(this.renamed(from.values[local] as L, rename)); // alike parts have the same kind of values
  }

  intern(value: L): number {
    const { number, kind, length } = this.numberOf(value);
    const known = this.#ids[number];
    if (known !== undefined) {
      this.pieces.forget();
      return known;
    }
    this.pieces.remember();
    const local = this.values.push(value) - 1;
    this.#ids[number] = local;
    if (length > this.#longest) {
      this.#longest = length;
      this.#records++;
    }
    if (local >= this.wiring.maxLocalStates || length > LONGEST_TEXT || this.#records > MOST_RECORDS)
      this.#failGrowing(local, length);
    this.locals.add(local, kind);
    return local;
  }

  #failGrowing(local: number, length: number): never {
    const newest = this.describe(local);
    const how =
      length > LONGEST_TEXT
        ? `a local state of it takes ${length} characters`
        : this.#records > MOST_RECORDS
          ? `${MOST_RECORDS} of its local states were each longer than all before`
          : `it has ${local + 1} local states, and maxLocalStates is ${this.wiring.maxLocalStates}`;
    throw new Error(
      `${this.title} seems to grow without bound: ${how}; the newest is ${newest.slice(0, 300)}${newest.length > 300 ? ' …' : ''}. ` +
        'Bound what it counts or collects: a counter that saturates, a list with a greatest length, a capacity or a ' +
        'budget for what is sent; what decides nothing belongs into the ledger, or out of the `projection`',
    );
  }

  inputOf(input: number): Input {
    return this.wiring.inputs[input] as Input;
  }

  step(local: number, input: number): Told {
    const at = this.stepAt(local, input); // before `slots` is read: it may grow
    const { slots } = this.locals.steps;
    const told = slots[at] as number;
    return {
      next: slots[at + 1] as number,
      ops: this.wiring.opLists.at(told >> 1),
      unexpected: (told & 1) === 1,
    };
  }

  /** The same with its effects, worked out anew. */
  outcome(local: number, input: number): Outcome {
    return this.react(this.values[local] as L, this.inputOf(input), local);
  }

  /** Where in `locals.steps.slots` it stands what a step tells, with the next local state behind it. */
  stepAt(local: number, input: number): number {
    const { steps } = this.locals;
    const known = steps.find(local, input);
    if (known !== -1) return known;
    const outcome = this.outcome(local, input);
    const told = (this.wiring.opLists.of(outcome.ops) << 1) | (outcome.unexpected ? 1 : 0);
    steps.set(local, input, told, outcome.next);
    this.wiring.watch?.stepped(this, local, input, outcome);
    return steps.find(local, input);
  }

  moves(local: number): readonly Move[] {
    const known = this.#moves[local];
    if (known !== undefined) return known;
    const moves = this.offer(this.values[local] as L).map((move) => this.one(move));
    this.#moves[local] = moves;
    this.wiring.watch?.offered(this, local, moves);
    return moves;
  }

  /** Equal moves of different local states are one object, so that the few that there are stay near. */
  protected one(offered: Move): Move {
    if (offered.list !== undefined) return offered;
    const move = settled(offered, this.wiring.opLists);
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
    const { kinds, alike, remaps } = this.locals;
    const known = remaps.find(local, renumbering.index);
    if (known !== -1) return remaps.slots[known] as number;
    const kind = this.wiring.kinds.after(kinds[local] as number, renumbering);
    const root = this.#rootOf(local);
    const found = alike.find(root, kind);
    const next = found === -1 ? this.#renumber(local, renumbering.masks) : (alike.slots[found] as number);
    if (found === -1) alike.set(root, kind, next);
    this.locals.roots[next] = root + 1;
    remaps.set(local, renumbering.index, next);
    return next;
  }

  #renumber(local: number, masks: Int32Array): number {
    return this.intern(this.renumbered(this.values[local] as L, masks));
  }

  /** The local state in which the epochs of each family are 1, 2, 3 … */
  #rootOf(local: number): number {
    const { kinds, alike, roots } = this.locals;
    const known = roots[local] as number;
    if (known !== 0) return known - 1;
    const masks = this.wiring.kinds.masksOf(kinds[local] as number);
    const root = masks.every(isDense) ? local : this.#renumber(local, masks);
    this.locals.roots[root] = root + 1;
    this.locals.roots[local] = root + 1;
    for (const one of root === local ? [root] : [root, local])
      if (alike.find(root, kinds[one] as number) === -1) alike.set(root, kinds[one] as number, one);
    return root;
  }
}
