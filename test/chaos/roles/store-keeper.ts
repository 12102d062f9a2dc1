// A process with a store in a file, whose disk and rights the test takes away.
// Invariant: errors are answers, with their code and whether the write may have happened.
import { createNodeClock } from '../../../src/adapters/node-clock.ts';
import { createNodeRandom } from '../../../src/adapters/node-random.ts';
import { openSqliteBackend } from '../../../src/adapters/sqlite-backend.ts';
import { HoldfastError } from '../../../src/protocol/errors.ts';
import type { Store } from '../../../src/store/contract.ts';
import { openLocalStore } from '../../../src/store/local-store.ts';
import { serve, tell } from './role.ts';

export interface Refused {
  readonly code: string;
  readonly started: string | undefined;
  readonly message: string;
}

const encoder = new TextEncoder();
const log = { debug() {}, info() {}, warn() {}, error() {} };
const ports = { clock: createNodeClock(), random: createNodeRandom(), log };
let store: Store | undefined;

async function answered<T>(doing: Promise<T>): Promise<T | Refused> {
  try {
    return await doing;
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return { code: error.code, started: error.started, message: error.message };
  }
}

async function open(directory: string): Promise<string> {
  store = await openLocalStore(await openSqliteBackend({ directory }), ports);
  return 'opened';
}

function opened(): Store {
  if (store === undefined) throw new Error('open it first');
  return store;
}

serve({
  open: (directory: string) => answered(open(directory)),
  put: (key: string, bytes: number) =>
    answered(opened().put({ key: encoder.encode(key), value: new Uint8Array(bytes) })),
  /** Puts at once, so that they make one batch. */
  puts: (puts: readonly [key: string, bytes: number][]) =>
    Promise.all(
      puts.map(([key, bytes]) =>
        answered(opened().put({ key: encoder.encode(key), value: new Uint8Array(bytes) })),
      ),
    ),
  keys: async () => {
    const all = { key: encoder.encode('\0'), end: new Uint8Array(0), keysOnly: true };
    return (await opened().range(all)).entries.map(({ key }) => new TextDecoder().decode(key));
  },
  close: () => opened().close(),
  /** The rights of a user whom no file belongs to. Root may write everywhere. */
  becomeNobody: () => {
    if (process.getuid?.() !== 0) return;
    process.setgid?.(65_534);
    process.setuid?.(65_534);
  },
});
tell({ event: 'ready' });
