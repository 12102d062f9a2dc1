// Transactions: comparisons, branches, and all or nothing at one revision.
// Invariant: no test depends on another, or on an engine.
import { expect, test } from 'vitest';
import type { Comparison, Store } from '../../../src/store/contract.ts';
import {
  between,
  bytes,
  contents,
  del,
  get,
  key,
  openStore,
  pairs,
  prefix,
  put,
  refusal,
  revisionOf,
  type StoreUnderTest,
} from './under-test.ts';

const relations = ['equal', 'notEqual', 'greater', 'less'] as const;

/** Which relations hold, as `= != > <` in that order: `1011`. */
async function holding(
  store: Store,
  compare: (relation: Comparison['relation']) => Comparison,
): Promise<string> {
  const held = await Promise.all(
    relations.map(async (relation) => (await store.txn({ compare: [compare(relation)] })).succeeded),
  );
  return held.map(Number).join('');
}

export function describeTransactions(under: StoreUnderTest): void {
  test('comparisons by number: equal, not equal, greater, less', async () => {
    const store = await openStore(under);
    await store.put(put('a', '1'));
    await store.put(put('a', '2'));
    const by = (target: 'version' | 'createRevision' | 'modRevision', operand: number) =>
      holding(store, (relation) => ({ ...key('a'), target, relation, operand }));
    // version 2, created at 2, changed at 3
    expect(await by('version', 1)).toBe('0110');
    expect(await by('version', 2)).toBe('1000');
    expect(await by('version', 3)).toBe('0101');
    expect(await by('createRevision', 2)).toBe('1000');
    expect(await by('modRevision', 3)).toBe('1000');
    expect(await by('modRevision', 4)).toBe('0101');
  });

  test('comparisons by value are in the order of bytes, and by lease in that of numbers', async () => {
    const store = await openStore(under);
    await store.leases.grant({ ttlSeconds: 600, id: '1000' });
    await store.put(put('a', 'm', { lease: '1000' }));
    const byValue = (operand: string) =>
      holding(store, (relation) => ({ ...key('a'), target: 'value', relation, operand: bytes(operand) }));
    expect(await byValue('m')).toBe('1000');
    expect(await byValue('b')).toBe('0110');
    expect(await byValue('mm')).toBe('0101');
    expect(await byValue('\u00ff')).toBe('0101');
    const byLease = (operand: string) =>
      holding(store, (relation) => ({ ...key('a'), target: 'lease', relation, operand }));
    expect(await byLease('1000')).toBe('1000');
    expect(await byLease('999')).toBe('0110');
    expect(await byLease('20000')).toBe('0101');
  });

  test('a key that is not there has 0 for all numbers, and no value to compare', async () => {
    const store = await openStore(under);
    for (const target of ['version', 'createRevision', 'modRevision'] as const) {
      const by = (operand: number) =>
        holding(store, (relation) => ({ ...key('a'), target, relation, operand }));
      expect(await by(0)).toBe('1000');
      expect(await by(1)).toBe('0101');
    }
    expect(
      await holding(store, (relation) => ({ ...key('a'), target: 'lease', relation, operand: '0' })),
    ).toBe('1000');
    expect(
      await holding(store, (relation) => ({ ...key('a'), target: 'value', relation, operand: bytes('') })),
    ).toBe('0000');
  });

  test('a comparison over a range holds when it holds of each key', async () => {
    const store = await openStore(under);
    await store.put(put('a/1', 'x'));
    await store.put(put('a/2', 'x'));
    await store.put(put('b', 'y'));
    const all = async (range: Comparison | object): Promise<boolean> =>
      (await store.txn({ compare: [range as Comparison] })).succeeded;
    const isX = { target: 'value', relation: 'equal', operand: bytes('x') };
    expect(await all({ ...prefix('a/'), ...isX })).toBe(true);
    expect(await all({ ...between('a/', 'c'), ...isX })).toBe(false);
    const isNew = { target: 'version', relation: 'equal', operand: 1 };
    expect(await all({ ...between('a/', 'c'), ...isNew })).toBe(true);
    // A range without keys is compared as a key that is not there.
    expect(await all({ ...prefix('z'), ...isNew })).toBe(false);
    expect(await all({ ...prefix('z'), ...isX })).toBe(false);
  });

  test('every comparison must hold; then one branch or the other is taken, at one revision', async () => {
    const store = await openStore(under);
    await store.put(put('a', '1'));
    const swap = (expected: string, value: string) =>
      store.txn({
        compare: [
          { ...key('a'), target: 'value', relation: 'equal', operand: bytes(expected) },
          { ...key('b'), target: 'version', relation: 'equal', operand: 0 },
        ],
        success: [put('a', value, { previous: true }), put('log', value)],
        failure: [get('a')],
      });
    const won = await swap('1', '2');
    expect(won).toMatchObject({ succeeded: true, revision: 3 });
    expect(won.responses.map(({ type, revision }) => [type, revision])).toEqual([
      ['put', 3],
      ['put', 3],
    ]);
    const [first] = won.responses;
    expect(first?.type === 'put' && first.previous?.modRevision).toBe(2);
    const lost = await swap('1', '3');
    expect(lost).toMatchObject({ succeeded: false, revision: 3 });
    const [read] = lost.responses;
    expect(read?.type === 'range' && pairs(read.entries)).toEqual(['a=2']);
    expect(await contents(store)).toEqual(['a=2', 'log=2']);
  });

  test('operations see what those before them did', async () => {
    const store = await openStore(under);
    await store.put(put('a', '1'));
    await store.put(put('b', '1'));
    const { responses, revision } = await store.txn({
      success: [get('a'), put('a', '2'), get('a'), del(key('b')), get('b'), put('c', '1')],
    });
    const read = responses.map((one) => (one.type === 'range' ? pairs(one.entries).join() : one.type));
    expect(read).toEqual(['a=1', 'put', 'a=2', 'delete', '', 'put']);
    expect(revision).toBe(4);
    const { entries } = await store.range({ key: bytes('a'), end: bytes('z') });
    expect(entries.map(({ modRevision }) => modRevision)).toEqual([4, 4]);
  });

  test('a transaction that changes nothing leaves the revision as it is', async () => {
    const store = await openStore(under);
    await store.put(put('a', '1'));
    expect(await store.txn({})).toEqual({ revision: 2, succeeded: true, responses: [] });
    expect((await store.txn({ success: [get('a'), del(key('z'))] })).revision).toBe(2);
    expect(await revisionOf(store)).toBe(2);
  });

  test('transactions within transactions', async () => {
    const store = await openStore(under);
    await store.put(put('a', '1'));
    const { revision, responses } = await store.txn({
      success: [
        put('b', '1'),
        {
          type: 'txn',
          compare: [{ ...key('a'), target: 'value', relation: 'equal', operand: bytes('1') }],
          success: [put('c', 'yes'), get('a')],
          failure: [put('c', 'no')],
        },
      ],
    });
    expect(revision).toBe(3);
    const inner = responses[1];
    expect(inner?.type === 'txn' && [inner.succeeded, inner.responses.map(({ type }) => type)]).toEqual([
      true,
      ['put', 'range'],
    ]);
    expect(await contents(store)).toEqual(['a=1', 'b=1', 'c=yes']);
  });

  test('a key can be changed once in a transaction', async () => {
    const store = await openStore(under);
    await store.put(put('a', '1'));
    const twice = [
      [put('a', '2'), put('a', '3')],
      [put('a', '2'), del(key('a'))],
      [del(prefix('a')), put('ab', '2')],
      [put('a', '2'), { type: 'txn', success: [put('a', '3')] }],
      [put('a', '2'), { type: 'txn', failure: [put('a', '3')] }],
    ] as const;
    for (const success of twice) expect(await refusal(store.txn({ success }))).toBe('duplicate_key');
    for (const failure of twice) expect(await refusal(store.txn({ failure }))).toBe('duplicate_key');
    // Of two branches only one is taken; and what is deleted twice is gone.
    await store.txn({
      success: [{ type: 'txn', success: [put('b', '1')], failure: [put('b', '2')] }, put('c', '1')],
    });
    await store.txn({ success: [del(key('c')), del(prefix('c'))] });
    expect(await contents(store)).toEqual(['a=1', 'b=1']);
  });

  test('a transaction has at most 128 operations, and as many comparisons', async () => {
    const store = await openStore(under);
    const puts = Array.from({ length: 129 }, (_, i) => put(`k${i}`, 'x'));
    const compare = puts.map((one) => ({
      key: one.key,
      target: 'version' as const,
      relation: 'equal' as const,
      operand: 0,
    }));
    expect(await refusal(store.txn({ success: puts }))).toBe('too_many_operations');
    expect(await refusal(store.txn({ failure: puts }))).toBe('too_many_operations');
    expect(await refusal(store.txn({ compare }))).toBe('too_many_operations');
    const { revision, succeeded } = await store.txn({
      compare: compare.slice(1),
      success: puts.slice(1),
    });
    expect({ revision, succeeded }).toEqual({ revision: 2, succeeded: true });
    expect((await contents(store)).length).toBe(128);
  });

  test('when one operation cannot be, none is', async () => {
    const store = await openStore(under);
    await store.put(put('a', '1'));
    const failing = [
      [{ type: 'put', ...key('z'), ignoreValue: true }, 'key_not_found'],
      [put('z', '1', { lease: '4711' }), 'lease_not_found'],
      [{ type: 'range', ...key('a'), revision: 99 }, 'future_revision'],
    ] as const;
    for (const [operation, code] of failing) {
      expect(await refusal(store.txn({ success: [put('a', '2'), put('b', '2'), operation] }))).toBe(code);
    }
    expect(await contents(store)).toEqual(['a=1']);
    expect(await revisionOf(store)).toBe(2);
  });
}
