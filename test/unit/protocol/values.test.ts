// Values: what goes in comes out equal, in both encodings; what cannot travel is named with its place.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../../src/protocol/errors.ts';
import { limits } from '../../../src/protocol/limits.ts';
import {
  decodeValue,
  encodedBytes,
  encodeItem,
  encodeValue,
  joinEncoded,
  type Encoding,
} from '../../../src/protocol/values.ts';
import { concat, utf8 } from './wire.ts';

const encodings: readonly Encoding[] = ['json', 'msgpack'];

function travel(value: unknown, encoding: Encoding, offset = 0): unknown {
  const encoded = encodeValue(value, encoding);
  const bytes = joinEncoded(encoded);
  expect(encodedBytes(encoded)).toBe(bytes.length);
  const shifted = concat(new Uint8Array(offset).fill(0x41), bytes, new Uint8Array(3).fill(0x42));
  return decodeValue(shifted, offset, offset + bytes.length, encoding === 'msgpack');
}

function failure(act: () => unknown): HoldfastError {
  try {
    act();
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

const typedArray = fc.oneof(
  fc.int8Array(),
  fc.uint8Array(),
  fc.uint8ClampedArray(),
  fc.int16Array(),
  fc.uint16Array(),
  fc.int32Array(),
  fc.uint32Array(),
  fc.float32Array(),
  fc.float64Array(),
  fc.bigInt64Array(),
  fc.bigUint64Array(),
);
const key = fc.string({ unit: 'grapheme', maxLength: 8 }).filter((it) => it !== '__proto__');
const leaf = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.oneof(fc.string({ unit: 'grapheme' }), fc.integer(), fc.boolean(), fc.constant(null)),
  },
  fc.double(),
  fc.constantFrom(undefined, Number.NaN, -0, Infinity, -Infinity),
  typedArray,
  fc.uint8Array().map((bytes) => bytes.buffer),
);
const anyValue = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(
      key,
      tie('value').filter((it) => it !== undefined),
      { maxKeys: 5, noNullPrototype: true },
    ),
  ),
})).value;

