// All parts of a system as one: the first global state, and what can happen in any of them.
// Invariant: a global state is one integer for each part and one for all budgets, with epochs dense in every family.
import { ChannelPart } from './channel-part.ts';
import { canonical, Families, firstGap, isDense, MAX_FAMILIES, Renumberings } from './epochs.ts';
import { MachinePart } from './machine-part.ts';
import { ModelPart } from './model-part.ts';
import { OpLists } from './op-lists.ts';
import {
  inWords,
  settled,
  type Input,
  type Move,
  type Op,
  type Outcome,
  type Part,
  type Wiring,
} from './part.ts';
import { refuseMessage, refuseOutputs } from './shape.ts';
import { Orbits } from './symmetry.ts';
import type { Choice, Output, SystemDefinition } from './system.ts';

/** One part heard one thing within a step. */
export interface Heard {
  readonly part: Part;
  readonly input: Input;
  readonly outcome: Outcome;
}

/** A turn that tells more than this is taken for an endless one. */
const LONGEST_TURN = 1_000;

/** What a local state takes with its steps and moves, roughly: measured on connection × session. */
const LOCAL_BYTES = 1_024;

export class Composition {
  readonly parts: readonly Part[];
  readonly budgets: readonly string[];
  /** Length of a global state. */
  readonly width: number;
  /** After `run`: the event that nobody expected, if there was one. */
  unexpected: Op | undefined;
  /** Who may stand for whom, when the system says that some are alike. */
  readonly orbits: Orbits | undefined;
  readonly #families: Families;
  readonly #actions: readonly Move[];
  readonly #limits: readonly number[];
  readonly #strides: readonly number[] = [];
  readonly #renumberings = new Renumberings();
  /** What is still to be heard in a turn: part and input by turns. */
  #queue: Int32Array = new Int32Array(4 * LONGEST_TURN);
  /** How many heard something in the turn that ended last. */
  #heard = 0;
  readonly #opLists: OpLists;

  /** `symmetric`: false looks at every state for itself, whatever the system says of symmetry. */
  constructor(definition: SystemDefinition, symmetric = true) {
    this.#families = new Families(definition.epochFamily);
    const budgets = Object.entries(definition.budgets ?? {});
    this.budgets = budgets.map(([name]) => name);
    this.#limits = budgets.map(([, times]) => times);
    this.#strides = budgets.map((_, i) =>
      this.#limits.slice(0, i).reduce((product, limit) => product * (limit + 1), 1),
    );
    const parts: Part[] = [];
    const wiring = wire(parts, this.#families, this.budgets, definition.maxLocalStates);
    this.#opLists = wiring.opLists;
    for (const [name, actor] of Object.entries(definition.actors)) {
      if ('machine' in actor) parts.push(new MachinePart(name, parts.length, wiring, actor, definition));
      else parts.push(new ModelPart(name, parts.length, wiring, actor));
    }
    for (const [name, channel] of Object.entries(definition.channels ?? {})) {
      parts.push(new ChannelPart(name, parts.length, wiring, channel, definition.deliver));
    }
    this.parts = parts;
    this.width = parts.length + 1;
    this.#actions = Object.entries(definition.actions ?? {}).map(
      ([name, { outputs, budget, fault = true }]) => {
        const ops = wiring.ops(outputs, name);
        const move = { ops, fault, budget: wiring.budget(budget, name), label: name };
        return settled(move, wiring.opLists);
      },
    );
    const { symmetry } = definition;
    if (symmetry === undefined || !symmetric) return;
    const names = 'groups' in symmetry ? symmetry : { groups: symmetry };
    const [actions, limits] = [this.#actions, this.#limits];
    const alike = { parts, wiring, actions, budgets: this.budgets, limits };
    this.orbits = new Orbits(definition, names, {
      ...alike,
      exchangeBudgets: (left, becomes) => this.#exchangeBudgets(left, becomes),
    });
    wiring.watch = this.orbits;
  }

  /** Starts all parts, in the order in which they were defined. */
  begin(): Int32Array {
    const state = new Int32Array(this.width);
    const queue: Op[] = [];
    for (const part of this.parts) {
      const { next, ops } = part.begin();
      state[part.index] = next;
      queue.push(...ops);
    }
    state[this.width - 1] = this.#limits.reduce(
      (all, limit, i) => all + limit * (this.#strides[i] as number),
      0,
    );
    this.#turn(state, this.#opLists.of(queue));
    this.#renumber(state);
    return state;
  }

