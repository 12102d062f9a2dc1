// Stopping: idempotent, what is in flight is drained or settled, and no handle is left open.
// Invariant of all: a process that stopped what it started ends by itself.
import { expect, test } from 'vitest';
import { eventually, monotonicMs, within } from './eventually.ts';
import { startClient, startHub, startNode } from './in-process.ts';
import { forkHub, forkNode, forkRole } from './processes.ts';
import { startTcpProxy } from './tcp-proxy.ts';

for (const order of [
  ['client', 'node', 'hub'],
  ['hub', 'node', 'client'],
  ['node', 'client', 'hub'],
]) {
  test(`a process that stops ${order.join(', then ')} ends by itself`, async () => {
    const role = forkRole('stopper.ts', { order });
    const stopped = await role.hears('all are stopped', (told) => told.event === 'stopped');
    expect(stopped).toMatchObject({ node: 'shutdown', client: 'shutdown', hub: 'stopped' });
    const { code, signal } = await within('the process ends', role.exited, 5_000);
    expect({ code, signal }).toEqual({ code: 0, signal: null });
  });
}

test('a process whose node and client stop while their hub is dead ends by itself, its call settled', async () => {
  const hub = await forkHub();
  await hub.kill();
  const role = forkRole('unreachable.ts', { hub: hub.url });
  const stopped = await role.hears('all are stopped', (told) => told.event === 'stopped');
  expect(stopped).toMatchObject({ call: 'lost notStarted', ready: 'stopped' });
  expect(await within('the process ends', role.exited, 5_000)).toMatchObject({ code: 0 });
});

test('hub and node processes end by themselves after a stop, with peers that are still there', async () => {
  const hub = await forkHub();
  const node = await forkNode({ hub: hub.url, ids: ['a', 'b'] });
  await startClient(hub.url, { maxRetryAttempts: 1, reconnectIntervalMs: 10 });
  expect(await hub.ask('stop')).toBe('stopped');
  await hub.ask('leave');
  expect(await within('the hub’s process ends', hub.exited, 5_000)).toMatchObject({ code: 0 });
  await node.ask('stop');
  await node.ask('leave');
  expect(await within('the node’s process ends', node.exited, 5_000)).toMatchObject({ code: 0 });
});

test('a node that stops takes no new calls, finishes those that run, and their results arrive', async () => {
  const hub = await startHub();
  const leaving = await startNode(hub.url, 'leaving', { drainTimeoutMs: 20_000 });
  const client = await startClient(hub.url);
  const call = client.call('hold', ['k']);
  await eventually('it runs', () => leaving.events.length === 1);
  const staying = await startNode(hub.url, 'staying');
  let stopped = false;
  const stop = leaving.node.stop().then(() => (stopped = true));
  await eventually('the hub knows', () =>
    hub.nodes().some(({ id, state }) => id === 'leaving' && state === 'draining'),
  );
  for (let i = 0; i < 10; i++) expect(await client.call('who')).toBe('staying');
  expect(stopped).toBe(false);
  leaving.release('k');
  expect(await call).toBe('k from leaving');
  await within('it stops', stop, 5_000);
  expect(leaving.node.status().state).toBe('shutdown');
  await eventually('the hub forgets it', () => hub.nodes().every(({ id }) => id === 'staying'));
  expect(staying.node.status().state).toBe('connected');
});

test('a node gives calls that run too long up after drainTimeoutMs; the caller learns that it cannot be known', async () => {
  const hub = await startHub();
  const leaving = await startNode(hub.url, 'leaving', { drainTimeoutMs: 300 });
  const client = await startClient(hub.url);
  const call = client.call('hold', ['k']).catch((error: unknown) => error);
  await eventually('it runs', () => leaving.events.length === 1);
  const from = monotonicMs();
  await leaving.node.stop();
  expect(monotonicMs() - from).toBeGreaterThanOrEqual(295);
  expect(monotonicMs() - from).toBeLessThan(2_500);
  expect(await call).toMatchObject({ code: 'lost', started: 'unknown' });
  expect(leaving.events.map(({ event }) => event)).toEqual(['started', 'aborted']);
});

