// Models: what is refused, what is equal, and their bytes.
import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createNodeDigest } from '../../../src/adapters/node-digest.ts';
import { decodeWeights, hashOf, weightsParts } from '../../../src/training/layout.ts';
import {
  checkModel,
  copyWeights,
  equalWeights,
  malformedWeights,
  mismatch,
  notFinite,
  weightsBytes,
} from '../../../src/training/weights.ts';
import { aModel, bitsOf, float32, float64, like } from './models.ts';

const bytesOf = (weights: Parameters<typeof weightsParts>[0]): Uint8Array =>
  new Uint8Array(Buffer.concat(weightsParts(weights)));

test('a model is the same bit for bit when it was bytes, and lies in memory of its own', () => {
  fc.assert(
    fc.property(aModel, (model) => {
      const bytes = bytesOf(model);
      const decoded = decodeWeights(bytes);
      expect(bitsOf(decoded)).toEqual(bitsOf(model));
      bytes.fill(0xff);
      expect(bitsOf(decoded)).toEqual(bitsOf(model));
      expect(malformedWeights(decoded)).toBeUndefined();
      expect(weightsBytes(decoded)).toBe(weightsBytes(model));
    }),
  );
});

test('NaN and −0 keep their bits too', () => {
  const model = [float32([3], Number.NaN, -0, Number.NEGATIVE_INFINITY), float64([2], -0, Number.NaN)];
  expect(bitsOf(decodeWeights(bytesOf(model)))).toEqual(bitsOf(model));
});

test('the layout is as it is written down', () => {
  const bytes = bytesOf([float32([1, 3], 1, 2, -0), float64([], 0.5)]);
  expect(
    Buffer.from(bytes)
      .toString('hex')
      .match(/.{1,16}/g),
  ).toEqual([
    '4846573102000000',
    '0102000001000000',
    '0300000002000000',
    '0000803f00000040',
    '0000008000000000',
    '000000000000e03f',
  ]);
});

test('models have the same bytes when they are equal, and only then', () => {
  fc.assert(
    fc.property(
      aModel.chain((model) =>
        fc.tuple(fc.constant(model), fc.oneof(like(model), aModel, fc.constant(copyWeights(model)))),
      ),
      ([one, other]) => {
        const isSame = bitsOf(one).join() === bitsOf(other).join();
        expect(equalWeights(one, other)).toBe(isSame);
        expect(Buffer.compare(bytesOf(one), bytesOf(other)) === 0).toBe(isSame);
      },
    ),
  );
  const zero = [float32([2], 0, 1)];
  for (const other of [float32([2], -0, 1), float32([1, 2], 0, 1), float64([2], 0, 1)]) {
    expect(equalWeights([other], zero)).toBe(false);
    expect(Buffer.compare(bytesOf([other]), bytesOf(zero))).not.toBe(0);
  }
});

test('the hash is the SHA-256 of the bytes', async () => {
  const model = [float32([2, 2], 1, 2, 3, 4), float32([0])];
  expect(await hashOf(model, createNodeDigest())).toBe(
    createHash('sha256').update(bytesOf(model)).digest('hex'),
  );
});

test('bytes that were cut, lengthened or made up are no weights, whatever they are', () => {
  const bytes = bytesOf([float32([2, 3], 1, 2, 3, 4, 5, 6), float64([1], 7)]);
  for (let end = 0; end < bytes.length; end += 1)
    expect(() => decodeWeights(bytes.slice(0, end)), `${end} bytes`).toThrow(/no weights/);
  expect(() => decodeWeights(Uint8Array.of(...bytes, 0))).toThrow(/65 bytes where 64 were announced/);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(63), (noise, at) => {
      const broken = bytes.slice();
      broken.set(noise.subarray(0, broken.length - at), at);
      try {
        const decoded = decodeWeights(broken);
        expect(malformedWeights(decoded)).toBeUndefined();
      } catch (error) {
        expect(error).toMatchObject({ code: 'invalid_argument' });
      }
    }),
    { numRuns: 500 },
  );
});

