// What opening a store by URL loads, and what it refuses.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { noLog, openStore } from '../../../src/index.ts';

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
