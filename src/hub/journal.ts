// What a hub writes into the store: values of keys under /holdfast/, the newest of each, in few transactions.
// Invariant: each write holds only while this start of the hub is the newest of its id; nothing in the fleet waits for one.
import type { Clock, Log, Timer } from '../ports.ts';
import type { Operation, Store } from '../store/contract.ts';
import { utf8Encoder } from '../protocol/text.ts';

/** Key that this start of the hub wrote, and the revision at which it did: whoever writes it later is newer. */
export interface Fence {
  readonly key: Uint8Array;
  readonly revision: number;
}

export interface JournalOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly fence: Fence;
  /** Another hub of the same id has started. Once; nothing is written after it. */
  superseded(): void;
}

/** A transaction takes at most 128 operations on every engine. */
const MAX_OPERATIONS = 100;
const RETRY_MS = 1_000;

export class Journal {
  readonly #options: JournalOptions;
  /** What is to be written; undefined: to be deleted. */
  readonly #waiting = new Map<string, string | undefined>();
  #state: 'open' | 'superseded' | 'closed' = 'open';
  #writing: Promise<void> | undefined;
  #retry: Timer | undefined;
  /** Transactions that failed in a row. */
  #failures = 0;

  constructor(options: JournalOptions) {
    this.#options = options;
  }

  /** The newest value of a key counts; undefined deletes it. */
  write(key: string, value: string | undefined): void {
    if (this.#state !== 'open') return;
    this.#waiting.delete(key);
    this.#waiting.set(key, value);
    if (this.#retry === undefined) this.#pump();
  }

  /** Writes what waits, unless the store fails; then says what was not kept. */
  async close(): Promise<void> {
    if (this.#retry !== undefined) this.#options.clock.clearTimer(this.#retry);
    this.#retry = undefined;
    this.#pump();
    await this.#writing;
    if (this.#state === 'open') this.#state = 'closed';
    if (this.#waiting.size > 0)
      this.#options.log.error({}, `${this.#waiting.size} records of the fleet were not kept by the store`);
  }

  #pump(): void {
    if (this.#writing !== undefined || this.#waiting.size === 0 || this.#state !== 'open') return;
    // What changes in one turn goes together.
    this.#writing = this.#drain().finally(() => {
      this.#writing = undefined;
    });
  }

  async #drain(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.size > 0 && this.#state === 'open') {
      const batch = [...this.#waiting].slice(0, MAX_OPERATIONS);
      for (const [key] of batch) this.#waiting.delete(key);
      try {
        await this.#commit(batch);
        if (this.#failures > 0) this.#options.log.info({}, 'the store keeps records of the fleet again');
        this.#failures = 0;
      } catch (error) {
        this.#failed(batch, error);
        return;
      }
    }
  }

  async #commit(batch: readonly (readonly [string, string | undefined])[]): Promise<void> {
    const { store, fence } = this.#options;
    const { succeeded } = await store.txn({
      compare: [{ key: fence.key, target: 'modRevision', relation: 'equal', operand: fence.revision }],
      success: batch.map(([name, value]): Operation => {
        const key = utf8Encoder.encode(name);
        return value === undefined
          ? { type: 'delete', key }
          : { type: 'put', key, value: utf8Encoder.encode(value) };
      }),
    });
    if (succeeded) return;
    this.#state = 'superseded';
    this.#waiting.clear();
    this.#options.superseded();
  }

  /** Values that are newer by now stay; the others are tried again. They are absolute, so writing one twice does no harm. */
  #failed(batch: readonly (readonly [string, string | undefined])[], error: unknown): void {
    const { clock, log } = this.#options;
    for (const [key, value] of batch) if (!this.#waiting.has(key)) this.#waiting.set(key, value);
    this.#failures += 1;
    if (this.#failures === 1)
      log.error(
        { error: String(error) },
        `the store keeps no records of the fleet: ${String(error)}; retrying`,
      );
    this.#retry = clock.setTimer(() => {
      this.#retry = undefined;
      this.#pump();
    }, RETRY_MS);
  }
}
