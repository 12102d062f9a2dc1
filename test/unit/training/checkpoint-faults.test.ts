// Saving a checkpoint over a store that fails, at each of its requests: the one before holds, or the new one, and each is whole.
import { expect, onTestFinished, test } from 'vitest';
import { noLog, openStore } from '../../../src/index.ts';
import { HoldfastError } from '../../../src/protocol/errors.ts';
import { limits } from '../../../src/protocol/limits.ts';
import type { PutRequest, Store, TxnRequest } from '../../../src/store/contract.ts';
import { checkpointAt, checkpointsOf, facts, pieces } from '../../conformance/training/made.ts';

const BYTES = 1_200_000;
/** Of one save of so many bytes of model, and as many of moments: three pieces, and the pointer. */
const REQUESTS = 4;

async function memory(): Promise<Store> {
  const store = await openStore('memory:', { log: noLog() });
  onTestFinished(() => store.close());
  return store;
}

/** The same store, but for these methods. */
const altered = (store: Store, methods: Partial<Store>): Store =>
  new Proxy(store, {
    get(target, name) {
      const own: unknown = Reflect.get(methods, name) ?? Reflect.get(target, name);
      return typeof own === 'function' ? (own.bind(target) as unknown) : own;
    },
  });

const failure = (started: 'notStarted' | 'unknown'): HoldfastError =>
  new HoldfastError('the store failed', { code: 'store_failed', started });

/** Fails at the write of this number, and at all after it: before it is made, or after. */
function failing(store: Store, at: number, when: 'before' | 'after'): Store {
  let writes = 0;
  const write = async <T>(make: () => Promise<T>): Promise<T> => {
    writes += 1;
    if (writes < at) return make();
    if (writes === at && when === 'after') await make();
    throw failure(when === 'before' ? 'notStarted' : 'unknown');
  };
  return altered(store, {
    put: (request, options) => write(() => store.put(request, options)),
    txn: (request, options) => write(() => store.txn(request, options)),
  });
}

/** Wrong: what is put is acknowledged at once, and written when the transaction that points to it is. */
function pointerFirst(store: Store): Store {
  const waiting: PutRequest[] = [];
  return altered(store, {
    async put(request) {
      waiting.push(request);
      return { revision: 0 };
    },
    async txn(request) {
      const answer = await store.txn(request);
      for (const put of waiting.splice(0)) await store.put(put);
      return answer;
    },
  });
}

/** Which round is found, or what is wrong, after a save of round 2 over round 1 whose store fails at this write. */
async function afterFailure(
  at: number,
  when: 'before' | 'after',
  wrong: (store: Store) => Store,
): Promise<string> {
  const store = await memory();
  await checkpointsOf(store).save(await checkpointAt(1, BYTES));
  const checkpoints = checkpointsOf(wrong(failing(store, at, when)));
  await checkpoints.load();
  const outcome = await checkpoints.save(await checkpointAt(2, BYTES)).then(
    () => 'saved',
    () => 'failed',
  );
  const found = await checkpointsOf(store)
    .load()
    .catch((error: unknown) => String(error));
  if (typeof found === 'string' || found === undefined) return `${outcome}, ${found}`;
  expect(facts(found)).toEqual(facts(await checkpointAt(found.round, BYTES)));
  return `${outcome}, round ${found.round}`;
}

const every = Array.from({ length: REQUESTS }, (_, at) => at + 1);

test('whichever write fails, the checkpoint before holds; one that was made is known to be', async () => {
  for (const at of every) expect(await afterFailure(at, 'before', (store) => store)).toBe('failed, round 1');
  for (const at of every.slice(0, -1))
    expect(await afterFailure(at, 'after', (store) => store)).toBe('failed, round 1');
  expect(await afterFailure(REQUESTS, 'after', (store) => store)).toBe('saved, round 2');
  expect(await afterFailure(REQUESTS + 1, 'before', (store) => store)).toBe('saved, round 2');
});

test('a pointer that is written before its pieces is noticed', async () => {
  const found = await Promise.all(every.map((at) => afterFailure(at, 'before', pointerFirst)));
  expect(found[0]).toBe('failed, round 1');
  for (const outcome of found.slice(1))
    expect(outcome).toMatch(/^failed, .*is damaged: its round 2: piece \d of 3/);
});

