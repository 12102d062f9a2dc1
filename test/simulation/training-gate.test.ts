// The gate of a trainer over a real hub: pauses, budgets and joiners, on a simulated clock while the wall clock is set.
// Invariant of all: what is measured is the clock's time from the loss of the quorum to the end of training.
import { expect, onTestFinished, test } from 'vitest';
import { SYNC } from '../../src/training/wire.ts';
import type { Fleet } from '../../src/training/contract.ts';
import { Dice } from './dice.ts';
import { TrainingWorld, type LifeOptions, type TrainingLife } from './training.ts';
import { WallClock } from './wall-clock.ts';

const HOUR_MS = 3_600_000;

/** Nothing may depend on it: it is set back and forth while the simulation runs. */
function wallClockOf(world: TrainingWorld): WallClock {
  const wallClock = new WallClock();
  wallClock.install(() => world.sim.now);
  onTestFinished(() => wallClock.uninstall());
  return wallClock;
}

const states = (life: TrainingLife): string[] =>
  life.events.flatMap((event) => (event.type === 'gate' ? [`${event.state} ${event.nodes}`] : []));

test('below the quorum it pauses at once, abandons the round, and goes on with the quorum', async () => {
  const world = new TrainingWorld({ seed: 1 });
  for (const id of ['a', 'b', 'c', 'd']) world.join(id, { trainMs: 500 });
  const life = await world.begin({ gate: { minNodes: 3, resumeNodes: 4 }, rounds: 4 });
  await world.sim.runUntil(() => life.rounds.length === 1, 10_000);
  world.killNode('c');
  await world.sim.runUntil(() => life.trainer.status().nodes.length === 3, 1_000);
  expect(life.trainer.status().state).toBe('open');
  world.killNode('d');
  await world.sim.runUntil(() => life.trainer.status().state === 'paused', 1_000);
  await world.sim.run(10);
  expect(life.events.at(-1)).toMatchObject({ type: 'abandoned', round: 2, epoch: 2 });
  // Hysteresis: three were enough to stay open, and are not enough to open again.
  world.join('d', { trainMs: 500 });
  await world.sim.run(5_000);
  expect(life.trainer.status()).toMatchObject({ state: 'paused', nodes: ['a', 'b', 'd'] });
  world.join('c', { trainMs: 500 });
  const outcome = await world.ended(life, 60_000);
  expect(outcome).toMatchObject({ end: 'completed', round: 4, pauses: 1 });
  expect(outcome.pausedMs).toBeGreaterThan(5_000);
  expect(life.rounds.map(({ abandoned }) => abandoned)).toEqual([0, 1, 0, 0]);
  expect(states(life)).toEqual(['gathering 0', 'open 4', 'paused 2', 'open 4', 'completed 4']);
});

test('a debounce longer than a cut keeps it open, and a round costs nothing but time', async () => {
  const world = new TrainingWorld({ seed: 2 });
  for (const id of ['a', 'b']) world.join(id, { trainMs: 500 });
  const life = await world.begin({ gate: { minNodes: 2, pauseAfterMs: 2_000 }, rounds: 3 });
  await world.sim.runUntil(() => life.rounds.length === 1, 10_000);
  await world.sim.run(100);
  world.sim.network.cut(({ dialer }) => dialer.startsWith('a'));
  await world.sim.run(1_000);
  world.sim.network.heal();
  const outcome = await world.ended(life, 60_000);
  expect(outcome).toMatchObject({ end: 'completed', pauses: 0, pausedMs: 0 });
  expect(life.rounds.map(({ abandoned }) => abandoned)).toEqual([0, 0, 0]);
});

test('who never comes is waited for as long as was said', async () => {
  const world = new TrainingWorld({ seed: 3 });
  world.join('a');
  const life = await world.begin({ gate: { minNodes: 2, gatherTimeoutMs: 10_000 } });
  const from = world.sim.now;
  const outcome = await world.ended(life, 60_000);
  expect(outcome).toMatchObject({ end: 'gather_timed_out', round: 0, delivery: 'delivered' });
  expect(Math.abs(world.sim.now - from - 10_000)).toBeLessThan(30);
});

test('a delivery that hangs is not waited for longer than was said', async () => {
  const world = new TrainingWorld({ seed: 4 });
  world.join('a');
  const life = await world.begin({
    rounds: 100_000,
    gate: { deliveryTimeoutMs: 700 },
    deliver: () => new Promise(() => {}),
  });
  await world.sim.runUntil(() => life.rounds.length === 2, 10_000);
  const from = world.sim.now;
  void life.trainer.stop('enough');
  const outcome = await world.ended(life, 60_000);
  expect(outcome).toMatchObject({ end: 'requested', delivery: 'undelivered' });
  expect(outcome.reason).toBe('enough; the model was not delivered within 700 ms');
  expect(world.sim.now - from).toBeLessThan(760);
});

