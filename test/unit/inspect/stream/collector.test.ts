// What is told of the actors of one process: all of it while it is little, some of it when it is much, and always the truth.
import { describe, expect, it } from 'vitest';
import { assign, setup } from 'xstate';
import { createSystem, type Actor } from '../../../../src/actors/index.ts';
import { Collector, type Wishes } from '../../../../src/inspect/stream/collector.ts';
import { Truth } from '../../../../src/inspect/stream/truth.ts';
import { toTold, type Step, type Told } from '../../../../src/protocol/inspection.ts';
import { Prng } from '../../../../src/testing/prng.ts';
import { createSimulation } from '../../../../src/testing/index.ts';

const door = setup({
  types: {} as {
    context: { readonly uses: number; readonly token: string };
    input: { readonly token: string } | undefined;
    events: { type: 'open' | 'shut' | 'peek' | 'break' | 'burn' };
  },
  actions: {
    ringBell: () => {},
    count: assign({ uses: ({ context }) => context.uses + 1 }),
    crash: () => {
      throw new Error('it is stuck');
    },
  },
  delays: { airing: 1_000 },
}).createMachine({
  id: 'door',
  context: ({ input }) => ({ uses: 0, token: input?.token ?? 'abc' }),
  initial: 'shut',
  states: {
    shut: { on: { open: { target: 'opening', actions: 'ringBell' }, break: { actions: 'crash' } } },
    opening: { always: 'ajar' },
    ajar: {
      entry: 'count',
      after: { airing: 'shut' },
      on: { shut: 'shut', peek: {}, burn: 'gone', break: { actions: 'crash' } },
    },
    gone: { type: 'final' },
  },
});

function scene(wishes: Wishes = {}) {
  const sim = createSimulation({ seed: 7 });
  const system = createSystem({ clock: sim.clock });
  const collector = new Collector({ clock: sim.clock, process: 'app/1', role: 'app', name: 'test' });
  collector.add(system);
  const told: Told[] = [];
  const truth = new Truth();
  const start = (): void =>
    collector.start((message) => {
      // As it comes out of a socket.
      const read = toTold(JSON.parse(JSON.stringify(message)));
      told.push(read);
      truth.tell(read);
    }, wishes);
  const spawn = (id: string, more: object = {}) => {
    const performers = { ringBell: () => {} };
    const effects = { ringBell: ({ context }: { context: { uses: number } }) => ({ uses: context.uses }) };
    return system.spawn(door, { id, effects, performers, ...more } as never) as unknown as Actor;
  };
  const steps = (): Step[] => told.filter((message) => message.kind === 'step');
  const states = () => [...(truth.processes.get('app/1')?.actors.values() ?? [])];
  return { sim, system, collector, told, truth, start, spawn, steps, states };
}

/** What the system itself says of those that live. */
const living = ({ system }: Pick<ReturnType<typeof scene>, 'system'>) =>
  system.living().map((live) => ({
    actor: live.id,
    state: live.snapshot().value,
    since: live.since,
    timers: live.timers().map(({ id, startedAt }) => [id, startedAt]),
  }));

const known = ({ states }: Pick<ReturnType<typeof scene>, 'states'>) =>
  states().map(({ actor, state, since, timers = [] }) => ({
    actor,
    state,
    since,
    timers: timers.map(({ id, startedAt }) => [id, startedAt]),
  }));

const byActor = <A extends { readonly actor: string }>(list: A[]): A[] =>
  list.toSorted((a, b) => a.actor.localeCompare(b.actor));

describe('the steps of an actor', () => {
  it('tell event, states, microsteps, effects and timers, from its creation to its end', async () => {
    const { sim, start, spawn, steps, told } = scene({ contexts: true });
    start();
    const front = spawn('front', { input: { token: 'open sesame' } });
    front.send({ type: 'open' });
    front.send({ type: 'shout' });
    await sim.run(1_000);
    front.send({ type: 'open' });
    front.send({ type: 'burn' });
    expect(told.slice(0, 3).map(({ kind }) => kind)).toEqual(['process', 'present', 'machine']);
    expect(steps()).toMatchObject([
      { seq: 1, from: null, to: 'shut', event: { type: 'xstate.init', input: { token: '…' } } },
      {
        seq: 2,
        from: 'shut',
        to: 'ajar',
        via: ['opening'],
        event: { type: 'open', at: 0 },
        effects: [{ name: 'ringBell', payload: { uses: 0 } }],
        timers: [{ name: 'airing', delayMs: 1_000 }],
        context: { uses: 1, token: '…' },
      },
      { seq: 3, from: 'ajar', to: 'ajar', unexpected: true },
      { seq: 4, at: 1_000, to: 'shut', event: { type: 'xstate.after.airing.door.ajar' }, timers: [{}] },
      { seq: 5, from: 'shut', to: 'ajar' },
      { seq: 6, from: 'ajar', to: 'gone', status: 'done' },
    ]);
    expect(JSON.stringify(told)).not.toContain('sesame');
  });

  it('end with what it was stopped or crashed by, and go on with another life', async () => {
    const { sim, start, spawn, steps, states } = scene({ payloads: 'shown' });
    start();
    const front = spawn('front', { supervise: { strategy: 'restart', backoffMs: 10 } });
    front.send({ type: 'break' });
    expect(states()).toEqual([]);
    await sim.run(20);
    expect(states()).toMatchObject([{ actor: 'front', state: 'shut' }]);
    front.stop();
    expect(steps().map(({ seq, event, status, error }) => [seq, event.type, status, error])).toEqual([
      [1, 'xstate.init', undefined, undefined],
      [2, 'break', 'error', 'it is stuck'],
      [3, 'xstate.init', undefined, undefined],
      [4, 'xstate.stop', 'stopped', undefined],
    ]);
  });

  it('name the step whose effect sent their event, across actors', () => {
    const { system, start, spawn, steps } = scene();
    const back = spawn('back');
    start();
    const front = system.spawn(door, {
      id: 'front',
      effects: { ringBell: () => ({}) },
      performers: { ringBell: () => back.send({ type: 'open' }) },
    }) as unknown as Actor;
    front.send({ type: 'open' });
    const [, cause, effect] = steps();
    expect(effect).toMatchObject({
      actor: 'back',
      cause: { process: 'app/1', actor: 'front', clock: cause?.clock },
    });
    expect(cause?.cause).toBeUndefined();
    expect(effect!.clock).toBeGreaterThan(cause!.clock);
  });

  it('of another process push the clock: no step comes before its cause', () => {
    const { collector, start, spawn, steps } = scene();
    const front = spawn('front');
    start();
    collector.reading({ process: 'hub/1', actor: 'session', clock: 5_000 });
    front.send({ type: 'open' });
    collector.reading(undefined);
    front.send({ type: 'shut' });
    expect(steps().map(({ clock, cause }) => [clock, cause?.process])).toEqual([
      [5_001, 'hub/1'],
      [5_002, undefined],
    ]);
  });
});

