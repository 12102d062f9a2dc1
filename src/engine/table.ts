// The compiled table and its one hot path: find the cell, test its guards, run its operations.
// Invariant: an actor handles one event at a time; what its performers send to it meanwhile waits in order.
import type { AnyStateMachine } from 'xstate';
import { type FlatBranch, type FlatMachine, readFlat } from './flat.ts';
import {
  type AnyEvent,
  type AnyPerformers,
  type AnyRow,
  type DelayOf,
  type Operation,
  Operations,
  type Test,
} from './operations.ts';
import type { Observer } from './table-records.ts';

export const HANDLED = 0;
export const IGNORED = 1;
export const UNEXPECTED = 2;
/** 0 handled; 1 ignored (explicitly, or the actor is done); 2 unexpected: no transition, or none whose guard holds. */
export type Verdict = typeof HANDLED | typeof IGNORED | typeof UNEXPECTED;

/** How many events performers may have waiting for actors of one machine that are in a transition. */
export const MAX_WAITING_EVENTS = 1_000;

interface Branch {
  readonly guard: Test | undefined;
  /** -1 stays. */
  readonly target: number;
  /** The source's exit actions when it moves, then the transition's own. */
  readonly leave: readonly Operation[];
  /** The target's entry actions; a final state's exit actions too, since it is left as soon as it is entered. */
  readonly arrive: readonly Operation[];
  readonly verdict: Verdict;
}

interface Expiry {
  readonly delayMs: DelayOf;
  readonly event: AnyEvent;
  readonly branches: readonly Branch[];
}

interface Waiting {
  readonly actor: AnyRow;
  readonly event: AnyEvent;
}

const INIT: AnyEvent = { type: 'xstate.init' };

/** A table without types of its own; `compile` puts those of the machine on. */
export interface Table {
  readonly id: string;
  readonly states: readonly string[];
  readonly events: readonly string[];
  readonly final: readonly boolean[];
  stateIndex(name: string): number;
  eventIndex(type: string): number;
  initialContext(input: unknown): unknown;
  start(context: unknown): AnyRow;
  enter(actor: AnyRow): void;
  send(actor: AnyRow, event: AnyEvent): Verdict;
  delayMs(actor: AnyRow): number;
  expire(actor: AnyRow): Verdict;
  observe(observer: Observer<AnyRow> | undefined): void;
}

class Builder {
  private readonly flat: FlatMachine;
  private readonly operations: Operations;

  constructor(flat: FlatMachine, operations: Operations) {
    this.flat = flat;
    this.operations = operations;
  }

  named(state: string, names: readonly string[]): Operation[] {
    return names.map((name) => this.operations.action(state, name));
  }

  arrival(index: number): Operation[] {
    const state = this.flat.states[index];
    if (state === undefined) return [];
    const entry = this.named(state.name, state.entry);
    return state.final ? [...entry, ...this.named(state.name, state.exit)] : entry;
  }

  branches(source: number, branches: readonly FlatBranch[]): Branch[] {
    const state = this.flat.states[source];
    if (state === undefined) return [];
    return branches.map(({ guard, target, actions }) => ({
      guard: guard === undefined ? undefined : this.operations.guard(state.name, guard),
      target,
      leave: this.named(state.name, target === -1 ? actions : [...state.exit, ...actions]),
      arrive: this.arrival(target),
      verdict: target === -1 && actions.length === 0 ? IGNORED : HANDLED,
    }));
  }

  expiry(source: number): Expiry | undefined {
    const state = this.flat.states[source];
    if (state?.after === undefined) return undefined;
    const { delay, event, branches } = state.after;
    return {
      delayMs: this.operations.delay(state.name, delay),
      event: { type: event },
      branches: this.branches(source, branches),
    };
  }
}

