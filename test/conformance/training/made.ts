// Checkpoints that tests save, and find again.
// Invariant: what is made for a round is the same in every process.
import { createNodeDigest } from '../../../src/adapters/node-digest.ts';
import { createNodeRandom } from '../../../src/adapters/node-random.ts';
import { noLog } from '../../../src/index.ts';
import { piecesPrefix } from '../../../src/protocol/training-records.ts';
import { prefixEnd } from '../../../src/store/bytes.ts';
import type { Store } from '../../../src/store/contract.ts';
import { Checkpoints, type Checkpoint } from '../../../src/training/checkpoint.ts';
import type { Weights } from '../../../src/training/contract.ts';
import { hashOf } from '../../../src/training/layout.ts';
import { bitsOf } from '../../unit/training/models.ts';

export const checkpointsOf = (store: Store, run = 'run 1'): Checkpoints =>
  new Checkpoints({ store, run, digest: createNodeDigest(), random: createNodeRandom(), log: noLog() });

/** A model of so many bytes that nothing else looks like, and moments of the same size beside it. */
export async function checkpointAt(round: number, bytes = 1_000): Promise<Checkpoint> {
  const tensor = (salt: number): Weights => [
    {
      shape: [bytes / 4],
      data: new Float32Array(bytes / 4).map((_, at) => Math.imul(at + salt, 0x9e3779b1)),
    },
  ];
  const weights = tensor(2 * round);
  return {
    round,
    epoch: round + 1,
    weights,
    model: await hashOf(weights, createNodeDigest()),
    state: [...tensor(2 * round + 1), { shape: [], data: Float64Array.of(1 / round) }],
    strategy: 'fed-adam',
    seed: 7,
    members: ['n1', 'n/2'],
  };
}

/** Two checkpoints are the same when these are equal. */
export const facts = (checkpoint: Checkpoint | undefined): unknown =>
  checkpoint === undefined
    ? undefined
    : { ...checkpoint, weights: bitsOf(checkpoint.weights), state: bitsOf(checkpoint.state) };

/** Keys of the pieces that are there. */
export async function pieces(store: Store, run = 'run 1'): Promise<string[]> {
  const key = new TextEncoder().encode(piecesPrefix(run));
  const { entries } = await store.range({ key, end: prefixEnd(key), keysOnly: true });
  return entries.map((entry) => new TextDecoder().decode(entry.key));
}
