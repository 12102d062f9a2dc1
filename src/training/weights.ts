// What can be wrong with a model that somebody gave, and the little that is done with any.
// Invariant: what passes all checks is a list of finite tensors whose numbers fill their shapes, within limits.
import { HoldfastError } from '../protocol/errors.ts';
import { limits } from '../protocol/limits.ts';
import type { Tensor, Weights } from './contract.ts';

/** What is wrong with weights, or with a delta. */
export interface WeightsFault {
  readonly code:
    | 'malformed'
    | 'too_large'
    | 'tensor_count_mismatch'
    | 'type_mismatch'
    | 'shape_mismatch'
    | 'not_finite';
  readonly message: string;
}

type TensorData = Tensor['data'];
type TensorType = 'float32' | 'float64';

const MAX_DIMENSION = 0xffff_ffff;
const FLOAT32_EXPONENT = 0x7f80_0000;

function typeOf(data: TensorData): TensorType {
  return data instanceof Float32Array ? 'float32' : 'float64';
}

/** `float32[784,200]`. */
export function tensorText({ shape, data }: Tensor): string {
  return `${typeOf(data)}[${shape.join(',')}]`;
}

/** Bytes of all its numbers. */
export function weightsBytes(weights: Weights): number {
  return weights.reduce((sum, { data }) => sum + data.byteLength, 0);
}

/** Zeros, of the same type and length. */
export function likeData(data: TensorData): TensorData {
  return data instanceof Float32Array ? new Float32Array(data.length) : new Float64Array(data.length);
}

/** In memory of its own. */
export function copyWeights(weights: Weights): Weights {
  return weights.map(({ shape, data }) => ({ shape: [...shape], data: data.slice() }));
}

/** What keeps a value, of which nothing is known, from being weights. */
export function malformedWeights(given: unknown): WeightsFault | undefined {
  if (!Array.isArray(given))
    return fault(
      'malformed',
      'they are no list; give a list of { shape, data: Float32Array | Float64Array }',
    );
  const { length } = given as readonly unknown[];
  if (length > limits.maxTensors)
    return fault(
      'too_large',
      `they are ${length} tensors; at most ${limits.maxTensors} are allowed: join some`,
    );
  let bytes = 0;
  for (let index = 0; index < length; index += 1) {
    const tensor: unknown = given[index];
    const what = malformedTensor(tensor);
    if (what !== undefined) return fault('malformed', `tensor ${index} ${what}`);
    bytes += (tensor as Tensor).data.byteLength;
  }
  if (bytes <= limits.maxModelBytes) return undefined;
  const most = `at most ${limits.maxModelBytes} are allowed`;
  return fault(
    'too_large',
    `they have ${bytes} bytes of numbers; ${most}: train a smaller model, or a part of it`,
  );
}

function malformedTensor(tensor: unknown): string | undefined {
  if (typeof tensor !== 'object' || tensor === null)
    return `is ${tensor === null ? 'null' : typeof tensor}; give { shape, data }`;
  const { shape, data } = tensor as Partial<Record<keyof Tensor, unknown>>;
  if (!(data instanceof Float32Array || data instanceof Float64Array))
    return 'has no Float32Array or Float64Array as its data; convert it';
  if (!Array.isArray(shape) || shape.length > limits.maxTensorDimensions || !shape.every(isDimension))
    return `has no shape: give a list of at most ${limits.maxTensorDimensions} whole numbers, [] for a scalar`;
  const size = (shape as readonly number[]).reduce((product, dimension) => product * dimension, 1);
  if (size === data.length) return undefined;
  return `has the shape [${shape.join(',')}], which is ${size} numbers, and data of ${data.length}`;
}

function isDimension(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_DIMENSION;
}

/** The first difference in number, types and shapes of the tensors. */
export function mismatch(weights: Weights, model: Weights): WeightsFault | undefined {
  if (weights.length !== model.length)
    return fault(
      'tensor_count_mismatch',
      `they are ${weights.length} tensors where the model has ${model.length}`,
    );
  for (const [index, tensor] of weights.entries()) {
    const expected = model[index] as Tensor;
    const text = `tensor ${index} is ${tensorText(tensor)} where the model has ${tensorText(expected)}`;
    if (typeOf(tensor.data) !== typeOf(expected.data)) return fault('type_mismatch', text);
    const isSame =
      tensor.shape.length === expected.shape.length &&
      tensor.shape.every((dimension, axis) => dimension === expected.shape[axis]);
    if (!isSame) return fault('shape_mismatch', text);
  }
  return undefined;
}

/** The first number that is NaN or infinite. */
export function notFinite(weights: Weights): WeightsFault | undefined {
  for (const [index, { data }] of weights.entries()) {
    if (allFinite(data)) continue;
    const at = data.findIndex((value) => !Number.isFinite(value));
    return fault('not_finite', `tensor ${index} has ${data[at]} at ${at}`);
  }
  return undefined;
}

/** Every update passes here; its exponent tells of a float32 at a third less time than arithmetic does. */
function allFinite(data: TensorData): boolean {
  if (data instanceof Float64Array) {
    for (let at = 0; at < data.length; at += 1) {
      const value = data[at] as number;
      if (value - value !== 0) return false;
    }
    return true;
  }
  const bits = wordsOf(data);
  for (let at = 0; at < bits.length; at += 1)
    if (((bits[at] as number) & FLOAT32_EXPONENT) === FLOAT32_EXPONENT) return false;
  return true;
}

function fault(code: WeightsFault['code'], message: string): WeightsFault {
  return { code, message };
}

/** For a model that the application gives. @throws HoldfastError `invalid_option` */
export function checkModel(weights: unknown, option: string): asserts weights is Weights {
  const found = malformedWeights(weights) ?? notFinite(weights as Weights);
  if (found === undefined) return;
  throw new HoldfastError(`${option}: ${found.message}`, { code: 'invalid_option' });
}

/** Bit for bit: −0 is not 0, and a NaN is itself. */
export function equalWeights(one: Weights, other: Weights): boolean {
  return (
    mismatch(one, other) === undefined &&
    one.every(({ data }, index) => equalBits(data, (other[index] as Tensor).data))
  );
}

function equalBits(one: TensorData, other: TensorData): boolean {
  const [a, b] = [wordsOf(one), wordsOf(other)];
  for (let at = 0; at < a.length; at += 1) if (a[at] !== b[at]) return false;
  return a.length === b.length;
}

function wordsOf(data: TensorData): Int32Array {
  return new Int32Array(data.buffer, data.byteOffset, data.byteLength / 4);
}