/** @throws Error for everything outside the subset, see `compile` */
export function buildTable(
  machine: AnyStateMachine,
  effects: Iterable<string>,
  performers: AnyPerformers,
  entered: ((actor: AnyRow) => void) | undefined,
): Table {
  const flat = readFlat(machine);
  const operations = new Operations(machine, effects, performers);
  const builder = new Builder(flat, operations);

  const states = flat.states.map(({ name }) => name);
  const final = flat.states.map((state) => state.final);
  const events = [...new Set(flat.states.flatMap(({ on }) => [...on.keys()]))];
  const width = events.length;
  const eventIndices = new Map(events.map((type, index) => [type, index]));
  const cells: (readonly Branch[] | undefined)[] = flat.states.flatMap((state, source) =>
    events.map((type) => {
      const branches = state.on.get(type);
      return branches === undefined ? undefined : builder.branches(source, branches);
    }),
  );
  const expiries = flat.states.map((_, source) => builder.expiry(source));
  const start: Branch = {
    guard: undefined,
    target: flat.initial,
    leave: [],
    arrive: builder.arrival(flat.initial),
    verdict: HANDLED,
  };

  /** The actors that are in a transition, outermost first; nearly always none or one. */
  const active: (AnyRow | undefined)[] = [];
  let depth = 0;
  let observed: Observer<AnyRow> | undefined;
  const waiting: Waiting[] = [];

  function choose(branches: readonly Branch[], actor: AnyRow, event: AnyEvent): Branch | undefined {
    for (let i = 0; i < branches.length; i++) {
      const branch = branches[i];
      if (branch !== undefined && (branch.guard === undefined || branch.guard(actor, event))) return branch;
    }
    return undefined;
  }

  function perform(branch: Branch, actor: AnyRow, event: AnyEvent): void {
    const { leave, target, arrive } = branch;
    const from = actor.state;
    for (let i = 0; i < leave.length; i++) leave[i]?.(actor, event);
    if (target !== -1) {
      actor.state = target;
      for (let i = 0; i < arrive.length; i++) arrive[i]?.(actor, event);
      if (entered !== undefined) entered(actor);
    }
    if (observed !== undefined) observed(actor, event, branch === start ? -1 : from);
  }

  /** An event that changes nothing: its onlooker hears of it all the same. */
  function pass(actor: AnyRow, event: AnyEvent, verdict: Verdict): Verdict {
    if (observed !== undefined && final[actor.state] !== true) observed(actor, event, actor.state);
    return verdict;
  }

  function run(branch: Branch, actor: AnyRow, event: AnyEvent): Verdict {
    active[depth++] = actor;
    try {
      perform(branch, actor, event);
      return waiting.length === 0 ? branch.verdict : takeUp(actor, branch.verdict);
    } finally {
      active[--depth] = undefined;
      if (waiting.length > 0) dropWaiting(actor);
    }
  }

  function cellOf(actor: AnyRow, event: AnyEvent): readonly Branch[] | undefined {
    const index = eventIndices.get(event.type);
    return index === undefined ? undefined : cells[actor.state * width + index];
  }

  /** Handles what performers sent to the actor while it was in a transition. */
  function takeUp(actor: AnyRow, verdict: Verdict): Verdict {
    for (;;) {
      const next = waiting.findIndex((entry) => entry.actor === actor);
      const event = waiting[next]?.event;
      if (event === undefined) return verdict;
      waiting.splice(next, 1);
      const branches = cellOf(actor, event);
      const branch = branches === undefined ? undefined : choose(branches, actor, event);
      if (branch !== undefined) perform(branch, actor, event);
      else if (final[actor.state] !== true) verdict = pass(actor, event, UNEXPECTED);
    }
  }

  /** After a throw: nothing of the actor stays behind. */
  function dropWaiting(actor: AnyRow): void {
    for (let i = waiting.length - 1; i >= 0; i--) if (waiting[i]?.actor === actor) waiting.splice(i, 1);
  }

  function wait(actor: AnyRow, event: AnyEvent): Verdict {
    if (waiting.length >= MAX_WAITING_EVENTS) {
      const what = `machine ${machine.id}: ${MAX_WAITING_EVENTS} events wait for actors in a transition`;
      throw new Error(`${what}; a performer answers its own effects without end (last event: ${event.type})`);
    }
    waiting.push({ actor, event });
    return HANDLED;
  }

  function send(actor: AnyRow, event: AnyEvent): Verdict {
    for (let i = 0; i < depth; i++) if (active[i] === actor) return wait(actor, event);
    const branches = cellOf(actor, event);
    const branch = branches === undefined ? undefined : choose(branches, actor, event);
    if (branch === undefined) return pass(actor, event, final[actor.state] === true ? IGNORED : UNEXPECTED);
    return branch.verdict === IGNORED ? pass(actor, event, IGNORED) : run(branch, actor, event);
  }

  function expire(actor: AnyRow): Verdict {
    const expiry = expiries[actor.state];
    if (expiry === undefined) return UNEXPECTED;
    const branch = choose(expiry.branches, actor, expiry.event);
    if (branch === undefined || branch.verdict === IGNORED) return pass(actor, expiry.event, IGNORED);
    return run(branch, actor, expiry.event);
  }

  function enter(actor: AnyRow): void {
    run(start, actor, INIT);
  }

  return {
    id: machine.id,
    states,
    events,
    final,
    stateIndex: (name) => states.indexOf(name),
    eventIndex: (type) => eventIndices.get(type) ?? -1,
    initialContext: operations.contextOf(),
    start(context) {
      const actor = { state: flat.initial, context };
      enter(actor);
      return actor;
    },
    enter,
    send,
    delayMs: (actor) => expiries[actor.state]?.delayMs(actor) ?? -1,
    expire,
    observe: (observer) => {
      observed = observer;
    },
  };
}
