// Keeps the failure queue's record in the store.
// Invariant: one write is under way at a time, the newest record is the next, and only the newest pool of a name writes.
import { noFailures, type FailureQueueRecord } from '../../machines/failure-queue.ts';
import type { Clock, Log, Random, Timer } from '../ports.ts';
import { decodeText, utf8Encoder } from '../protocol/text.ts';
import type { Store } from '../store/contract.ts';

const RETRY_MS = 1_000;

interface Ports {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface QueueKeeper {
  /** What the pool before this one left. */
  readonly record: FailureQueueRecord;
  /** Writes what `newest` reads when its turn comes. */
  keep(newest: () => FailureQueueRecord): void;
  /** Resolves when what was to be kept is, or the store failed once more. */
  close(): Promise<void>;
}

/** Without a store nothing is kept. */
export const noKeeper: QueueKeeper = { record: noFailures, keep() {}, close: () => Promise.resolve() };

/** Reads the record, and makes this pool the one that writes it. @throws HoldfastError of the store */
export async function openQueueKeeper(store: Store, name: string, ports: Ports): Promise<QueueKeeper> {
  const key = utf8Encoder.encode(`/holdfast/pools/${name}/queue`);
  const owner = utf8Encoder.encode(`/holdfast/pools/${name}/owner`);
  const self = utf8Encoder.encode(ports.random.id());
  const { responses } = await store.txn({
    success: [
      { type: 'put', key: owner, value: self },
      { type: 'range', key },
    ],
  });
  const [, read] = responses;
  const value = read?.type === 'range' ? read.entries[0]?.value : undefined;
  const record = value === undefined ? noFailures : readRecord(value);
  if (record === undefined)
    ports.log.warn({ pool: name }, `the failure queue of pool ${name} cannot be read; it starts empty`);
  return new Keeper(store, { key, owner, self, name }, record ?? noFailures, ports);
}

interface Place {
  readonly key: Uint8Array;
  readonly owner: Uint8Array;
  readonly self: Uint8Array;
  readonly name: string;
}

class Keeper implements QueueKeeper {
  readonly record: FailureQueueRecord;
  readonly #store: Store;
  readonly #place: Place;
  readonly #ports: Ports;
  #state: 'open' | 'superseded' | 'closed' = 'open';
  /** Reads what is to be written. */
  #waiting: (() => FailureQueueRecord) | undefined;
  #writing: Promise<void> | undefined;
  #retry: Timer | undefined;
  #failures = 0;

  constructor(store: Store, place: Place, record: FailureQueueRecord, ports: Ports) {
    this.#store = store;
    this.#place = place;
    this.record = record;
    this.#ports = ports;
  }

  keep(newest: () => FailureQueueRecord): void {
    if (this.#state !== 'open') return;
    this.#waiting = newest;
    if (this.#retry === undefined) this.#pump();
  }

  async close(): Promise<void> {
    if (this.#retry !== undefined) this.#ports.clock.clearTimer(this.#retry);
    this.#retry = undefined;
    this.#pump();
    await this.#writing;
    if (this.#retry !== undefined) this.#ports.clock.clearTimer(this.#retry);
    this.#retry = undefined;
    if (this.#state === 'open') this.#state = 'closed';
  }

  #pump(): void {
    if (this.#writing !== undefined || this.#waiting === undefined) return;
    this.#writing = this.#drain().finally(() => {
      this.#writing = undefined;
    });
  }

  async #drain(): Promise<void> {
    // What changes in one turn is written once.
    await Promise.resolve();
    while (this.#waiting !== undefined && this.#state === 'open') {
      const newest = this.#waiting;
      this.#waiting = undefined;
      try {
        await this.#write(newest());
        this.#failures = 0;
      } catch (error) {
        this.#failed(newest, error);
        return;
      }
    }
  }

  async #write(record: FailureQueueRecord): Promise<void> {
    const { key, owner, self, name } = this.#place;
    const value = utf8Encoder.encode(JSON.stringify(record));
    const { succeeded } = await this.#store.txn({
      compare: [{ key: owner, target: 'value', relation: 'equal', operand: self }],
      success: [{ type: 'put', key, value }],
    });
    if (succeeded) return;
    this.#state = 'superseded';
    this.#waiting = undefined;
    this.#ports.log.error(
      { pool: name },
      `another pool of the name ${name} has started on this store; this one keeps its failure queue no longer: give it another name`,
    );
  }

  #failed(newest: () => FailureQueueRecord, error: unknown): void {
    const { clock, log } = this.#ports;
    this.#waiting ??= newest;
    this.#failures += 1;
    if (this.#failures === 1)
      log.error({ error: String(error) }, `the store does not keep the failure queue: ${error}; retrying`);
    this.#retry = clock.setTimer(() => {
      this.#retry = undefined;
      this.#pump();
    }, RETRY_MS);
  }
}

const isCount = (value: unknown): value is number => typeof value === 'number' && value >= 0;

/** Undefined for what no queue wrote. */
export function readRecord(bytes: Uint8Array): FailureQueueRecord | undefined {
  try {
    const read = JSON.parse(decodeText(bytes, 0, bytes.length)) as Record<string, unknown>;
    const totals = [read['totalFailed'], read['totalRecovered'], read['totalProbes'], read['totalCleared']];
    const { entries } = read as { entries: unknown };
    if (!totals.every(isCount) || !Array.isArray(entries)) return undefined;
    const isWhole = (entry: Record<string, unknown>): boolean =>
      typeof entry['endpoint'] === 'string' &&
      [entry['epoch'], entry['held'], entry['verifications'], entry['remainingMs'], entry['ejections']].every(
        isCount,
      );
    return entries.every(isWhole) ? (read as unknown as FailureQueueRecord) : undefined;
  } catch {
    return undefined;
  }
}
