// Compaction, closing, bounds on waiting, and what is there after a store was opened again.
// Invariant: no test depends on another, or on an engine.
import { expect, test } from 'vitest';
import {
  contents,
  everything,
  key,
  opened,
  openStore,
  pairs,
  put,
  refusal,
  revisionOf,
  text,
  type StoreUnderTest,
} from './under-test.ts';
import { begin, watching } from './watch-record.ts';
import { validate } from './watch-validator.ts';
import { load } from './writers.ts';

export function describeCompaction(under: StoreUnderTest): void {
  test('what holds at the floor stays, what was before it is gone', async () => {
    const store = await openStore(under);
    await store.put(put('kept', '1'));
    for (const value of ['1', '2', '3']) await store.put(put('a', value));
    await store.put(put('b', '1'));
    await store.delete(key('b'));
    expect((await store.compact(5)).revision).toBe(7);
    expect(await store.status()).toMatchObject({ revision: 7, compactRevision: 5 });
    expect(await refusal(store.range({ ...everything, revision: 4 }))).toBe('compacted');
    const then = async (revision: number): Promise<string[]> =>
      pairs((await store.range({ ...everything, revision })).entries);
    expect(await then(5)).toEqual(['a=3', 'kept=1']);
    expect(await then(6)).toEqual(['a=3', 'b=1', 'kept=1']);
    expect(await then(7)).toEqual(['a=3', 'kept=1']);
    const [a] = (await store.range(key('a'))).entries;
    expect(a).toMatchObject({ createRevision: 3, modRevision: 5, version: 3 });
  });

  test('defragmenting takes nothing that holds, and needs no compaction', async () => {
    const store = await openStore(under);
    await store.put(put('kept', '1'));
    expect((await store.defragment()).revision).toBe(2);
    for (const value of ['1', '2', '3']) await store.put(put('a', value));
    await store.compact(4);
    const [{ revision }] = await Promise.all([store.defragment(), store.put(put('b', '1'))]);
    expect(revision).toBeGreaterThanOrEqual(5);
    expect(await contents(store)).toEqual(['a=3', 'b=1', 'kept=1']);
    expect(pairs((await store.range({ ...everything, revision: 4 })).entries)).toEqual(['a=2', 'kept=1']);
  });

  test('below the floor there is nothing to compact, and beyond the newest revision neither', async () => {
    const store = await openStore(under);
    for (const value of ['1', '2', '3']) await store.put(put('a', value));
    await store.compact(3);
    expect(await refusal(store.compact(3))).toBe('compacted');
    expect(await refusal(store.compact(2))).toBe('compacted');
    expect(await refusal(store.compact(5))).toBe('future_revision');
    expect((await store.compact(4)).revision).toBe(4);
    expect((await store.status()).compactRevision).toBe(4);
    expect(await contents(store)).toEqual(['a=3']);
  });

  test('a revision that is refused is refused with the nearest one that is there', async () => {
    const store = await openStore(under);
    for (const value of ['1', '2', '3', '4']) await store.put(put('a', value));
    await store.compact(4);
    await expect(store.range({ ...key('a'), revision: 2 })).rejects.toMatchObject({
      code: 'compacted',
      revision: 4,
    });
    await expect(store.range({ ...key('a'), revision: 9 })).rejects.toMatchObject({
      code: 'future_revision',
      revision: 5,
    });
  });

  test('a transaction that reads below the floor changes nothing', async () => {
    const store = await openStore(under);
    for (const value of ['1', '2', '3']) await store.put(put('a', value));
    await store.compact(3);
    const old = { type: 'range', ...key('a'), revision: 2 } as const;
    expect(await refusal(store.txn({ success: [put('b', '1'), old] }))).toBe('compacted');
    expect(await contents(store)).toEqual(['a=3']);
  });

  test('compacting again and again under load takes nothing that holds', async () => {
    const store = await openStore(under);
    const one = await watching(store, everything);
    const writing = load(store, { seed: 11, commits: 40 });
    let isWriting: 'yes' | 'no' = 'yes';
    void writing.finally(() => (isWriting = 'no'));
    let floor = 1;
    while (isWriting === 'yes') {
      const revision = Math.min(await revisionOf(store), one.record.seen);
      if (revision > floor) await store.compact((floor = revision));
    }
    const { changes, revision } = await writing;
    await one.record.untilSeen(revision);
    expect(one.record.changes.length).toBe(changes.length);
    const held = new Map<string, number>();
    for (const change of changes.toSorted((a, b) => a.revision - b.revision))
      if (change.type === 'put') held.set(change.key, change.revision);
      else held.delete(change.key);
    const { entries } = await store.range(everything);
    expect(new Map(entries.map((entry) => [text(entry.key), entry.modRevision]))).toEqual(held);
  });
}

