// `holdfast store`: the server, and the commands on a store, as real processes.
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { hubCommand } from '../../../src/cli/hub.ts';
import { storeCommand } from '../../../src/cli/store.ts';
import { openStore, serveEtcd, type EtcdServer, type Store } from '../../../src/index.ts';
import { eventually } from '../../chaos/eventually.ts';
import { Command, endAll, run, type Ended } from './command.ts';

let folder: string;
let store: Store;
let server: EtcdServer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'store-commands-'));
  store = await openStore('memory:');
  server = await serveEtcd({ store, port: 0 });
});
afterEach(endAll);
afterAll(async () => {
  await server.close();
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
/** The command in this process: starting one takes half a second. */
function on(...args: string[]): Promise<Omit<Ended, 'signal'>> {
  return at(`etcd://127.0.0.1:${server.port}`, ...args);
}

async function at(url: string, ...args: string[]): Promise<Omit<Ended, 'signal'>> {
  const printed = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      printed[name] += String(text);
      return true;
    }),
  );
  try {
    await storeCommand().parseAsync([...args, '--store', url], { from: 'user' });
    return { ...printed, status: Number(process.exitCode ?? 0) };
  } finally {
    for (const spy of spies) spy.mockRestore();
    process.exitCode = undefined;
  }
}