test('whoever asks for the end while the last round is committed gets a run that is completed', async () => {
  const world = new TrainingWorld({ seed: 8 });
  world.join('a');
  const delivered: string[] = [];
  const life = await world.begin({
    rounds: 3,
    evaluate: (_weights, round) => {
      if (round === 3) void life.trainer.stop('enough');
      return {};
    },
    deliver: ({ end }) => void delivered.push(end),
  });
  const outcome = await world.ended(life, 10_000);
  expect(states(life).slice(-2)).toEqual(['terminating 1', 'completed 1']);
  expect(outcome).toMatchObject({ end: 'completed', round: 3, delivery: 'delivered' });
  expect(delivered).toEqual(['completed']);
});

interface Budgeted {
  readonly budget: 'perPause' | 'cumulative';
  readonly terminateAfterMs: number;
  readonly restarts: number;
}

/** When the gate came to this state last. */
const cameTo = (life: TrainingLife, state: string): number =>
  life.events.findLast((event) => event.type === 'gate' && event.state === state)?.at ?? NaN;

/**
 * Loses its quorum and never finds it again, while others come and go in storms. Answers by how much it was paused longer or
 * shorter than its budget, in uptime of the hub.
 */
async function spend(seed: number, { budget, terminateAfterMs, restarts }: Budgeted) {
  const world = new TrainingWorld({ seed });
  const wallClock = wallClockOf(world);
  const dice = new Dice(seed, 'storm');
  const delivered: number[] = [];
  const options: LifeOptions = {
    rounds: 1_000_000,
    gate: { minNodes: 3, terminateAfterMs, budget },
    deliver: ({ round }) => void delivered.push(round),
  };
  for (const id of ['a', 'b', 'c']) world.join(id, { trainMs: 200 });
  let life = await world.begin(options);
  await world.sim.runUntil(() => life.rounds.length === 2, 10_000);
  const loseQuorum = async (): Promise<void> => {
    world.killNode('c');
    await world.sim.runUntil(() => life.trainer.status().state === 'paused', 10_000);
  };
  await loseQuorum();
  // A pause that ends: of a cumulative budget it takes its part.
  await world.sim.run(terminateAfterMs / 10);
  world.join('c', { trainMs: 200 });
  const firstPausedAt = cameTo(life, 'paused');
  await world.sim.runUntil(() => life.trainer.status().state === 'open', 10_000);
  let spentMs = budget === 'cumulative' ? cameTo(life, 'open') - firstPausedAt : 0;
  await world.sim.run(500);
  await loseQuorum();
  // a and b stay; of the others one is there at a time, and not beside both.
  let guest = 'a';
  let storms = 0;
  for (let left = restarts; life.outcome === undefined && storms < 5_000; storms += 1) {
    const pausedMs = world.sim.now - cameTo(life, 'paused');
    if (left > 0 && spentMs + pausedMs > (terminateAfterMs * (restarts - left + 1)) / (restarts + 2)) {
      left -= 1;
      spentMs += pausedMs;
      world.killHub();
      // Downtime does not count.
      await world.sim.run(dice.whole(500, 20_000));
      life = await world.begin(options);
      expect(life.trainer.status().state).toBe('paused');
    }
    wallClock.jump(dice.pick([-HOUR_MS, HOUR_MS]));
    if (dice.chance(0.5)) world.sim.network.reset(({ dialer }) => dialer.startsWith(dice.pick(['b', guest])));
    else {
      world.killNode(guest);
      guest = dice.pick(['a', 'd', 'e']);
      world.join(guest);
    }
    await world.sim.run(dice.whole(10, 2_000));
  }
  const errorMs = spentMs + cameTo(life, 'terminating') - cameTo(life, 'paused') - terminateAfterMs;
  return { errorMs, storms, outcome: life.outcome, delivered, wallClock };
}

