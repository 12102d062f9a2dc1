// A trainer, its gate and its nodes on a simulated clock and network.
// Invariant of all: a committed round is made of whole updates by nodes that were asked, and of no others.
import { expect, test } from 'vitest';
import { equalWeights } from '../../src/training/weights.ts';
import type { Fleet, Weights } from '../../src/training/contract.ts';
import { TRAIN } from '../../src/training/wire.ts';
import { limits } from '../../src/protocol/limits.ts';
import { TrainingWorld, updateOf } from './training.ts';

test('rounds are trained, committed, evaluated and recorded, and the model is delivered', async () => {
  const world = new TrainingWorld({ seed: 1 });
  const evaluate = () => ({ samples: 2, metrics: { accuracy: 0.5 } });
  for (const id of ['a', 'b', 'c']) world.join(id, { evaluate });
  const delivered: string[] = [];
  const life = await world.begin({
    gate: { minNodes: 3 },
    evaluate: (weights, round) => ({ first: weights[0]?.data[0] ?? NaN, round }),
    deliver: ({ end, round, model }) => void delivered.push(`${end} ${round} ${model}`),
  });
  const outcome = await world.ended(life, 60_000);
  expect(outcome).toMatchObject({ end: 'completed', round: 5, delivery: 'delivered', pauses: 0 });
  expect(delivered).toEqual([`completed 5 ${outcome.model}`]);
  expect(life.rounds.map(({ round }) => round)).toEqual([1, 2, 3, 4, 5]);
  expect(life.rounds[4]).toMatchObject({
    asked: 3,
    answered: 3,
    refused: 0,
    late: 0,
    lost: 0,
    participants: ['a', 'b', 'c'],
    model: outcome.model,
    evaluation: { accuracy: 0.5, round: 5 },
  });
  expect(Object.keys(life.rounds[4]?.metrics ?? {})).toEqual(['loss']);
  expect(await world.sim.settle(life.trainer.history(), 1_000)).toEqual(life.rounds);
  // Each model was sent to each node once: the first when it joined, the last for its evaluation.
  for (const { syncs, tasks } of world.nodes.values()) {
    const sent = syncs.filter(({ weights }) => weights !== undefined).map(({ round }) => round);
    expect(sent).toEqual([0, 1, 2, 3, 4, 5]);
    expect(tasks.map(({ round }) => round)).toEqual([1, 2, 3, 4, 5]);
  }
  expect(equalWeights(outcome.weights, life.trainer.weights())).toBe(true);
  expect(life.hub.status().unexpectedEvents).toBe(0);
});

test('a node whose link is cut while it trains loses nothing: its update counts in the same round', async () => {
  const world = new TrainingWorld({ seed: 2 });
  for (const id of ['a', 'b', 'c']) world.join(id, { trainMs: 1_000 });
  const life = await world.begin({ gate: { minNodes: 3, pauseAfterMs: 2_000 }, rounds: 3 });
  await world.sim.runUntil(() => (world.nodes.get('b')?.tasks.length ?? 0) === 2, 10_000);
  await world.sim.run(300);
  world.sim.network.cut(({ dialer }) => dialer.startsWith('b'));
  await world.sim.run(400);
  world.sim.network.heal();
  await world.ended(life, 60_000);
  expect(life.rounds.map(({ participants }) => participants.join(''))).toEqual(['abc', 'abc', 'abc']);
  expect(life.rounds.map(({ abandoned }) => abandoned)).toEqual([0, 0, 0]);
  expect(life.events.filter(({ type }) => type !== 'gate')).toEqual([]);
});

test('a node that is killed in mid-round costs its update only, and what took its place trains from the next round on', async () => {
  const world = new TrainingWorld({ seed: 3 });
  for (const id of ['a', 'b', 'c']) world.join(id, { trainMs: 300 });
  const options = { minNodes: 2, stragglerGraceMs: 100, rounds: 4 };
  const life = await world.begin({ ...options, gate: { minNodes: 2, resumeNodes: 3 } });
  await world.sim.runUntil(() => life.rounds.length === 1, 10_000);
  await world.sim.run(100);
  world.killNode('b');
  const reborn = world.join('b', { trainMs: 300 });
  await world.ended(life, 60_000);
  expect(life.rounds.map(({ participants }) => participants.join(''))).toEqual(['abc', 'ac', 'abc', 'abc']);
  expect(life.rounds[1]).toMatchObject({ asked: 3, answered: 2, lost: 1, late: 0, abandoned: 0 });
  // It had the model of the round that ran when it came, and got the next one with its first task.
  expect(reborn.syncs.map(({ round }) => round)).toEqual([1, 2, 3]);
});

