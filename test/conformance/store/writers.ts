// Writers that keep what they changed, as the store's answers said: the truth that watches are held against.
// Invariant: a change stands in the list before the promise of its maker resolves.
import { Prng } from '../../../src/testing/index.ts';
import type { KeyRange, Operation, OperationResponse, Store } from '../../../src/store/contract.ts';
import { del, everything, key, put, text } from './under-test.ts';
import type { Change } from './watch-validator.ts';

/** Applies operations as one transaction and keeps what they changed. */
export async function commit(
  store: Store,
  changes: Change[],
  operations: readonly Operation[],
): Promise<number> {
  // A deletion says what went only when it is asked.
  const asked = operations.map((one) => (one.type === 'delete' ? { ...one, previous: true } : one));
  const { revision, responses } = await store.txn({ success: asked });
  asked.forEach((one, i) => {
    const answer = responses[i] as OperationResponse;
    if (one.type === 'put') changes.push({ revision, type: 'put', key: text(one.key) });
    if (answer.type === 'delete')
      for (const entry of answer.previous) changes.push({ revision, type: 'delete', key: text(entry.key) });
  });
  return revision;
}

export interface Load {
  readonly changes: Change[];
  /** The newest revision that a writer was told. */
  readonly revision: number;
}

/** Some writers at once, each with transactions of its own dice over the same few keys. */
export async function load(
  store: Store,
  {
    seed,
    writers = 4,
    commits = 25,
    keys = 8,
  }: { seed: number; writers?: number; commits?: number; keys?: number },
): Promise<Load> {
  const changes: Change[] = [];
  let newest = 0;
  const write = async (writer: number): Promise<void> => {
    const dice = new Prng(seed * 100 + writer);
    for (let i = 0; i < commits; i++) {
      const operations = someOperations(dice, keys, `${writer}.${i}`);
      const revision = await commit(store, changes, operations);
      newest = Math.max(newest, revision);
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  return { changes, revision: newest };
}

/** One to three changes of different keys; now and then a range of keys goes. */
function someOperations(dice: Prng, keys: number, value: string): Operation[] {
  const roll = (sides: number): number => dice.uint32() % sides;
  if (roll(12) === 0) {
    const from = roll(keys);
    const range: KeyRange = { ...key(`k${from}`), end: key(`k${from + 2}`).key };
    return [del(roll(4) === 0 ? everything : range)];
  }
  const chosen = new Set(Array.from({ length: 1 + roll(3) }, () => `k${roll(keys)}`));
  return [...chosen].map((name) => (roll(4) === 0 ? del(key(name)) : put(name, value)));
}
