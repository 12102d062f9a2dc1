// Symmetry: states that differ only in which of several alike actors is which are kept as one.
//
// A global state stands for its orbit: all states that exchanging names makes of it. That no two states are merged
// that behave differently is not taken on trust: whenever a part's step or its moves are worked out, the same is worked
// out with each two neighbouring names exchanged, and must come out with the names exchanged. (Ip and Dill, "Better
// verification through symmetry", FMDS 1996, get the same promise from a type of their language.)
// Invariant: an orbit's states are reached from each other by exchanges that were compared so, each on its way.
import { canonical } from './epochs.ts';
import type { Input, Move, Op, Part, Told, Wiring } from './part.ts';
import { exchange, renaming, type Rename, type Symmetry } from './renaming.ts';
import type { SystemDefinition } from './system.ts';

/** Up to so many permutations each state is compared with all of its orbit; beyond, the reduction is partial. */
const MOST_PERMUTATIONS = 120;

/** Two names of a group exchanged. */
interface Exchange {
  readonly names: readonly [string, string];
  readonly rename: Rename;
  /** For each part, the one that it becomes. */
  readonly parts: readonly number[];
  readonly budgets: readonly number[];
  /** For each part and local state, the local state of the other part. */
  readonly locals: (number | undefined)[][];
  readonly inputs: (number | undefined)[];
}

/** One way to exchange names, as an exchange after another way. */
interface Permutation {
  readonly before: number;
  readonly last: Exchange;
  /** For each part, the one that becomes it. */
  readonly sources: readonly number[];
  readonly locals: (number | undefined)[][];
}

export interface Symmetric {
  readonly parts: readonly Part[];
  readonly wiring: Wiring;
  readonly actions: readonly Move[];
  readonly budgets: readonly string[];
  readonly limits: readonly number[];
  /** What is left of all budgets after each became another. */
  exchangeBudgets(left: number, becomes: readonly number[]): number;
}

export class Orbits {
  readonly isPartial: boolean;
  readonly #system: Symmetric;
  readonly #exchanges: readonly Exchange[];
  readonly #permutations: readonly Permutation[];
  readonly #order: readonly number[];
  readonly #candidate: Int32Array;
  readonly #source: Int32Array;

