import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { assign, fromPromise, sendTo, setup } from 'xstate';
import { createSystem } from '../../../src/actors/index.ts';
import type { Actor, Supervision } from '../../../src/actors/index.ts';
import { createSimulation } from '../../../src/testing/index.ts';

// XState throws errors that nobody takes at the process, from a timer of 0 ms: here no timer is set at all.
const rejections: unknown[] = [];
const take = (error: unknown): void => void rejections.push(error);
beforeEach(() => {
  rejections.length = 0;
  process.on('unhandledRejection', take);
  vi.spyOn(globalThis, 'setTimeout').mockImplementation(() =>
    expect.unreachable('somebody set a real timer'),
  );
});
afterEach(async () => {
  vi.restoreAllMocks();
  // Rejections are reported after the microtasks.
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', take);
  expect(rejections).toEqual([]);
});

/** Crashes in whichever way it is asked to. */
const fragile = setup({
  types: {} as {
    context: { readonly worked: number };
    events:
      | { readonly type: 'work.requested' }
      | { readonly type: 'assign.broken' }
      | { readonly type: 'guard.broken' }
      | { readonly type: 'effect.broken' };
  },
  actions: {
    smash: () => {},
    work: assign({ worked: ({ context }) => context.worked + 1 }),
    breakAssign: assign(() => {
      throw new Error('assign broke');
    }),
  },
  guards: {
    breakGuard: () => {
      throw new Error('guard broke');
    },
  },
  delays: { long: 3_600_000 },
}).createMachine({
  context: { worked: 0 },
  initial: 'working',
  states: {
    working: {
      after: { long: 'rested' },
      on: {
        'work.requested': { actions: 'work' },
        'assign.broken': { actions: 'breakAssign' },
        'guard.broken': { guard: 'breakGuard', actions: 'work' },
        'effect.broken': { actions: ['work', 'smash'] },
      },
    },
    rested: {},
  },
});

const effects = { smash: () => ({}) };
const performers = {
  smash: (): void => {
    throw new Error('performer broke');
  },
};

function start() {
  const sim = createSimulation({ seed: 1 });
  const system = createSystem({ clock: sim.clock, log: sim.log });
  const spawn = (supervise?: Supervision, id = 'fragile', parent?: Actor) =>
    system.spawn(fragile, {
      id,
      effects,
      performers,
      ...(supervise && { supervise }),
      ...(parent && { parent }),
    });
  return { sim, system, spawn };
}

