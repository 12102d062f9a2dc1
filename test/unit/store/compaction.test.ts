// What the policy of compaction forgets, and when, on a simulated clock.
import { describe, expect, it } from 'vitest';
import { startCompaction, type CompactionPolicy } from '../../../src/store/compaction.ts';
import type { LocalStore } from '../../../src/store/local-store.ts';
import type { Simulation } from '../../../src/testing/index.ts';
import { simulatedStore } from './store-under-simulation.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

interface Course {
  readonly simulation: Simulation;
  readonly store: LocalStore;
  put(times: number): Promise<void>;
  floor(): Promise<number>;
  stop(): void;
}

async function course(policy: CompactionPolicy): Promise<Course> {
  const { simulation, store } = await simulatedStore(1);
  const { clock, log } = simulation;
  const stop = startCompaction(store, { ...policy, clock, log });
  return {
    simulation,
    store,
    stop,
    async put(times) {
      for (let n = 0; n < times; n++) {
        await simulation.settle(store.put({ key: Uint8Array.of(1), value: Uint8Array.of(n) }), 1_000);
      }
    },
    floor: async () => (await simulation.settle(store.status(), 1_000)).compactRevision,
  };
}

describe('compaction by policy', () => {
  it('keeps so many revisions', async () => {
    const { simulation, put, floor, store } = await course({ revisions: 10 });
    await put(8);
    await simulation.run(2 * MINUTE_MS);
    expect(await floor()).toBe(-1);
    await put(42);
    await simulation.run(2 * MINUTE_MS);
    expect(await floor()).toBe(41);
    expect((await simulation.settle(store.status(), 1_000)).revision).toBe(51);
  });

  it('keeps so much time, counted from when a revision was overwritten', async () => {
    const { simulation, put, floor } = await course({ ageMs: HOUR_MS });
    await put(10);
    await simulation.run(HOUR_MS / 2);
    await put(10);
    await simulation.run(HOUR_MS / 2 - 2 * MINUTE_MS);
    expect(await floor()).toBe(-1);
    await simulation.run(4 * MINUTE_MS);
    expect(await floor()).toBe(11);
    await simulation.run(HOUR_MS);
    expect(await floor()).toBe(21);
  });

  it('keeps what either bound keeps', async () => {
    const { simulation, put, floor } = await course({ ageMs: HOUR_MS, revisions: 5 });
    await put(20);
    await simulation.run(30 * MINUTE_MS);
    expect(await floor()).toBe(-1);
    await simulation.run(40 * MINUTE_MS);
    expect(await floor()).toBe(16);
  });

  it('ends when it is told so, and does nothing without a bound', async () => {
    const stopped = await course({ revisions: 1 });
    await stopped.put(5);
    stopped.stop();
    await stopped.simulation.run(HOUR_MS);
    const unbounded = await course({});
    await unbounded.put(5);
    await unbounded.simulation.run(HOUR_MS);
    expect(await unbounded.floor()).toBe(-1);
  });

  it('goes on after somebody else compacted further, and after a failure', async () => {
    const { simulation, put, floor, store } = await course({ revisions: 3 });
    await put(10);
    await simulation.settle(store.compact(11), 1_000);
    await simulation.run(2 * MINUTE_MS);
    expect(await floor()).toBe(11);
    await put(10);
    await simulation.run(2 * MINUTE_MS);
    expect(await floor()).toBe(18);
  });

  it('refuses bounds that mean nothing', async () => {
    for (const policy of [{ revisions: 0 }, { revisions: Number.NaN }, { ageMs: -1 }]) {
      await expect(course(policy)).rejects.toThrow('give a number above 0');
    }
  });
});