describe('a collector', () => {
  it('listens to nothing before somebody looks, nor afterwards', () => {
    const { collector, system, start, spawn, told } = scene();
    let watched = 0;
    const watch = system.watch.bind(system);
    collector.add({ living: () => [], watch: (watcher) => ((watched += 1), watch(watcher)) });
    const front = spawn('front');
    front.send({ type: 'open' });
    expect([watched, collector.stamp(), told.length]).toEqual([0, undefined, 0]);
    start();
    expect(watched).toBe(1);
    collector.stop();
    const before = told.length;
    front.send({ type: 'shut' });
    expect(told).toHaveLength(before);
  });

  it('tells the truth: folding its steps gives what the system says, whenever one begins to look', async () => {
    const it = scene();
    const prng = new Prng(11);
    const below = (n: number): number => prng.uint32() % n;
    const actors: Actor[] = [];
    for (let round = 0; round < 400; round++) {
      if (round === 100) it.start();
      const chosen = actors[below(actors.length + 1)];
      if (chosen === undefined || chosen.status !== 'active') actors.push(it.spawn(`door-${actors.length}`));
      else if (below(20) === 0) chosen.stop();
      else chosen.send({ type: ['open', 'shut', 'peek', 'burn', 'break'][below(5)] as string });
      if (below(4) === 0) await it.sim.run(300);
      if (round >= 100) expect(byActor(known(it))).toEqual(byActor(living(it)));
    }
    expect(it.steps().length).toBeGreaterThan(150);
  });

  it('leaves out what is too much, says how much, and tells the truth anew', async () => {
    const it = scene({ stepsPerSecond: 10 });
    const front = it.spawn('front');
    const back = it.spawn('back');
    it.start();
    for (let n = 0; n < 50; n++) {
      front.send({ type: 'open' });
      front.send({ type: 'shut' });
    }
    back.send({ type: 'open' });
    expect(it.steps()).toHaveLength(10);
    // It does not know yet.
    expect(byActor(known(it))).not.toEqual(byActor(living(it)));
    await it.sim.run(600);
    const dropped = it.told.filter((message) => message.kind === 'dropped');
    expect(dropped).toMatchObject([{ steps: 91 }]);
    expect(byActor(known(it))).toEqual(byActor(living(it)));
    front.send({ type: 'open' });
    expect(it.steps().at(-1)).toMatchObject({ actor: 'front', seq: 101 });
    expect(byActor(known(it))).toEqual(byActor(living(it)));
  });

  it('whose drops were never healed would be noticed by the test before', async () => {
    const it = scene({ stepsPerSecond: 10 });
    const back = it.spawn('back');
    it.start();
    for (let n = 0; n < 20; n++) back.send({ type: 'peek' });
    back.send({ type: 'open' });
    const steps = it.told.filter(({ kind }) => kind !== 'present');
    await it.sim.run(600);
    const broken = new Truth();
    for (const message of steps) broken.tell(message);
    expect(broken.processes.get('app/1')?.actors.get('back')?.state).not.toBe('ajar');
  });

  it('shows a thousand actors in messages of a bounded size', () => {
    const { start, spawn, told, states } = scene();
    for (let n = 0; n < 1_000; n++) spawn(`door-${n}`);
    start();
    const presents = told.filter((message) => message.kind === 'present');
    expect(presents.map(({ actors, more }) => [actors.length, more])).toEqual([
      [200, true],
      [200, true],
      [200, true],
      [200, true],
      [200, undefined],
    ]);
    expect(states()).toHaveLength(1_000);
  });
});