describe('a crash', () => {
  for (const [type, message] of [
    ['assign.broken', 'assign broke'],
    ['guard.broken', 'guard broke'],
    ['effect.broken', 'performer broke'],
  ] as const) {
    it(`by ${type} ends the actor with that error when nothing else was asked for`, () => {
      const { sim, system, spawn } = start();
      const actor = spawn();
      const endings: unknown[] = [];
      actor.onDone((ending) => endings.push(ending));
      actor.send({ type });
      expect(actor.status).toBe('error');
      expect(endings).toEqual([
        { status: 'error', error: expect.objectContaining({ message: expect.stringContaining(message) }) },
      ]);
      expect(system.actors.size).toBe(0);
      expect(sim.planned).toBe(0);
      expect(sim.log.entries.at(-1)).toMatchObject({ level: 'error', message: 'actor fragile crashed' });
    });
  }

  it('in the entry actions does not make spawn throw', () => {
    const { sim, system } = start();
    const machine = setup({ actions: { smash: () => {} } }).createMachine({
      entry: 'smash',
      after: { 60_000: {} },
    });
    expect(system.spawn(machine, { id: 'a', effects, performers }).status).toBe('error');
    expect(sim.planned).toBe(0);
  });

  it('in the initial context does not make spawn throw', () => {
    const { system } = start();
    const machine = setup({}).createMachine({
      context: () => {
        throw new Error('context broke');
      },
    });
    expect(system.spawn(machine, { id: 'a' }).status).toBe('error');
  });

  it('of something that is no machine at all does not make spawn throw', () => {
    const { system } = start();
    const nothing = { id: 'nothing' } as unknown as typeof fragile;
    expect(system.spawn(nothing, { id: 'a' }).status).toBe('error');
    expect(system.actors.size).toBe(0);
  });

  it('is not waited for with numbers that make no sense', () => {
    const { spawn } = start();
    expect(() => spawn({ strategy: 'restart', backoffMs: -1 })).toThrow(/backoffMs of actor fragile is -1/);
    expect(() => spawn({ strategy: 'restart', maxRestarts: Number.NaN })).toThrow(/maxRestarts .* NaN/);
  });

  it('leaves the other actors alone', () => {
    const { spawn } = start();
    const other = spawn(undefined, 'other');
    spawn().send({ type: 'effect.broken' });
    other.send({ type: 'work.requested' });
    expect(other.snapshot().context.worked).toBe(1);
  });

  it('ends the children that XState runs inside the actor, with their timers', async () => {
    const { sim, system } = start();
    let aborted = false;
    const child = setup({}).createMachine({ after: { 60_000: {} } });
    const worker = fromPromise(
      ({ signal }) => new Promise<void>(() => signal.addEventListener('abort', () => (aborted = true))),
    );
    const machine = setup({ actors: { child, worker }, actions: { smash: () => {} } }).createMachine({
      invoke: [{ src: 'child', id: 'child' }, { src: 'worker' }],
      on: { crash: { actions: 'smash' } },
    });
    const actor = system.spawn(machine, { id: 'a', effects, performers }) as unknown as Actor;
    expect(sim.planned).toBe(1);
    actor.send({ type: 'crash' });
    expect(actor.status).toBe('error');
    expect(sim.planned).toBe(0);
    expect(aborted).toBe(true);
  });
});

