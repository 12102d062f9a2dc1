// Keys and values: put, delete and range, at the newest revision and at earlier ones.
// Invariant: no test depends on another, or on an engine.
import { expect, test } from 'vitest';
import type { RangeRequest, Store } from '../../../src/store/contract.ts';
import {
  between,
  bytes,
  contents,
  everything,
  key,
  names,
  openStore,
  pairs,
  prefix,
  put,
  refusal,
  revisionOf,
  text,
  type StoreUnderTest,
} from './under-test.ts';

async function filled(store: Store, entries: readonly string[]): Promise<void> {
  for (const entry of entries) {
    const [name = '', value = ''] = entry.split('=');
    await store.put(put(name, value));
  }
}

export function describeKeys(under: StoreUnderTest): void {
  test('a fresh store is at revision 1 and holds nothing', async () => {
    const store = await openStore(under);
    expect(await store.range(everything)).toEqual({ revision: 1, entries: [], more: false, count: 0 });
    expect(await store.status()).toMatchObject({ revision: 1, compactRevision: -1 });
  });

  test('each put adds 1 to the revision, and the entry says when it was made and changed', async () => {
    const store = await openStore(under);
    expect(await store.put(put('a', '1'))).toEqual({ revision: 2 });
    expect(await store.put(put('b', '1'))).toEqual({ revision: 3 });
    const { revision, previous } = await store.put(put('a', '2', { previous: true }));
    expect(revision).toBe(4);
    expect(previous).toMatchObject({ createRevision: 2, modRevision: 2, version: 1 });
    expect(text(previous?.value)).toBe('1');
    const { entries, count, more } = await store.range(key('a'));
    expect({ count, more }).toEqual({ count: 1, more: false });
    expect(entries[0]).toMatchObject({ createRevision: 2, modRevision: 4, version: 2 });
    expect(pairs(entries)).toEqual(['a=2']);
    expect(entries[0]?.lease).toBe(undefined);
  });

  test('the first put of a key has nothing previous, and none is told unasked', async () => {
    const store = await openStore(under);
    expect((await store.put(put('a', '1', { previous: true }))).previous).toBe(undefined);
    expect((await store.put(put('a', '2'))).previous).toBe(undefined);
  });

  test('a deletion says what went; one of nothing changes nothing', async () => {
    const store = await openStore(under);
    await filled(store, ['a=1', 'b=2', 'c=3']);
    expect(await store.delete(key('z'))).toEqual({ revision: 4, deleted: 0, previous: [] });
    expect(await revisionOf(store)).toBe(4);
    const one = await store.delete({ ...key('b'), previous: true });
    expect(one).toMatchObject({ revision: 5, deleted: 1 });
    expect(pairs(one.previous)).toEqual(['b=2']);
    expect(await store.delete(prefix('a'))).toEqual({ revision: 6, deleted: 1, previous: [] });
    expect(await contents(store)).toEqual(['c=3']);
  });

  test('a range of keys goes at one revision', async () => {
    const store = await openStore(under);
    await filled(store, ['a/1=x', 'a/2=y', 'b=z']);
    const { revision, deleted, previous } = await store.delete({ ...prefix('a/'), previous: true });
    expect({ revision, deleted, previous: pairs(previous) }).toEqual({
      revision: 5,
      deleted: 2,
      previous: ['a/1=x', 'a/2=y'],
    });
    expect(await contents(store)).toEqual(['b=z']);
  });

  test('a key that comes back begins at version 1', async () => {
    const store = await openStore(under);
    await filled(store, ['a=1', 'a=2']);
    await store.delete(key('a'));
    await store.put(put('a', '3'));
    expect((await store.range(key('a'))).entries[0]).toMatchObject({
      createRevision: 5,
      modRevision: 5,
      version: 1,
    });
  });

  test('ranges: one key, from a key to before another, by prefix, from a key on, all', async () => {
    const store = await openStore(under);
    await filled(store, ['a=1', 'b/1=2', 'b/2=3', 'c=4']);
    const found = async (request: RangeRequest): Promise<string[]> =>
      names((await store.range(request)).entries);
    expect(await found(key('b'))).toEqual([]);
    expect(await found(between('a', 'c'))).toEqual(['a', 'b/1', 'b/2']);
    expect(await found(prefix('b/'))).toEqual(['b/1', 'b/2']);
    expect(await found({ key: bytes('b/2'), end: new Uint8Array() })).toEqual(['b/2', 'c']);
    expect(await found(everything)).toEqual(['a', 'b/1', 'b/2', 'c']);
    expect(await found(between('c', 'a'))).toEqual([]);
    expect(await found(between('b/1', 'b/1'))).toEqual([]);
  });

  test('keys are in the order of their bytes, whatever bytes they are', async () => {
    const store = await openStore(under);
    const keys = [[0], [0, 0], [0, 255], [1], [97], [97, 0], [97, 98], [195, 40], [255], [255, 255]];
    for (const one of keys.toReversed())
      await store.put({ key: Uint8Array.from(one), value: Uint8Array.from([...one, 0, 255]) });
    const { entries } = await store.range(everything);
    expect(entries.map((entry) => [...entry.key])).toEqual(keys);
    expect(entries.map((entry) => [...entry.value])).toEqual(keys.map((one) => [...one, 0, 255]));
  });

  test('a limit says how many there are in all, and whether some were left out', async () => {
    const store = await openStore(under);
    await filled(store, ['a=1', 'b=2', 'c=3']);
    const two = await store.range({ ...everything, limit: 2 });
    expect([pairs(two.entries), two.more, two.count]).toEqual([['a=1', 'b=2'], true, 3]);
    const three = await store.range({ ...everything, limit: 3 });
    expect([three.entries.length, three.more, three.count]).toEqual([3, false, 3]);
    expect((await store.range({ ...everything, limit: 0 })).entries.length).toBe(3);
  });

  test('the count alone, or the keys alone', async () => {
    const store = await openStore(under);
    await filled(store, ['a=1', 'b=2']);
    expect(await store.range({ ...everything, countOnly: true })).toEqual({
      revision: 3,
      entries: [],
      more: false,
      count: 2,
    });
    const { entries } = await store.range({ ...everything, keysOnly: true });
    expect(pairs(entries)).toEqual(['a=', 'b=']);
    expect(entries[1]).toMatchObject({ createRevision: 3, modRevision: 3, version: 1 });
  });

  test('sorted by key, value, version, or revision, either way; a limit cuts what is sorted', async () => {
    const store = await openStore(under);
    await filled(store, ['a=3', 'b=1', 'c=2', 'a=4', 'b=0', 'a=9']);
    const sorted = async (by: 'key' | 'version' | 'createRevision' | 'modRevision' | 'value') => [
      names((await store.range({ ...everything, sort: { by } })).entries).join(''),
      names((await store.range({ ...everything, sort: { by, descending: true } })).entries).join(''),
    ];
    expect(await sorted('key')).toEqual(['abc', 'cba']);
    expect(await sorted('value')).toEqual(['bca', 'acb']);
    expect(await sorted('version')).toEqual(['cba', 'abc']);
    expect(await sorted('createRevision')).toEqual(['abc', 'cba']);
    expect(await sorted('modRevision')).toEqual(['cba', 'abc']);
    const newest = await store.range({
      ...everything,
      sort: { by: 'modRevision', descending: true },
      limit: 1,
    });
    expect([pairs(newest.entries), newest.more, newest.count]).toEqual([['a=9'], true, 3]);
  });

  test('filters by revision leave entries out, not out of the count', async () => {
    const store = await openStore(under);
    await filled(store, ['a=1', 'b=1', 'c=1', 'a=2']);
    const found = async (filter: Partial<RangeRequest>): Promise<[string, number]> => {
      const { entries, count } = await store.range({ ...everything, ...filter });
      return [names(entries).join(''), count];
    };
    expect(await found({ minModRevision: 4 })).toEqual(['ac', 3]);
    expect(await found({ maxModRevision: 4 })).toEqual(['bc', 3]);
    expect(await found({ minCreateRevision: 3 })).toEqual(['bc', 3]);
    expect(await found({ maxCreateRevision: 3 })).toEqual(['ab', 3]);
    expect(await found({ minModRevision: 3, maxModRevision: 3 })).toEqual(['b', 3]);
    const cut = await store.range({ ...everything, minModRevision: 3, limit: 1 });
    expect([names(cut.entries), cut.more]).toEqual([['a'], true]);
  });

  test('every revision of the past can be read', async () => {
    const store = await openStore(under);
    await filled(store, ['a=1', 'b=1', 'a=2']);
    await store.delete(key('a'));
    const then = async (revision: number): Promise<string[]> =>
      pairs((await store.range({ ...everything, revision })).entries);
    expect(await then(1)).toEqual([]);
    expect(await then(2)).toEqual(['a=1']);
    expect(await then(3)).toEqual(['a=1', 'b=1']);
    expect(await then(4)).toEqual(['a=2', 'b=1']);
    expect(await then(5)).toEqual(['b=1']);
    const past = await store.range({ ...key('a'), revision: 3 });
    // The answer is of the past; the revision is that of the store.
    expect(past).toMatchObject({ revision: 5, count: 1 });
    expect(past.entries[0]).toMatchObject({ modRevision: 2, version: 1 });
    expect(await refusal(store.range({ ...everything, revision: 6 }))).toBe('future_revision');
  });

  test('a key is not empty', async () => {
    const store = await openStore(under);
    expect(await refusal(store.put({ key: new Uint8Array() }))).toBe('invalid_argument');
    expect(await refusal(store.range({ key: new Uint8Array() }))).toBe('invalid_argument');
    expect(await refusal(store.delete({ key: new Uint8Array() }))).toBe('invalid_argument');
    expect(await refusal(store.txn({ success: [put('', 'x')] }))).toBe('invalid_argument');
    expect(await revisionOf(store)).toBe(1);
  });

  test('a put can keep the present value or the present lease of a key that is there', async () => {
    const store = await openStore(under);
    const { id } = await store.leases.grant({ ttlSeconds: 600 });
    await store.put(put('a', '1', { lease: id }));
    await store.put({ key: bytes('a'), ignoreValue: true });
    const [bare] = (await store.range(key('a'))).entries;
    expect(bare).toMatchObject({ version: 2, modRevision: 3 });
    expect([text(bare?.value), bare?.lease]).toEqual(['1', undefined]);
    await store.put(put('a', '2', { lease: id }));
    await store.put(put('a', '3', { ignoreLease: true }));
    const [kept] = (await store.range(key('a'))).entries;
    expect([text(kept?.value), kept?.lease]).toEqual(['3', id]);
  });

  test('there is nothing to keep of a key that is not there, nor beside what is given', async () => {
    const store = await openStore(under);
    const { id } = await store.leases.grant({ ttlSeconds: 600 });
    expect(await refusal(store.put({ key: bytes('a'), ignoreValue: true }))).toBe('key_not_found');
    expect(await refusal(store.put(put('a', '1', { ignoreLease: true })))).toBe('key_not_found');
    await store.put(put('a', '1'));
    expect(await refusal(store.put(put('a', '2', { ignoreValue: true })))).toBe('invalid_argument');
    expect(await refusal(store.put(put('a', '2', { ignoreLease: true, lease: id })))).toBe(
      'invalid_argument',
    );
    expect(await contents(store)).toEqual(['a=1']);
  });

  test('what was answered belongs to whoever asked', async () => {
    const store = await openStore(under);
    await store.put(put('a', 'abc'));
    const { entries } = await store.range(key('a'));
    entries[0]?.value.fill(120);
    entries[0]?.key.fill(120);
    expect(await contents(store)).toEqual(['a=abc']);
    const value = bytes('def');
    await store.put({ key: bytes('a'), value });
    value.fill(120);
    expect(await contents(store)).toEqual(['a=def']);
  });

  test('a value may have a megabyte, and a request not more than 1.5 MiB', async () => {
    const store = await openStore(under);
    const value = new Uint8Array(1_000_000).fill(7);
    await store.put({ key: bytes('big'), value });
    expect(Buffer.compare((await store.range(key('big'))).entries[0]?.value as Uint8Array, value)).toBe(0);
    for (const size of [1_600_000, 3_000_000])
      expect(await refusal(store.put({ key: bytes('big'), value: new Uint8Array(size) }))).toBe(
        'value_too_large',
      );
    expect((await store.range(key('big'))).entries[0]?.version).toBe(1);
  });

  test('a stale answer may be asked for, and is one of the same shape', async () => {
    const store = await openStore(under);
    await store.put(put('a', '1'));
    expect(pairs((await store.range({ ...key('a'), serializable: true })).entries)).toEqual(['a=1']);
  });
}
