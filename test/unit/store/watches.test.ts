// Watches of an embedded store: what they are told, when they lag, when they end.
import { describe, expect, test } from 'vitest';
import { limits } from '../../../src/protocol/limits.ts';
import type { WatchRequest } from '../../../src/store/contract.ts';
import { bytes } from './naive-store.ts';
import { Notes, simulatedStore, type Simulated } from './store-under-simulation.ts';

const everything: WatchRequest = { key: bytes(''), end: bytes('') };

async function put({ simulation, store }: Simulated, key: string, value: string): Promise<void> {
  await simulation.settle(store.put({ key: bytes(key), value: bytes(value) }), 10_000);
}

async function puts(on: Simulated, key: string, from: number, to: number): Promise<void> {
  const all = [];
  for (let n = from; n <= to; n++) all.push(on.store.put({ key: bytes(key), value: bytes(String(n)) }));
  await on.simulation.settle(Promise.all(all), 100_000);
}

function watch({ store }: Simulated, request: Partial<WatchRequest> = {}) {
  const notes = new Notes();
  return { notes, handle: store.watch({ ...everything, ...request }, notes) };
}

describe('a watch', () => {
  test('from now on is ready at the present revision and is told what follows, before the writer is', async () => {
    const on = await simulatedStore(1);
    await put(on, 'a', '1');
    const { notes } = watch(on, { key: bytes('a'), end: bytes('b') });
    const atAnswer: string[] = [];
    const answered = on.store
      .put({ key: bytes('a'), value: bytes('2') })
      .then(() => atAnswer.push(...notes.told));
    await on.simulation.settle(answered, 1_000);
    await put(on, 'b', '3');
    expect(notes.readyAt).toBe(2);
    expect(atAnswer).toEqual(['put a=2@3']);
    expect(notes.told).toEqual(['put a=2@3']);
    await on.store.close();
    expect(notes.ends).toEqual([{ reason: 'failed', error: expect.objectContaining({ code: 'stopped' }) }]);
  });

  test('from the past is told all of it, and then goes on without a gap', async () => {
    const on = await simulatedStore(2);
    await puts(on, 'a', 2, 3_000);
    const { notes } = watch(on, { startRevision: 10 });
    await puts(on, 'a', 3_001, 6_000);
    await on.simulation.run(1_000);
    expect(notes.told).toEqual(Array.from({ length: 5_991 }, (_, n) => `put a=${n + 10}@${n + 10}`));
    await on.store.close();
  });

  test('of a revision that is still to come is told nothing before it', async () => {
    const on = await simulatedStore(3);
    const { notes } = watch(on, { startRevision: 5 });
    await puts(on, 'a', 2, 7);
    expect(notes.readyAt).toBe(1);
    expect(notes.told).toEqual(['put a=5@5', 'put a=6@6', 'put a=7@7']);
    await on.store.close();
  });

  test('leaves out kinds of events and tells what was before, as asked', async () => {
    const on = await simulatedStore(4);
    await put(on, 'a', '1');
    const deletions = watch(on, { without: ['put'], previous: true });
    const changes = watch(on, { previous: true });
    await put(on, 'a', '2');
    await on.simulation.settle(on.store.delete({ key: bytes('a') }), 1_000);
    expect(deletions.notes.told).toEqual(['delete a@4']);
    expect(deletions.notes.events_[0]?.event.previous?.value).toEqual(bytes('2'));
    expect(changes.notes.events_.map(({ event }) => event.previous?.value)).toEqual([bytes('1'), bytes('2')]);
    await on.store.close();
  });

  test('that asks to wait is told nothing until it resumes, and then all, each change once', async () => {
    const on = await simulatedStore(5);
    const { notes, handle } = watch(on);
    notes.answer = 'wait';
    await put(on, 'a', '2');
    await puts(on, 'a', 3, 2_500);
    expect(notes.told).toEqual(['put a=2@2']);
    notes.answer = 'more';
    handle.resume();
    await puts(on, 'a', 2_501, 2_600);
    await on.simulation.run(1_000);
    expect(notes.told).toEqual(Array.from({ length: 2_599 }, (_, n) => `put a=${n + 2}@${n + 2}`));
    await on.store.close();
  });

  test('that waits after every call is told everything all the same', async () => {
    const on = await simulatedStore(6);
    const { notes, handle } = watch(on);
    notes.answer = 'wait';
    const { clock, random } = on.simulation;
    notes.onEvents = () => void clock.setTimer(() => handle.resume(), random.uint32() % 30);
    await puts(on, 'a', 2, 1_000);
    for (let n = 1_001; n <= 1_100; n++) await put(on, 'a', String(n));
    await on.simulation.run(1_000);
    expect(notes.told).toEqual(Array.from({ length: 1_099 }, (_, n) => `put a=${n + 2}@${n + 2}`));
    await on.store.close();
  });

  test('never gets part of a revision, however the history is cut into pages', async () => {
    const on = await simulatedStore(7);
    const size = 100;
    for (let n = 0; n < 30; n++) {
      const success = Array.from({ length: size }, (_, key) => ({
        type: 'put' as const,
        key: bytes(`k${key}`),
        value: new Uint8Array(1_000),
      }));
      await on.simulation.settle(on.store.txn({ success }), 10_000);
    }
    const { notes } = watch(on, { startRevision: 2 });
    const calls: number[] = [];
    notes.onEvents = () => calls.push(notes.events_.length);
    await on.simulation.run(1_000);
    expect(notes.events_.length).toBe(30 * size);
    expect(calls.length).toBeGreaterThan(2);
    for (const count of calls) expect(count % size).toBe(0);
    for (const { event, upTo } of notes.events_) expect(event.entry.modRevision).toBeLessThanOrEqual(upTo);
    await on.store.close();
  });

  test('below the floor ends with the floor, when it begins there and when it lags there', async () => {
    const on = await simulatedStore(8);
    const lagging = watch(on);
    lagging.notes.answer = 'wait';
    await put(on, 'a', '2');
    await puts(on, 'a', 3, 20);
    await on.simulation.settle(on.store.compact(15), 1_000);
    const late = watch(on, { startRevision: 14 });
    const inTime = watch(on, { startRevision: 15 });
    lagging.handle.resume();
    await on.simulation.run(1_000);
    const compacted = [{ reason: 'compacted', floor: 15 }];
    expect([late.notes.ends, lagging.notes.ends]).toEqual([compacted, compacted]);
    expect(inTime.notes.told[0]).toBe('put a=15@15');
    expect(on.store.watches).toBe(1);
    await on.store.close();
  });

  test('is told progress when it is true, and never ahead of events', async () => {
    const on = await simulatedStore(9);
    await puts(on, 'a', 2, 3_000);
    const { notes, handle } = watch(on, { startRevision: 2 });
    const atProgress: number[] = [];
    const { progress } = Notes.prototype;
    notes.progress = function (this: Notes, revision) {
      atProgress.push(this.events_.at(-1)!.event.entry.modRevision);
      progress.call(this, revision);
    };
    handle.requestProgress();
    await puts(on, 'a', 3_001, 4_000);
    await on.simulation.run(1_000);
    expect(notes.progressed).toHaveLength(1);
    expect(atProgress).toEqual(notes.progressed);
    handle.requestProgress();
    expect(notes.progressed.at(-1)).toBe(4_000);
    await on.store.close();
  });

  test('that asked for it is told progress from time to time, while nothing happens', async () => {
    const on = await simulatedStore(10, {}, { progressIntervalMs: 1_000 });
    const { notes } = watch(on, { progressNotify: true });
    const silent = watch(on);
    await on.simulation.run(1_500);
    await put(on, 'a', '1');
    await on.simulation.run(2_000);
    // The interval in which it was told of a change needs no sign of life.
    expect(notes.progressed).toEqual([1, 2]);
    expect(silent.notes.progressed).toEqual([]);
    await on.store.close();
  });

  test('that is cancelled is told nothing more, at whatever moment, and twice is as once', async () => {
    const on = await simulatedStore(11);
    await put(on, 'a', '1');
    const creating = watch(on);
    creating.handle.cancel();
    const catchingUp = watch(on, { startRevision: 2 });
    const inCall = watch(on);
    inCall.notes.onEvents = () => inCall.handle.cancel();
    await on.simulation.run(1);
    catchingUp.handle.cancel();
    catchingUp.handle.cancel();
    await put(on, 'a', '3');
    await puts(on, 'a', 4, 10);
    for (const { handle } of [creating, catchingUp, inCall]) {
      handle.resume();
      handle.requestProgress();
      handle.cancel();
    }
    expect(creating.notes).toMatchObject({ readyAt: undefined, ends: [{ reason: 'cancelled' }] });
    expect(catchingUp.notes).toMatchObject({ readyAt: 2, told: [], ends: [{ reason: 'cancelled' }] });
    expect(inCall.notes.ends).toEqual([{ reason: 'cancelled' }]);
    expect(inCall.notes.told).toEqual(['put a=3@3']);
    expect(on.store.watches).toBe(0);
    await on.store.close();
    expect(on.simulation.planned).toBe(0);
  });

  test('whose sink throws ends, and others go on', async () => {
    const on = await simulatedStore(12);
    const bad = watch(on);
    const good = watch(on);
    bad.notes.onEvents = () => {
      throw new Error('no room');
    };
    await puts(on, 'a', 2, 4);
    expect(bad.notes.ends).toEqual([
      { reason: 'failed', error: expect.objectContaining({ message: expect.stringContaining('no room') }) },
    ]);
    expect(good.notes.told).toHaveLength(3);
    await on.store.close();
  });

  test('that gets a flood before it is ready reads it from history', async () => {
    const on = await simulatedStore(13, { longestMs: 1 });
    await puts(on, 'a', 2, 10);
    const { notes } = watch(on);
    const flood = 3 * limits.maxHeldEvents;
    await puts(on, 'a', 11, 10 + flood);
    await on.simulation.run(10_000);
    expect(notes.told).toEqual(Array.from({ length: flood }, (_, n) => `put a=${n + 11}@${n + 11}`));
    await on.store.close();
  });

  test('that begins in the middle of a delivery begins after it', async () => {
    const on = await simulatedStore(14);
    const first = watch(on);
    const later: ReturnType<typeof watch>[] = [];
    first.notes.onEvents = () => later.push(watch(on));
    await puts(on, 'a', 2, 3);
    first.notes.onEvents = () => {};
    await puts(on, 'a', 4, 5);
    for (const { notes } of later)
      expect(notes.told[0]).toBe(`put a=${notes.readyAt! + 1}@${notes.readyAt! + 1}`);
    expect(later.length).toBeGreaterThan(0);
    await on.store.close();
  });
});

test('after close, nothing is watched', async () => {
  const on = await simulatedStore(15);
  await Promise.all([on.store.close(), on.store.close()]);
  expect(() => watch(on)).toThrow(expect.objectContaining({ code: 'stopped' }));
});