describe('restarting', () => {
  const restart: Supervision = {
    strategy: 'restart',
    maxRestarts: 4,
    withinMs: 60_000,
    backoffMs: 100,
    maxBackoffMs: 500,
  };

  it('begins again from the input, after a wait that doubles up to its maximum', async () => {
    const { sim, spawn } = start();
    const actor = spawn(restart);
    const waits: number[] = [];
    for (let crash = 0; crash < 4; crash += 1) {
      actor.send({ type: 'work.requested' });
      actor.send({ type: 'effect.broken' });
      expect(actor.status).toBe('restarting');
      const from = sim.now;
      await sim.runUntil(() => actor.status === 'active', 1_000);
      waits.push(sim.now - from);
      expect(actor.snapshot().context.worked).toBe(0);
    }
    expect(waits).toEqual([100, 200, 400, 500]);
    expect(actor.restarts).toBe(4);
  });

  it('gives up when there were too many crashes in the window', async () => {
    const { sim, system, spawn } = start();
    const actor = spawn(restart);
    for (let crash = 0; crash < 5; crash += 1) {
      actor.send({ type: 'effect.broken' });
      await sim.run(1_000);
    }
    expect(actor.status).toBe('error');
    expect(actor.restarts).toBe(4);
    expect(system.get('fragile')).toBeUndefined();
    expect(sim.planned).toBe(0);
  });

  it('forgets crashes that are older than the window, and waits as at first again', async () => {
    const { sim, spawn } = start();
    const actor = spawn(restart);
    for (let crash = 0; crash < 12; crash += 1) {
      actor.send({ type: 'effect.broken' });
      await sim.run(20_000);
      expect(actor.status).toBe('active');
    }
    await sim.run(60_000);
    actor.send({ type: 'effect.broken' });
    await sim.run(100);
    expect(actor.status).toBe('active');
  });

  it('keeps the address: it is found, and takes events, by the same id', async () => {
    const { sim, system, spawn } = start();
    const actor = spawn(restart);
    actor.send({ type: 'effect.broken' });
    expect(() => spawn(restart)).toThrow(/lives already/);
    await sim.run(100);
    expect(system.get('fragile')).toBe(actor);
    actor.send({ type: 'work.requested' });
    expect(actor.snapshot().context.worked).toBe(1);
  });

  it('makes events that come meanwhile, or that waited, dead letters: they were meant for the life that ended', async () => {
    const { sim, system } = start();
    const actors: Actor<typeof fragile>[] = [];
    const smash = (): void => {
      actors[0]!.send({ type: 'work.requested' });
      throw new Error('performer broke');
    };
    actors.push(system.spawn(fragile, { id: 'a', effects, performers: { smash }, supervise: restart }));
    actors[0]!.send({ type: 'effect.broken' });
    actors[0]!.send({ type: 'work.requested' });
    await sim.run(100);
    expect(actors[0]!.snapshot().context.worked).toBe(0);
    expect(system.deadLetters).toBe(2);
  });

  it('counts a crash in the entry actions like any other', async () => {
    const { sim, system } = start();
    let tries = 0;
    const machine = setup({ actions: { smash: () => {} } }).createMachine({ entry: 'smash' });
    const smash = (): void => {
      tries += 1;
      if (tries < 3) throw new Error('not yet');
    };
    const actor = system.spawn(machine, { id: 'a', effects, performers: { smash }, supervise: restart });
    await sim.run(10_000);
    expect(actor.status).toBe('active');
    expect(tries).toBe(3);
  });

  it('is called off by stop', async () => {
    const { sim, spawn } = start();
    const actor = spawn(restart);
    actor.send({ type: 'effect.broken' });
    actor.stop();
    expect(actor.status).toBe('stopped');
    expect(sim.planned).toBe(0);
    await sim.run(1_000);
    expect(actor.restarts).toBe(0);
  });

  it('is called off when the system stops', async () => {
    const { sim, system, spawn } = start();
    spawn(restart).send({ type: 'effect.broken' });
    await system.stop();
    expect(sim.planned).toBe(0);
  });

  it('stops the children that were spawned under the life that ended', async () => {
    const { sim, spawn } = start();
    const parent = spawn(restart);
    const child = spawn(undefined, 'child', parent);
    parent.send({ type: 'effect.broken' });
    expect(child.status).toBe('stopped');
    await sim.run(1_000);
    expect(parent.status).toBe('active');
  });

  it('fences the life that ended: what it still had planned reaches nobody', async () => {
    const { sim, spawn } = start();
    const actor = spawn(restart);
    await sim.run(3_599_000);
    actor.send({ type: 'effect.broken' });
    await sim.run(60_000);
    expect(actor.snapshot().value).toBe('working');
  });
});

