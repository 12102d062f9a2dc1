// The failure queue in a store: what a restart keeps of it, and what it does not count.
import { describe, expect, it } from 'vitest';
import { readRecord } from '../../../src/endpoints/queue-store.ts';
import { utf8Encoder } from '../../../src/protocol/text.ts';
import type { Store } from '../../../src/store/contract.ts';
import { openMemoryStore } from '../../../src/store/memory-store.ts';
import { createSimulation, type Simulation } from '../../../src/testing/index.ts';
import { poolUnderTest } from './pools.ts';

async function world(): Promise<{ simulation: Simulation; store: Store }> {
  const simulation = createSimulation({ seed: 1 });
  const { clock, random, log } = simulation;
  const store = await simulation.settle(openMemoryStore({ clock, random, log }), 1_000);
  return { simulation, store };
}
const many = { minRetriesPerSecond: 1_000 };
const key = utf8Encoder.encode('/holdfast/pools/default/queue');
const remaining = (queue: { list(): { remainingMs: number }[] }) => queue.list()[0]!.remainingMs;

describe('a pool that starts on the store of another', () => {
  it('goes on with its ejections, however long nothing ran', async () => {
    const { simulation, store } = await world();
    const first = await poolUnderTest(['a', 'b', 'c'], { ...many, store, simulation });
    first.fail('b', 5);
    await simulation.run(10_000);
    first.fail('a', 5);
    const left = first.pool.queue.list().map(({ remainingMs }) => remainingMs);
    await simulation.settle(first.pool.close(), 1_000);
    await simulation.run(3_600_000);
    const second = await poolUnderTest(['a', 'b', 'c'], { ...many, store, simulation });
    expect(second.pool.queue.list().map(({ endpoint }) => endpoint)).toEqual(['b', 'a']);
    expect(second.pool.queue.list().map(({ remainingMs }) => remainingMs)).toEqual(left);
    expect(['a', 'b', 'c'].map((id) => second.state(id))).toEqual(['ejected', 'ejected', 'healthy']);
    expect(second.pool.queue.status()).toMatchObject({ size: 2, totalFailed: 2 });
    await simulation.run(Math.max(...left) + 2_000);
    expect(['a', 'b', 'c'].map((id) => second.state(id))).toEqual(['healthy', 'healthy', 'healthy']);
    expect(second.pool.queue.status()).toMatchObject({ size: 0, totalFailed: 2, totalRecovered: 2 });
    await simulation.settle(second.pool.close(), 1_000);
  });

  it('has lost no more than a second of them, when the other ended without notice', async () => {
    const { simulation, store } = await world();
    const first = await poolUnderTest(['a', 'b'], { ...many, store, simulation });
    first.fail('a', 5);
    await simulation.run(12_345);
    const left = remaining(first.pool.queue);
    const second = await poolUnderTest(['a', 'b'], { ...many, store, simulation });
    expect(remaining(second.pool.queue) - left).toBeGreaterThanOrEqual(0);
    expect(remaining(second.pool.queue) - left).toBeLessThanOrEqual(1_000);
  });

  it('probes at once what was being probed, and holds what was held', async () => {
    const { simulation, store } = await world();
    const options = { ...many, store, simulation, maxVerifications: 1 };
    const first = await poolUnderTest(['a', 'b'], options);
    first.sick.add('a');
    first.mute.add('b');
    first.fail('a', 5);
    await simulation.run(34_000);
    first.fail('b', 5);
    await simulation.run(34_000);
    expect(first.pool.queue.list().map(({ phase }) => phase)).toEqual(['held', 'probing']);
    await simulation.settle(first.pool.close(), 1_000);
    const second = await poolUnderTest(['a', 'b'], options);
    await simulation.run(0);
    expect(second.probed).toEqual(['b']);
    expect(second.pool.queue.list()[0]).toMatchObject({ endpoint: 'a', phase: 'held', verifications: 1 });
    await simulation.settle(second.pool.close(), 1_000);
  });

  it('lets the next ejection be as long as it would have been', async () => {
    const { simulation, store } = await world();
    const options = { ...many, store, simulation };
    const first = await poolUnderTest(['a', 'b'], options);
    first.sick.add('a');
    first.fail('a', 5);
    await simulation.run(200_000);
    const [before] = first.pool.queue.list();
    await simulation.settle(first.pool.close(), 1_000);
    const second = await poolUnderTest(['a', 'b'], options);
    second.sick.add('a');
    await simulation.runUntil(() => second.probed.length === 1, 400_000);
    await simulation.run(0);
    expect(second.pool.queue.list()[0]!.ejections).toBe(before!.ejections + 1);
  });

  it('forgets endpoints that it does not have', async () => {
    const { simulation, store } = await world();
    const first = await poolUnderTest(['a', 'b'], { ...many, store, simulation });
    first.fail('a', 5);
    await simulation.settle(first.pool.close(), 1_000);
    const second = await poolUnderTest(['b'], { store, simulation });
    expect(second.pool.queue.list()).toEqual([]);
  });

  it('begins with none, and says so, where the record is none', async () => {
    const { simulation, store } = await world();
    await simulation.settle(store.put({ key, value: utf8Encoder.encode('{"entries":"?"}') }), 1_000);
    const { pool } = await poolUnderTest(['a'], { store, simulation });
    expect(pool.queue.list()).toEqual([]);
    expect(simulation.log.entries.map(({ message }) => message)).toContain(
      'the failure queue of pool default cannot be read; it starts empty',
    );
  });

  it('is the only one that writes: the other says so, and goes on without', async () => {
    const { simulation, store } = await world();
    const first = await poolUnderTest(['a', 'b'], { ...many, store, simulation });
    const second = await poolUnderTest(['a', 'b'], { ...many, store, simulation });
    first.fail('a', 5);
    await simulation.run(100);
    second.fail('b', 5);
    await simulation.run(100);
    const { entries } = await simulation.settle(store.range({ key }), 1_000);
    const record = readRecord(entries[0]!.value);
    expect(record!.entries.map(({ endpoint }) => endpoint)).toEqual(['b']);
    expect(simulation.log.entries.filter(({ level }) => level === 'error')[0]!.message).toMatch(
      /^another pool of the name default has started/,
    );
    expect(first.state('a')).toBe('ejected');
  });
});

