// What the nodes of the demo learn: each its own digits, and in each round an order of them that follows from a seed.
// Invariant: what a node answers is a function of (seed, round, node, weights): a round that is done again, or replayed,
// gives the same.
import type { TrainingUpdate, Weights } from '../../index.ts';
import { COUNTS, readDigits } from './digits.ts';
import { openNetwork, type Network } from './network.ts';
import { seedFrom, shuffled } from './seeded.ts';

export const NODES = ['node-1', 'node-2', 'node-3', 'node-4', 'node-5', 'node-6', 'node-7', 'node-8'];
/** Fewer nodes pause training. */
export const MIN_NODES = 6;
/** A pause ends with so many. */
export const RESUME_NODES = 7;
/** Test accuracy that is promised, from so many rounds on. */
export const TARGET = { accuracy: 0.95, rounds: 20 } as const;

/** Nodes that compute are late to answer a heartbeat; those that die are noticed by their sockets. */
export const heartbeat = { heartbeatIntervalMs: 2_000, heartbeatTimeoutMs: 10_000 } as const;

const SEED = 7;
const SHARD = COUNTS.train / NODES.length;
/** A third of its shard: a round is short, and the next one learns from others. */
const DIGITS_A_ROUND = SHARD / 3;
const LEARNING_RATE = 0.2;

/** One hidden layer of 64: 50 890 numbers. */
export const openDemoNetwork = (): Promise<Network> => openNetwork({ hidden: [64], batchSize: 25 });

export const initialModel = (network: Network): Weights => network.initialWeights(SEED);

export interface Lesson {
  readonly round: number;
  readonly weights: Weights;
  readonly signal?: AbortSignal;
}

/** What this node does in a round, with those digits that are its alone. */
export function createLearner(
  network: Network,
  folder: string,
  node: string,
): (lesson: Lesson) => Promise<TrainingUpdate & { readonly weights: Weights }> {
  const digits = readDigits(folder, 'train', NODES.indexOf(node) * SHARD, SHARD);
  return async ({ round, weights, signal }) => {
    const order = shuffled(digits.count, seedFrom(SEED, round, node)).subarray(0, DIGITS_A_ROUND);
    const training = { order, learningRate: LEARNING_RATE, ...(signal === undefined ? {} : { signal }) };
    const trained = await network.train(weights, digits, training);
    return { weights: trained.weights, samples: order.length, metrics: { loss: trained.loss } };
  };
}

/** All numbers of a model, one tensor after the other. */
export function bytesOf(weights: Weights): Buffer {
  return Buffer.concat(weights.map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength)));
}
