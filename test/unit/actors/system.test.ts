import { describe, expect, it } from 'vitest';
import { assign, fromCallback, setup } from 'xstate';
import { createSystem } from '../../../src/actors/index.ts';
import type { Actor, SystemOptions, Transition } from '../../../src/actors/index.ts';
import { drive } from '../../../src/engine/drive.ts';
import { createSimulation } from '../../../src/testing/index.ts';

interface Switched {
  readonly type: 'switch.requested';
  readonly at: number;
}

/** A lamp that counts and reports; both events carry the time of their arrival. */
const lamp = setup({
  types: {} as {
    context: { readonly count: number; readonly lastAt: number };
    events: Switched | { readonly type: 'fuse.blown'; readonly at: number };
    input: { readonly count: number };
  },
  actions: {
    reportSwitch: () => {},
    count: assign({ count: ({ context }) => context.count + 1, lastAt: ({ event }) => event.at }),
  },
}).createMachine({
  id: 'lamp',
  context: ({ input }) => ({ count: input.count, lastAt: -1 }),
  initial: 'off',
  states: {
    off: {
      on: { 'switch.requested': { target: 'on', actions: ['count', 'reportSwitch'] }, 'fuse.blown': {} },
    },
    on: {
      on: {
        'switch.requested': { target: 'off', actions: ['count', 'reportSwitch'] },
        'fuse.blown': 'broken',
      },
    },
    broken: { type: 'final' },
  },
});

type LampContext = { context: { count: number; lastAt: number } };
const lampEffects = { reportSwitch: ({ context }: LampContext) => ({ count: context.count }) };
const silent = { reportSwitch(): void {} };
const input = { count: 0 };

function start(options: Partial<SystemOptions> = {}) {
  const sim = createSimulation({ seed: 1 });
  const system = createSystem({ clock: sim.clock, log: sim.log, ...options });
  const performers = { reportSwitch: (_payload: { count: number }): void => {} };
  const spawn = (id: string) => system.spawn(lamp, { id, input, effects: lampEffects, performers });
  return { sim, system, performers, spawn };
}

