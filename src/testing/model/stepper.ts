// The model: a machine that is stepped as a value, with its delays on a virtual clock and its actors scripted.
// Invariant: a pure function of (state, move); nothing is executed, no actor is started, no time passes.
import {
  createEmptyActor,
  type AnyActorRef,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type AnyStateNode,
  type AnyTransitionDefinition,
  type EventObject,
} from 'xstate';
import { MAX_ENDS } from './clock.ts';
import type { Move } from './steps.ts';

/** A delay that runs. */
export interface RunningDelay {
  readonly id: string;
  /** The machine's own name for it, or its length: `debounce`, `300 ms`. */
  readonly name: string;
  readonly dueMs: number;
  readonly event: EventObject;
}

/** A state of the model, and what was taken to get there. */
export interface ModelState {
  readonly snapshot: AnyMachineSnapshot;
  readonly nowMs: number;
  /** In the order in which they end. */
  readonly delays: readonly RunningDelay[];
  /** Actors that have answered for good. */
  readonly ended: ReadonlySet<AnyActorRef>;
  /** The transitions that the last move took, one list a microstep. */
  readonly microsteps: readonly (readonly AnyTransitionDefinition[])[];
  /** The states that were entered or kept on the way, those that were left at once among them. */
  readonly visited: readonly AnyStateNode[];
}

export interface Stepper {
  start(): ModelState;
  step(from: ModelState, move: Move): ModelState;
}

/** More microsteps than this within one step are a loop of `always` or raised events. */
const MAX_MICROSTEPS = 5_000;
const AFTER = 'xstate.after.';

interface Action {
  readonly type: string;
  readonly params: unknown;
}

interface Sent {
  readonly to?: unknown;
  readonly event: EventObject;
  readonly id?: string;
  readonly delay?: number;
}

/** `xstate.after.300.form.editing` → `300 ms`; `xstate.after.debounce.form.editing` → `debounce`. */
function delayName({ id, event }: Sent): string {
  const type = id?.startsWith(AFTER) ? id : event.type;
  if (!type.startsWith(AFTER)) return id ?? event.type;
  const name = type.slice(AFTER.length).split('.')[0] ?? '';
  return /^\d+$/.test(name) ? `${name} ms` : name;
}

/** What a step has to hand while it runs. */
interface Run {
  snapshot: AnyMachineSnapshot | undefined;
  nowMs: number;
  delays: RunningDelay[];
  mailbox: EventObject[];
  microsteps: (readonly AnyTransitionDefinition[])[];
  visited: Set<AnyStateNode>;
}

function applied(run: Run, actions: readonly Action[], self: unknown): void {
  for (const { type, params } of actions) {
    const sent = params as Sent;
    const toSelf = type === 'xstate.raise' || (type === 'xstate.sendTo' && sent.to === self);
    if (toSelf && sent.delay !== undefined) {
      const dueMs = run.nowMs + Math.max(0, sent.delay);
      const delay = { id: sent.id ?? '', name: delayName(sent), dueMs, event: sent.event };
      const at = run.delays.findIndex((other) => other.dueMs > dueMs);
      run.delays.splice(at < 0 ? run.delays.length : at, 0, delay);
    } else if (type === 'xstate.sendTo' && toSelf) run.mailbox.push(sent.event);
    else if (type === 'xstate.cancel') {
      const { sendId } = params as { readonly sendId: string };
      run.delays = run.delays.filter(({ id }) => id !== sendId);
    }
  }
}

