// Nodes that are killed, paused or cut off while they hold calls.
// Invariant of all: only an idempotent call is ever executed twice, and a call that was not started is always moved.
import { expect, test } from 'vitest';
import { eventually, monotonicMs } from './eventually.ts';
import { startClient, startHub, startNode } from './in-process.ts';
import { forkNode } from './processes.ts';
import { startTcpProxy } from './tcp-proxy.ts';

test('an idempotent call whose node is killed fails over to another node', async () => {
  const hub = await startHub({ failoverAfterMs: 200 });
  const doomed = await forkNode({ hub: hub.url, ids: ['doomed'] });
  const client = await startClient(hub.url);
  const call = client.call('hold', ['k'], { idempotent: true });
  await doomed.started('k');
  const heir = await startNode(hub.url, 'heir');
  heir.release('k');
  await doomed.kill();
  expect(await call).toBe('k from heir');
  expect(heir.countOf('k')).toBe(1);
  expect(client.status().retries).toBe(1);
});

test('a call that is not idempotent and whose node is killed is lost as unknown once its session is over, and never repeated', async () => {
  const hub = await startHub({ sessionGraceMs: 500, failoverAfterMs: 100 });
  const doomed = await forkNode({ hub: hub.url, ids: ['doomed'] });
  const client = await startClient(hub.url);
  const call = client.call('hold', ['k']).catch((error: unknown) => error);
  await doomed.started('k');
  const other = await startNode(hub.url, 'other');
  const killedAt = monotonicMs();
  await doomed.kill();
  const error = await call;
  expect(error).toMatchObject({ code: 'lost', started: 'unknown', retryable: false, blame: 'remote' });
  expect((error as Error).message).toContain('was lost on node doomed');
  // Not before: it might have come back.
  expect(monotonicMs() - killedAt).toBeGreaterThanOrEqual(495);
  expect(monotonicMs() - killedAt).toBeLessThan(5_000);
  expect(other.countOf('k')).toBe(0);
});

test('calls that waited at the hub for a node that was killed move to another node', async () => {
  const hub = await startHub({ sessionGraceMs: 300 });
  const doomed = await forkNode({ hub: hub.url, ids: ['doomed'], maxConcurrent: 1 });
  const client = await startClient(hub.url);
  const held = client.call('hold', ['held']).catch((error: unknown) => error);
  await doomed.started('held');
  const keys = Array.from({ length: 30 }, (_, i) => `k${i}`);
  const queued = keys.map((key) => client.call('mark', [key]));
  await eventually('they wait', () => hub.status().waiting === 30);
  const heir = await startNode(hub.url, 'heir');
  await doomed.kill();
  expect(await Promise.all(queued)).toEqual(keys);
  for (const key of keys) expect(heir.countOf(key)).toBe(1);
  expect(await held).toMatchObject({ code: 'lost', started: 'unknown' });
});

test('a new instance of a killed node settles what the old one had in flight, long before the session would have expired', async () => {
  const hub = await startHub({ sessionGraceMs: 60_000 });
  const first = await forkNode({ hub: hub.url, ids: ['n1'] });
  const client = await startClient(hub.url);
  const plain = client.call('hold', ['plain']).catch((error: unknown) => error);
  const idempotent = client.call('hold', ['idempotent'], { idempotent: true });
  await first.started('plain');
  await first.started('idempotent');
  await first.kill();
  const second = await forkNode({ hub: hub.url, ids: ['n1'] });
  expect(await plain).toMatchObject({ code: 'lost', started: 'unknown' });
  await second.started('idempotent');
  await second.release('idempotent');
  expect(await idempotent).toBe('idempotent from n1');
  expect(await second.counts()).toEqual({ idempotent: 1 });
});

test('a node that is paused for longer than the heartbeat time-out comes back to its calls, none of which ran twice', async () => {
  const hub = await startHub({ sessionGraceMs: 30_000 });
  const node = await forkNode({ hub: hub.url, ids: ['n1'] });
  const client = await startClient(hub.url);
  const calls = ['a', 'b'].map((key) => client.call('hold', [key]));
  for (const key of ['a', 'b']) await node.started(key);
  node.pause();
  await eventually('the hub gives the link up', () => hub.nodes()[0]?.state === 'absent');
  node.resume();
  await eventually('it is back', () => hub.nodes()[0]?.state === 'online');
  await node.release('a');
  await node.release('b');
  expect(await Promise.all(calls)).toEqual(['a from n1', 'b from n1']);
  expect(await node.counts()).toEqual({ a: 1, b: 1 });
  expect(hub.nodes()[0]).toMatchObject({ registrations: 2 });
});