test('calls that waited for a node that stops go to another one', async () => {
  const hub = await startHub();
  const leaving = await startNode(hub.url, 'leaving', { maxConcurrent: 1, drainTimeoutMs: 20_000 });
  const client = await startClient(hub.url);
  const held = client.call('hold', ['held']);
  await eventually('it runs', () => leaving.events.length === 1);
  const keys = ['a', 'b', 'c'];
  const queued = keys.map((key) => client.call('mark', [key]));
  await eventually('they wait', () => hub.status().waiting === 3);
  const heir = await startNode(hub.url, 'heir');
  const stop = leaving.node.stop();
  expect(await Promise.all(queued)).toEqual(keys);
  expect(heir.order()).toEqual(keys);
  leaving.release('held');
  expect(await held).toBe('held from leaving');
  await stop;
});

test('a client that stops waits for its calls, and makes no others wait', async () => {
  const hub = await startHub();
  const worker = await startNode(hub.url, 'n1');
  const client = await startClient(hub.url, { drainTimeoutMs: 20_000 });
  const call = client.call('hold', ['k']);
  await eventually('it runs', () => worker.events.length === 1);
  const stop = client.stop();
  const settledBy: string[] = [];
  void call.then(() => settledBy.push('call'));
  void stop.then(() => settledBy.push('stop'));
  worker.release('k');
  expect(await call).toBe('k from n1');
  await within('the client stops', stop, 5_000);
  expect(settledBy).toEqual(['call', 'stop']);
  await expect(client.call('add', [1, 2])).rejects.toMatchObject({ code: 'stopped' });
  await eventually('the hub forgets it', () => hub.clients().length === 0);
  // Its outcome was acknowledged before it left.
  await eventually('the node keeps nothing', () => worker.node.status().retainedResults === 0);
});

test('a client that was stopped stays stopped when it is asked to connect again', async () => {
  const hub = await startHub();
  await startNode(hub.url, 'n1');
  const client = await startClient(hub.url);
  await client.stop();
  client.connect();
  expect(client.status().state).toBe('shutdown');
  await expect(client.call('add', [1, 2])).rejects.toMatchObject({ code: 'stopped' });
});

test('a client settles what it could not finish within drainTimeoutMs, and the function is aborted', async () => {
  const hub = await startHub();
  const worker = await startNode(hub.url, 'n1');
  const client = await startClient(hub.url, { drainTimeoutMs: 200 });
  const call = client.call('hold', ['k']).catch((error: unknown) => error);
  await eventually('it runs', () => worker.events.length === 1);
  await client.stop();
  expect(await call).toMatchObject({ code: 'lost', started: 'unknown' });
  await eventually('it is aborted', () => worker.events.some(({ event }) => event === 'aborted'));
});

test('a client refuses new calls as soon as it is asked to stop', async () => {
  const hub = await startHub();
  const worker = await startNode(hub.url, 'n1');
  const client = await startClient(hub.url, { drainTimeoutMs: 20_000 });
  const call = client.call('hold', ['k']);
  await eventually('it runs', () => worker.events.length === 1);
  const stop = client.stop();
  await expect(client.call('mark', ['late'])).rejects.toMatchObject({ code: 'stopped' });
  worker.release('k');
  await call;
  await stop;
  expect(worker.countOf('late')).toBe(0);
});