describe('a store that fails', () => {
  it('is tried again until it keeps the newest record', async () => {
    const { simulation, store } = await world();
    let failures = 0;
    const flaky: Store = Object.assign(Object.create(store) as Store, {
      txn: (...request: Parameters<Store['txn']>) => {
        if (failures === 0) return store.txn(...request);
        failures -= 1;
        return Promise.reject(new Error('disk full'));
      },
      range: store.range.bind(store),
    });
    const { pool, fail } = await poolUnderTest(['a', 'b'], { ...many, store: flaky, simulation });
    failures = 3;
    fail('a', 5);
    await simulation.run(500);
    expect((await simulation.settle(store.range({ key }), 1_000)).entries).toEqual([]);
    await simulation.run(5_000);
    expect(
      readRecord((await simulation.settle(store.range({ key }), 1_000)).entries[0]!.value)!.totalFailed,
    ).toBe(1);
    const errors = simulation.log.entries.filter(({ level }) => level === 'error');
    expect(errors.length).toBe(1);
    await simulation.settle(pool.close(), 5_000);
  });
});

describe('a record', () => {
  it.each(['', '{', 'null', '[]', '{"totalFailed":1}', '{"entries":[]}'])('is not %j', (text) => {
    expect(readRecord(utf8Encoder.encode(text))).toBe(undefined);
  });

  it('has whole entries', () => {
    const totals = { totalFailed: 1, totalRecovered: 0, totalProbes: 0, totalCleared: 0 };
    const entry = { endpoint: 'a', epoch: 1, held: 0, verifications: 0, remainingMs: 5, ejections: 1 };
    const read = (record: object) => readRecord(utf8Encoder.encode(JSON.stringify(record)));
    expect(read({ ...totals, entries: [entry] })).toEqual({ ...totals, entries: [entry] });
    for (const field of Object.keys(entry))
      expect(read({ ...totals, entries: [{ ...entry, [field]: null }] })).toBe(undefined);
  });
});
