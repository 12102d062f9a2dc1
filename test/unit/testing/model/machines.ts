// Machines of others, as their users write them: one for each thing that a test model has to understand.
// Invariant: none of them was written for our contract; inline guards, actions and actors are what people use.
import { assign, createMachine, enqueueActions, fromCallback, fromPromise, sendParent, setup } from 'xstate';

/** A form with a debounce, a guard on what was typed, and a promise that is invoked. */
export const form = setup({
  types: {
    context: {} as { value: string; user: string | undefined },
    events: {} as { type: 'typed'; value: string } | { type: 'submitted' } | { type: 'reset' },
  },
  actors: {
    loadUser: fromPromise<{ name: string }, { id: string }>(async ({ input }) => ({ name: input.id })),
  },
  delays: { debounce: 300 },
  guards: { filled: ({ context }) => context.value !== '' },
}).createMachine({
  id: 'form',
  context: { value: '', user: undefined },
  initial: 'editing',
  states: {
    editing: {
      initial: 'idle',
      states: { idle: {}, waiting: { after: { debounce: 'ready' } }, ready: {} },
      on: {
        typed: { target: '.waiting', actions: assign({ value: ({ event }) => event.value }), reenter: true },
        submitted: { guard: 'filled', target: 'loading' },
      },
    },
    loading: {
      invoke: {
        src: 'loadUser',
        input: ({ context }) => ({ id: context.value }),
        onDone: { target: 'saved', actions: assign({ user: ({ event }) => event.output.name }) },
        onError: 'failed',
      },
      after: { 5000: 'failed' },
    },
    saved: { type: 'final' },
    failed: { on: { reset: 'editing' } },
  },
});

/** Two regions, delays of different lengths in both. */
export const player = createMachine({
  id: 'player',
  type: 'parallel',
  states: {
    sound: { initial: 'on', states: { on: { on: { muted: 'off' } }, off: { after: { 100: 'on' } } } },
    picture: {
      initial: 'shown',
      states: {
        shown: { on: { hidden: 'gone' } },
        gone: { after: { 250: 'back' } },
        back: { always: 'shown' },
      },
    },
  },
});

/** A history state that remembers how far one had got. */
export const wizard = createMachine({
  id: 'wizard',
  initial: 'steps',
  states: {
    steps: {
      initial: 'first',
      on: { paused: 'break' },
      states: {
        first: { on: { next: 'second' } },
        second: { on: { next: 'third' } },
        third: {},
        last: { type: 'history' },
      },
    },
    break: { on: { resumed: 'steps.last' } },
  },
});

/** Deep nesting, a region that finishes, and eventless transitions that loop until a guard ends them. */
export const counter = createMachine({
  id: 'counter',
  context: { count: 0 },
  initial: 'counting',
  states: {
    counting: {
      initial: 'deep',
      states: {
        deep: {
          initial: 'more',
          states: {
            more: {
              always: [
                { guard: ({ context }) => context.count >= 3, target: 'enough' },
                {
                  actions: assign({ count: ({ context }) => context.count + 1 }),
                  target: 'more',
                  reenter: true,
                },
              ],
            },
            enough: { type: 'final' },
          },
          onDone: 'counted',
        },
        counted: { type: 'final' },
      },
      onDone: 'over',
    },
    over: { on: { again: { target: 'counting', actions: assign({ count: 0 }) } } },
  },
});

/** Actors that stand in the config itself: a promise, a callback that reports, a child machine. */
export const inline = createMachine({
  id: 'inline',
  context: { seen: 0 },
  initial: 'asking',
  states: {
    asking: {
      invoke: {
        id: 'question',
        src: fromPromise(async () => 42),
        onDone: { target: 'listening', guard: ({ event }) => event.output === 42 },
        onError: 'lost',
      },
    },
    listening: {
      invoke: { id: 'radio', src: fromCallback(({ sendBack }) => sendBack({ type: 'heard' })) },
      on: { heard: { target: 'working', actions: assign({ seen: ({ context }) => context.seen + 1 }) } },
    },
    working: {
      invoke: {
        id: 'worker',
        src: createMachine({ initial: 'busy', states: { busy: { entry: sendParent({ type: 'started' }) } } }),
        onDone: 'asking',
      },
      on: { started: '.busy', '*': 'lost' },
      initial: 'starting',
      states: { starting: {}, busy: {} },
    },
    lost: { type: 'final' },
  },
});

/** Delayed events of its own, one of them cancelled. */
export const alarm = createMachine({
  id: 'alarm',
  initial: 'off',
  states: {
    off: { on: { armed: 'on' } },
    on: {
      entry: enqueueActions(({ enqueue }) => {
        enqueue.raise({ type: 'rang' }, { delay: 1_000, id: 'ring' });
        enqueue.raise({ type: 'blinked' }, { delay: 400 });
      }),
      initial: 'quiet',
      states: { quiet: { on: { blinked: 'bright' } }, bright: {} },
      on: {
        rang: 'ringing',
        disarmed: { target: 'off', actions: enqueueActions(({ enqueue }) => enqueue.cancel('ring')) },
      },
    },
    ringing: { on: { disarmed: 'off' } },
  },
});
