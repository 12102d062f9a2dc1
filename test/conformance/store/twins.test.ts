// The suite's judges against stores with one fault each: a judge that finds nothing in these would find nothing at all.
// Invariant: the same work on the sound store has no fault.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Store } from '../../../src/store/contract.ts';
import { bendingText, brokenRegisters, brokenWatches } from './broken-stores.ts';
import { notLinearizable, recordRegisters } from './concurrency.ts';
import { etcdClient } from './etcd-under-test.ts';
import { startEtcd, type EtcdServer } from './etcd-server.ts';
import { takenRequests } from './requests.ts';
import { bytes, everything, key, put, revisionOf } from './under-test.ts';
import { begin, caughtUp } from './watch-record.ts';
import { validate } from './watch-validator.ts';
import { load } from './writers.ts';

let server: EtcdServer | undefined;
let sound: Store;

beforeAll(async () => {
  server = await startEtcd();
  sound = etcdClient([server.endpoint]);
});

afterAll(async () => {
  await sound.close();
  await server?.close();
});

/** What the validator finds in two watches of `store`, one from now on and one from the past. */
async function faultsUnderLoad(store: Store): Promise<string[]> {
  await store.delete(everything);
  const before = await load(store, { seed: 1, writers: 1, commits: 5 });
  const request = { ...key('k'), end: bytes('l'), previous: true };
  const live = begin(store, request);
  const past = begin(store, { ...request, startRevision: before.revision });
  const after = await load(store, { seed: 2, writers: 2, commits: 20 });
  await store.put(put('k9', 'last'));
  const newest = await revisionOf(sound);
  const faults: string[] = [];
  for (const one of [live, past]) {
    // A broken watch may never come to the last revision by itself.
    await caughtUp(one, newest);
    const changes = [
      ...before.changes,
      ...after.changes,
      { revision: newest, type: 'put', key: 'k9' } as const,
    ];
    faults.push(...(await validate(sound, one.record, newest, changes)));
    one.handle.cancel();
  }
  return faults;
}

describe('the validator of watches', () => {
  test('finds nothing in a sound store', async () => {
    expect(await faultsUnderLoad(sound)).toEqual([]);
  });

  test.each(Object.entries(brokenWatches))('finds the fault in a store that is %s', async (_, breaking) => {
    expect((await faultsUnderLoad(breaking(sound))).length).toBeGreaterThan(0);
  });
});

describe('the check of linearizability', () => {
  test('finds nothing in a sound store', async () => {
    expect(notLinearizable(await recordRegisters(sound, { seed: 3 }))).toBe(undefined);
  });

  test.each(Object.entries(brokenRegisters))('finds the fault in a store that is %s', async (_, breaking) => {
    await sound.delete(everything);
    const events = await recordRegisters(breaking(sound), { seed: 4, keys: 1 });
    expect(notLinearizable(events)).toContain('not linearizable');
  });
});

describe('the look at senseless requests', () => {
  test('finds nothing in a sound store', async () => {
    expect(await takenRequests(sound)).toEqual([]);
  });

  test('finds the texts that a store takes for bytes', async () => {
    expect((await takenRequests(bendingText(sound))).length).toBe(2);
  });
});
