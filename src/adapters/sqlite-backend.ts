// The engine `file:` as the store sees it: batches go to a worker thread, which a new one replaces when it dies.
// Invariant: each batch settles once, in order; one that the thread had when it died may have been applied.
import { existsSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { HoldfastError } from '../protocol/errors.ts';
import type { Backend, BatchOutcome } from '../store/backend.ts';
import type { Command } from '../store/commands.ts';
import type { Revision } from '../store/contract.ts';
import type { Failed, FromWorker } from './sqlite-messages.ts';
import { SqliteThread } from './sqlite-thread.ts';

/** While one batch commits, the next one is under way. */
const MAX_BATCHES = 2;

/** A healthy thread closes the file in well under a second, a slow disk's last flush included. */
const CLOSE_TIMEOUT_MS = 10_000;

/** SQLite before 3.51.3 can corrupt a write-ahead log; Node before 24.15 warns that its SQLite is experimental. */
const NODE_NEEDED = [24, 15];
const SQLITE_NEEDED = [3, 51, 3];

interface Waiting {
  settle(outcome: BatchOutcome): void;
  fail(error: HoldfastError): void;
}

export interface SqliteBackendOptions {
  /** Where the store lies; it is made when it is not there. */
  readonly directory: string;
  /** What the thread runs. @default sqlite-worker */
  readonly worker?: URL | undefined;
  /** For the thread to end what it has and to close the file, in milliseconds; then it is ended by force. @default 10000 */
  readonly closeTimeoutMs?: number | undefined;
}

/**
 * What the thread runs: a file beside this one, in the sources and in what is built of them.
 *
 * @param here `import.meta.url`, which a bundle may lack
 * @throws HoldfastError `unsupported` where a bundler took this file and left that one
 */
export function workerFile(here: string | undefined): URL {
  const worker = new URL(`./sqlite-worker${extname(here ?? '')}`, here ?? 'file:///bundle/');
  if (here !== undefined && existsSync(worker)) return worker;
  throw new HoldfastError(
    `a store in a file needs ${basename(worker.pathname)} for its thread, and it is not beside ${here ?? 'this bundle'}: ` +
      'bundlers leave it out; keep the package holdfast out of the bundle (esbuild: --packages=external, or --external:holdfast)',
    { code: 'unsupported' },
  );
}

function isOlder(version: string, needed: readonly number[]): boolean {
  const numbers = version.split('.').map(Number);
  const differs = needed.findIndex((least, index) => numbers[index] !== least);
  return differs !== -1 && (numbers[differs] ?? 0) < (needed[differs] ?? 0);
}

/** @throws HoldfastError `unsupported` where the store cannot keep its promises */
export function requireVersions({ node, sqlite }: NodeJS.ProcessVersions): void {
  if (!isOlder(node, NODE_NEEDED) && sqlite !== undefined && !isOlder(sqlite, SQLITE_NEEDED)) return;
  throw new HoldfastError(
    `a store in a file needs Node ${NODE_NEEDED.join('.')} and SQLite ${SQLITE_NEEDED.join('.')} or newer, and ` +
      `this is Node ${node} with SQLite ${sqlite ?? 'left out'}; use a newer Node, or memory: or etcd:`,
    { code: 'unsupported' },
  );
}

class SqliteBackend implements Backend {
  readonly engine = 'file';
  readonly durable = true;
  readonly maxBatches = MAX_BATCHES;
  readonly #directory: string;
  readonly #file: URL;
  readonly #closeTimeoutMs: number;
  readonly #waiting: Waiting[] = [];
  #thread: SqliteThread | undefined;
  #told: Revision | undefined;
  #closing: Promise<void> | undefined;

  constructor({ directory, worker, closeTimeoutMs }: SqliteBackendOptions) {
    this.#directory = directory;
    this.#file = worker ?? workerFile(import.meta.url as string | undefined);
    this.#closeTimeoutMs = closeTimeoutMs ?? CLOSE_TIMEOUT_MS;
  }

  /** Resolves when the file is open. */
  async open(): Promise<void> {
    await this.run([]);
  }

  run(commands: readonly Command[]): Promise<BatchOutcome> {
    return new Promise((settle, fail) => {
      if (this.#closing !== undefined) return fail(this.#stopped());
      this.#thread ??= this.#start();
      // What cannot be sent must not be waited for.
      this.#thread.post({ type: 'run', commands });
      this.#waiting.push({ settle, fail });
      this.#thread.hold('waited for');
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#thread?.close(this.#closeTimeoutMs) ?? Promise.resolve();
    return this.#closing;
  }

  #start(): SqliteThread {
    const start = { directory: this.#directory, told: this.#told };
    let state: 'opening' | 'open' = 'opening';
    const thread: SqliteThread = new SqliteThread(this.#file, start, {
      message: (message) => {
        if (message.type === 'opened') state = 'open';
        this.#hear(message);
      },
      ended: (cause) => {
        // One that refused was let go before, and what waits now is not its own.
        if (this.#thread !== thread) return;
        this.#thread = undefined;
        const said = cause instanceof Error ? cause.message : 'it ended by itself';
        this.#failAll({
          message: `the thread of store ${this.#directory} died: ${said}; the next request starts another`,
          started: state === 'open' ? 'unknown' : 'notStarted',
        });
      },
    });
    return thread;
  }

  #hear(message: FromWorker): void {
    switch (message.type) {
      case 'opened':
        this.#told ??= message.told;
        break;
      case 'refused':
        // What follows goes to a new thread; this one has nothing left to answer.
        this.#thread = undefined;
        this.#failAll({ message: message.message, started: 'notStarted' });
        break;
      case 'done':
        this.#told = message.told;
        this.#waiting.shift()?.settle(message);
        break;
      case 'failed':
        this.#waiting.shift()?.fail(failure(message));
    }
    if (this.#waiting.length === 0) this.#thread?.hold('idle');
  }

  #failAll(why: Omit<Failed, 'type'>): void {
    for (const { fail } of this.#waiting.splice(0)) fail(failure(why));
  }

  #stopped(): HoldfastError {
    return new HoldfastError(`store ${this.#directory} is closed; open it again`, { code: 'stopped' });
  }
}

function failure({ message, started }: Omit<Failed, 'type'>): HoldfastError {
  return new HoldfastError(message, { code: 'store_failed', retryable: started === 'notStarted', started });
}

/**
 * Opens a store in a directory, which it holds until it is closed: no other process, and no other store of this one, gets it.
 *
 * @throws HoldfastError `unsupported` on an older Node; `store_failed` when the file is held by another, damaged, of
 * another program, or cannot be read
 */
export async function openSqliteBackend(options: SqliteBackendOptions): Promise<Backend> {
  requireVersions(process.versions);
  const backend = new SqliteBackend(options);
  await backend.open();
  return backend;
}