test('a hub that stops finishes what runs, gives back what waits, and says that it is not ready', async () => {
  const hub = await startHub({ drainTimeoutMs: 20_000 });
  const worker = await startNode(hub.url, 'n1', { maxConcurrent: 1 });
  const client = await startClient(hub.url);
  const running = client.call('hold', ['k']);
  await eventually('it runs', () => worker.events.length === 1);
  const queued = client.call('mark', ['q'], { deadlineMs: 20_000 });
  await eventually('it waits', () => hub.status().waiting === 1);
  const { port } = hub;
  const stop = hub.stop();
  expect(hub.status().state).toBe('draining');
  worker.release('k');
  expect(await running).toBe('k from n1');
  await within('the hub stops', stop, 5_000);
  expect(hub.status()).toMatchObject({ state: 'stopped', running: 0, waiting: 0 });
  await eventually('every connection was closed', () => hub.status().connections === 0);
  // The port is free, and the next hub gets the call that was given back.
  const next = await startHub({ port });
  expect(await queued).toBe('q');
  expect(worker.counts()).toEqual({ k: 1, q: 1 });
  expect(next.status().state).toBe('listening');
});

test('a hub gives calls that run too long up after drainTimeoutMs; they survive it', async () => {
  const hub = await startHub({ drainTimeoutMs: 200 });
  const worker = await startNode(hub.url, 'n1');
  const client = await startClient(hub.url);
  const call = client.call('hold', ['k']);
  await eventually('it runs', () => worker.events.length === 1);
  const { port } = hub;
  const from = monotonicMs();
  await hub.stop();
  expect(monotonicMs() - from).toBeLessThan(4_000);
  await startHub({ port });
  worker.release('k');
  expect(await call).toBe('k from n1');
  expect(worker.counts()).toEqual({ k: 1 });
});

test('a hub asks a node to drain: it gets no more work, until it is let in again', async () => {
  const hub = await startHub();
  const worker = await startNode(hub.url, 'n1');
  const other = await startNode(hub.url, 'n2');
  const client = await startClient(hub.url);
  const call = client.call('hold', ['k'], { node: 'n1' });
  await eventually('it runs', () => worker.events.length === 1);
  expect(hub.drain('n1')).toBe(true);
  expect(hub.drain('nobody')).toBe(false);
  for (let i = 0; i < 10; i++) expect(await client.call('who')).toBe('n2');
  expect(hub.nodes().find(({ id }) => id === 'n1')?.state).toBe('draining');
  worker.release('k');
  expect(await call).toBe('k from n1');
  expect(other.node.status().state).toBe('connected');
  expect(hub.undrain('n1')).toBe(true);
  expect(await client.call('who', [], { node: 'n1' })).toBe('n1');
  expect(worker.node.status().reconnects).toBe(0);
});

test('a hub that ends a node’s link sees it again soon, its calls unharmed', async () => {
  const hub = await startHub();
  const worker = await startNode(hub.url, 'n1');
  const client = await startClient(hub.url);
  const call = client.call('hold', ['k']);
  await eventually('it runs', () => worker.events.length === 1);
  expect(hub.disconnect('n1')).toBe(true);
  expect(hub.disconnect('nobody')).toBe(false);
  await eventually(
    'it is back',
    () => worker.node.status().reconnects === 1 && hub.nodes()[0]?.state === 'online',
  );
  worker.release('k');
  expect(await call).toBe('k from n1');
  expect(worker.counts()).toEqual({ k: 1 });
});

test('stopping a node that is in backoff, and one that is dialling, ends at once', async () => {
  const hub = await startHub();
  const proxy = await startTcpProxy(hub.port);
  const worker = await startNode(proxy.url, 'n1', { reconnectIntervalMs: 60_000, reconnectMaxMs: 60_000 });
  proxy.refuse();
  proxy.cut();
  await eventually('it waits', () => worker.node.status().state === 'backoff');
  await within('it stops', worker.node.stop(), 2_000);
  expect(worker.node.status().state).toBe('shutdown');
});

test('`await using` stops what it holds', async () => {
  const hub = await startHub();
  let instance = '';
  {
    await using node = (await startNode(hub.url, 'n1')).node;
    instance = node.instance;
    expect(hub.nodes()[0]?.instance).toBe(instance);
  }
  await eventually('it left', () => hub.nodes().length === 0);
});
