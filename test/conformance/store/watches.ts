// Watches: what each is told, from when, and how it ends.
// Invariant: whatever a test looks at, the validator judges all that was told.
import { describe, expect, test } from 'vitest';
import type { Store, WatchRequest } from '../../../src/store/contract.ts';
import {
  between,
  bytes,
  contents,
  del,
  everything,
  key,
  openStore,
  prefix,
  put,
  revisionOf,
  type StoreUnderTest,
} from './under-test.ts';
import { begin, caughtUp, watching, WatchRecord, type Watching } from './watch-record.ts';
import { faultsOf, validate, type Change } from './watch-validator.ts';
import { load } from './writers.ts';

/** A put, a change, a deletion and a put again, of `a`; another key between them. Revisions 2 to 6. */
async function someHistory(store: Store): Promise<void> {
  await store.put(put('a', '1'));
  await store.put(put('b', '1'));
  await store.put(put('a', '2'));
  await store.delete(key('a'));
  await store.put(put('a', '3'));
}

async function sound(
  store: Store,
  { record }: Watching,
  upTo: number,
  changes?: readonly Change[],
): Promise<void> {
  expect(await validate(store, record, upTo, changes)).toEqual([]);
}

export function describeWatches(under: StoreUnderTest): void {
  describe('from a revision', () => {
    describeStarts(under);
  });
  describe('what is told', () => {
    describeContent(under);
  });
  describe('bookmarks', () => {
    describeBookmarks(under);
  });
  describe('a slow owner', () => {
    describeWaiting(under);
  });
  describe('the end', () => {
    describeEnds(under);
  });
}

function describeStarts(under: StoreUnderTest): void {
  test('from now on: nothing earlier, everything later', async () => {
    const store = await openStore(under);
    await someHistory(store);
    const one = await watching(store, everything);
    expect(one.record.readyAt).toBe(6);
    await store.put(put('a', '4'));
    await one.record.untilSeen(7);
    expect(one.record.lines).toEqual(['put a=4@7']);
    await sound(store, one, 7);
  });

  test('from a past revision on: history first, then what is new, in one row', async () => {
    const store = await openStore(under);
    await someHistory(store);
    const one = begin(store, { ...key('a'), startRevision: 4 });
    await one.record.untilSeen(6);
    await store.put(put('a', '4'));
    await one.record.untilSeen(7);
    // It tells where the store is, not where the watch begins.
    expect(one.record.readyAt).toBe(6);
    expect(one.record.lines).toEqual(['put a=2@4', 'delete a@5', 'put a=3@6', 'put a=4@7']);
    await sound(store, one, 7);
  });

  test('from a revision to come on: nothing of what comes before it', async () => {
    const store = await openStore(under);
    const one = await watching(store, { ...everything, startRevision: 5 });
    expect(one.record.readyAt).toBe(1);
    await someHistory(store);
    await one.record.untilSeen(6);
    expect(one.record.lines).toEqual(['delete a@5', 'put a=3@6']);
    await sound(store, one, 6);
  });

  test('where one watch ended another goes on, and together they told all once', async () => {
    const store = await openStore(under);
    const first = await watching(store, everything);
    const { changes, revision } = await load(store, { seed: 1, commits: 8 });
    await first.record.until('some of it', ({ seen }) => seen > 1);
    first.handle.cancel();
    await first.record.untilEnded();
    const second = begin(store, { ...everything, startRevision: first.record.seen + 1 });
    await caughtUp(second, revision);
    await sound(store, first, first.record.seen, changes);
    await sound(store, second, revision, changes);
    const told = [...first.record.changes, ...second.record.changes];
    expect(told.length).toBe(changes.length);
  });

  test('what is put in the turn in which a watch begins is told, or came before it was ready', async () => {
    const store = await openStore(under);
    const races = Array.from({ length: 20 }, (_, i) => {
      const one = begin(store, prefix(`r${i}/`));
      return { one, written: store.put(put(`r${i}/k`, '1')) };
    });
    for (const { one, written } of races) {
      const { revision } = await written;
      await one.record.untilReady();
      const isAfter = revision > (one.record.readyAt as number);
      if (isAfter) await one.record.untilSeen(revision);
      await caughtUp(one, revision);
      expect(one.record.changes.length).toBe(isAfter ? 1 : 0);
      await sound(store, one, revision);
    }
  });
}