test('after a save that failed the next one succeeds, and what the failed one left is swept', async () => {
  for (const at of every) {
    const store = await memory();
    let broken: Store | undefined = failing(store, at, 'after');
    const mended = altered(store, {
      put: (request, options) => (broken ?? store).put(request, options),
      txn: (request, options) => (broken ?? store).txn(request, options),
    });
    const checkpoints = checkpointsOf(mended);
    await checkpoints.save(await checkpointAt(1, BYTES)).catch(() => undefined);
    broken = undefined;
    await checkpoints.save(await checkpointAt(2, BYTES));
    expect(facts(await checkpointsOf(store).load())).toEqual(facts(await checkpointAt(2, BYTES)));
    expect(await pieces(store)).toHaveLength(3);
  }
});

test('a transaction that comes true after its save was given up does not hold up the next one', async () => {
  const store = await memory();
  let held: TxnRequest | undefined;
  let hold: 'next' | 'none' = 'next';
  const late = altered(store, {
    async txn(request, options) {
      if (hold === 'next') {
        hold = 'none';
        held = request;
        throw failure('unknown');
      }
      // It is applied in between: its sweep takes the pieces of the save that is under way.
      if (held !== undefined) expect((await store.txn(held)).succeeded).toBe(true);
      held = undefined;
      return store.txn(request, options);
    },
  });
  const checkpoints = checkpointsOf(late);
  await expect(checkpoints.save(await checkpointAt(1, BYTES))).rejects.toThrow('the store failed');
  await checkpoints.save(await checkpointAt(2, BYTES));
  expect(facts(await checkpointsOf(store).load())).toEqual(facts(await checkpointAt(2, BYTES)));
  expect(await pieces(store)).toHaveLength(3);
  await checkpoints.save(await checkpointAt(3));
});

test('who reads while others save and compact finds a whole checkpoint', async () => {
  const store = await memory();
  const checkpoints = checkpointsOf(store);
  await checkpoints.save(await checkpointAt(1, BYTES));
  const slow = altered(store, {
    async range(request, options) {
      // Others get further between two pieces.
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
      return store.range(request, options);
    },
  });
  const rounds: number[] = [];
  const reading = async (): Promise<void> => {
    while (rounds.length < 8) {
      const found = await checkpointsOf(slow).load();
      expect(facts(found)).toEqual(facts(await checkpointAt(found?.round ?? 0, BYTES)));
      rounds.push(found?.round ?? 0);
    }
  };
  const saving = async (): Promise<void> => {
    for (let round = 2; rounds.length < 8; round += 1) {
      await checkpoints.save(await checkpointAt(round, BYTES));
      await store.compact((await store.status()).revision);
    }
  };
  await Promise.all([reading(), saving()]);
  expect(new Set(rounds).size).toBeGreaterThan(3);
});

test('the history of superseded checkpoints is bounded', async () => {
  const store = await memory();
  const checkpoints = checkpointsOf(store);
  const made = await checkpointAt(1, 4_000_000);
  const bytes = 8_000_000;
  for (let round = 1; round <= 24; round += 1) {
    await checkpoints.save({ ...made, round });
    expect((await store.status()).sizeBytes).toBeLessThan(limits.keptCheckpointBytes + 4 * bytes);
    // Who resumes knows how much there is.
    if (round === 12) await checkpointsOf(store).load();
  }
  expect((await store.status()).compactRevision).toBeGreaterThan(1);
});

test('a save that is aborted ends, and the one before holds', async () => {
  const store = await memory();
  const checkpoints = checkpointsOf(store);
  await checkpoints.save(await checkpointAt(1));
  const aborted = AbortSignal.abort();
  await expect(checkpoints.save(await checkpointAt(2), { signal: aborted })).rejects.toMatchObject({
    code: 'cancelled',
  });
  expect((await checkpointsOf(store).load())?.round).toBe(1);
  await checkpoints.save(await checkpointAt(3));
  expect((await checkpointsOf(store).load())?.round).toBe(3);
});
