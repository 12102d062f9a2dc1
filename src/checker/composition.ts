// All parts of a system as one: the first global state, and what can happen in any of them.
// Invariant: a global state is one integer for each part and one for all budgets, with epochs dense in every family.
import { ChannelPart } from './channel-part.ts';
import { Families, firstGap, isDense, MAX_FAMILIES, Renumberings } from './epochs.ts';
import { Kinds } from './kinds.ts';
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
  type Locals,
  type Part,
  type Wiring,
} from './part.ts';
import { refuseMessage, refuseOutputs } from './shape.ts';
import { Orbits } from './symmetry.ts';
import type { Choice, Output, SystemDefinition } from './system.ts';
import { Values } from './values.ts';

/** One part heard one thing within a step. */
export interface Heard {
  readonly part: Part;
  readonly input: Input;
  readonly outcome: Outcome;
}

/** A turn that tells more than this is taken for an endless one. */
const LONGEST_TURN = 1_000;

/** What a local state takes with its steps and moves, roughly: measured on connection × session. */
const LOCAL_BYTES = 1_536;

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
  /** Which epochs local states hold. */
  readonly kinds = new Kinds();
  readonly #renumberings = new Renumberings();
  /** Of each part, by its index. */
  readonly #locals: readonly Locals[];
  /** The lists of ops of a turn, in the order in which they are heard. */
  readonly #turnLists = new Int32Array(LONGEST_TURN + 8);
  /** How many heard something in the turn that ended last. */
  #heard = 0;
  readonly #opLists = new OpLists();

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
    const wiring = this.#wire(parts, definition.maxLocalStates);
    for (const [name, actor] of Object.entries(definition.actors)) {
      if ('machine' in actor) parts.push(new MachinePart(name, parts.length, wiring, actor, definition));
      else parts.push(new ModelPart(name, parts.length, wiring, actor));
    }
    for (const [name, channel] of Object.entries(definition.channels ?? {})) {
      parts.push(new ChannelPart(name, parts.length, wiring, channel, definition.deliver));
    }
    this.parts = parts;
    this.#locals = parts.map(({ locals }) => locals);
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
    this.#renumber(state, (1 << this.#families.names.length) - 1);
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
    const changed = this.#turn(state, move.list ?? this.#opLists.of(move.ops), log);
    if (changed !== 0) this.#renumber(state, changed);
  }

  /**
   * Makes `move`, in place. Before epochs are renumbered `measure` gets what was heard, part and input by turns, and
   * how many heard something.
   */
  runMeasured(state: Int32Array, move: Move, measure: (turn: Int32Array, heard: number) => void): void {
    this.#spend(state, move);
    const changed = this.#turn(state, move.list ?? this.#opLists.of(move.ops));
    measure(this.#pairsHeard(), this.#heard);
    if (changed !== 0) this.#renumber(state, changed);
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
    const at = (this.parts[part] as Part).stepAt(local, input);
    const { slots } = (this.#locals[part] as Locals).steps;
    return slots[at] === 0 && slots[at + 1] === local;
  }

  #exchangeBudgets(left: number, becomes: readonly number[]): number {
    return becomes.reduce((all, other, i) => all + this.#left(left, i) * (this.#strides[other] as number), 0);
  }

  #left(all: number, index: number): number {
    return Math.floor(all / (this.#strides[index] as number)) % ((this.#limits[index] as number) + 1);
  }

  /** Whoever says something first is heard first. Answers of which families some part holds other epochs now. */
  #turn(state: Int32Array, first: number, log?: Heard[]): number {
    const lists = this.#turnLists;
    lists[0] = first;
    let [said, heard, changed] = [1, 0, 0];
    for (let l = 0; l < said; l++) {
      let at = lists[l] as number;
      for (let left = this.#opLists.data[at++] as number; left > 0; left--, at += 2) {
        const index = this.#opLists.data[at] as number;
        const input = this.#opLists.data[at + 1] as number;
        const { steps, kinds } = this.#locals[index] as Locals;
        const before = state[index] as number;
        let step = steps.find(before, input);
        if (step === -1) step = (this.parts[index] as Part).stepAt(before, input);
        const told = steps.slots[step] as number;
        const next = steps.slots[step + 1] as number;
        if (log !== undefined) this.#log(log, index, before, input);
        if (next !== before) {
          state[index] = next;
          const [was, is] = [kinds[before] as number, this.#kindOf(index, next)];
          if (was !== is) changed |= this.kinds.difference(was, is);
        }
        if ((told & 1) === 1) this.unexpected ??= { part: index, input };
        if (told > 1) lists[said++] = told >> 1;
        if (heard++ > LONGEST_TURN) throw this.#endless(index, input);
      }
    }
    this.#heard = heard;
    return changed;
  }

  #kindOf(index: number, local: number): number {
    return (this.#locals[index] as Locals).kinds[local] as number;
  }

  #log(log: Heard[], index: number, before: number, input: number): void {
    const part = this.parts[index] as Part;
    log.push({ part, input: part.inputOf(input), outcome: part.outcome(before, input) });
  }

  #endless(index: number, input: number): Error {
    const part = this.parts[index] as Part;
    return new Error(
      `a turn does not end: ${part.name} still hears ${JSON.stringify(part.inputOf(input))} after ${LONGEST_TURN} steps; use a channel or \`later\` to break the cycle`,
    );
  }

  #pairsHeard(): Int32Array {
    const { data } = this.#opLists;
    const pairs = new Int32Array(2 * this.#heard);
    for (let l = 0, end = 0; end < pairs.length; l++) {
      const at = this.#turnLists[l] as number;
      const length = 2 * (data[at] as number);
      pairs.set(data.subarray(at + 1, at + 1 + length), end);
      end += length;
    }
    return pairs;
  }

  /** Only a family of which some part holds other epochs than before can have got gaps. */
  #renumber(state: Int32Array, families: number): void {
    const locals = this.#locals;
    for (let left = families; left !== 0; left &= left - 1) {
      const family = 31 - Math.clz32(left & -left);
      let { masks } = this.kinds;
      let union = 0;
      for (let i = 0; i < locals.length; i++)
        union |= masks[this.#kindOf(i, state[i] as number) * MAX_FAMILIES + family] as number;
      if (isDense(union)) continue;
      const renumbering = this.#renumberings.of(family, union);
      // Epochs below the first gap stay what they are.
      const above = ~(firstGap(union) - 1);
      for (let i = 0; i < locals.length; i++) {
        const local = state[i] as number;
        ({ masks } = this.kinds); // a renumbering may have met new kinds
        if (((masks[this.#kindOf(i, local) * MAX_FAMILIES + family] as number) & above) !== 0)
          state[i] = (this.parts[i] as Part).remap(local, renumbering);
      }
    }
  }

  #wire(parts: readonly Part[], maxLocalStates = 100_000): Wiring {
    const { budgets } = this;
    const inputs: Input[] = [];
    const inputIds: (number | undefined)[] = [];
    const known = new Values(this.kinds);
    const indices = new Map<string, number>();
    const wiring: Wiring = {
      families: this.#families,
      inputs,
      opLists: this.#opLists,
      kinds: this.kinds,
      maxLocalStates,
      part(name, saidBy) {
        if (indices.size < parts.length) parts.forEach((part) => indices.set(part.name, part.index));
        const index = indices.get(name);
        if (index !== undefined) return index;
        throw new Error(`${saidBy} speaks to '${name}', which is no actor and no channel of this system`);
      },
      input(input) {
        const { number } = known.number(input, 'an event');
        const before = inputIds[number];
        if (before !== undefined) {
          known.forget();
          return before;
        }
        known.remember();
        return (inputIds[number] = inputs.push(input) - 1);
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
