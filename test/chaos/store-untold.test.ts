// A thread that dies after it committed: watches hear of it at once, and not when somebody comes with the next request.
// Invariant: nobody asks the store anything between the failure and what the watch is told.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createNodeClock } from '../../src/adapters/node-clock.ts';
import { createNodeRandom } from '../../src/adapters/node-random.ts';
import { openSqliteBackend } from '../../src/adapters/sqlite-backend.ts';
import { noLog, type Store } from '../../src/index.ts';
import type { Backend, BatchOutcome } from '../../src/store/backend.ts';
import { openLocalStore } from '../../src/store/local-store.ts';
import { everything, put, text } from '../conformance/store/under-test.ts';

/** The backend that the test's own wraps, and a store over that whose thread can be made to fail. */
async function open(
  wrap: (backend: Backend) => Backend,
): Promise<{ store: Store; fail: (how: string) => void }> {
  const place = mkdtempSync(join(tmpdir(), 'holdfast-untold-'));
  const worker = new URL('./roles/faulty-store-worker.ts', import.meta.url);
  const backend = await openSqliteBackend({ directory: join(place, 'store'), worker });
  const ports = { clock: createNodeClock(), random: createNodeRandom(), log: noLog() };
  const store = await openLocalStore(wrap(backend), ports);
  onTestFinished(async () => {
    await store.close();
    rmSync(place, { recursive: true });
  });
  return { store, fail: (how) => writeFileSync(join(place, how), '') };
}

/** What a watch is told, as `key@revision`, and a promise for each length of that. */
async function watching(store: Store): Promise<{ told: string[]; until(count: number): Promise<void> }> {
  const told: string[] = [];
  let heard = (): void => {};
  await new Promise<void>((resolve) => {
    store.watch(everything, {
      ready: () => resolve(),
      events(events) {
        told.push(...events.map(({ entry }) => `${text(entry.key)}@${entry.modRevision}`));
        heard();
        return 'more';
      },
      progress() {},
      ended() {},
    });
  });
  const until = async (count: number): Promise<void> => {
    while (told.length < count) await new Promise<void>((resolve) => (heard = resolve));
  };
  return { told, until };
}

test('what a thread committed before it died is told at once', async () => {
  const { store, fail } = await open((backend) => backend);
  const { told, until } = await watching(store);
  await store.put(put('a'));
  fail('die-after');
  const lost = await store.put(put('b')).catch(({ code, started }) => [code, started]);
  expect(lost).toEqual(['store_failed', 'unknown']);
  await until(2);
  expect(told).toEqual(['a@2', 'b@3']);
  await store.put(put('c'));
  await until(3);
  expect(told).toEqual(['a@2', 'b@3', 'c@4']);
});

test('of a store that does not ask for it, a watch hears with the next request', async () => {
  let asked = (): void => {};
  const wasAsked = new Promise<void>((resolve) => (asked = resolve));
  const deaf = (backend: Backend): Backend => ({
    engine: backend.engine,
    durable: backend.durable,
    maxBatches: backend.maxBatches,
    run(commands) {
      if (commands.length > 0) return backend.run(commands);
      asked();
      return Promise.resolve<BatchOutcome>({ changes: [], outcomes: [] });
    },
    close: () => backend.close(),
  });
  const { store, fail } = await open(deaf);
  const { told, until } = await watching(store);
  await store.put(put('a'));
  fail('die-after');
  await expect(store.put(put('b'))).rejects.toMatchObject({ started: 'unknown' });
  await wasAsked;
  expect(told).toEqual(['a@2']);
  await store.put(put('c'));
  await until(3);
  expect(told).toEqual(['a@2', 'b@3', 'c@4']);
});
