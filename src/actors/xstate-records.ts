// Transition records of actors that XState runs by itself: machines of an application, and the machines that they invoke.
// Invariant: only listens; an actor is known by its object, and nothing is kept of one that is gone.
import type {
  AnyActorRef,
  AnyMachineSnapshot,
  AnyStateMachine,
  EventObject,
  InspectionEvent,
  StateValue,
} from 'xstate';
import { historyOf, INIT, STOP } from '../engine/transition-record.ts';
import type { TransitionRecord, TransitionSink } from '../engine/transition-record.ts';

export interface InspectorOptions {
  /** Monotonic milliseconds. */
  now(): number;
  /** Tells this process from others that write to the same file. @default none */
  readonly run?: string;
}

interface Known {
  readonly id: string;
  readonly machine: string;
  seq: number;
  value: StateValue | null;
}

/** `order-1`, or `order-1/payment` for an actor that it invoked. */
function pathOf({ id, _parent: parent }: AnyActorRef): string {
  return parent === undefined ? id : `${pathOf(parent)}/${id}`;
}

function machineOf(actor: AnyActorRef): AnyStateMachine | undefined {
  const { logic } = actor as unknown as { readonly logic?: object };
  return logic !== undefined && 'root' in logic ? (logic as AnyStateMachine) : undefined;
}

/** What a snapshot says beyond where it leads; an actor that was stopped or crashed stays where it was. */
function rest(
  event: EventObject,
  snapshot: AnyMachineSnapshot,
  from: StateValue | null,
): Pick<TransitionRecord, 'to' | 'context' | 'history' | 'status' | 'error'> {
  if (snapshot.status === 'error') return { to: from, status: 'error', error: String(snapshot.error) };
  if (event.type === STOP) return { to: from, status: 'stopped' };
  return {
    to: snapshot.value as StateValue,
    context: snapshot.context as unknown,
    history: historyOf(snapshot),
    status: snapshot.status === 'done' ? 'done' : undefined,
  };
}

/**
 * For XState's own `createActor(machine, { inspect })`: writes down what the actor and the machines that it invokes do.
 * Ids of root actors must differ within a run: give each one (`createActor(machine, { id })`). Of an event on which an
 * action or a guard throws XState tells nobody: such a log ends with the line before.
 */
export function inspectTransitions(
  sink: TransitionSink,
  { now, run }: InspectorOptions,
): (inspected: InspectionEvent) => void {
  const actors = new WeakMap<object, Known>();
  return (inspected) => {
    if (inspected.type !== '@xstate.snapshot') return;
    const actor = inspected.actorRef as AnyActorRef;
    const machine = machineOf(actor);
    if (machine === undefined) return;
    const { event } = inspected;
    const known = actors.get(actor) ?? { id: pathOf(actor), machine: machine.id, seq: 0, value: null };
    // The event of the start carries the input.
    const { input } = event as { readonly input?: unknown };
    const starts = event.type === INIT;
    const told = rest(event, inspected.snapshot as AnyMachineSnapshot, known.value);
    known.seq += 1;
    sink({
      ...(run === undefined ? {} : { run }),
      actor: known.id,
      machine: known.machine,
      seq: known.seq,
      at: now(),
      event: starts ? { type: INIT } : event,
      from: known.value,
      ...told,
      ...(starts && input !== undefined ? { input } : {}),
    });
    known.value = told.to;
    actors.set(actor, known);
  };
}