function describeContent(under: StoreUnderTest): void {
  test('one key, a range, a prefix, from a key on, all: each watch is told of its own', async () => {
    const store = await openStore(under);
    const requests: Record<string, WatchRequest> = {
      key: key('b'),
      range: between('a', 'b'),
      prefix: prefix('b'),
      from: { key: bytes('b'), end: new Uint8Array() },
      all: everything,
    };
    const watches = await Promise.all(
      Object.entries(requests).map(async ([name, request]) => ({
        name,
        ...(await watching(store, request)),
      })),
    );
    for (const name of ['a', 'b', 'bb', 'c']) await store.put(put(name, '1'));
    const told: Record<string, string> = {};
    for (const one of watches) {
      await caughtUp(one, 5);
      told[one.name] = one.record.lines.map((line) => line.slice(4, line.indexOf('='))).join();
      await sound(store, one, 5);
    }
    expect(told).toEqual({ key: 'b', range: 'a', prefix: 'b,bb', from: 'b,bb,c', all: 'a,b,bb,c' });
  });

  test('all changes of a transaction come together', async () => {
    const store = await openStore(under);
    const one = await watching(store, everything);
    await store.txn({ success: Array.from({ length: 100 }, (_, i) => put(`k${i}`, 'x')) });
    await store.txn({ success: [put('a', '1'), del(between('k1', 'k5')), put('z', '1')] });
    await one.record.untilSeen(3);
    const both = one.record.told.flatMap((each) => (each.type === 'events' ? [each] : []));
    expect(both.map(({ revision, events }) => [revision, events.length])).toEqual([
      [2, 100],
      [3, 46],
    ]);
    await sound(store, one, 3);
  });

  test('entries as they were before, on request', async () => {
    const store = await openStore(under);
    await someHistory(store);
    const past = begin(store, { ...key('a'), previous: true, startRevision: 2 });
    await past.record.untilSeen(6);
    const before = past.record.changes.map(({ previous }) => previous?.modRevision);
    expect(before).toEqual([undefined, 2, 4, undefined]);
    await sound(store, past, 6);
    const live = await watching(store, { ...key('a'), previous: true });
    await store.put(put('a', '4'));
    await store.delete(key('a'));
    await live.record.untilSeen(8);
    expect(live.record.changes.map(({ previous }) => previous?.modRevision)).toEqual([6, 7]);
    await sound(store, live, 8);
  });

  test('kinds of events can be left out', async () => {
    const store = await openStore(under);
    const puts = await watching(store, { ...everything, without: ['delete'] });
    const deletes = await watching(store, { ...everything, without: ['put'] });
    const nothing = await watching(store, { ...everything, without: ['put', 'delete'] });
    await someHistory(store);
    for (const one of [puts, deletes, nothing]) await caughtUp(one, 6);
    expect(puts.record.lines).toEqual(['put a=1@2', 'put b=1@3', 'put a=2@4', 'put a=3@6']);
    expect(deletes.record.lines).toEqual(['delete a@5']);
    expect(nothing.record.lines).toEqual([]);
    for (const one of [puts, deletes, nothing]) expect(faultsOf(one.record)).toEqual([]);
  });

  test('history that exceeds the size of one message comes whole', async () => {
    const store = await openStore(under);
    const value = new Uint8Array(400_000).fill(1);
    for (let i = 0; i < 8; i++) await store.put({ key: bytes(`big${i}`), value });
    await store.txn({ success: [put('x', '1'), del(prefix('big'))] });
    const one = begin(store, { ...everything, startRevision: 2, previous: true });
    await one.record.untilSeen(10);
    expect(one.record.changes.length).toBe(17);
    await sound(store, one, 10);
  });

  test('fifty watches of the same keys are all told all of it', async () => {
    const store = await openStore(under);
    const watches = await Promise.all(Array.from({ length: 50 }, () => watching(store, prefix('k'))));
    const { changes, revision } = await load(store, { seed: 2, commits: 6 });
    for (const one of watches) {
      await caughtUp(one, revision);
      expect(one.record.changes.length).toBe(changes.length);
    }
    for (const one of watches.slice(0, 5)) await sound(store, one, revision, changes);
  });

  test('under load from several writers, from now, from the past and from what is to come', async () => {
    const store = await openStore(under);
    const first = await load(store, { seed: 3, commits: 10 });
    const requests: WatchRequest[] = [
      everything,
      { ...everything, previous: true },
      { ...everything, startRevision: 2, previous: true },
      { ...prefix('k3'), startRevision: 10 },
      { ...everything, startRevision: first.revision + 30 },
      { ...between('k2', 'k5'), progressNotify: true },
    ];
    const watches = requests.map((request) => begin(store, request));
    const second = await load(store, { seed: 4, commits: 30 });
    const changes = [...first.changes, ...second.changes];
    for (const one of watches) {
      one.handle.requestProgress();
      await caughtUp(one, second.revision);
      await sound(store, one, second.revision, changes);
    }
    expect(watches[2]?.record.changes.length).toBe(changes.length);
  });
}

