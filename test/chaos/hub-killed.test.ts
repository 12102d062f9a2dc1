// The hub is killed with SIGKILL and started again without memory, at each moment in the life of a call.
// Invariant of all: a call whose node lives gets its result, and the counter on the node says that it ran once.
import { expect, test } from 'vitest';
import { eventually } from './eventually.ts';
import { startClient } from './in-process.ts';
import { forkHub, forkNode, type NodeProcess } from './processes.ts';
import { startTcpProxy } from './tcp-proxy.ts';

async function once(nodes: readonly NodeProcess[], keys: readonly string[]): Promise<void> {
  const counts = await Promise.all(nodes.map((node) => node.counts()));
  for (const key of keys) {
    const executions = counts.reduce((sum, of) => sum + (of[key] ?? 0), 0);
    expect(`${key} ran ${executions} times`).toBe(`${key} ran 1 times`);
  }
}

test('calls that waited in the queue of a hub that was killed are executed once by the next one', async () => {
  const hub = await forkHub();
  const node = await forkNode({ hub: hub.url, ids: ['n1'], maxConcurrent: 1 });
  const client = await startClient(hub.url);
  const running = client.call('hold', ['running']);
  await node.started('running');
  const keys = Array.from({ length: 50 }, (_, i) => `q${i}`);
  const queued = keys.map((key) => client.call('mark', [key]));
  await eventually('all wait', async () => (await hub.status()).waiting === 50);
  await hub.kill();
  await forkHub({ port: hub.port });
  await node.release('running');
  expect(await running).toBe('running from n1');
  expect(await Promise.all(queued)).toEqual(keys);
  await once([node], ['running', ...keys]);
});

test('calls that wait for a node when the hub is killed wait at the next one', async () => {
  const hub = await forkHub();
  const client = await startClient(hub.url);
  const calls = [client.call('mark', ['a']), client.call('mark', ['b'])];
  await eventually('both wait', async () => (await hub.status()).waiting === 2);
  await hub.kill();
  const next = await forkHub({ port: hub.port });
  await eventually('both wait again', async () => (await next.status()).waiting === 2);
  const node = await forkNode({ hub: next.url, ids: ['n1'] });
  expect(await Promise.all(calls)).toEqual(['a', 'b']);
  await once([node], ['a', 'b']);
});

test('a call that runs when the hub is killed, and ends while there is none, gives its result to the next one', async () => {
  const hub = await forkHub();
  const node = await forkNode({ hub: hub.url, ids: ['n1'] });
  const client = await startClient(hub.url);
  const keys = ['a', 'b', 'c'];
  const calls = keys.map((key) => client.call('hold', [key]));
  for (const key of keys) await node.started(key);
  await hub.kill();
  await node.release('a');
  await eventually('it ended', async () => (await node.statuses())[0]?.retainedResults === 1);
  const next = await forkHub({ port: hub.port });
  expect(await calls[0]).toBe('a from n1');
  await node.release('b');
  expect(await calls[1]).toBe('b from n1');
  await node.release('c');
  expect(await calls[2]).toBe('c from n1');
  await once([node], keys);
  // Nothing stays behind: the outcomes were acknowledged.
  await eventually('the node keeps nothing', async () => (await node.statuses())[0]?.retainedResults === 0);
  await eventually('the hub counts nothing as running', async () => (await next.status()).running === 0);
});

for (const first of ['node', 'client'] as const) {
  test(`a running call gets its result when the ${first} is back at the new hub long before the other`, async () => {
    const hub = await forkHub();
    const [nodeSide, clientSide] = await Promise.all([startTcpProxy(hub.port), startTcpProxy(hub.port)]);
    const node = await forkNode({ hub: nodeSide.url, ids: ['n1'] });
    const bystander = await forkNode({ hub: hub.url, ids: ['n0'] });
    const client = await startClient(clientSide.url);
    const call = client.call('hold', ['k'], { node: 'n1' });
    await node.started('k');
    const late = first === 'node' ? clientSide : nodeSide;
    late.refuse();
    await hub.kill();
    const next = await forkHub({ port: hub.port });
    await eventually('the others are back', async () => {
      const { nodes, clients } = await next.status();
      return nodes === (first === 'node' ? 2 : 1) && clients === (first === 'node' ? 0 : 1);
    });
    await node.release('k');
    late.heal();
    expect(await call).toBe('k from n1');
    await once([node, bystander], ['k']);
  });
}

