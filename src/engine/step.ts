// A machine as a value: one event in, the next snapshot and what is to be done out. Nothing is executed.
// Invariant: a pure function of (machine, snapshot, event); the machine object is the one that production runs.
import type { AnyMachineSnapshot, AnyStateMachine, EventObject } from 'xstate';
import type { Effects } from '../../machines/types.ts';

/** A named action that was due, with its payload computed on the context at its place. */
export interface Effect {
  readonly type: string;
  readonly payload: object;
}

/** A delay that started or ended. `id` is unique within the machine; `name` is the machine's own name for the delay. */
export type TimerChange =
  | { readonly set: string; readonly name: string; readonly delayMs: number; readonly event: EventObject }
  | { readonly cleared: string };

export interface Step {
  readonly snapshot: AnyMachineSnapshot;
  readonly effects: readonly Effect[];
  readonly timers: readonly TimerChange[];
  /** The event was neither handled nor explicitly ignored in this state: a defect. */
  readonly unexpected: boolean;
}

export interface Stepper {
  start(input: unknown): Step;
  step(snapshot: AnyMachineSnapshot, event: EventObject): Step;
}

interface Action {
  readonly type: string;
  readonly params: unknown;
  readonly info: { readonly context: unknown; readonly event: EventObject };
}

interface Raise {
  readonly event: EventObject;
  readonly id: string;
  readonly delay?: number;
}

const AFTER = 'xstate.after.';

/** A step of more microsteps than this is taken for an endless one: XState itself sets no limit. */
const MOST_MICROSTEPS = 10_000;

/** `xstate.after.backoffDelay.connection.backoff` → `backoffDelay` */
export function delayName(timerId: string): string {
  const rest = timerId.startsWith(AFTER) ? timerId.slice(AFTER.length) : timerId;
  return rest.slice(0, rest.indexOf('.') === -1 ? rest.length : rest.indexOf('.'));
}

function restless(id: string, state: unknown): Error {
  return new Error(
    `machine ${id} does not come to rest: after ${MOST_MICROSTEPS} microsteps it is in ${JSON.stringify(state)}; ` +
      'give its `always` or raised events a guard that ends them',
  );
}

/**
 * Makes a stepper for `machine`. An action that is not among `effects` and is not XState's own becomes an effect
 * with an empty payload, so that machines of others can be stepped too.
 *
 * @throws what a guard, an assign or an effect's payload function throws; Error when `always` or raised events never end
 */
export function createStepper(machine: AnyStateMachine, effects: Effects<never> = {}): Stepper {
  let actions: Action[] = [];
  let unexpected = false;
  let microsteps = 0;
  // What actors that the machine invokes or spawns ask of their system; they are never started.
  const system = {
    _bookId: () => `${machine.id}/child`,
    _register() {},
    _unregister() {},
    _set() {},
    get() {},
    getAll: () => ({}),
    _sendInspectionEvent(inspected: {
      type: string;
      event?: EventObject;
      snapshot?: { readonly value?: unknown };
      _transitions?: readonly unknown[];
    }) {
      if (inspected.type !== '@xstate.microstep') return;
      if (++microsteps > MOST_MICROSTEPS) throw restless(machine.id, inspected.snapshot?.value);
      if (inspected._transitions?.length !== 0) return;
      if (!inspected.event?.type.startsWith('xstate.')) unexpected = true;
    },
  };
  // An actor scope of our own: XState's `transition()` builds an actor for each call and is twice as slow.
  const scope = {
    self: { id: machine.id, sessionId: machine.id, system, send() {}, getSnapshot() {} },
    id: machine.id,
    sessionId: machine.id,
    logger() {},
    defer() {},
    emit() {},
    stopChild() {},
    actionExecutor: (action: Action) => void actions.push(action),
    system,
  };
  // The scope's type is XState's own and far larger than what a pure step touches.
  const ownScope = scope as unknown as Parameters<AnyStateMachine['transition']>[2];

  function collect(run: () => AnyMachineSnapshot): Step {
    actions = [];
    unexpected = false;
    microsteps = 0;
    const snapshot = run();
    if (snapshot.status === 'error') throw snapshot.error;
    const due: Effect[] = [];
    const timers: TimerChange[] = [];
    for (const { type, params, info } of actions) {
      if (type === 'xstate.raise') {
        const { event, id, delay } = params as Raise;
        if (delay !== undefined) timers.push({ set: id, name: delayName(id), delayMs: delay, event });
      } else if (type === 'xstate.cancel') {
        timers.push({ cleared: (params as { sendId: string }).sendId });
      } else {
        const payload = effects[type]?.(info as never) ?? {};
        due.push({ type, payload });
      }
    }
    return { snapshot, effects: due, timers, unexpected };
  }

  return {
    start: (input) => collect(() => machine.getInitialSnapshot(ownScope, input) as AnyMachineSnapshot),
    step: (snapshot, event) =>
      collect(() => machine.transition(snapshot as never, event, ownScope) as AnyMachineSnapshot),
  };
}
