// `holdfast hub` and its store, as real processes: kept across SIGKILL, offered to etcd's clients, one hub a folder.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { openStore } from '../../../src/index.ts';
import { eventually } from '../../chaos/eventually.ts';
import { Command, endAll, run } from './command.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hub-store-'));
});
afterEach(endAll);
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Said {
  readonly url: string;
  readonly etcdUrl: string;
  readonly epoch: number;
}

async function hubOn(store: string): Promise<{ hub: Command; said: Said }> {
  const args = [
    '--port',
    '0',
    '--store',
    store,
    '--etcd-api',
    '127.0.0.1:0',
    '--json',
    '--log-level',
    'warn',
  ];
  const hub = new Command(['hub', ...args]);
  await hub.match(/"pid":\d+\}/);
  return { hub, said: JSON.parse(hub.stdout) as Said };
}

it('keeps its nodes in the store, and offers it to clients of etcd; the next start counts on', async () => {
  const store = `file:${join(folder, 'data')}`;
  const { hub, said } = await hubOn(store);
  expect(said.epoch).toBe(1);
  const functions = join(folder, 'functions.mjs');
  await writeFile(functions, 'export const add = (a, b) => a + b;\n');
  const node = new Command(['node', '--hub', said.url, '--id', 'n1', '--functions', functions]);
  await node.match(/offers/);
  const watching = await openStore(said.etcdUrl.replace('http:', 'etcd:'));
  const key = new TextEncoder().encode('/holdfast/nodes/n1');
  const record = await eventually('the node is recorded', async () => {
    const { entries } = await watching.range({ key });
    return new TextDecoder().decode(entries[0]?.value);
  });
  expect(JSON.parse(record)).toMatchObject({
    state: 'online',
    hub: 'hub',
    instance: expect.any(String) as string,
  });
  await watching.close();
  hub.kill('SIGKILL');
  await hub.ended;
  const again = await hubOn(store);
  expect(again.said.epoch).toBe(2);
  const second = await run(['hub', '--port', '0', '--store', store]);
  expect(second).toMatchObject({ status: 1 });
  expect(second.stderr).toContain('another store has it open');
  again.hub.kill('SIGTERM');
  expect(await again.hub.ended).toMatchObject({ status: 0 });
});

it('keeps nothing where Node is too old for the default store, says so, and ends where the store was named', async () => {
  const node22 = fileURLToPath(new URL('../../../node_modules/node22/bin/node', import.meta.url));
  const main = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
  const env = { ...process.env, HOLDFAST_STORE: undefined };
  const hub = promisify(execFile)(node22, ['--no-warnings', main, 'hub', '--port', '0', '--json'], {
    cwd: folder,
    env,
  });
  let told = '';
  await new Promise<void>((resolve) => {
    for (const stream of [hub.child.stdout, hub.child.stderr])
      stream?.on('data', (text: string) => {
        told += text;
        if (told.includes('"pid"') && told.includes('no records are kept')) resolve();
      });
  });
  expect(told).toMatch(/no records are kept across restarts: .*24\.15/);
  hub.child.kill('SIGTERM');
  await hub;
  const named = promisify(execFile)(node22, ['--no-warnings', main, 'hub', '--store', 'file:./data'], {
    cwd: folder,
    env,
  });
  await expect(named).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('24.15') as string });
});
