// Takes what compaction freed out of the file, a slice at a time, so that writers never wait long.
// Invariant: before and after each slice reads at and above the floor answer the same; a crash costs one slice of work.
import type { DatabaseSync } from 'node:sqlite';
import type { Revision } from '../store/contract.ts';
import { unflushed } from './sqlite-database.ts';
import { hasMilestone, type Prepare, type SqliteHistory } from './sqlite-history.ts';

/** Share of free pages that stays in the file for what is written next. */
const SPARE_SHARE = 0.25;
/** Pages given back in one slice. */
const VACUUM_PAGES = 512;

type SweptRow = [id: number, version: number, previous: number | null, age: number, key: Uint8Array];

export class SqliteSweep {
  readonly #database: DatabaseSync;
  readonly #prepare: Prepare;
  readonly #history: SqliteHistory;
  /** Changes with a smaller id were looked at. */
  #swept: number;

  constructor(database: DatabaseSync, prepare: Prepare, history: SqliteHistory) {
    this.#database = database;
    this.#prepare = prepare;
    this.#history = history;
    this.#swept = this.#number('SELECT swept FROM progress');
  }

  /**
   * Does a slice of `changes` changes and tells whether work is left. Each change below the floor frees the one before it of
   * the same key, and a deletion frees itself. Those of the floor's own revision are still history.
   */
  slice(floor: Revision, newest: Revision, changes: number): 'more' | 'done' {
    const beyond = floor < 1 ? 0 : this.#history.firstId(floor, newest);
    const rows = this.#prepare(
      'SELECT id, version, previous, age, key FROM history WHERE id >= ? AND id < ? ORDER BY id LIMIT ?',
    ).all(this.#swept, beyond, changes) as unknown as SweptRow[];
    const last = rows.at(-1);
    if (last === undefined) return this.#giveBack();
    unflushed(this.#database, () => {
      for (const row of rows) this.#sweep(row);
      this.#prepare('UPDATE progress SET swept = ?').run(last[0] + 1);
    });
    this.#swept = last[0] + 1;
    return 'more';
  }

  #sweep([id, version, previous, age, key]: SweptRow): void {
    if (previous !== null) this.#remove(previous, age - 1, key);
    if (version !== 0) return;
    this.#remove(id, age, key);
    this.#prepare('DELETE FROM newest WHERE key = ? AND id = ?').run(key, id);
  }

  #remove(id: number, age: number, key: Uint8Array): void {
    this.#prepare('DELETE FROM history WHERE id = ?').run(id);
    if (hasMilestone(age)) this.#prepare('DELETE FROM milestones WHERE key = ? AND id = ?').run(key, id);
  }

  /** Gives free pages back to the file system while there are too many. */
  #giveBack(): 'more' | 'done' {
    const free = this.#number('PRAGMA freelist_count');
    const spare = Math.floor(this.#number('PRAGMA page_count') * SPARE_SHARE);
    if (free <= Math.max(spare, VACUUM_PAGES)) return 'done';
    this.#database.exec(`PRAGMA incremental_vacuum(${VACUUM_PAGES})`);
    return 'more';
  }

  /** Gives back a slice of the free pages that writers were left; at last the file takes what it needs. */
  shrink(): 'more' | 'nothing' {
    const more = this.#number('PRAGMA freelist_count') > VACUUM_PAGES;
    this.#database.exec(`PRAGMA incremental_vacuum(${VACUUM_PAGES})`);
    // The main file shrinks when the log is moved into it.
    if (!more) this.#database.exec('PRAGMA wal_checkpoint(FULL)');
    return more ? 'more' : 'nothing';
  }

  #number(sql: string): number {
    const row = this.#prepare(sql).get() as unknown as readonly number[] | undefined;
    return row?.[0] ?? 0;
  }
}