describe('holdfast store', () => {
  it('serves a store until a signal ends it, and keeps its log off standard output', async () => {
    const where = ['--store', 'memory:', '--listen', '127.0.0.1:0'];
    const serving = new Command(['store', ...where, '--compact-age', '100ms', '--json']);
    await serving.match(/"url":"http:\/\/127\.0\.0\.1:\d+"/);
    const { url, port, store: at } = JSON.parse(serving.stdout) as Record<string, unknown>;
    expect([url, at]).toEqual([`http://127.0.0.1:${String(port)}`, 'memory:']);
    const put = await run(['store', '--store', `etcd://127.0.0.1:${String(port)}`, 'put', 'k', 'v']);
    expect(put).toMatchObject({ status: 0, stdout: 'revision 2\n', stderr: '' });
    const client = await openStore(`etcd://127.0.0.1:${String(port)}`);
    const { revision } = await client.put({ key: bytes('k'), value: bytes('w') });
    await eventually('what was overwritten is forgotten', async () => {
      return (await client.status()).compactRevision === revision;
    });
    await client.close();
    serving.kill('SIGTERM');
    expect(await serving.ended).toMatchObject({ status: 0 });
  });

  it('refuses to be reached from elsewhere without TLS and a user, and says what to pass', async () => {
    const open = await run(['store', '--store', 'memory:', '--listen', '0.0.0.0:0']);
    expect(open).toMatchObject({ status: 1, stdout: '' });
    expect(open.stderr).toMatch(
      /it needs TLS \(--tls-cert and --tls-key.*\) and a user \(--user or --etcd-user name:password/,
    );
  });

  it('leaves no folder behind when it refuses', async () => {
    const data = join(folder, 'never');
    const refusal = async (command: typeof storeCommand, ...args: string[]): Promise<string> => {
      const silent = command()
        .exitOverride()
        .configureOutput({ writeErr: () => {} });
      const run = silent.parseAsync([...args, '--store', `file:${data}`], { from: 'user' });
      return run.then(
        () => 'it runs',
        (error: Error) => error.message,
      );
    };
    expect(await refusal(storeCommand, '--listen', '0.0.0.0:0')).toMatch(/it needs TLS/);
    expect(await refusal(storeCommand, '--compact-revisions', '0')).toMatch(/It must be at least 1/);
    expect(await refusal(storeCommand, '--tls-cert', 'cert.pem')).toMatch(/needs both/);
    expect(await refusal(storeCommand, 'list')).toMatch(/unknown command 'list'/);
    expect(await refusal(hubCommand, '--port', '0', '--etcd-api', '0.0.0.0:0')).toMatch(/it needs TLS/);
    expect(await refusal(hubCommand, '--port', '0', '--etcd-user', 'a:b')).toMatch(/--etcd-api HOST:PORT/);
    expect(existsSync(data)).toBe(false);
  });

  it('names what is wrong with an address and a user', async () => {
    expect((await run(['store', '--listen', '2379'])).stderr).toContain('Addresses look like 127.0.0.1:2379');
    const user = await run(['store'], { HOLDFAST_STORE_USER: 'root' });
    expect(user.stderr).toContain('Users look like name:password');
  });
});

describe('the commands on a store', () => {
  it('put, get, del', async () => {
    expect((await on('put', 'app/a', '1', '--json')).stdout).toMatch(/^\{"revision":\d+\}\n$/);
    await store.put({ key: bytes('app/b'), value: bytes('two\nlines') });
    await store.put({ key: Uint8Array.of(0x61, 0xff), value: Uint8Array.of(0xfe) });
    expect(await on('get', 'app/a')).toMatchObject({ status: 0, stdout: '1\n' });
    expect((await on('get', '--prefix', 'app/')).stdout).toBe('app/a\t1\napp/b\t"two\\nlines"\n');
    expect((await on('get', 'app/', 'app/b', '--keys-only')).stdout).toBe('app/a\n');
    expect((await on('get', '', '--from-key', '--count')).stdout).toBe('3\n');
    expect((await on('get', 'a', '--from-key', '--json')).stdout).toContain(
      '"key":{"base64":"Yf8="},"value":{"base64":"/g=="}',
    );
    expect(await on('get', 'nobody')).toMatchObject({ status: 1, stdout: '', stderr: '' });
    expect((await on('del', '--prefix', 'app/')).stdout).toBe('deleted 2\n');
    expect((await on('get', 'a', 'b', '--prefix')).stderr).toContain(
      'give one of END, --prefix and --from-key',
    );
  });

  it('watch, from the past on, until Ctrl-C', async () => {
    const { revision } = await store.put({ key: bytes('w'), value: bytes('1') });
    const url = `etcd://127.0.0.1:${server.port}`;
    const watching = new Command([
      'store',
      'watch',
      'w',
      '--rev',
      String(revision),
      '--previous',
      '--store',
      url,
    ]);
    const lines = new Command(['store', 'watch', 'w', '--rev', String(revision), '--json', '--store', url]);
    await watching.match(/put\tw\t1\n/);
    await store.put({ key: bytes('w'), value: bytes('2') });
    await store.delete({ key: bytes('w') });
    await watching.match(/put\tw\t2\t\(before: 1\)\ndelete\tw\t\(before: 2\)\n/);
    await lines.match(/\{"type":"delete","key":"w","modRevision":\d+\}\n/);
    watching.kill('SIGINT');
    lines.kill('SIGINT');
    expect(await watching.ended).toMatchObject({ status: 0, stderr: '' });
    expect(await lines.ended).toMatchObject({ status: 0, stderr: '' });
  });

  it('export and import: what was there is there again, but for what had a lease', async () => {
    await store.delete({ key: Uint8Array.of(0), end: new Uint8Array() });
    const { id } = await store.leases.grant({ ttlSeconds: 600 });
    for (let n = 0; n < 1_100; n++) {
      await store.put({ key: bytes(`n${n}`), value: n === 7 ? Uint8Array.of(0xff) : bytes(String(n)) });
    }
    await store.put({ key: bytes('leased'), lease: id });
    const exported = await on('export');
    expect(exported.stdout.trim().split('\n')).toHaveLength(1_101);
    const file = join(folder, 'export.ndjson');
    await writeFile(file, exported.stdout);
    const before = await store.range({ key: bytes('n'), end: bytes('o') });
    await store.delete({ key: Uint8Array.of(0), end: new Uint8Array() });
    expect((await on('import', file)).stdout).toBe('1100 entries written, 1 left out: they had a lease\n');
    const after = await store.range({ key: Uint8Array.of(0), end: new Uint8Array() });
    const content = ({ entries }: typeof before): unknown => entries.map(({ key, value }) => [key, value]);
    expect(content(after)).toEqual(content(before));
    await writeFile(file, `${await readFile(file, 'utf8')}nonsense\n`);
    const broken = (await on('import', file)).stderr;
    expect(broken).toMatch(/line 1102 is no entry of an export: .*; 1000 entries were written before \[/);
    await writeFile(file, '{"key":{"base64":"?"},"value":"1"}\n');
    expect((await on('import', file)).stderr).toContain('{"base64":"?"} is neither a text nor');
    expect((await on('import', join(folder, 'nothing'))).stderr).toMatch(
      /no such file.*; 0 entries were written/,
    );
  });

  it('reads begin no store where there is none, writes do', async () => {
    const begun = `file:${join(folder, 'begun')}`;
    for (const args of [['get', 'a'], ['del', 'a'], ['export'], ['compact'], ['watch', 'a']])
      expect((await at(begun, ...args)).stderr).toMatch(/there is no store in .*begun; name another/);
    expect(existsSync(join(folder, 'begun'))).toBe(false);
    expect(await at(begun, 'put', 'a', '1')).toMatchObject({ status: 0 });
    expect(await at(begun, 'get', 'a')).toMatchObject({ status: 0, stdout: '1\n' });
  });

  it('say soon that nobody answers, and why', async () => {
    expect((await at('etcd://127.0.0.1:1', 'get', 'a')).stderr).toMatch(
      /5000 ms.*ECONNREFUSED 127\.0\.0\.1:1/,
    );
  });

  it('compact', async () => {
    const { revision } = await store.put({ key: bytes('c'), value: bytes('1') });
    expect((await on('compact', '--json')).stdout).toBe(`{"compactRevision":${revision}}\n`);
    // Again there is nothing to do, and nothing wrong.
    expect(await on('compact')).toMatchObject({ status: 0, stdout: `compacted to revision ${revision}\n` });
    expect((await on('compact', String(revision))).stderr).toContain('[compacted]');
    const old = await on('get', 'c', '--rev', String(revision - 1), '--json');
    expect(JSON.parse(old.stderr)).toMatchObject({ code: 'compacted' });
  });
});
