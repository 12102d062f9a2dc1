// Large arguments and results: in chunks, under credit, with everything else overtaking them.
// Invariant of all: a call whose arguments did not arrive whole was not started; it is moved and executed once.
import { expect, test } from 'vitest';
import { eventually, monotonicMs } from './eventually.ts';
import { startClient, startHub, startNode } from './in-process.ts';
import { forkHub, forkNode } from './processes.ts';
import { startTcpProxy } from './tcp-proxy.ts';

const MIB = 1_048_576;

/** Bytes that are not all the same, so that a chunk out of place shows in the sum. */
function patterned(bytes: number): { data: Uint8Array; sum: number } {
  const data = new Uint8Array(bytes);
  let sum = 0;
  for (let i = 0; i < bytes; i += 4_096) {
    data[i] = (i / 4_096) % 251;
    sum += data[i] ?? 0;
  }
  return { data, sum };
}

test('a 64 MiB argument arrives whole, while heartbeats and small calls on the same links go on', async () => {
  const hub = await forkHub();
  const node = await forkNode({ hub: hub.url, ids: ['n1'] });
  const client = await startClient(hub.url);
  const { data, sum } = patterned(64 * MIB);
  const before = await hub.nodes();
  let settled = false;
  const big = client
    .call<{ length: number; sum: number }>('weigh', ['big', data])
    .finally(() => (settled = true));
  const tookMs: number[] = [];
  while (!settled) {
    const from = monotonicMs();
    expect(await client.call('add', [1, 2])).toBe(3);
    tookMs.push(monotonicMs() - from);
  }
  expect(await big).toEqual({ length: 64 * MIB, sum });
  // With 64 MiB before it in the same line a small call would wait for all of them; none did.
  expect(tookMs.length).toBeGreaterThan(10);
  const after = await hub.nodes();
  expect(after[0]).toMatchObject({ state: 'online', registrations: before[0]?.registrations });
  expect(client.status().reconnects).toBe(0);
  expect(await node.counts()).toEqual({ big: 1 });
}, 60_000);

test('a 64 MiB result comes back whole', async () => {
  const hub = await forkHub();
  await forkNode({ hub: hub.url, ids: ['n1'] });
  const client = await startClient(hub.url);
  const result = await client.call<Uint8Array>('grow', [64 * MIB]);
  expect(result.length).toBe(64 * MIB);
  expect(result[0]).toBe(7);
  expect(result[64 * MIB - 1]).toBe(7);
  // Its last chunk ended the call at the hub.
  expect((await hub.nodes())[0]).toMatchObject({ running: 0, totalTasksExecuted: 1 });
  expect(client.status().reconnects).toBe(0);
}, 60_000);

test('the hub keeps no more of a large argument than its stated buffers', async () => {
  const hub = await forkHub({ heartbeatTimeoutMs: 20_000 });
  const proxy = await startTcpProxy(hub.port);
  const node = await forkNode({ hub: proxy.url, ids: ['n1'] });
  const client = await startClient(hub.url);
  await client.call('add', [1, 2]);
  // The node's side takes nothing any more: the sender has to stop after one window.
  const through = proxy.bytesToPeer;
  node.pause();
  const { data, sum } = patterned(32 * MIB);
  const call = client.call<{ sum: number }>('weigh', ['k', data]);
  await eventually('the window was used', () => proxy.bytesToPeer - through > MIB / 2);
  let last = -1;
  await eventually('nothing more is sent', async () => {
    const now = proxy.bytesToPeer;
    const same = now === last;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 50));
    return same;
  });
  expect(proxy.bytesToPeer - through).toBeLessThan(2 * MIB);
  node.resume();
  expect(await call).toMatchObject({ sum });
}, 60_000);

