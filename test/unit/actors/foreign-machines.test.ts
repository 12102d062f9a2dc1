// Machines as users of XState write them, with everything that ours do without.
import { describe, expect, it } from 'vitest';
import {
  assign,
  cancel,
  createMachine,
  emit,
  enqueueActions,
  fromCallback,
  fromPromise,
  log,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
} from 'xstate';
import type { ActorRefFrom } from 'xstate';
import { createSystem } from '../../../src/actors/index.ts';
import type { Actor } from '../../../src/actors/index.ts';
import { createSimulation } from '../../../src/testing/index.ts';

function start() {
  const sim = createSimulation({ seed: 1 });
  const system = createSystem({ clock: sim.clock, log: sim.log });
  return { sim, system };
}

const editor = createMachine({
  id: 'editor',
  type: 'parallel',
  states: {
    bold: { initial: 'off', states: { off: { on: { bold: 'on' } }, on: { on: { bold: 'off' } } } },
    list: {
      initial: 'none',
      states: {
        none: { on: { list: 'numbered' } },
        numbered: { after: { 100: 'none' }, on: { list: 'none' } },
      },
    },
  },
});

const player = createMachine({
  id: 'player',
  initial: 'playing',
  states: {
    playing: {
      initial: 'slow',
      on: { pause: 'paused' },
      states: {
        slow: { on: { faster: 'fast' } },
        fast: { initial: 'double', states: { double: { on: { faster: 'triple' } }, triple: {} } },
        again: { type: 'history' },
        exactly: { type: 'history', history: 'deep' },
      },
    },
    paused: { on: { resume: 'playing.again', continue: 'playing.exactly' } },
  },
});

describe('a parallel machine', () => {
  it('runs its regions side by side, and its path names all of them', async () => {
    const { sim, system } = start();
    const paths: string[] = [];
    const actor = system.spawn(editor, { id: 'editor', onTransition: ({ to }) => paths.push(to) });
    actor.send({ type: 'bold' });
    actor.send({ type: 'list' });
    await sim.run(100);
    expect(paths).toEqual(['bold.on, list.none', 'bold.on, list.numbered', 'bold.on, list.none']);
  });
});

describe('a machine with history', () => {
  it('returns to the state it was in, shallow or deep', () => {
    const { system } = start();
    const actor = system.spawn(player, { id: 'player' });
    for (const type of ['faster', 'faster', 'pause', 'resume']) actor.send({ type });
    expect(actor.snapshot().value).toEqual({ playing: { fast: 'double' } });
    for (const type of ['faster', 'pause', 'continue']) actor.send({ type });
    expect(actor.snapshot().value).toEqual({ playing: { fast: 'triple' } });
  });
});

describe('a nested machine with delays', () => {
  const nested = setup({ delays: { deadline: 1_000, nap: 400 } }).createMachine({
    initial: 'working',
    states: {
      working: {
        initial: 'first',
        after: { deadline: 'late' },
        states: { first: { after: { nap: 'second' } }, second: { on: { 'again.requested': 'first' } } },
      },
      late: {},
    },
  });

  it('keeps the delay of a parent state while its children change', async () => {
    const { sim, system } = start();
    const actor = system.spawn(nested, { id: 'a' });
    await sim.run(700);
    actor.send({ type: 'again.requested' });
    await sim.run(299);
    expect(actor.snapshot().value).toEqual({ working: 'first' });
    await sim.run(1);
    expect(actor.snapshot().value).toBe('late');
    expect(sim.planned).toBe(0);
  });

  it('waits longer than 2^31 ms when asked to', async () => {
    const { sim, system } = start();
    const monthMs = 30 * 24 * 3_600_000;
    const machine = createMachine({
      initial: 'waiting',
      states: { waiting: { after: { [monthMs]: 'over' } }, over: {} },
    });
    const actor = system.spawn(machine, { id: 'a' });
    await sim.run(monthMs - 1);
    expect(actor.snapshot().value).toBe('waiting');
    await sim.run(1);
    expect(actor.snapshot().value).toBe('over');
  });
});

describe('a machine that invokes a promise', () => {
  const fetcher = setup({
    types: {} as { context: { readonly found: string }; input: { readonly wanted: string } },
    actors: {
      find: fromPromise(async ({ input }: { input: string }) => {
        for (let hop = 0; hop < 5; hop += 1) await Promise.resolve();
        return `found ${input}`;
      }),
    },
  }).createMachine({
    context: ({ input }) => ({ found: input.wanted }),
    initial: 'finding',
    states: {
      finding: {
        invoke: {
          src: 'find',
          input: ({ context }) => context.found,
          onDone: { target: 'finished', actions: assign({ found: ({ event }) => event.output }) },
        },
      },
      finished: { type: 'final' },
    },
    output: ({ context }) => context.found,
  });

  it('goes on with its result, and ends with an output', async () => {
    const { sim, system } = start();
    const actor = system.spawn(fetcher, { id: 'a', input: { wanted: 'it' } });
    const endings: unknown[] = [];
    actor.onDone((ending) => endings.push(ending));
    await sim.run(0);
    expect(endings).toEqual([{ status: 'done', output: 'found it' }]);
    expect(system.unexpectedEvents).toBe(0);
  });
});

