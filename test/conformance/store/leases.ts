// Leases: granted, kept alive, looked at, revoked, expired; their keys go with them in one transaction.
// Invariant: no test depends on another, on an engine, or on how long something takes.
import { expect, test } from 'vitest';
import {
  bytes,
  contents,
  everything,
  names,
  openStore,
  put,
  refusal,
  text,
  type StoreUnderTest,
} from './under-test.ts';
import { validate } from './watch-validator.ts';
import { begin, watching } from './watch-record.ts';

export function describeLeases(under: StoreUnderTest): void {
  test('a lease has the id and at least the time that was asked for', async () => {
    const store = await openStore(under);
    const given = await store.leases.grant({ ttlSeconds: 600, id: '1234567890123456789' });
    expect(given.id).toBe('1234567890123456789');
    expect(given.ttlSeconds).toBeGreaterThanOrEqual(600);
    const chosen = await store.leases.grant({ ttlSeconds: 300 });
    expect(chosen.id).toMatch(/^[1-9]\d*$/);
    expect(BigInt(chosen.id)).toBeLessThan(2n ** 63n);
    const { ids } = await store.leases.list();
    expect(ids.toSorted()).toEqual([chosen.id, given.id].toSorted());
    expect(await refusal(store.leases.grant({ ttlSeconds: 60, id: given.id }))).toBe('lease_exists');
  });

  test('its time is within 1 to 9 000 000 000 whole seconds', async () => {
    const store = await openStore(under);
    for (const ttlSeconds of [0, -1, 1.5, Number.NaN, 9_000_000_001])
      expect(await refusal(store.leases.grant({ ttlSeconds })), String(ttlSeconds)).toBe('invalid_argument');
    expect((await store.leases.grant({ ttlSeconds: 9_000_000_000 })).ttlSeconds).toBe(9_000_000_000);
  });

  test('granting, keeping alive and revoking without keys leave the revision as it is', async () => {
    const store = await openStore(under);
    const { id, revision } = await store.leases.grant({ ttlSeconds: 600 });
    expect(revision).toBe(1);
    expect(await store.leases.keepAlive(id)).toEqual({ id, ttlSeconds: 600, revision: 1 });
    expect((await store.leases.revoke(id)).revision).toBe(1);
    expect((await store.leases.list()).ids).toEqual([]);
  });

  test('it says how much time is left, and which keys it has', async () => {
    const store = await openStore(under);
    const { id } = await store.leases.grant({ ttlSeconds: 600 });
    await store.put(put('a', '1', { lease: id }));
    await store.put(put('b', '1', { lease: id }));
    const bare = await store.leases.timeToLive(id);
    expect(bare).toMatchObject({ id, grantedSeconds: 600, keys: [], revision: 3 });
    expect(bare.remainingSeconds).toBeLessThanOrEqual(600);
    expect(bare.remainingSeconds).toBeGreaterThan(500);
    const { keys } = await store.leases.timeToLive(id, { keys: true });
    expect(keys.map((key) => text(key)).toSorted()).toEqual(['a', 'b']);
  });

  test('what there is not, or not any more, is not found', async () => {
    const store = await openStore(under);
    const { id } = await store.leases.grant({ ttlSeconds: 600 });
    await store.leases.revoke(id);
    for (const gone of [id, '4711']) {
      expect(await refusal(store.leases.keepAlive(gone))).toBe('lease_not_found');
      expect(await refusal(store.leases.timeToLive(gone))).toBe('lease_not_found');
      expect(await refusal(store.leases.revoke(gone))).toBe('lease_not_found');
      expect(await refusal(store.put(put('a', '1', { lease: gone })))).toBe('lease_not_found');
    }
    expect(await contents(store)).toEqual([]);
  });

  test('its keys go with it at one revision, and a watch is told so', async () => {
    const store = await openStore(under);
    const { id } = await store.leases.grant({ ttlSeconds: 600 });
    for (const name of ['a', 'b', 'c']) await store.put(put(name, '1', { lease: id }));
    await store.put(put('d', '1'));
    const { record } = await watching(store, everything);
    expect((await store.leases.revoke(id)).revision).toBe(6);
    await record.untilSeen(6);
    expect(record.lines.toSorted()).toEqual(['delete a@6', 'delete b@6', 'delete c@6']);
    expect(await validate(store, record, 6)).toEqual([]);
    expect(await contents(store)).toEqual(['d=1']);
  });

  test('a key belongs to the lease of its last put only', async () => {
    const store = await openStore(under);
    const first = await store.leases.grant({ ttlSeconds: 600 });
    const second = await store.leases.grant({ ttlSeconds: 600 });
    await store.put(put('moved', '1', { lease: first.id }));
    await store.put(put('moved', '2', { lease: second.id }));
    await store.put(put('freed', '1', { lease: first.id }));
    await store.put(put('freed', '2'));
    await store.put(put('kept', '1', { lease: first.id }));
    await store.put(put('kept', '2', { ignoreLease: true }));
    await store.put(put('again', '1', { lease: first.id }));
    await store.delete({ key: bytes('again') });
    await store.put(put('again', '2'));
    await store.leases.revoke(first.id);
    expect(await contents(store)).toEqual(['again=2', 'freed=2', 'moved=2']);
    const { keys } = await store.leases.timeToLive(second.id, { keys: true });
    expect(keys.map((key) => text(key))).toEqual(['moved']);
  });

  test('a lease that nobody keeps alive expires with its keys; one that is kept does not', async () => {
    const store = await openStore(under);
    const kept = await store.leases.grant({ ttlSeconds: 2 });
    const left = await store.leases.grant({ ttlSeconds: 1 });
    await store.put(put('kept', '1', { lease: kept.id }));
    await store.put(put('left/1', '1', { lease: left.id }));
    await store.put(put('left/2', '1', { lease: left.id }));
    const { record } = begin(store, { ...everything, startRevision: 2 });
    const expired = record.until('the lease expires', ({ changes }) =>
      changes.some(({ type }) => type === 'delete'),
    );
    let waiting: 'yes' | 'no' = 'yes';
    void expired.finally(() => (waiting = 'no'));
    while (waiting === 'yes') {
      await store.leases.keepAlive(kept.id);
      await Promise.race([expired, new Promise((resolve) => setTimeout(resolve, 100))]);
    }
    await expired;
    expect(record.lines.slice(3).toSorted()).toEqual(['delete left/1@5', 'delete left/2@5']);
    expect(await validate(store, record, 5)).toEqual([]);
    expect(names((await store.range(everything)).entries)).toEqual(['kept']);
    expect(await refusal(store.leases.keepAlive(left.id))).toBe('lease_not_found');
    expect((await store.leases.list()).ids).toEqual([kept.id]);
  });
}
