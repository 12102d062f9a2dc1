// Transition records of an actor system, out of what it tells an onlooker.
// Invariant: one record for each event that an actor took, in the order in which it took them.
import type { AnyMachineSnapshot, EventObject, StateValue } from 'xstate';
import { historyOf, INIT, STOP } from '../engine/transition-record.ts';
import type { TransitionRecord, TransitionSink } from '../engine/transition-record.ts';
import type { InspectionRecord } from './inspection.ts';

interface Known {
  readonly machine: string;
  input: unknown;
  seq: number;
  value: StateValue | null;
  /** What it is handling; undefined in between. */
  event: EventObject | undefined;
}

/**
 * For `createSystem({ inspect })`: turns what happens into transition records. Undefined without a sink, so that
 * nothing is recorded at all.
 */
export function recordTransitions(
  sink: TransitionSink | undefined,
  run: string,
): ((record: InspectionRecord) => void) | undefined {
  if (sink === undefined) return undefined;
  const actors = new Map<string, Known>();
  return (record) => {
    if (record.kind === 'created') {
      const seq = actors.get(record.actor)?.seq ?? 0;
      const { machine, input } = record;
      actors.set(record.actor, { machine: machine.id, input, seq, value: null, event: { type: INIT } });
      return;
    }
    const known = actors.get(record.actor);
    if (known === undefined) return;
    if (record.kind === 'event') known.event = record.event;
    const told = tell(known, record);
    if (told !== undefined) {
      known.seq += 1;
      const { actor, at } = record;
      sink({ run, actor, machine: known.machine, seq: known.seq, at, ...told });
      known.event = undefined;
      known.value = told.to;
      known.input = undefined;
    }
    if (record.kind === 'ended') actors.delete(record.actor);
  };
}

type Told = Pick<TransitionRecord, 'event' | 'from' | 'to' | 'context' | 'history' | 'status' | 'error'>;

function tell({ value: from, input, event }: Known, record: InspectionRecord): Told | undefined {
  switch (record.kind) {
    case 'started':
      return {
        event: { type: INIT },
        from,
        ...after(record.snapshot),
        ...(input === undefined ? {} : { input }),
      };
    case 'handled':
      return { event: record.event, from, ...after(record.snapshot) };
    case 'crashed':
      return {
        event: event ?? { type: 'xstate.error' },
        from,
        to: from,
        status: 'error',
        error: String(record.error),
      };
    case 'ended':
      // An actor that is done, or crashed, said so in the record before.
      return record.ending.status === 'stopped'
        ? { event: { type: STOP }, from, to: from, status: 'stopped' }
        : undefined;
    default:
      return undefined;
  }
}

function after(snapshot: AnyMachineSnapshot): Pick<Told, 'to' | 'context' | 'history' | 'status'> {
  return {
    to: snapshot.value as StateValue,
    context: snapshot.context,
    history: historyOf(snapshot),
    status: snapshot.status === 'done' ? 'done' : undefined,
  };
}
