// The ways in which a call can end, each over real sockets.
// Invariant of all: a call settles once, with one of the outcomes that the README names.
import { expect, test } from 'vitest';
import { HoldfastError, RemoteFunctionError } from '../../src/index.ts';
import { eventually } from './eventually.ts';
import { startClient, startHub, startNode } from './in-process.ts';
import { startTcpProxy } from './tcp-proxy.ts';

/** The error that a call ends with; fails when it has a result. */
async function errorOf(call: Promise<unknown>): Promise<HoldfastError> {
  const outcome = await call.then(
    (value) => new Error(`it succeeded with ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(HoldfastError);
  return outcome as HoldfastError;
}

test('a call ends with the result of the function, whatever JSON can say, undefined and typed arrays included', async () => {
  const hub = await startHub();
  await startNode(hub.url, 'n1');
  const client = await startClient(hub.url);
  expect(await client.call('add', [1, 2])).toBe(3);
  for (const value of [null, undefined, '', 'ä€😀\u0000', [1, [2]], { a: { b: [true, null] } }, 1e-300]) {
    expect(await client.call('echo', [value])).toEqual(value);
  }
  const typed = await client.call('echo', [new Float32Array([1.5, -2])]);
  expect(typed).toEqual(new Float32Array([1.5, -2]));
});

test('a call ends with the function’s own error: its name, its message and its stack', async () => {
  const hub = await startHub();
  const worker = await startNode(hub.url, 'n1');
  const client = await startClient(hub.url);
  const error = await errorOf(client.call('fail', ['k', 'no such row 17']));
  expect(error).toBeInstanceOf(RemoteFunctionError);
  expect(error).toMatchObject({ code: 'function_failed', blame: 'remote', retryable: false });
  expect(error.message).toBe('no such row 17');
  expect((error as RemoteFunctionError).remoteName).toBe('RangeError');
  expect((error as RemoteFunctionError).remoteStack).toContain('work.ts');
  // The function's error is an outcome, not a fault of the fleet: nothing is tried again.
  expect(worker.countOf('k')).toBe(1);
});

test('a call times out at its deadline wherever it is, and the function’s signal is aborted', async () => {
  const hub = await startHub();
  const worker = await startNode(hub.url, 'n1');
  const client = await startClient(hub.url);
  const before = performance.now();
  const error = await errorOf(client.call('hold', ['k'], { deadlineMs: 300 }));
  const tookMs = performance.now() - before;
  expect(error).toMatchObject({ code: 'timed_out' });
  expect(error.message).toMatch(
    /call c\d+ of hold timed out after 300 ms on node n1 \(running\); raise executionTimeoutMs/,
  );
  expect(tookMs).toBeGreaterThanOrEqual(300);
  expect(tookMs).toBeLessThan(1_500);
  await eventually('the function is aborted', () => worker.events.some(({ event }) => event === 'aborted'));
  // The deadline that travelled was what was left, not more.
  const started = worker.events.find(({ event }) => event === 'started') as unknown as { timeLeftMs: number };
  expect(started.timeLeftMs).toBeLessThanOrEqual(301);
  expect(started.timeLeftMs).toBeGreaterThan(0);
});

test('a call whose deadline passes while it waits for a node times out and never runs', async () => {
  const hub = await startHub();
  const client = await startClient(hub.url);
  const error = await errorOf(client.call('mark', ['k'], { deadlineMs: 200 }));
  expect(error).toMatchObject({ code: 'timed_out' });
  const worker = await startNode(hub.url, 'n1');
  expect(await client.call('mark', ['other'])).toBe('other');
  expect(worker.countOf('k')).toBe(0);
});

test('the node ends a function at its own executionTimeoutMs, however long the caller would wait', async () => {
  const hub = await startHub();
  const worker = await startNode(hub.url, 'n1', { executionTimeoutMs: 250 });
  const client = await startClient(hub.url);
  const before = performance.now();
  const error = await errorOf(client.call('hold', ['k'], { deadlineMs: 60_000 }));
  expect(error).toMatchObject({ code: 'timed_out' });
  expect(performance.now() - before).toBeLessThan(5_000);
  expect(worker.events.map(({ event }) => event)).toEqual(['started', 'aborted']);
  expect(worker.node.status().activeExecutions).toBe(0);
});

test('cancelling a call rejects it at once, with the cause, and reaches the running function', async () => {
  const hub = await startHub();
  const worker = await startNode(hub.url, 'n1');
  const client = await startClient(hub.url);
  const controller = new AbortController();
  const call = errorOf(client.call('hold', ['k'], { signal: controller.signal }));
  await eventually('it runs', () => worker.events.length > 0);
  const why = new Error('the user left');
  controller.abort(why);
  const error = await call;
  expect(error).toMatchObject({ code: 'cancelled', cause: why });
  await eventually('the function is aborted', () => worker.events.some(({ event }) => event === 'aborted'));
  await eventually(
    'nothing is left',
    () => hub.status().running === 0 && worker.node.status().retainedResults === 0,
  );
});

test('a signal that was aborted before the call keeps it from being sent', async () => {
  const hub = await startHub();
  const worker = await startNode(hub.url, 'n1');
  const client = await startClient(hub.url);
  const error = await errorOf(client.call('mark', ['k'], { signal: AbortSignal.abort() }));
  expect(error).toMatchObject({ code: 'cancelled', started: 'notStarted' });
  expect(await client.call('mark', ['other'])).toBe('other');
  expect(worker.countOf('k')).toBe(0);
});

test('a call that is cancelled while it waits in the hub’s queue is never started', async () => {
  const hub = await startHub();
  const worker = await startNode(hub.url, 'n1', { maxConcurrent: 1 });
  const client = await startClient(hub.url);
  const first = client.call('hold', ['first']);
  await eventually('the first runs', () => worker.events.length === 1);
  const controller = new AbortController();
  const second = errorOf(client.call('mark', ['second'], { signal: controller.signal }));
  await eventually('the second waits', () => hub.status().waiting === 1);
  controller.abort();
  expect(await second).toMatchObject({ code: 'cancelled' });
  await eventually('the queue is empty', () => hub.status().waiting === 0);
  worker.release('first');
  expect(await first).toBe('first from n1');
  expect(await client.call('mark', ['third'])).toBe('third');
  expect(worker.countOf('second')).toBe(0);
});

test('a call is refused as queue_full at exactly the boundary of maxQueueSize', async () => {
  const hub = await startHub({ maxQueueSize: 3 });
  const worker = await startNode(hub.url, 'n1', { maxConcurrent: 2 });
  const client = await startClient(hub.url);
  const running = ['r1', 'r2'].map((key) => client.call('hold', [key]));
  await eventually('both run', () => worker.events.length === 2);
  const queued = ['q1', 'q2', 'q3'].map((key) => client.call('mark', [key]));
  await eventually('three wait', () => hub.status().waiting === 3);
  const error = await errorOf(client.call('mark', ['one too many']));
  expect(error).toMatchObject({ code: 'queue_full', retryable: true, started: 'notStarted' });
  expect(error.message).toMatch(/3 calls wait for 1 nodes already; add nodes, raise maxQueueSize/);
  worker.releaseAll();
  expect(await Promise.all(queued)).toEqual(['q1', 'q2', 'q3']);
  await Promise.all(running);
  expect(worker.countOf('one too many')).toBe(0);
  expect(worker.counts()).toMatchObject({ r1: 1, r2: 1, q1: 1, q2: 1, q3: 1 });
});

test('calls that wait for their turn on one node start in the order in which they were made', async () => {
  const hub = await startHub();
  const worker = await startNode(hub.url, 'n1', { maxConcurrent: 1 });
  const client = await startClient(hub.url);
  const gate = client.call('hold', ['gate']);
  await eventually('the gate is held', () => worker.events.length === 1);
  const keys = Array.from({ length: 200 }, (_, i) => `k${i}`);
  const calls = keys.map((key) => client.call('mark', [key]));
  await eventually('all wait', () => hub.status().waiting === 200);
  worker.release('gate');
  await Promise.all([gate, ...calls]);
  expect(worker.order()).toEqual(['gate', ...keys]);
});

test('a call for which no node comes ends as no_node after noNodeAfterMs, and says what was missing', async () => {
  const hub = await startHub({ noNodeAfterMs: 300 });
  await startNode(hub.url, 'n1', { labels: { gpu: 'false' } });
  const client = await startClient(hub.url);
  const before = performance.now();
  const errors = await Promise.all([
    errorOf(client.call('nothing')),
    errorOf(client.call('add', [1, 2], { node: 'n2' })),
    errorOf(client.call('add', [1, 2], { labels: { gpu: 'true' } })),
  ]);
  const tookMs = performance.now() - before;
  for (const error of errors)
    expect(error).toMatchObject({ code: 'no_node', retryable: true, started: 'notStarted' });
  expect(errors.map((error) => error.message)).toEqual([
    expect.stringContaining('no node offered nothing within 300 ms'),
    expect.stringContaining('no node with {"node":"n2"} offered add'),
    expect.stringContaining('no node with {"labels":{"gpu":"true"}} offered add'),
  ]);
  expect(tookMs).toBeGreaterThanOrEqual(300);
  expect(tookMs).toBeLessThan(3_000);
});

test('a call that waits for a node gets the first one that offers its function', async () => {
  const hub = await startHub();
  const client = await startClient(hub.url);
  const call = client.call('who');
  await eventually('it waits', () => hub.status().waiting === 1);
  await startNode(hub.url, 'late');
  expect(await call).toBe('late');
});

test('a call that never left its client is lost as notStarted when the client stops dialling', async () => {
  const hub = await startHub();
  const proxy = await startTcpProxy(hub.port);
  const worker = await startNode(hub.url, 'n1');
  const client = await startClient(proxy.url, { maxRetryAttempts: 2, reconnectIntervalMs: 20 });
  proxy.refuse();
  proxy.cut();
  await eventually('the link is down', () => client.status().state !== 'connected');
  const error = await errorOf(client.call('mark', ['k']));
  expect(error).toMatchObject({ code: 'lost', started: 'notStarted', retryable: true });
  expect(error.message).toContain('it was not executed: it is safe to call again');
  expect(worker.countOf('k')).toBe(0);
  expect(client.status().state).toBe('failed');
  // From now on it says so at once; asked to connect again, it works.
  expect(await errorOf(client.call('mark', ['k2']))).toMatchObject({ code: 'not_connected' });
  proxy.heal();
  client.connect();
  expect(await client.call('mark', ['k3'])).toBe('k3');
});

test('a running call is lost as unknown when its client stops dialling, and says what to do', async () => {
  const hub = await startHub();
  const proxy = await startTcpProxy(hub.port);
  const worker = await startNode(hub.url, 'n1');
  const client = await startClient(proxy.url, { maxRetryAttempts: 1, reconnectIntervalMs: 20 });
  const call = errorOf(client.call('hold', ['k']));
  await eventually('it runs', () => worker.events.length === 1);
  proxy.refuse();
  proxy.cut();
  const error = await call;
  expect(error).toMatchObject({ code: 'lost', started: 'unknown', retryable: false });
  expect(error.message).toContain('pass idempotent: true, or give it an idempotency key');
});

test('a call that may have reached a node is never said not to have started', async () => {
  const hub = await startHub();
  const proxy = await startTcpProxy(hub.port);
  const worker = await startNode(hub.url, 'n1');
  const client = await startClient(proxy.url, { maxRetryAttempts: 1, reconnectIntervalMs: 20 });
  // The assignment never reaches the client, but the call reaches the node.
  proxy.swallow('toPeer');
  const call = errorOf(client.call('hold', ['k']));
  await eventually('it runs', () => worker.events.length === 1);
  proxy.refuse();
  proxy.cut();
  expect(await call).toMatchObject({ code: 'lost', started: 'unknown', retryable: false });
});

test('arguments and results that cannot be sent end their call only, on the side where they are', async () => {
  const hub = await startHub();
  await startNode(hub.url, 'n1', {
    functions: {
      circle: () => {
        const a: unknown[] = [];
        a.push(a);
        return a;
      },
      add: (a: number, b: number) => a + b,
    },
  });
  const client = await startClient(hub.url);
  const circular: unknown[] = [];
  circular.push(circular);
  expect(await errorOf(client.call('add', circular))).toMatchObject({
    code: 'invalid_argument',
    blame: 'local',
  });
  expect(await errorOf(client.call('add', [() => 1]))).toMatchObject({ code: 'invalid_argument' });
  expect(await errorOf(client.call('circle'))).toMatchObject({ code: 'invalid_argument', blame: 'remote' });
  expect(await client.call('add', [1, 2])).toBe(3);
});

test('senseless names and deadlines are refused where they are given', async () => {
  const hub = await startHub();
  const client = await startClient(hub.url);
  for (const deadlineMs of [0, -1, Number.NaN, Infinity, 2 ** 32]) {
    const error = await errorOf(client.call('add', [1, 2], { deadlineMs }));
    expect(error).toMatchObject({ code: 'invalid_option' });
    expect(error.message).toContain(`deadlineMs is ${deadlineMs}`);
  }
  expect(await errorOf(client.call(''))).toMatchObject({ code: 'invalid_argument' });
  expect(await errorOf(client.call('x'.repeat(257)))).toMatchObject({ code: 'invalid_argument' });
});

test('a client’s own queue has a boundary too: calls that wait for the link beyond maxQueueSize are refused', async () => {
  const hub = await startHub();
  const proxy = await startTcpProxy(hub.port);
  await startNode(hub.url, 'n1');
  const client = await startClient(proxy.url, { maxQueueSize: 2 });
  proxy.refuse();
  proxy.cut();
  await eventually('the link is down', () => client.status().state !== 'connected');
  const waiting = [client.call('mark', ['a']), client.call('mark', ['b'])];
  const error = await errorOf(client.call('mark', ['c']));
  expect(error).toMatchObject({ code: 'queue_full', started: 'notStarted' });
  expect(error.message).toContain('2 calls wait for the link to the hub already');
  proxy.heal();
  expect(await Promise.all(waiting)).toEqual(['a', 'b']);
});