export function describeClosing(under: StoreUnderTest): void {
  test('whoever waits is freed, watches end, and nothing is taken any more', async () => {
    const store = await openStore(under);
    const { record } = await watching(store, everything);
    const asked = [
      store.put(put('a', '1')),
      store.range(everything),
      store.leases.list(),
      store.status(),
    ].map((one) =>
      one.then(
        () => 'answered',
        (error: { code: string }) => error.code,
      ),
    );
    await Promise.all([store.close(), store.close()]);
    for (const outcome of await Promise.all(asked)) expect(['answered', 'stopped']).toContain(outcome);
    await record.untilEnded();
    expect(record.end).toMatchObject({ reason: 'failed', error: { code: 'stopped' } });
    for (const asking of [
      () => store.put(put('a', '2')),
      () => store.range(everything),
      () => store.delete(key('a')),
      () => store.txn({}),
      () => store.leases.grant({ ttlSeconds: 60 }),
      () => store.compact(1),
      () => store.status(),
    ])
      expect(await refusal(asking())).toBe('stopped');
    expect(() => store.watch(everything, record)).toThrow(expect.objectContaining({ code: 'stopped' }));
    await store.close();
  });

  test('a bound on waiting is above 0', async () => {
    const store = await openStore(under);
    for (const options of [{ proposeTimeoutMs: 0 }, { applyTimeoutMs: -1 }, { applyTimeoutMs: Number.NaN }])
      expect(await refusal(store.put(put('a', '1'), options))).toBe('invalid_argument');
    expect(await revisionOf(store)).toBe(1);
  });

  test('what is cancelled before it began did not happen', async () => {
    const store = await openStore(under);
    const signal = AbortSignal.abort(new Error('no more'));
    await expect(store.put(put('a', '1'), { signal })).rejects.toMatchObject({
      code: 'cancelled',
      started: 'notStarted',
    });
    await expect(store.range(everything, { signal })).rejects.toMatchObject({ code: 'cancelled' });
    expect(await revisionOf(store)).toBe(1);
  });

  test('what is cancelled under way frees its waiter, and says whether it may have happened', async () => {
    const store = await openStore(under);
    for (let i = 0; i < 20; i++) {
      const stop = new AbortController();
      const outcome = store.put(put(`k${i}`, '1'), { signal: stop.signal }).then(
        () => 'done',
        (error: { code: string; started: string }) => `${error.code} ${error.started}`,
      );
      if (i % 2 === 0) stop.abort();
      else setImmediate(() => stop.abort());
      const said = await outcome;
      expect(['done', 'cancelled notStarted', 'cancelled unknown']).toContain(said);
      const { count } = await store.range(key(`k${i}`));
      if (said === 'done') expect(count).toBe(1);
      if (said === 'cancelled notStarted') expect(count).toBe(0);
    }
  });
}

export function describeReopening(under: StoreUnderTest): void {
  test('what was acknowledged is there when the store is opened again, with its history', async () => {
    const { store, reopen } = await opened(under);
    // An engine that is meant to forget says so by having no `reopen`.
    if (reopen === undefined) return expect((await store.status()).engine).toBe('memory');
    const { changes, revision } = await load(store, { seed: 12, commits: 10 });
    const { id } = await store.leases.grant({ ttlSeconds: 600 });
    await store.put(put('leased', '1', { lease: id }));
    await store.compact(4);
    const before = await contents(store);
    const again = await reopen();
    expect(await contents(again)).toEqual(before);
    expect(await again.status()).toMatchObject({ revision: revision + 1, compactRevision: 4 });
    const { record } = begin(again, { ...everything, startRevision: 5 });
    await record.untilSeen(revision + 1);
    const leased = { revision: revision + 1, type: 'put', key: 'leased' } as const;
    expect(await validate(again, record, revision + 1, [...changes, leased])).toEqual([]);
    expect(await refusal(again.range({ ...everything, revision: 3 }))).toBe('compacted');
    expect((await again.leases.timeToLive(id, { keys: true })).keys.length).toBe(1);
    await again.leases.revoke(id);
    expect((await again.range(key('leased'))).count).toBe(0);
    expect((await again.put(put('new', '1'))).revision).toBe(revision + 3);
  });
}
