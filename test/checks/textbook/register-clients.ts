// Clients of a register that servers keep together, over a network of Stateright's kind: real machines that ask one
// thing after the other, and a history that hears each question when it is sent and each answer when it arrives.
// Invariant: a message that changes nothing where it arrives stays in flight, so states compare with Stateright's.
import { assign, setup } from 'xstate';
import {
  defineSystem,
  linearizability,
  model,
  type Channel,
  type MachineActor,
  type Message,
  type ModelActor,
  type Output,
  type SystemDefinition,
  type View,
  type Violation,
} from '../../../src/checker/index.ts';

export type Operation = { readonly put: string } | 'get';

/** The register before anything was written. */
export const NOTHING = '-';

/** A put returns 'ok', a get the value. */
export const histories = linearizability<string, Operation, string>({
  initial: NOTHING,
  apply: (value, operation) =>
    operation === 'get' ? { state: value, result: value } : { state: operation.put, result: 'ok' },
  inWords: (operation) => (operation === 'get' ? 'get' : `put ${operation.put}`),
});

export interface Envelope extends Message {
  readonly src: string;
  readonly dst: string;
}

interface Script {
  readonly name: string;
  /** Number among all actors, servers first: it decides which server is asked, and makes the requests' ids unique. */
  readonly index: number;
  readonly servers: number;
  readonly operations: readonly Operation[];
}

interface ClientContext extends Script {
  readonly asked: number;
}

const requestOf = ({ asked, index }: ClientContext) => asked * index;

const client = setup({
  types: {} as {
    context: ClientContext;
    input: Script;
    events: { type: 'put.ok'; request: number } | { type: 'get.ok'; request: number; value: string };
  },
  actions: {
    count: assign({ asked: ({ context }) => context.asked + 1 }),
    ask: () => {},
    hear: () => {},
  },
  guards: {
    isAnswer: ({ context, event }) => event.request === requestOf(context),
    wasLast: ({ context, event }) =>
      event.request === requestOf(context) && context.asked === context.operations.length,
  },
}).createMachine({
  id: 'client',
  context: ({ input }) => ({ ...input, asked: 0 }),
  initial: 'waiting',
  states: {
    waiting: {
      entry: ['count', 'ask'],
      on: {
        'put.ok': [
          { guard: 'wasLast', target: 'done', actions: 'hear' },
          { guard: 'isAnswer', target: 'waiting', reenter: true, actions: 'hear' },
          {},
        ],
        'get.ok': [
          { guard: 'wasLast', target: 'done', actions: 'hear' },
          { guard: 'isAnswer', target: 'waiting', reenter: true, actions: 'hear' },
          {},
        ],
      },
    },
    // Not final: late messages are ignored, as everywhere else.
    done: { on: { 'put.ok': {}, 'get.ok': {} } },
  },
});

const effects = {
  ask: ({ context }: { context: ClientContext }) => ({
    operation: context.operations[context.asked - 1],
    request: requestOf(context),
    dst: `s${(context.index + context.asked - 1) % context.servers}`,
  }),
  hear: ({ event }: { event: { type: string; value?: string } }) => ({ result: event.value ?? 'ok' }),
};

/** What a client's effects lead to: first the history hears of it, then the network. */
function routed(src: string, effect: { readonly type: string; readonly payload: object }): Output[] {
  if (effect.type === 'hear') {
    const { result } = effect.payload as ReturnType<typeof effects.hear>;
    return [{ tell: 'history', event: { type: 'return', process: src, result } }];
  }
  const { operation, request, dst } = effect.payload as ReturnType<typeof effects.ask>;
  const question =
    operation === 'get' || operation === undefined
      ? { type: 'get', src, dst, request }
      : { type: 'put', src, dst, request, value: operation.put };
  return [
    { tell: 'history', event: { type: 'invoke', process: src, operation } },
    { send: question, on: 'network' },
  ];
}

/** A server as a pure function: its next state and what it sends; undefined for a message that does not matter to it. */
export type OnMessage<S> = (
  state: S,
  message: Envelope,
) => { readonly state: S; readonly sent: readonly Envelope[] } | undefined;

export function server<S>(initial: S, onMessage: OnMessage<S>): ModelActor {
  return model<S>({
    initial,
    step(state, message) {
      const reaction = onMessage(state, message as Envelope); // only `deliver`, below, tells servers anything
      if (reaction === undefined) return { state };
      return {
        state: reaction.state,
        outputs: reaction.sent.map((send) => ({ send, on: 'network' })),
      };
    },
  });
}

/** Unordered, each message arrives at most once, and not while it would be ignored. */
export const unordered: Channel = { order: 'unordered', ignored: 'stays', capacity: 64 };

/** Each client puts a letter of its own, then gets. */
export const putThenGet = (clients: number): readonly (readonly Operation[])[] =>
  Array.from({ length: clients }, (_, i) => [{ put: String.fromCharCode(65 + i) }, 'get']);

/** Servers `s0`, `s1`… and clients `c0`, `c1`… with their scripts. */
export function registerSystem(
  servers: readonly ModelActor[],
  scripts: readonly (readonly Operation[])[],
  network: Channel = unordered,
): SystemDefinition {
  const clients = scripts.map((operations, i): [string, MachineActor] => {
    const input: Script = { name: `c${i}`, index: servers.length + i, servers: servers.length, operations };
    return [`c${i}`, { machine: client, input, effects }];
  });
  return defineSystem({
    actors: {
      history: histories.history,
      ...Object.fromEntries(servers.map((actor, i) => [`s${i}`, actor])),
      ...Object.fromEntries(clients),
    },
    channels: { network },
    route: routed,
    deliver: (_, message) => [{ to: (message as Envelope).dst, event: message }],
  });
}

export const linearizable = histories.always('history');

/** The steps of a counterexample, short: `c0 → s0: put A`. */
export const exchanges = (violation: Violation | undefined): string[] | undefined =>
  violation?.steps.map(({ label }) => {
    const [, type] = /delivers (\S+)/.exec(label) ?? [];
    const [, src] = /src: (\w+)/.exec(label) ?? [];
    const [, dst] = /dst: (\w+)/.exec(label) ?? [];
    const [, value] = /[{ ]value: (\S+?),? /.exec(label) ?? [];
    return `${src} → ${dst}: ${type}${value === undefined ? '' : ` ${value}`}`;
  });

/** A get is answered with a value that somebody put. */
export const valueChosen = (view: View): boolean =>
  view.channel('network').some(({ type, value }) => type === 'get.ok' && value !== NOTHING);
