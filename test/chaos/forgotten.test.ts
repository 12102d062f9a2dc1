// The hub forgets a node that is connected: the node registers again, on the same socket, at once.
// Invariant of all: no new socket is dialled, and nothing waits for a time-out.
import { expect, test } from 'vitest';
import { eventually } from './eventually.ts';
import { startClient, startHub, startNode } from './in-process.ts';
import { forkHub, forkNode, type HubProcess } from './processes.ts';
import { startTcpProxy } from './tcp-proxy.ts';
import { startWsProxy } from './ws-proxy.ts';

/** For links that a proxy keeps while a hub starts anew: they are not given up, however long that takes. */
const patient = { heartbeatIntervalMs: 200, heartbeatTimeoutMs: 20_000 };

test('a node that the hub forgot registers again on the same socket; history is kept, current tasks are reset', async () => {
  const hub = await startHub();
  const proxy = await startTcpProxy(hub.port);
  const worker = await startNode(proxy.url, 'n1', { labels: { gpu: 'true' } });
  const client = await startClient(hub.url);
  for (let i = 0; i < 5; i++) await client.call('add', [i, i]);
  const held = client.call('hold', ['k']).catch((error: unknown) => error);
  await eventually('it runs', () => worker.events.length === 1);
  const [before] = hub.nodes();
  expect(before).toMatchObject({ running: 1, totalTasksExecuted: 5 });

  expect(hub.forget('n1')).toBe(true);
  expect(hub.nodes()).toEqual([]);
  await eventually('it is back', () => hub.nodes()[0]?.state === 'online');

  const [after] = hub.nodes();
  expect(after).toMatchObject({
    totalTasksExecuted: 5,
    running: 0,
    queued: 0,
    labels: { gpu: 'true' },
    instance: worker.node.instance,
  });
  expect(after?.firstSeenMs).toBeGreaterThanOrEqual(before?.firstSeenMs ?? Infinity);
  expect(proxy.accepted).toBe(1);
  expect(worker.node.status()).toMatchObject({ state: 'connected', reconnects: 0 });
  // What the old incarnation had in flight was settled, not left hanging.
  expect(await held).toMatchObject({ code: 'lost', started: 'unknown' });
  expect(await client.call('add', [1, 2])).toBe(3);
  await eventually('history goes on', () => hub.nodes()[0]?.totalTasksExecuted === 6);
  expect(hub.forget('nobody')).toBe(false);
});

test('forgetting a node moves the calls that waited for it, and an idempotent one that ran', async () => {
  const hub = await startHub();
  const worker = await startNode(hub.url, 'n1', { maxConcurrent: 1 });
  const client = await startClient(hub.url);
  const running = client.call('hold', ['k'], { idempotent: true });
  await eventually('it runs', () => worker.events.length === 1);
  const queued = client.call('mark', ['queued']);
  await eventually('it waits', () => hub.status().waiting === 1);
  const heir = await startNode(hub.url, 'heir');
  heir.release('k');
  hub.forget('n1');
  expect(await queued).toBe('queued');
  expect(await running).toBe('k from heir');
  expect(worker.countOf('queued') + heir.countOf('queued')).toBe(1);
});

test('a hub that forgets all the time still gets calls through, each executed once', async () => {
  const hub = await startHub();
  const worker = await startNode(hub.url, 'n1');
  const client = await startClient(hub.url);
  let lost = 0;
  for (let i = 0; i < 6; i++) {
    hub.forget('n1');
    await client.call('mark', [`k${i}`]).catch(() => (lost += 1));
  }
  expect(lost).toBe(0);
  expect(worker.order()).toEqual(Array.from({ length: 6 }, (_, i) => `k${i}`));
  expect(worker.node.status().reconnects).toBe(0);
});

test('a hub that restarted with an empty memory behind a kept connection gets to know the node on the same socket', async () => {
  let hub: HubProcess = await forkHub();
  const proxy = await startWsProxy(() => hub.url);
  const node = await forkNode({ ...patient, hub: proxy.url, ids: ['n1'] });
  const client = await startClient(hub.url);
  expect(await client.call('add', [1, 2])).toBe(3);
  const call = client.call('hold', ['k']);
  await node.started('k');

  await hub.kill();
  hub = await forkHub({ port: hub.port });
  await eventually('it is known again', async () => (await hub.nodes())[0]?.state === 'online');
  expect(proxy.accepted).toBe(1);
  expect(proxy.dialled).toBe(2);
  expect((await node.statuses())[0]).toMatchObject({ state: 'connected', reconnects: 0 });
  // The new hub knows nothing of what was before, and says so.
  expect((await hub.nodes())[0]).toMatchObject({ totalTasksExecuted: 0, registrations: 1 });
  // The call that ran through all of this has its result, from the one execution.
  await node.release('k');
  expect(await call).toBe('k from n1');
  expect(await client.call('add', [3, 4])).toBe(7);
  expect(await node.counts()).toEqual({ k: 1 });
  const log = node.told.filter((it) => it.event === 'log').map((it) => String(it['message']));
  expect(log).toContain('connected → registering');
  expect(log.filter((line) => line.includes('transient_failure'))).toEqual([]);
});

test('a result that is sent into the gap between two hubs behind a kept connection is not lost', async () => {
  let hub: HubProcess = await forkHub();
  const proxy = await startWsProxy(() => hub.url);
  const node = await forkNode({
    hub: proxy.url,
    ids: ['n1'],
    heartbeatIntervalMs: 200,
    heartbeatTimeoutMs: 5_000,
  });
  const client = await startClient(hub.url);
  const call = client.call('hold', ['k']);
  await node.started('k');
  await hub.kill();
  // Written to a socket that looks alive, and lost behind it.
  await node.release('k');
  await eventually('it ended', async () => (await node.statuses())[0]?.retainedResults === 1);
  hub = await forkHub({ port: hub.port });
  expect(await call).toBe('k from n1');
  expect(await node.counts()).toEqual({ k: 1 });
  expect(proxy.accepted).toBe(1);
});

test('clients behind a kept connection are known again on the same socket, and their calls go on', async () => {
  let hub: HubProcess = await forkHub();
  const proxy = await startWsProxy(() => hub.url);
  const node = await forkNode({ hub: hub.url, ids: ['n1'] });
  const client = await startClient(proxy.url, patient);
  const call = client.call('hold', ['k']);
  await node.started('k');
  await hub.kill();
  hub = await forkHub({ port: hub.port });
  await eventually('the client is known again', async () => (await hub.status()).clients === 1);
  await node.release('k');
  expect(await call).toBe('k from n1');
  expect(await client.call('mark', ['m'])).toBe('m');
  expect(await node.counts()).toEqual({ k: 1, m: 1 });
  expect(proxy.accepted).toBe(1);
  expect(client.status().reconnects).toBe(0);
});
