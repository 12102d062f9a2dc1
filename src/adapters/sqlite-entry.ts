// An entry that knows where it lies in the history, so that the change after it need not look that up.
// Invariant: to everyone else it is a plain entry.
import { noBytes } from '../store/bytes.ts';
import type { KeyValue, LeaseId, Revision } from '../store/contract.ts';

/** A row of `history`, as `ENTRY_COLUMNS` orders it. */
export type EntryRow = [
  id: number,
  revision: number,
  created: number,
  version: number,
  lease: string | null,
  age: number,
  key: Uint8Array,
  value: Uint8Array,
];

/** The value comes last, so that a long one is not read over on the way to the rest. */
export const ENTRY_COLUMNS = 'h.id, h.revision, h.created, h.version, h.lease, h.age, h.key';

export class StoredEntry implements KeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly createRevision: Revision;
  readonly modRevision: Revision;
  readonly version: number;
  readonly lease?: LeaseId;
  readonly #id: number;
  readonly #age: number;

  constructor(row: EntryRow) {
    this.key = row[6];
    this.value = row[7];
    this.createRevision = row[2];
    this.modRevision = row[1];
    this.version = row[3];
    if (row[4] !== null) this.lease = row[4];
    this.#id = row[0];
    this.#age = row[5];
  }

  /** For those who do not want its value. */
  keyOnly(): StoredEntry {
    const { key, createRevision, modRevision, version, lease = null } = this;
    return new StoredEntry([this.#id, modRevision, createRevision, version, lease, this.#age, key, noBytes]);
  }

  /** Where it lies; undefined for an entry of another origin. */
  static place(entry: KeyValue | undefined): Place | undefined {
    return entry !== undefined && #id in entry ? { id: entry.#id, age: entry.#age } : undefined;
  }
}

/** Of one change among all (`id`) and among those of its key (`age`, from 0). */
export interface Place {
  readonly id: number;
  readonly age: number;
}
