// The engine in a worker thread: batches in order, failures that stay with their command, and threads that die.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openSqliteBackend, workerFile } from '../../../src/adapters/sqlite-backend.ts';
import { databasePath, openDatabase } from '../../../src/adapters/sqlite-database.ts';
import { integrityProblems } from '../../../src/adapters/sqlite-integrity.ts';
import type { Backend, BatchOutcome } from '../../../src/store/backend.ts';
import { isRefusal, type Command } from '../../../src/store/commands.ts';
import type { RangeResponse, StoreStatus } from '../../../src/store/contract.ts';

let place = '';
let directory = '';
let backend: Backend | undefined;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'holdfast-backend-'));
  directory = join(place, 'store');
});
afterEach(async () => {
  rmSync(join(place, 'stall'), { force: true });
  await backend?.close();
  backend = undefined;
  rmSync(place, { recursive: true });
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const put = (key: string, value = key): Command => ({ type: 'put', key: bytes(key), value: bytes(value) });
const all: Command = { type: 'range', key: bytes('\0'), end: new Uint8Array(0) };

/** The thread fails when a file of that name appears in `place`. */
async function openFaulty(): Promise<Backend> {
  const worker = new URL('../../chaos/roles/faulty-store-worker.ts', import.meta.url);
  backend = await openSqliteBackend({ directory, worker });
  return backend;
}
const cause = (fault: string): void => writeFileSync(join(place, fault), '');

const told = ({ changes }: BatchOutcome): string[] =>
  changes.map(({ entry }) => `${entry.modRevision} ${new TextDecoder().decode(entry.key)}`);
async function range(from: Backend): Promise<RangeResponse> {
  return (await from.run([all])).outcomes[0] as RangeResponse;
}
async function keys(from: Backend): Promise<string[]> {
  return (await range(from)).entries.map(({ key }) => new TextDecoder().decode(key));
}

test('batches that are given together are applied in order, and what they wrote is there when opened again', async () => {
  backend = await openSqliteBackend({ directory });
  const outcomes = await Promise.all([
    backend.run([put('a'), put('b')]),
    backend.run([put('c'), all]),
    backend.run([put('a', 'again')]),
  ]);
  expect(outcomes.map(told)).toEqual([['2 a', '3 b'], ['4 c'], ['5 a']]);
  expect(outcomes[2].changes[0]?.previous?.value).toEqual(bytes('a'));
  await backend.close();
  backend = await openSqliteBackend({ directory });
  expect(await keys(backend)).toEqual(['a', 'b', 'c']);
});

test('a value of a megabyte and a half comes back as it went', async () => {
  backend = await openSqliteBackend({ directory });
  const value = Uint8Array.from({ length: 1_500_000 }, (_, index) => index % 251);
  await backend.run([{ type: 'put', key: bytes('k'), value }]);
  expect(Buffer.compare((await range(backend)).entries[0]!.value, value)).toBe(0);
});

test('a command that fails takes no other of its batch with it', async () => {
  backend = await openSqliteBackend({ directory });
  const poisoned = { type: 'put', key: bytes('p'), value: 5 } as unknown as Command;
  const outcome = await backend.run([put('a'), poisoned, put('b'), all]);
  expect(outcome.outcomes.map(isRefusal)).toEqual([false, true, false, false]);
  expect(outcome.outcomes[1]).toMatchObject({ refused: 'store_failed' });
  expect(told(outcome)).toEqual(['2 a', '3 b']);
  expect(await keys(backend)).toEqual(['a', 'b']);
});

test('compaction gives space back while the store is used', async () => {
  backend = await openSqliteBackend({ directory });
  const value = new Uint8Array(1_000);
  const puts = Array.from({ length: 1_000 }, (): Command => ({ type: 'put', key: bytes('k'), value }));
  for (const _ of [1, 2, 3]) await backend.run(puts);
  const status = async () => (await backend!.run([{ type: 'status' }])).outcomes[0] as StoreStatus;
  const { sizeBytes, revision } = await status();
  expect(sizeBytes).toBeGreaterThan(3_000_000);
  await backend.run([{ type: 'compact', revision }]);
  await vi.waitUntil(async () => (await status()).sizeBytes < 1_500_000, { timeout: 10_000 });
  expect((await range(backend)).entries[0]?.version).toBe(3_000);
});

test('defragmenting gives back what the sweep leaves for later, while others write', async () => {
  backend = await openSqliteBackend({ directory });
  const value = new Uint8Array(1_000);
  const puts = Array.from({ length: 1_000 }, (): Command => ({ type: 'put', key: bytes('k'), value }));
  for (const _ of [1, 2, 3]) await backend.run(puts);
  const ask = async (command: Command) => (await backend!.run([command])).outcomes[0];
  const size = async () => ((await ask({ type: 'status' })) as StoreStatus).sizeBytes;
  await ask({ type: 'compact', revision: 3_001 });
  await vi.waitUntil(async () => (await size()) < 1_500_000, { timeout: 10_000 });
  expect(await size()).toBeGreaterThan(500_000);
  /** Steps that it took, each of them in a batch with a write. */
  const defragment = async (): Promise<number> => {
    for (let steps = 1; ; steps++) {
      const { outcomes } = await backend!.run([put('k'), { type: 'defragment' }]);
      if ((outcomes[1] as { left: string }).left === 'nothing') return steps;
    }
  };
  let version = 3_000 + (await defragment());
  expect(await size()).toBeLessThan(100_000);
  expect(statSync(databasePath(directory)).size).toBe(await size());
  for (const _ of [1, 2, 3]) await backend.run(puts);
  version += 3_000;
  await ask({ type: 'compact', revision: version + 1 });
  const steps = await defragment();
  expect(steps).toBeGreaterThan(1);
  expect(await size()).toBeLessThan(100_000);
  expect((await range(backend)).entries[0]?.version).toBe(version + steps);
});

test('what was compacted in the same batch is swept after it was told', async () => {
  backend = await openSqliteBackend({ directory });
  await backend.run([put('k', 'old')]);
  const { changes, outcomes } = await backend.run([
    put('k', 'new'),
    { type: 'compact', revision: 3 },
    { type: 'defragment' },
  ]);
  expect(outcomes[2]).toEqual({ revision: 3, left: 'more' });
  expect(changes[0]?.previous?.value).toEqual(bytes('old'));
  expect((await backend.run([{ type: 'defragment' }])).outcomes).toEqual([{ revision: 3, left: 'nothing' }]);
});

test('a thread that dies before it began a batch: the batch may have been applied, the next one is', async () => {
  const faulty = await openFaulty();
  await faulty.run([put('a')]);
  cause('die-before');
  await expect(faulty.run([put('b')])).rejects.toMatchObject({ code: 'store_failed', started: 'unknown' });
  expect(told(await faulty.run([put('c')]))).toEqual(['3 c']);
  expect(await keys(faulty)).toEqual(['a', 'c']);
});

test('what a thread committed before it died is told with the next batch, once and in order', async () => {
  const faulty = await openFaulty();
  await faulty.run([put('a')]);
  cause('die-after');
  await expect(faulty.run([put('b'), put('c')])).rejects.toMatchObject({
    code: 'store_failed',
    started: 'unknown',
    message: expect.stringContaining('died'),
  });
  expect(told(await faulty.run([put('d')]))).toEqual(['3 b', '4 c', '5 d']);
  expect(told(await faulty.run([put('e')]))).toEqual(['6 e']);
  expect(await keys(faulty)).toEqual(['a', 'b', 'c', 'd', 'e']);
});

test('an exception in the thread says itself in the error', async () => {
  const faulty = await openFaulty();
  cause('throw');
  await expect(faulty.run([put('b')])).rejects.toThrow('thrown in the thread');
  expect(told(await faulty.run([]))).toEqual(['2 b']);
});

test('all that a dead thread had fails, and nobody waits for ever', async () => {
  const faulty = await openFaulty();
  cause('die-before');
  const results = await Promise.allSettled([
    faulty.run([put('a')]),
    faulty.run([put('b')]),
    faulty.run([all]),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(await keys(faulty)).toEqual([]);
});

test('a thread that could not open the file is followed by one that can, and takes nothing of it along', async () => {
  const faulty = await openFaulty();
  await faulty.run([put('a')]);
  cause('die-before');
  await expect(faulty.run([])).rejects.toMatchObject({ code: 'store_failed' });
  const other = openDatabase(directory);
  cause('linger');
  await expect(faulty.run([put('b')])).rejects.toMatchObject({
    started: 'notStarted',
    message: expect.stringContaining('another store has it open'),
  });
  other.close();
  const asked = Promise.all([faulty.run([put('c')]), faulty.run([put('d')])]);
  // Now the one that was refused ends, while these wait for the next.
  rmSync(join(place, 'linger'));
  const outcomes = await asked;
  expect(outcomes.map(told)).toEqual([['3 c'], ['4 d']]);
  expect(await keys(faulty)).toEqual(['a', 'c', 'd']);
});

test('a store that another one holds is refused with the remedy, and opens once that is closed', async () => {
  backend = await openSqliteBackend({ directory });
  await expect(openSqliteBackend({ directory })).rejects.toMatchObject({
    code: 'store_failed',
    started: 'notStarted',
    message: expect.stringMatching(/database is locked in .*: another store has it open/),
  });
  await backend.close();
  backend = await openSqliteBackend({ directory });
});

test('a file that is damaged is refused, and so is a directory that is a file', async () => {
  mkdirSync(directory);
  writeFileSync(databasePath(directory), 'no database'.repeat(1_000));
  await expect(openSqliteBackend({ directory })).rejects.toThrow(
    /not a database in .*: choose another directory/,
  );
  await expect(openSqliteBackend({ directory: databasePath(directory) })).rejects.toMatchObject({
    code: 'store_failed',
    message: expect.stringContaining('EEXIST'),
  });
});

test('closing lets batches end first, refuses later ones, and twice is as once', async () => {
  backend = await openSqliteBackend({ directory });
  const last = backend.run([put('a')]);
  const closed = Promise.all([backend.close(), backend.close()]);
  await expect(backend.run([put('b')])).rejects.toMatchObject({ code: 'stopped' });
  expect(told(await last)).toEqual(['2 a']);
  await closed;
  const database = openDatabase(directory);
  expect(integrityProblems(database)).toEqual([]);
  database.close();
});

test('where a bundler left the file of the thread behind, the error says what to do', () => {
  const beside = new URL('../../../src/adapters/sqlite-backend.ts', import.meta.url).href;
  expect(workerFile(beside).href).toMatch(/src\/adapters\/sqlite-worker\.ts$/);
  // An ES module has an address, CommonJS has none.
  for (const bundle of ['file:///srv/app/bundle.js', undefined])
    expect(() => workerFile(bundle)).toThrow(/sqlite-worker.*keep the package holdfast out of the bundle/);
});

test('on an older Node the error says which one is needed', () => {
  const root = fileURLToPath(new URL('../../../', import.meta.url));
  const older = spawnSync(
    join(root, 'node_modules/node22/bin/node'),
    [
      '--input-type=module',
      '-e',
      `import { openSqliteBackend } from './src/adapters/sqlite-backend.ts';
       await openSqliteBackend({ directory: ${JSON.stringify(directory)} }).catch((error) => console.log(error.code, error.message));`,
    ],
    { cwd: root },
  );
  expect(older.stdout.toString()).toMatch(
    /^unsupported a store in a file needs Node 24\.15 and SQLite 3\.51\.3 or newer, and this is Node 22\.\d+\.\d+ with/,
  );
  expect(older.stderr.toString()).not.toContain('SQLite is an experimental feature');
});
