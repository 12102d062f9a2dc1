// Users and TLS: what etcd's own client sees of ours, and of a real etcd with a user.
// Invariant: without the password nothing is read and nothing is written.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openStore, serveEtcd, type EtcdServer, type Store } from '../../../src/index.ts';
import { startEtcd, type EtcdServer as RealEtcd } from '../store/etcd-server.ts';
import { Etcdctl, endAll, etcdctl, type Printed } from './etcdctl.ts';

const USER = '--user=root:secret';
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
let store: Store;
let ours: EtcdServer;
let real: RealEtcd;
let endpoints: readonly string[];

beforeAll(async () => {
  store = await openStore('memory:');
  ours = await serveEtcd({ store, port: 0, user: { name: 'root', password: 'secret' } });
  real = await startEtcd();
  endpoints = [`127.0.0.1:${ours.port}`, real.endpoint];
  for (const args of [
    ['user', 'add', 'root:secret'],
    ['role', 'add', 'root'],
    ['user', 'grant-role', 'root', 'root'],
    ['auth', 'enable'],
  ]) {
    expect(await etcdctl(real.endpoint, args)).toMatchObject({ status: 0 });
  }
}, 30_000);

afterEach(endAll);

afterAll(async () => {
  await ours.close();
  await store.close();
  await real.close();
});

/** On both; they must say the same. */
async function both(...args: string[]): Promise<Printed> {
  const [mine, reference] = await Promise.all(endpoints.map((endpoint) => etcdctl(endpoint, args)));
  expect({ args, ...mine }).toEqual({ args, ...reference });
  return mine!;
}

describe('a user', () => {
  it('reads, writes, watches and has leases with the password', async () => {
    expect((await both('put', 'a', '1', USER)).stdout).toBe('OK\n');
    expect((await both('get', 'a', USER)).stdout).toBe('a\n1\n');
    expect((await both('del', 'a', USER)).stdout).toBe('1\n');
    const watches = endpoints.map((endpoint) => new Etcdctl(endpoint, ['watch', 'a', '--rev', '2', USER]));
    for (const watch of watches) expect(await watch.lines(6)).toEqual(['PUT', 'a', '1', 'DELETE', 'a', '']);
    for (const endpoint of endpoints) {
      const granted = await etcdctl(endpoint, ['lease', 'grant', '600', USER]);
      const id = /lease (\S+)/.exec(granted.stdout)![1]!;
      expect((await etcdctl(endpoint, ['lease', 'keep-alive', '--once', id, USER])).status).toBe(0);
    }
  });

  it('who is none is told so, in words that clients know', async () => {
    expect((await both('get', 'a')).error).toContain('etcdserver: user name is empty');
    expect((await both('put', 'a', '2')).error).toContain('etcdserver: user name is empty');
    expect((await both('get', 'a', '--user=root:wrong')).error).toContain(
      'etcdserver: authentication failed',
    );
    expect((await both('get', 'a', '--user=nobody:secret')).error).toContain(
      'etcdserver: authentication failed',
    );
    const [mine] = endpoints;
    for (const args of [
      ['watch', 'a'],
      ['lease', 'grant', '60'],
      ['lease', 'list'],
      ['compaction', '2'],
      ['endpoint', 'hashkv'],
      ['member', 'list'],
      ['snapshot', 'save', join(tmpdir(), 'never-written.db')],
    ]) {
      const { status, error } = await etcdctl(mine!, args);
      expect([args, status === 0, error.includes('user name is empty')]).toEqual([args, false, true]);
    }
    expect((await store.range({ key: bytes('a') })).count).toBe(0);
  });
});

describe('off loopback', () => {
  it('needs TLS and a user, says what is missing, and then serves etcdctl and our own client', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'etcd-tls-'));
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
    });
    const tls = { cert, key };
    const user = { name: 'root', password: 'p:w' };
    const missing = async (given: object): Promise<string> =>
      serveEtcd({ store, host: '0.0.0.0', port: 0, ...given }).then(
        () => 'it serves',
        (error: Error) => error.message,
      );
    expect(await missing({})).toMatch(/needs TLS .* and a user/);
    expect(await missing({ tls })).toMatch(/needs a user \(--user or --etcd-user name:password/);
    expect(await missing({ user })).toMatch(/needs TLS \(--tls-cert and --tls-key/);
    const mixed = { cert, key: 'no PEM' };
    expect(await missing({ tls: mixed, user })).toMatch(/two PEM texts that belong together/);
    expect(await missing({ tls, user: { name: 'root', password: '' } })).toMatch(/not empty/);
    const server = await serveEtcd({ store, host: '0.0.0.0', port: 0, tls, user });
    try {
      const file = join(folder, 'ca.pem');
      await writeFile(file, cert);
      const secure = [`--cacert=${file}`, '--user=root:p:w'];
      const endpoint = `https://127.0.0.1:${server.port}`;
      expect((await etcdctl(endpoint, ['put', 'tls', 'yes', ...secure])).stdout).toBe('OK\n');
      const plain = await etcdctl(`127.0.0.1:${server.port}`, [
        'get',
        'tls',
        '--dial-timeout=500ms',
        '--command-timeout=500ms',
      ]);
      expect(plain.status).not.toBe(0);
      const client = await openStore(`etcds://root:p%3Aw@127.0.0.1:${server.port}`, { tls: { ca: cert } });
      const { entries } = await client.range({ key: bytes('tls') });
      expect(entries.map(({ value }) => Buffer.from(value).toString())).toEqual(['yes']);
      await client.close();
      const why = async (url: string): Promise<string> => {
        const stranger = await openStore(url, { proposeTimeoutMs: 300 });
        const message = await stranger.status().then(
          () => 'it answers',
          (error: Error) => error.message,
        );
        await stranger.close();
        return message;
      };
      expect(await why(`etcds://root:p%3Aw@127.0.0.1:${server.port}`)).toMatch(
        /self-signed certificate; give its authority: --ca, or the option tls\)$/,
      );
      expect(await why(`etcd://root:p%3Aw@127.0.0.1:${server.port}`)).toMatch(
        /if it speaks TLS, write etcds:\/\/\)$/,
      );
      expect(await why(`etcds://root:secret@127.0.0.1:${ours.port}`)).toMatch(
        /it speaks no TLS; write etcd:\/\//,
      );
    } finally {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
