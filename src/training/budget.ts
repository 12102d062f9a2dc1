// The gate's record in the store: how much of its budget is consumed.
// Invariant: one write at a time, and the last one that was asked for is written last; what failed is written with the next.
import type { GateRecord } from '../../machines/gate.ts';
import type { Log } from '../ports.ts';
import { decodeText, utf8Encoder } from '../protocol/text.ts';
import { budgetKey, budgetRecord, type BudgetRecord } from '../protocol/training-records.ts';
import type { Store } from '../store/contract.ts';

const NOTHING: GateRecord = { consumedMs: 0, from: 'gathering' };

export class Budget {
  readonly #store: Store;
  readonly #key: Uint8Array;
  readonly #log: Log;
  #next: GateRecord | undefined;
  #writing: Promise<void> | undefined;
  #failures = 0;

  constructor(store: Store, run: string, log: Log) {
    this.#store = store;
    this.#key = utf8Encoder.encode(budgetKey(run));
    this.#log = log;
  }

  /** Nothing is consumed where there is no record, or none that can be read. */
  async load(): Promise<GateRecord> {
    const { entries } = await this.#store.range({ key: this.#key });
    const [entry] = entries;
    if (entry === undefined) return NOTHING;
    try {
      return recordOf(JSON.parse(decodeText(entry.value, 0, entry.value.length)));
    } catch (error) {
      this.#log.warn(
        { error: String(error) },
        "the record of the gate's budget cannot be read; it begins anew",
      );
      return NOTHING;
    }
  }

  record(record: GateRecord): void {
    this.#next = record;
    this.#writing ??= this.#write().finally(() => (this.#writing = undefined));
  }

  /** All that was asked for is written, or has failed. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    for (let record = this.#next; record !== undefined; record = this.#next) {
      this.#next = undefined;
      const { consumedMs, from } = record;
      const value = utf8Encoder.encode(JSON.stringify({ consumedMs, state: from } satisfies BudgetRecord));
      try {
        await this.#store.put({ key: this.#key, value });
        this.#failures = 0;
      } catch (error) {
        this.#failures += 1;
        // Once for each time that it breaks: a record is due ten times a second.
        if (this.#failures === 1)
          this.#log.warn(
            { error: String(error) },
            `the gate's budget could not be recorded: ${String(error)}; a restart would give it back`,
          );
      }
    }
  }
}

function recordOf(value: unknown): GateRecord {
  const { consumedMs, state } = budgetRecord.parse(value);
  return { consumedMs, from: state === 'paused' ? 'paused' : 'gathering' };
}
