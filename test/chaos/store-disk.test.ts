// A disk that takes nothing more, a directory that may not be written, a thread that stalls: writers hear of it, reads go on.
// Invariant: an error says whether the write may have happened, and tells the truth.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createNodeClock } from '../../src/adapters/node-clock.ts';
import { createNodeRandom } from '../../src/adapters/node-random.ts';
import { openSqliteBackend } from '../../src/adapters/sqlite-backend.ts';
import { databasePath, openDatabase } from '../../src/adapters/sqlite-database.ts';
import { integrityProblems } from '../../src/adapters/sqlite-integrity.ts';
import { noLog, type Store } from '../../src/index.ts';
import { openLocalStore } from '../../src/store/local-store.ts';
import { forkRole, type Role } from './processes.ts';

let place = '';
let directory = '';
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'holdfast-disk-'));
  directory = join(place, 'store');
  chmodSync(place, 0o777);
});
afterEach(() => rmSync(place, { recursive: true }));

async function keeper(): Promise<Role> {
  const role = forkRole('store-keeper.ts', {});
  await role.hears('it is ready', ({ event }) => event === 'ready');
  return role;
}

/** The longest file that a running process may write from now on, in bytes. */
function limitFiles(role: Role, bytes: number | 'unlimited'): void {
  const { status, stderr } = spawnSync('prlimit', ['--pid', String(role.pid), `--fsize=${bytes}:`]);
  expect(status, stderr.toString()).toBe(0);
}

const revision = (number: number) => ({ revision: number });
const notWritten = (message: RegExp) => ({
  code: 'store_failed',
  started: 'notStarted',
  message: expect.stringMatching(message),
});

describe('a disk that takes nothing more', () => {
  test('writes fail with the remedy, small ones beside a large one do not, reads go on, and writes again once there is room', async () => {
    const role = await keeper();
    await role.ask('open', directory);
    expect(await role.ask('put', 'before', 10)).toMatchObject(revision(2));
    limitFiles(role, 90_000);
    expect(await role.ask('put', 'large', 200_000)).toMatchObject(
      notWritten(/see that the disk works and has room/),
    );
    const beside = [
      ['large', 200_000],
      ['small', 10],
    ];
    expect(await role.ask('puts', beside)).toMatchObject([notWritten(/reads go on/), revision(3)]);
    limitFiles(role, 1);
    expect(await role.ask('put', 'lost', 10)).toMatchObject(notWritten(/nothing of it was written/));
    expect(await role.ask('keys')).toEqual(['before', 'small']);
    limitFiles(role, 'unlimited');
    expect(await role.ask('put', 'after', 200_000)).toMatchObject(revision(4));
    expect(await role.ask('keys')).toEqual(['after', 'before', 'small']);
    await role.kill();
    const database = openDatabase(directory);
    expect(integrityProblems(database)).toEqual([]);
    database.close();
  });

  test('a process that is killed on a full disk leaves a sound file with all that it acknowledged', async () => {
    const role = await keeper();
    await role.ask('open', directory);
    limitFiles(role, 300_000);
    const acknowledged: string[] = [];
    for (let n = 0, failures = 0; failures < 3; n++) {
      const answer = await role.ask<object>('put', `k${n}`, 20_000);
      if ('code' in answer) failures += 1;
      else acknowledged.push(`k${n}`);
    }
    await role.kill();
    expect(acknowledged.length).toBeGreaterThan(3);
    const database = openDatabase(directory);
    expect(integrityProblems(database)).toEqual([]);
    const found = database.prepare('SELECT CAST(key AS TEXT) AS key FROM history ORDER BY id').all();
    expect(found.map(({ key }) => key)).toEqual(acknowledged);
    database.close();
  });
});

describe('a directory that may not be written', () => {
  test('where nothing is yet, nothing can be opened', async () => {
    mkdirSync(directory, { mode: 0o555 });
    const role = await keeper();
    await role.ask('becomeNobody');
    expect(await role.ask('open', directory)).toMatchObject(notWritten(/the right to write there/));
  });

  test('what was closed in good order can be read, and writes are refused', async () => {
    const role = await keeper();
    await role.ask('open', directory);
    await role.ask('put', 'k', 10);
    await role.ask('close');
    chmodSync(databasePath(directory), 0o444);
    chmodSync(directory, 0o555);
    await role.ask('becomeNobody');
    expect(await role.ask('open', directory)).toBe('opened');
    expect(await role.ask('put', 'no', 10)).toMatchObject(
      notWritten(/readonly database .* the right to write there/),
    );
    expect(await role.ask('keys')).toEqual(['k']);
    await role.ask('close');
    chmodSync(directory, 0o755);
  });

  test('what another process is writing is not read past it', async () => {
    const role = await keeper();
    await role.ask('open', directory);
    await role.ask('put', 'k', 10);
    chmodSync(databasePath(directory), 0o444);
    chmodSync(directory, 0o755);
    const other = await keeper();
    await other.ask('becomeNobody');
    expect(await other.ask('open', directory)).toMatchObject(notWritten(/in use or was not closed/));
  });
});

describe('a thread that stalls', () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const put = (store: Store, key: string, times = {}) => store.put({ key: bytes(key) }, times);

  async function open(closeTimeoutMs?: number): Promise<Store> {
    const worker = new URL('./roles/faulty-store-worker.ts', import.meta.url);
    const backend = await openSqliteBackend({ directory, worker, closeTimeoutMs });
    return openLocalStore(backend, { clock: createNodeClock(), random: createNodeRandom(), log: noLog() });
  }
  const stall = () => writeFileSync(join(place, 'stall'), '');
  const goOn = () => rmSync(join(place, 'stall'));

  test('what it has may be written, what still waits is not, each is freed once, and it goes on afterwards', async () => {
    const store = await open();
    await put(store, 'before');
    stall();
    const times = { proposeTimeoutMs: 200, applyTimeoutMs: 200 };
    const outcomes: string[] = [];
    const controller = new AbortController();
    const write = (key: string, options: object): Promise<void> =>
      put(store, key, options).then(
        () => void outcomes.push(`${key} written`),
        ({ code, started }) => void outcomes.push(`${key} ${code} ${started}`),
      );
    // One turn each, so that each is a batch: the thread is given two.
    const all = [write('first', times)];
    await Promise.resolve().then(() => undefined);
    all.push(write('second', times));
    await Promise.resolve().then(() => undefined);
    all.push(write('third', times), write('fourth', { signal: controller.signal }));
    controller.abort();
    await Promise.all(all);
    expect(outcomes.toSorted()).toEqual([
      'first timed_out unknown',
      'fourth cancelled notStarted',
      'second timed_out unknown',
      'third timed_out notStarted',
    ]);
    goOn();
    await put(store, 'after');
    const { entries } = await store.range({ key: bytes('\0'), end: bytes('') });
    const keys = entries.map(({ key }) => new TextDecoder().decode(key));
    expect(keys).toEqual(['after', 'before', 'first', 'second']);
    expect(outcomes).toHaveLength(4);
    await store.close();
  });

  test('closing does not wait for it for ever', async () => {
    const store = await open(100);
    stall();
    const lost = put(store, 'k').catch(({ code, started }) => [code, started]);
    await Promise.resolve().then(() => undefined);
    await store.close();
    expect(await lost).toEqual(['stopped', 'unknown']);
  });
});