describe('escalating', () => {
  it("crashes the parent by the same error, and the parent's supervision decides", async () => {
    const { sim, spawn } = start();
    const parent = spawn({ strategy: 'restart', backoffMs: 50 }, 'parent');
    const child = spawn({ strategy: 'escalate' }, 'child', parent);
    child.send({ type: 'effect.broken' });
    expect([child.status, parent.status]).toEqual(['error', 'restarting']);
    await sim.run(50);
    expect(parent.status).toBe('active');
  });

  it('stops the whole system when no parent is left', async () => {
    const { sim, system, spawn } = start();
    const other = spawn(undefined, 'other');
    const parent = spawn({ strategy: 'escalate' }, 'parent');
    const child = spawn({ strategy: 'escalate' }, 'child', parent);
    child.send({ type: 'effect.broken' });
    await system.stop();
    expect([child.status, parent.status, other.status]).toEqual(['error', 'error', 'stopped']);
    expect(sim.log.entries.at(-1)?.message).toBe('the crash of parent stops the whole system');
  });

  it('follows spent restarts when asked to', async () => {
    const { sim, spawn } = start();
    const parent = spawn({ strategy: 'restart', backoffMs: 50 }, 'parent');
    const child = spawn(
      { strategy: 'restart', maxRestarts: 1, backoffMs: 10, whenSpent: 'escalate' },
      'child',
      parent,
    );
    child.send({ type: 'effect.broken' });
    await sim.run(10);
    child.send({ type: 'effect.broken' });
    expect([child.status, parent.status]).toEqual(['error', 'restarting']);
  });

  it('reaches a parent in the midst of an event without leaving anything of it behind', async () => {
    const { sim, system } = start();
    const bystander = setup({}).createMachine({ after: { 60_000: {} } });
    const machine = setup({ actors: { bystander }, actions: { hire: () => {} } }).createMachine({
      initial: 'idle',
      states: {
        idle: { on: { hire: { target: 'busy', actions: 'hire' } } },
        busy: { invoke: { src: 'bystander' }, after: { 60_000: 'idle' } },
      },
    });
    const parents: Actor[] = [];
    const seen: unknown[] = [];
    const stillborn = setup({ actions: { smash: () => {} } }).createMachine({ entry: 'smash' });
    const hire = (): void => {
      const supervise = { strategy: 'escalate' } as const;
      system.spawn(stillborn, { id: 'child', effects, performers, parent: parents[0]!, supervise });
      seen.push(system.get('parent'));
    };
    const parent = system.spawn(machine, {
      id: 'parent',
      effects: { hire: () => ({}) },
      performers: { hire },
    });
    parents.push(parent as unknown as Actor);
    (parent as unknown as Actor).send({ type: 'hire' });
    expect(parent.status).toBe('error');
    expect(seen).toEqual([undefined]);
    expect(system.actors.size).toBe(0);
    expect(sim.planned).toBe(0);
    await system.stop();
  });
});

describe('a promise that an actor invoked', () => {
  const failing = setup({
    actors: {
      work: fromPromise(async () => {
        await Promise.resolve();
        throw new Error('promise broke');
      }),
    },
  }).createMachine({ initial: 'working', states: { working: { invoke: { src: 'work' } } } });

  it('reaches supervision when it rejects and the machine has no answer', async () => {
    const { sim, system } = start();
    const actor = system.spawn(failing, {
      id: 'a',
      supervise: { strategy: 'restart', maxRestarts: 2, backoffMs: 100 },
    });
    await sim.run(0);
    expect(actor.status).toBe('restarting');
    await sim.run(1_000);
    expect(actor.status).toBe('error');
    expect(actor.restarts).toBe(2);
    actor.onDone((ending) => expect(ending).toMatchObject({ error: { message: 'promise broke' } }));
  });

  it("is the machine's own business when it has an answer", async () => {
    const { sim, system } = start();
    const machine = setup({
      actors: { work: fromPromise(() => Promise.reject(new Error('no'))) },
    }).createMachine({
      initial: 'working',
      states: { working: { invoke: { src: 'work', onError: 'failed' } }, failed: { type: 'final' } },
    });
    const actor = system.spawn(machine, { id: 'a' });
    await sim.run(0);
    expect(actor.status).toBe('done');
  });

  it("that settles after the actor was stopped is nobody's", async () => {
    const { sim, system } = start();
    const actor = system.spawn(failing, { id: 'a' });
    actor.stop();
    await sim.run(10);
    expect(actor.status).toBe('stopped');
  });
});

describe('a crash of a child that XState runs inside an actor', () => {
  it('reaches supervision', () => {
    const { system } = start();
    const machine = setup({ actors: { fragile } }).createMachine({
      invoke: { src: 'fragile', id: 'inner' },
      on: { poke: { actions: sendTo('inner', { type: 'assign.broken' }) } },
    });
    const actor = system.spawn(machine, { id: 'outer' }) as unknown as Actor;
    actor.send({ type: 'poke' });
    expect(actor.status).toBe('error');
  });
});
