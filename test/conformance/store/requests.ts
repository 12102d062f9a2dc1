// Requests of callers without types: an engine must not make something else of them, be it what its encoding would.
// Invariant: no request here has a meaning.
import { expect, test } from 'vitest';
import { HoldfastError } from '../../../src/protocol/errors.ts';
import type { Store } from '../../../src/store/contract.ts';
import { bytes, contents, openStore, put, revisionOf, type StoreUnderTest } from './under-test.ts';
import { begin } from './watch-record.ts';

/** As JavaScript sees a store. */
type Untyped = Record<'range' | 'put' | 'delete' | 'txn' | 'compact', (request: unknown) => Promise<unknown>>;

const a = bytes('a');

const senseless: readonly (readonly [method: keyof Untyped, request: unknown])[] = [
  // Each is the base64 of something.
  ['put', { key: 'aaaa' }],
  ['put', { key: a, value: 'aaaa' }],
  ['put', { key: a, value: 7 }],
  ['put', { key: a, value: [1, 2] }],
  ['put', {}],
  ['put', undefined],
  ['put', { key: a, lease: 'abc' }],
  ['put', { key: a, lease: '' }],
  ['put', { key: a, lease: 7 }],
  ['put', { key: a, lease: '9223372036854775808' }],
  ['delete', { key: 'aaaa' }],
  ['delete', { key: a, end: 'aaaa' }],
  ['range', { key: 'aaaa' }],
  ['range', { key: a, revision: 1.5 }],
  ['range', { key: a, revision: Number.NaN }],
  ['range', { key: a, limit: 'all' }],
  ['range', { key: a, minModRevision: 'x' }],
  ['range', { key: a, sort: { by: 'size' } }],
  ['txn', { success: [{ type: 'get', key: a }] }],
  ['txn', { success: [null] }],
  ['txn', { success: 'put' }],
  ['txn', { failure: [{ type: 'put', key: a, value: 'aaaa' }] }],
  ['txn', { success: [{ type: 'txn', success: [{ type: 'put', key: 'aaaa' }] }] }],
  ['txn', { compare: [{ key: a, target: 'version', relation: 'same', operand: 1 }] }],
  ['txn', { compare: [{ key: a, target: 'size', relation: 'equal', operand: 1 }] }],
  ['txn', { compare: [{ key: a, target: 'value', relation: 'equal', operand: 'aaaa' }] }],
  ['txn', { compare: [{ key: a, target: 'version', relation: 'equal' }] }],
  ['compact', 'now'],
  ['compact', undefined],
  ['compact', 1.5],
];

/** The code that it is refused with; else what came of it. */
async function refusalOf(ask: () => unknown): Promise<unknown> {
  try {
    return { answered: await ask() };
  } catch (error) {
    return error instanceof HoldfastError ? error.code : error;
  }
}

/** The senseless requests that a store does not refuse as such. */
export async function takenRequests(store: Store): Promise<unknown[]> {
  const taken: unknown[] = [];
  for (const [method, request] of senseless) {
    const came = await refusalOf(() => (store as unknown as Untyped)[method](request));
    if (came !== 'invalid_argument') taken.push({ method, request, came });
  }
  return taken;
}

export function describeRequests(under: StoreUnderTest): void {
  test('what makes no sense is refused, and nothing else is made of it', async () => {
    const store = await openStore(under);
    await store.put(put('a', '1'));
    expect(await takenRequests(store)).toEqual([]);
    for (const request of [
      undefined,
      {},
      { key: 'aaaa' },
      { key: a, startRevision: 0 },
      { key: a, without: ['get'] },
    ])
      expect(await refusalOf(() => begin(store, request as never))).toBe('invalid_argument');
    expect(await contents(store)).toEqual(['a=1']);
    expect(await revisionOf(store)).toBe(2);
  });

  test('the id of a lease is a whole number as text', async () => {
    const { leases } = await openStore(under);
    for (const id of ['abc', '', '0', '1.5', '9223372036854775808', 7 as never]) {
      const asked = [
        () => leases.grant({ ttlSeconds: 60, id }),
        () => leases.keepAlive(id),
        () => leases.timeToLive(id),
        () => leases.revoke(id),
      ];
      for (const ask of asked) expect([id, await refusalOf(ask)]).toEqual([id, 'invalid_argument']);
    }
    expect((await leases.list()).ids).toEqual([]);
  });
}