  constructor(definition: SystemDefinition, symmetry: Symmetry, system: Symmetric) {
    this.#system = system;
    checkGroups(symmetry.groups);
    const { parts } = system;
    this.#exchanges = symmetry.groups.flatMap((names) =>
      names.slice(1).map((name, i) => this.#exchange(definition, symmetry, [names[i] as string, name])),
    );
    const size = symmetry.groups.reduce((all, { length }) => all * factorial(length), 1);
    this.isPartial = size > MOST_PERMUTATIONS;
    this.#permutations = this.isPartial ? this.#singles() : this.#all(symmetry.groups.flat());
    // Parts that are exchanged come first, since they tell candidates apart soonest.
    const isFixed = (index: number) => this.#exchanges.every((one) => one.parts[index] === index);
    const indices = parts.map(({ index }) => index);
    this.#order = [...indices.filter((index) => !isFixed(index)), ...indices.filter(isFixed)];
    this.#candidate = new Int32Array(parts.length + 1);
    this.#source = new Int32Array(parts.length + 1);
    for (const one of this.#exchanges) this.#compareMoves('the actions', system.actions, system.actions, one);
  }

  /** Replaces `state` by the state that stands for its orbit; true when that is another. */
  represent(state: Int32Array): boolean {
    const source = this.#source;
    source.set(state);
    let turned = false;
    for (let again = true; again;) {
      again = false;
      for (let k = 0; k < this.#permutations.length; k++) {
        if (!this.#isLess(source, state, k)) continue;
        state.set(this.#candidate);
        turned = true;
        if (!this.isPartial) continue;
        // One exchange at a time, downhill: the next begins where this one ended.
        source.set(state);
        again = true;
      }
    }
    return turned;
  }

  /** Calls `visit` with `state` after each exchange of two neighbouring names. */
  eachExchanged(
    state: Int32Array,
    visit: (state: Int32Array, names: readonly [string, string]) => void,
  ): void {
    for (const one of this.#exchanges) {
      const exchanged = state.slice();
      one.parts.forEach((target, index) => {
        exchanged[target] = this.#local(one, index, state[index] as number);
      });
      exchanged[state.length - 1] = this.#budgetsAfter(state, one);
      visit(exchanged, one.names);
    }
  }

  /** A part worked out a step. @throws Error when it comes out otherwise with names exchanged */
  stepped(part: Part, local: number, input: number, outcome: Told): void {
    const { is } = part.inputOf(input);
    if (is === 'take' || is === 'settle') return; // compared as moves, since what they count from 0 is sorted anew
    for (const one of this.#exchanges) {
      const twin = this.#system.parts[one.parts[part.index] as number] as Part;
      const other = twin.step(this.#local(one, part.index, local), this.#input(one, input));
      const same =
        other.next === this.#local(one, part.index, outcome.next) &&
        other.unexpected === outcome.unexpected &&
        this.#inOrder(other.ops).join() === this.#inOrder(outcome.ops.map((op) => this.#op(one, op))).join();
      if (!same) throw this.#asymmetry(one, part, local, `hears ${JSON.stringify(part.inputOf(input))}`);
    }
  }

  /** A part worked out its moves. @throws Error when they come out otherwise with names exchanged */
  offered(part: Part, local: number, moves: readonly Move[]): void {
    for (const one of this.#exchanges) {
      const twin = this.#system.parts[one.parts[part.index] as number] as Part;
      const others = twin.moves(this.#local(one, part.index, local));
      this.#compareMoves(
        `what ${part.name} may do in ${part.describe(local)}`,
        moves,
        others,
        one,
        part,
        local,
      );
    }
  }

  /** Puts `source` after permutation `k` into the candidate, as far as it can be less than `best`; true when it is. */
  #isLess(source: Int32Array, best: Int32Array, k: number): boolean {
    const { sources } = this.#permutations[k] as Permutation;
    const candidate = this.#candidate;
    const end = best.length - 1;
    let less = false;
    for (const index of this.#order) {
      const from = sources[index] as number;
      const local = this.#permuted(k, from, source[from] as number);
      if (!less && local > (best[index] as number)) return false;
      less ||= local < (best[index] as number);
      candidate[index] = local;
    }
    candidate[end] = this.#permutedBudgets(k, source[end] as number);
    return less || (candidate[end] as number) < (best[end] as number);
  }

  #permuted(k: number, part: number, local: number): number {
    if (k === -1) return local;
    const { before, last, locals } = this.#permutations[k] as Permutation;
    const row = locals[part] as (number | undefined)[];
    const known = row[local];
    if (known !== undefined) return known;
    const between = before === -1 ? part : this.#target(before, part);
    return (row[local] = this.#local(last, between, this.#permuted(before, part, local)));
  }

  #target(k: number, part: number): number {
    return (this.#permutations[k] as Permutation).sources.indexOf(part);
  }

  #permutedBudgets(k: number, left: number): number {
    if (k === -1 || this.#system.budgets.length === 0) return left;
    const { before, last } = this.#permutations[k] as Permutation;
    return this.#system.exchangeBudgets(this.#permutedBudgets(before, left), last.budgets);
  }

  #budgetsAfter(state: Int32Array, one: Exchange): number {
    return this.#system.exchangeBudgets(state[state.length - 1] as number, one.budgets);
  }

  #local(one: Exchange, part: number, local: number): number {
    const row = one.locals[part] as (number | undefined)[];
    const known = row[local];
    if (known !== undefined) return known;
    const { parts } = this.#system;
    const [from, to] = [parts[part] as Part, parts[one.parts[part] as number] as Part];
    const next = to.adopt(from, local, one.rename);
    if (from.adopt(to, next, one.rename) !== local) {
      throw new Error(
        `exchanging ${one.names.join(' and ')} twice in ${from.describe(local)} of ${from.name} does not give it back; let arrange put lists into one order only`,
      );
    }
    return (row[local] = next);
  }

  #input(one: Exchange, input: number): number {
    const given: Input = this.#system.wiring.inputs[input] as Input;
    return (one.inputs[input] ??= this.#system.wiring.input(one.rename(given)));
  }

  #op(one: Exchange, { part, input }: Op): Op {
    return { part: one.parts[part] as number, input: this.#input(one, input) };
  }

  /**
   * The ops as texts, those that lead to nothing more in an order that does not depend on names: they can be carried
   * out in any order as long as each part gets its own in the order in which they came, if it keeps that.
   */
  #inOrder(ops: readonly Op[]): string[] {
    const { parts, wiring } = this.#system;
    const texts: string[] = [];
    let run: Op[] = [];
    const close = () => {
      const order = (op: Op) => ((parts[op.part] as Part).forgetsOrder ? op.input : 0);
      run.sort((a, b) => a.part - b.part || order(a) - order(b));
      for (const { part, input } of run) texts.push(`${part} ${input}`);
      run = [];
    };
    for (const op of ops) {
      const { is } = wiring.inputs[op.input] as Input;
      if (is === 'event' || is === 'start' || is === 'fire') {
        close();
        texts.push(`${op.part} ${op.input}`);
      } else {
        run.push(op);
      }
    }
    close();
    return texts;
  }