describe('an actor system', () => {
  it('runs an actor, hands it events and stamps them with the time of their arrival', async () => {
    const { sim, spawn } = start();
    const actor = spawn('lamp-1');
    await sim.run(250);
    actor.send({ type: 'switch.requested' });
    expect(actor.snapshot().value).toBe('on');
    expect(actor.snapshot().context).toEqual({ count: 1, lastAt: 250 });
  });

  it('keeps a time that the sender gave', () => {
    const { spawn } = start();
    const actor = spawn('lamp-1');
    const stamped: Switched = { type: 'switch.requested', at: 7 };
    actor.send(stamped);
    expect(actor.snapshot().context.lastAt).toBe(7);
  });

  it('calls performers with the payload of the effect, computed at its place', () => {
    const { system } = start();
    const payloads: object[] = [];
    const driven = drive(lamp, lampEffects, { reportSwitch: (payload) => void payloads.push(payload) });
    const actor = system.spawn(driven, { id: 'lamp-1', input: { count: 41 } });
    actor.send({ type: 'switch.requested' });
    expect(payloads).toEqual([{ count: 42 }]);
  });

  it('gives each actor performers of its own', () => {
    const { system } = start();
    const told: string[] = [];
    for (const id of ['a', 'b']) {
      const performers = { reportSwitch: () => void told.push(id) };
      system.spawn(lamp, { id, input, effects: lampEffects, performers });
    }
    system.get('b')?.send({ type: 'switch.requested' });
    system.get('a')?.send({ type: 'switch.requested' });
    expect(told).toEqual(['b', 'a']);
  });

  it('does not compile when effects are given without every performer', () => {
    const { system } = start();
    // Never called: the compiler is what is tested.
    const refused = (): void => {
      // @ts-expect-error performers are missing
      system.spawn(lamp, { id: 'a', input, effects: lampEffects });
      // @ts-expect-error one performer is missing
      system.spawn(lamp, { id: 'b', input, effects: lampEffects, performers: {} });
      // @ts-expect-error the input is missing
      system.spawn(lamp, { id: 'c', effects: lampEffects, performers: silent });
      // @ts-expect-error the lamp knows no such event
      system.spawn(lamp, { id: 'd', input }).send({ type: 'candle.lit' });
    };
    expect(refused).toBeTypeOf('function');
  });

  it('tells each change of state with readable paths, and nothing when the state stays', () => {
    const { system } = start();
    const seen: Transition<typeof lamp>[] = [];
    const actor = system.spawn(lamp, {
      id: 'lamp-1',
      input,
      onTransition: (transition) => seen.push(transition),
    });
    actor.send({ type: 'fuse.blown' });
    actor.send({ type: 'switch.requested' });
    actor.send({ type: 'fuse.blown' });
    expect(seen.map(({ from, to, event }) => `${from} -> ${to} by ${event.type}`)).toEqual([
      'off -> on by switch.requested',
      'on -> broken by fuse.blown',
    ]);
    expect(seen[0]?.actor).toBe(actor);
    expect(seen[0]?.snapshot.context.count).toBe(1);
  });

  it('tells nothing of a transition that leads back to the same nested state', () => {
    const { system } = start();
    const paths: string[] = [];
    const machine = setup({}).createMachine({
      context: { times: 0 },
      initial: 'outer',
      states: {
        outer: {
          initial: 'inner',
          states: { inner: {} },
          on: { again: { target: 'outer', reenter: true, actions: assign({ times: 1 }) } },
        },
      },
    });
    const actor = system.spawn(machine, { id: 'a', onTransition: ({ to }) => paths.push(to) });
    (actor as unknown as Actor).send({ type: 'again' });
    expect(paths).toEqual([]);
  });

  it('logs what a listener throws, and goes on', () => {
    const { sim, system } = start();
    const broken = (): void => {
      throw new Error('listener broke');
    };
    const actor = system.spawn(lamp, { id: 'lamp-1', input, onTransition: broken });
    actor.onDone(broken);
    actor.send({ type: 'switch.requested' });
    actor.send({ type: 'fuse.blown' });
    expect(actor.status).toBe('done');
    expect(sim.log.entries.filter(({ level }) => level === 'error')).toHaveLength(3);
  });

  it('finds living actors by id, and frees the id when an actor ends', () => {
    const { system, spawn } = start();
    const actor = spawn('lamp-1');
    expect(system.get('lamp-1')).toBe(actor);
    expect(() => spawn('lamp-1')).toThrow(/an actor lamp-1 lives already/);
    expect(() => spawn('')).toThrow(/needs an id/);
    actor.stop();
    expect(system.get('lamp-1')).toBeUndefined();
    expect(spawn('lamp-1')).not.toBe(actor);
    expect([...system.actors.keys()]).toEqual(['lamp-1']);
  });

  it('tells of the end once, with the output or the reason, also those who ask late', () => {
    const { spawn } = start();
    const done = spawn('done');
    const stopped = spawn('stopped');
    const endings: unknown[] = [];
    done.onDone((ending) => endings.push(ending));
    const forget = done.onDone(() => expect.unreachable());
    forget();
    done.send({ type: 'switch.requested' });
    done.send({ type: 'fuse.blown' });
    stopped.stop();
    stopped.stop();
    stopped.onDone((ending) => endings.push(ending));
    expect(endings).toEqual([{ status: 'done', output: undefined }, { status: 'stopped' }]);
    expect([done.status, stopped.status]).toEqual(['done', 'stopped']);
    expect(done.snapshot().value).toBe('broken');
  });

  it('refuses a parent that does not live in it', () => {
    const { system, spawn } = start();
    const parent = spawn('parent');
    parent.stop();
    expect(() => system.spawn(lamp, { id: 'child', input, parent })).toThrow(/parent parent does not live/);
  });

  it('refuses a mailbox without room', () => {
    expect(() => start({ maxMailboxSize: 0 })).toThrow(/maxMailboxSize is 0/);
  });
});

