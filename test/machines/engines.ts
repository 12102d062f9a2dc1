// One machine run by each of our engines, seen the same way: pure step, the checker's part, XState's actor, compiled table.
// Invariant: an engine reports what it did, never what it should have done; what it cannot tell it leaves out.
import { createActor, type AnyMachineSnapshot } from 'xstate';
import { Composition } from '../../src/checker/composition.ts';
import type { MachinePart, Local } from '../../src/checker/machine-part.ts';
import type { Input, Outcome, Wiring } from '../../src/checker/part.ts';
import { defineSystem } from '../../src/checker/index.ts';
import { bindPerformers, createStepper, drive, type Step } from '../../src/engine/index.ts';
import { runCompiled } from '../unit/engine/runners.ts';
import { readable, type AnyContext, type AnyEvent, type Entry } from './machines.ts';

/** What one event, or one delay that ran out, did. */
export interface Seen {
  readonly state: string;
  readonly context: AnyContext;
  readonly control: AnyContext['control'];
  readonly done: boolean;
  /** Types and payloads, in order; for the checker, which knows no ledger, the types alone. */
  readonly effects: readonly object[];
  readonly effectNames: readonly string[];
  /** Milliseconds of the delays that it set, in order. */
  readonly set: readonly number[];
  /** How many delays run now. */
  readonly running: number;
  readonly unexpected: boolean;
}

export interface Engine {
  readonly name: string;
  start(): Partial<Seen>;
  send(event: AnyEvent): Partial<Seen>;
  /** A delay is over: the `index`-th of those that run, in the order in which they were set; XState calls it `id`. */
  expire(index: number, id: string): Partial<Seen>;
}

const names = (effects: readonly object[]): string[] =>
  effects.map((effect) => String((effect as { type: string }).type));

/** The pure step, with the delays that run kept beside it. */
export class StepEngine implements Engine {
  readonly name = 'step';
  readonly #entry: Entry;
  readonly #stepper;
  snapshot: AnyMachineSnapshot | undefined;
  /** Ids and events of the delays that run, in the order in which they were set. */
  running: { readonly id: string; readonly event: AnyEvent }[] = [];

  constructor(entry: Entry) {
    this.#entry = entry;
    this.#stepper = createStepper(entry.machine, entry.effects);
  }

  start(): Seen {
    this.running = [];
    return this.#take(this.#stepper.start(this.#entry.input));
  }

  send(event: AnyEvent): Seen {
    return this.#take(this.#stepper.step(this.snapshot as AnyMachineSnapshot, event));
  }

  expire(index: number): Seen {
    const [due] = this.running.splice(index, 1);
    return this.send(due?.event ?? { type: 'no such delay' });
  }

  #take({ snapshot, effects, timers, unexpected }: Step): Seen {
    this.snapshot = snapshot;
    const set: number[] = [];
    for (const change of timers) {
      const id = 'set' in change ? change.set : change.cleared;
      this.running = this.running.filter((one) => one.id !== id);
      if (!('set' in change)) continue;
      this.running.push({ id, event: change.event });
      set.push(change.delayMs);
    }
    const context = snapshot.context as AnyContext;
    const done = snapshot.status === 'done';
    if (done) this.running = [];
    return {
      state: readable(snapshot.value),
      context,
      control: context.control,
      done,
      effects,
      effectNames: names(effects),
      set,
      running: this.running.length,
      unexpected,
    };
  }
}

/** The checker's part, which memoises its steps: one for all walks, as in a search. */
export class CheckerEngine implements Engine {
  readonly name = 'checker';
  readonly #part: MachinePart;
  readonly #wiring: Pick<Wiring, 'input'>;
  #local = 0;

  constructor({ machine, effects, input }: Entry) {
    const actors = { it: { machine, effects, input } };
    const [part] = new Composition(defineSystem({ actors, route: () => [] })).parts;
    this.#part = part as MachinePart;
    // Inputs are numbered by what all parts of a system share, which a part keeps to itself.
    this.#wiring = (part as unknown as { readonly wiring: Pick<Wiring, 'input'> }).wiring;
  }

  start(): Partial<Seen> {
    return this.#take(this.#part.begin());
  }

  send({ at: _at, ...event }: AnyEvent): Partial<Seen> {
    return this.#step({ is: 'event', event });
  }

