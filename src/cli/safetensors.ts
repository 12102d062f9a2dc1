// A model as a safetensors file, which PyTorch, JAX, NumPy and others read: https://github.com/huggingface/safetensors.
// Invariant: `u64 length of the header · header (JSON) · numbers`, all little-endian; the header is padded to 8 bytes with blanks.
import type { Weights } from '../index.ts';

const LENGTH_BYTES = 8;

/** Tensors are named by their places, `0`, `1`, …; `facts` go into the header's `__metadata__`. */
export function toSafetensors(weights: Weights, facts: Readonly<Record<string, string>>): Uint8Array[] {
  let at = 0;
  const entries = weights.map(({ shape, data }, index): [string, object] => {
    const dtype = data instanceof Float32Array ? 'F32' : 'F64';
    const data_offsets = [at, at + data.byteLength];
    at += data.byteLength;
    return [String(index), { dtype, shape, data_offsets }];
  });
  const text = JSON.stringify({ __metadata__: facts, ...Object.fromEntries(entries) });
  const json = new TextEncoder().encode(text);
  const header = new Uint8Array(LENGTH_BYTES + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - LENGTH_BYTES), true);
  header.set(json, LENGTH_BYTES);
  return [
    header,
    ...weights.map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
  ];
}
