// Who is who: two instances with one node id, one instance that registers many times, a crowd that joins at once.
// Invariant of all: the instance that last acknowledged its sync is the one; nobody is kicked twice, nobody is lost.
import { expect, onTestFinished, test } from 'vitest';
import { createNode, noLog, type FleetNode } from '../../src/index.ts';
import { FrameType } from '../../src/protocol/frames.ts';
import { eventually } from './eventually.ts';
import { startClient, startHub, startNode } from './in-process.ts';
import { forkNode, quickLink } from './processes.ts';
import { openPeer } from './raw-peer.ts';
import { startTcpProxy } from './tcp-proxy.ts';

test('of two instances with one node id the older is told that it was replaced and ends; the newer stays, without a loop', async () => {
  const hub = await startHub();
  const proxy = await startTcpProxy(hub.port);
  const ended: string[] = [];
  const older = await startNode(proxy.url, 'n1', {
    onEnded: (error) => void ended.push(`older ${error.code}`),
  });
  const newer = await startNode(proxy.url, 'n1', {
    onEnded: (error) => void ended.push(`newer ${error.code}`),
  });
  const client = await startClient(hub.url);
  await eventually('the older one ended', () => older.node.status().state === 'rejected');
  expect(ended).toEqual(['older replaced']);
  await expect(older.node.ready()).rejects.toMatchObject({ code: 'replaced', blame: 'remote' });
  // Long enough for several reconnects of a node that would not take no for an answer.
  const dialled = proxy.accepted;
  for (let i = 0; i < 40; i++) await client.call('mark', [`k${i}`]);
  await eventually(
    'a health check went by',
    () => (newer.node.status().lastHeartbeatAgeMs ?? Infinity) < 300,
  );
  await new Promise((resolve) => setTimeout(resolve, 3 * quickLink.reconnectMaxMs));
  expect(proxy.accepted).toBe(dialled);
  expect(newer.node.status()).toMatchObject({ state: 'connected', reconnects: 0 });
  expect(older.counts()).toEqual({});
  expect(Object.keys(newer.counts()).length).toBe(40);
  expect(hub.nodes().map(({ instance, state }) => [instance, state])).toEqual([
    [newer.node.instance, 'online'],
  ]);
  expect(ended).toEqual(['older replaced']);
});

test('a replaced node that is asked to connect again stays where it is', async () => {
  const hub = await startHub();
  const older = await startNode(hub.url, 'n1');
  const newer = await startNode(hub.url, 'n1');
  await eventually('the older one ended', () => older.node.status().state === 'rejected');
  older.node.connect();
  expect(older.node.status().state).toBe('rejected');
  expect(newer.node.status().state).toBe('connected');
  await older.node.stop();
});

test('what the older instance had in flight is settled by the takeover', async () => {
  const hub = await startHub();
  const older = await startNode(hub.url, 'n1');
  const client = await startClient(hub.url);
  const plain = client.call('hold', ['plain']).catch((error: unknown) => error);
  const idempotent = client.call('hold', ['idempotent'], { idempotent: true });
  await eventually('both run', () => older.events.length === 2);
  const newer = await startNode(hub.url, 'n1');
  newer.release('idempotent');
  expect(await plain).toMatchObject({ code: 'lost', started: 'unknown' });
  expect(await idempotent).toBe('idempotent from n1');
  expect(newer.counts()).toEqual({ idempotent: 1 });
  // The functions of the one that was replaced are aborted: nobody waits for them.
  await eventually('aborted', () => older.events.filter(({ event }) => event === 'aborted').length === 2);
});

test('a newcomer that does not acknowledge its sync evicts nobody', async () => {
  const hub = await startHub({ connectionTimeoutMs: 600 });
  const resident = await startNode(hub.url, 'n1');
  const client = await startClient(hub.url);
  const crashed = await openPeer(hub.url);
  crashed.register({ role: 'node', id: 'n1', instance: 'instance-that-hangs' });
  await crashed.hears(FrameType.SYNC);
  // Two instances have sessions now; the one that acknowledged is the one.
  expect(
    hub
      .nodes()
      .map(({ state }) => state)
      .sort(),
  ).toEqual(['online', 'syncing']);
  expect(await client.call('who')).toBe('n1');
  await crashed.closed;
  expect(resident.node.status()).toMatchObject({ state: 'connected', reconnects: 0 });
  expect(await client.call('add', [1, 2])).toBe(3);
});

test('a late registration of a crashed instance cannot evict its live successor', async () => {
  const hub = await startHub();
  const crashed = await openPeer(hub.url);
  crashed.register({ role: 'node', id: 'n1', instance: 'first' });
  crashed.synced(await crashed.hears(FrameType.SYNC));
  await eventually('the first is online', () => hub.nodes()[0]?.state === 'online');
  crashed.terminate();
  const successor = await startNode(hub.url, 'n1');
  // Bytes of the first that were under way for long: a new socket, a higher epoch.
  const late = await openPeer(hub.url);
  late.register({ role: 'node', id: 'n1', instance: 'first', epoch: 7, registrationEpoch: 7 });
  expect(await late.closed).toMatchObject({ code: 4409 });
  expect(successor.node.status()).toMatchObject({ state: 'connected', reconnects: 0 });
  expect(hub.nodes().map(({ instance }) => instance)).toEqual([successor.node.instance]);
});

