// Two-phase commit as Gray and Lamport specify it (Consensus on Transaction Commit, 2006, section 4): real machines for
// the transaction manager and its resource managers, over a set of messages that only grows.
// Invariant: what a resource manager or the transaction manager decides by itself is an action of the surroundings.
import { assign, setup, type AnyStateMachine } from 'xstate';
import { defineSystem, type SystemDefinition, type View } from '../../../src/checker/index.ts';

const resourceManagers = setup({
  types: {} as { events: { type: 'prepare.requested' | 'abort.requested' | 'commit' | 'abort' } },
  actions: { sendPrepared: () => {} },
});

const resourceManagerConfig = {
  id: 'resource-manager',
  initial: 'working',
  // As in the specification, the orders of the transaction manager are obeyed in every state; that they contradict
  // no decision is what the check shows.
  on: { commit: '.committed', abort: '.aborted' },
  states: {
    working: { on: { 'prepare.requested': 'prepared', 'abort.requested': 'aborted' } },
    prepared: { entry: 'sendPrepared', on: { 'prepare.requested': {}, 'abort.requested': {} } },
    committed: { on: { 'prepare.requested': {}, 'abort.requested': {} } },
    aborted: { on: { 'prepare.requested': {}, 'abort.requested': {} } },
  },
} as const;

export const resourceManager: AnyStateMachine = resourceManagers.createMachine(resourceManagerConfig);

/** Broken: it may still abort by itself after it said that it is prepared. */
export const fickleResourceManager: AnyStateMachine = resourceManagers.createMachine({
  ...resourceManagerConfig,
  states: {
    ...resourceManagerConfig.states,
    prepared: { entry: 'sendPrepared', on: { 'prepare.requested': {}, 'abort.requested': 'aborted' } },
  },
});

export const transactionManager = setup({
  types: {} as {
    context: { readonly votes: Readonly<Record<string, 'none' | 'prepared'>> };
    input: { readonly rms: readonly string[] };
    events: { type: 'prepared'; rm: string } | { type: 'commit.requested' | 'abort.requested' };
  },
  actions: {
    note: assign({
      votes: ({ context, event }) =>
        event.type === 'prepared' ? { ...context.votes, [event.rm]: 'prepared' as const } : context.votes,
    }),
    sendCommit: () => {},
    sendAbort: () => {},
  },
  guards: { allPrepared: ({ context }) => Object.values(context.votes).every((vote) => vote === 'prepared') },
}).createMachine({
  id: 'transaction-manager',
  context: ({ input }) => ({ votes: Object.fromEntries(input.rms.map((rm) => [rm, 'none' as const])) }),
  initial: 'init',
  states: {
    init: {
      on: {
        prepared: { actions: 'note' },
        'commit.requested': [{ guard: 'allPrepared', target: 'committed' }, {}],
        'abort.requested': 'aborted',
      },
    },
    committed: { entry: 'sendCommit', on: { prepared: {}, 'commit.requested': {}, 'abort.requested': {} } },
    aborted: { entry: 'sendAbort', on: { prepared: {}, 'commit.requested': {}, 'abort.requested': {} } },
  },
});

/** Broken: one that is prepared is enough. */
export const hastyTransactionManager: AnyStateMachine = transactionManager.provide({
  guards: { allPrepared: ({ context }) => Object.values(context.votes).includes('prepared') },
});

export const managers = (count: number): string[] => Array.from({ length: count }, (_, i) => `rm${i + 1}`);

export function twoPhaseCommit(
  count: number,
  machines: { readonly tm?: AnyStateMachine; readonly rm?: AnyStateMachine } = {},
): SystemDefinition {
  const { tm = transactionManager, rm = resourceManager } = machines;
  const rms = managers(count);
  const order = (to: string, type: string) => ({ outputs: [{ tell: to, event: { type } }], fault: false });
  return defineSystem({
    actors: {
      tm: { machine: tm, input: { rms } },
      ...Object.fromEntries(rms.map((name) => [name, { machine: rm }])),
    },
    channels: { messages: { order: 'unordered', delivered: 'kept', capacity: count + 1 } },
    actions: {
      'tm decides to commit': order('tm', 'commit.requested'),
      'tm decides to abort': order('tm', 'abort.requested'),
      ...Object.fromEntries(
        rms.flatMap((name) => [
          [`${name} prepares`, order(name, 'prepare.requested')],
          [`${name} decides to abort`, order(name, 'abort.requested')],
        ]),
      ),
    },
    route(actor, { type }) {
      const message = {
        sendPrepared: { type: 'prepared', rm: actor },
        sendCommit: { type: 'commit' },
        sendAbort: { type: 'abort' },
      }[type];
      return message === undefined ? undefined : [{ send: message, on: 'messages' }];
    },
    deliver: (_, message) =>
      message.type === 'prepared'
        ? [{ to: 'tm', event: message }]
        : rms.map((to) => ({ to, event: message })),
  });
}

/** No resource manager aborts what another one commits. */
export const consistent = (count: number) => (view: View) => {
  const rms = managers(count).map((name) => view.actor(name));
  return !(rms.some((rm) => rm.in('aborted')) && rms.some((rm) => rm.in('committed')));
};
