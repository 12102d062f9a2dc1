// Watches as iterables: bounded, complete, and ended by whatever ends the loop.
import { expect, test } from 'vitest';
import type { HoldfastError } from '../../../src/protocol/errors.ts';
import { limits } from '../../../src/protocol/limits.ts';
import type { Store, WatchHandle, WatchRequest, WatchSink } from '../../../src/store/contract.ts';
import { watchEvents } from '../../../src/store/watch-events.ts';
import { bytes } from './naive-store.ts';
import { simulatedStore, type Simulated } from './store-under-simulation.ts';

const everything: WatchRequest = { key: bytes(''), end: bytes('') };

async function puts({ store, simulation }: Simulated, count: number): Promise<void> {
  const all = Array.from({ length: count }, () => store.put({ key: bytes('a') }));
  await simulation.settle(Promise.all(all), 100_000);
}

test('a loop gets the revision that it begins at, and then every change; leaving it ends the watch', async () => {
  const on = await simulatedStore(1);
  const got: number[][] = [];
  const loop = (async () => {
    for await (const { revision, events } of watchEvents(on.store, everything)) {
      got.push([revision, ...events.map(({ entry }) => entry.modRevision)]);
      if (revision === 4) break;
    }
  })();
  await on.simulation.run(1);
  await puts(on, 1);
  await puts(on, 2);
  await on.simulation.settle(loop, 1_000);
  expect(got).toEqual([[1], [2, 2], [4, 3, 4]]);
  expect(on.store.watches).toBe(0);
  await on.store.close();
});

test('a loop that ends at any batch goes on after its revision, and misses nothing', async () => {
  const on = await simulatedStore(6);
  await puts(on, 3);
  const heard: number[] = [];
  const starts: number[] = [];
  const follow = async (): Promise<void> => {
    for (let startRevision = 2; startRevision <= 4;) {
      starts.push(startRevision);
      for await (const { revision, events } of watchEvents(on.store, { ...everything, startRevision })) {
        heard.push(...events.map(({ entry }) => entry.modRevision));
        startRevision = revision + 1;
        // The first batch, of which the store says only that the watch is ready, or the one after it.
        if (starts.length === 1 || events.length > 0) break;
      }
    }
  };
  await on.simulation.settle(follow(), 1_000);
  expect([heard, starts]).toEqual([
    [2, 3, 4],
    [2, 2],
  ]);
  // A watch on what is still to come tells nothing before it, and goes on with it.
  const next = watchEvents(on.store, { ...everything, startRevision: 9 })[Symbol.asyncIterator]();
  expect(await on.simulation.settle(next.next(), 1_000)).toEqual({
    done: false,
    value: { revision: 8, events: [] },
  });
  await next.return?.();
  await on.store.close();
});

test('a loop that is slow makes the store wait, and misses nothing', async () => {
  const on = await simulatedStore(2);
  let held = 0;
  let most = 0;
  // What the store hands over and the loop has not taken yet.
  const counted: Pick<Store, 'watch'> = {
    watch: (request: WatchRequest, sink: WatchSink): WatchHandle =>
      on.store.watch(request, {
        ready: (revision) => sink.ready(revision),
        progress: (revision) => sink.progress(revision),
        ended: (end) => sink.ended(end),
        events: (events, revision) => {
          held += events.length;
          most = Math.max(most, held);
          return sink.events(events, revision);
        },
      }),
  };
  const total = 10 * limits.maxHeldEvents;
  const revisions: number[] = [];
  const loop = (async () => {
    for await (const { events } of watchEvents(counted, everything)) {
      held -= events.length;
      for (const { entry } of events) revisions.push(entry.modRevision);
      if (revisions.length === total) break;
      await new Promise<void>((resolve) => on.simulation.clock.setTimer(resolve, 50));
    }
  })();
  for (let n = 0; n < 10; n++) await puts(on, limits.maxHeldEvents);
  await on.simulation.settle(loop, 100_000);
  expect(revisions).toEqual(Array.from({ length: total }, (_, n) => n + 2));
  expect(most).toBeLessThanOrEqual(2 * limits.maxHeldEvents);
  await on.store.close();
});

test('a signal ends the loop with its reason, before it and within it', async () => {
  const on = await simulatedStore(3);
  const abort = new AbortController();
  const reason = new Error('enough');
  const follow = async (): Promise<unknown> => {
    try {
      for await (const { revision } of watchEvents(on.store, everything, { signal: abort.signal }))
        void revision;
      return 'left';
    } catch (error) {
      return error;
    }
  };
  const within = follow();
  await on.simulation.run(1);
  abort.abort(reason);
  expect(await on.simulation.settle(Promise.all([within, follow()]), 1_000)).toEqual([reason, reason]);
  expect(on.store.watches).toBe(0);
  await on.store.close();
});

test('below the floor the loop throws, with the floor', async () => {
  const on = await simulatedStore(4);
  await puts(on, 9);
  await on.simulation.settle(on.store.compact(7), 1_000);
  const follow = async (): Promise<HoldfastError | undefined> => {
    try {
      for await (const { revision } of watchEvents(on.store, { ...everything, startRevision: 3 }))
        void revision;
      return undefined;
    } catch (error) {
      return error as HoldfastError;
    }
  };
  expect(await on.simulation.settle(follow(), 1_000)).toMatchObject({ code: 'compacted', revision: 7 });
  await on.store.close();
});

test('closing the store ends the loop with stopped', async () => {
  const on = await simulatedStore(5);
  const follow = (async () => {
    for await (const { revision } of watchEvents(on.store, everything)) void revision;
  })();
  const ended = follow.catch(({ code }: HoldfastError) => code);
  await on.simulation.run(1);
  await on.store.close();
  expect(await ended).toBe('stopped');
});
