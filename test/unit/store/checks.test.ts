// What is refused by looking at the request alone.
import { describe, expect, test } from 'vitest';
import { limits } from '../../../src/protocol/limits.ts';
import { prefixEnd } from '../../../src/store/bytes.ts';
import { checkTtl, checkWatch } from '../../../src/store/checks.ts';
import type { Operation, TxnRequest } from '../../../src/store/contract.ts';
import { checkSize } from '../../../src/store/request-size.ts';
import { checkTxn } from '../../../src/store/txn-checks.ts';
import { bytes } from './naive-store.ts';

const txn =
  (request: TxnRequest): (() => void) =>
  () =>
    checkTxn(request);
const putOf = (key: string): Operation => ({ type: 'put', key: bytes(key) });
const within = (...success: Operation[]): Operation => ({ type: 'txn', success });

describe('requests that are refused unseen', () => {
  test('one key may be written once in a transaction, wherever in it', () => {
    const range: Operation = { type: 'delete', key: bytes('a'), end: bytes('c') };
    const twice: Operation[][] = [
      [putOf('a'), putOf('a')],
      [putOf('b'), range],
      [range, putOf('a')],
      [putOf('a'), within(putOf('a'))],
      [within(putOf('a')), within(putOf('a'))],
      [within(range), putOf('b')],
      [within(putOf('b')), within(range)],
      [within(within(putOf('b'))), range],
    ];
    for (const success of twice) {
      expect(txn({ success })).toThrow(expect.objectContaining({ code: 'duplicate_key' }));
      expect(txn({ failure: success })).toThrow(expect.objectContaining({ code: 'duplicate_key' }));
    }
    expect(txn({ success: [putOf('a')], failure: [putOf('a')] })).not.toThrow();
    expect(
      txn({
        success: [{ type: 'txn', success: [putOf('a')], failure: [putOf('a'), putOf('b')] }, putOf('c')],
      }),
    ).not.toThrow();
    expect(txn({ success: [range, range, putOf('c')] })).not.toThrow();
  });

  test('a transaction has 128 operations, of which one within it has what is left', () => {
    const puts = (count: number): Operation[] =>
      Array.from({ length: count }, (_, index) => putOf(`k${index}`));
    const tooMany = expect.objectContaining({ code: 'too_many_operations' });
    expect(txn({ success: puts(128) })).not.toThrow();
    expect(txn({ success: puts(129) })).toThrow(tooMany);
    expect(txn({ failure: puts(129) })).toThrow(tooMany);
    expect(txn({ success: [within(...puts(127))] })).not.toThrow();
    expect(txn({ success: [within(...puts(128))] })).toThrow(tooMany);
  });

  test('a key is never empty, and a comparison has one too', () => {
    const wrong = expect.objectContaining({ code: 'invalid_argument' });
    expect(txn({ success: [putOf('')] })).toThrow(wrong);
    expect(txn({ compare: [{ key: bytes(''), relation: 'equal', target: 'version', operand: 0 }] })).toThrow(
      wrong,
    );
    expect(
      txn({ success: [{ type: 'put', key: bytes('a'), value: bytes('x'), ignoreValue: true }] }),
    ).toThrow(wrong);
    expect(txn({ success: [{ type: 'put', key: bytes('a'), lease: '7', ignoreLease: true }] })).toThrow(
      wrong,
    );
    for (const lease of ['0', '07', '1.5', 'x', '', '9223372036854775808', '-9223372036854775809'])
      expect(txn({ success: [{ type: 'put', key: bytes('a'), lease }] })).toThrow(wrong);
    for (const lease of ['9223372036854775807', '-9223372036854775808'])
      expect(txn({ success: [{ type: 'put', key: bytes('a'), lease }] })).not.toThrow();
  });

  test('a request has 1.5 MiB of keys and values, those of both branches together', () => {
    const value = new Uint8Array(limits.maxRequestBytes - 2);
    const put: Operation = { type: 'put', key: bytes('a'), value };
    const tooLarge = expect.objectContaining({ code: 'value_too_large' });
    expect(checkSize({ ...put, key: bytes('ab') })).toBe(limits.maxRequestBytes);
    expect(() => checkSize({ ...put, key: bytes('abc') })).toThrow(tooLarge);
    expect(checkSize({ type: 'txn', success: [put], failure: [putOf('b')] })).toBe(limits.maxRequestBytes);
    expect(() => checkSize({ type: 'txn', success: [put], failure: [putOf('bc')] })).toThrow(tooLarge);
  });

  test('a lease lasts whole seconds, from 1 to 9 000 000 000', () => {
    for (const ttl of [1, 9_000_000_000]) expect(() => checkTtl(ttl)).not.toThrow();
    for (const ttl of [0, -1, 0.5, NaN, 9_000_000_001])
      expect(() => checkTtl(ttl)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  });

  test('an empty key begins a range, and is no key', () => {
    expect(() => checkWatch({ key: bytes(''), end: bytes('') })).not.toThrow();
    expect(() => checkWatch({ key: bytes('') })).toThrow(/key is empty/);
    expect(() => checkWatch({ key: 'a' as never })).toThrow(/key is string; give bytes/);
    expect(() => checkWatch({ key: bytes('a'), startRevision: 0 })).toThrow(/the first revision is 1/);
  });
});

test('the end of a prefix is the first key beyond all that begin with it', () => {
  expect(prefixEnd(bytes('ab'))).toEqual(bytes('ac'));
  expect(prefixEnd(Uint8Array.of(1, 255, 255))).toEqual(Uint8Array.of(2));
  expect(prefixEnd(Uint8Array.of(255, 255))).toEqual(bytes(''));
  expect(prefixEnd(bytes(''))).toEqual(bytes(''));
});
