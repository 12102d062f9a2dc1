// The transition log of an embedded store conforms to the machines; of a log that was tampered with, the line is found.
import { describe, expect, test } from 'vitest';
import { registry } from '../../../machines/index.ts';
import { statePath, transitionLine, type TransitionRecord } from '../../../src/index.ts';
import { conform } from '../../../src/testing/index.ts';
import { bytes } from '../../unit/store/naive-store.ts';
import { Notes, simulatedStore } from '../../unit/store/store-under-simulation.ts';

const machines = Object.values(registry).map(({ machine }) => machine);

/** Writes that succeed, are refused, time out and are cancelled; watches that lag and end; leases that end in each way. */
async function storeLog(seed: number): Promise<string[]> {
  const lines: string[] = [];
  const { simulation, store, backend } = await simulatedStore(
    seed,
    { durable: true, maxBatches: 1 },
    { transitions: (record) => void lines.push(transitionLine(record).trimEnd()), applyTimeoutMs: 500 },
  );
  const quietly = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);
  const all = { key: bytes(''), end: bytes('') };
  const notes = new Notes();
  notes.answer = 'wait';
  const slow = store.watch(all, notes);
  store.watch({ ...all, startRevision: 1 }, new Notes());
  const put = (key: string) => store.put({ key: bytes(key) });
  const { id } = await simulation.settle(store.leases.grant({ ttlSeconds: 3 }), 5_000);
  await simulation.settle(store.leases.grant({ ttlSeconds: 2, id: '7' }), 5_000);
  for (let n = 0; n < 5; n++) await simulation.settle(Promise.all([put('a'), put('b')]), 5_000);
  await simulation.settle(store.put({ key: bytes('c'), lease: id }), 5_000);
  slow.resume();
  await simulation.run(1_500);
  await simulation.settle(store.leases.keepAlive(id), 5_000);
  const abort = new AbortController();
  const failing = [
    store.put({ key: bytes('a'), lease: '99' }),
    store.put({ key: bytes('a') }, { signal: abort.signal }),
    store.compact(2),
  ].map(quietly);
  abort.abort();
  await simulation.settle(Promise.all(failing), 5_000);
  store.watch({ ...all, startRevision: 1 }, new Notes()).cancel();
  store.watch({ ...all, startRevision: 1 }, new Notes());
  await simulation.run(5_000);
  backend.stalled = 'before';
  const stuck = [put('a'), store.put({ key: bytes('b') }, { proposeTimeoutMs: 100 })].map(quietly);
  await simulation.run(2_000);
  await Promise.all(stuck);
  await store.close();
  return lines;
}

describe('the transition log of a store', () => {
  test('conforms, and every state of the machines was reached that an embedded store can reach', async () => {
    const reached = new Set<string>();
    for (let seed = 1; seed <= 20; seed++) {
      const lines = await storeLog(seed);
      expect(conform(lines, { machines })).toMatchObject({ impossible: [], gaps: [] });
      for (const line of lines) {
        const { machine, to } = JSON.parse(line) as TransitionRecord;
        if (to !== null) reached.add(`${machine} ${statePath(to)}`);
      }
    }
    expect([...reached]).toEqual(
      expect.arrayContaining([
        ...['succeeded', 'failed', 'timed_out', 'cancelled'].map((state) => `proposal ${state}`),
        ...['streaming.live', 'streaming.lagging', 'cancelled'].map((state) => `watch ${state}`),
        ...['spent', 'renewing', 'alive', 'expired'].map((state) => `lease ${state}`),
      ]),
    );
  });

  test('a line that was tampered with is found', async () => {
    const lines = await storeLog(1);
    const line = lines.findIndex((one) => one.includes('"submission.taken"'));
    const tampered = lines.with(line, lines[line]!.replace('"to":"submitted"', '"to":"succeeded"'));
    expect(tampered[line]).not.toBe(lines[line]);
    expect(conform(tampered, { machines }).impossible.map((one) => one.line)).toContain(line + 1);
  });
});
