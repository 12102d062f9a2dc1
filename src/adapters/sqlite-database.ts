// The file of a store: how it is opened, recognized, locked and brought to the present form.
// Invariant: one process holds it at a time; what is not ours is never changed.
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';

const FILE_NAME = 'holdfast.db';

/** "HFST": who looks at the file with other tools sees whose it is. */
const APPLICATION_ID = 0x48_46_53_54;

/** A commit flushes whole pages, and keys lie scattered over them: with 4 KiB it writes half as much again. */
const PAGE_BYTES = 2_048;

/** Pages of the write-ahead log after which its changes move into the main file: 2 MiB. */
const CHECKPOINT_PAGES = 1_024;

/** The log as long as it is between two checkpoints. A page has a header of 24 bytes there, and the log one of 32. */
const LOG_BYTES = 32 + CHECKPOINT_PAGES * (24 + PAGE_BYTES);

/** What a large transaction leaves of the write-ahead log, in bytes. */
const LOG_LIMIT_BYTES = 16_777_216;

/** In KiB. */
const CACHE_KIB = 65_536;

/**
 * One step for each form that the file ever had; a file of form n gets all from the n-th on. A step that was released is
 * never changed.
 *
 * `history`: every change. `previous` is the change of the same key before it, `age` how many those are; a deletion has
 * version 0. `newest`: the last change of each key. `milestones`: every 16th change of a key, so that an old one is found
 * without walking back through all. `progress`: one row; `newest` and `milestones` know the changes up to `indexed`, and
 * follow the others later.
 */
const migrations: readonly string[] = [
  `CREATE TABLE history(
     id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, sub INTEGER NOT NULL, created INTEGER NOT NULL,
     version INTEGER NOT NULL, lease TEXT, previous INTEGER, age INTEGER NOT NULL, key BLOB NOT NULL,
     value BLOB NOT NULL) STRICT;
   CREATE TABLE newest(
     key BLOB PRIMARY KEY, id INTEGER NOT NULL, live INTEGER NOT NULL, lease TEXT) STRICT, WITHOUT ROWID;
   CREATE INDEX leased ON newest(lease, key) WHERE lease IS NOT NULL;
   CREATE TABLE milestones(key BLOB, id INTEGER, PRIMARY KEY(key, id)) STRICT, WITHOUT ROWID;
   CREATE TABLE leases(
     id TEXT PRIMARY KEY, granted_seconds INTEGER NOT NULL, remaining_ms REAL NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE progress(compacted INTEGER NOT NULL, swept INTEGER NOT NULL) STRICT;
   INSERT INTO progress VALUES(-1, 0);`,
  `ALTER TABLE progress ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0;
   UPDATE progress SET indexed = (SELECT coalesce(max(id), 0) FROM history);`,
];

/** Where the store of a directory lies. */
export function databasePath(directory: string): string {
  return join(directory, FILE_NAME);
}

function pragma(database: DatabaseSync, name: string): number {
  const row = database.prepare(`PRAGMA ${name}`).get() ?? {};
  return Number(Object.values(row)[0] ?? 0);
}

/** For this user alone, as etcd's. It must survive a power cut, or what lies in it is not found again. */
function makeDirectory(directory: string): void {
  const made = mkdirSync(directory, { recursive: true, mode: 0o700 });
  // Windows flushes no directories.
  if (made === undefined || process.platform === 'win32') return;
  for (let path = directory; path.length >= made.length; path = dirname(path)) {
    const parent = openSync(dirname(path), 'r');
    fsyncSync(parent);
    closeSync(parent);
  }
}

/** Brings a database to the present form, in one transaction. @throws Error when a newer Holdfast wrote it */
export function migrate(database: DatabaseSync): void {
  const form = pragma(database, 'user_version');
  if (form > migrations.length) {
    throw new Error(
      `its form is ${form} and this Holdfast knows up to ${migrations.length}: use a newer Holdfast`,
    );
  }
  if (form === migrations.length) return;
  database.exec('BEGIN IMMEDIATE');
  for (const step of migrations.slice(form)) database.exec(step);
  database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${migrations.length}`);
  database.exec('COMMIT');
}

/**
 * A transaction of which nobody is told, so it need not be flushed: the next writer's flush takes it along.
 *
 * @throws what `work` throws, and what SQLite says when it cannot be committed; nothing of it was written then
 */
export function unflushed(database: DatabaseSync, work: () => void): void {
  database.exec('PRAGMA synchronous = NORMAL; BEGIN');
  try {
    work();
    database.exec('COMMIT');
  } catch (failure) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw failure;
  } finally {
    database.exec('PRAGMA synchronous = FULL');
  }
}

function mayWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Opens the store of a directory, and makes both when they are not there. One that this process may not write is opened
 * for reading, if it was closed in good order.
 *
 * @throws what the system or SQLite says; an Error when the file is another program's or of a newer form
 */
export function openDatabase(directory: string): DatabaseSync {
  const file = databasePath(directory);
  const hasLog = existsSync(`${file}-wal`);
  if (existsSync(file) && !(mayWrite(file) && (mayWrite(directory) || hasLog)))
    return openToRead(file, hasLog);
  makeDirectory(directory);
  return prepared(new DatabaseSync(file, { timeout: 0 }), (database) => {
    // The lock is taken with the first access and kept: nobody else reads or writes, and no shared memory is needed.
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    const isEmpty = database.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n'] === 0;
    if (!isEmpty) requireOurs(database, file);
    // Freed pages can be given back in slices. Both must be said before the first table.
    if (isEmpty) {
      database.exec(`PRAGMA page_size = ${PAGE_BYTES}; PRAGMA auto_vacuum = INCREMENTAL`);
    }
    database.exec(
      `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -${CACHE_KIB};
       PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}; PRAGMA journal_size_limit = ${LOG_LIMIT_BYTES};
       PRAGMA temp_store = MEMORY`,
    );
    migrate(database);
    lengthenLog(`${file}-wal`);
  });
}

/**
 * Writes zeros behind the end of the log. To flush what was written over is half the work of flushing a file that grew, and
 * without this it would grow with each commit until the first checkpoint. SQLite ends reading at what is no page of its own.
 * The first commit flushes it. To be called while the lock is held and no transaction is open.
 */
function lengthenLog(log: string): void {
  try {
    const file = openSync(log, 'r+');
    try {
      const { size } = fstatSync(file);
      if (size < LOG_BYTES) writeSync(file, new Uint8Array(LOG_BYTES - size), 0, undefined, size);
    } finally {
      closeSync(file);
    }
  } catch {
    // A disk that is full, most likely: then it is only slower.
  }
}

/** Without a lock, for which it would need the right to write; whoever writes has a log beside the file. */
function openToRead(file: string, hasLog: boolean): DatabaseSync {
  if (hasLog) {
    throw new Error(
      `${file} may only be read, and is in use or was not closed: open it with the right to write`,
    );
  }
  const url = pathToFileURL(file);
  url.searchParams.set('immutable', '1');
  return prepared(new DatabaseSync(url, { readOnly: true }), (database) => {
    requireOurs(database, file);
    migrate(database);
  });
}

function prepared(database: DatabaseSync, prepare: (database: DatabaseSync) => void): DatabaseSync {
  try {
    prepare(database);
    return database;
  } catch (failure) {
    database.close();
    throw failure;
  }
}

function requireOurs(database: DatabaseSync, file: string): void {
  if (pragma(database, 'application_id') === APPLICATION_ID) return;
  throw new Error(`${file} is a database of another program: name another directory`);
}
