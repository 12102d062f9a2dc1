// A keyspace in a file: what the engine `file:` keeps.
// Invariant: index and recent changes together name the last change of each key, deletions too until they are swept;
// `history` holds the rest.
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { KeyRange, KeyValue, LeaseId, Revision } from '../store/contract.ts';
import type { Change, ChangesThrough, Keyspace, LeaseRecord, Page } from '../store/keyspace.ts';
import { storeFailure } from './sqlite-failure.ts';
import { SqliteHistory, statements, type Prepare } from './sqlite-history.ts';
import { SqliteIndex } from './sqlite-index.ts';
import { SqliteSweep } from './sqlite-sweep.ts';

/** Changes that one slice of sweeping looks at: about a millisecond. */
const SLICE_CHANGES = 256;

type LeaseRow = [id: string, grantedSeconds: number, remainingMs: number];

const leaseRecord = ([id, grantedSeconds, remainingMs]: LeaseRow): LeaseRecord => ({
  id,
  grantedSeconds,
  remainingMs,
});

export class SqliteKeyspace implements Keyspace {
  revision: Revision;
  compactRevision: Revision;
  /** Transactions that were committed since it was opened. */
  commits = 0;
  readonly #database: DatabaseSync;
  readonly #directory: string;
  readonly #prepare: Prepare;
  readonly #history: SqliteHistory;
  readonly #index: SqliteIndex;
  readonly #sweep: SqliteSweep;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  #log: 'sound' | 'doubtful' = 'sound';
  /** How it was when the transaction began. */
  #before: { revision: Revision; compactRevision: Revision; nextId: number };

  /** `directory` is where the database lies, for messages. */
  constructor(database: DatabaseSync, directory: string) {
    this.#database = database;
    this.#directory = directory;
    const prepare = statements(database);
    this.#prepare = prepare;
    this.#history = new SqliteHistory(prepare);
    this.#index = new SqliteIndex(database, prepare, this.#history);
    this.#sweep = new SqliteSweep(database, prepare, this.#history);
    this.#begin = prepare('BEGIN');
    this.#commit = prepare('COMMIT');
    this.revision = this.#history.revision();
    this.compactRevision = this.#number('SELECT compacted FROM progress');
    this.#before = { revision: this.revision, compactRevision: this.compactRevision, nextId: 0 };
  }

  get sizeBytes(): number {
    return this.#number('PRAGMA page_count') * this.#number('PRAGMA page_size');
  }

  /**
   * Whether a transaction is open that could be neither committed nor rolled back, or a flush failed. The system then takes
   * for written what it may have lost (https://wiki.postgresql.org/wiki/Fsync_Errors), earlier commits that waited for this
   * flush among it: only closing the file writes all of it anew.
   */
  get isBroken(): boolean {
    return this.#database.isTransaction || this.#log === 'doubtful';
  }

  begin(): void {
    const { revision, compactRevision } = this;
    this.#before = { revision, compactRevision, nextId: this.#history.nextId };
    this.#index.begin();
    this.#begin.run();
  }

  commit(): void {
    try {
      this.#commit.run();
    } catch (cause) {
      const failure = storeFailure(this.#directory, cause);
      if (failure.started === 'unknown') this.#log = 'doubtful';
      throw failure;
    }
    this.commits += 1;
  }

  rollback(): void {
    this.revision = this.#before.revision;
    this.compactRevision = this.#before.compactRevision;
    this.#history.nextId = this.#before.nextId;
    this.#index.rollback();
    // Some failures end the transaction by themselves.
    if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
  }

  get(key: Uint8Array, at?: Revision): KeyValue | undefined {
    return this.#index.get(key, this.#beyond(at));
  }

  scan(
    range: KeyRange,
    at: Revision | undefined,
    options: { readonly keysOnly: boolean; readonly descending: boolean },
  ): Iterable<KeyValue> {
    return this.#index.scan(range, this.#beyond(at), options);
  }

  count(range: KeyRange, at?: Revision): number {
    return this.#index.count(range, this.#beyond(at));
  }

  write(revision: Revision, changes: readonly Change[]): void {
    this.revision = revision;
    try {
      for (const change of changes) this.#index.append(change, revision);
    } catch (cause) {
      throw storeFailure(this.#directory, cause);
    }
  }

  history(range: KeyRange, from: Revision, to: Revision, most: Page): ChangesThrough {
    const first = this.#history.firstId(from, this.revision);
    const beyond = this.#history.firstId(to + 1, this.revision);
    const found = this.#history.changes(range, first, beyond, most, this.compactRevision);
    return { changes: found.changes, through: found.stoppedAt ?? to };
  }

  compact(revision: Revision): void {
    this.compactRevision = revision;
    this.#prepare('UPDATE progress SET compacted = ?').run(revision);
  }

  /** Whether the index should follow, lest opening takes long and memory grows. */
  get lags(): boolean {
    return this.#index.lags;
  }

  /** Lets the index follow the history, outside of transactions. @throws what SQLite says; then nothing has changed */
  follow(): void {
    this.#index.follow();
  }

  /** Frees a slice of what compaction left, outside of transactions; tells whether more is left. */
  sweep(changes = SLICE_CHANGES): 'more' | 'done' {
    // What is not in the index yet is not swept.
    if (this.#index.indexed + 1 < this.#history.firstId(this.compactRevision, this.revision))
      this.#index.follow();
    return this.#sweep.slice(this.compactRevision, this.revision, changes);
  }

  defragment(): 'more' | 'nothing' {
    // A compaction of this batch has not been told yet.
    if (this.compactRevision !== this.#before.compactRevision) return 'more';
    if (this.sweep() === 'more') return 'more';
    return this.#sweep.shrink();
  }

  keysOf(lease: LeaseId): readonly Uint8Array[] {
    return this.#index.keysOf(lease);
  }

  leases(): readonly LeaseRecord[] {
    const rows = this.#prepare('SELECT id, granted_seconds, remaining_ms FROM leases').all();
    return (rows as unknown as LeaseRow[]).map(leaseRecord);
  }

  lease(id: LeaseId): LeaseRecord | undefined {
    const row = this.#prepare('SELECT id, granted_seconds, remaining_ms FROM leases WHERE id = ?').get(id);
    return row === undefined ? undefined : leaseRecord(row as unknown as LeaseRow);
  }

  putLease({ id, grantedSeconds, remainingMs }: LeaseRecord): void {
    this.#prepare('INSERT OR REPLACE INTO leases VALUES(?, ?, ?)').run(id, grantedSeconds, remainingMs);
  }

  deleteLease(id: LeaseId): void {
    this.#prepare('DELETE FROM leases WHERE id = ?').run(id);
  }

  close(): void {
    try {
      this.#index.follow();
    } catch {
      // A disk that is full, or a file that may only be read. Whoever opens it next reads what the index lacks.
    }
    this.#database.close();
  }

  #number(sql: string, ...values: (number | Uint8Array)[]): number {
    const row = this.#prepare(sql).get(...values) as unknown as readonly number[] | undefined;
    return row?.[0] ?? 0;
  }

  /** The first id that is later than a revision; undefined when none is. */
  #beyond(at: Revision | undefined): number | undefined {
    return at === undefined || at >= this.revision ? undefined : this.#history.firstId(at + 1, this.revision);
  }
}