test('an idempotent call leaves a paused node; what that node answers later is not heard', async () => {
  const hub = await startHub({ failoverAfterMs: 100 });
  const paused = await forkNode({ hub: hub.url, ids: ['paused'] });
  const client = await startClient(hub.url);
  const call = client.call('hold', ['k'], { idempotent: true });
  await paused.started('k');
  const heir = await startNode(hub.url, 'heir');
  paused.pause();
  await eventually('the heir has it', () => heir.countOf('k') === 1);
  paused.resume();
  await paused.release('k');
  await eventually('it is back', () => hub.nodes().every(({ state }) => state === 'online'));
  heir.release('k');
  expect(await call).toBe('k from heir');
  await eventually(
    'the paused node keeps nothing',
    async () => (await paused.statuses())[0]?.retainedResults === 0,
  );
});

test('a call gets its result when only its node’s link is cut, whether it ends before, during or after the cut', async () => {
  const hub = await startHub();
  const proxy = await startTcpProxy(hub.port);
  const worker = await startNode(proxy.url, 'n1');
  const client = await startClient(hub.url);
  const calls = ['during', 'after'].map((key) => client.call('hold', [key]));
  await eventually('both run', () => worker.events.length === 2);
  proxy.refuse();
  proxy.cut();
  await eventually('the node knows', () => worker.node.status().state !== 'connected');
  worker.release('during');
  await eventually('it ended', () => worker.node.status().retainedResults === 1);
  proxy.heal();
  expect(await calls[0]).toBe('during from n1');
  worker.release('after');
  expect(await calls[1]).toBe('after from n1');
  expect(worker.counts()).toEqual({ during: 1, after: 1 });
  await eventually('the node keeps nothing', () => worker.node.status().retainedResults === 0);
});

test('a call gets its result when only its client’s link is cut, whether it ends before, during or after the cut', async () => {
  const hub = await startHub();
  const proxy = await startTcpProxy(hub.port);
  const worker = await startNode(hub.url, 'n1');
  const client = await startClient(proxy.url);
  const calls = ['during', 'after'].map((key) => client.call('hold', [key]));
  await eventually('both run', () => worker.events.length === 2);
  proxy.refuse();
  proxy.cut();
  await eventually('the client knows', () => client.status().state !== 'connected');
  worker.release('during');
  await eventually('it ended', () => worker.node.status().retainedResults === 1);
  proxy.heal();
  expect(await calls[0]).toBe('during from n1');
  worker.release('after');
  expect(await calls[1]).toBe('after from n1');
  expect(worker.counts()).toEqual({ during: 1, after: 1 });
  await eventually('the node keeps nothing', () => worker.node.status().retainedResults === 0);
});

test('a call that is cancelled while its client’s link is down is aborted on the node when the link is back', async () => {
  const hub = await startHub();
  const proxy = await startTcpProxy(hub.port);
  const worker = await startNode(hub.url, 'n1');
  const client = await startClient(proxy.url);
  const controller = new AbortController();
  const call = client.call('hold', ['k'], { signal: controller.signal }).catch((error: unknown) => error);
  await eventually('it runs', () => worker.events.length === 1);
  proxy.refuse();
  proxy.cut();
  await eventually('the client knows', () => client.status().state !== 'connected');
  controller.abort();
  expect(await call).toMatchObject({ code: 'cancelled' });
  proxy.heal();
  await eventually('it is aborted', () => worker.events.some(({ event }) => event === 'aborted'));
  await eventually('nothing runs', () => worker.node.status().activeExecutions === 0);
});

