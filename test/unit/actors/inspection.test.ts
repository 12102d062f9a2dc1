import { describe, expect, it } from 'vitest';
import { setup } from 'xstate';
import { createSystem } from '../../../src/actors/index.ts';
import type { Actor, InspectionRecord } from '../../../src/actors/index.ts';
import { createSimulation } from '../../../src/testing/index.ts';

const door = setup({
  types: {} as { context: { readonly name: string }; input: { readonly name: string } },
  actions: { ringBell: () => {}, creak: () => {} },
}).createMachine({
  id: 'door',
  context: ({ input }) => ({ name: input.name }),
  initial: 'closed',
  states: {
    closed: { on: { open: { target: 'open', actions: ['ringBell', 'creak'] } } },
    open: { after: { 1_000: 'gone' } },
    gone: { type: 'final' },
  },
});

const effects = { ringBell: ({ context }: { context: { name: string } }) => ({ name: context.name }) };

describe('an onlooker', () => {
  it('gets numbered records of all that happens, in order, with times and payloads', async () => {
    const sim = createSimulation({ seed: 1 });
    const records: InspectionRecord[] = [];
    const system = createSystem({ clock: sim.clock, inspect: (record) => records.push(record) });
    const performers = { ringBell: () => void records.push('rings' as never) };
    const actor = system.spawn(door, {
      id: 'front',
      input: { name: 'Ann' },
      effects,
      performers,
    }) as unknown as Actor;
    await sim.run(5);
    actor.send({ type: 'knock' });
    actor.send({ type: 'open' });
    await sim.run(1_000);
    actor.send({ type: 'open' });
    const open = { type: 'open', at: 5 };
    const after = { type: 'xstate.after.1000.door.open' };
    expect(records).toMatchObject([
      { seq: 1, at: 0, kind: 'created', actor: 'front', input: { name: 'Ann' }, restarts: 0 },
      { seq: 2, at: 0, kind: 'started', actor: 'front', state: 'closed' },
      { seq: 3, at: 5, kind: 'event', event: { type: 'knock', at: 5 } },
      { seq: 4, at: 5, kind: 'unexpected', state: 'closed', event: { type: 'knock', at: 5 } },
      { seq: 5, at: 5, kind: 'handled', event: { type: 'knock', at: 5 }, snapshot: { value: 'closed' } },
      { seq: 6, at: 5, kind: 'event', event: open },
      { seq: 7, at: 5, kind: 'effect', effect: 'ringBell', payload: { name: 'Ann' } },
      'rings',
      { seq: 8, at: 5, kind: 'effect', effect: 'creak' },
      { seq: 9, at: 5, kind: 'handled', event: open, snapshot: { value: 'open' } },
      { seq: 10, at: 5, kind: 'transition', from: 'closed', to: 'open', event: open },
      { seq: 11, at: 1_005, kind: 'event', event: after },
      { seq: 12, at: 1_005, kind: 'handled', event: after },
      { seq: 13, at: 1_005, kind: 'transition', from: 'open', to: 'gone', event: after },
      { seq: 14, at: 1_005, kind: 'ended', ending: { status: 'done' } },
      { seq: 15, at: 1_005, kind: 'dead_letter', event: { type: 'open' } },
    ]);
    expect(records).toHaveLength(16);
    // Nothing that `after` leads to may read a time: XState's own events carry none.
    expect(records.find(({ seq }) => seq === 11)).toHaveProperty('event', after);
  });

  it('sees crashes and restarts', async () => {
    const sim = createSimulation({ seed: 1 });
    const records: InspectionRecord[] = [];
    const system = createSystem({ clock: sim.clock, inspect: (record) => records.push(record) });
    const performers = {
      ringBell: () => {
        throw new Error('no bell');
      },
    };
    const options = { id: 'front', input: { name: 'Ann' }, effects, performers };
    const actor = system.spawn(door, { ...options, supervise: { strategy: 'restart' } }) as unknown as Actor;
    actor.send({ type: 'open' });
    await sim.run(100);
    actor.stop();
    expect(records.map(({ kind }) => kind)).toEqual([
      'created',
      'started',
      'event',
      'effect',
      'crashed',
      'created',
      'started',
      'ended',
    ]);
    expect(records[4]).toMatchObject({ then: 'restart', error: { message: 'no bell' } });
    expect(records[5]).toMatchObject({ restarts: 1 });
  });

  it('that throws is logged and changes nothing', () => {
    const sim = createSimulation({ seed: 1 });
    const inspect = (): void => {
      throw new Error('blind');
    };
    const system = createSystem({ clock: sim.clock, log: sim.log, inspect });
    const actor = system.spawn(door, { id: 'front', input: { name: 'Ann' } }) as unknown as Actor;
    actor.send({ type: 'open' });
    expect(actor.snapshot().value).toBe('open');
    expect(sim.log.entries.every(({ message }) => message === 'the inspector threw')).toBe(true);
    expect(sim.log.entries.length).toBeGreaterThan(3);
  });
});
