// Leases of an embedded store: their time, their end with their keys, and what a restart leaves of them.
import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../../src/protocol/errors.ts';
import { createSimulation, type Simulation } from '../../../src/testing/index.ts';
import { MemoryKeyspace } from '../../../src/store/memory-keyspace.ts';
import type { LocalStore } from '../../../src/store/local-store.ts';
import { bytes } from './naive-store.ts';
import { Notes, reopen, simulatedStore, SlowBackend } from './store-under-simulation.ts';

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'answered',
    ({ code }: HoldfastError) => code,
  );

/** Leases that are left, as the store lists them. */
async function left(simulation: Simulation, store: LocalStore): Promise<readonly string[]> {
  return (await simulation.settle(store.leases.list(), 1_000)).ids;
}

describe('a lease', () => {
  test('ends when its time is over, not before, and takes its keys with it at one revision', async () => {
    const { simulation, store } = await simulatedStore(1);
    const notes = new Notes();
    store.watch({ key: bytes(''), end: bytes('') }, notes);
    const { id } = await simulation.settle(store.leases.grant({ ttlSeconds: 5 }), 1_000);
    const granted = simulation.now;
    await simulation.settle(
      Promise.all(['b', 'a'].map((key) => store.put({ key: bytes(key), lease: id }))),
      1_000,
    );
    await simulation.run(granted + 4_999 - simulation.now);
    expect(await left(simulation, store)).toEqual([id]);
    await simulation.run(200);
    expect(notes.told.slice(2)).toEqual(['delete a@4', 'delete b@4']);
    expect(await left(simulation, store)).toEqual([]);
    expect(await codeOf(store.leases.keepAlive(id))).toBe('lease_not_found');
    await store.close();
    expect(simulation.planned).toBe(0);
  });

  test('that is kept alive lasts', async () => {
    const { simulation, store } = await simulatedStore(2, { durable: true });
    const { id } = await simulation.settle(store.leases.grant({ ttlSeconds: 2 }), 1_000);
    for (let n = 0; n < 20; n++) {
      await simulation.run(1_500);
      const { ttlSeconds } = await simulation.settle(store.leases.keepAlive(id), 1_000);
      expect(ttlSeconds).toBe(2);
    }
    expect(await left(simulation, store)).toEqual([id]);
    await simulation.run(2_500);
    expect(await left(simulation, store)).toEqual([]);
    await store.close();
  });

  test('tells how much of its time is left, and its keys when it is asked for them', async () => {
    const { simulation, store } = await simulatedStore(3);
    const { id } = await simulation.settle(store.leases.grant({ ttlSeconds: 10, id: '77' }), 1_000);
    await simulation.settle(store.put({ key: bytes('a'), lease: id }), 1_000);
    await simulation.run(3_000);
    const status = await simulation.settle(store.leases.timeToLive(id, { keys: true }), 1_000);
    expect(status).toEqual({
      id: '77',
      revision: 2,
      grantedSeconds: 10,
      remainingSeconds: 6,
      keys: [bytes('a')],
    });
    const { keys } = await simulation.settle(store.leases.timeToLive(id), 1_000);
    expect(keys).toEqual([]);
    await store.close();
  });

  test('is granted once by its id, and revoked once', async () => {
    const { simulation, store } = await simulatedStore(4);
    await simulation.settle(store.leases.grant({ ttlSeconds: 10, id: '-5' }), 1_000);
    const all = [
      store.leases.grant({ ttlSeconds: 10, id: '-5' }),
      store.leases.revoke('-5'),
      store.leases.revoke('-5'),
      store.leases.keepAlive('-5'),
      store.leases.revoke('6'),
      store.leases.timeToLive('6'),
      store.leases.grant({ ttlSeconds: 0 }),
      store.leases.grant({ ttlSeconds: 1, id: 'x' }),
    ].map(codeOf);
    expect(await simulation.settle(Promise.all(all), 1_000)).toEqual([
      'lease_exists',
      'answered',
      'answered',
      'lease_not_found',
      'lease_not_found',
      'lease_not_found',
      'invalid_argument',
      'invalid_argument',
    ]);
    expect(await codeOf(store.leases.revoke('-5'))).toBe('lease_not_found');
    await store.close();
  });

  test('that is going is not kept alive any more, however long its end takes to be committed', async () => {
    const { simulation, store, backend } = await simulatedStore(5);
    const { id } = await simulation.settle(store.leases.grant({ ttlSeconds: 1 }), 1_000);
    backend.longestMs = 5_000;
    await simulation.run(1_001);
    expect(await codeOf(store.leases.keepAlive(id))).toBe('lease_not_found');
    await simulation.run(20_000);
    expect(backend.keyspace.leases()).toEqual([]);
    await store.close();
  });

  test('ends even when its end could not be committed at first', async () => {
    class Full extends MemoryKeyspace {
      full = false;
      override commit(): void {
        if (this.full) throw new Error('disk full');
        super.commit();
      }
    }
    const keyspace = new Full();
    const { simulation, store } = await simulatedStore(6, { keyspace });
    const { id } = await simulation.settle(store.leases.grant({ ttlSeconds: 1 }), 1_000);
    keyspace.full = true;
    const revoked = codeOf(store.leases.revoke(id));
    expect(await simulation.settle(revoked, 5_000)).toBe('store_failed');
    await simulation.run(10_000);
    expect(keyspace.leases()).toHaveLength(1);
    keyspace.full = false;
    await simulation.run(2_000);
    expect(keyspace.leases()).toEqual([]);
    await store.close();
  });

  test('whose waiter gives up, or whose store is closed, frees it once', async () => {
    const { simulation, store, backend } = await simulatedStore(7, { durable: true });
    const { id } = await simulation.settle(store.leases.grant({ ttlSeconds: 60 }), 1_000);
    await simulation.run(5_000);
    backend.stalled = 'before';
    const abort = new AbortController();
    const keepAlives = [
      store.leases.keepAlive(id, { signal: abort.signal }),
      store.leases.keepAlive(id, { proposeTimeoutMs: 10, applyTimeoutMs: 20 }),
      store.leases.keepAlive(id),
    ].map(codeOf);
    abort.abort();
    await simulation.run(1_000);
    const waiters = [...keepAlives, codeOf(store.leases.revoke(id))];
    await simulation.run(1_000);
    await store.close();
    expect(await simulation.settle(Promise.all(waiters), 1_000)).toEqual([
      'cancelled',
      'timed_out',
      'lease_not_found',
      'stopped',
    ]);
    expect(simulation.planned).toBe(0);
  });
});