function describeBookmarks(under: StoreUnderTest): void {
  test('a watch that is asked for one tells the newest revision, also where nothing happened', async () => {
    const store = await openStore(under);
    const one = await watching(store, prefix('quiet/'));
    await someHistory(store);
    await caughtUp(one, 6);
    await caughtUp(one, await revisionOf(store));
    expect(one.record.changes).toEqual([]);
    await store.put(put('quiet/a', '1'));
    await caughtUp(one, 7);
    expect(one.record.lines).toEqual(['put quiet/a=1@7']);
    await sound(store, one, 7);
  });

  test('one that is asked for before the watch is ready comes when it is', async () => {
    const store = await openStore(under);
    await someHistory(store);
    for (const request of [prefix('quiet/'), everything, { ...everything, startRevision: 3 }]) {
      const one = begin(store, request);
      one.handle.requestProgress();
      await one.record.until('the bookmark', ({ told }) =>
        told.some((each) => each.type === 'progress' && each.revision >= 6),
      );
      await sound(store, one, 6);
    }
  });

  test('a bookmark never overtakes an event, be the watch behind or the writers fast', async () => {
    const store = await openStore(under);
    const first = await load(store, { seed: 5, commits: 40 });
    const behind = begin(store, { ...everything, startRevision: 2 });
    behind.handle.requestProgress();
    const live = await watching(store, prefix('k1'));
    const writing = load(store, { seed: 6, commits: 20 });
    let isWriting: 'yes' | 'no' = 'yes';
    void writing.finally(() => (isWriting = 'no'));
    while (isWriting === 'yes') {
      live.handle.requestProgress();
      behind.handle.requestProgress();
      await revisionOf(store);
    }
    const second = await writing;
    const changes = [...first.changes, ...second.changes];
    for (const one of [behind, live]) {
      await caughtUp(one, second.revision);
      await sound(store, one, second.revision, changes);
    }
  });

  test('on a revision to come there is nothing to mark yet', async () => {
    const store = await openStore(under);
    const one = await watching(store, { ...everything, startRevision: 4 });
    one.handle.requestProgress();
    await someHistory(store);
    await one.record.untilSeen(6);
    await caughtUp(one, 6);
    expect(one.record.lines).toEqual(['put a=2@4', 'delete a@5', 'put a=3@6']);
    await sound(store, one, 6);
  });
}

function describeWaiting(under: StoreUnderTest): void {
  test('that says wait hears nothing until it goes on, and then misses nothing', async () => {
    const store = await openStore(under);
    const one = await watching(store, everything);
    one.record.answer = 'wait';
    const first = await load(store, { seed: 7, commits: 10 });
    await one.record.until('the first events', ({ changes }) => changes.length > 0);
    // A watch beside it shows that all of it could have come.
    await caughtUp(await watching(store, { ...everything, startRevision: 2 }), first.revision);
    expect(one.record.told.filter(({ type }) => type === 'events').length).toBe(1);
    one.record.answer = 'more';
    one.handle.resume();
    const second = await load(store, { seed: 8, commits: 10 });
    await one.record.untilSeen(second.revision);
    await sound(store, one, second.revision, [...first.changes, ...second.changes]);
  });

  test('that takes one batch at a time is told all', async () => {
    const store = await openStore(under);
    const one = await watching(store, everything);
    one.record.answer = 'wait';
    const { changes, revision } = await load(store, { seed: 9, commits: 5 });
    let batches = 0;
    const batchesOf = ({ told }: WatchRecord): number => told.filter(({ type }) => type === 'events').length;
    while (one.record.seen < revision) {
      await one.record.until('one more batch', (record) => batchesOf(record) > batches);
      batches += 1;
      expect(batchesOf(one.record)).toBe(batches);
      one.handle.resume();
    }
    await sound(store, one, revision, changes);
  });

  test('that waits past a compaction is told so', async () => {
    const store = await openStore(under);
    const one = await watching(store, everything);
    one.record.answer = 'wait';
    await store.put(put('a', '1'));
    await one.record.untilSeen(2);
    for (let i = 2; i < 6; i++) await store.put(put('a', String(i)));
    await store.compact(5);
    one.handle.resume();
    await one.record.untilEnded();
    expect(one.record.end).toEqual({ reason: 'compacted', floor: 5 });
    expect(one.record.lines).toEqual(['put a=1@2']);
  });
}

