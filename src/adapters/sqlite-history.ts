// The table of all changes, in the order in which they were made.
// Invariant: ids grow by one with each change, revisions never shrink with them; what compaction took leaves gaps, and of
// each key it takes the oldest changes first.
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { noBytes } from '../store/bytes.ts';
import type { KeyRange, Revision } from '../store/contract.ts';
import type { Change, Page } from '../store/keyspace.ts';
import { ENTRY_COLUMNS, StoredEntry, type EntryRow, type Place } from './sqlite-entry.ts';

/** Each 16th change of a key has a milestone: a walk back passes fewer than that. */
const MILESTONE_EVERY = 16;

type ChangeRow = [...EntryRow, sub: number, previous: number | null];

/** Whether a change has a milestone, by its age: keys that change seldom have none. */
export function hasMilestone(age: number): boolean {
  return age % MILESTONE_EVERY === MILESTONE_EVERY - 1;
}

/** The same as a condition on rows of the history. */
export const HAS_MILESTONE = `age % ${MILESTONE_EVERY} = ${MILESTONE_EVERY - 1}`;

/** The conditions of a range on a column, and what they are bound to. */
export function rangeCondition(column: string, { key, end }: KeyRange): [sql: string, bytes: Uint8Array[]] {
  if (end === undefined) return [`${column} = ?`, [key]];
  if (end.length === 0) return [`${column} >= ?`, [key]];
  return [`${column} >= ? AND ${column} < ?`, [key, end]];
}

export type Prepare = (sql: string) => StatementSync;

/** Prepares each text once. Rows come as arrays, in the order of the columns. */
export function statements(database: DatabaseSync): Prepare {
  const prepared = new Map<string, StatementSync>();
  return (sql) => {
    const known = prepared.get(sql);
    if (known !== undefined) return known;
    const statement = database.prepare(sql);
    statement.setReturnArrays(true);
    prepared.set(sql, statement);
    return statement;
  };
}

export class SqliteHistory {
  /** Of the next change. */
  nextId: number;
  readonly #prepare: Prepare;
  readonly #insert: StatementSync;
  readonly #entry: StatementSync;
  readonly #revisionFrom: StatementSync;
  readonly #previous: StatementSync;
  readonly #milestone: StatementSync;

  constructor(prepare: Prepare) {
    this.#prepare = prepare;
    this.#insert = prepare('INSERT INTO history VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
    this.#entry = prepare(`SELECT ${ENTRY_COLUMNS}, h.value FROM history h WHERE h.id = ?`);
    this.#revisionFrom = prepare('SELECT revision FROM history WHERE id >= ? ORDER BY id LIMIT 1');
    this.#previous = prepare('SELECT previous FROM history WHERE id = ?');
    this.#milestone = prepare('SELECT id FROM milestones WHERE key = ? AND id >= ? ORDER BY id LIMIT 1');
    this.nextId = this.#number(prepare('SELECT max(id) FROM history')) + 1;
  }

  /** Of the last change; 1 before the first. */
  revision(): Revision {
    return this.#number(this.#revisionFrom, this.nextId - 1) || 1;
  }

  /** Adds a change, which comes after `previous` of the same key, and tells its place. */
  append({ sub, entry }: Change, revision: Revision, previous: Place | undefined): Place {
    const id = this.nextId;
    const age = previous === undefined ? 0 : previous.age + 1;
    const { key, value, createRevision, version, lease } = entry;
    const before = previous?.id ?? null;
    this.#insert.run(id, revision, sub, createRevision, version, lease ?? null, before, age, key, value);
    this.nextId = id + 1;
    return { id, age };
  }

  /** The entry of a change; undefined for a deletion, and for what is compacted. */
  entry(id: number, keysOnly = false): StoredEntry | undefined {
    const row = this.#entry.get(id) as EntryRow | undefined;
    if (row === undefined || row[3] === 0) return undefined;
    if (keysOnly) row[7] = noBytes;
    return new StoredEntry(row);
  }

  /** The first id that belongs to `revision` or a later one; `newest` is the newest revision. */
  firstId(revision: Revision, newest: Revision): number {
    let low = 0;
    let high = this.nextId;
    const look = (id: number): void => {
      if (id <= low || id >= high) return;
      if (this.#number(this.#revisionFrom, id) >= revision) high = id;
      else low = id;
    };
    // Most revisions are one change, so it is there, or not far before.
    const guess = this.nextId - (newest - revision + 1);
    look(guess);
    look(guess - 1);
    look(guess - MILESTONE_EVERY);
    while (high - low > 1) look(Math.floor((low + high) / 2));
    return high;
  }

  /** The id of the last change of a key before the id `beyond`; `newest` is the id of its last change. */
  before(key: Uint8Array, newest: number, beyond: number): number | undefined {
    if (newest < beyond) return newest;
    let id: number | undefined = this.#number(this.#milestone, key, beyond) || newest;
    while (id !== undefined && id >= beyond) id = this.#number(this.#previous, id) || undefined;
    return id;
  }

  /** Changes from the id `first` up to `beyond`, whole revisions; stops after that with which `most` is reached. */
  changes(
    range: KeyRange,
    first: number,
    beyond: number,
    most: Page,
    floor: Revision,
  ): { readonly changes: Change[]; readonly stoppedAt: Revision | undefined } {
    const [where, key] = rangeCondition('h.key', range);
    const sql = `SELECT ${ENTRY_COLUMNS}, h.value, h.sub, h.previous FROM history h
      WHERE h.id >= ? AND h.id < ? AND ${where} ORDER BY h.id LIMIT ?`;
    const read = this.#prepare(sql);
    const some = Math.min(most.changes, 2 ** 31);
    const rows: ChangeRow[] = [];
    let bytes = 0;
    for (const row of read.iterate(first, beyond, ...key, some) as unknown as Iterable<ChangeRow>) {
      rows.push(row);
      bytes += row[6].length + row[7].length;
      if (bytes >= most.bytes) break;
    }
    const last = rows.at(-1);
    const stopped = last !== undefined && (rows.length === some || bytes >= most.bytes);
    if (stopped) {
      const rest = this.#prepare(`SELECT ${ENTRY_COLUMNS}, h.value, h.sub, h.previous FROM history h
        WHERE h.id > ? AND h.id < ? AND h.revision = ? AND ${where} ORDER BY h.id`);
      const end = Math.min(beyond, this.firstId(last[1] + 1, this.revision()));
      rows.push(...(rest.all(last[0], end, last[1], ...key) as unknown as ChangeRow[]));
    }
    return {
      changes: rows.map((row) => this.#change(row, floor)),
      stoppedAt: stopped ? last[1] : undefined,
    };
  }

  /** The entry before a change is known above the floor only. */
  #change(row: ChangeRow, floor: Revision): Change {
    const [id, revision, , version, , age, key] = row;
    const previous = row[9] === null || revision <= floor ? undefined : this.entry(row[9]);
    const stored = new StoredEntry([id, revision, row[2], version, row[4], age, key, row[7]]);
    return { type: version === 0 ? 'delete' : 'put', sub: row[8], entry: stored, previous };
  }

  /** The first column of the first row; 0 when there is none. */
  #number(statement: StatementSync, ...values: (number | Uint8Array)[]): number {
    const row = statement.get(...values) as unknown as readonly (number | null)[] | undefined;
    return row?.[0] ?? 0;
  }
}
