// The transition records of an actor system: one an event, each with all that the next one needs.
import { describe, expect, it } from 'vitest';
import { assign, setup } from 'xstate';
import { createSystem, recordTransitions } from '../../../src/actors/index.ts';
import { transitionLine, type TransitionRecord } from '../../../src/engine/transition-record.ts';
import { createSimulation } from '../../../src/testing/index.ts';

const oven = setup({
  types: {} as {
    context: { readonly turns: number };
    input: { readonly turns: number };
    events: { type: 'turned' } | { type: 'opened' } | { type: 'closed' } | { type: 'nudged' };
  },
  actions: {
    count: assign({ turns: ({ context }) => context.turns + 1 }),
    burst: () => {
      throw new Error('too hot');
    },
  },
}).createMachine({
  id: 'oven',
  context: ({ input }) => ({ turns: input.turns }),
  initial: 'closed',
  states: {
    closed: {
      initial: 'cold',
      on: { opened: 'open', nudged: {} },
      states: {
        cold: { on: { turned: { target: 'hot', actions: 'count' } } },
        hot: { on: { turned: { actions: 'burst' } }, after: { 1_000: '#oven.burnt' } },
        was: { type: 'history' },
      },
    },
    open: { on: { closed: 'closed.was' } },
    burnt: { type: 'final' },
  },
});

function kitchen() {
  const sim = createSimulation({ seed: 1 });
  const records: TransitionRecord[] = [];
  // A sink must read at once: through JSON, as a file has it.
  const sink = (record: TransitionRecord) => void records.push(JSON.parse(transitionLine(record)));
  const system = createSystem({ clock: sim.clock, inspect: recordTransitions(sink, 'r1') });
  return { sim, records, system };
}

describe('the transition records of an actor', () => {
  it('are one for its start and one for each event, ignored ones too, with context and history', async () => {
    const { sim, records, system } = kitchen();
    const actor = system.spawn(oven, { id: 'o', input: { turns: 4 } });
    for (const type of ['nudged', 'turned', 'opened', 'closed'] as const) actor.send({ type });
    await sim.run(1_000);
    const shared = { run: 'r1', actor: 'o', machine: 'oven' };
    const hot = { closed: 'hot' };
    const history = { 'oven.closed.was': ['oven.closed.hot'] };
    expect(records).toEqual([
      {
        ...shared,
        seq: 1,
        at: 0,
        event: { type: 'xstate.init' },
        from: null,
        to: { closed: 'cold' },
        context: { turns: 4 },
        input: { turns: 4 },
      },
      {
        ...shared,
        seq: 2,
        at: 0,
        event: { type: 'nudged', at: 0 },
        from: { closed: 'cold' },
        to: { closed: 'cold' },
        context: { turns: 4 },
      },
      {
        ...shared,
        seq: 3,
        at: 0,
        event: { type: 'turned', at: 0 },
        from: { closed: 'cold' },
        to: hot,
        context: { turns: 5 },
      },
      {
        ...shared,
        seq: 4,
        at: 0,
        event: { type: 'opened', at: 0 },
        from: hot,
        to: 'open',
        context: { turns: 5 },
        history,
      },
      {
        ...shared,
        seq: 5,
        at: 0,
        event: { type: 'closed', at: 0 },
        from: 'open',
        to: hot,
        context: { turns: 5 },
        history,
      },
      {
        ...shared,
        seq: 6,
        at: 1_000,
        event: { type: 'xstate.after.1000.oven.closed.hot' },
        from: hot,
        to: 'burnt',
        context: { turns: 5 },
        history: expect.anything(),
        status: 'done',
      },
    ]);
  });

  it('say how it ended: stopped from outside, or crashed and started again under the next number', async () => {
    const { sim, records, system } = kitchen();
    const stopped = system.spawn(oven, { id: 's', input: { turns: 0 } });
    const crashing = system.spawn(oven, { id: 'c', input: { turns: 0 }, supervise: { strategy: 'restart' } });
    stopped.stop();
    for (const type of ['turned', 'turned'] as const) crashing.send({ type });
    await sim.run(100);
    expect(records.filter(({ actor }) => actor === 's').at(-1)).toMatchObject({
      seq: 2,
      event: { type: 'xstate.stop' },
      from: { closed: 'cold' },
      to: { closed: 'cold' },
      status: 'stopped',
    });
    expect(records.filter(({ actor }) => actor === 'c').slice(2)).toMatchObject([
      {
        seq: 3,
        event: { type: 'turned' },
        from: { closed: 'hot' },
        status: 'error',
        error: 'Error: too hot',
      },
      { seq: 4, event: { type: 'xstate.init' }, from: null, to: { closed: 'cold' } },
    ]);
  });

  it('leave out what JSON cannot say, and name it', () => {
    const circle: { self?: object } = {};
    circle.self = circle;
    const event = { type: 'go', circle };
    const line = transitionLine({
      actor: 'a',
      machine: 'm',
      seq: 1,
      at: 0.12345,
      event,
      from: 'x',
      to: 'y',
      context: circle,
    });
    expect(JSON.parse(line)).toEqual({
      actor: 'a',
      machine: 'm',
      seq: 1,
      at: 0.123,
      event: { type: 'go' },
      from: 'x',
      to: 'y',
      unprintable: expect.stringContaining('circular'),
    });
  });
});

it('nobody who takes no records pays for them', () => {
  expect(recordTransitions(undefined, 'r1')).toBeUndefined();
});
