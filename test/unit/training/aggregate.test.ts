// The weighted mean: against exact arithmetic, whatever the order in which updates came.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { inOrder, eachMean, weightedMean } from '../../../src/training/aggregate.ts';
import type { AcceptedUpdate, Weights } from '../../../src/training/contract.ts';
import { atOnce, SLICE_NUMBERS, turnByTurn } from '../../../src/training/slices.ts';
import { fedAdam } from '../../../src/training/strategies/fed-adam.ts';
import { fedAvg } from '../../../src/training/strategies/fed-avg.ts';
import { fedProx } from '../../../src/training/strategies/fed-prox.ts';
import { fedYogi } from '../../../src/training/strategies/fed-yogi.ts';
import { equalWeights } from '../../../src/training/weights.ts';
import { bitsOf, float32, float64, someUpdates, update } from './models.ts';

type Mean = (updates: readonly AcceptedUpdate[]) => Weights;

/** The number as a whole multiple of 2^−1074, which every float64 is. */
function units(value: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const exponent = (bits >> 52n) & 0x7ffn;
  const fraction = bits & 0xf_ffff_ffff_ffffn;
  const magnitude = exponent === 0n ? fraction : (fraction | (1n << 52n)) << (exponent - 1n);
  return bits >> 63n === 1n ? -magnitude : magnitude;
}

/** How far a number is from the exact mean, in units, and how far it may be: rounding of the sum, then of the result. */
function errorOf(
  values: readonly number[],
  samples: readonly number[],
  mean: number,
  bits: bigint,
): [bigint, bigint] {
  const abs = (value: bigint): bigint => (value < 0n ? -value : value);
  const total = samples.reduce((sum, count) => sum + BigInt(count), 0n);
  const products = values.map((value, k) => units(value) * BigInt(samples[k] ?? 0));
  const error = abs(units(mean) * total - products.reduce((sum, product) => sum + product, 0n));
  const sizes = products.reduce((sum, product) => sum + abs(product), 0n);
  const ofSum = (sizes * BigInt(2 * values.length + 2)) >> 52n;
  const ofResult = (abs(units(mean)) * total) >> bits;
  // The smallest number of the type that there is, at least.
  const smallest = (bits === 23n ? 1n << 925n : BigInt(values.length + 2)) * total;
  return [error, ofSum + ofResult + smallest];
}

const isNearTheMean = (mean: Mean) =>
  fc.property(someUpdates, (updates) => {
    const samples = updates.map((one) => one.samples);
    for (const [index, { data }] of mean(updates).entries()) {
      const bits = data instanceof Float32Array ? 23n : 52n;
      for (const [at, value] of data.entries()) {
        const values = updates.map(({ weights }) => weights[index]?.data[at] ?? Number.NaN);
        const [error, most] = errorOf(values, samples, value, bits);
        expect(error <= most, `${value} of ${values.join()}`).toBe(true);
      }
    }
  });

const isFreeOfOrder = (mean: Mean) =>
  fc.property(
    someUpdates.chain((updates) =>
      fc.tuple(fc.constant(updates), fc.shuffledSubarray(updates, { minLength: updates.length })),
    ),
    ([updates, others]) => {
      expect(bitsOf(mean(others))).toEqual(bitsOf(mean(updates)));
    },
  );

const keepsEqualNumbers = (mean: Mean) =>
  fc.property(
    fc.float({ noNaN: true, noDefaultInfinity: true }),
    fc.array(fc.integer({ min: 1, max: 2 ** 28 }), { minLength: 1, maxLength: 12 }),
    (value, samples) => {
      const updates = samples.map((count, k) => update(`n${k}`, count, [float32([1], value)]));
      // A sum that begins with 0 has no −0.
      expect(mean(updates)[0]?.data[0]).toBe(value + 0);
    },
  );

const runs = { numRuns: 300 };

test('each number is as near to the exact mean as Float64 can tell', () => {
  fc.assert(isNearTheMean(weightedMean), runs);
});

test('the order in which updates came changes no bit', () => {
  fc.assert(isFreeOfOrder(weightedMean), runs);
});

test('the mean of equal float32 numbers is that number', () => {
  fc.assert(keepsEqualNumbers(weightedMean), runs);
});

/** A mean with one fault each. */
function naive(way: 'in order of arrival' | 'in Float32' | 'unweighted'): Mean {
  return (updates) => {
    const [first] = updates as [AcceptedUpdate];
    const count = (one: AcceptedUpdate): number => (way === 'unweighted' ? 1 : one.samples);
    const total = updates.reduce((sum, one) => sum + count(one), 0);
    const ordered = way === 'in order of arrival' ? updates : inOrder(updates);
    return first.weights.map(({ shape, data }, index) => {
      const sums = way === 'in Float32' ? new Float32Array(data.length) : new Float64Array(data.length);
      for (const one of ordered)
        for (const [at, value] of (one.weights[index]?.data ?? []).entries())
          sums[at] = (sums[at] ?? 0) + (count(one) / total) * value;
      return {
        shape,
        data: data instanceof Float32Array ? Float32Array.from(sums) : Float64Array.from(sums),
      };
    });
  };
}