test('ten registrations of one instance at once leave one session on one socket', async () => {
  const hub = await startHub();
  const peers = await Promise.all(Array.from({ length: 10 }, () => openPeer(hub.url)));
  const first = hub.status().connections;
  expect(first).toBe(10);
  const order = [3, 7, 1, 10, 2, 9, 4, 8, 5, 6];
  for (const [i, peer] of peers.entries()) {
    const epoch = order[i] ?? 0;
    peer.register({ role: 'node', id: 'n1', instance: 'one', epoch, registrationEpoch: epoch });
  }
  const newest = peers[order.indexOf(10)];
  if (newest === undefined) throw new Error('there is a newest');
  newest.synced(await newest.hears(FrameType.SYNC));
  await eventually('one socket is left', () => hub.status().connections === 1);
  await eventually('it is online', () => hub.nodes()[0]?.state === 'online');
  expect(hub.nodes().map(({ id }) => id)).toEqual(['n1']);
  expect(newest.state).toBe('open');
  newest.frame(FrameType.PING, 0, 0, 10);
  await newest.hears(FrameType.PONG);
});

test('the same registration ten times on one socket is answered ten times and changes nothing', async () => {
  const hub = await startHub();
  const peer = await openPeer(hub.url);
  for (let i = 0; i < 10; i++) peer.register({ role: 'node', id: 'n1', instance: 'one' });
  await eventually(
    'ten answers',
    () => peer.heard.filter(({ type }) => type === FrameType.REGISTERED).length === 10,
  );
  expect(peer.heard.filter(({ type }) => type === FrameType.SYNC).length).toBe(1);
  peer.synced(await peer.hears(FrameType.SYNC));
  await eventually('online', () => hub.nodes()[0]?.state === 'online');
  expect(hub.nodes()[0]?.registrations).toBe(1);
});

test('a thousand nodes that join within a second get their sync once each, and none is lost', async () => {
  const asked = new Map<string, number>();
  const hub = await startHub({
    onSync: ({ id }) => {
      asked.set(id, (asked.get(id) ?? 0) + 1);
      return { round: 3, hello: id };
    },
    connectionTimeoutMs: 30_000,
    heartbeatIntervalMs: 5_000,
    heartbeatTimeoutMs: 30_000,
  });
  const synced = new Map<string, unknown[]>();
  const nodes: FleetNode[] = [];
  const ids = Array.from({ length: 1_000 }, (_, i) => `n${i}`);
  for (const id of ids) {
    const onSync = (value: unknown): void => void synced.set(id, [...(synced.get(id) ?? []), value]);
    nodes.push(
      createNode({
        ...quickLink,
        heartbeatIntervalMs: 5_000,
        heartbeatTimeoutMs: 30_000,
        connectionTimeoutMs: 30_000,
        hub: hub.url,
        id,
        functions: { who: () => id },
        log: noLog(),
        onSync,
      }),
    );
  }
  onTestFinished(async () => void (await Promise.all(nodes.map((node) => node.stop()))));
  await eventually(
    'all are online',
    // The whole list is looked at only when it can be complete: on a busy machine looking is most of the work.
    () => synced.size === 1_000 && hub.nodes().every(({ state }) => state === 'online'),
    45_000,
  );
  expect([...asked.values()].every((count) => count === 1)).toBe(true);
  expect(asked.size).toBe(1_000);
  for (const id of ids) expect(synced.get(id)).toEqual([{ round: 3, hello: id }]);
  expect(nodes.every((node) => node.status().reconnects === 0)).toBe(true);
  expect(hub.status()).toMatchObject({ nodes: 1_000, unexpectedEvents: 0, deadLetters: 0 });
  // Each can be reached.
  const client = await startClient(hub.url, { connectionTimeoutMs: 30_000, heartbeatTimeoutMs: 30_000 });
  const answers = await Promise.all(ids.map((id) => client.call('who', [], { node: id })));
  expect(answers).toEqual(ids);
  // And the hub tells of all of them, in as many answers as it takes.
  const told = await client.nodes();
  expect(new Set(told.map(({ id }) => id))).toEqual(new Set(ids));
}, 60_000);

test('a node takes work only when it acknowledged its sync, however long its application takes', async () => {
  let finish: () => void = () => undefined;
  const hub = await startHub({ onSync: () => ({ model: 'v1' }) });
  const client = await startClient(hub.url);
  const got: unknown[] = [];
  const joining = startNode(hub.url, 'slow', {
    onSync: (value) => {
      got.push(value);
      return new Promise<void>((resolve) => (finish = resolve));
    },
  });
  await joining;
  await eventually('it has the sync', () => got.length === 1);
  expect(got).toEqual([{ model: 'v1' }]);
  const call = client.call('who');
  await eventually('the call waits', () => hub.status().waiting === 1);
  expect(hub.nodes()[0]?.state).toBe('syncing');
  finish();
  expect(await call).toBe('slow');
  expect(hub.nodes()[0]?.state).toBe('online');
});

test('two nodes in one process know nothing of each other', async () => {
  const hub = await startHub();
  const [a, b] = [await startNode(hub.url, 'a'), await startNode(hub.url, 'b')];
  const client = await startClient(hub.url);
  expect(await client.call('who', [], { node: 'a' })).toBe('a');
  await a.node.stop();
  expect(b.node.status().state).toBe('connected');
  expect(await client.call('who', [], { node: 'b' })).toBe('b');
});

test('a crashed node process and its successor with the same id, again and again, end with the last one online', async () => {
  const hub = await startHub();
  for (let i = 0; i < 3; i++) {
    const node = await forkNode({ hub: hub.url, ids: ['n1'] });
    await eventually(
      'it is the one',
      () => hub.nodes().filter(({ state }) => state === 'online').length === 1,
    );
    await node.kill();
  }
  const last = await startNode(hub.url, 'n1');
  await eventually('only the last is left', () => hub.nodes().length === 1);
  expect(hub.nodes()[0]).toMatchObject({ instance: last.node.instance, state: 'online' });
});