  expire(_index: number, id: string): Partial<Seen> {
    return this.#step({ is: 'fire', timer: id });
  }

  #step(input: Input): Partial<Seen> {
    return this.#take(this.#part.outcome(this.#local, this.#wiring.input(input)));
  }

  #take({ next, effects, unexpected }: Outcome): Partial<Seen> {
    this.#local = next;
    const { snapshot, timers } = this.#part.values[next] as Local;
    const { control, status } = this.#part.view(next);
    return {
      state: readable(snapshot?.value),
      control: control as AnyContext['control'],
      done: status === 'done',
      effectNames: effects.map((words) => words.split(' ')[0] ?? ''),
      running: timers.length,
      unexpected,
    };
  }
}

interface Inspected {
  readonly type: string;
  readonly event: AnyEvent;
  readonly _transitions: readonly unknown[];
}

/** XState's own actor, with performers, on a clock whose delays run out when the test says so. */
export class ActorEngine implements Engine {
  readonly name = 'actor';
  readonly #entry: Entry;
  readonly #driven;
  #actor: ReturnType<typeof createActor> | undefined;
  #effects: object[] = [];
  #set: number[] = [];
  #running: { readonly fn: () => void }[] = [];
  #unexpected = false;

  constructor(entry: Entry) {
    this.#entry = entry;
    const perform = (type: string) => (payload: object) => void this.#effects.push({ type, payload });
    const performers = Object.fromEntries(Object.keys(entry.effects).map((type) => [type, perform(type)]));
    this.#driven = drive(entry.machine, entry.effects, performers);
  }

  start(): Partial<Seen> {
    this.#running = [];
    this.#actor = createActor(this.#driven.machine, {
      input: this.#entry.input as never,
      clock: {
        setTimeout: (fn: () => void, delayMs: number) => {
          const timer = { fn };
          this.#running.push(timer);
          this.#set.push(delayMs);
          return timer;
        },
        clearTimeout: (timer: unknown) => {
          this.#running = this.#running.filter((one) => one !== timer);
        },
      } as never,
      inspect: ({ type, event, _transitions }: Inspected) => {
        if (type !== '@xstate.microstep' || event.type.startsWith('xstate.')) return;
        if (_transitions.length === 0) this.#unexpected = true;
      },
    } as never);
    bindPerformers(this.#actor, this.#driven);
    return this.#after(() => this.#actor?.start());
  }

  send(event: AnyEvent): Partial<Seen> {
    return this.#after(() => this.#actor?.send(event as never));
  }

  expire(index: number): Partial<Seen> {
    const [due] = this.#running.splice(index, 1);
    return this.#after(() => due?.fn());
  }

  #snapshot(): AnyMachineSnapshot {
    if (this.#actor === undefined) throw new Error('the actor was not started');
    return this.#actor.getSnapshot() as AnyMachineSnapshot;
  }

  #after(act: () => void): Partial<Seen> {
    this.#effects = [];
    this.#set = [];
    this.#unexpected = false;
    act();
    const { value, context, status } = this.#snapshot();
    return {
      state: readable(value),
      context: context as AnyContext,
      done: status === 'done',
      effects: this.#effects,
      set: this.#set,
      running: this.#running.length,
      unexpected: this.#unexpected,
    };
  }
}

/** The compiled table, for machines in its subset. */
export class TableEngine implements Engine {
  readonly name = 'table';
  readonly #entry: Entry;
  #runner: ReturnType<typeof runCompiled> | undefined;

  constructor(entry: Entry) {
    this.#entry = entry;
  }

  start(): Partial<Seen> {
    this.#runner = runCompiled(this.#entry);
    return this.#seen(this.#runner.start);
  }

  send(event: AnyEvent): Partial<Seen> {
    return this.#seen(this.#runner?.send(event));
  }

  expire(): Partial<Seen> {
    return this.#seen(this.#runner?.expire());
  }

  #seen(outcome: ReturnType<ReturnType<typeof runCompiled>['expire']>): Partial<Seen> {
    if (outcome === undefined) return {};
    const { state, context, done, due, verdict } = outcome;
    const effects = due.filter((one) => 'type' in one);
    const set = due.flatMap((one) => ('delayMs' in one ? [Number(one.delayMs)] : []));
    return { state, context, done, effects, set, unexpected: verdict === 2 };
  }
}
