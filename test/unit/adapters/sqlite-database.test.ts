// Opening the file of a store: what is there stays, one process at a time, and nothing of others is touched.
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { databasePath, openDatabase } from '../../../src/adapters/sqlite-database.ts';
import { integrityProblems } from '../../../src/adapters/sqlite-integrity.ts';
import { SqliteKeyspace } from '../../../src/adapters/sqlite-keyspace.ts';
import type { Done } from '../../../src/adapters/sqlite-messages.ts';
import { SqliteWriter } from '../../../src/adapters/sqlite-writer.ts';
import type { BatchOutcome } from '../../../src/store/backend.ts';
import { isRefusal, type Command } from '../../../src/store/commands.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-file-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('a directory is made, and what was committed is there when it is opened again', () => {
  const deep = join(directory, 'a', 'b');
  const first = new SqliteKeyspace(openDatabase(deep), deep);
  const entry = { key: bytes('k'), value: bytes('v'), createRevision: 2, modRevision: 2, version: 1 };
  first.begin();
  first.putLease({ id: '-7', grantedSeconds: 9, remainingMs: 8_000.5 });
  first.write(2, [{ type: 'put', sub: 0, entry: { ...entry, lease: '-7' }, previous: undefined }]);
  first.compact(2);
  first.commit();
  first.begin();
  first.write(3, [{ type: 'put', sub: 0, entry: { ...entry, modRevision: 3 }, previous: undefined }]);
  first.rollback();
  first.close();
  const second = new SqliteKeyspace(openDatabase(deep), deep);
  expect(second.revision).toBe(2);
  expect(second.compactRevision).toBe(2);
  expect(second.get(bytes('k'))).toEqual({ ...entry, lease: '-7' });
  expect(second.leases()).toEqual([{ id: '-7', grantedSeconds: 9, remainingMs: 8_000.5 }]);
  expect(second.keysOf('-7')).toEqual([bytes('k')]);
  second.close();
});

test('the log is as long as it gets from the start, and what lies in it is found by whoever comes after a crash', () => {
  const database = openDatabase(directory);
  const log = `${databasePath(directory)}-wal`;
  const { size } = statSync(log);
  expect(size).toBeGreaterThan(2_000_000);
  const keyspace = new SqliteKeyspace(database, directory);
  const entry = { key: bytes('k'), value: bytes('v'), createRevision: 2, modRevision: 2, version: 1 };
  keyspace.begin();
  keyspace.write(2, [{ type: 'put', sub: 0, entry, previous: undefined }]);
  keyspace.commit();
  expect(statSync(log).size).toBe(size);
  const crashed = join(directory, 'crashed');
  mkdirSync(crashed);
  copyFileSync(databasePath(directory), databasePath(crashed));
  copyFileSync(log, `${databasePath(crashed)}-wal`);
  const other = new SqliteKeyspace(openDatabase(crashed), crashed);
  expect(other.get(bytes('k'))).toEqual(entry);
  other.close();
  keyspace.close();
});

test('whoever opens it second is refused, in this process and in another', () => {
  const database = openDatabase(directory);
  expect(() => openDatabase(directory)).toThrow('database is locked');
  const other = spawnSync(process.execPath, [
    '-e',
    `const { DatabaseSync } = require('node:sqlite');
     new DatabaseSync(${JSON.stringify(databasePath(directory))}).exec('SELECT * FROM history')`,
  ]);
  expect(other.stderr.toString()).toContain('database is locked');
  database.close();
  openDatabase(directory).close();
});

test('where there is no room, what is too large is refused with the remedy, and the rest goes on', () => {
  const database = openDatabase(directory);
  const keyspace = new SqliteKeyspace(database, directory);
  const writer = new SqliteWriter(keyspace);
  const put = (key: string, length = 1): Command => ({
    type: 'put',
    key: bytes(key),
    value: new Uint8Array(length),
  });
  const run = (...commands: Command[]): BatchOutcome['outcomes'] => (writer.run(commands) as Done).outcomes;
  const full = {
    refused: 'store_failed',
    message: expect.stringMatching(/database or disk is full in .*: make room, and write again.*reads go on/),
  };
  run(put('a'));
  // SQLite answers with the same when the system has no room for a page (ENOSPC).
  database.exec('PRAGMA max_page_count = 30');
  expect(run(put('large', 200_000), put('b'))).toMatchObject([full, { revision: 3 }]);
  let filling = 0;
  while (!isRefusal(run(put(`f${filling}`, 1_000))[0]!)) filling += 1;
  expect(filling).toBeGreaterThan(3);
  const all: Command = { type: 'range', key: bytes('a'), end: bytes('c') };
  expect(run(put('large', 2_000), all)).toMatchObject([full, { revision: 3 + filling, entries: [{}, {}] }]);
  database.exec('PRAGMA max_page_count = 1073741823');
  expect(run(put('large', 200_000))).toEqual([{ revision: 4 + filling }]);
  expect(integrityProblems(database)).toEqual([]);
  keyspace.close();
});

test('after a flush that failed nothing more is written through the same file: it must be opened anew', () => {
  class Unflushed extends SqliteKeyspace {
    failing: 'no' | 'fsync' | 'write' = 'no';
    constructor() {
      const database = openDatabase(directory);
      const prepare = database.prepare.bind(database);
      database.prepare = (sql) => {
        const statement = prepare(sql);
        if (sql !== 'COMMIT') return statement;
        const run = statement.run.bind(statement);
        statement.run = () => {
          if (this.failing === 'no') return run();
          const errcode = this.failing === 'fsync' ? 1_034 : 778;
          throw Object.assign(new Error('disk I/O error'), { errcode });
        };
        return statement;
      };
      super(database, directory);
    }
  }
  const keyspace = new Unflushed();
  const writer = new SqliteWriter(keyspace);
  const put: Command = { type: 'put', key: bytes('k'), value: bytes('v') };
  keyspace.failing = 'write';
  expect(writer.run([put])).toMatchObject({ outcomes: [{ refused: 'store_failed' }] });
  keyspace.failing = 'fsync';
  expect(() => writer.run([put])).toThrow(/disk I\/O error in .*: see that the disk works/);
  keyspace.close();
});

test('a database of another program is refused and stays as it is', () => {
  const other = new DatabaseSync(databasePath(directory));
  other.exec('CREATE TABLE theirs(x); INSERT INTO theirs VALUES(1)');
  other.close();
  const before = readFileSync(databasePath(directory));
  expect(() => openDatabase(directory)).toThrow('is a database of another program');
  expect(readFileSync(databasePath(directory))).toEqual(before);
  expect(existsSync(`${databasePath(directory)}-wal`)).toBe(false);
});

test('what is no database at all is refused and stays as it is', () => {
  writeFileSync(databasePath(directory), 'x'.repeat(5_000));
  expect(() => openDatabase(directory)).toThrow('file is not a database');
  expect(readFileSync(databasePath(directory), 'utf8')).toBe('x'.repeat(5_000));
});

test('a file of a newer form is refused, with both numbers', () => {
  const newer = openDatabase(directory);
  newer.exec('PRAGMA user_version = 99');
  newer.close();
  expect(() => openDatabase(directory)).toThrow(/its form is 99 and this Holdfast knows up to 2/);
});