test('an outcome that was sent but not acknowledged when the hub is killed arrives once, by the next one', async () => {
  const hub = await forkHub();
  const proxy = await startTcpProxy(hub.port);
  const node = await forkNode({ hub: hub.url, ids: ['n1'] });
  const client = await startClient(proxy.url);
  const calls = ['a', 'b'].map((key) => client.call('hold', [key]));
  for (const key of ['a', 'b']) await node.started(key);
  // The client is assigned its calls, but what follows is lost on the way to it.
  await eventually('assigned', async () => (await hub.status()).running === 2);
  await client.hubStatus();
  proxy.swallow('toPeer');
  await node.release('a');
  await node.release('b');
  await eventually('the hub passed them on', async () => (await hub.status()).ended['result'] === 2);
  await hub.kill();
  await forkHub({ port: hub.port });
  expect((await node.statuses())[0]?.retainedResults).toBe(2);
  proxy.heal();
  expect(await Promise.all(calls)).toEqual(['a from n1', 'b from n1']);
  await once([node], ['a', 'b']);
  await eventually('the node keeps nothing', async () => (await node.statuses())[0]?.retainedResults === 0);
});

test('the function’s own error survives the hub as a result does', async () => {
  const hub = await forkHub();
  const proxy = await startTcpProxy(hub.port);
  const node = await forkNode({ hub: proxy.url, ids: ['n1'] });
  const client = await startClient(hub.url);
  const call = client.call('failLater', ['k', 'out of paper']).catch((error: unknown) => error);
  await node.started('k');
  await hub.kill();
  await node.release('k');
  await forkHub({ port: hub.port });
  expect(await call).toMatchObject({
    code: 'function_failed',
    message: 'out of paper',
    remoteName: 'RangeError',
  });
  await once([node], ['k']);
});

test('a call that is cancelled while there is no hub is aborted on its node when there is one again', async () => {
  const hub = await forkHub();
  const node = await forkNode({ hub: hub.url, ids: ['n1'] });
  const client = await startClient(hub.url);
  const controller = new AbortController();
  const call = client.call('hold', ['k'], { signal: controller.signal }).catch((error: unknown) => error);
  await node.started('k');
  await hub.kill();
  await eventually('the client knows', () => client.status().state !== 'connected');
  controller.abort();
  expect(await call).toMatchObject({ code: 'cancelled' });
  await forkHub({ port: hub.port });
  await node.hears('it is aborted', (told) => told.event === 'aborted');
  await eventually('nothing runs', async () => (await node.statuses())[0]?.activeExecutions === 0);
  await once([node], ['k']);
});

test('a deadline runs on while there is no hub, for the caller and for the function', async () => {
  const hub = await forkHub();
  const node = await forkNode({ hub: hub.url, ids: ['n1'] });
  const client = await startClient(hub.url);
  const before = performance.now();
  const call = client.call('hold', ['k'], { deadlineMs: 700 }).catch((error: unknown) => error);
  await node.started('k');
  await hub.kill();
  expect(await call).toMatchObject({ code: 'timed_out' });
  expect(performance.now() - before).toBeGreaterThanOrEqual(700);
  expect(performance.now() - before).toBeLessThan(3_000);
  await node.hears('it is aborted', (told) => told.event === 'aborted');
});

test('calls made while there is no hub are sent to the next one', async () => {
  const hub = await forkHub();
  const node = await forkNode({ hub: hub.url, ids: ['n1'] });
  const client = await startClient(hub.url);
  await hub.kill();
  await eventually('the client knows', () => client.status().state !== 'connected');
  const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
  const calls = keys.map((key) => client.call('mark', [key]));
  await forkHub({ port: hub.port });
  expect(await Promise.all(calls)).toEqual(keys);
  await once([node], keys);
});

test('a call of which the client never heard that a node got it runs once, although the hub that knew dies', async () => {
  const hub = await forkHub();
  const nodes = [
    await forkNode({ hub: hub.url, ids: ['n1'] }),
    await forkNode({ hub: hub.url, ids: ['n2'] }),
  ];
  const proxy = await startTcpProxy(hub.port);
  const client = await startClient(proxy.url);
  proxy.swallow('toPeer');
  const call = client.call('hold', ['k']);
  await Promise.any(nodes.map((node) => node.started('k')));
  await hub.kill();
  await forkHub({ port: hub.port });
  proxy.heal();
  await eventually('the client is back', () => client.status().state === 'connected');
  for (const node of nodes) await node.release('k');
  expect(await call).toMatch(/^k from n[12]$/);
  await once(nodes, ['k']);
});