test.each([
  ['others do the round', 1_000, 'others'],
  ['they are waited for as long as was said', 20_000, 'nobody'],
] as const)('when a round needs nodes that died, %s', async (_, stragglerGraceMs, who) => {
  const world = new TrainingWorld({ seed: 9 });
  for (const id of ['a', 'b', 'c', 'd']) world.join(id, { trainMs: 500 });
  const life = await world.begin({
    hub: { sessionGraceMs: 60_000 },
    gate: { minNodes: 2 },
    fraction: 0.5,
    roundQuorum: 2,
    stragglerGraceMs,
    rounds: 3,
  });
  await world.sim.runUntil(() => life.rounds.length === 1, 10_000);
  await world.sim.run(100);
  const asked = [...world.nodes.values()].filter(({ tasks }) => tasks.at(-1)?.round === 2);
  expect(asked).toHaveLength(2);
  world.killNode(asked[0]!.id);
  await world.sim.run(stragglerGraceMs < 2_000 ? 2_500 : 15_000);
  expect(life.rounds.map(({ round }) => round)).toEqual(who === 'others' ? [1, 2, 3] : [1]);
  expect(life.events.filter(({ type }) => type === 'abandoned')).toMatchObject(
    who === 'others'
      ? [{ round: 2, reason: expect.stringMatching(/1 that are away did not come back/) as string }]
      : [],
  );
});

test('who is slower than the grace is late: counted, told, not asked meanwhile, and asked again afterwards', async () => {
  const world = new TrainingWorld({ seed: 4 });
  for (const id of ['a', 'b']) world.join(id, { trainMs: 100 });
  const slow = world.join('slow', { trainMs: () => (slow.tasks.length === 1 ? 600 : 100) });
  const life = await world.begin({
    gate: { minNodes: 3 },
    minNodes: 2,
    stragglerGraceMs: 200,
    deadlineMs: 5_000,
    rounds: 8,
  });
  await world.ended(life, 60_000);
  expect(life.rounds[0]).toMatchObject({ asked: 3, answered: 2, late: 1, lost: 0, participants: ['a', 'b'] });
  const asked = life.rounds.map((report) => report.asked);
  const back = asked.indexOf(3, 1);
  expect(back).toBeGreaterThan(1);
  expect(asked.slice(1, back).every((count) => count === 2)).toBe(true);
  expect(asked.slice(back).every((count) => count === 3)).toBe(true);
  expect(life.trainer.status()).toMatchObject({ late: 1, refused: 0, abandoned: 0 });
  expect(slow.refused).toMatchObject([{ round: 1, epoch: 1, code: 'late' }]);
});

/** Memory that is never touched costs nothing. */
const sized = (bytes: number) => ({
  weights: [{ shape: [bytes / 4], data: new Float32Array(bytes / 4) }],
  samples: 1,
});

/** Each begins with the name of its refusal. */
const refusals = {
  shape_mismatch: (weights: Weights) => ({
    weights: [{ ...weights[0], shape: [4] }, weights[1]],
    samples: 1,
  }),
  not_finite: (weights: Weights) => {
    weights[0]?.data.fill(Number.NaN);
    return { weights, samples: 1 };
  },
  too_large: () => ({
    weights: Array.from({ length: 4_097 }, () => ({ shape: [1], data: new Float32Array(1) })),
    samples: 1,
  }),
  'too_large to be sent at all': () => sized(limits.maxValueBytes + 4),
  bad_samples: (weights: Weights) => ({ weights, samples: 0 }),
  no_weights: () => ({ samples: 1 }),
  bad_answer: () => 'done',
} as const;

test.each(Object.entries(refusals))(
  'an update that is %s is refused by name, its node is told, and the round goes on without it',
  async (how, answer) => {
    const code = how.split(' ')[0];
    const world = new TrainingWorld({ seed: 5 });
    for (const id of ['a', 'c']) world.join(id);
    const bad = world.join('bad', { train: ({ weights }) => answer(weights) as never });
    const life = await world.begin({ gate: { minNodes: 3 }, minNodes: 2, rounds: 3 });
    const outcome = await world.ended(life, 60_000);
    expect(outcome.end).toBe('completed');
    expect(life.rounds.map(({ participants }) => participants.join(''))).toEqual(['ac', 'ac', 'ac']);
    expect(life.rounds[0]).toMatchObject({ asked: 3, answered: 2, refused: 1, lost: 0, late: 0 });
    expect(bad.refused.map((it) => `${it.round} ${it.code}`)).toEqual(
      [1, 2, 3].map((round) => `${round} ${code}`),
    );
    expect(life.events.filter(({ type }) => type === 'refused')).toMatchObject([
      { node: 'bad', round: 1, code },
      { node: 'bad', round: 2, code },
      { node: 'bad', round: 3, code },
    ]);
  },
);

