// Calls as one system: the machines of production, the shells of client, hub and nodes, the sockets between them.
// Invariant: one client and one call; everything else is what the options say.
import type { AnyStateMachine } from 'xstate';
import { callEffects, callInput, callMachine } from '../../../machines/call.ts';
import { executionEffects, executionInput, executionMachine } from '../../../machines/execution.ts';
import { defineSystem, model, sockets } from '../../../src/checker/index.ts';
import type { Action, ModelActor, Output, SystemDefinition, View } from '../../../src/checker/index.ts';
import { Asking, clientModel, type Asked } from './client-side.ts';
import type { Hub } from './hub-records.ts';
import { Routing } from './hub-side.ts';
import { hubModel } from './hub.ts';
import { CALL, CLIENT, execution, HUB, link, nodeOf, tell, WITNESS } from './names.ts';
import { nodeModel, routeExecution, Running, type Ran } from './node-side.ts';

export interface CallsOptions {
  /** @default ['n1'] */
  readonly slots?: readonly string[];
  /** @default 0 */
  readonly idempotent?: 0 | 1;
  /** Attempts in all. @default 2 */
  readonly attempts?: number;
  /** The node that the client guesses at first. @default '' */
  readonly presumed?: string;
  /** How often each fault may happen; one that is not named does not happen. */
  readonly budgets?: Partial<Record<Fault, number>>;
  /** Whether deadlines may pass, at both ends. @default 'never' */
  readonly deadlines?: 'never' | 'at any time';
  /** Whether those who live come back to a young hub, and answer, before it is old. @default 'in time' */
  readonly comeBack?: 'in time' | 'at any time';
  readonly call?: AnyStateMachine;
  readonly execution?: AnyStateMachine;
  readonly client?: typeof Asking;
  readonly node?: typeof Running;
  readonly hub?: typeof Routing;
}

export type Fault = 'cut' | 'hubCrash' | 'nodeCrash' | 'cancel' | 'expire' | 'evict' | 'over';

/** What really happened; 3 stands for more, too. */
export interface Happened {
  readonly began: number;
  readonly finished: number;
  readonly settled: number;
}

const witness = model<Happened>({
  initial: { began: 0, finished: 0, settled: 0 },
  step: (seen, { type }) => {
    const what = type as keyof Happened; // told by this folder alone
    return { state: { ...seen, [what]: Math.min(3, seen[what] + 1) } };
  },
});

/** Numbers of attempts are compared with their limit, so they must keep their values: something always holds them all. */
const numbers = (attempts: number): ModelActor =>
  model({
    initial: Array.from({ length: attempts }, (_, i) => ({ epoch: i + 1 })),
    step: (state) => ({ state }),
  });

function actionsFor(slots: readonly string[]): Record<string, Action> {
  const all = [CLIENT, ...slots];
  const crashed = all.map((peer) => tell(link(peer), 'crash', { end: 'far' }));
  return {
    'the hub crashes and restarts without memory': {
      outputs: [tell(HUB, 'crashed'), ...crashed],
      budget: 'hubCrash',
    },
    'the caller cancels': { outputs: [tell(CLIENT, 'cancel')], budget: 'cancel' },
    'the client’s link ends for good': { outputs: [tell(CLIENT, 'over')], budget: 'over' },
    ...Object.fromEntries(
      slots.map((slot): [string, Action] => [
        `the process of ${slot} dies, and another starts`,
        { outputs: [tell(nodeOf(slot), 'crashed')], budget: 'nodeCrash' },
      ]),
    ),
  };
}

function actorsOf(
  options: CallsOptions,
  slots: readonly string[],
  attempts: number,
): SystemDefinition['actors'] {
  const { idempotent = 0, presumed = '', comeBack = 'in time' } = options;
  const actors: Record<string, SystemDefinition['actors'][string]> = {
    [`numbers of ${CALL}`]: numbers(attempts),
    [CLIENT]: clientModel(options.client ?? Asking, presumed),
    [HUB]: hubModel(options.hub ?? Routing, { slots, idempotent }, comeBack),
    [WITNESS]: witness,
  };
  for (const slot of slots) {
    actors[nodeOf(slot)] = nodeModel(slot, options.node ?? Running);
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const machine = options.execution ?? executionMachine;
      const parts = { machine, effects: executionEffects, input: executionInput };
      actors[execution(slot, attempt)] = { ...parts, started: false };
    }
  }
  for (const peer of [CLIENT, ...slots]) {
    const near = peer === CLIENT ? CLIENT : nodeOf(peer);
    actors[link(peer)] = sockets({
      called: `socket of ${peer}`,
      near: (heard) => [{ tell: near, event: { ...heard } }],
      far: (heard) => [{ tell: HUB, event: { peer, ...heard } }],
      maxFarSockets: 1,
      equalFrames: 'kept',
      breaks: { cut: 'cut' },
    });
  }
  // The last to start: its first effect makes everybody dial.
  actors[CALL] = {
    machine: options.call ?? callMachine,
    effects: callEffects,
    input: { ...callInput, idempotent, attemptLimit: attempts },
  };
  return actors;
}

export function calls(options: CallsOptions = {}): SystemDefinition {
  const { slots = ['n1'], attempts = 2, deadlines = 'never' } = options;
  const none = { cut: 0, hubCrash: 0, nodeCrash: 0, cancel: 0, expire: 0, evict: 0, over: 0 };
  function routeCall(type: string, payload: object): Output[] | undefined {
    const toClient: Output = tell(CLIENT, type, payload);
    if (type === 'sendCancel') return [toClient];
    if (type === 'settle') return [toClient, tell(WITNESS, 'settled')];
    if (type !== 'sendAttempt') return undefined;
    const isFirst = (payload as { epoch: number }).epoch === 1;
    return isFirst ? [toClient, ...slots.map((slot) => tell(nodeOf(slot), 'boot'))] : [toClient];
  }
  return defineSystem({
    actors: actorsOf(options, slots, attempts),
    actions: actionsFor(slots),
    budgets: { ...none, ...options.budgets },
    fires: () => deadlines === 'at any time',
    route(actor, { type, payload }) {
      if (actor === CALL) return routeCall(type, payload);
      const [, attempt = '', slot = ''] = actor.split(' ');
      return routeExecution(slot, Number(attempt), type);
    },
    epochFamily: (_field, holder, part) =>
      (holder['peer'] as string | undefined) ?? part.split(' ').at(-1) ?? part,
  });
}

/** What a property needs to know, each asked of the view when it is read: a property is judged for what it asks. */
export function look(view: View, slots: readonly string[]) {
  return {
    get call() {
      return view.actor(CALL);
    },
    get client() {
      return view.model<Asked>(CLIENT);
    },
    get hub() {
      return view.model<Hub>(HUB);
    },
    get nodes() {
      return slots.map((slot) => view.model<Ran>(nodeOf(slot)));
    },
    get happened() {
      return view.model<Happened>(WITNESS);
    },
  };
}
