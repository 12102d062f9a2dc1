// Packed messages: what comes out is what went in, message after message.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Packer, Unpacker } from '../../../src/adapters/packed.ts';

/** Fields are named by us. */
const aName = fc.string().filter((name) => name !== '__proto__');
const plain: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(
      undefined,
      null,
      true,
      false,
      0,
      -0,
      0xffff_ffff,
      2 ** 32,
      2 ** 53 - 1,
      -1,
      0.5,
      Infinity,
      NaN,
    ),
    fc.double(),
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('put', 'range', '-9223372036854775808', 'x'.repeat(21), ''),
    fc.uint8Array(),
    fc.array(tie('any')),
    fc.dictionary(aName, tie('any'), { noNullPrototype: true }),
  ),
})).any;

test('any plain data comes out as it went in', () => {
  fc.assert(
    fc.property(fc.array(plain), (messages) => {
      const packer = new Packer();
      const unpacker = new Unpacker();
      for (const message of messages) expect(unpacker.unpack(packer.pack(message))).toEqual(message);
    }),
  );
});

test('more names than the table holds come through, and a message longer than what the packer keeps', () => {
  const packer = new Packer();
  const unpacker = new Unpacker();
  const names = Object.fromEntries(
    Array.from({ length: 1_000 }, (_, index) => [`name${index}`, `Word${index}`]),
  );
  for (const round of [1, 2])
    expect(unpacker.unpack(packer.pack({ ...names, round }))).toEqual({ ...names, round });
  const bytes = new Uint8Array(2_000_000).fill(7);
  const long = unpacker.unpack(packer.pack({ bytes, after: 'here' })) as { bytes: Uint8Array; after: string };
  expect(Buffer.compare(long.bytes, bytes)).toBe(0);
  expect(long.after).toBe('here');
  expect(unpacker.unpack(packer.pack(names))).toEqual(names);
});

test('what is taken out of a message does not keep the message', () => {
  const packed = new Packer().pack([Uint8Array.of(1, 2, 3), new Uint8Array(5_000).fill(7)]);
  const [short, long] = new Unpacker().unpack(packed) as [Uint8Array, Uint8Array];
  packed.fill(0);
  expect(short).toEqual(Uint8Array.of(1, 2, 3));
  expect(short.buffer.byteLength).toBeLessThan(packed.length);
  expect(long).toEqual(new Uint8Array(5_000).fill(7));
});

test('a name is sent once', () => {
  const packer = new Packer();
  const first = packer.pack({ createRevision: 1 }).length;
  expect(packer.pack({ createRevision: 1 }).length).toBe(first - 'createRevision'.length - 4);
});
