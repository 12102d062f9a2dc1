// `etcdctl` on our etcd API and on a real etcd, side by side: the same commands, the same answers.
// Invariant: both see the same commands in the same order, so that their revisions are the same; what may differ (ids,
// ports, times, sizes) is taken out of both answers by `alike`.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openStore, serveEtcd, type EtcdServer, type Store } from '../../../src/index.ts';
import { startEtcd, type EtcdServer as RealEtcd } from '../store/etcd-server.ts';
import { Etcdctl, endAll, etcdctl, type Printed } from './etcdctl.ts';

let store: Store;
let ours: EtcdServer;
let real: RealEtcd;
let endpoints: readonly [ours: string, real: string];
let folder: string;

beforeAll(async () => {
  store = await openStore('memory:');
  ours = await serveEtcd({ store, port: 0 });
  real = await startEtcd({ args: ['--heartbeat-interval=100', '--election-timeout=1000'] });
  endpoints = [`127.0.0.1:${ours.port}`, real.endpoint];
  folder = await mkdtemp(join(tmpdir(), 'etcd-api-'));
}, 30_000);

afterEach(endAll);

afterAll(async () => {
  await ours.close();
  await store.close();
  await real.close();
  await rm(folder, { recursive: true, force: true });
});

/** What the two may say differently, whatever the command. */
function alike(text: string): string {
  return (
    text
      .replaceAll(/127\.0\.0\.1:\d+/g, 'ENDPOINT')
      .replaceAll(/"(cluster_id|member_id|leader)":\d+/g, '"$1":ID')
      .replaceAll(/"(ClusterID|MemberID)" : \d+/g, '"$1" : ID')
      .replaceAll(/"(dbSize|dbSizeInUse|raftIndex|raftAppliedIndex)":\d+/g, '"$1":N')
      .replaceAll(/took = \S+/g, 'took = TIME')
      // etcd keeps the keys of a lease in no order.
      .replaceAll(/(?<=attached keys\(\[)[^\]]+/g, (keys) => keys.split(' ').toSorted().join(' '))
      .replaceAll(/\b[0-9a-f]{15,16}\b/g, 'LEASE')
  );
}

function alikeOf({ status, stdout, error }: Printed): Printed {
  return { status, stdout: alike(stdout), error: alike(error) };
}

/** Runs a command on both, expects them to say the same, and answers with what they said. */
async function both(args: readonly string[], input?: string): Promise<Printed> {
  const [mine, reference] = await Promise.all(endpoints.map((endpoint) => etcdctl(endpoint, args, input)));
  expect({ args, input, ...alikeOf(mine!) }).toEqual({ args, input, ...alikeOf(reference!) });
  return mine!;
}

/** Of each command the words, parted by spaces; `''` is an empty one. */
async function script(commands: string): Promise<Printed[]> {
  const printed: Printed[] = [];
  for (const line of commands.trim().split('\n')) {
    const args = line.trim().split(' ');
    printed.push(await both(args.map((word) => (word === "''" ? '' : word))));
  }
  return printed;
}

describe('etcdctl on our API says what it says on etcd:', () => {
  it('put, get with all flags, del', async () => {
    const printed = await script(`
      put a 1
      put a 2 --prev-kv
      put a --ignore-value --prev-kv
      put a 3 --ignore-lease
      put '' x
      put nobody --ignore-value
      put nobody 1 --ignore-lease
      put a x --ignore-value
      put c 3 --lease=77
      put k1 v1
      put k2 v2
      put k3 v3
      put k4 v4
      put k2 v22
      get a
      get nothing
      get a -w json
      get a -w fields
      get k --prefix
      get k --prefix --keys-only
      get k --prefix --print-value-only
      get k --prefix --limit 2
      get k --prefix --limit 2 -w json
      get k --prefix --sort-by MODIFY --order DESCEND
      get k --prefix --sort-by VERSION
      get k --prefix --sort-by VALUE --order ASCEND --limit 1 -w json
      get k --prefix --consistency s
      get k1 k4
      get k4 k1
      get k4 --from-key
      get '' --prefix
      get '' --from-key --keys-only
      get a --rev 2
      get a --rev 2000
      get a --rev=-5
      del k1 --prev-kv
      del k2 k4 --prev-kv
      del k --prefix
      del nobody
      del z --from-key
      get '' --prefix -w json
    `);
    expect(printed[0]).toMatchObject({ status: 0, stdout: 'OK\n' });
    expect(printed[4]).toMatchObject({ status: 1, error: 'Error: etcdserver: key is not provided' });
    expect(printed.at(-1)!.stdout).toContain('"key":"YQ=="');
  });

  it('txn, typed in', async () => {
    const transactions = [
      'mod("a") > "0"\n\nput a x\nget a\n\nget k\n\n',
      'value("a") = "y"\nversion("a") > "1"\n\nput a 1\n\nput a z\nget a\n\n',
      'create("q") = "0"\n\nput q 1\nget q\ndel a\n\n\n',
      'value("q") > "0"\n\nput q y\nput q z\n\n\n',
      'version("r") = "0"\n\nput r 1\ndel r\n\n\n',
      '\n\nget ""\n\n',
      '\nput s 1\nput t 2\nput u 3\n\n\n',
      `\n${Array.from({ length: 128 }, (_, n) => `put n${n} v`).join('\n')}\n\n\n`,
      `\n${Array.from({ length: 129 }, (_, n) => `put n${n} v`).join('\n')}\n\n\n`,
    ];
    for (const transaction of transactions) await both(['txn', '-i', '-w', 'json'], transaction);
    const last = await both(['txn', '-i'], transactions.at(-1));
    expect(last.error).toContain('etcdserver: too many operations in txn request');
  });

  it('watch, from now on and from the past', async () => {
    await script(`
      put w1 a
      put w2 b
      del w1
    `);
    const [{ header }] = [
      JSON.parse((await both(['get', 'w2', '-w', 'json'])).stdout) as { header: { revision: number } },
    ];
    const from = String(header.revision - 2);
    const watching = (args: readonly string[], input?: string): Etcdctl[] =>
      endpoints.map((endpoint) => new Etcdctl(endpoint, ['watch', ...args], input));
    const past = watching(['--prefix', 'w', '--rev', from]);
    const previous = watching(['--prefix', 'w', '--rev', from, '--prev-kv', '-w', 'json']);
    const range = watching(['w2', 'w3', '--rev', from]);
    const future = watching(['w1', '--rev', String(header.revision + 2)]);
    const interactive = watching(['-i']);
    for (const one of interactive) one.type('watch w2');
    for (const one of interactive) one.type('progress');
    // What was is told first; then they are ready for what comes.
    for (const one of [...past, ...previous, ...range, ...interactive]) await one.lines(1);
    await script(`
      put w1 not-yet
      put w1 again
      del w --prefix
    `);
    await both(['txn', '-i'], '\nput w1 1\nput w2 2\ndel a\n\n\n');
    const expected: [watches: Etcdctl[], lines: number][] = [
      [past, 27],
      [previous, 5],
      [range, 9],
      [future, 9],
      [interactive, 7],
    ];
    for (const [[mine, reference], lines] of expected) {
      await mine!.lines(lines);
      await reference!.lines(lines);
      expect(alike(mine!.stdout)).toBe(alike(reference!.stdout));
      expect(mine!.stdout.split('\n')).toHaveLength(lines + 1);
    }
  });

  it('compaction, and what it takes away', async () => {
    const printed = await script(`
      get a -w json
      compaction 5
      compaction 5
      compaction 3
      compaction 5000
      get a --rev 4
      get a --rev 5 -w json
      endpoint hashkv
    `);
    expect(printed[1]).toMatchObject({ status: 0, stdout: 'compacted revision 5\n' });
    expect(printed[5]!.error).toBe('Error: etcdserver: mvcc: required revision has been compacted');
    const [mine, reference] = endpoints.map(
      (endpoint) => new Etcdctl(endpoint, ['watch', 'a', '--rev', '2']),
    );
    expect(alikeOf(await mine!.ended)).toEqual(alikeOf(await reference!.ended));
  });

  it('lease: grant, keep-alive, timetolive, list, revoke', async () => {
    await script(`
      lease grant 1
      lease grant 0
      lease grant 9000000001
      lease timetolive 1234
      lease revoke 1234
      lease keep-alive --once 1234
    `);
    const leases = await Promise.all(
      endpoints.map(async (endpoint) => {
        const said: string[] = [];
        const run = async (...args: string[]): Promise<string> => {
          const { stdout, error } = await etcdctl(endpoint, args);
          said.push(alike(stdout + error).replaceAll(/remaining\(\d+s\)/g, 'remaining(TIME)'));
          return stdout;
        };
        const id = /lease (\S+)/.exec(await run('lease', 'grant', '600'))![1]!;
        await run('put', 'l1', 'v', `--lease=${id}`);
        await run('put', 'l2', 'v', `--lease=${id}`);
        await run('lease', 'timetolive', id, '--keys');
        await run('lease', 'timetolive', id);
        const alive = new Etcdctl(endpoint, ['lease', 'keep-alive', id]);
        said.push(alike((await alive.lines(1))[0]!));
        await alive.kill();
        await run('lease', 'keep-alive', '--once', id);
        expect((await etcdctl(endpoint, ['lease', 'list'])).stdout).toContain(id);
        await run('lease', 'revoke', id);
        await run('get', 'l', '--prefix', '-w', 'json');
        await run('lease', 'timetolive', id);
        expect((await etcdctl(endpoint, ['lease', 'list'])).stdout).not.toContain(id);
        return said;
      }),
    );
    expect(leases[0]).toEqual(leases[1]);
    expect(leases[0]![3]).toContain('attached keys([l1 l2])');
  });

  it('endpoint health and status, alarm, defrag', async () => {
    const printed = await script(`
      endpoint health
      endpoint status -w json
      alarm list
      alarm disarm
      defrag
    `);
    expect(printed[0]!.error).toContain('is healthy');
    const members = await etcdctl(endpoints[0], ['member', 'list']);
    expect(members.stdout).toMatch(/^[0-9a-f]{16}, started, holdfast, , http:\/\/127\.0\.0\.1:\d+, false\n$/);
  });

  it('what only a cluster has is not there, and said so', async () => {
    for (const args of [
      ['move-leader', '1234'],
      ['member', 'add', 'x', '--peer-urls=http://127.0.0.1:1'],
      ['user', 'list'],
      ['auth', 'enable'],
    ]) {
      const { status, error } = await etcdctl(endpoints[0], args);
      expect([status, error]).toEqual([expect.any(Number), expect.stringContaining('code = Unimplemented')]);
      expect(status).not.toBe(0);
    }
  });
});

describe('etcdctl on our API:', () => {
  it('lock lets one in at a time', async () => {
    const [mine] = endpoints;
    expect((await etcdctl(mine, ['lock', 'door', 'echo', 'inside'])).stdout).toBe('inside\n');
    const holder = new Etcdctl(mine, ['lock', 'door']);
    const [held] = await holder.lines(1);
    expect(held).toMatch(/^door\/[0-9a-f]+$/);
    const waiter = new Etcdctl(mine, ['lock', 'door']);
    // It waits as soon as its own key is behind the holder's.
    await keysBegin('door/', 2);
    expect(waiter.stdout).toBe('');
    await holder.kill('SIGINT');
    await waiter.lines(1);
    await waiter.kill('SIGINT');
  });

  it('elect makes one a leader, observed by another, followed by the next', async () => {
    const [mine] = endpoints;
    const first = new Etcdctl(mine, ['elect', 'chair', 'ann']);
    expect((await first.lines(2))[1]).toBe('ann');
    const observer = new Etcdctl(mine, ['elect', '-l', 'chair']);
    expect((await observer.lines(2))[1]).toBe('ann');
    const second = new Etcdctl(mine, ['elect', 'chair', 'bob']);
    await keysBegin('chair/', 2);
    await first.kill('SIGINT');
    expect((await second.lines(2))[1]).toBe('bob');
    expect((await observer.lines(4))[3]).toBe('bob');
    await Promise.all([second.kill('SIGINT'), observer.kill('SIGINT')]);
  });

  it('a lock is free when the lease of a killed holder is over', async () => {
    const [mine] = endpoints;
    const holder = new Etcdctl(mine, ['lock', '--ttl', '2', 'gate']);
    await holder.lines(1);
    await holder.kill('SIGKILL');
    const next = new Etcdctl(mine, ['lock', 'gate']);
    await next.lines(1);
    await next.kill('SIGINT');
  });

  it('check perf puts its load on', async () => {
    const load = new Etcdctl(endpoints[0], ['check', 'perf', '--load', 's']);
    await keysBegin('/etcdctl-check-perf/', 100);
    await load.kill('SIGKILL');
    await store.delete(prefixOf('/etcdctl-check-perf/'));
  });

  it('snapshot save, status and restore: a real etcd goes on with all that we had', async () => {
    const [mine] = endpoints;
    await etcdctl(mine, ['put', 'before', 'the snapshot']);
    const granted = await etcdctl(mine, ['lease', 'grant', '600']);
    const lease = /lease (\S+)/.exec(granted.stdout)![1]!;
    await etcdctl(mine, ['put', 'leased', 'for a while', `--lease=${lease}`]);
    const file = join(folder, 'snapshot.db');
    const data = join(folder, 'restored');
    expect(await etcdctl(mine, ['snapshot', 'save', file])).toMatchObject({ status: 0 });
    const status = await etcdctl(mine, ['snapshot', 'status', file, '-w', 'json']);
    const { revision } = await store.status();
    expect(JSON.parse(status.stdout)).toMatchObject({ revision });
    const all = (endpoint: string, ...more: string[]): Promise<Printed> =>
      etcdctl(endpoint, ['get', '', '--prefix', '-w', 'json', ...more]);
    const [now, past] = [await all(mine), await all(mine, '--rev', '6')];
    const hash = await etcdctl(mine, ['endpoint', 'hashkv']);
    expect(await etcdctl(mine, ['snapshot', 'restore', file, '--data-dir', data])).toMatchObject({
      status: 0,
    });
    const restored = await startEtcd({ args: [`--data-dir=${data}`] });
    try {
      const body = (printed: Printed): unknown => (JSON.parse(printed.stdout) as { kvs: unknown }).kvs;
      expect(body(await all(restored.endpoint))).toEqual(body(now));
      expect(body(await all(restored.endpoint, '--rev', '6'))).toEqual(body(past));
      expect(alike((await etcdctl(restored.endpoint, ['endpoint', 'hashkv'])).stdout)).toBe(
        alike(hash.stdout),
      );
      const keys = await etcdctl(restored.endpoint, ['lease', 'timetolive', lease, '--keys']);
      expect(keys.stdout).toContain('attached keys([leased])');
      const compacted = await etcdctl(restored.endpoint, ['get', 'a', '--rev', '4']);
      expect(compacted.error).toBe('Error: etcdserver: mvcc: required revision has been compacted');
    } finally {
      await restored.close();
    }
  });
});

function prefixOf(text: string): { key: Uint8Array; end: Uint8Array } {
  const key = new TextEncoder().encode(text);
  const end = Uint8Array.from(key);
  end[end.length - 1]!++;
  return { key, end };
}

/** Resolves when there are so many keys that begin so. */
async function keysBegin(text: string, count: number): Promise<void> {
  for (;;) {
    const answer = await store.range({ ...prefixOf(text), countOnly: true });
    if (answer.count >= count) return;
    await new Promise<void>((resolve) => {
      const handle = store.watch(
        { ...prefixOf(text), startRevision: answer.revision + 1 },
        { ready() {}, events: () => (handle.cancel(), 'more'), progress() {}, ended: () => resolve() },
      );
    });
  }
}