describe.each(encodings)('a value in %s', (encoding) => {
  it('comes back equal, whatever it is made of and wherever it lies in a message', () => {
    fc.assert(
      fc.property(anyValue, fc.nat(17), (value, offset) => {
        expect(travel(value, encoding, offset)).toStrictEqual(value);
      }),
      { numRuns: 1_000 },
    );
  });

  it('is undefined when nothing is sent', () => {
    expect(encodedBytes(encodeValue(undefined, encoding))).toBe(0);
    expect(travel(undefined, encoding)).toBe(undefined);
  });

  it('leaves out properties that are undefined, and keeps undefined in lists', () => {
    expect(travel({ a: undefined, b: [undefined, 1] }, encoding)).toStrictEqual({ b: [undefined, 1] });
  });

  it('sends a Buffer as the Uint8Array that it is, and only the part that it shows', () => {
    const arrived = travel([Buffer.from('abcdef').subarray(2, 4)], encoding) as [Uint8Array];
    expect(arrived[0].constructor).toBe(Uint8Array);
    expect([...arrived[0]]).toEqual([0x63, 0x64]);
  });

  it('does not copy a large typed array on its way out', () => {
    const weights = new Float64Array(100_000).fill(0.5);
    const parts = encodeValue({ weights }, encoding) as readonly Uint8Array[];
    expect(parts.some((part) => part.buffer === weights.buffer && part.length === weights.byteLength)).toBe(
      true,
    );
  });

  it('lies in the memory it came in when that was made for it, and in its own when not', () => {
    const weights = new Float64Array(10_000).fill(0.5);
    const bytes = concat(joinEncoded(encodeValue({ weights }, encoding)));
    const whole = decodeValue(bytes, 0, bytes.length, encoding === 'msgpack') as { weights: Float64Array };
    expect(whole.weights.buffer).toBe(bytes.buffer);
    const inMessage = concat(new Uint8Array(1_000_000), bytes);
    const part = decodeValue(inMessage, 1_000_000, inMessage.length, encoding === 'msgpack') as typeof whole;
    expect(part.weights.buffer).not.toBe(inMessage.buffer);
    expect(part.weights).toEqual(weights);
  });

  it('knows a DataView, and Float16Array where the platform has it', () => {
    const view = new DataView(Uint8Array.from([1, 2, 3]).buffer, 1);
    const arrived = travel([view], encoding) as [DataView];
    expect(arrived[0]).toBeInstanceOf(DataView);
    expect([arrived[0].byteLength, arrived[0].getUint16(0)]).toEqual([2, 0x0203]);
    const Float16 = (globalThis as { Float16Array?: new (of: number[]) => unknown }).Float16Array;
    if (Float16 !== undefined) expect(travel(new Float16([1.5]), encoding)).toEqual(new Float16([1.5]));
  });

  it('never changes the value that it was given', () => {
    const value = { list: [1, new Uint8Array(2), { deep: Number.NaN }], text: 'x' };
    const before = structuredClone(value);
    encodeValue(value, encoding);
    expect(value).toStrictEqual(before);
  });

  it.each([
    ['a function', [() => 1], 'function at value[0]'],
    ['a symbol', { a: Symbol('s') }, 'symbol at value.a'],
    ['a BigInt', { a: [5n] }, 'bigint at value.a[0] cannot be sent; pass it as text, or as BigInt64Array'],
    ['a Map', [[new Map()]], 'Map at value[0][0] cannot be sent; pass an array of its entries'],
    ['a Set', new Set(), 'Set at value '],
    ['a promise', [Promise.resolve(1)], 'Promise at value[0] cannot be sent; await it first'],
    ['an Error', { e: new RangeError('x') }, 'Error at value.e cannot be sent; pass its message'],
    ['shared memory', [new SharedArrayBuffer(8)], 'SharedArrayBuffer at value[0]'],
  ])('refuses %s and says where it stands', (_name, value, message) => {
    const error = failure(() => encodeValue(value, encoding));
    expect([error.code, error.blame]).toEqual(['invalid_argument', 'local']);
    expect(error.message).toContain(message);
  });

  it('refuses a cycle, and takes the same object twice', () => {
    const inner: { up?: unknown } = {};
    const outer = { list: [inner] };
    expect(travel([inner, inner], encoding)).toEqual([{}, {}]);
    inner.up = outer;
    expect(failure(() => encodeValue(outer, encoding)).message).toContain('a cycle at value.list[0].up');
  });

  it('takes values of the greatest depth, and none that is deeper', () => {
    const nest = (levels: number): unknown => (levels === 0 ? 1 : [nest(levels - 1)]);
    expect(travel(nest(limits.maxValueDepth), encoding)).toEqual(nest(limits.maxValueDepth));
    const error = failure(() => encodeValue(nest(limits.maxValueDepth + 1), encoding));
    expect(error.message).toContain(`more than ${limits.maxValueDepth} levels`);
  });

  it('takes values of the greatest size, and none that is larger', () => {
    const around = encodedBytes(encodeValue(new Uint8Array(800), encoding)) - 800;
    const room = Math.floor((limits.maxValueBytes - around - 64) / 8) * 8;
    expect(encodedBytes(encodeValue(new Uint8Array(room), encoding))).toBeLessThanOrEqual(
      limits.maxValueBytes,
    );
    const error = failure(() => encodeValue(new Uint8Array(limits.maxValueBytes), encoding));
    expect(error.code).toBe('value_too_large');
    expect(error.message).toContain(`at most ${limits.maxValueBytes} are allowed`);
  });

  it('answers any bytes with a value or an error that blames the sender', () => {
    const hostile = fc.oneof(fc.uint8Array({ maxLength: 100 }), fc.string().map(utf8));
    fc.assert(
      fc.property(hostile, fc.constantFrom(undefined, 0x01, 0xc1), (bytes, marker) => {
        if (marker !== undefined && bytes.length > 0) bytes[0] = marker;
        try {
          decodeValue(bytes, 0, bytes.length, encoding === 'msgpack');
        } catch (error) {
          expect(error).toBeInstanceOf(HoldfastError);
          expect(error).toMatchObject({ code: 'invalid_argument', blame: 'remote' });
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('answers any change to a value with segments with a value or an error that blames the sender', () => {
    const bytes = joinEncoded(
      encodeValue({ a: [new Uint16Array(3), undefined], b: new Float64Array(2) }, encoding),
    );
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.nat(bytes.length), (place, value, length) => {
        const changed = bytes.slice(0, length);
        if (place < length) changed[place] = value;
        try {
          decodeValue(changed, 0, length, encoding === 'msgpack');
        } catch (error) {
          expect(error).toMatchObject({ name: 'HoldfastError', blame: 'remote' });
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a value in JSON', () => {
  it('travels as plain text when nothing in it is beyond JSON', () => {
    expect(encodeValue([1, { a: 'ü' }], 'json')).toBe('[1,{"a":"ü"}]');
    expect(encodedBytes('[1,{"a":"ü😀\ud800"}]')).toBe(utf8('[1,{"a":"ü😀\ud800"}]').length);
  });

  it('travels as what toJSON answers', () => {
    expect(travel({ at: new Date(0), url: new URL('http://a/b') }, 'json')).toEqual({
      at: '1970-01-01T00:00:00.000Z',
      url: 'http://a/b',
    });
  });

  it('keeps a property named __proto__ what it is: a property', () => {
    const value: unknown = JSON.parse('{"__proto__":{"x":1},"bytes":null}');
    (value as { bytes: unknown }).bytes = new Uint8Array(1);
    const arrived = travel(value, 'json') as object;
    expect(Object.getPrototypeOf(arrived)).toBe(Object.prototype);
    expect(Object.keys(arrived)).toEqual(['__proto__', 'bytes']);
  });

  it('reads text of every length around the limit of its quick way, with and without more than ASCII', () => {
    for (let length = 0; length < 60; length += 1) {
      for (const last of ['x', 'ü', '😀']) {
        const text = 'x'.repeat(length) + last;
        expect(travel(text, 'json', length % 3)).toBe(text);
      }
    }
  });

  it('refuses bytes that are not UTF-8 instead of repairing them', () => {
    const bytes = Uint8Array.from([0x22, 0xff, 0x22]);
    expect(failure(() => decodeValue(bytes, 0, 3, false)).message).toContain(
      'a value of 3 bytes cannot be decoded',
    );
  });
});

describe('a hostile table of segments', () => {
  /** `[root, table]` with one segment of 8 bytes behind it. */
  const forge = (root: unknown, table: unknown): Uint8Array => {
    const head = utf8(JSON.stringify([root, table]));
    const bytes = new Uint8Array(Math.ceil((8 + head.length) / 8) * 8 + 8);
    bytes[0] = 0x01;
    new DataView(bytes.buffer).setUint32(4, head.length, true);
    bytes.set(head, 8);
    return bytes;
  };
  const decode = (bytes: Uint8Array): unknown => decodeValue(bytes, 0, bytes.length, false);

  it('is read when it is honest', () => {
    expect(decode(forge({ a: null }, [['Uint8Array', 8, 'a']]))).toEqual({ a: new Uint8Array(8) });
  });

  it.each([
    ['a path into a prototype', [['Uint8Array', 8, '__proto__', 'a']], 'leads nowhere'],
    ['a path through a constructor', [['Uint8Array', 8, 'constructor', 'prototype']], 'leads nowhere'],
    ['a path to what is there', [['Uint8Array', 8, 'b']], 'leads to something that is there'],
    ['a path to nothing', [['Uint8Array', 8, 'c']], 'leads nowhere'],
    ['a path of objects', [['Uint8Array', 8, {}]], 'is malformed'],
    [
      'two segments in one place',
      [
        ['Uint8Array', 8, 'a'],
        ['NaN', 0, 'a'],
      ],
      'leads to something that is there',
    ],
    ['a segment that is too long', [['Uint8Array', 9, 'a']], 'is truncated'],
    ['a segment that is too short', [['NaN', 0, 'a']], 'do not end where it ends'],
    ['a negative length', [['Uint8Array', -8, 'a']], 'is malformed'],
    ['a length that is no number', [['Uint8Array', '8', 'a']], 'is malformed'],
    ['half an element', [['Float64Array', 7, 'a']], 'Float64Array has 7 bytes'],
    ['a constant with bytes', [['NaN', 8, 'a']], 'NaN has bytes'],
    ['an unknown kind', [['Function', 8, 'a']], 'unknown kind Function'],
    ['a row that is no list', ['Uint8Array'], 'no list'],
    ['a table that is no list', {}, 'head is malformed'],
  ])('is refused for %s', (_name, table, message) => {
    const error = failure(() => decode(forge({ a: null, b: 1 }, table)));
    expect([error.code, error.blame]).toEqual(['invalid_argument', 'remote']);
    expect(error.message).toContain(message);
    expect(({} as { a?: unknown }).a).toBe(undefined);
  });
});

describe.each(['json', 'msgpack'] as const)('An item in %s', (encoding) => {
  it.each([undefined, { toJSON: () => undefined }])(
    'takes at least one byte, also when it is undefined',
    (value) => {
      const bytes = joinEncoded(encodeItem(value, encoding));
      expect(bytes.length).toBeGreaterThan(0);
      expect(decodeValue(bytes, 0, bytes.length, encoding === 'msgpack')).toBeUndefined();
    },
  );

  it('is otherwise encoded as any value', () => {
    expect(joinEncoded(encodeItem([1, 'ä'], encoding))).toEqual(joinEncoded(encodeValue([1, 'ä'], encoding)));
  });
});
