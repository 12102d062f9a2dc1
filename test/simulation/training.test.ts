// A trainer, its gate and its nodes on a simulated clock and network.
// Invariant of all: a committed round is made of whole updates by nodes that were asked, and of no others.
import { expect, test } from 'vitest';
import { equalWeights } from '../../src/training/weights.ts';
import { TrainingWorld } from './training.ts';

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
