// Requests to an engine that stalls, fails or is full: each waiter is freed once, and told whether it may have happened.
import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../../src/protocol/errors.ts';
import { limits } from '../../../src/protocol/limits.ts';
import type { Backend, BatchOutcome } from '../../../src/store/backend.ts';
import type { Command } from '../../../src/store/commands.ts';
import type { ProposalOptions } from '../../../src/store/contract.ts';
import { MemoryKeyspace } from '../../../src/store/memory-keyspace.ts';
import { bytes } from './naive-store.ts';
import { Notes, reopen, simulatedStore, type Simulated } from './store-under-simulation.ts';

interface Freed {
  readonly at: number;
  /** `answered`, or code and started of the error. */
  readonly how: string;
}

/** Puts, and writes down each time that the waiter is freed. */
function put({ store, simulation }: Simulated, key: string, options?: ProposalOptions): Freed[] {
  const freed: Freed[] = [];
  const free = (how: string): void => void freed.push({ at: simulation.now, how });
  store.put({ key: bytes(key) }, options).then(
    () => free('answered'),
    (error: HoldfastError) => free(`${error.code} ${error.started}`),
  );
  return freed;
}

const hows = (all: readonly Freed[][]): string[] => all.map((freed) => freed.map(({ how }) => how).join('+'));
const times = { proposeTimeoutMs: 1_000, applyTimeoutMs: 5_000 };

describe('an engine that stalls', () => {
  test('before it applied: who got in learns that it may have happened, who did not that it has not', async () => {
    const on = await simulatedStore(1, { maxBatches: 1 }, times);
    on.backend.stalled = 'before';
    const inside = put(on, 'a');
    await on.simulation.run(10);
    const outside = put(on, 'b');
    await on.simulation.run(20_000);
    expect(hows([inside, outside])).toEqual(['timed_out unknown', 'timed_out notStarted']);
    // Never early, and at most the grain of the deadlines late.
    expect(inside[0]?.at).toBeGreaterThanOrEqual(5_000);
    expect(inside[0]!.at).toBeLessThan(5_100);
    expect(outside[0]?.at).toBeGreaterThanOrEqual(1_010);
    expect(outside[0]!.at).toBeLessThan(1_100);
    expect([on.store.pending, on.backend.batches]).toEqual([0, 2]);
    await on.store.close();
    expect(on.simulation.planned).toBe(0);
  });

  test('after it applied: the write did happen, as the error says it may have', async () => {
    const on = await simulatedStore(2, {}, times);
    on.backend.stalled = 'after';
    const freed = put(on, 'a');
    await on.simulation.run(20_000);
    expect(hows([freed])).toEqual(['timed_out unknown']);
    expect(on.backend.keyspace.get(bytes('a'))?.version).toBe(1);
    await on.store.close();
  });

  test('and answers too late: nobody is freed twice, watches are told, and it goes on', async () => {
    const on = await simulatedStore(3, { maxBatches: 1 }, times);
    on.backend.longestMs = 20_000;
    const all = Array.from({ length: 20 }, (_, n) => put(on, `k${n}`));
    const notes = new Notes();
    on.store.watch({ key: bytes(''), end: bytes('') }, notes);
    await on.simulation.run(100_000);
    expect(notes.told).toHaveLength(20);
    expect(hows(all).every((how) => how === 'answered' || how === 'timed_out unknown')).toBe(true);
    // All of them were in one batch, which was applied.
    expect(on.backend.keyspace.revision).toBe(21);
    const read = on.store.status({ applyTimeoutMs: 100_000 });
    expect((await on.simulation.settle(read, 100_000)).revision).toBe(21);
    await on.store.close();
  });

  test('what was withdrawn from the queue is never given to it', async () => {
    const on = await simulatedStore(4, { maxBatches: 1 }, times);
    on.backend.longestMs = 10_000;
    const first = put(on, 'first', { applyTimeoutMs: 60_000 });
    await on.simulation.run(1);
    const late = Array.from({ length: 50 }, (_, n) => put(on, `late${n}`, { proposeTimeoutMs: 10 }));
    const patient = put(on, 'patient', { proposeTimeoutMs: 60_000, applyTimeoutMs: 60_000 });
    await on.simulation.run(100_000);
    expect(hows([first, patient])).toEqual(['answered', 'answered']);
    expect(new Set(hows(late))).toEqual(new Set(['timed_out notStarted']));
    expect(on.backend.keyspace.revision).toBe(3);
    await on.store.close();
  });

  test('does not make the queue grow with those that gave up', async () => {
    const on = await simulatedStore(5, { maxBatches: 1 });
    on.backend.stalled = 'before';
    put(on, 'stuck');
    await on.simulation.run(1);
    for (let round = 0; round < 5; round++) {
      for (let n = 0; n < 1_000; n++) put(on, 'x', { proposeTimeoutMs: 1 });
      await on.simulation.run(100);
    }
    expect(on.store.pending).toBe(1);
    await on.store.close();
  });
});

describe('a signal', () => {
  test('frees the waiter at once, wherever the request is', async () => {
    const on = await simulatedStore(6, { maxBatches: 1 });
    on.backend.stalled = 'before';
    const abort = new AbortController();
    const { signal } = abort;
    const inside = put(on, 'a', { signal });
    await on.simulation.run(10);
    const outside = put(on, 'b', { signal });
    abort.abort(new Error('changed my mind'));
    const after = put(on, 'c', { signal });
    await on.simulation.run(0);
    expect(hows([inside, outside, after])).toEqual([
      'cancelled unknown',
      'cancelled notStarted',
      'cancelled notStarted',
    ]);
    await on.store.close();
    await on.simulation.run(100_000);
    expect([inside.length, outside.length, after.length]).toEqual([1, 1, 1]);
  });
});

