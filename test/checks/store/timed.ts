// Machines with their delays, in ticks of one clock: for properties that speak of time. The checker itself lets any delay
// run out at any time.
// Invariant: now is 0. Moments are kept relative to it, so that two states which differ only in when they are count as one.
import type { AnyMachineSnapshot, AnyStateMachine, EventObject } from 'xstate';
import type { Effects } from '../../../machines/types.ts';
import type { Message } from '../../../src/checker/index.ts';
import { createStepper, type Effect, type Step, type Stepper } from '../../../src/engine/index.ts';

type Fields = Readonly<Record<string, unknown>>;

/** One actor as plain data. */
export interface Timed {
  readonly status: 'active' | 'done';
  readonly value: unknown;
  readonly control: Fields;
  readonly ledger: Fields;
  /** Ticks until each delay that runs is over; 0: it may be over now. */
  readonly timers: readonly { readonly event: string; readonly left: number }[];
}

export interface Turn {
  readonly next: Timed;
  readonly effects: readonly Effect[];
}

export interface TimedOptions {
  readonly machine: AnyStateMachine;
  readonly effects: Effects<never>;
  /** Fields of the ledger that hold a moment. */
  readonly moments: readonly string[];
  /** Fields of the ledger that are always as at the start: options, and what nothing that comes later depends on. */
  readonly constant: readonly string[];
  /** So many ticks ago is as long ago as makes a difference. */
  readonly longAgo: number;
  /** Whose epochs these are. */
  readonly of: string;
}

export class TimedMachine {
  readonly #options: TimedOptions;
  readonly #stepper: Stepper;
  readonly #known = new Map<string, Turn>();
  #ledger: Fields = {};

  constructor(options: TimedOptions) {
    this.#options = options;
    this.#stepper = createStepper(options.machine, options.effects);
  }

  start(input: unknown): Turn {
    const step = this.#stepper.start(input);
    this.#ledger = { ...(step.snapshot.context as { ledger: Fields }).ledger, ...this.#ledger };
    return this.#turn([], step);
  }

  send(timed: Timed, event: Message): Turn {
    if (timed.status === 'done') return { next: timed, effects: [] };
    const stamped: Message = { ...event, at: 0 };
    return this.#step(timed, timed.timers, stamped);
  }

  /** The delay is over. */
  expire(timed: Timed, event: string): Turn {
    const rest = timed.timers.filter((timer) => timer.event !== event);
    return this.#step(timed, rest, { type: event });
  }

  /** A tick later. */
  tick(timed: Timed): Timed {
    if (timed.status === 'done') return timed;
    const moments = this.#options.moments.map((field): [string, number] => [
      field,
      Math.max(-this.#options.longAgo, Number(timed.ledger[field]) - 1),
    ]);
    const ledger = { ...timed.ledger, ...Object.fromEntries(moments) };
    const timers = timed.timers.map(({ event, left }) => ({ event, left: Math.max(0, left - 1) }));
    return { ...timed, ledger, timers };
  }

  #step(timed: Timed, timers: Timed['timers'], event: EventObject): Turn {
    const key = JSON.stringify([timed, event]);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const { machine } = this.#options;
    const { value, control } = timed;
    const context = { control, ledger: { ...this.#ledger, ...timed.ledger } };
    const snapshot = machine.resolveState({ value, context } as never) as AnyMachineSnapshot;
    const step = this.#stepper.step(snapshot, event);
    if (step.unexpected)
      throw new Error(`${machine.id} does not expect ${event.type} in ${JSON.stringify(value)}`);
    const turn = this.#turn(timers, step);
    this.#known.set(key, turn);
    return turn;
  }

  #turn(before: Timed['timers'], { snapshot, effects, timers: changes }: Step): Turn {
    const { constant, of } = this.#options;
    const { control, ledger } = snapshot.context as { control: Fields; ledger: Fields };
    let timers = before;
    for (const change of changes) {
      const id = 'set' in change ? change.set : change.cleared;
      timers = timers.filter(({ event }) => event !== id);
      if ('set' in change) timers = [...timers, { event: change.event.type, left: change.delayMs }];
    }
    const done = snapshot.status === 'done';
    const kept = Object.entries(ledger).filter(([field]) => !constant.includes(field));
    const next: Timed = {
      status: done ? 'done' : 'active',
      value: snapshot.value,
      control: done ? {} : { ...control, of },
      ledger: done ? {} : Object.fromEntries(kept),
      timers: done ? [] : timers.toSorted((a, b) => (a.event < b.event ? -1 : 1)),
    };
    return { next, effects };
  }
}

/** True for a state and for every state that is around it. */
export function isIn({ value }: Timed, path: string): boolean {
  let at = value;
  for (const name of path.split('.')) {
    if (at === name) return true;
    if (typeof at !== 'object' || at === null || !(name in at)) return false;
    at = (at as Fields)[name];
  }
  return true;
}
