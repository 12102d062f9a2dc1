// A keyspace in a file: what the engine `file:` keeps.
// Invariant: `newest` names the last change of each key, deletions too until they are swept; `history` holds the rest.
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { KeyRange, KeyValue, LeaseId, Revision } from '../store/contract.ts';
import type { Change, ChangesThrough, Keyspace, LeaseRecord, Page } from '../store/keyspace.ts';
import { ENTRY_COLUMNS, StoredEntry, type EntryRow, type Place } from './sqlite-entry.ts';
import { storeFailure } from './sqlite-failure.ts';
import { rangeCondition, SqliteHistory, statements } from './sqlite-history.ts';
import { SqliteSweep } from './sqlite-sweep.ts';

/** Entries that a scan reads at once: few first, because many ask for few; then as many as these bytes. */
const FIRST_PAGE = 16;
const LARGEST_PAGE = 1_024;
const PAGE_BYTES = 4_194_304;

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
  readonly #prepare: (sql: string) => StatementSync;
  readonly #history: SqliteHistory;
  readonly #sweep: SqliteSweep;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #get: StatementSync;
  readonly #place: StatementSync;
  readonly #setNewest: StatementSync;
  /** How it was when the transaction began. */
  #before: { revision: Revision; compactRevision: Revision; nextId: number };

  /** `directory` is where the database lies, for messages. */
  constructor(database: DatabaseSync, directory: string) {
    this.#database = database;
    this.#directory = directory;
    const prepare = statements(database);
    this.#prepare = prepare;
    this.#history = new SqliteHistory(prepare);
    this.#sweep = new SqliteSweep(database, prepare, this.#history);
    this.#begin = prepare('BEGIN');
    this.#commit = prepare('COMMIT');
    this.#get = prepare(
      `SELECT ${ENTRY_COLUMNS}, h.value FROM newest n CROSS JOIN history h ON h.id = n.id WHERE n.key = ? AND n.live = 1`,
    );
    this.#place = prepare(
      'SELECT n.id, h.age FROM newest n CROSS JOIN history h ON h.id = n.id WHERE n.key = ?',
    );
    this.#setNewest = prepare(
      `INSERT INTO newest VALUES(?, ?, ?, ?)
       ON CONFLICT(key) DO UPDATE SET id = excluded.id, live = excluded.live, lease = excluded.lease`,
    );
    this.revision = this.#history.revision();
    this.compactRevision = this.#number('SELECT compacted FROM progress');
    this.#before = { revision: this.revision, compactRevision: this.compactRevision, nextId: 0 };
  }

  get sizeBytes(): number {
    return this.#number('PRAGMA page_count') * this.#number('PRAGMA page_size');
  }

  /** Whether a transaction is open that could be neither committed nor rolled back. */
  get isBroken(): boolean {
    return this.#database.isTransaction;
  }

  begin(): void {
    const { revision, compactRevision } = this;
    this.#before = { revision, compactRevision, nextId: this.#history.nextId };
    this.#begin.run();
  }

  commit(): void {
    try {
      this.#commit.run();
    } catch (cause) {
      throw storeFailure(this.#directory, cause);
    }
    this.commits += 1;
  }

  rollback(): void {
    this.revision = this.#before.revision;
    this.compactRevision = this.#before.compactRevision;
    this.#history.nextId = this.#before.nextId;
    // Some failures end the transaction by themselves.
    if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
  }

  get(key: Uint8Array, at?: Revision): KeyValue | undefined {
    if (at !== undefined && at < this.revision) return this.#getAt(key, at);
    const row = this.#get.get(key) as EntryRow | undefined;
    return row === undefined ? undefined : new StoredEntry(row);
  }

  *scan(
    range: KeyRange,
    at: Revision | undefined,
    { keysOnly, descending }: { readonly keysOnly: boolean; readonly descending: boolean },
  ): Iterable<KeyValue> {
    const beyond = this.#beyond(at);
    // Of the past, keys that are deleted now count too.
    const alive = beyond === undefined ? 'AND n.live = 1' : '';
    for (const row of this.#newestOf(range, alive, keysOnly, descending)) {
      if (beyond === undefined || row[0] < beyond) {
        if (row[3] !== 0) yield new StoredEntry(row);
        continue;
      }
      const id = this.#history.before(row[6], row[0], beyond);
      const entry = id === undefined ? undefined : this.#history.entry(id, keysOnly);
      if (entry !== undefined) yield entry;
    }
  }

  count(range: KeyRange, at?: Revision): number {
    const beyond = this.#beyond(at);
    const [where, bytes] = rangeCondition('key', range);
    if (beyond === undefined) {
      return this.#number(`SELECT count(*) FROM newest WHERE ${where} AND live = 1`, ...bytes);
    }
    const untouched = `SELECT count(*) FROM newest WHERE ${where} AND live = 1 AND id < ?`;
    let count = this.#number(untouched, ...bytes, beyond);
    const changed = this.#prepare(`SELECT key, id FROM newest WHERE ${where} AND id >= ?`);
    for (const [key, newest] of changed.all(...bytes, beyond) as unknown as [Uint8Array, number][]) {
      const id = this.#history.before(key, newest, beyond);
      if (id !== undefined && this.#history.entry(id) !== undefined) count += 1;
    }
    return count;
  }

  write(revision: Revision, changes: readonly Change[]): void {
    this.revision = revision;
    try {
      for (const change of changes) this.#write(revision, change);
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

  /** Frees a slice of what compaction left, outside of transactions; tells whether more is left. */
  sweep(changes: number): 'more' | 'done' {
    return this.#sweep.slice(this.compactRevision, this.revision, changes);
  }

  keysOf(lease: LeaseId): readonly Uint8Array[] {
    const rows = this.#prepare('SELECT key FROM newest WHERE lease = ? ORDER BY key').all(lease);
    return (rows as unknown as [Uint8Array][]).map(([key]) => key);
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

  #write(revision: Revision, change: Change): void {
    const { entry, previous, type } = change;
    const place = StoredEntry.place(previous) ?? this.#placeOf(entry.key);
    const id = this.#history.append(change, revision, place);
    this.#setNewest.run(entry.key, id, type === 'put' ? 1 : 0, entry.lease ?? null);
  }

  #placeOf(key: Uint8Array): Place | undefined {
    const row = this.#place.get(key) as unknown as [id: number, age: number] | undefined;
    return row === undefined ? undefined : { id: row[0], age: row[1] };
  }

  #getAt(key: Uint8Array, at: Revision): KeyValue | undefined {
    const place = this.#placeOf(key);
    if (place === undefined) return undefined;
    const beyond = this.#history.firstId(at + 1, this.revision);
    const id = this.#history.before(key, place.id, beyond);
    return id === undefined ? undefined : this.#history.entry(id);
  }

  /** The last change of each key, page by page, so that nothing stays open while the caller does other things. */
  *#newestOf(range: KeyRange, alive: string, keysOnly: boolean, descending: boolean): Iterable<EntryRow> {
    const [where, bytes] = rangeCondition('n.key', range);
    const value = keysOnly ? "x''" : 'h.value';
    const select = (condition: string): StatementSync =>
      this.#prepare(`SELECT ${ENTRY_COLUMNS}, ${value} FROM newest n CROSS JOIN history h ON h.id = n.id
        WHERE ${condition} ${alive} ORDER BY n.key ${descending ? 'DESC' : ''} LIMIT ?`);
    let rows = select(where).all(...bytes, FIRST_PAGE) as unknown as EntryRow[];
    for (let size = FIRST_PAGE; ;) {
      yield* rows;
      const last = rows.at(-1);
      if (last === undefined || rows.length < size) return;
      const pageBytes = rows.reduce((sum, row) => sum + row[6].length + row[7].length, 0);
      size = Math.max(1, Math.min(LARGEST_PAGE, size * 4, Math.floor((PAGE_BYTES * size) / (pageBytes + 1))));
      const further = `${where} AND n.key ${descending ? '<' : '>'} ?`;
      rows = select(further).all(...bytes, last[6], size) as unknown as EntryRow[];
    }
  }
}
