// Requests of callers without types: whatever they hold, they are refused alone, and the store serves the others.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { HoldfastError } from '../../../src/protocol/errors.ts';
import type { WatchHandle, WatchRequest } from '../../../src/store/contract.ts';
import { bytes } from './naive-store.ts';
import { Notes, simulatedStore } from './store-under-simulation.ts';

const odd = fc.oneof(fc.anything(), fc.constantFrom(undefined, null, NaN, -1, 1n, '', 'key', [], {}));
const key = fc.constantFrom(bytes('a'), bytes('b'), bytes(''));
const orOdd = <T>(sound: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 5, arbitrary: sound }, { weight: 1, arbitrary: odd });
const fields = {
  key: orOdd(key),
  end: orOdd(fc.option(key, { nil: undefined })),
  value: orOdd(fc.option(key, { nil: undefined })),
  lease: orOdd(fc.constantFrom(undefined, undefined, '7')),
  ignoreValue: orOdd(fc.constant(undefined)),
  revision: orOdd(fc.constantFrom(undefined, 1, 2)),
  startRevision: orOdd(fc.constantFrom(undefined, 1, 2)),
  limit: orOdd(fc.constantFrom(undefined, 1)),
  sort: orOdd(fc.constantFrom(undefined, { by: 'key' }, { by: 'size' })),
  minModRevision: orOdd(fc.constant(undefined)),
  without: orOdd(fc.constantFrom(undefined, ['put'], ['get'])),
  relation: orOdd(fc.constantFrom('equal', 'less', 'same')),
  target: orOdd(fc.constantFrom('value', 'version', 'lease', 'size')),
  operand: orOdd(fc.constantFrom(bytes('a'), 1, '7')),
};
const simple = fc.record({ ...fields, type: orOdd(fc.constantFrom('put', 'delete', 'range', 'txn')) });
const request = orOdd(
  fc.record({
    ...fields,
    compare: orOdd(fc.array(orOdd(simple), { maxLength: 2 })),
    success: orOdd(fc.array(orOdd(simple), { maxLength: 2 })),
    failure: orOdd(fc.array(orOdd(simple), { maxLength: 2 })),
  }),
);

/** What was asked for: answered, refused with a HoldfastError, or anything else. */
async function outcomeOf(ask: () => unknown): Promise<'answered' | 'refused' | Error> {
  try {
    await ask();
    return 'answered';
  } catch (error) {
    return error instanceof HoldfastError && error.code !== 'store_failed' ? 'refused' : (error as Error);
  }
}

test('a request that is not what its type says is refused, and disturbs nobody who asks at the same time', async () => {
  const { simulation, store } = await simulatedStore(1, { longestMs: 1 });
  const untyped = store as unknown as Record<string, (request: unknown) => unknown>;
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('range', 'put', 'delete', 'txn', 'watch', 'compact' as const),
      request,
      async (method, given) => {
        const notes = new Notes();
        let handle: WatchHandle | undefined;
        const ask = (): unknown => {
          if (method === 'watch') handle = store.watch(given as WatchRequest, new Notes());
          else return untyped[method]!(given);
          return undefined;
        };
        const watching = store.watch({ key: bytes('sound') }, notes);
        const asked = outcomeOf(ask);
        const sound = store.put({ key: bytes('sound') });
        await simulation.settle(Promise.all([asked, sound]), 1_000);
        const outcome = await asked;
        expect(outcome === 'answered' || outcome === 'refused', String(outcome)).toBe(true);
        expect(notes.told).toContain(`put sound=@${(await sound).revision}`);
        watching.cancel();
        handle?.cancel();
        seen.add(`${method} ${String(outcome)}`);
      },
    ),
    { numRuns: 600 },
  );
  // The requests are neither all senseless nor all sound.
  const methods = ['range', 'put', 'delete', 'txn', 'watch'];
  expect([...seen]).toEqual(
    expect.arrayContaining(methods.flatMap((method) => [`${method} answered`, `${method} refused`])),
  );
  expect(store.watches).toBe(0);
  await store.close();
});
