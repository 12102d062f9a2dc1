// Ten thousand watches that come and go: a change costs those whom it concerns, and nothing is left of the others.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import type { KeyRange } from '../../../src/store/contract.ts';
import { Feed, type Follower } from '../../../src/store/feed.ts';
import { prefixEnd } from '../../../src/store/bytes.ts';
import { bytes } from './naive-store.ts';
import { Notes, simulatedStore } from './store-under-simulation.ts';

const MANY = 10_000;

function rangeOf(n: number): KeyRange {
  const key = bytes(`job/${String(n).padStart(5, '0')}/`);
  return n % 2 === 0 ? { key } : { key, end: prefixEnd(key) };
}

test(`${MANY} watches are opened and cancelled, at each moment of their lives, and none is left`, async () => {
  const on = await simulatedStore(1);
  const { store, simulation } = on;
  await simulation.settle(store.put({ key: bytes('job/00001/x') }), 1_000);
  const all = Array.from({ length: MANY }, (_, n) => {
    const notes = new Notes();
    // Some lag, some catch up, some wait for what is to come.
    notes.answer = n % 3 === 0 ? 'wait' : 'more';
    const startRevision = [undefined, 1, 1_000][n % 5];
    return {
      notes,
      handle: store.watch({ ...rangeOf(n), startRevision, progressNotify: n % 7 === 0 }, notes),
    };
  });
  expect(store.watches).toBe(MANY);
  for (const { handle } of all.slice(0, 2_000)) handle.cancel();
  await simulation.run(100);
  const puts = Array.from({ length: 500 }, (_, n) =>
    store.put({ key: bytes(`job/${String(n * 20 + 1).padStart(5, '0')}/x`) }),
  );
  await simulation.settle(Promise.all(puts), 10_000);
  expect(store.watches).toBe(MANY - 2_000);
  for (const { handle } of all) {
    handle.requestProgress();
    handle.cancel();
    handle.cancel();
  }
  expect(store.watches).toBe(0);
  await simulation.run(100);
  for (const { notes } of all) expect(notes.ends).toEqual([{ reason: 'cancelled' }]);
  expect(store.pending).toBe(0);
  await store.close();
  expect(simulation.planned).toBe(0);
});

test('the store keeps nothing of a watch that ended, however it ended', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const { store, simulation } = await simulatedStore(2);
  const begin = (end: (handle: { cancel(): void }) => void): WeakRef<Notes> => {
    const notes = new Notes();
    end(store.watch({ key: bytes('a'), end: bytes('b'), startRevision: 1_000, progressNotify: true }, notes));
    return new WeakRef(notes);
  };
  const ended = Array.from({ length: 200 }, () => begin((handle) => handle.cancel()));
  const alive = begin(() => {});
  await simulation.run(1_000);
  const left = (): number => ended.filter((notes) => notes.deref() !== undefined).length;
  // The last one may still lie on the stack of whoever ran it.
  for (let turn = 0; turn < 20 && left() > 0; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  expect(left()).toBe(0);
  // What is watched still is kept: the reference is a real one.
  expect(alive.deref()).toBeDefined();
  await store.close();
});

test('a change is shown to those whose range covers its key, and to nobody else', () => {
  const feed = new Feed(1);
  let shown = 0;
  const follower = (range: KeyRange): Follower => ({
    range,
    wantsPrevious: false,
    hold: () => {
      shown += 1;
      return 'none';
    },
    flush: () => {},
  });
  const all = Array.from({ length: MANY }, (_, n) => follower(rangeOf(n)));
  for (const one of all) feed.attach(one);
  const entry = {
    key: bytes('job/00777/x'),
    value: bytes(''),
    createRevision: 2,
    modRevision: 2,
    version: 1,
  };
  feed.deliver([{ type: 'put', sub: 0, entry, previous: undefined }]);
  expect(shown).toBe(1);
  for (const one of all) feed.detach(one);
  feed.deliver([{ type: 'put', sub: 0, entry, previous: undefined }]);
  expect(shown).toBe(1);
});
