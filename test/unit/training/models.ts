// Models and updates for the tests of training.
// Invariant: what is made for one seed or one run of fast-check is the same each time.
import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import type { AcceptedUpdate, Tensor, Weights } from '../../../src/training/contract.ts';

export const float32 = (shape: readonly number[], ...values: readonly number[]): Tensor => ({
  shape,
  data: Float32Array.from(values),
});
export const float64 = (shape: readonly number[], ...values: readonly number[]): Tensor => ({
  shape,
  data: Float64Array.from(values),
});

export const update = (node: string, samples: number, weights: Weights): AcceptedUpdate => ({
  node,
  samples,
  weights,
  metrics: {},
});

const finite32 = fc.float({ noNaN: true, noDefaultInfinity: true });
const finite64 = fc.double({ noNaN: true, noDefaultInfinity: true });

const aShape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 });
const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

const aTensor = fc.tuple(fc.boolean(), aShape).chain(([isFloat32, shape]): fc.Arbitrary<Tensor> => {
  const length = { minLength: sizeOf(shape), maxLength: sizeOf(shape) };
  return isFloat32
    ? fc.array(finite32, length).map((values) => float32(shape, ...values))
    : fc.array(finite64, length).map((values) => float64(shape, ...values));
});

export const aModel: fc.Arbitrary<Weights> = fc.array(aTensor, { maxLength: 4 });

/** Another model of the same shapes. */
export function like(model: Weights): fc.Arbitrary<Weights> {
  return fc.tuple(
    ...model.map(({ shape, data }): fc.Arbitrary<Tensor> => {
      const length = { minLength: data.length, maxLength: data.length };
      return data instanceof Float32Array
        ? fc.array(finite32, length).map((values) => float32(shape, ...values))
        : fc.array(finite64, length).map((values) => float64(shape, ...values));
    }),
  );
}

const aNode = fc.string({ maxLength: 6 });
const someSamples = fc.oneof(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 1, max: 2 ** 28 }));

/** Updates of one model by different nodes, in any order. */
export const someUpdates: fc.Arbitrary<AcceptedUpdate[]> = aModel.chain((model) =>
  fc
    .uniqueArray(aNode, { minLength: 1, maxLength: 9 })
    .chain((nodes) =>
      fc.tuple(
        ...nodes.map((node) =>
          fc.tuple(someSamples, like(model)).map(([samples, weights]) => update(node, samples, weights)),
        ),
      ),
    ),
);

/** The bits, so that −0 differs from 0; of many numbers their hash. */
export const bitsOf = (weights: Weights): string[] =>
  weights.map(({ shape, data }) => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const bits = bytes.length > 4_096 ? createHash('sha256').update(bytes).digest() : Buffer.from(bytes);
    return `${data.constructor.name}[${shape.join(',')}] ${bits.toString('hex')}`;
  });
