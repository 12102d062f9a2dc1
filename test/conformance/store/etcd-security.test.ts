// Users, passwords and TLS of a real etcd, by URL.
// Invariant: nothing here has a secret that is used anywhere else.
import { execFileSync } from 'node:child_process';
import { generate } from 'selfsigned';
import { expect, onTestFinished, test } from 'vitest';
import { noLog, openStore, type EtcdOptions, type Store } from '../../../src/index.ts';
import { startEtcd, type EtcdServer, type EtcdServerOptions } from './etcd-server.ts';
import { key, pairs, prefix, put, revisionOf } from './under-test.ts';
import { begin, caughtUp, watching } from './watch-record.ts';
import { faultsOf } from './watch-validator.ts';

async function server(options: EtcdServerOptions): Promise<EtcdServer> {
  const one = await startEtcd(options);
  onTestFinished(() => one.close());
  return one;
}

async function open(url: string, options: EtcdOptions = {}): Promise<Store> {
  const store = await openStore(url, { log: noLog(), proposeTimeoutMs: 1_500, ...options });
  onTestFinished(() => store.close());
  return store;
}

/** A server with users: root, and ann, who may read and write below `ann/`. Tokens last for a second. */
async function guarded(): Promise<EtcdServer> {
  const one = await server({ args: ['--auth-token-ttl=1', '--bcrypt-cost=4'] });
  const ctl = (...args: readonly string[]): void =>
    void execFileSync('etcdctl', [`--endpoints=${one.endpoint}`, ...args], {
      env: { ...process.env, ETCDCTL_API: '3' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  ctl('user', 'add', 'root:all');
  ctl('user', 'grant-role', 'root', 'root');
  ctl('role', 'add', 'ann');
  ctl('role', 'grant-permission', 'ann', '--prefix=true', 'readwrite', 'ann/');
  ctl('user', 'add', 'ann:p@ss');
  ctl('user', 'grant-role', 'ann', 'ann');
  ctl('auth', 'enable');
  return one;
}

test('a user may do what the role allows, and nothing else', async () => {
  const { endpoint } = await guarded();
  const store = await open(`etcd://ann:p%40ss@${endpoint}`);
  await store.put(put('ann/a', '1'));
  expect(pairs((await store.range(prefix('ann/'))).entries)).toEqual(['ann/a=1']);
  await expect(store.put(put('bob/a', '1'))).rejects.toMatchObject({
    code: 'store_failed',
    started: 'notStarted',
    retryable: false,
    message: expect.stringMatching(/put of bob\/a: etcdserver: permission denied .*; grant the user/),
  });
  const { record } = begin(store, prefix('bob/'));
  await record.untilEnded();
  expect(record.told.length).toBe(1);
  expect(record.end).toMatchObject({ reason: 'failed', error: { code: 'store_failed' } });
  const own = await watching(store, prefix('ann/'));
  await store.put(put('ann/b', '2'));
  await own.record.untilSeen(await revisionOf(await open(`etcd://root:all@${endpoint}`)));
  expect(own.record.lines).toEqual(['put ann/b=2@3']);
});

test('a token that has expired is asked for again, for requests and for watches', async () => {
  const one = await guarded();
  const store = await open(`etcd://root:all@${one.endpoint}`);
  const before = await watching(store, prefix('k'));
  await store.put(put('k1', '1'));
  // A restart forgets all tokens at once.
  await one.kill();
  await one.restart();
  const after = await watching(store, prefix('k'));
  const both = await Promise.all([store.put(put('k2', '2')), store.put(put('k3', '3'))]);
  expect(new Set(both.map(({ revision }) => revision))).toEqual(new Set([3, 4]));
  for (const watch of [before, after]) {
    await caughtUp(watch, 4);
    expect(faultsOf(watch.record)).toEqual([]);
  }
  expect(before.record.changes.length).toBe(3);
  expect(after.record.changes.length).toBe(2);
});

test('a wrong password, or none, is an error that says so', async () => {
  const { endpoint } = await guarded();
  for (const [who, said] of [
    ['ann:wrong@', /check the user and password of the URL/],
    ['', /give a user and password in the URL/],
  ] as const) {
    const store = await open(`etcd://${who}${endpoint}`);
    await expect(store.range(key('ann/a'))).rejects.toMatchObject({
      code: 'store_failed',
      message: expect.stringMatching(said),
    });
    const { record } = begin(store, key('ann/a'));
    await record.untilEnded();
    expect(record.end).toMatchObject({ reason: 'failed', error: { code: 'store_failed' } });
  }
});

test('with TLS, a server is believed when its authority is known, and not otherwise', async () => {
  const pems = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
    keySize: 2048,
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
  });
  const { endpoint } = await server({ tls: { cert: pems.cert, key: pems.private } });
  const store = await open(`etcds://${endpoint}`, { tls: { ca: pems.cert } });
  const watch = await watching(store, prefix('k'));
  await store.put(put('k1', '1'));
  await watch.record.untilSeen(2);
  for (const url of [`etcds://${endpoint}`, `etcd://${endpoint}`]) {
    const stranger = await open(url, { proposeTimeoutMs: 600 });
    await expect(stranger.range(key('k1'))).rejects.toMatchObject({
      code: 'timed_out',
      started: 'notStarted',
      message: expect.stringContaining(endpoint),
    });
  }
  const stranger = await open(`etcds://${endpoint}`, { proposeTimeoutMs: 600 });
  await expect(stranger.range(key('k1'))).rejects.toThrow(/self-signed certificate/);
});

test('where nobody listens, the error says so', async () => {
  const gone = await startEtcd();
  await gone.close();
  const { endpoint } = gone;
  const store = await open(`etcd://${endpoint}`, { proposeTimeoutMs: 500 });
  await expect(store.put(put('a', '1'))).rejects.toMatchObject({
    code: 'timed_out',
    started: 'notStarted',
    message: expect.stringMatching(/\(127\.0\.0\.1:\d+: connect ECONNREFUSED 127\.0\.0\.1:\d+\)$/),
  });
});