function describeEnds(under: StoreUnderTest): void {
  test('a watch that is cancelled says so once, and nothing after it', async () => {
    const store = await openStore(under);
    const one = await watching(store, everything);
    await store.put(put('a', '1'));
    await one.record.untilSeen(2);
    one.handle.cancel();
    one.handle.cancel();
    await one.record.untilEnded();
    one.handle.cancel();
    one.handle.resume();
    one.handle.requestProgress();
    const other = await watching(store, everything);
    await store.put(put('a', '2'));
    await other.record.untilSeen(3);
    expect(one.record.end).toEqual({ reason: 'cancelled' });
    expect(one.record.lines).toEqual(['put a=1@2']);
    expect(faultsOf(one.record)).toEqual([]);
  });

  test('a watch can be cancelled before it is ready, and from within what it is told', async () => {
    const store = await openStore(under);
    const early = begin(store, everything);
    early.handle.cancel();
    await early.record.untilEnded();
    expect(early.record.told).toEqual([{ type: 'ended', end: { reason: 'cancelled' } }]);
    for (const at of ['ready', 'events'] as const) {
      const record = new WatchRecord({ ...everything, startRevision: 1 });
      const handle = store.watch(record.request, {
        ready: (revision) => {
          record.ready(revision);
          if (at === 'ready') handle.cancel();
        },
        events: (events, revision) => {
          const answer = record.events(events, revision);
          handle.cancel();
          return answer;
        },
        progress: (revision) => record.progress(revision),
        ended: (end) => record.ended(end),
      });
      await store.put(put('a', at));
      await store.put(put('b', at));
      await record.untilEnded();
      expect(record.end).toEqual({ reason: 'cancelled' });
      expect(faultsOf(record)).toEqual([]);
    }
  });

  test('below the compaction floor a watch ends with the floor, and never in silence', async () => {
    const store = await openStore(under);
    await someHistory(store);
    await store.compact(5);
    for (const startRevision of [1, 4]) {
      const { record } = begin(store, { ...key('nobody wrote this'), startRevision });
      await record.untilEnded();
      expect(record.end).toEqual({ reason: 'compacted', floor: 5 });
      expect(record.changes).toEqual([]);
    }
    const above = begin(store, { ...everything, startRevision: 6 });
    await above.record.untilSeen(6);
    expect(above.record.lines).toEqual(['put a=3@6']);
  });

  test('a compaction does not touch a watch that has seen what goes', async () => {
    const store = await openStore(under);
    const one = await watching(store, everything);
    await someHistory(store);
    await one.record.untilSeen(6);
    await store.compact(6);
    await store.put(put('a', '4'));
    await one.record.untilSeen(7);
    expect(one.record.end).toBe(undefined);
    expect(one.record.lines.at(-1)).toBe('put a=4@7');
    expect(faultsOf(one.record)).toEqual([]);
  });

  test('a request that makes no sense is thrown', async () => {
    const store = await openStore(under);
    const bad: WatchRequest[] = [
      { key: new Uint8Array() },
      { ...everything, startRevision: 0 },
      { ...everything, startRevision: -1 },
      { ...everything, startRevision: 1.5 },
    ];
    for (const request of bad) {
      const record = new WatchRecord(request);
      expect(() => store.watch(request, record)).toThrow(
        expect.objectContaining({ code: 'invalid_argument' }),
      );
      expect(record.told).toEqual([]);
    }
  });

  test('five hundred watches come and go, and the store serves on', async () => {
    const store = await openStore(under);
    for (let round = 0; round < 5; round++) {
      const watches = Array.from({ length: 100 }, (_, i) => begin(store, prefix(`w${i}/`)));
      // Some are cancelled while they are being created.
      for (const { handle } of watches.slice(0, 50)) handle.cancel();
      for (const { record } of watches.slice(50)) await record.untilReady();
      for (const { handle } of watches) handle.cancel();
      for (const { record } of watches) await record.untilEnded();
    }
    const one = await watching(store, everything);
    await store.put(put('a', '1'));
    await one.record.untilSeen(2);
    expect(await contents(store)).toEqual(['a=1']);
  });
}
