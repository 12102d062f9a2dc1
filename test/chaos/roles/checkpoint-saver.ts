// A trainer that saves one checkpoint after the other and kills itself, with SIGKILL, in the middle of one.
// Invariant: what is saved for a round is known to the test beforehand.
import { noLog, openStore } from '../../../src/index.ts';
import type { PutRequest, Store } from '../../../src/store/contract.ts';
import { checkpointAt, checkpointsOf } from '../../conformance/training/made.ts';
import { roleOptions } from './role.ts';

export interface CheckpointSaverOptions {
  readonly url: string;
  /** Of the model; its moments take as many. */
  readonly bytes: number;
  /** Killed as soon as it has asked for this write of the second save: of a piece, or last of the pointer. */
  readonly fatalWrite: number;
  /** `pointerFirst` is wrong: pieces are written after what points to them. */
  readonly way: 'right' | 'pointerFirst';
}

const { url, bytes, fatalWrite, way } = roleOptions<CheckpointSaverOptions>();
process.on('disconnect', () => process.exit(1));
const store = await openStore(url, { log: noLog() });

let writes = -Infinity;
function asked<T>(answer: Promise<T>): Promise<T> {
  writes += 1;
  // The store's thread has been given the write by then, and may be anywhere in it.
  if (writes === fatalWrite) setImmediate(() => process.kill(process.pid, 'SIGKILL'));
  return answer;
}

const waiting: PutRequest[] = [];
const fatal: Store = new Proxy(store, {
  get(target, name) {
    if (name === 'put' && way === 'pointerFirst')
      return async (request: PutRequest) => {
        waiting.push(request);
        return { revision: 0 };
      };
    if (name === 'put') return (...args: Parameters<Store['put']>) => asked(store.put(...args));
    if (name === 'txn')
      return async (...args: Parameters<Store['txn']>) => {
        const answer = await asked(store.txn(...args));
        for (const put of waiting.splice(0)) await asked(store.put(put));
        return answer;
      };
    const value: unknown = Reflect.get(target, name);
    return typeof value === 'function' ? (value.bind(target) as unknown) : value;
  },
});

const checkpoints = checkpointsOf(fatal);
const round = (await checkpoints.load())?.round ?? 0;
await checkpoints.save(await checkpointAt(round + 1, bytes));
writes = 0;
await checkpoints.save(await checkpointAt(round + 2, bytes));
