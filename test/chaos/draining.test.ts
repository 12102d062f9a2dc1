// Nodes that drain and lose their link: they come back to what they run, and get nothing new.
// Invariant of all: a call that runs at a node that lives gets its result, and runs once.
import { expect, test } from 'vitest';
import { eventually, within } from './eventually.ts';
import { startClient, startHub, startNode } from './in-process.ts';
import { forkHub } from './processes.ts';
import { startTcpProxy } from './tcp-proxy.ts';

const FAST = { reconnectIntervalMs: 10, reconnectMaxMs: 20 };

/** A hub, a node behind a proxy with one call that runs, and another node. */
async function fleet(options: Parameters<typeof startHub>[0] = {}) {
  const hub = await startHub(options);
  const proxy = await startTcpProxy(hub.port);
  const worker = await startNode(proxy.url, 'n1', { ...FAST, drainTimeoutMs: 20_000 });
  const client = await startClient(hub.url);
  const call = client.call('hold', ['k'], { node: 'n1' });
  await eventually('it runs', () => worker.events.length === 1);
  const other = await startNode(hub.url, 'n2');
  const stateOf = (id: string) => hub.nodes().find((node) => node.id === id)?.state;
  return { hub, proxy, worker, client, call, other, stateOf };
}

test('a node that is drained and loses its link goes on draining, and its call gets its result', async () => {
  const { hub, proxy, worker, client, call, stateOf } = await fleet();
  expect(hub.drain('n1')).toBe(true);
  for (const reconnects of [1, 2]) {
    proxy.cut();
    await eventually('it is back', () => worker.node.status().reconnects === reconnects);
    await eventually('it is registered', () => worker.node.status().state === 'connected');
    expect(stateOf('n1')).toBe('draining');
  }
  for (let i = 0; i < 10; i++) expect(await client.call('who')).toBe('n2');
  worker.release('k');
  expect(await call).toBe('k from n1');
  expect(worker.counts()).toEqual({ k: 1 });
  expect(stateOf('n1')).toBe('draining');
  await eventually('its outcome was acknowledged', () => worker.node.status().retainedResults === 0);
});

test('a node that finishes its call while its link is lost brings the result along', async () => {
  const { hub, proxy, worker, call } = await fleet();
  hub.drain('n1');
  proxy.refuse();
  proxy.cut();
  await eventually('it is away', () => worker.node.status().state !== 'connected');
  worker.release('k');
  await eventually('it has finished', () => worker.node.status().activeExecutions === 0);
  proxy.heal();
  expect(await call).toBe('k from n1');
  expect(worker.counts()).toEqual({ k: 1 });
});

test('a node that is let in again works again, whether it is here or away, and what it runs goes on', async () => {
  const { hub, proxy, worker, client, call, stateOf } = await fleet();
  expect(hub.undrain('nobody')).toBe(false);
  hub.drain('n1');
  expect(stateOf('n1')).toBe('draining');
  expect(hub.undrain('n1')).toBe(true);
  expect(await client.call('who', [], { node: 'n1' })).toBe('n1');
  hub.drain('n1');
  proxy.refuse();
  proxy.cut();
  await eventually('it is away', () => worker.node.status().state !== 'connected');
  await eventually('the hub knows', () => hub.nodes().some(({ reason }) => reason !== ''));
  hub.undrain('n1');
  expect(stateOf('n1')).toBe('absent');
  proxy.heal();
  expect(await client.call('who', [], { node: 'n1' })).toBe('n1');
  worker.release('k');
  expect(await call).toBe('k from n1');
  expect(worker.counts()).toEqual({ k: 1 });
});

test('a drained node whose link the operator ends comes back, and goes on draining', async () => {
  const { hub, worker, client, call, stateOf } = await fleet();
  hub.drain('n1');
  hub.disconnect('n1');
  await eventually('it is back', () => worker.node.status().reconnects === 1);
  await eventually('it is registered', () => worker.node.status().state === 'connected');
  expect(stateOf('n1')).toBe('draining');
  expect(await client.call('who')).toBe('n2');
  worker.release('k');
  expect(await call).toBe('k from n1');
});

test('a drained node that does not come back is given up after its grace, and its call is lost', async () => {
  const { hub, proxy, call } = await fleet({ sessionGraceMs: 200 });
  const outcome = call.catch((error: unknown) => error);
  hub.drain('n1');
  proxy.refuse();
  proxy.cut();
  expect(await outcome).toMatchObject({ code: 'lost', started: 'unknown' });
  await eventually('its session is over', () => hub.nodes().every(({ id }) => id !== 'n1'));
});

test('a node that stops and loses its link comes back to finish what it runs, and then leaves', async () => {
  const { proxy, worker, client, call, stateOf } = await fleet();
  const stop = worker.node.stop();
  await eventually('the hub knows', () => stateOf('n1') === 'draining');
  proxy.cut();
  await eventually('it is back', () => worker.node.status().reconnects === 1);
  for (let i = 0; i < 5; i++) expect(await client.call('who')).toBe('n2');
  expect(worker.node.status().state).toBe('draining');
  worker.release('k');
  expect(await call).toBe('k from n1');
  await within('it stops', stop, 5_000);
  expect(worker.counts()).toEqual({ k: 1 });
  await eventually('the hub forgets it at once', () => stateOf('n1') === undefined, 2_000);
});

test('a client that stops and loses its link comes back for its result', async () => {
  const hub = await startHub();
  const proxy = await startTcpProxy(hub.port);
  const worker = await startNode(hub.url, 'n1');
  const client = await startClient(proxy.url, { ...FAST, drainTimeoutMs: 20_000 });
  const call = client.call('hold', ['k']);
  await eventually('it runs', () => worker.events.length === 1);
  const stop = client.stop();
  proxy.cut();
  await eventually('it is back', () => client.status().reconnects === 1);
  worker.release('k');
  expect(await call).toBe('k from n1');
  await within('it stops', stop, 5_000);
});

test('a hub that is killed while a node stops is replaced by one that gets the result', async () => {
  const hub = await forkHub();
  const worker = await startNode(hub.url, 'n1', { ...FAST, drainTimeoutMs: 20_000 });
  const client = await startClient(hub.url, FAST);
  const call = client.call('hold', ['k']);
  await eventually('it runs', () => worker.events.length === 1);
  const stop = worker.node.stop();
  await hub.kill();
  await forkHub({ port: hub.port });
  worker.release('k');
  expect(await call).toBe('k from n1');
  await within('it stops', stop, 5_000);
  expect(worker.counts()).toEqual({ k: 1 });
});
