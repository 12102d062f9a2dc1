// A node as a library in somebody's process: what it tells of itself, and functions that know their call.
// Invariant: what a function throws, returns or yields never ends anything but its own call.
import { expect, test } from 'vitest';
import { withCall } from '../../../src/index.ts';
import { eventually } from '../../chaos/eventually.ts';
import { startClient, startHub, startNode } from '../../chaos/in-process.ts';

test('a function made by withCall knows its client, its attempt and the time it has left', async () => {
  const hub = await startHub();
  const seen: { client: string; attempt: number; timeLeftMs: number; aborted: boolean }[] = [];
  await startNode(hub.url, 'n1', {
    functions: {
      look: withCall((call, a: number, b: number) => {
        const { client, attempt, timeLeftMs, signal } = call;
        seen.push({ client, attempt, timeLeftMs, aborted: signal.aborted });
        return a + b;
      }),
    },
  });
  const client = await startClient(hub.url, { id: 'asker' });
  expect(await client.call('look', [1, 2], { deadlineMs: 5_000 })).toBe(3);
  expect(await client.call('look', [3, 4])).toBe(7);
  expect(seen).toMatchObject([
    { client: 'asker', aborted: false },
    { client: 'asker', aborted: false },
  ]);
  expect(seen[0]?.timeLeftMs).toBeLessThanOrEqual(5_001);
  expect(seen[0]?.timeLeftMs).toBeGreaterThan(2_000);
  expect(seen[1]?.attempt).not.toBe(seen[0]?.attempt);
});

test('whatever a function throws reaches its caller as an error, and the node goes on', async () => {
  const hub = await startHub();
  const values: unknown[] = [
    new TypeError('a type'),
    'a string',
    null,
    undefined,
    42,
    { message: 'an object' },
    Symbol('s'),
  ];
  await startNode(hub.url, 'n1', {
    functions: {
      sync(i: number): never {
        throw values[i];
      },
      async later(i: number): Promise<never> {
        await Promise.resolve();
        throw values[i];
      },
      fine: () => 'fine',
    },
  });
  const client = await startClient(hub.url);
  for (const name of ['sync', 'later']) {
    for (let i = 0; i < values.length; i++) {
      await expect(client.call(name, [i])).rejects.toMatchObject({
        code: 'function_failed',
        blame: 'remote',
      });
    }
  }
  await expect(client.call('sync', [0])).rejects.toMatchObject({
    message: 'a type',
    remoteName: 'TypeError',
  });
  await expect(client.call('sync', [1])).rejects.toMatchObject({ message: 'a string' });
  expect(await client.call('fine')).toBe('fine');
  expect(client.status().reconnects).toBe(0);
});

test('a node tells what it does: state, executions, what it keeps', async () => {
  const hub = await startHub();
  const worker = await startNode(hub.url, 'n1', { maxConcurrent: 2 });
  const client = await startClient(hub.url);
  expect(worker.node.status()).toMatchObject({
    id: 'n1',
    instance: worker.node.instance,
    state: 'connected',
    attempt: 0,
    reconnects: 0,
    activeExecutions: 0,
    waitingExecutions: 0,
    retainedResults: 0,
    totalExecuted: 0,
  });
  const calls = ['a', 'b'].map((key) => client.call('hold', [key]));
  await eventually('both run', () => worker.node.status().activeExecutions === 2);
  worker.releaseAll();
  await Promise.all(calls);
  expect(worker.node.status()).toMatchObject({ activeExecutions: 0, totalExecuted: 2 });
  await eventually('acknowledged', () => worker.node.status().retainedResults === 0);
});

test('a node without an id gets one that no other has', async () => {
  const hub = await startHub();
  const nodes = await Promise.all([1, 2, 3].map(() => startNode(hub.url, 'x', { id: undefined })));
  const ids = nodes.map(({ node }) => node.id);
  expect(new Set(ids).size).toBe(3);
  expect(hub.nodes().length).toBe(3);
});

test('a sync that the application fails keeps the node from taking work', async () => {
  const hub = await startHub({ connectionTimeoutMs: 300 });
  let tries = 0;
  const worker = await startNode(hub.url, 'n1', {
    onSync: () => {
      tries += 1;
      if (tries < 3) throw new Error('the model is not here yet');
    },
  });
  const client = await startClient(hub.url);
  // Cut off for not acknowledging, it comes back and tries again.
  expect(await client.call('who', [], { deadlineMs: 20_000 })).toBe('n1');
  expect(tries).toBe(3);
  expect(worker.node.status().reconnects).toBe(2);
});