test('the calls of a client that is killed are aborted when its session expires', async () => {
  const hub = await startHub({ sessionGraceMs: 300 });
  const worker = await startNode(hub.url, 'n1');
  const proxy = await startTcpProxy(hub.port);
  const client = await startClient(proxy.url, { maxRetryAttempts: 1, reconnectIntervalMs: 10 });
  const call = client.call('hold', ['k']).catch((error: unknown) => error);
  await eventually('it runs', () => worker.events.length === 1);
  proxy.refuse();
  proxy.cut();
  expect(await call).toMatchObject({ code: 'lost', started: 'unknown' });
  await eventually('it is aborted', () => worker.events.some(({ event }) => event === 'aborted'));
  await eventually(
    'nothing is left',
    () => worker.node.status().activeExecutions === 0 && hub.status().running === 0,
  );
  expect(hub.clients()).toEqual([]);
});

test('results are kept up to the limit of the node; a caller that comes back too late is told that it cannot be known', async () => {
  const hub = await startHub();
  const proxy = await startTcpProxy(hub.port);
  const worker = await startNode(hub.url, 'n1', { maxRetainedResults: 2 });
  const client = await startClient(proxy.url);
  const keys = ['a', 'b', 'c', 'd'];
  const calls = keys.map((key) => client.call('hold', [key]).catch((error: unknown) => error));
  await eventually('all run', () => worker.events.length === 4);
  proxy.refuse();
  proxy.cut();
  await eventually('the client knows', () => client.status().state !== 'connected');
  for (const key of keys) worker.release(key);
  await eventually('two are kept', () => worker.node.status().activeExecutions === 0);
  expect(worker.node.status().retainedResults).toBe(2);
  proxy.heal();
  const outcomes = await Promise.all(calls);
  expect(outcomes.slice(2)).toEqual(['c from n1', 'd from n1']);
  for (const evicted of outcomes.slice(0, 2))
    expect(evicted).toMatchObject({ code: 'lost', started: 'unknown' });
  expect(worker.counts()).toEqual({ a: 1, b: 1, c: 1, d: 1 });
});

test('results are kept up to so many bytes', async () => {
  const hub = await startHub();
  const proxy = await startTcpProxy(hub.port);
  const worker = await startNode(hub.url, 'n1', { maxRetainedBytes: 250_000 });
  const client = await startClient(proxy.url);
  const gate = client.call('hold', ['gate']);
  await eventually('it runs', () => worker.events.length === 1);
  // The answers are swallowed on their way, so all of them are kept.
  proxy.swallow('toPeer');
  const calls = Array.from({ length: 4 }, () =>
    client.call('grow', [100_000]).catch((error: unknown) => error),
  );
  await eventually(
    'all ran',
    () => worker.node.status().totalExecuted === 5 && worker.node.status().activeExecutions === 1,
  );
  expect(worker.node.status().retainedResults).toBe(2);
  proxy.heal();
  worker.release('gate');
  expect(await gate).toBe('gate from n1');
  const outcomes = await Promise.all(calls);
  expect(outcomes.map((it) => (it instanceof Uint8Array ? it.length : it)).slice(2)).toEqual([
    100_000, 100_000,
  ]);
  for (const evicted of outcomes.slice(0, 2))
    expect(evicted).toMatchObject({ code: 'lost', started: 'unknown' });
});

test('an outcome that came while its client was away, and whose node is away when the client is back, is asked for again', async () => {
  const hub = await startHub();
  const [nodeSide, clientSide] = await Promise.all([startTcpProxy(hub.port), startTcpProxy(hub.port)]);
  const worker = await startNode(nodeSide.url, 'n1');
  const client = await startClient(clientSide.url);
  const call = client.call('hold', ['k']);
  await eventually('it runs', () => worker.events.length === 1);
  clientSide.refuse();
  clientSide.cut();
  await eventually('the hub knows', () => hub.clients()[0]?.state === 'absent');
  worker.release('k');
  await eventually('the outcome came', () => hub.status().ended['result'] === 1);
  nodeSide.refuse();
  nodeSide.cut();
  await eventually('the hub knows', () => hub.nodes()[0]?.state === 'absent');
  clientSide.heal();
  await eventually('the client asked', () => hub.clients()[0]?.state === 'online');
  nodeSide.heal();
  expect(await call).toBe('k from n1');
  expect(worker.countOf('k')).toBe(1);
  expect(hub.nodes()[0]?.totalTasksExecuted).toBe(1);
  await eventually('the node keeps nothing', () => worker.node.status().retainedResults === 0);
});
