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

test.each(['copy', 'view'] as const)('any plain data comes out as it went in (bytes as %s)', (bytesAs) => {
  fc.assert(
    fc.property(fc.array(plain), (messages) => {
      const packer = new Packer();
      const unpacker = new Unpacker(bytesAs);
      for (const message of messages) expect(unpacker.unpack(packer.pack(message))).toEqual(message);
    }),
  );
});

test('more names than the table holds come through, and a message longer than what the packer keeps', () => {
  const packer = new Packer();
  const unpacker = new Unpacker('copy');
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

test('a copy does not keep the message, a view is the message', () => {
  const packed = new Packer().pack([Uint8Array.of(1, 2, 3)]);
  const [view] = new Unpacker('view').unpack(packed) as Uint8Array[];
  const [copy] = new Unpacker('copy').unpack(packed) as Uint8Array[];
  packed.fill(0);
  expect(view).toEqual(Uint8Array.of(0, 0, 0));
  expect(copy).toEqual(Uint8Array.of(1, 2, 3));
});

test('a name is sent once', () => {
  const packer = new Packer();
  const first = packer.pack({ createRevision: 1 }).length;
  expect(packer.pack({ createRevision: 1 }).length).toBe(first - 'createRevision'.length - 4);
});