test('a hub that is killed in mid-upload leaves the call not started; it is moved and executed once', async () => {
  const hub = await forkHub();
  const proxy = await startTcpProxy(hub.port);
  const node = await forkNode({ hub: proxy.url, ids: ['n1'] });
  const client = await startClient(hub.url);
  await client.call('add', [1, 2]);
  const { data, sum } = patterned(48 * MIB);
  const through = proxy.bytesToPeer;
  const call = client.call<{ sum: number }>('weigh', ['k', data]);
  await eventually('part of it arrived', () => proxy.bytesToPeer - through > 4 * MIB);
  await hub.kill();
  expect(await node.counts()).toEqual({});
  await forkHub({ port: hub.port });
  expect(await call).toMatchObject({ sum });
  expect(await node.counts()).toEqual({ k: 1 });
  expect(client.status().retries).toBeGreaterThanOrEqual(1);
}, 60_000);

for (const side of ['client', 'node'] as const) {
  test(`when only the ${side}'s link is cut in mid-upload, the call is sent again and executed once`, async () => {
    const hub = await startHub();
    const [nodeSide, clientSide] = await Promise.all([startTcpProxy(hub.port), startTcpProxy(hub.port)]);
    const worker = await startNode(nodeSide.url, 'n1');
    const client = await startClient(clientSide.url);
    await client.call('add', [1, 2]);
    const { data, sum } = patterned(48 * MIB);
    const through = nodeSide.bytesToPeer;
    const call = client.call<{ sum: number }>('weigh', ['k', data]);
    await eventually('part of it arrived', () => nodeSide.bytesToPeer - through > 4 * MIB);
    (side === 'client' ? clientSide : nodeSide).cut();
    expect(worker.countOf('k')).toBe(0);
    expect(await call).toMatchObject({ sum });
    expect(worker.countOf('k')).toBe(1);
    expect(client.status().retries).toBe(1);
  }, 60_000);
}

test('a node that is killed in mid-upload costs nothing: the call moves to another node', async () => {
  const hub = await startHub();
  const proxy = await startTcpProxy(hub.port);
  const doomed = await forkNode({ hub: proxy.url, ids: ['doomed'] });
  const client = await startClient(hub.url);
  await client.call('add', [1, 2]);
  const { data, sum } = patterned(48 * MIB);
  const through = proxy.bytesToPeer;
  const call = client.call<{ sum: number }>('weigh', ['k', data]);
  await eventually('part of it arrived', () => proxy.bytesToPeer - through > 4 * MIB);
  const heir = await startNode(hub.url, 'heir');
  await doomed.kill();
  expect(await call).toMatchObject({ sum });
  expect(heir.countOf('k')).toBe(1);
}, 60_000);

test('a large result whose way is cut in its middle comes again, whole', async () => {
  const hub = await startHub();
  const proxy = await startTcpProxy(hub.port);
  const worker = await startNode(proxy.url, 'n1');
  const client = await startClient(hub.url);
  const through = proxy.bytesToHub;
  const call = client.call<Uint8Array>('grow', [48 * MIB]);
  await eventually('part of it is through', () => proxy.bytesToHub - through > 4 * MIB);
  proxy.cut();
  expect((await call).length).toBe(48 * MIB);
  expect(worker.node.status().totalExecuted).toBe(1);
}, 60_000);

test('a call that is cancelled in mid-upload stops the upload, and the link goes on', async () => {
  const hub = await startHub();
  const proxy = await startTcpProxy(hub.port);
  const worker = await startNode(proxy.url, 'n1');
  const client = await startClient(hub.url);
  await client.call('add', [1, 2]);
  const controller = new AbortController();
  const { data } = patterned(48 * MIB);
  const through = proxy.bytesToPeer;
  const call = client
    .call('weigh', ['k', data], { signal: controller.signal })
    .catch((error: unknown) => error);
  await eventually('part of it arrived', () => proxy.bytesToPeer - through > 4 * MIB);
  controller.abort();
  expect(await call).toMatchObject({ code: 'cancelled' });
  expect(await client.call('add', [3, 4])).toBe(7);
  await eventually('the hub forgot it', () => hub.status().running === 0 && hub.status().waiting === 0);
  expect(worker.countOf('k')).toBe(0);
  expect(proxy.bytesToPeer - through).toBeLessThan(48 * MIB);
  expect(client.status().reconnects).toBe(0);
}, 60_000);
