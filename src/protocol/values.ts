// Values on the wire: JSON text or MessagePack, with typed arrays beside it as aligned bytes.
// Invariant: decoding what was encoded gives an equal value; large arrays are not copied on the way out.
import { Decoder, Encoder } from '@msgpack/msgpack';
import { HoldfastError } from './errors.ts';
import { limits } from './limits.ts';
import { readU32 } from './read.ts';
import { insertSegments, isPlain, takeSegments, type Segment } from './segments.ts';
import { decodeText, textBytes, utf8Encoder } from './text.ts';

export type Encoding = 'json' | 'msgpack';

/** JSON text, or byte parts. The parts may be the value's own memory: it must not change until they have left. */
export type Encoded = string | readonly Uint8Array[];

/** First byte of a value with segments: no JSON text and no MessagePack begins like that. */
const JSON_SEGMENTS = 0x01;
const MSGPACK_SEGMENTS = 0xc1;
/** `marker u8 · 3 × 0 · headBytes u32`, then the head, then segments, each at a multiple of 8. */
const PREAMBLE_BYTES = 8;
const ALIGNMENT_BYTES = 8;
const PADDING = new Uint8Array(ALIGNMENT_BYTES);

const msgpackEncoder = new Encoder({ ignoreUndefined: true, maxDepth: limits.maxValueDepth + 4 });
const msgpackDecoder = new Decoder();

/**
 * Encodes any value of JSON, and typed arrays, ArrayBuffers, undefined, NaN, infinities and −0 wherever they stand.
 * Properties that are undefined are left out. Class instances travel as what their `toJSON` answers, else as plain objects.
 * @throws HoldfastError `invalid_argument` for what cannot travel (cycles, functions, symbols, BigInt, Map, Set, promises), with
 * the place where it stands; `value_too_large` beyond `limits.maxValueBytes`.
 */
export function encodeValue(value: unknown, encoding: Encoding): Encoded {
  if (value === undefined) return encoding === 'json' ? '' : [];
  if (isPlain(value, 0)) {
    if (encoding === 'msgpack') return within([msgpackEncoder.encode(value)]);
    return withinText(stringify(value));
  }
  const { root, segments } = takeSegments(value, encoding);
  if (root === undefined) return encoding === 'json' ? '' : [];
  if (segments.length === 0) {
    return encoding === 'json' ? withinText(stringify(root)) : within([msgpackEncoder.encode(root)]);
  }
  return within(joinSegments(root, segments, encoding));
}

/** As `encodeValue`, but never without a byte: an item that costs no credit could be sent for ever. */
export function encodeItem(value: unknown, encoding: Encoding): Encoded {
  const encoded = encodeValue(value, encoding);
  if (encoded.length > 0) return encoded;
  return joinSegments(null, [{ kind: 'undefined', bytes: new Uint8Array(), path: [] }], encoding);
}

/** Size on the wire, in bytes. */
export function encodedBytes(encoded: Encoded): number {
  if (typeof encoded === 'string') return textBytes(encoded);
  let count = 0;
  for (const part of encoded) count += part.length;
  return count;
}

/** One piece of memory with the whole value, for places that take no parts. */
export function joinEncoded(encoded: Encoded): Uint8Array {
  if (typeof encoded === 'string') return utf8Encoder.encode(encoded);
  if (encoded.length === 1 && encoded[0] !== undefined) return encoded[0];
  const bytes = new Uint8Array(encodedBytes(encoded));
  let at = 0;
  for (const part of encoded) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/**
 * The value that `encodeValue` was given. Typed arrays lie in `bytes` itself where alignment allows and they make up most of it;
 * else in memory of their own.
 * @throws HoldfastError `invalid_argument`, blame `remote`, for bytes that are no value.
 */
export function decodeValue(bytes: Uint8Array, start: number, end: number, msgpack: boolean): unknown {
  if (start === end) return undefined;
  const marker = bytes[start];
  try {
    if (marker === (msgpack ? MSGPACK_SEGMENTS : JSON_SEGMENTS))
      return splitSegments(bytes, start, end, msgpack);
    if (msgpack) return msgpackDecoder.decode(bytes.subarray(start, end));
    return JSON.parse(decodeText(bytes, start, end));
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new HoldfastError(`a value of ${end - start} bytes cannot be decoded: ${reason}`, {
      code: 'invalid_argument',
      blame: 'remote',
      cause: error,
    });
  }
}

function stringify(value: unknown): string {
  try {
    return JSON.stringify(value) ?? '';
  } catch (error) {
    // V8's longest string is half a GiB: the only thing left that can fail.
    throw new HoldfastError('a value is too large to be written as JSON; pass numbers as typed arrays', {
      code: 'value_too_large',
      cause: error,
    });
  }
}

function withinText(text: string): string {
  // Three bytes a unit at most: only long texts need counting.
  if (text.length * 3 > limits.maxValueBytes && textBytes(text) > limits.maxValueBytes)
    throw tooLarge(textBytes(text));
  return text;
}

function within(parts: readonly Uint8Array[]): readonly Uint8Array[] {
  const bytes = encodedBytes(parts);
  if (bytes > limits.maxValueBytes) throw tooLarge(bytes);
  return parts;
}

function tooLarge(bytes: number): HoldfastError {
  return new HoldfastError(
    `a value of ${bytes} bytes; at most ${limits.maxValueBytes} are allowed: stream it in parts`,
    { code: 'value_too_large' },
  );
}

function joinSegments(
  root: unknown,
  segments: readonly Segment[],
  encoding: Encoding,
): readonly Uint8Array[] {
  const table = segments.map(({ kind, bytes, path }) => [kind, bytes.length, ...path]);
  const isJson = encoding === 'json';
  const body = isJson ? utf8Encoder.encode(stringify([root, table])) : msgpackEncoder.encode([root, table]);
  const head = new Uint8Array(aligned(PREAMBLE_BYTES + body.length));
  head[0] = isJson ? JSON_SEGMENTS : MSGPACK_SEGMENTS;
  new DataView(head.buffer).setUint32(4, body.length, true);
  head.set(body, PREAMBLE_BYTES);
  const parts: Uint8Array[] = [head];
  for (const { bytes } of segments) {
    if (bytes.length === 0) continue;
    parts.push(bytes);
    const padding = aligned(bytes.length) - bytes.length;
    if (padding > 0) parts.push(PADDING.subarray(0, padding));
  }
  return parts;
}

function splitSegments(bytes: Uint8Array, start: number, end: number, msgpack: boolean): unknown {
  if (end - start < PREAMBLE_BYTES) throw new Error('its preamble is truncated');
  const headEnd = start + PREAMBLE_BYTES + readU32(bytes, start + 4);
  if (headEnd > end) throw new Error('its head is truncated');
  const headStart = start + PREAMBLE_BYTES;
  const head: unknown = msgpack
    ? msgpackDecoder.decode(bytes.subarray(headStart, headEnd))
    : JSON.parse(decodeText(bytes, headStart, headEnd));
  if (!Array.isArray(head) || head.length !== 2 || !Array.isArray(head[1]))
    throw new Error('its head is malformed');
  return insertSegments(head[0], head[1], bytes, start + aligned(headEnd - start), end);
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}