/** Where an actor's surroundings would be: they take note and do nothing. */
function createScope(machine: AnyStateMachine) {
  const empty = createEmptyActor();
  const world = {
    actions: [] as Action[],
    microsteps: [] as (readonly AnyTransitionDefinition[])[],
    visited: new Set<AnyStateNode>(),
  };
  const bySystemId = new Map<string, unknown>();
  const self = Object.create(empty, {
    _parent: { value: createEmptyActor() },
    system: {
      value: Object.assign(Object.create(empty.system as object) as object, {
        get: (id: string) => bySystemId.get(id),
        _set: (id: string, actor: unknown) => void bySystemId.set(id, actor),
        _sendInspectionEvent(inspected: {
          readonly type: string;
          readonly actorRef?: unknown;
          readonly snapshot?: AnyMachineSnapshot;
          readonly _transitions?: readonly AnyTransitionDefinition[];
        }) {
          if (inspected.type !== '@xstate.microstep' || inspected.actorRef !== self) return;
          world.microsteps.push(inspected._transitions ?? []);
          for (const node of inspected.snapshot?._nodes ?? []) world.visited.add(node);
          if (world.microsteps.length <= MAX_MICROSTEPS) return;
          throw new Error(
            `${machine.id} took ${MAX_MICROSTEPS} microsteps without coming to rest: its \`always\` transitions or raised events form a loop; give one of them a guard that ends it`,
          );
        },
      }),
    },
  }) as AnyActorRef;
  const scope = {
    self,
    id: machine.id,
    sessionId: machine.id,
    system: self.system as unknown,
    logger() {},
    defer() {},
    emit() {},
    stopChild() {},
    actionExecutor: (action: Action) => void world.actions.push(action),
  };
  // The scope's type is XState's own and far larger than what a pure step touches.
  return { world, self, scope: scope as unknown as Parameters<AnyStateMachine['transition']>[2] };
}

/** A machine as a model. `machine` comes from `withScriptedActors`. */
export function createStepper(machine: AnyStateMachine, input: unknown): Stepper {
  const { world, self, scope } = createScope(machine);

  function settle(run: Run, next: () => AnyMachineSnapshot): void {
    world.actions = [];
    world.microsteps = [];
    world.visited = new Set();
    run.snapshot = next();
    run.microsteps.push(...world.microsteps);
    for (const node of [...world.visited, ...run.snapshot._nodes]) run.visited.add(node);
    applied(run, world.actions, self);
    if (run.snapshot.status !== 'active') run.delays = [];
  }

  function deliver(run: Run, event: EventObject): void {
    run.mailbox.push(event);
    drain(run);
  }

  function drain(run: Run): void {
    for (let next = run.mailbox.shift(); next !== undefined; next = run.mailbox.shift()) {
      const event = next;
      if (run.snapshot?.status !== 'active') return;
      const { snapshot } = run;
      if (run.microsteps.length > MAX_MICROSTEPS)
        throw new Error(`${machine.id} sends itself events without end, the last one ${event.type}`);
      settle(run, () => machine.transition(snapshot as never, event, scope) as AnyMachineSnapshot);
    }
  }

  function wait(run: Run): void {
    const endMs = run.delays[0]?.dueMs ?? run.nowMs;
    run.nowMs = endMs;
    for (let ends = 0; (run.delays[0]?.dueMs ?? Infinity) <= endMs; ends += 1) {
      if (ends === MAX_ENDS) throw new Error(`${machine.id} sets delays of no length without end`);
      const ended = run.delays.shift();
      if (ended !== undefined) deliver(run, ended.event);
    }
  }

  const finished = (run: Run, ended: ReadonlySet<AnyActorRef>): ModelState => {
    const { snapshot, nowMs, delays, microsteps, visited } = run;
    if (snapshot === undefined) throw new Error(`${machine.id} has no snapshot`);
    return { snapshot, nowMs, delays, microsteps, visited: [...visited], ended };
  };

  return {
    start() {
      const run: Run = {
        snapshot: undefined,
        nowMs: 0,
        delays: [],
        mailbox: [],
        microsteps: [],
        visited: new Set(),
      };
      settle(run, () => machine.getInitialSnapshot(scope, input) as AnyMachineSnapshot);
      if (run.snapshot?.status === 'error') {
        const { error } = run.snapshot;
        throw new Error(
          `${machine.id} fails when it starts (${String(error)}); does it need another \`input\`?`,
          {
            cause: error,
          },
        );
      }
      drain(run);
      return finished(run, new Set());
    },
    step(from, move) {
      const run: Run = {
        snapshot: from.snapshot,
        nowMs: from.nowMs,
        delays: [...from.delays],
        mailbox: [],
        microsteps: [],
        visited: new Set(),
      };
      let { ended } = from;
      if (move.kind === 'wait' && move.until === 'middle') run.nowMs += move.delayMs;
      else if (move.kind === 'wait') wait(run);
      else {
        const child = move.kind === 'actor' ? (from.snapshot.children[move.id] as AnyActorRef) : undefined;
        if (
          move.kind === 'actor' &&
          child !== undefined &&
          ('output' in move.outcome || 'error' in move.outcome)
        )
          ended = new Set([...ended, child]);
        deliver(run, move.event);
      }
      return finished(run, ended);
    },
  };
}
