// Machines whose actors survive a restart by a small record, and all the records that one version can leave.
// Invariant: a record is plain data, what a file gives back; a restarted actor is started with it, never restored.
import type {
  AnyMachineSnapshot,
  AnyStateMachine,
  ContextFrom,
  EventFrom,
  EventObject,
  InputFrom,
} from 'xstate';
import { createStepper, type Step, type Stepper } from './step.ts';
import { historyOf } from './transition-record.ts';

/**
 * A machine with what its actors leave behind. A record holds budgets consumed, counters and ids: never a deadline, never
 * a wall time, so that downtime does not count.
 */
export interface Durable<M extends AnyStateMachine = AnyStateMachine, R = unknown> {
  readonly machine: M;
  /** What is written down of an actor with this context. */
  record(context: ContextFrom<M>): R;
  /** What an actor is started with; the record is undefined for one that starts for the first time. */
  input(record: R | undefined): InputFrom<M>;
  /** Events that are tried in every state, with their payloads. @default each event that the machine names, bare */
  readonly examples?: readonly EventFrom<M>[] | undefined;
  /** Says what is wrong with an actor that was started from a record; undefined when nothing is. @default nothing is */
  legal?(context: ContextFrom<M>, state: unknown): string | undefined;
}

/** The same with the types taken off: what a module exports. */
export interface AnyDurable {
  readonly machine: AnyStateMachine;
  readonly record: (context: unknown) => unknown;
  readonly input: (record: unknown) => unknown;
  readonly examples?: readonly EventObject[] | undefined;
  readonly legal?: ((context: unknown, state: unknown) => string | undefined) | undefined;
}

interface Place {
  readonly snapshot: AnyMachineSnapshot;
  /** Delays that run, by their ids. */
  readonly delays: ReadonlyMap<string, EventObject>;
  readonly depth: number;
  /** JSON text of the record that it leaves, when no place before left the same. */
  readonly leaves: string | undefined;
}

export interface Exploration {
  /** Different states that were visited: value, history, context (or `control` and record), delays that run. */
  readonly states: number;
  readonly depth: number;
  /** `limited`: there are more states than were allowed. */
  readonly extent: 'complete' | 'limited';
  /** Each different record, by its JSON text, as a file would give it back. */
  readonly records: ReadonlyMap<string, unknown>;
  /** Every snapshot that an actor rests in. */
  readonly rests: readonly AnyMachineSnapshot[];
}

interface Split {
  readonly control: unknown;
}

const compared = (context: unknown): unknown =>
  typeof context === 'object' && context !== null && 'control' in context && 'ledger' in context
    ? (context as Split).control
    : context;

/** Events that a machine names, without payloads. */
export function bareEvents(machine: AnyStateMachine): EventObject[] {
  const own = machine.events.filter(
    (type) => !type.startsWith('xstate.') && !type.endsWith('*') && type !== '',
  );
  return own.map((type) => ({ type }));
}

/**
 * Visits what the examples, the delays and restarts from records lead to, breadth first.
 * @throws Error that says which record or event the version itself fails on
 */
export function explore(durable: AnyDurable, maxStates: number, version: string): Exploration {
  return new Explorer(durable, maxStates, `the ${version} version of machine ${durable.machine.id}`).run();
}

class Explorer {
  readonly #durable: AnyDurable;
  readonly #maxStates: number;
  readonly #who: string;
  readonly #stepper: Stepper;
  readonly #events: readonly EventObject[];
  readonly #seen = new Set<string>();
  readonly #records = new Map<string, unknown>();
  readonly #queue: Place[] = [];
  #extent: Exploration['extent'] = 'complete';

  constructor(durable: AnyDurable, maxStates: number, who: string) {
    this.#durable = durable;
    this.#who = who;
    this.#maxStates = maxStates;
    this.#stepper = createStepper(durable.machine);
    this.#events = durable.examples ?? bareEvents(durable.machine);
  }

  run(): Exploration {
    this.#visit(this.#start(undefined), undefined, 0);
    // The queue keeps what it gave out: at the end it is every place.
    for (let next = 0; next < this.#queue.length; next += 1) {
      const place = this.#queue[next];
      if (place === undefined) continue;
      // A crash may come at any moment; what is started from the record goes on from there.
      if (place.leaves !== undefined)
        this.#visit(this.#start(JSON.parse(place.leaves)), undefined, place.depth + 1);
      if (place.snapshot.status !== 'active') continue;
      for (const event of [...this.#events, ...place.delays.values()])
        this.#visit(this.#step(place, event), place, place.depth + 1, event);
    }
    return {
      states: this.#queue.length,
      depth: this.#queue.at(-1)?.depth ?? 0,
      extent: this.#extent,
      records: this.#records,
      rests: this.#queue.map(({ snapshot }) => snapshot),
    };
  }

  #start(record: unknown): Step {
    const { input } = this.#durable;
    return attempt(`${this.#who} cannot start from ${textOf(record)}`, () =>
      this.#stepper.start(input(record)),
    );
  }

  #step({ snapshot }: Place, event: EventObject): Step {
    return attempt(`${this.#who} fails on ${event.type} in ${textOf(snapshot.value)}`, () =>
      this.#stepper.step(snapshot, event),
    );
  }

  #visit({ snapshot, timers }: Step, from: Place | undefined, depth: number, fired?: EventObject): void {
    const delays = new Map(from?.delays);
    if (fired !== undefined) delays.delete(fired.type);
    for (const change of timers) {
      if ('set' in change) delays.set(change.set, change.event);
      else delays.delete(change.cleared);
    }
    const { record, text } = attempt(`record(context) of ${this.#who} fails`, () => {
      const left = this.#durable.record(snapshot.context);
      return { record: left, text: textOf(left) };
    });
    const { value, context } = snapshot;
    const key = textOf([value, historyOf(snapshot), compared(context), text, [...delays.keys()].sort()]);
    if (this.#seen.has(key)) return;
    if (this.#queue.length >= this.#maxStates) {
      this.#extent = 'limited';
      return;
    }
    this.#seen.add(key);
    const leaves = record === undefined || this.#records.has(text) ? undefined : text;
    this.#queue.push({ snapshot, delays, depth, leaves });
    if (record !== undefined) this.#records.set(text, record);
  }
}

export function textOf(value: unknown): string {
  return JSON.stringify(value) ?? 'undefined';
}

function attempt<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw new Error(`${what}: ${String(cause)}`, { cause });
  }
}
