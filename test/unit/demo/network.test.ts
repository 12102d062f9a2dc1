// The network of the demo: that it learns, that its gradient is the gradient, and that it is the same every time.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import {
  CLASSES,
  digitsFolder,
  pickDigits,
  readDigits,
  type Digits,
} from '../../../src/demo/digits/digits.ts';
import { openNetwork, type Network } from '../../../src/demo/digits/network.ts';
import { shuffled } from '../../../src/demo/digits/seeded.ts';
import type { Weights } from '../../../src/index.ts';

let network: Network;
let digits: Digits;
beforeAll(async () => {
  network = await openNetwork({ hidden: [16], batchSize: 10 });
  digits = readDigits(digitsFolder()!, 'train', 0, 1_000);
});

const hashOf = (weights: Weights): string => {
  const hash = createHash('sha256');
  for (const { data } of weights) hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest('hex');
};

test('weights follow from their seed, with the shapes of the layers', () => {
  const weights = network.initialWeights(1);
  expect(weights.map(({ shape }) => shape)).toEqual([[784, 16], [16], [16, CLASSES], [CLASSES]]);
  expect(weights.map(({ data }) => data.length)).toEqual([784 * 16, 16, 160, 10]);
  expect(hashOf(network.initialWeights(1))).toBe(hashOf(weights));
  expect(hashOf(network.initialWeights(2))).not.toBe(hashOf(weights));
});

test('one pass over a thousand digits tells most others right, and leaves the weights that it was given alone', async () => {
  const weights = network.initialWeights(1);
  const before = hashOf(weights);
  const others = readDigits(digitsFolder()!, 'test', 0, 1_000);
  expect((await network.score(weights, others)).accuracy).toBeLessThan(0.3);
  const trained = await network.train(weights, digits, { order: shuffled(1_000, 1), learningRate: 0.2 });
  expect(hashOf(weights)).toBe(before);
  const { accuracy, loss } = await network.score(trained.weights, others);
  expect(accuracy).toBeGreaterThan(0.6);
  expect(loss).toBeLessThan(trained.loss);
});

test('a step goes down the slope of the loss that is scored, also with a batch that is not full', async () => {
  const weights = network.initialWeights(3);
  for (const order of [[5], [5, 9, 2], Array.from({ length: 10 }, (_, i) => i)]) {
    const chosen = pickDigits(digits, order);
    const { weights: after, loss } = await network.train(weights, digits, { order, learningRate: 1e-3 });
    const scored = await network.score(weights, chosen);
    expect(loss).toBeCloseTo(scored.loss, 5);
    // The loss falls by the learning rate times the gradient's square, to first order: hence their slope is the same.
    const moved = weights.flatMap(({ data }, i) => Array.from(data, (it, j) => it - after[i]!.data[j]!));
    const square = moved.reduce((sum, it) => sum + (it / 1e-3) ** 2, 0);
    const fall = scored.loss - (await network.score(after, chosen)).loss;
    expect(fall / (1e-3 * square)).toBeGreaterThan(0.9);
    expect(fall / (1e-3 * square)).toBeLessThan(1.1);
  }
});

test('the same training gives the same bits, again and in another process', async () => {
  const train = async (): Promise<string> => {
    const { weights } = await network.train(network.initialWeights(1), digits, {
      order: shuffled(1_000, 4).subarray(0, 333),
      learningRate: 0.1,
    });
    return hashOf(weights);
  };
  const first = await train();
  expect(await train()).toBe(first);
  const folder = new URL('../../../src/demo/digits/', import.meta.url);
  const script = `
    import { createHash } from 'node:crypto';
    import { digitsFolder, readDigits } from '${folder}digits.ts';
    import { openNetwork } from '${folder}network.ts';
    import { shuffled } from '${folder}seeded.ts';
    const network = await openNetwork({ hidden: [16], batchSize: 10 });
    const { weights } = await network.train(network.initialWeights(1), readDigits(digitsFolder(), 'train', 0, 1000), {
      order: shuffled(1000, 4).subarray(0, 333), learningRate: 0.1,
    });
    const hash = createHash('sha256');
    for (const { data } of weights) hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    process.stdout.write(hash.digest('hex'));`;
  const other = execFileSync(process.execPath, ['--no-warnings', '--input-type=module', '-e', script], {
    cwd: fileURLToPath(folder),
    encoding: 'utf8',
  });
  expect(other).toBe(first);
});

test('another order gives other bits', async () => {
  const weights = network.initialWeights(1);
  const [one, other] = await Promise.all(
    [1, 2].map((seed) => network.train(weights, digits, { order: shuffled(100, seed), learningRate: 0.1 })),
  );
  expect(hashOf(one!.weights)).not.toBe(hashOf(other!.weights));
});

test('training stops when its signal is aborted, with its reason', async () => {
  const stop = new AbortController();
  const reason = new Error('enough');
  const training = network.train(network.initialWeights(1), digits, {
    order: shuffled(1_000, 1),
    learningRate: 0.1,
    signal: stop.signal,
  });
  stop.abort(reason);
  await expect(training).rejects.toBe(reason);
});