test('a node whose function throws is refused by the code of its error', async () => {
  const world = new TrainingWorld({ seed: 6 });
  world.join('a');
  world.join('bad', {
    train: () => {
      throw new RangeError('no data here');
    },
  });
  const life = await world.begin({ gate: { minNodes: 2 }, minNodes: 1, rounds: 2 });
  await world.ended(life, 60_000);
  expect(life.rounds.map(({ participants, refused }) => `${participants.join('')} ${refused}`)).toEqual([
    'a 1',
    'a 1',
  ]);
  expect(life.events.find(({ type }) => type === 'refused')).toMatchObject({
    node: 'bad',
    code: 'function_failed',
    message: 'no data here',
  });
});

test('a round that comes to nothing again and again ends training, with its model delivered', async () => {
  const world = new TrainingWorld({ seed: 7 });
  let sick = false;
  world.join('a', { train: (task) => (sick ? ({ samples: 0 } as never) : updateOf('a', task)) });
  const life = await world.begin({
    gate: { minNodes: 1 },
    maxAttempts: 4,
    onRound: ({ round }) => void (sick = round === 2),
  });
  const outcome = await world.ended(life, 60_000);
  expect(outcome).toMatchObject({ end: 'requested', round: 2, delivery: 'delivered' });
  expect(outcome.reason).toMatch(/^round 3 was abandoned 4 times: /);
  expect(life.events.filter(({ type }) => type === 'abandoned').length).toBe(4);
  // Who mends it goes on.
  sick = false;
  world.killHub();
  const next = await world.begin({ gate: { minNodes: 1 } });
  expect(await world.ended(next, 60_000)).toMatchObject({ end: 'completed', round: 5 });
  expect(next.rounds.map(({ round }) => round)).toEqual([3, 4, 5]);
});

test('a share of the nodes is asked, chosen by the seed', async () => {
  const choices = async (seed: number): Promise<string[]> => {
    const world = new TrainingWorld({ seed: 8 });
    for (let n = 0; n < 10; n += 1) world.join(`n${n}`);
    const life = await world.begin({ gate: { minNodes: 10 }, fraction: 0.3, minNodes: 2, maxNodes: 5, seed });
    await world.ended(life, 60_000);
    return life.rounds.map(({ participants }) => participants.join(' '));
  };
  const [one, again, other] = [await choices(1), await choices(1), await choices(2)];
  expect(one.every((nodes) => nodes.split(' ').length === 3)).toBe(true);
  expect(new Set(one).size).toBeGreaterThan(1);
  expect(again).toEqual(one);
  expect(other).not.toEqual(one);
});

test('a node that forgot its model is given it again, in the same round', async () => {
  const world = new TrainingWorld({ seed: 9 });
  const node = world.join('a');
  let forgot: 'not yet' | 'once' = 'not yet';
  const through = (fleet: Fleet): Fleet => ({
    watch: (listener) => fleet.watch(listener),
    call: async (id, name, args, options) => {
      if (name !== TRAIN || forgot === 'once' || node.tasks.length < 1)
        return fleet.call(id, name, args, options);
      forgot = 'once';
      // Another run's models may have taken its place.
      return { unknownModel: true };
    },
  });
  const life = await world.begin({ rounds: 3, through });
  expect(await world.ended(life, 60_000)).toMatchObject({ end: 'completed', round: 3 });
  expect(forgot).toBe('once');
  expect(life.rounds.map(({ abandoned }) => abandoned)).toEqual([0, 0, 0]);
  expect(node.syncs.map(({ round }) => round)).toEqual([0, 1, 1, 2]);
});

test('nobody waits for an evaluation by a node that went away, nor for one when training ends', async () => {
  const world = new TrainingWorld({ seed: 10 });
  world.join('a', { evaluate: () => ({ samples: 1, metrics: { accuracy: 0.25 } }) });
  world.join('b', { evaluate: () => new Promise(() => {}) });
  const life = await world.begin({
    gate: { minNodes: 1, resumeNodes: 2 },
    rounds: 3,
    deadlineMs: 100_000,
  });
  await world.sim.runUntil(() => life.trainer.status().round === 1, 10_000);
  await world.sim.run(1_000);
  expect(life.rounds).toEqual([]);
  world.killNode('b');
  await world.sim.runUntil(() => life.rounds.length === 3, 10_000);
  expect(life.rounds.map(({ evaluation }) => evaluation)).toEqual([1, 2, 3].map(() => ({ accuracy: 0.25 })));

  world.killHub();
  world.join('b', { evaluate: () => new Promise(() => {}) });
  const next = await world.begin({ gate: { minNodes: 2 }, minNodes: 2, rounds: 10, deadlineMs: 100_000 });
  await world.sim.runUntil(() => next.trainer.status().round === 4, 10_000);
  const from = world.sim.now;
  void next.trainer.stop();
  expect(await world.ended(next, 60_000)).toMatchObject({ end: 'requested', delivery: 'delivered' });
  expect(world.sim.now - from).toBeLessThan(100);
});