  #compareMoves(
    what: string,
    moves: readonly Move[],
    others: readonly Move[],
    one: Exchange,
    part?: Part,
    local = 0,
  ): void {
    const opsKey = (ops: readonly Op[], mine: boolean): string => {
      const [first] = ops;
      const { is } =
        first === undefined ? { is: 'none' } : (this.#system.wiring.inputs[first.input] as Input);
      const own = part !== undefined && (is === 'take' || is === 'settle') ? first : undefined;
      const rest = own === undefined ? ops : ops.slice(1);
      const key = this.#inOrder(mine ? rest.map((op) => this.#op(one, op)) : rest).join();
      if (own === undefined || part === undefined) return key;
      const left = mine
        ? this.#local(one, part.index, part.step(local, own.input).next)
        : (this.#system.parts[own.part] as Part).step(this.#local(one, part.index, local), own.input).next;
      return `becomes ${left}, ${key}`;
    };
    const keyOf = (mine: boolean) => (move: Move) => {
      const budget = mine && move.budget !== -1 ? (one.budgets[move.budget] as number) : move.budget;
      const idle = move.unlessIdle === undefined ? '' : opsKey([move.unlessIdle], mine);
      return `${opsKey(move.ops, mine)} ${String(move.fault)} ${budget} ${idle}`;
    };
    const [expected, found] = [moves.map(keyOf(true)).sort(), others.map(keyOf(false)).sort()];
    if (expected.join('\n') === found.join('\n')) return;
    const labels = (list: readonly Move[]) => list.map(({ label }) => label).join('; ');
    throw new Error(
      `${one.names.join(' and ')} are declared to be alike, but exchanging them changes ${what}: ${labels(moves)}. Against: ${labels(others)}. ${REMEDY}`,
    );
  }

  #asymmetry(one: Exchange, part: Part, local: number, what: string): Error {
    return new Error(
      `${one.names.join(' and ')} are declared to be alike, but ${part.name} in ${part.describe(local)} ${what}, and what follows changes when they are exchanged. ${REMEDY}`,
    );
  }

  #exchange(definition: SystemDefinition, { arrange }: Symmetry, names: readonly [string, string]): Exchange {
    const { parts, budgets, limits } = this.#system;
    const ofText = exchange(...names);
    const find = (list: readonly string[], name: string, what: string): number => {
      const index = list.indexOf(ofText(name));
      if (index === -1)
        throw new Error(
          `${names.join(' and ')} are declared to be alike, but there is ${what} '${name}' and none '${ofText(name)}'`,
        );
      return index;
    };
    const becomes = parts.map(({ name }) =>
      find(
        parts.map((part) => part.name),
        name,
        'a part',
      ),
    );
    parts.forEach(({ name }) => {
      const [actor, other] = [definition.actors[name], definition.actors[ofText(name)]];
      const machineOf = (one: typeof actor) =>
        one !== undefined && 'machine' in one ? one.machine : undefined;
      if (machineOf(actor) !== machineOf(other) || (actor === undefined) !== (other === undefined))
        throw new Error(
          `${name} and ${ofText(name)} are declared to be alike, but they are not the same machine`,
        );
    });
    const exchanged = budgets.map((name) => find(budgets, name, 'a budget'));
    const uneven = budgets.find((_, i) => limits[i] !== limits[exchanged[i] as number]);
    if (uneven !== undefined)
      throw new Error(
        `budgets '${uneven}' and '${ofText(uneven)}' are declared to be alike, but allow different numbers`,
      );
    return {
      names,
      rename: renaming(ofText, arrange),
      parts: becomes,
      budgets: exchanged,
      locals: parts.map(() => []),
      inputs: [],
    };
  }

  /** All permutations, each after a shorter one. */
  #all(names: readonly string[]): Permutation[] {
    const found: Permutation[] = [];
    const words = new Map([[names.join('\n'), -1]]);
    for (const [word, before] of words) {
      for (const last of this.#exchanges) {
        const next = word
          .split('\n')
          .map((name) =>
            name === last.names[0] ? last.names[1] : name === last.names[1] ? last.names[0] : name,
          )
          .join('\n');
        if (words.has(next)) continue;
        words.set(next, found.length);
        found.push(this.#after(found, before, last));
      }
    }
    return found;
  }

  #singles(): Permutation[] {
    return this.#exchanges.map((last) => this.#after([], -1, last));
  }

  #after(found: readonly Permutation[], before: number, last: Exchange): Permutation {
    const earlier = found[before]?.sources ?? last.parts.map((_, index) => index);
    // An exchange is its own inverse: what becomes `index` last became `last.parts[index]` before.
    const sources = last.parts.map((between) => earlier[between] as number);
    return { before, last, sources, locals: last.parts.map(() => []) };
  }
}

const REMEDY =
  'Name them by texts in every state and message, keep lists in an order that `arrange` restores, tell all of them something over a channel rather than one after another, or leave the symmetry out';

const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1));

function checkGroups(groups: readonly (readonly string[])[]): void {
  const names = groups.flat();
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new Error(`symmetry names '${twice}' twice; a name belongs to one group`);
  const short = groups.find(({ length }) => length < 2);
  if (short !== undefined)
    throw new Error(`a group of symmetry has ${canonical(short)}; it takes two names or more`);
}