test.each([
  ['no list', 'malformed', /no list/, { 0: float32([1], 1) }],
  ['null in it', 'malformed', /tensor 1 is null/, [float32([1], 1), null]],
  ['a plain list of numbers', 'malformed', /tensor 0 has no Float32Array/, [{ shape: [1], data: [1] }]],
  ['whole numbers', 'malformed', /has no Float32Array/, [{ shape: [1], data: Int32Array.of(1) }]],
  ['no shape', 'malformed', /tensor 0 has no shape/, [{ data: Float32Array.of(1) }]],
  ['half a number', 'malformed', /has no shape/, [{ shape: [0.5], data: Float32Array.of(1) }]],
  ['a negative shape', 'malformed', /has no shape/, [{ shape: [-1, -1], data: Float32Array.of(1) }]],
  ['33 dimensions', 'malformed', /at most 32/, [{ shape: Array(33).fill(1), data: Float32Array.of(1) }]],
  ['too few numbers', 'malformed', /\[2,2\], which is 4 numbers, and data of 3/, [float32([2, 2], 1, 2, 3)]],
  [
    '4 097 tensors',
    'too_large',
    /4097 tensors; at most 4096/,
    Array.from({ length: 4_097 }, () => float32([1], 1)),
  ],
  [
    'more than 128 MiB',
    'too_large',
    /134217732 bytes of numbers; at most 134217728/,
    [{ shape: [2 ** 25], data: new Float32Array(2 ** 25) }, float32([], 1)],
  ],
])('%s is refused', (_, code, message, given) => {
  expect(malformedWeights(given)).toMatchObject({ code, message: expect.stringMatching(message) as string });
  expect(() => checkModel(given, 'model')).toThrow(message);
});

test('at the bounds a model is taken', () => {
  expect(malformedWeights([{ shape: [2 ** 25], data: new Float32Array(2 ** 25) }])).toBeUndefined();
  expect(malformedWeights(Array.from({ length: 4_096 }, () => float32([], 1)))).toBeUndefined();
  expect(malformedWeights([])).toBeUndefined();
});

test('differences to the model have their own names', () => {
  const model = [float32([2], 1, 2), float64([1, 1], 3)];
  expect(mismatch(copyWeights(model), model)).toBeUndefined();
  expect(mismatch(model.slice(0, 1), model)).toEqual({
    code: 'tensor_count_mismatch',
    message: 'they are 1 tensors where the model has 2',
  });
  expect(mismatch([float32([2], 1, 2), float32([1, 1], 3)], model)).toEqual({
    code: 'type_mismatch',
    message: 'tensor 1 is float32[1,1] where the model has float64[1,1]',
  });
  expect(mismatch([float32([2], 1, 2), float64([1], 3)], model)?.code).toBe('shape_mismatch');
  expect(mismatch([float32([1], 1), float64([1, 1], 3)], model)?.code).toBe('shape_mismatch');
});

test('the first number that is not finite is found, wherever it stands', () => {
  for (const bad of [Number.NaN, Infinity, -Infinity])
    for (const make of [float32, float64])
      for (let at = 0; at < 9; at += 1) {
        const tensor = make([9], ...Array.from({ length: 9 }, (_, index) => (index === at ? bad : 3e38)));
        const found = notFinite([float32([1], 1), tensor]);
        expect(found).toEqual({ code: 'not_finite', message: `tensor 1 has ${bad} at ${at}` });
        expect(() => checkModel([tensor], 'model')).toThrow(`model: tensor 0 has ${bad} at ${at}`);
      }
  fc.assert(
    fc.property(aModel, (model) => {
      expect(notFinite(model)).toBeUndefined();
    }),
  );
  const most = [float32([2], 3.4028234663852886e38, 1e-45), float64([2], Number.MAX_VALUE, Number.MIN_VALUE)];
  expect(notFinite(most)).toBeUndefined();
});