describe('events', () => {
  it('sent from inside a performer wait until the present event is finished', () => {
    const { system } = start();
    const order: string[] = [];
    const lamps: Actor<typeof lamp>[] = [];
    const performers = {
      reportSwitch: ({ count }: { count: number }) => {
        order.push(`begin ${count}`);
        if (count < 3) lamps[0]!.send({ type: 'switch.requested' });
        order.push(`end ${count}`);
      },
    };
    lamps.push(system.spawn(lamp, { id: 'lamp-1', input, effects: lampEffects, performers }));
    lamps[0]!.send({ type: 'switch.requested' });
    expect(order).toEqual(['begin 1', 'end 1', 'begin 2', 'end 2', 'begin 3', 'end 3']);
  });

  it('of all actors are handled one at a time, in the order of sending, without growing the stack', () => {
    const { system } = start();
    const rounds = 20_000;
    const ids = ['a', 'b', 'c'];
    const order: string[] = [];
    for (const [index, id] of ids.entries()) {
      const next = ids[(index + 1) % ids.length]!;
      const performers = {
        reportSwitch: () => {
          order.push(id);
          if (order.length < rounds) system.get(next)?.send({ type: 'switch.requested' });
        },
      };
      system.spawn(lamp, { id, input, effects: lampEffects, performers });
    }
    system.get('a')?.send({ type: 'switch.requested' });
    expect(order).toHaveLength(rounds);
    expect(order.slice(0, 4)).toEqual(['a', 'b', 'c', 'a']);
  });

  it('beyond the size of the mailbox are refused and count as dead letters', () => {
    const { system } = start({ maxMailboxSize: 5 });
    const outcomes: string[] = [];
    const lamps: Actor<typeof lamp>[] = [];
    const performers = {
      reportSwitch: ({ count }: { count: number }) => {
        if (count !== 1) return;
        for (let index = 0; index < 6; index += 1) {
          try {
            lamps[0]!.send({ type: 'switch.requested' });
            outcomes.push('taken');
          } catch (error) {
            outcomes.push((error as { code: string }).code);
          }
        }
      },
    };
    lamps.push(system.spawn(lamp, { id: 'lamp-1', input, effects: lampEffects, performers }));
    lamps[0]!.send({ type: 'switch.requested' });
    expect(outcomes).toEqual(['taken', 'taken', 'taken', 'taken', 'taken', 'queue_full']);
    expect(lamps[0]!.snapshot().context.count).toBe(6);
    expect(system.deadLetters).toBe(1);
  });

  it('to an actor that ended are dead letters, not unexpected', () => {
    const { system, sim, spawn } = start();
    const actor = spawn('lamp-1');
    actor.stop();
    actor.send({ type: 'switch.requested' });
    actor.send({ type: 'switch.requested' });
    expect([system.deadLetters, system.unexpectedEvents]).toEqual([2, 0]);
    expect(sim.log.entries.at(-1)?.message).toBe('dead letter: switch.requested to lamp-1');
  });

  it('that still waited when the actor ended are dead letters', () => {
    const { system } = start();
    const lamps: Actor<typeof lamp>[] = [];
    const performers = {
      reportSwitch: () => {
        lamps[0]!.send({ type: 'fuse.blown' });
        lamps[0]!.send({ type: 'switch.requested' });
        lamps[0]!.send({ type: 'switch.requested' });
      },
    };
    lamps.push(system.spawn(lamp, { id: 'lamp-1', input, effects: lampEffects, performers }));
    lamps[0]!.send({ type: 'switch.requested' });
    expect(lamps[0]!.status).toBe('done');
    expect(system.deadLetters).toBe(2);
  });

  it('that a state neither handles nor ignores are counted and logged with actor, state and type', () => {
    const { system, sim, spawn } = start();
    const actor = spawn('lamp-1') as unknown as Actor;
    actor.send({ type: 'candle.lit' });
    expect([system.deadLetters, system.unexpectedEvents]).toEqual([0, 1]);
    expect(sim.log.entries).toEqual([
      {
        at: 0,
        level: 'warn',
        fields: { actor: 'lamp-1', state: 'off', event: 'candle.lit' },
        message: 'unexpected event candle.lit in lamp-1, state off',
      },
    ]);
  });

  it('that a state ignores explicitly are neither', () => {
    const { system, spawn } = start();
    spawn('lamp-1').send({ type: 'fuse.blown' });
    expect([system.deadLetters, system.unexpectedEvents]).toEqual([0, 0]);
  });
});

