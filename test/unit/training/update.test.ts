// What nodes answer: accepted, or refused under a name, with what was wrong and what to do.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkUpdate } from '../../../src/training/update.ts';
import { malformedWeights, mismatch, notFinite } from '../../../src/training/weights.ts';
import { aModel, bitsOf, float32, float64, like } from './models.ts';

const model = [float32([2, 2], 1, 2, 3, 4), float64([1], 5)];
const weights = [float32([2, 2], 0, 0, 1, 1), float64([1], -1)];
const nan = [float32([2, 2], 0, 0, Number.NaN, 1), float64([1], -1)];

test('weights are taken as they are', () => {
  expect(checkUpdate({ weights, samples: 3, metrics: { loss: 0.5 } }, model)).toEqual({
    accepted: { weights, samples: 3, metrics: { loss: 0.5 } },
  });
  expect(checkUpdate({ weights, samples: 1 }, model).accepted?.metrics).toEqual({});
});

test('a delta is added to the model, which stays as it was', () => {
  const before = bitsOf(model);
  const { accepted } = checkUpdate({ delta: weights, samples: 3 }, model);
  expect(accepted?.weights).toEqual([float32([2, 2], 1, 2, 4, 5), float64([1], 4)]);
  expect(bitsOf(model)).toEqual(before);
});

test.each([
  ['null', null, 'bad_answer', /train answered null; answer \{/],
  ['a text', 'done', 'bad_answer', /answered string/],
  ['a list', [weights], 'bad_answer', /answered a list/],
  ['no weights', { samples: 1 }, 'no_weights', /neither weights nor a delta; answer one/],
  ['both', { weights, delta: weights, samples: 1 }, 'ambiguous_weights', /weights and a delta; answer one/],
  ['no samples', { weights }, 'bad_samples', /samples is undefined; .* whole number from 1/],
  ['0 samples', { weights, samples: 0 }, 'bad_samples', /samples is 0;/],
  ['−1 samples', { weights, samples: -1 }, 'bad_samples', /samples is -1;/],
  ['half a sample', { weights, samples: 1.5 }, 'bad_samples', /samples is 1.5;/],
  ['NaN samples', { weights, samples: Number.NaN }, 'bad_samples', /samples is NaN;/],
  ['2^53 samples', { weights, samples: 2 ** 53 }, 'bad_samples', /samples is 9007199254740992;/],
  ['samples as text', { weights, samples: '3' }, 'bad_samples', /samples is string;/],
  ['metrics in a list', { weights, samples: 1, metrics: [1] }, 'bad_metrics', /metrics is a list/],
  ['metrics null', { weights, samples: 1, metrics: null }, 'bad_metrics', /metrics is null/],
  [
    'a text as metric',
    { weights, samples: 1, metrics: { loss: 'low' } },
    'bad_metrics',
    /loss is string; .* leave out/,
  ],
  [
    'a NaN as metric',
    { weights, samples: 1, metrics: { loss: Number.NaN } },
    'bad_metrics',
    /metric loss is NaN/,
  ],
  [
    '65 metrics',
    { weights, samples: 1, metrics: Object.fromEntries(Array.from({ length: 65 }, (_, k) => [`m${k}`, k])) },
    'too_large',
    /65 metrics; at most 64/,
  ],
  [
    'a long name of a metric',
    { weights, samples: 1, metrics: { ['x'.repeat(257)]: 1 } },
    'too_large',
    /name has 257 characters; at most 256/,
  ],
  ['weights that are no list', { weights: {}, samples: 1 }, 'bad_answer', /weights: they are no list/],
  ['plain numbers', { delta: [[1, 2]], samples: 1 }, 'bad_answer', /delta: tensor 0 has no Float32Array/],
  [
    'one tensor',
    { weights: weights.slice(1), samples: 1 },
    'tensor_count_mismatch',
    /1 tensors where the model has 2; answer as many/,
  ],
  [
    'another type',
    { weights: [float64([2, 2], 1, 2, 3, 4), float64([1], 5)], samples: 1 },
    'type_mismatch',
    /tensor 0 is float64\[2,2\] where the model has float32\[2,2\]; answer tensors in the types/,
  ],
  [
    'another shape',
    { delta: [float32([4], 1, 2, 3, 4), float64([1], 5)], samples: 1 },
    'shape_mismatch',
    /delta: tensor 0 is float32\[4\] where the model has float32\[2,2\]; answer tensors in the shapes/,
  ],
  ['NaN', { weights: nan, samples: 1 }, 'not_finite', /weights: tensor 0 has NaN at 2; training diverged/],
  [
    'Infinity',
    { delta: [weights[0], float64([1], Infinity)], samples: 1 },
    'not_finite',
    /delta: tensor 1 has Infinity at 0/,
  ],
  [
    'more than 128 MiB',
    { weights: [{ shape: [2 ** 24 + 1], data: new Float64Array(2 ** 24 + 1) }], samples: 1 },
    'too_large',
    /134217736 bytes of numbers; at most 134217728 are allowed/,
  ],
])('%s: refused', (_, answer, code, message) => {
  expect(checkUpdate(answer, model)).toEqual({
    refused: { code, message: expect.stringMatching(message) as string },
  });
});

test('a delta that is finite but leads the model beyond the largest number is refused', () => {
  const big = [float32([1], 3e38)];
  expect(checkUpdate({ delta: big, samples: 1 }, big).refused).toEqual({
    code: 'not_finite',
    message: expect.stringMatching(/model moved by delta: tensor 0 has Infinity at 0/) as string,
  });
  expect(checkUpdate({ weights: big, samples: 1 }, big).refused).toBeUndefined();
});

const anything = fc.anything({ withTypedArray: true, withNullPrototype: true, maxDepth: 4 });
const almost = fc.record(
  {
    weights: fc.oneof(anything, fc.array(fc.record({ shape: fc.array(fc.nat(3)), data: anything }))),
    delta: fc.option(anything, { nil: undefined }),
    samples: fc.oneof(fc.nat(3), anything),
    metrics: fc.oneof(anything, fc.dictionary(fc.string(), fc.double())),
  },
  { requiredKeys: [] },
);

test('whatever a node answers, it is accepted as it should be or refused; nothing is thrown', () => {
  const aCase = aModel.chain((given) =>
    fc.tuple(
      fc.constant(given),
      fc.oneof(
        anything,
        almost,
        fc.record({ weights: like(given), samples: fc.nat(2) }),
        fc.record({ delta: like(given), samples: fc.nat(2) }),
      ),
    ),
  );
  let accepted = 0;
  fc.assert(
    fc.property(aCase, ([given, answer]) => {
      const checked = checkUpdate(answer, given);
      if (checked.refused !== undefined) {
        expect(checked.refused.message).not.toBe('');
        return;
      }
      accepted += 1;
      const { weights: found, samples, metrics } = checked.accepted;
      expect(malformedWeights(found) ?? mismatch(found, given) ?? notFinite(found)).toBeUndefined();
      expect(samples).toBeGreaterThanOrEqual(1);
      for (const value of Object.values(metrics)) expect(Number.isFinite(value)).toBe(true);
    }),
    { numRuns: 2_000 },
  );
  expect(accepted).toBeGreaterThan(100);
});
