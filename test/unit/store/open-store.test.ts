// What opening a store by URL loads, and what it refuses.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createHub, holdLease, noLog, openStore } from '../../../src/index.ts';

const index = fileURLToPath(new URL('../../../src/index.ts', import.meta.url));

/** Whether a process that opens and closes this store has loaded gRPC then. */
function loadsGrpc(url: string): boolean {
  const script = `
    import { createRequire } from 'node:module';
    const { noLog, openStore } = await import(${JSON.stringify(index)});
    await (await openStore(${JSON.stringify(url)}, { log: noLog() })).close();
    const loaded = Object.keys(createRequire(${JSON.stringify(index)}).cache);
    console.log(loaded.some((path) => path.includes('@grpc/grpc-js')));`;
  const out = execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return out.toString().trim() === 'true';
}

test('who keeps the store in memory does not load gRPC', () => {
  expect(loadsGrpc('memory:')).toBe(false);
  expect(loadsGrpc('etcd://127.0.0.1:1')).toBe(true);
});

test.each([
  ['etcd://', {}],
  ['etcd://127.0.0.1:2379', { keepaliveMs: 0 }],
  ['etcd://127.0.0.1:2379', { dialTimeoutMs: -1 }],
  ['etcd://127.0.0.1:2379', { applyTimeoutMs: Number.NaN }],
  ['etcd://127.0.0.1:2379', { tls: { ca: 'some authority' } }],
])('%s with %o is refused before anything is dialled', async (url, options) => {
  await expect(openStore(url, { log: noLog(), ...options })).rejects.toMatchObject({
    code: 'invalid_option',
  });
});

test.each(['', 'memory', 'memory:x', './data', 'sqlite:./data', 'http://127.0.0.1:2379', undefined, 5])(
  '%o names no engine, and those that there are are named',
  async (url) => {
    await expect(openStore(url as string, { log: noLog() })).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringMatching(/memory:, file:DIRECTORY or etcd:/) as string,
    });
  },
);

test('a hub that refuses its options has opened no store', async () => {
  const directory = join(tmpdir(), `holdfast-never-${process.pid}`);
  const starting = createHub({ port: 0, log: noLog(), heartbeatTimeoutMs: 1, store: `file:${directory}` });
  await expect(starting).rejects.toMatchObject({ code: 'invalid_option' });
  expect(existsSync(directory)).toBe(false);
});

test('a store that cannot be opened with its options leaves the directory to the next', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-options-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const opening = openStore(`file:${directory}`, { log: noLog(), proposeTimeoutMs: 0 });
  await expect(opening).rejects.toMatchObject({ code: 'invalid_option' });
  await (await openStore(`file:${directory}`, { log: noLog() })).close();
});

test('a lease is held on the clock of the process, unless another one is given', async () => {
  const store = await openStore('memory:', { log: noLog() });
  const lease = await holdLease(store, { ttlSeconds: 60 });
  expect([lease.isHeld(), (await store.leases.list()).ids]).toEqual([true, [lease.id]]);
  await lease.release();
  expect([lease.isHeld(), (await store.leases.list()).ids]).toEqual([false, []]);
  await store.close();
});
