// Which change is the last of each key: the tables of the index, and over them the recent changes that these do not know yet.
// Invariant: whoever asks gets the same answers whether the index has followed or not.
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { compareBytes, keyText } from '../store/bytes.ts';
import type { KeyRange, KeyValue, LeaseId, Revision } from '../store/contract.ts';
import type { Change } from '../store/keyspace.ts';
import { unflushed } from './sqlite-database.ts';
import { ENTRY_COLUMNS, StoredEntry, type EntryRow } from './sqlite-entry.ts';
import { rangeCondition, type Prepare, type SqliteHistory } from './sqlite-history.ts';
import { RecentKey, SqliteRecent } from './sqlite-recent.ts';

/** Entries that a scan reads at once: few first, because many ask for few; then as many as these bytes. */
const FIRST_PAGE = 16;
const LARGEST_PAGE = 1_024;
const PAGE_BYTES = 4_194_304;

interface ScanOptions {
  readonly keysOnly: boolean;
  readonly descending: boolean;
}

export class SqliteIndex {
  readonly #database: DatabaseSync;
  readonly #prepare: Prepare;
  readonly #history: SqliteHistory;
  readonly #recent: SqliteRecent;
  readonly #get: StatementSync;
  readonly #place: StatementSync;

  constructor(database: DatabaseSync, prepare: Prepare, history: SqliteHistory) {
    this.#database = database;
    this.#prepare = prepare;
    this.#history = history;
    this.#recent = new SqliteRecent(prepare);
    this.#get = prepare(
      `SELECT ${ENTRY_COLUMNS}, h.value FROM newest n CROSS JOIN history h ON h.id = n.id WHERE n.key = ? AND n.live = 1`,
    );
    this.#place = prepare(
      'SELECT n.id, h.age, n.live FROM newest n CROSS JOIN history h ON h.id = n.id WHERE n.key = ?',
    );
  }

  /** Changes up to this id are in the tables. */
  get indexed(): number {
    return this.#recent.indexed;
  }

  /** Whether so much is not in the tables that they should follow. */
  get lags(): boolean {
    return this.#recent.isMuch(this.#history.nextId);
  }

  begin(): void {
    this.#recent.begin();
  }

  rollback(): void {
    this.#recent.rollback();
  }

  /** Lets the tables follow the history, outside of transactions. @throws what SQLite says; then they stay as they were */
  follow(): void {
    if (this.#recent.isEmpty) return;
    const { nextId } = this.#history;
    unflushed(this.#database, () => this.#recent.write(nextId));
    this.#recent.followed(nextId);
  }

  /** Adds a change to the history and notes that it is its key's last. */
  append(change: Change, revision: Revision): void {
    const { key } = change.entry;
    const known = this.#recent.get(key);
    const before = known?.last ?? StoredEntry.place(change.previous);
    if (before !== undefined) {
      this.#recent.set(change, revision, this.#history.append(change, revision, before), 'live');
      return;
    }
    const row = this.#place.get(key) as unknown as [id: number, age: number, live: 0 | 1] | undefined;
    const place = row === undefined ? undefined : { id: row[0], age: row[1] };
    const indexedAs = row?.[2] === 1 ? 'live' : 'absent';
    this.#recent.set(change, revision, this.#history.append(change, revision, place), indexedAs);
  }

  /** The entry of a key before the id `beyond`; undefined stands for now. */
  get(key: Uint8Array, beyond: number | undefined): KeyValue | undefined {
    const recent = this.#recentFor(beyond)?.get(key);
    if (recent !== undefined) return this.#recentEntry(recent, beyond, false);
    if (beyond === undefined) {
      const known = this.#recent.known(key);
      if (known !== undefined) return known;
      const row = this.#get.get(key) as EntryRow | undefined;
      return row === undefined ? undefined : new StoredEntry(row);
    }
    const place = this.#place.get(key) as unknown as [id: number] | undefined;
    return place === undefined ? undefined : this.#entryBefore(key, place[0], beyond, false);
  }

  *scan(range: KeyRange, beyond: number | undefined, options: ScanOptions): Generator<KeyValue, void> {
    const { keysOnly } = options;
    for (const found of this.#lastOf(range, beyond, options)) {
      if (found instanceof RecentKey) {
        const entry = this.#recentEntry(found, beyond, keysOnly);
        if (entry !== undefined) yield entry;
      } else if (beyond === undefined || found[0] < beyond) {
        if (found[3] !== 0) yield new StoredEntry(found);
      } else {
        const entry = this.#entryBefore(found[6], found[0], beyond, keysOnly);
        if (entry !== undefined) yield entry;
      }
    }
  }

  count(range: KeyRange, beyond: number | undefined): number {
    const [where, bytes] = rangeCondition('key', range);
    let count = 0;
    for (const recent of this.#recentFor(beyond)?.within(range, false) ?? []) {
      if (this.#recentEntry(recent, beyond, true) !== undefined) count += 1;
      if (recent.indexedAs === 'live') count -= 1;
    }
    if (beyond === undefined || beyond > this.indexed) {
      return count + this.#number(`SELECT count(*) FROM newest WHERE ${where} AND live = 1`, ...bytes);
    }
    const untouched = `SELECT count(*) FROM newest WHERE ${where} AND live = 1 AND id < ?`;
    count += this.#number(untouched, ...bytes, beyond);
    const changed = this.#prepare(`SELECT key, id FROM newest WHERE ${where} AND id >= ?`);
    for (const [key, newest] of changed.all(...bytes, beyond) as unknown as [Uint8Array, number][])
      if (this.#entryBefore(key, newest, beyond, true) !== undefined) count += 1;
    return count;
  }

  /** The keys of a lease, in order. */
  keysOf(lease: LeaseId): readonly Uint8Array[] {
    const rows = this.#prepare('SELECT key FROM newest WHERE lease = ? ORDER BY key').all(lease);
    const indexed = (rows as unknown as [Uint8Array][]).map(([key]) => key);
    if (this.#recent.isEmpty) return indexed;
    const keys = indexed.filter((key) => this.#recent.get(key) === undefined);
    for (const { key } of this.#recent.leased(lease)) keys.push(key);
    return keys.sort(compareBytes);
  }

  /** Recent changes, where they count: what was before an id that the tables know, these know alone. */
  #recentFor(beyond: number | undefined): SqliteRecent | undefined {
    return beyond === undefined || beyond > this.indexed + 1 ? this.#recent : undefined;
  }

  #recentEntry(recent: RecentKey, beyond: number | undefined, keysOnly: boolean): KeyValue | undefined {
    const { id, is, entry } = recent.last;
    if (beyond !== undefined && id >= beyond)
      return this.#entryBefore(recent.key, recent.walkFrom(beyond), beyond, keysOnly);
    if (is === 'deleted') return undefined;
    if (entry === undefined) return this.#history.entry(id, keysOnly);
    return keysOnly ? entry.keyOnly() : entry;
  }

  #entryBefore(key: Uint8Array, newest: number, beyond: number, keysOnly: boolean): StoredEntry | undefined {
    const id = this.#history.before(key, newest, beyond);
    return id === undefined ? undefined : this.#history.entry(id, keysOnly);
  }

  /** The last change of each key, in order: of the tables, where there is no recent one. */
  *#lastOf(
    range: KeyRange,
    beyond: number | undefined,
    options: ScanOptions,
  ): Generator<EntryRow | RecentKey, void> {
    const recents = this.#recentFor(beyond)?.within(range, options.descending);
    let next = recents?.next();
    for (const row of this.#indexedIn(range, beyond, options)) {
      if (next?.done === false) {
        const text = keyText(row[6]);
        while (next.done === false && comesBefore(next.value.text, text, options)) {
          yield next.value;
          next = recents?.next() as IteratorResult<RecentKey, void>;
        }
        if (next.done === false && next.value.text === text) continue;
      }
      yield row;
    }
    while (next?.done === false) {
      yield next.value;
      next = recents?.next();
    }
  }

  /** The last change of each key that the tables know, page by page, so that nothing stays open while the caller does other things. */
  *#indexedIn(
    range: KeyRange,
    beyond: number | undefined,
    { keysOnly, descending }: ScanOptions,
  ): Generator<EntryRow, void> {
    const [where, bytes] = rangeCondition('n.key', range);
    // Of the past, keys that are deleted now count too.
    const alive = beyond === undefined ? 'AND n.live = 1' : '';
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

  #number(sql: string, ...values: (number | Uint8Array)[]): number {
    const row = this.#prepare(sql).get(...values) as unknown as readonly number[] | undefined;
    return row?.[0] ?? 0;
  }
}

function comesBefore(recent: string, row: string, { descending }: ScanOptions): boolean {
  return descending ? recent > row : recent < row;
}