describe('a machine with children', () => {
  const worker = setup({
    types: {} as {
      context: { readonly at: number };
      events: { readonly type: 'work'; readonly at?: number };
    },
  }).createMachine({
    context: { at: -1 },
    initial: 'idle',
    states: {
      idle: { on: { work: 'busy' } },
      busy: { after: { 50: 'finished' } },
      finished: { type: 'final' },
    },
  });

  const boss = setup({
    types: {} as {
      context: {
        readonly finished: number;
        readonly heardAt: number;
        readonly last: ActorRefFrom<typeof worker> | undefined;
      };
      events:
        | { readonly type: 'hire' }
        | { readonly type: 'fire' }
        | { readonly type: 'tick'; readonly at: number }
        | { readonly type: 'xstate.done.actor.hired' };
    },
    actors: { worker, ticker: fromCallback(({ sendBack }) => sendBack({ type: 'tick' })) },
  }).createMachine({
    context: { finished: 0, heardAt: -1, last: undefined },
    on: {
      hire: {
        actions: [
          assign({ last: ({ spawn }) => spawn('worker', { id: 'hired' }) }),
          spawnChild('ticker', { id: 'ticker' }),
          sendTo('hired', { type: 'work' }),
        ],
      },
      fire: { actions: [stopChild('hired'), stopChild('ticker')] },
      tick: { actions: assign({ heardAt: ({ event }) => event.at }) },
      'xstate.done.actor.hired': { actions: assign({ finished: ({ context }) => context.finished + 1 }) },
    },
  });

  it('hears of their end, and stamps what they send', async () => {
    const { sim, system } = start();
    const actor = system.spawn(boss, { id: 'boss' });
    await sim.run(10);
    actor.send({ type: 'hire' });
    expect(actor.snapshot().context.heardAt).toBe(10);
    await sim.run(50);
    expect(actor.snapshot().context.finished).toBe(1);
  });

  it('takes their timers with it when it stops them, or is stopped', async () => {
    const { sim, system } = start();
    const actor = system.spawn(boss, { id: 'boss' });
    actor.send({ type: 'hire' });
    expect(sim.planned).toBe(1);
    actor.send({ type: 'fire' });
    expect(sim.planned).toBe(0);
    actor.send({ type: 'hire' });
    actor.stop();
    expect(sim.planned).toBe(0);
  });

  it("reports an unexpected event of a child under the child's path", () => {
    const { sim, system } = start();
    const machine = setup({ actors: { worker } }).createMachine({
      invoke: { src: 'worker', id: 'inner' },
      on: { poke: { actions: sendTo('inner', { type: 'nonsense' } as never) } },
    });
    (system.spawn(machine, { id: 'outer' }) as unknown as Actor).send({ type: 'poke' });
    expect(system.unexpectedEvents).toBe(1);
    expect(sim.log.entries[0]?.fields).toEqual({ actor: 'outer/inner', state: 'idle', event: 'nonsense' });
  });

  it('is told by a child that reports to its parent', () => {
    const { system } = start();
    const child = createMachine({ entry: sendParent({ type: 'child.ready' }) });
    const machine = setup({ actors: { child } }).createMachine({
      initial: 'waiting',
      states: { waiting: { invoke: { src: 'child' }, on: { 'child.ready': 'ready' } }, ready: {} },
    });
    expect(system.spawn(machine, { id: 'a' }).snapshot().value).toBe('ready');
  });
});

describe('other actions of XState', () => {
  it('work as they do elsewhere: delayed sends that are cancelled, raised events, enqueued actions, logs', async () => {
    const { sim, system } = start();
    const machine = createMachine({
      initial: 'a',
      states: {
        a: {
          entry: [
            raise({ type: 'late' }, { delay: 100, id: 'first' }),
            raise({ type: 'late' }, { delay: 200 }),
            log('hello from a'),
            emit({ type: 'noise' }),
          ],
          on: { late: 'b', hurry: { actions: [cancel('first'), raise({ type: 'inner' })] }, inner: {} },
        },
        b: { always: 'c', entry: enqueueActions(({ enqueue }) => enqueue.raise({ type: 'done' })) },
        c: { on: { done: 'd' } },
        d: { type: 'final' },
      },
    });
    const actor = system.spawn(machine, { id: 'm' });
    actor.send({ type: 'hurry' });
    await sim.run(199);
    expect(actor.snapshot().value).toBe('a');
    await sim.run(1);
    expect(actor.status).toBe('done');
    expect(sim.log.entries.map(({ message }) => message)).toContain('hello from a');
    expect(system.unexpectedEvents).toBe(0);
  });

  it('cancels the later of two sends with one id, as XState does, and stops both with the actor', async () => {
    const { sim, system } = start();
    const machine = createMachine({
      context: { rung: 0 },
      on: {
        set: { actions: raise({ type: 'ring' }, { delay: 100, id: 'bell' }) },
        unset: { actions: cancel('bell') },
        ring: { actions: assign({ rung: ({ context }) => (context as { rung: number }).rung + 1 }) },
      },
    });
    const actor = system.spawn(machine, { id: 'm' });
    actor.send({ type: 'set' });
    await sim.run(50);
    for (const type of ['set', 'unset']) actor.send({ type });
    await sim.run(50);
    expect(actor.snapshot().context).toEqual({ rung: 1 });
    await sim.run(50);
    expect(actor.snapshot().context).toEqual({ rung: 1 });
    for (const type of ['set', 'set']) actor.send({ type });
    actor.stop();
    expect(sim.planned).toBe(0);
  });
});
