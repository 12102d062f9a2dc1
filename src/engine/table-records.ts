// Transition records of actors that run on a compiled table, by the hundred thousand.
// Invariant: an actor is known by its object; nothing is kept of one that nobody else holds.
import type { AnyStateMachine, EventObject } from 'xstate';
import { INIT, type TransitionRecord, type TransitionSink } from './transition-record.ts';

/** Is told of each event after it was handled or ignored. `from` is a state's index, -1 for the start. */
export type Observer<A> = (actor: A, event: EventObject, from: number) => void;

export interface TableRecords<A> {
  readonly machine: AnyStateMachine;
  readonly run: string;
  /** Id of an actor; `n` counts those that started, from 1. */
  id(actor: A, n: number): string;
  now(): number;
}

/** What an actor of a table holds, whatever else it carries. */
interface Row {
  readonly state: number;
  readonly context: unknown;
}

interface Known {
  readonly id: string;
  seq: number;
}

/** One observer for several who want to be told; undefined when there are none. */
export function observeBy<A>(...observers: (Observer<A> | undefined)[]): Observer<A> | undefined {
  const [first, ...others] = observers.filter((observer) => observer !== undefined);
  if (first === undefined || others.length === 0) return first;
  return (actor, event, from) => {
    first(actor, event, from);
    for (const other of others) other(actor, event, from);
  };
}

/** An observer for `CompiledMachine.observe`; undefined when nobody takes records, which costs nothing. */
export function observeTable<A extends Row>(
  sink: TransitionSink | undefined,
  { machine, run, id, now }: TableRecords<A>,
): Observer<A> | undefined {
  if (sink === undefined) return undefined;
  const nodes = Object.values(machine.root.states);
  const known = new WeakMap<A, Known>();
  let started = 0;
  return (actor, event, from) => {
    let one = known.get(actor);
    if (one === undefined) {
      started += 1;
      one = { id: id(actor, started), seq: 0 };
      known.set(actor, one);
    }
    one.seq += 1;
    const to = nodes[actor.state];
    const record: TransitionRecord = {
      run,
      actor: one.id,
      machine: machine.id,
      seq: one.seq,
      at: now(),
      event: from === -1 ? { type: INIT } : event,
      from: nodes[from]?.key ?? null,
      to: to?.key ?? null,
      context: actor.context,
      status: to?.type === 'final' ? 'done' : undefined,
    };
    sink(record);
  };
}