  /** Calls `visit` for everything that can happen in `state`, with the part that does it (-1: an action). */
  eachMove(state: Int32Array, visit: (move: Move, part: number) => void): void {
    const left = state[this.width - 1] as number;
    for (let i = 0; i < this.parts.length; i++) {
      const moves = (this.parts[i] as Part).moves(state[i] as number);
      for (let m = 0; m < moves.length; m++) {
        const move = moves[m] as Move;
        if (move.unlessIdle !== undefined && this.#idles(state, move.unlessIdle)) continue;
        if (move.budget === -1 || this.#left(left, move.budget) > 0) visit(move, i);
      }
    }
    for (const action of this.#actions)
      if (action.budget === -1 || this.#left(left, action.budget) > 0) visit(action, -1);
  }

  /** Makes `move`, in place. */
  run(state: Int32Array, move: Move, log?: Heard[]): void {
    this.#spend(state, move);
    if (this.#turn(state, move.list ?? this.#opLists.of(move.ops), log)) this.#renumber(state);
  }

  /**
   * Makes `move`, in place. Before epochs are renumbered `measure` gets what was heard, part and input by turns, and
   * how many heard something.
   */
  runMeasured(state: Int32Array, move: Move, measure: (turn: Int32Array, heard: number) => void): void {
    this.#spend(state, move);
    const changed = this.#turn(state, move.list ?? this.#opLists.of(move.ops));
    measure(this.#queue, this.#heard);
    if (changed) this.#renumber(state);
  }

  /** An estimate of what the local states take. */
  get bytes(): number {
    return this.parts.reduce((bytes, part) => bytes + part.values.length * LOCAL_BYTES, 0);
  }

  /** The part with the most local states. */
  get largest(): { readonly part: string; readonly localStates: number } {
    const [most] = this.parts.toSorted((a, b) => b.values.length - a.values.length);
    return { part: most?.name ?? '', localStates: most?.values.length ?? 0 };
  }

  budgetLeft(state: Int32Array, name: string): number {
    const index = this.budgets.indexOf(name);
    if (index === -1) throw new Error(`there is no budget '${name}'`);
    return this.left(state, index);
  }

  /** How much is left of the budget with this index. */
  left(state: Int32Array, budget: number): number {
    return this.#left(state[this.width - 1] as number, budget);
  }

  #spend(state: Int32Array, { budget }: Move): void {
    this.unexpected = undefined;
    if (budget === -1) return;
    state[this.width - 1] = (state[this.width - 1] as number) - (this.#strides[budget] as number);
  }

  #idles(state: Int32Array, { part, input }: Op): boolean {
    const local = state[part] as number;
    const { next, ops, unexpected } = (this.parts[part] as Part).step(local, input);
    return next === local && ops.length === 0 && !unexpected;
  }

  #exchangeBudgets(left: number, becomes: readonly number[]): number {
    return becomes.reduce((all, other, i) => all + this.#left(left, i) * (this.#strides[other] as number), 0);
  }

  #left(all: number, index: number): number {
    return Math.floor(all / (this.#strides[index] as number)) % ((this.#limits[index] as number) + 1);
  }

  /** True when the epochs that some part holds are others than before. */
  #turn(state: Int32Array, first: number, log?: Heard[]): boolean {
    let queue = this.#queue;
    let waiting = 0;
    let changed = false;
    for (let list = first, i = 0; ; i++) {
      const { data } = this.#opLists;
      const end = waiting + (data[list] as number);
      if (end * 2 > queue.length) queue = this.#widerQueue();
      for (let from = list + 1; waiting < end; waiting++, from += 2) {
        queue[waiting * 2] = data[from] as number;
        queue[waiting * 2 + 1] = data[from + 1] as number;
      }
      if (i === waiting) {
        this.#heard = waiting;
        return changed;
      }
      const [index, input] = [queue[i * 2] as number, queue[i * 2 + 1] as number];
      const part = this.parts[index] as Part;
      const before = state[index] as number;
      const at = part.stepAt(before, input);
      const outcome = part.steps.slots[at] as number;
      const next = part.steps.slots[at + 1] as number;
      const told = part.lists[outcome] as number;
      list = told >> 1;
      if ((told & 1) === 1) this.unexpected ??= { part: index, input };
      if (next !== before) {
        state[index] = next;
        if (part.kinds[next] !== part.kinds[before]) changed = true;
      }
      log?.push({ part, input: part.inputOf(input), outcome: part.outcomes[outcome] as Outcome });
      if (i > LONGEST_TURN)
        throw new Error(
          `a turn does not end: ${part.name} still hears ${JSON.stringify(part.inputOf(input))} after ${LONGEST_TURN} steps; use a channel or \`later\` to break the cycle`,
        );
    }
  }

  #widerQueue(): Int32Array {
    const wider = new Int32Array(this.#queue.length * 2);
    wider.set(this.#queue);
    this.#queue = wider;
    return wider;
  }

  #renumber(state: Int32Array): void {
    const { parts } = this;
    const families = this.#families.names.length;
    for (let f = 0; f < families; f++) {
      let union = 0;
      for (let i = 0; i < parts.length; i++)
        union |= (parts[i] as Part).masks[(state[i] as number) * MAX_FAMILIES + f] as number;
      if (isDense(union)) continue;
      const renumbering = this.#renumberings.of(f, union);
      // Epochs below the first gap stay what they are.
      const above = ~(firstGap(union) - 1);
      for (let i = 0; i < parts.length; i++) {
        const part = parts[i] as Part;
        const local = state[i] as number;
        if (((part.masks[local * MAX_FAMILIES + f] as number) & above) !== 0)
          state[i] = part.remap(local, renumbering);
      }
    }
  }
}

function wire(
  parts: readonly Part[],
  families: Families,
  budgets: readonly string[],
  maxLocalStates = 100_000,
): Wiring {
  const inputs: Input[] = [];
  const inputIds = new Map<string, number>();
  const kinds = new Map<string, number>();
  const wiring: Wiring = {
    families,
    inputs,
    opLists: new OpLists(),
    maxLocalStates,
    part(name, saidBy) {
      const index = parts.findIndex((part) => part.name === name);
      if (index === -1)
        throw new Error(`${saidBy} speaks to '${name}', which is no actor and no channel of this system`);
      return index;
    },
    input(input) {
      const key = canonical(input, undefined, 'an event');
      const known = inputIds.get(key);
      if (known !== undefined) return known;
      inputIds.set(key, inputs.length);
      return inputs.push(input) - 1;
    },
    kindOf(masks) {
      const key = masks.join();
      const known = kinds.get(key);
      if (known !== undefined) return known;
      kinds.set(key, kinds.size);
      return kinds.size - 1;
    },
    budget(name, saidBy) {
      if (name === undefined) return -1;
      const index = budgets.indexOf(name);
      if (index === -1) throw new Error(`${saidBy} spends '${name}', which is not among the budgets`);
      return index;
    },
    ops(outputs, saidBy) {
      refuseOutputs(outputs, saidBy);
      return outputs.map((output) => opOf(wiring, output, saidBy));
    },
    settleMove({ event, to = '', label, fault = false, budget }: Choice, saidBy, first) {
      refuseMessage(event, `the event of a choice of ${saidBy}`);
      const target = to === '' ? saidBy : to;
      const op = { part: wiring.part(target, saidBy), input: wiring.input({ is: 'event', event }) };
      return {
        ops: [...first, op],
        fault,
        budget: wiring.budget(budget, saidBy),
        label: label ?? `${target} gets ${inWords(event)}`,
      };
    },
  };
  return wiring;
}

function opOf(wiring: Wiring, output: Output, saidBy: string): Op {
  const op = (name: string, input: Input): Op => ({
    part: wiring.part(name, saidBy),
    input: wiring.input(input),
  });
  if ('tell' in output) return op(output.tell, { is: 'event', event: output.event });
  if ('send' in output) return op(output.on, { is: 'push', message: output.send });
  if ('later' in output) {
    const { later, key, to = saidBy, atMost = 1 } = output;
    return op(to, { is: 'await', key, later, atMost });
  }
  if ('start' in output) return op(output.start, { is: 'start', input: output.input });
  if ('stop' in output) return op(output.stop, { is: 'stop' });
  return op(output.clear, { is: 'clear' });
}