test('a mean in the order of arrival, in Float32, or unweighted is noticed', () => {
  expect(() => fc.assert(isFreeOfOrder(naive('in order of arrival')), { numRuns: 5_000 })).toThrow(
    'Property failed',
  );
  expect(() => fc.assert(keepsEqualNumbers(naive('in Float32')), runs)).toThrow('Property failed');
  expect(() => fc.assert(isNearTheMean(naive('unweighted')), runs)).toThrow('Property failed');
});

test('tensors longer than a tile, and any number of updates, are summed up to their ends', () => {
  for (const nodes of [1, 2, 3, 4, 5, 8, 9]) {
    const length = 2 * 4_096 + 3;
    const updates = Array.from({ length: nodes }, (_, k) =>
      update(`n${k}`, k + 1, [float32([length], ...Array.from({ length }, (_, at) => at * (k + 1)))]),
    );
    // Σ(k·k·at) / Σk, over k from 1.
    const factor = (2 * nodes + 1) / 3;
    const [mean] = weightedMean(updates);
    expect(mean?.data).toEqual(Float32Array.from({ length }, (_, at) => at * factor));
    const stretches: number[][] = [];
    atOnce(eachMean(updates, (tensor, start, means) => void stretches.push([tensor, start, means.length])));
    expect(stretches).toEqual([
      [0, 0, 4_096],
      [0, 4_096, 4_096],
      [0, 8_192, 3],
    ]);
  }
});

test('the largest numbers that there are do not overflow', () => {
  const most = Number.MAX_VALUE;
  const float32Most = 3.4028234663852886e38;
  const updates = [1, 7, 2 ** 40 - 1].map((samples, k) =>
    update(`n${k}`, samples, [float64([3], most, -most, most / 3), float32([2], float32Most, -float32Most)]),
  );
  const [doubles, singles] = weightedMean(updates);
  for (const [at, value] of [most, -most, most / 3].entries())
    expect(Math.abs((doubles?.data[at] ?? 0) / value - 1)).toBeLessThan(1e-15);
  expect(singles?.data).toEqual(Float32Array.of(float32Most, -float32Most));
});

test('ids are ordered by code units, and each node counts once', () => {
  const weights = [float32([1], 1)];
  const nodes = ['b', 'B', 'a', 'ä', '10', '9', ''];
  expect(inOrder(nodes.map((node) => update(node, 1, weights))).map(({ node }) => node)).toEqual([
    '',
    '10',
    '9',
    'B',
    'a',
    'b',
    'ä',
  ]);
  expect(() => weightedMean([])).toThrow(/no updates/);
  expect(() => weightedMean([update('n1', 1, weights), update('n1', 2, weights)])).toThrow(
    /two updates of node n1/,
  );
});

test('what it is given stays as it was', () => {
  const given = [update('b', 2, [float32([2], 1, 2)]), update('a', 1, [float32([2], 3, 4)])];
  const before = given.map(({ node, weights }) => [node, bitsOf(weights)]);
  weightedMean(given);
  expect(given.map(({ node, weights }) => [node, bitsOf(weights)])).toEqual(before);
});

test('large updates are averaged and moved in slices, to the same bits as at once', async () => {
  const nodes = 9;
  const length = SLICE_NUMBERS / 4;
  const updates = Array.from({ length: nodes }, (_, k) =>
    update(`n${k}`, k + 1, [
      { shape: [length], data: new Float32Array(length).map((_zero, at) => Math.fround(1 / (at + k + 1))) },
    ]),
  );
  const input = { round: 1, weights: updates[0]!.weights, state: [], updates };
  for (const { name, aggregate } of [fedAvg(), fedProx({ mu: 1 }), fedAdam(), fedYogi()]) {
    let turns = 0;
    const next = await turnByTurn(aggregate.inSlices!(input), () => Promise.resolve(void (turns += 1)));
    expect([name, turns]).toEqual([name, Math.floor((nodes * length) / SLICE_NUMBERS)]);
    const whole = aggregate(input);
    expect(equalWeights(next.weights, whole.weights) && equalWeights(next.state, whole.state), name).toBe(
      true,
    );
  }
  const unwanted = turnByTurn(fedAvg().aggregate.inSlices!(input), () =>
    Promise.reject(new Error('stopped')),
  );
  await expect(unwanted).rejects.toThrow('stopped');
});