describe('a grant without an answer', () => {
  test('that was applied ends in its time, though nobody knows its id', async () => {
    const { simulation, store, backend } = await simulatedStore(20);
    backend.longestMs = 2_000;
    const given = { ttlSeconds: 5, id: '9' };
    const outcome = await simulation.settle(codeOf(store.leases.grant(given, { applyTimeoutMs: 1 })), 10_000);
    expect(outcome).toBe('timed_out');
    await simulation.run(5_000);
    expect(backend.keyspace.leases()).toHaveLength(1);
    await simulation.run(10_000);
    expect(backend.keyspace.leases()).toEqual([]);
    await store.close();
  });

  test('because the engine failed after it was committed is found, and ends in its time', async () => {
    class Uncertain extends MemoryKeyspace {
      fails = 0;
      override commit(): void {
        super.commit();
        if (this.fails-- > 0)
          throw new HoldfastError('no word', { code: 'store_failed', started: 'unknown' });
      }
      override rollback(): void {
        // It was committed.
      }
    }
    const keyspace = new Uncertain();
    const { simulation, store } = await simulatedStore(21, { keyspace });
    // The grant, and the first attempts to find out.
    keyspace.fails = 3;
    expect(await simulation.settle(codeOf(store.leases.grant({ ttlSeconds: 5 })), 1_000)).toBe(
      'store_failed',
    );
    await simulation.run(4_000);
    expect(await left(simulation, store)).toHaveLength(1);
    await simulation.run(5_000);
    expect(keyspace.leases()).toEqual([]);
    keyspace.fails = 100;
    expect(await simulation.settle(codeOf(store.leases.grant({ ttlSeconds: 5 })), 1_000)).toBe(
      'store_failed',
    );
    await simulation.run(1_500);
    await store.close();
    expect(simulation.planned).toBe(0);
  });
});

describe('after the process was killed', () => {
  /** The store is gone without a word; its keyspace is what was committed. */
  async function killed(
    seed: number,
    aliveMs: number,
  ): Promise<{ simulation: Simulation; keyspace: MemoryKeyspace; id: string }> {
    const simulation = createSimulation({ seed });
    const keyspace = new MemoryKeyspace();
    const backend = new SlowBackend(simulation, { durable: true, keyspace });
    const store = await reopen(simulation, backend);
    const { id } = await simulation.settle(store.leases.grant({ ttlSeconds: 60 }), 1_000);
    await simulation.settle(store.put({ key: bytes('a'), lease: id }), 1_000);
    await simulation.run(aliveMs);
    backend.stalled = 'before';
    await simulation.run(0);
    return { simulation, keyspace, id };
  }

  test('a lease goes on with what was left of its time, a second more at most; downtime does not count', async () => {
    const aliveMs = 20_500;
    const { simulation, keyspace, id } = await killed(8, aliveMs);
    const downtime = createSimulation({ seed: 9 });
    const store = await reopen(downtime, new SlowBackend(downtime, { durable: true, keyspace }));
    const { remainingSeconds } = await downtime.settle(store.leases.timeToLive(id), 1_000);
    expect(remainingSeconds).toBeGreaterThanOrEqual(Math.floor(60 - aliveMs / 1_000) - 1);
    expect(remainingSeconds).toBeLessThanOrEqual(60 - aliveMs / 1_000 + 1);
    await downtime.run(38_000);
    expect(keyspace.leases()).toHaveLength(1);
    await downtime.run(3_000);
    expect([keyspace.leases(), keyspace.get(bytes('a'))]).toEqual([[], undefined]);
    await store.close();
    expect(simulation.now).toBeGreaterThan(aliveMs);
  });

  test('a keep-alive that was answered holds', async () => {
    const simulation = createSimulation({ seed: 10 });
    const keyspace = new MemoryKeyspace();
    const backend = new SlowBackend(simulation, { durable: true, keyspace });
    const store = await reopen(simulation, backend);
    const { id } = await simulation.settle(store.leases.grant({ ttlSeconds: 60 }), 1_000);
    await simulation.run(50_000);
    await simulation.settle(store.leases.keepAlive(id), 1_000);
    expect(keyspace.lease(id)?.remainingMs).toBe(60_000);
    await store.close();
  });

  test('a store that forgets writes nothing down', async () => {
    const { simulation, store, backend } = await simulatedStore(11);
    await simulation.settle(store.leases.grant({ ttlSeconds: 600 }), 1_000);
    const { batches } = backend;
    await simulation.run(60_000);
    expect(backend.batches).toBe(batches);
    await store.close();
  });
});
