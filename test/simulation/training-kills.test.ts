// A trainer with FedAdam that is killed at every point of its rounds, one run for each point: around each write to the disk,
// each call of a node, each answer, and the delivery.
// Invariant: weights and moments after all rounds are those of the run that nothing disturbed, bit for bit.
import { expect, test } from 'vitest';
import { decodeText, utf8Encoder } from '../../src/protocol/text.ts';
import { checkpointKey, checkpointRecord } from '../../src/protocol/training-records.ts';
import type { Fleet, Strategy } from '../../src/training/contract.ts';
import { fedAdam } from '../../src/training/strategies/fed-adam.ts';
import { TrainingWorld, type LifeOptions, type TrainingLife } from './training.ts';

const ROUNDS = 3;

interface Finished {
  /** Hashes of weights and of moments. */
  readonly model: string;
  readonly state: string;
  /** Of all rounds, by the history. */
  readonly participants: readonly string[];
  readonly points: readonly string[];
  readonly lives: number;
  readonly deliveries: number;
}

/** Goes through all rounds; the process of hub and trainer is killed at its `killAt`-th point. */
async function train(killAt: number, makeStrategy: () => Strategy = () => fedAdam()): Promise<Finished> {
  const world = new TrainingWorld({ seed: 11 });
  for (const id of ['a', 'b', 'c']) world.join(id);
  const points: string[] = [];
  let deliveries = 0;
  /** Nothing goes on in a process that was killed. */
  const pass = async (point: string): Promise<void> => {
    points.push(point);
    if (points.length !== killAt) return;
    world.killHub();
    await new Promise(() => {});
  };
  const through = (fleet: Fleet): Fleet => ({
    watch: (listener) => fleet.watch(listener),
    call: async (node, name, args, options) => {
      await pass(`${name} of ${node}`);
      const answer = await fleet.call(node, name, args, options);
      await pass(`answer of ${node} to ${name}`);
      return answer;
    },
  });
  world.disk.onWrite = (when) => void pass(`${when} a write`);
  const options = (): LifeOptions => ({
    strategy: makeStrategy(),
    gate: { minNodes: 3 },
    rounds: ROUNDS,
    through,
    deliver: async () => {
      await pass('delivery');
      deliveries += 1;
    },
  });
  let life: TrainingLife;
  let lives = 0;
  do {
    life = await world.launch(options());
    lives += 1;
    life.trainer.start().catch(() => undefined);
    await world.sim.runUntil(() => life.host.state === 'killed' || life.outcome !== undefined, 60_000);
  } while (life.host.state === 'killed');
  const { entries } = await world.sim.settle(
    life.store.range({ key: utf8Encoder.encode(checkpointKey('default')) }),
    1_000,
  );
  const value = entries[0]?.value ?? new Uint8Array();
  const { model, state } = checkpointRecord.parse(JSON.parse(decodeText(value, 0, value.length)));
  const history = await world.sim.settle(life.trainer.history(), 1_000);
  const participants = history.map((report) => report.participants.join(''));
  return { model, state, participants, points, lives, deliveries };
}

test('killed at any point of a round, it ends with the bits of the run that was not', async () => {
  const undisturbed = await train(0);
  expect(undisturbed.participants).toEqual(['abc', 'abc', 'abc']);
  // Not so few, and of all kinds.
  expect(undisturbed.points.length).toBeGreaterThan(50);
  const kinds = new Set(undisturbed.points.map((point) => point.replace(/of [abc]\b/, 'of a node')));
  expect([...kinds].toSorted()).toEqual([
    'after a write',
    'answer of a node to training.sync',
    'answer of a node to training.train',
    'before a write',
    'delivery',
    'training.sync of a node',
    'training.train of a node',
  ]);
  for (let killAt = 1; killAt <= undisturbed.points.length; killAt += 1) {
    const { model, state, participants, lives, points } = await train(killAt);
    const what = `killed at point ${killAt}, ${points[killAt - 1]}`;
    expect([model, state], what).toEqual([undisturbed.model, undisturbed.state]);
    expect(participants, what).toEqual(undisturbed.participants);
    expect(lives, what).toBeGreaterThanOrEqual(killAt === undisturbed.points.length ? 1 : 2);
  }
}, 120_000);

test('a strategy that keeps its moments in itself, and not in the checkpoint, is found out', async () => {
  const forgetful = (): Strategy => {
    const adam = fedAdam();
    let moments: ReturnType<Strategy['aggregate']>['state'] = [];
    return {
      name: 'forgetful',
      aggregate: (input) => {
        const next = adam.aggregate({ ...input, state: moments });
        moments = next.state;
        return { weights: next.weights, state: [] };
      },
    };
  };
  const undisturbed = await train(0, forgetful);
  let different = 0;
  for (let killAt = 1; killAt <= undisturbed.points.length; killAt += 10)
    if ((await train(killAt, forgetful)).model !== undisturbed.model) different += 1;
  expect(different).toBeGreaterThan(2);
});