describe('stopping', () => {
  it('ends every actor and its timers, once, and lets nothing start any more', async () => {
    const { sim, system, spawn } = start();
    const waiting = setup({}).createMachine({
      initial: 'waiting',
      states: { waiting: { after: { 60_000: 'over' } }, over: {} },
    });
    const ended: string[] = [];
    for (const id of ['a', 'b', 'c'])
      system.spawn(waiting, { id }).onDone(({ status }) => ended.push(`${id} ${status}`));
    expect(sim.planned).toBe(3);
    const first = system.stop();
    expect(system.stop()).toBe(first);
    await first;
    expect(ended).toEqual(['c stopped', 'b stopped', 'a stopped']);
    expect(sim.planned).toBe(0);
    expect(system.actors.size).toBe(0);
    expect(() => spawn('late')).toThrow(/the system has stopped/);
    await expect(system.stop()).resolves.toBeUndefined();
  });

  it('lets an actor that asked for it finish its event, and nothing more', async () => {
    const { system } = start();
    const order: string[] = [];
    const performers = {
      reportSwitch: () => {
        void system.stop().then(() => order.push('stopped'));
        system.get('a')?.send({ type: 'switch.requested' });
        order.push('performed');
      },
    };
    const actor = system.spawn(lamp, { id: 'a', input, effects: lampEffects, performers });
    system.spawn(lamp, { id: 'b', input });
    actor.send({ type: 'switch.requested' });
    expect(actor.snapshot().context.count).toBe(1);
    await system.stop();
    expect(order).toEqual(['performed', 'stopped']);
    expect(system.deadLetters).toBe(1);
  });

  it('during the entry actions of an actor leaves no timer behind', () => {
    const { sim, system } = start();
    const machine = setup({ actions: { leave: () => {} } }).createMachine({
      initial: 'waiting',
      states: { waiting: { entry: 'leave', after: { 60_000: 'over' } }, over: {} },
    });
    const effects = { leave: () => ({}) };
    const performers = { leave: () => system.get('a')?.stop() };
    const actor = system.spawn(machine, { id: 'a', effects, performers });
    expect(actor.status).toBe('stopped');
    expect(sim.planned).toBe(0);
  });

  it('of another actor from inside a performer is done at once', () => {
    const { system } = start();
    const seen: unknown[] = [];
    const other = system.spawn(lamp, { id: 'other', input });
    const performers = {
      reportSwitch: () => {
        other.send({ type: 'switch.requested' });
        other.stop();
        seen.push(other.status, system.get('other'));
      },
    };
    system
      .spawn(lamp, { id: 'a', input, effects: lampEffects, performers })
      .send({ type: 'switch.requested' });
    expect(seen).toEqual(['stopped', undefined]);
    expect(system.deadLetters).toBe(1);
  });

  it('while its children are being started leaves none of them behind', () => {
    const { sim, system } = start();
    const machine = setup({
      actors: {
        saboteur: fromCallback(() => system.get('a')?.stop()),
        sleeper: setup({}).createMachine({ after: { 60_000: {} } }),
      },
    }).createMachine({
      context: ({ spawn }) => ({ children: [spawn('saboteur'), spawn('sleeper')] }),
    });
    expect(system.spawn(machine, { id: 'a' }).status).toBe('stopped');
    expect(sim.planned).toBe(0);
  });

  it('of a parent stops its children first', () => {
    const { system, spawn } = start();
    const order: string[] = [];
    const parent = spawn('parent');
    parent.onDone(() => order.push('parent'));
    for (const id of ['first', 'second'])
      system.spawn(lamp, { id, input, parent }).onDone(() => order.push(id));
    parent.stop();
    expect(order).toEqual(['second', 'first', 'parent']);
  });
});
