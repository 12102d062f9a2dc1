// Actors of every kind below a machine: invoked and spawned, by name and in place, talked to and talking back.
import {
  assign,
  createActor,
  createMachine,
  emit,
  fromCallback,
  fromPromise,
  log,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
  type AnyActorRef,
  type AnyStateMachine,
} from 'xstate';
import { describe, expect, it, test } from 'vitest';
import {
  actorSut,
  createTestModel,
  describeModel,
  type Sut,
  type TestModelOptions,
} from '../../../../src/testing/index.ts';
import { failures, runBroken } from './broken.ts';

const child = setup({
  types: { events: {} as { type: 'finish' }, output: {} as { size: number } },
}).createMachine({
  id: 'child',
  initial: 'busy',
  states: { busy: { on: { finish: 'done' } }, done: { type: 'final' } },
  output: { size: 3 },
});

/** A promise, then a callback that reports and is stopped, then a child machine that ends with output. */
const chain = setup({
  types: { context: {} as { size: number }, events: {} as { type: 'heard' } | { type: 'enough' } },
  actors: {
    ask: fromPromise<string>(async () => 'yes'),
    listen: fromCallback(() => undefined),
    work: child,
  },
}).createMachine({
  id: 'chain',
  context: { size: 0 },
  initial: 'asking',
  states: {
    asking: {
      invoke: {
        src: 'ask',
        onDone: [
          { guard: ({ event }) => event.output === 'yes', target: 'listening' },
          { target: 'refused' },
        ],
        onError: 'refused',
      },
    },
    listening: {
      invoke: { src: 'listen', id: 'ear' },
      initial: 'silent',
      states: { silent: { on: { heard: 'loud' } }, loud: { on: { heard: 'loud' } } },
      on: { enough: 'working' },
    },
    working: {
      invoke: {
        src: 'work',
        onDone: { target: 'ended', actions: assign({ size: ({ event }) => event.output.size }) },
      },
    },
    ended: { type: 'final' },
    refused: { type: 'final' },
  },
});

const chainOptions: TestModelOptions = {
  // Only the callback says it.
  events: { heard: [] },
  scripts: {
    ask: [{ output: 'yes' }, { output: 'no' }, { error: new Error('gone') }],
    ear: [{ event: { type: 'heard' } }],
    work: [{ output: { size: 3 } }],
  },
};

