// The one layout of weights as bytes, for hashes and checkpoints:
//   "HFW1" · tensors u32 · of each tensor: type u8 (1 float32, 2 float64) · dimensions u8 · 0 u16 · its shape, u32 each
//   · zeros up to a multiple of 8 · of each tensor: its numbers · zeros up to a multiple of 8
// All of it is little-endian, as is the memory of every platform that we know.
// Invariant: decoding what was encoded gives the same bits; bytes that are anything else are refused.
import type { Digest } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';
import { limits } from '../protocol/limits.ts';
import type { Tensor, Weights } from './contract.ts';

const MAGIC = 0x31_57_46_48;
const HEAD_BYTES = 8;
const FLOAT32 = 1;
const FLOAT64 = 2;
const PADDING = new Uint8Array(8);

/** The bytes in parts: the numbers are the model's own memory, which must not change until they are used. */
export function weightsParts(weights: Weights): Uint8Array[] {
  const parts = [headOf(weights)];
  for (const { data } of weights) {
    if (data.length === 0) continue;
    parts.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    const padding = aligned(data.byteLength) - data.byteLength;
    if (padding > 0) parts.push(PADDING.subarray(0, padding));
  }
  return parts;
}

/** The name of a model: SHA-256 of its bytes. */
export function hashOf(weights: Weights, digest: Digest): Promise<string> {
  return digest.sha256(weightsParts(weights));
}

function headOf(weights: Weights): Uint8Array {
  const bytes = weights.reduce((sum, { shape }) => sum + 4 + 4 * shape.length, HEAD_BYTES);
  const head = new Uint8Array(aligned(bytes));
  const view = new DataView(head.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, weights.length, true);
  let at = HEAD_BYTES;
  for (const { shape, data } of weights) {
    view.setUint8(at, data instanceof Float32Array ? FLOAT32 : FLOAT64);
    view.setUint8(at + 1, shape.length);
    at += 4;
    for (const dimension of shape) {
      view.setUint32(at, dimension, true);
      at += 4;
    }
  }
  return head;
}

/** In memory of its own. @throws HoldfastError `invalid_argument` for bytes that are no weights */
export function decodeWeights(bytes: Uint8Array): Weights {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const need = (end: number): void => {
    if (end > bytes.length) throw refused(`they end after ${bytes.length} bytes, before ${end}`);
  };
  need(HEAD_BYTES);
  if (view.getUint32(0, true) !== MAGIC) throw refused('they do not begin with "HFW1"');
  const count = view.getUint32(4, true);
  if (count > limits.maxTensors) throw refused(`they are ${count} tensors`);
  const tensors: { readonly type: number; readonly shape: readonly number[] }[] = [];
  let at = HEAD_BYTES;
  for (let index = 0; index < count; index += 1) {
    need(at + 4);
    const type = view.getUint8(at);
    const dimensions = view.getUint8(at + 1);
    if ((type !== FLOAT32 && type !== FLOAT64) || view.getUint16(at + 2, true) !== 0)
      throw refused(`tensor ${index} is of no known type`);
    at += 4;
    need(at + 4 * dimensions);
    const first = at;
    tensors.push({
      type,
      shape: Array.from({ length: dimensions }, (_, axis) => view.getUint32(first + 4 * axis, true)),
    });
    at += 4 * dimensions;
  }
  at = aligned(at);
  const weights = tensors.map(({ type, shape }): Tensor => {
    const length = shape.reduce((product, dimension) => product * dimension, 1);
    const size = length * (type === FLOAT32 ? 4 : 8);
    need(at + size);
    const data = type === FLOAT32 ? new Float32Array(length) : new Float64Array(length);
    new Uint8Array(data.buffer).set(bytes.subarray(at, at + size));
    at = aligned(at + size);
    return { shape, data };
  });
  if (at !== bytes.length) throw refused(`they are ${bytes.length} bytes where ${at} were announced`);
  return weights;
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

function refused(why: string): HoldfastError {
  return new HoldfastError(`these bytes are no weights: ${why}`, { code: 'invalid_argument' });
}