describe('an engine that fails', () => {
  /** Commits fail with it. */
  class Failing extends MemoryKeyspace {
    error: Error | undefined;
    override commit(): void {
      if (this.error !== undefined) throw this.error;
      super.commit();
    }
  }

  test('refuses writes when it knows that they did not happen, and reads go on', async () => {
    const keyspace = new Failing();
    const on = await simulatedStore(7, { keyspace });
    keyspace.error = new Error('disk full');
    const write = put(on, 'a');
    const { count } = await on.simulation.settle(on.store.range({ key: bytes('a') }), 1_000);
    await on.simulation.run(1_000);
    expect([hows([write]), count]).toEqual([['store_failed notStarted'], 0]);
    keyspace.error = undefined;
    const again = put(on, 'a');
    await on.simulation.run(1_000);
    expect(hows([again])).toEqual(['answered']);
    await on.store.close();
  });

  test('says so when it does not know', async () => {
    const keyspace = new Failing();
    const on = await simulatedStore(8, { keyspace });
    keyspace.error = new HoldfastError('the flush failed', { code: 'store_failed', started: 'unknown' });
    const write = put(on, 'a');
    await on.simulation.run(1_000);
    expect(hows([write])).toEqual(['store_failed unknown']);
    await on.store.close();
  });
});

test('what an engine committed and could not answer is told as soon as it can be asked, without a request', async () => {
  const on = await simulatedStore(14);
  const failures: HoldfastError[] = [];
  let untold: BatchOutcome['changes'] = [];
  const { engine, durable, maxBatches } = on.backend;
  const run = async (commands: readonly Command[]): Promise<BatchOutcome> => {
    const error = failures.shift();
    if (error?.started === 'notStarted') throw error;
    const { changes, outcomes } = await on.backend.run(commands);
    const all = [...untold, ...changes];
    untold = error === undefined ? [] : all;
    if (error !== undefined) throw error;
    return { changes: all, outcomes };
  };
  const backend: Backend = { engine, durable, maxBatches, run, close: () => Promise.resolve() };
  const store = await reopen(on.simulation, backend);
  const notes = new Notes();
  store.watch({ key: bytes(''), end: bytes('') }, notes);
  await on.simulation.run(100);
  const fail = (started: 'unknown' | 'notStarted') =>
    new HoldfastError('the thread died', { code: 'store_failed', started });
  failures.push(fail('unknown'), fail('notStarted'), fail('unknown'), fail('notStarted'));
  const write = put({ ...on, store }, 'a');
  await on.simulation.run(1_500);
  expect(hows([write])).toEqual(['store_failed unknown']);
  expect(notes.told).toEqual([]);
  await on.simulation.run(5_000);
  expect(failures).toEqual([]);
  expect(notes.told).toEqual(['put a=@2']);
  failures.push(fail('unknown'), fail('notStarted'));
  put({ ...on, store }, 'b');
  await on.simulation.run(100);
  await store.close();
  await on.store.close();
  expect(on.simulation.planned).toBe(0);
});

describe('limits', () => {
  test('so many requests wait, and one more is refused', async () => {
    const on = await simulatedStore(9, { maxBatches: 1 });
    on.backend.stalled = 'before';
    put(on, 'stuck');
    await on.simulation.run(1);
    const waiting = Array.from({ length: limits.maxProposals }, () => put(on, 'x'));
    const refused = put(on, 'x');
    await on.simulation.run(0);
    expect(hows([refused, waiting.at(-1)!])).toEqual(['queue_full notStarted', '']);
  });

  test('so many bytes wait, and one more is refused', async () => {
    const on = await simulatedStore(10, { maxBatches: 1 });
    on.backend.stalled = 'before';
    put(on, 'stuck');
    await on.simulation.run(1);
    const value = new Uint8Array(limits.maxRequestBytes - 1);
    const fitting = Math.floor(limits.maxProposalBytes / limits.maxRequestBytes);
    const codes: string[] = [];
    for (let n = 0; n < fitting + 1; n++)
      on.store.put({ key: bytes('x'), value }).catch(({ code }: HoldfastError) => codes.push(code));
    await on.simulation.run(0);
    expect(codes).toEqual(['queue_full']);
    await on.store.close();
  });

  test('a time-out is above 0', async () => {
    const on = await simulatedStore(11);
    for (const options of [{ proposeTimeoutMs: 0 }, { applyTimeoutMs: -1 }, { applyTimeoutMs: NaN }])
      await expect(on.store.put({ key: bytes('a') }, options)).rejects.toMatchObject({
        code: 'invalid_argument',
      });
    await expect(simulatedStore(12, {}, { applyTimeoutMs: 0 })).rejects.toMatchObject({
      code: 'invalid_option',
    });
    await on.store.close();
  });
});

test('a store that is closed frees those who wait, once, and takes nothing more', async () => {
  const on = await simulatedStore(13, { maxBatches: 1 });
  const inside = put(on, 'a');
  await on.simulation.run(1);
  const outside = put(on, 'b');
  await on.store.close();
  const after = put(on, 'c');
  await on.simulation.run(1_000);
  expect(hows([inside, outside, after])).toEqual([
    'stopped unknown',
    'stopped notStarted',
    'stopped notStarted',
  ]);
  expect(on.simulation.planned).toBe(0);
});
