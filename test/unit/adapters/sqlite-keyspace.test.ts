// The keyspace over SQLite: the same behaviour as the one in memory, whenever its sweep runs.
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { migrate } from '../../../src/adapters/sqlite-database.ts';
import { integrityProblems } from '../../../src/adapters/sqlite-integrity.ts';
import { SqliteKeyspace } from '../../../src/adapters/sqlite-keyspace.ts';
import type { Keyspace } from '../../../src/store/keyspace.ts';
import { fails, keyspaceBehaves } from '../store/keyspace-behaviour.ts';

function inMemory(): DatabaseSync {
  const database = new DatabaseSync(':memory:');
  migrate(database);
  return database;
}

/** Sweeps one change after each commit, and is sound when it ends. */
class Sweeping extends SqliteKeyspace {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    super(database, 'memory');
    this.#database = database;
  }

  override commit(): void {
    super.commit();
    this.sweep(1);
  }

  override close(): void {
    expect(integrityProblems(this.#database)).toEqual([]);
    super.close();
  }
}

/** Its index follows after every other transaction. */
class Following extends SqliteKeyspace {
  override commit(): void {
    super.commit();
    if (this.commits % 2 === 0) this.follow();
  }
}

/** Opened anew after each transaction, with what lies in the file; `damage` comes in between. */
function reopening(database: DatabaseSync, damage = ''): Keyspace {
  let opened = new SqliteKeyspace(database, 'memory');
  const ended = (end: 'commit' | 'rollback') => () => {
    opened[end]();
    database.exec(damage);
    opened = new SqliteKeyspace(database, 'memory');
  };
  const ends = { commit: ended('commit'), rollback: ended('rollback') };
  return new Proxy(opened, {
    get(_, name) {
      if (name === 'commit' || name === 'rollback') return ends[name];
      const value: unknown = Reflect.get(opened, name, opened);
      return typeof value === 'function' ? value.bind(opened) : value;
    },
  });
}

const key = (name: string): Uint8Array => new TextEncoder().encode(name);

/** One change of a key at the revision after the newest; a number is the value, undefined deletes. */
function change(keyspace: Keyspace, name: string, value: number | undefined): void {
  const revision = keyspace.revision + 1;
  const previous = keyspace.get(key(name));
  const entry =
    value === undefined
      ? { key: key(name), value: key(''), createRevision: 0, modRevision: revision, version: 0 }
      : {
          key: key(name),
          value: key(String(value)),
          createRevision: previous?.createRevision ?? revision,
          modRevision: revision,
          version: (previous?.version ?? 0) + 1,
        };
  keyspace.begin();
  keyspace.write(revision, [{ type: value === undefined ? 'delete' : 'put', sub: 0, entry, previous }]);
  keyspace.commit();
}

const valueAt = (keyspace: Keyspace, name: string, revision: number): string | undefined => {
  const entry = keyspace.get(key(name), revision);
  return entry === undefined ? undefined : new TextDecoder().decode(entry.value);
};

describe('keyspace over SQLite', () => {
  keyspaceBehaves(() => new SqliteKeyspace(inMemory(), 'memory'), 300);
  describe('whose index follows every now and then', () => {
    keyspaceBehaves(() => new Following(inMemory(), 'memory'), 300);
  });
  describe('that is opened again after each transaction', () => {
    keyspaceBehaves(() => reopening(inMemory()), 300);
  });
  describe('while it sweeps', () => {
    keyspaceBehaves(() => new Sweeping(inMemory()), 300);
  });

  test('a key that changed a thousand times has each of its values, and after compaction those above the floor', () => {
    const database = inMemory();
    const keyspace = new SqliteKeyspace(database, 'memory');
    const values = new Map<number, string | undefined>();
    for (let n = 0; n < 1_000; n++) {
      const value = n % 7 === 6 ? undefined : n;
      change(keyspace, 'hot', value);
      values.set(keyspace.revision, value === undefined ? undefined : String(value));
      change(keyspace, 'other', n);
      values.set(keyspace.revision, value === undefined ? undefined : String(value));
    }
    for (const [revision, value] of values) expect(valueAt(keyspace, 'hot', revision)).toBe(value);
    const floor = 777;
    keyspace.begin();
    keyspace.compact(floor);
    keyspace.commit();
    for (let left: 'more' | 'done' = 'more'; left === 'more';) {
      left = keyspace.sweep(100);
      for (const revision of [floor, floor + 1, 800, 1_500]) {
        expect(valueAt(keyspace, 'hot', revision)).toBe(values.get(revision));
      }
    }
    for (const [revision, value] of values) {
      if (revision >= floor) expect(valueAt(keyspace, 'hot', revision)).toBe(value);
    }
    // From the floor on; what both keys held there; and what the floor's own change overwrote, until the next compaction.
    expect(database.prepare('SELECT count(*) AS n FROM history').get()).toEqual({ n: 2_002 - floor + 1 + 1 });
    expect(integrityProblems(database)).toEqual([]);
  });

  test('deleted keys leave nothing behind once they are below the floor', () => {
    const database = inMemory();
    const keyspace = new SqliteKeyspace(database, 'memory');
    for (let n = 0; n < 100; n++) change(keyspace, `key${n}`, n);
    for (let n = 0; n < 100; n++) change(keyspace, `key${n}`, undefined);
    change(keyspace, 'last', 1);
    keyspace.begin();
    keyspace.compact(keyspace.revision);
    keyspace.commit();
    while (keyspace.sweep(16) === 'more');
    keyspace.follow();
    expect(database.prepare('SELECT count(*) AS n FROM newest').get()).toEqual({ n: 1 });
    expect(database.prepare('SELECT count(*) AS n FROM history').get()).toEqual({ n: 1 });
    expect(integrityProblems(database)).toEqual([]);
  });

  test.each([
    ['an index entry that is not the last', 'UPDATE newest SET live = 0'],
    ['a change that its index entry does not lead to', "DELETE FROM newest WHERE key = x'61'"],
    ['a change out of order', 'UPDATE history SET sub = 1 WHERE id = 1; UPDATE history SET revision = 3'],
    ['a revision that is not whole', 'UPDATE history SET sub = 1 WHERE id = 2'],
    ['a gap between revisions', 'UPDATE history SET revision = revision + 5 WHERE id = 3'],
    ['a version that does not follow', 'UPDATE history SET version = 9 WHERE id = 3'],
    ['an index that is ahead of the history', 'UPDATE progress SET indexed = 9'],
    ['an index that is ahead of the history', 'UPDATE progress SET indexed = 2'],
    ['a milestone without its change', "INSERT INTO milestones VALUES(x'61', 77)"],
  ])('integrity finds %s', (problem, damage) => {
    const database = inMemory();
    const keyspace = new SqliteKeyspace(database, 'memory');
    for (const n of [1, 2, 3]) change(keyspace, 'a', n);
    keyspace.follow();
    expect(integrityProblems(database)).toEqual([]);
    database.exec(damage);
    expect(integrityProblems(database).join()).toContain(problem);
  });

  test('an index that follows late has the same answers, and opening reads what it lacks', () => {
    const database = inMemory();
    const keyspace = new SqliteKeyspace(database, 'memory');
    for (let n = 0; n < 5_000; n++) {
      change(keyspace, `key${n % 700}`, n % 13 === 0 ? undefined : n);
      if (keyspace.lags) keyspace.follow();
    }
    const { indexed } = database.prepare('SELECT indexed FROM progress').get() as { indexed: number };
    expect(indexed).toBeGreaterThan(4_000);
    expect(indexed).toBeLessThan(5_000);
    expect(integrityProblems(database)).toEqual([]);
    const all = { key: key('\0'), end: key('') };
    const contents = (of: Keyspace, at?: number) => [
      of.count(all, at),
      ...of.scan(all, at, { keysOnly: false, descending: false }),
    ];
    const times = [undefined, 5_001, indexed + 50, indexed + 1, indexed, indexed - 1, 900, 2];
    const before = times.map((at) => contents(keyspace, at));
    const opened = new SqliteKeyspace(database, 'memory');
    expect(times.map((at) => contents(opened, at))).toEqual(before);
    keyspace.follow();
    expect(times.map((at) => contents(keyspace, at))).toEqual(before);
    expect(database.prepare('SELECT indexed FROM progress').get()).toEqual({
      indexed: keyspace.revision - 1,
    });
    expect(integrityProblems(database)).toEqual([]);
  });

  test('an index that cannot be written changes nothing, and follows once it can', () => {
    const database = inMemory();
    const keyspace = new SqliteKeyspace(database, 'memory');
    for (const n of [1, 2, 3]) change(keyspace, 'a', n);
    database.exec("CREATE TRIGGER full BEFORE INSERT ON newest BEGIN SELECT raise(ABORT, 'full'); END");
    expect(() => keyspace.follow()).toThrow('full');
    expect(valueAt(keyspace, 'a', 4)).toBe('3');
    expect(valueAt(new SqliteKeyspace(database, 'memory'), 'a', 4)).toBe('3');
    database.exec('DROP TRIGGER full');
    keyspace.follow();
    expect(valueAt(new SqliteKeyspace(database, 'memory'), 'a', 4)).toBe('3');
    expect(integrityProblems(database)).toEqual([]);
  });

  test('what an older form had in its index is there, and its index is up to date', () => {
    const database = inMemory();
    const keyspace = new SqliteKeyspace(database, 'memory');
    for (const n of [1, 2, 3]) change(keyspace, 'a', n);
    keyspace.follow();
    database.exec('ALTER TABLE progress DROP COLUMN indexed; PRAGMA user_version = 1');
    migrate(database);
    expect(integrityProblems(database)).toEqual([]);
    expect(database.prepare('SELECT indexed FROM progress').get()).toEqual({ indexed: 3 });
    expect(valueAt(new SqliteKeyspace(database, 'memory'), 'a', 4)).toBe('3');
  });

  test('what it remembers of keys is forgotten when more were written than it keeps, and is never out of date', () => {
    const keyspace = new SqliteKeyspace(inMemory(), 'memory');
    keyspace.begin();
    const write = (n: number, version: number): void => {
      const revision = keyspace.revision + 1;
      const name = key(`k${n}`);
      const previous = keyspace.get(name);
      const entry = {
        key: name,
        value: key(`${version}`),
        createRevision: previous?.createRevision ?? revision,
        modRevision: revision,
        version,
      };
      keyspace.write(revision, [{ type: 'put', sub: 0, entry, previous }]);
    };
    for (let n = 0; n < 20_000; n++) write(n, 1);
    keyspace.commit();
    keyspace.follow();
    keyspace.begin();
    for (let n = 0; n < 20_000; n += 1_000) write(n, 2);
    keyspace.commit();
    keyspace.follow();
    const long = 'k'.repeat(10_000);
    for (const n of [1, 2, 3]) {
      change(keyspace, long, n);
      expect(valueAt(keyspace, long, keyspace.revision)).toBe(String(n));
      keyspace.follow();
      expect(valueAt(keyspace, long, keyspace.revision)).toBe(String(n));
    }
    for (let n = 0; n < 20_000; n += 500)
      expect(valueAt(keyspace, `k${n}`, keyspace.revision)).toBe(n % 1_000 === 0 ? '2' : '1');
  });

  test('the model notices an index that takes for known what it does not have', () => {
    const damage = 'UPDATE progress SET indexed = (SELECT coalesce(max(id), 0) FROM history)';
    expect(fails(() => reopening(inMemory(), damage))).toBe(true);
  });

  test('the model notices a sweep beyond the floor', () => {
    class Greedy extends SqliteKeyspace {
      override commit(): void {
        super.commit();
        const floor = this.compactRevision;
        this.compactRevision = this.revision;
        while (this.sweep(100) === 'more');
        this.compactRevision = floor;
      }
    }
    expect(fails(() => new Greedy(inMemory(), 'memory'))).toBe(true);
  });
});
