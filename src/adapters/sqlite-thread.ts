// One life of the thread that writes a store's file.
// Invariant: messages arrive in order and whole; `ended` is told once, last.
import { Worker } from 'node:worker_threads';
import { Packer, Unpacker } from './packed.ts';
import { mayLook, ring } from './sqlite-line.ts';
import type { FromWorker, ToWorker, WorkerStart } from './sqlite-messages.ts';

/** Below this many bytes a message is copied sooner than it is transferred. */
const TRANSFER_BYTES = 262_144;

/**
 * How long after a request the event loop turns without a sleep while answers are waited for, in milliseconds. By then most
 * commits are done, and to wake a process takes about as long as a commit.
 */
const AWAKE_MS = 1;

interface ThreadOwner {
  message(message: FromWorker): void;
  /** `cause`: what it threw and did not catch. */
  ended(cause: unknown): void;
}

export class SqliteThread {
  readonly #worker: Worker;
  readonly #bell = new Int32Array(new SharedArrayBuffer(4));
  readonly #packer = new Packer();
  readonly #ended: Promise<void>;
  #use: 'waited for' | 'idle' = 'idle';
  /** 0: the event loop may sleep. */
  #awakeUntil = 0;

  constructor(file: URL, start: Omit<WorkerStart, 'bell'>, owner: ThreadOwner) {
    // Flags of the process need not fit a worker (`--input-type`).
    const workerData: WorkerStart = { ...start, bell: this.#bell };
    this.#worker = new Worker(file, { name: 'holdfast-store', workerData, execArgv: [] });
    const unpacker = new Unpacker();
    let cause: unknown;
    this.#worker.on('message', (packed: Uint8Array<ArrayBuffer>) => {
      owner.message(unpacker.unpack(packed) as FromWorker);
    });
    this.#worker.on('error', (thrown) => {
      cause = thrown;
    });
    this.#ended = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        owner.ended(cause);
        resolve();
      });
    });
  }

  post(message: ToWorker): void {
    const packed = this.#packer.pack(message);
    if (packed.length < TRANSFER_BYTES) this.#worker.postMessage(packed);
    else this.#worker.postMessage(packed, [packed.buffer]);
    ring(this.#bell);
    if (!mayLook) return;
    if (this.#awakeUntil === 0) setImmediate(() => this.#stayAwake());
    this.#awakeUntil = performance.now() + AWAKE_MS;
  }

  /** The process lives on while someone waits, and not because a store is open. */
  hold(use: 'waited for' | 'idle'): void {
    this.#use = use;
    if (use === 'idle') this.#worker.unref();
    else this.#worker.ref();
  }

  /** An event loop with something to do at once looks for messages and does not sleep. */
  #stayAwake(): void {
    if (this.#use === 'waited for' && performance.now() < this.#awakeUntil)
      setImmediate(() => this.#stayAwake());
    else this.#awakeUntil = 0;
  }

  /** Resolves when it has answered all, closed the file and ended; it is ended by force when that takes longer. */
  async close(timeoutMs: number): Promise<void> {
    this.#worker.ref();
    this.post({ type: 'close' });
    const force = setTimeout(() => void this.#worker.terminate(), timeoutMs);
    await this.#ended;
    clearTimeout(force);
  }
}