test.each([
  { budget: 'perPause', terminateAfterMs: 300_000, restarts: 0 },
  { budget: 'perPause', terminateAfterMs: 300_000, restarts: 2 },
  { budget: 'cumulative', terminateAfterMs: 300_000, restarts: 2 },
  { budget: 'perPause', terminateAfterMs: 30_000, restarts: 1 },
] as const)(
  'a budget of $terminateAfterMs ms, $budget, with $restarts restarts of the hub, ends in time whatever reconnects',
  async (given) => {
    const { terminateAfterMs, restarts } = given;
    const { errorMs, storms, outcome, delivered, wallClock } = await spend(5, given);
    expect(Math.abs(errorMs)).toBeLessThanOrEqual(restarts === 0 ? 5 : Math.max(5, terminateAfterMs / 1_000));
    expect(storms).toBeGreaterThan(20);
    expect(wallClock.reads).toBe(0);
    expect(outcome).toMatchObject({ end: 'budget_spent', delivery: 'delivered' });
    expect(delivered).toEqual([outcome?.round]);
    expect(outcome?.round).toBeGreaterThanOrEqual(2);
  },
  30_000,
);

/** A hundred nodes that join within a second, in the middle of the second round; and those of them that were not given its model once. */
async function join100(through: (fleet: Fleet) => Fleet = (fleet) => fleet) {
  const world = new TrainingWorld({ seed: 6, jitterMs: 5 });
  for (const id of ['a', 'b']) world.join(id, { trainMs: 3_000 });
  const life = await world.begin({ gate: { minNodes: 2 }, rounds: 4, through });
  await world.sim.runUntil(() => life.rounds.length === 1, 20_000);
  await world.sim.run(500);
  const crowd = Array.from({ length: 100 }, (_, n) => `n${String(n).padStart(2, '0')}`);
  for (const [n, id] of crowd.entries())
    world.sim.clock.setTimer(() => world.join(id, { trainMs: 3_000 }), n * 10);
  await world.sim.run(1_500);
  const wrong = crowd.filter((id) => {
    const { syncs = [], tasks = [] } = world.nodes.get(id) ?? {};
    const [first] = syncs;
    return syncs.length !== 1 || tasks.length > 0 || first?.round !== 1 || first.weights?.length !== 2;
  });
  return { world, life, crowd, wrong };
}

test('a hundred that join within a second of training are given the model once each, and all take part then', async () => {
  const { world, life, crowd, wrong } = await join100();
  expect(life.rounds.length).toBe(1);
  expect(life.trainer.status().nodes).toEqual(['a', 'b', ...crowd]);
  expect(wrong).toEqual([]);
  await world.ended(life, 60_000);
  expect(life.rounds.map(({ answered }) => answered)).toEqual([2, 2, 102, 102]);
  // The models of the rounds that they took part in, each once.
  for (const id of crowd) expect(world.nodes.get(id)?.syncs.map(({ round }) => round)).toEqual([1, 2, 3]);
});

test('a fleet that sends a model twice, or acknowledges one that never arrived, is found out', async () => {
  const spoiled = (spoil: (fleet: Fleet, ...call: Parameters<Fleet['call']>) => Promise<unknown>) =>
    join100((fleet) => ({
      watch: (listener) => fleet.watch(listener),
      call: (node, name, args, options) =>
        name === SYNC && node === 'n42'
          ? spoil(fleet, node, name, args, options)
          : fleet.call(node, name, args, options),
    }));
  const twice = await spoiled(async (fleet, ...call) => {
    await fleet.call(...call);
    return fleet.call(...call);
  });
  expect(twice.wrong).toEqual(['n42']);
  const never = await spoiled((_fleet, _node, _name, [request]) =>
    Promise.resolve({ model: (request as { model: string }).model }),
  );
  expect(never.wrong).toEqual(['n42']);
});

test('a joiner whose sync is lost again and again is given the model until it has it, and counts only then', async () => {
  const world = new TrainingWorld({ seed: 7 });
  for (const id of ['a', 'b']) world.join(id);
  let fails = 3;
  const through = (fleet: Fleet): Fleet => ({
    watch: (listener) => fleet.watch(listener),
    call: (node, name, args, options) => {
      if (node === 'b' && name === SYNC && fails-- > 0) return Promise.reject(new Error('lost on the way'));
      return fleet.call(node, name, args, options);
    },
  });
  const life = await world.begin({ gate: { minNodes: 2 }, rounds: 2, through });
  await world.sim.runUntil(() => fails < 3 && life.trainer.status().nodes.length === 1, 10_000);
  expect(life.trainer.status()).toMatchObject({ state: 'gathering', nodes: ['a'], online: 2 });
  expect(await world.ended(life, 60_000)).toMatchObject({ end: 'completed', round: 2 });
  expect(fails).toBeLessThan(0);
});
