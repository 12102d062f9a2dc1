// The search: breadth first through every global state, so that the first violation found has the fewest steps.
// Invariant: a state's predecessor in the search tree has the shortest way to it.
import { Composition } from './composition.ts';
import { explain, type Violation } from './explain.ts';
import { inWords, type Move } from './part.ts';
import { IntList, StateSet } from './states.ts';
import type { SystemDefinition } from './system.ts';
import { StateView, type View } from './view.ts';

export type Predicate = (view: View) => boolean;

export interface CheckOptions {
  /** Must hold in every state. */
  readonly always?: Readonly<Record<string, Predicate>>;
  /** From every state, a state where it holds can be reached without faults: there is no trap. */
  readonly alwaysPossible?: Readonly<Record<string, Predicate>>;
  /**
   * Where something is owed, something other than a fault must be able to change the state. `true`: something is
   * owed as long as a machine actor runs and is not done. @default false: not checked
   */
  readonly noDeadlock?: boolean | Predicate;
  /** The search stops, incomplete, beyond so many states. @default 10 000 000 */
  readonly maxStates?: number;
}

export interface CheckResult {
  /** Distinct states. */
  readonly states: number;
  /** States generated, those found again included. */
  readonly generated: number;
  /** Steps to the farthest state. */
  readonly depth: number;
  /** Every state was seen. False after a violation or when `maxStates` was reached. */
  readonly complete: boolean;
  readonly violation?: Violation;
}

/** Explores `definition` and stops at the first violation, which then has the fewest steps. */
export function check(definition: SystemDefinition, options: CheckOptions = {}): CheckResult {
  return new Search(definition, options).run();
}

class Search {
  readonly #composition: Composition;
  readonly #set: StateSet;
  readonly #parents = new IntList();
  /** For `alwaysPossible`: where the edges of each state begin, and the states that they lead to. */
  readonly #edgeStarts = new IntList();
  readonly #edges = new IntList();
  readonly #always: readonly (readonly [string, Predicate])[];
  readonly #goals: readonly (readonly [string, Predicate])[];
  readonly #owed: Predicate | undefined;
  readonly #maxStates: number;
  readonly #view: StateView;
  #generated = 0;
  #depth = 0;
  #violation: Violation | undefined;

  constructor(definition: SystemDefinition, options: CheckOptions) {
    this.#composition = new Composition(definition);
    this.#set = new StateSet(this.#composition.width);
    this.#always = Object.entries(options.always ?? {});
    this.#goals = Object.entries(options.alwaysPossible ?? {});
    const { noDeadlock = false, maxStates = 10_000_000 } = options;
    const actors = Object.entries(definition.actors).flatMap(([name, actor]) =>
      'machine' in actor ? [name] : [],
    );
    const running: Predicate = (view) => actors.some((name) => view.actor(name).status === 'active');
    this.#owed = typeof noDeadlock === 'function' ? noDeadlock : noDeadlock ? running : undefined;
    this.#maxStates = maxStates;
    this.#view = new StateView(this.#composition, new Int32Array(this.#composition.width));
  }

  run(): CheckResult {
    const first = this.#composition.begin();
    if (this.#composition.unexpected !== undefined)
      throw new Error('an actor gets an unexpected event while the system starts');
    this.#set.add(first);
    this.#parents.push(-1);
    this.#judge(0, first);
    const current = new Int32Array(this.#composition.width);
    let levelEnd = 1;
    let index = 0;
    for (
      ;
      index < this.#set.size && this.#violation === undefined && this.#set.size <= this.#maxStates;
      index++
    ) {
      if (index === levelEnd) {
        this.#depth++;
        levelEnd = this.#set.size;
      }
      this.#set.read(index, current);
      this.#expand(index, current);
    }
    const seenAll = this.#violation === undefined && index === this.#set.size;
    if (seenAll) for (const [name, goal] of this.#goals) this.#judgePossible(name, goal);
    const { size: states } = this.#set;
    const counts = { states, generated: this.#generated, depth: this.#depth };
    if (this.#violation === undefined) return { ...counts, complete: seenAll };
    return { ...counts, complete: false, violation: this.#violation };
  }

  #expand(index: number, current: Int32Array): void {
    const next = this.#view.state;
    let progress = false;
    if (this.#goals.length > 0) this.#edgeStarts.push(this.#edges.length);
    this.#composition.eachMove(current, (move: Move) => {
      if (this.#violation !== undefined) return;
      next.set(current);
      this.#composition.run(next, move);
      this.#generated++;
      if (this.#composition.unexpected !== undefined) return this.#failUnexpected(index);
      const size = this.#set.size;
      const found = this.#set.add(next);
      if (found === size) {
        this.#parents.push(index);
        this.#judge(found, next);
      }
      if (move.fault || found === index) return;
      progress = true;
      if (this.#goals.length > 0) this.#edges.push(found);
    });
    if (progress || this.#owed === undefined || this.#violation !== undefined) return;
    next.set(current);
    if (this.#owed(this.#view)) this.#fail('deadlock', 'something is owed, and nothing can happen', index);
  }

  #judge(index: number, state: Int32Array): void {
    if (state !== this.#view.state) this.#view.state.set(state);
    for (let i = 0; i < this.#always.length; i++) {
      const [name, holds] = this.#always[i] as readonly [string, Predicate];
      if (holds(this.#view)) continue;
      this.#fail('always', name, index);
      return;
    }
  }

  /** Backward reachability by repeated forward passes: one bit a state instead of a second set of edges. */
  #judgePossible(name: string, goal: Predicate): void {
    if (this.#violation !== undefined) return;
    const { size } = this.#set;
    const reaches = new Uint8Array(size);
    for (let index = 0; index < size; index++) {
      this.#set.read(index, this.#view.state);
      if (goal(this.#view)) reaches[index] = 1;
    }
    for (let changed = true; changed;) {
      changed = false;
      for (let index = size - 1; index >= 0; index--) {
        if (reaches[index] === 1 || !this.#anyEdge(index, reaches)) continue;
        reaches[index] = 1;
        changed = true;
      }
    }
    const trapped = reaches.indexOf(0);
    if (trapped !== -1) this.#fail('alwaysPossible', name, trapped);
  }

  #anyEdge(index: number, reaches: Uint8Array): boolean {
    const end = index + 1 < this.#set.size ? this.#edgeStarts.at(index + 1) : this.#edges.length;
    for (let edge = this.#edgeStarts.at(index); edge < end; edge++)
      if (reaches[this.#edges.at(edge)] === 1) return true;
    return false;
  }

  #failUnexpected(index: number): void {
    const op = this.#composition.unexpected;
    const part = op === undefined ? undefined : this.#composition.parts[op.part];
    const input = op === undefined ? undefined : part?.inputOf(op.input);
    const event = input?.is === 'event' ? inWords(input.event) : 'an event';
    this.#violation = explain(
      this.#composition,
      'unexpected',
      `${part?.name ?? 'an actor'} does not expect ${event}`,
      this.#path(index),
      true,
    );
  }

  #fail(kind: Violation['kind'], property: string, index: number): void {
    this.#violation = explain(this.#composition, kind, property, this.#path(index));
  }

  #path(last: number): Int32Array[] {
    const path: Int32Array[] = [];
    for (let index = last; index !== -1; index = this.#parents.at(index)) {
      const state = new Int32Array(this.#composition.width);
      this.#set.read(index, state);
      path.unshift(state);
    }
    return path;
  }
}