interface Chain {
  readonly actor: AnyActorRef;
  readonly promises: { resolve: (answer: string) => void; reject: (error: unknown) => void }[];
  readonly callbacks: (() => void)[];
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The chain with real actors: promises that the test settles, a callback that it calls, a child machine that it drives. */
function realChain(machine: typeof chain, defect?: 'deaf' | 'always yes'): Sut<Chain> {
  return {
    create() {
      const promises: Chain['promises'] = [];
      const callbacks: Chain['callbacks'] = [];
      const actors = {
        ask: fromPromise<string>(
          () => new Promise((resolve, reject) => void promises.push({ resolve, reject })),
        ),
        listen: fromCallback(({ sendBack }) => {
          callbacks.push(() => sendBack({ type: defect === 'deaf' ? 'unheard' : 'heard' }));
        }),
        work: child,
      };
      return { actor: createActor(machine.provide({ actors })).start(), promises, callbacks };
    },
    events: { '*': ({ actor }, { event }) => actor.send(event) },
    actors: {
      async ask({ promises }, { outcome }) {
        if ('output' in outcome)
          promises.at(-1)?.resolve(defect === 'always yes' ? 'yes' : (outcome.output as string));
        else promises.at(-1)?.reject(new Error('gone'));
        await turn();
      },
      ear: ({ callbacks }) => callbacks.at(-1)?.(),
      work: ({ actor }, { id }) =>
        (actor.getSnapshot() as { children: Record<string, AnyActorRef> }).children[id]?.send({
          type: 'finish',
        }),
    },
    states: {
      '*'({ actor }, state) {
        const { value, context } = actor.getSnapshot() as typeof state;
        expect({ value, context }).toEqual({ value: state.value, context: state.context });
      },
    },
    dispose: ({ actor }) => actor.stop(),
  };
}

describeModel(chain, realChain(chain), {
  describe,
  it,
  ...chainOptions,
  coverage: 'transition-pairs',
  title: 'chain of real actors',
});

test('real actors that are wrong are caught', async () => {
  expect(await failures(chain, realChain(chain, 'deaf'), chainOptions)).not.toEqual([]);
  const found = await failures(chain, realChain(chain, 'always yes'), chainOptions);
  expect(found.map(({ path }) => path.steps.map(({ label }) => label))).toEqual([
    ['start', "ask: done 'no'"],
  ]);
});

/** Spawned by name and in place, with ids for the system, sent to and stopped; a parent is talked to; things are logged and emitted. */
const office = setup({
  types: {
    context: {} as { temp: AnyActorRef | undefined },
    events: {} as { type: 'hire' | 'fire' | 'call' | 'rang' },
  },
  actors: { clerk: fromPromise(async () => 1), temp: fromCallback(() => undefined) },
}).createMachine({
  id: 'office',
  context: { temp: undefined },
  entry: [spawnChild('clerk', { id: 'clerk', systemId: 'the clerk' }), log('open'), emit({ type: 'opened' })],
  initial: 'idle',
  on: {
    'xstate.done.actor.clerk': { actions: sendParent({ type: 'clerk left' }), target: '.alone' },
  } as never,
  states: {
    idle: {
      on: {
        hire: { target: 'staffed', actions: assign({ temp: ({ spawn }) => spawn('temp', { id: 'temp' }) }) },
      },
    },
    staffed: {
      entry: sendTo(({ system }) => system.get('the clerk') as AnyActorRef, { type: 'greeting' }),
      on: {
        call: { actions: sendTo('temp', { type: 'ring' }) },
        rang: 'idle',
        fire: { target: 'idle', actions: [stopChild('temp'), assign({ temp: undefined })] },
      },
    },
    alone: { type: 'final' },
  },
}) as AnyStateMachine;

describe('spawned actors', () => {
  const options: TestModelOptions = {
    scripts: { clerk: [{ output: 1 }], temp: [{ event: { type: 'rang' } }] },
    maxDepth: 8,
  };

  test('live in the model as they do in XState', async () => {
    const { paths, coverage } = createTestModel(office, options).plan();
    expect(coverage.uncovered).toEqual([]);
    expect(paths.some(({ description }) => description.includes('temp: sends rang'))).toBe(true);
    expect(paths.some(({ description }) => description.includes('clerk: done 1'))).toBe(true);
    expect(await failures(office, actorSut(office), options)).toEqual([]);
    expect(await runBroken(office, 'states/staffed/on/fire/target', 'alone', options)).not.toEqual([]);
  });

  test('that were stopped answer no more', () => {
    const model = createTestModel(office, options);
    const rang = { actor: 'temp', event: { type: 'rang' } };
    expect(() => model.getPathsFromEvents([{ type: 'hire' }, { type: 'fire' }, rang])).toThrow(
      /no actor temp runs/,
    );
    expect(model.getPathsFromEvents([{ type: 'hire' }, rang])[0].state.value).toBe('idle');
  });
});

test('input is what invoked actors and context get, and output is kept', () => {
  const machine = createMachine({
    id: 'sized',
    context: ({ input }: { input: { size: number } }) => ({ size: input.size }),
    initial: 'a',
    states: {
      a: { always: { guard: ({ context }) => context.size > 2, target: 'big' }, on: { grow: 'big' } },
      big: { type: 'final' },
    },
    output: ({ context }) => context.size * 2,
  });
  const values = [1, 3].map((size) =>
    createTestModel(machine, { input: { size } })
      .getPaths()
      .map(({ state }) => [state.value, state.output]),
  );
  expect(values).toEqual([[['big', 2]], [['big', 6]]]);
});
