// Which node gets a call: balancing, targets by node and by labels, functions that only some offer.
// Invariant of all: a call never runs where it was not wanted.
import { expect, test } from 'vitest';
import { eventually } from '../../chaos/eventually.ts';
import { startClient, startHub, startNode, type WorkingNode } from '../../chaos/in-process.ts';

const executed = (nodes: readonly WorkingNode[]): number[] =>
  nodes.map(({ node }) => node.status().totalExecuted);

test('leastLoaded spreads calls that take time evenly over the nodes', async () => {
  const hub = await startHub({ balance: 'leastLoaded' });
  const nodes = await Promise.all(['a', 'b', 'c'].map((id) => startNode(hub.url, id)));
  const client = await startClient(hub.url);
  const calls = Array.from({ length: 30 }, (_, i) => client.call('hold', [`k${i}`]));
  await eventually('all run', () => hub.status().running === 30);
  await eventually('all started', () => nodes.reduce((sum, { events }) => sum + events.length, 0) === 30);
  expect(executed(nodes)).toEqual([10, 10, 10]);
  for (const node of nodes) node.releaseAll();
  await Promise.all(calls);
});

test('leastLoaded avoids the node that is busy', async () => {
  const hub = await startHub({ balance: 'leastLoaded' });
  const [busy, idle] = [await startNode(hub.url, 'busy'), await startNode(hub.url, 'idle')];
  const client = await startClient(hub.url);
  const held = Array.from({ length: 5 }, (_, i) => client.call('hold', [`k${i}`], { node: 'busy' }));
  await eventually('it is busy', () => busy.events.length === 5);
  for (let i = 0; i < 10; i++) expect(await client.call('who')).toBe('idle');
  busy.releaseAll();
  await Promise.all(held);
  expect(executed([busy, idle])).toEqual([5, 10]);
});

test('roundRobin takes turns, also one call at a time', async () => {
  const hub = await startHub({ balance: 'roundRobin' });
  await Promise.all(['a', 'b', 'c'].map((id) => startNode(hub.url, id)));
  const client = await startClient(hub.url);
  const answers: string[] = [];
  for (let i = 0; i < 9; i++) answers.push(await client.call<string>('who'));
  expect(answers.slice(0, 3).sort()).toEqual(['a', 'b', 'c']);
  expect(answers.slice(3, 6)).toEqual(answers.slice(0, 3));
  expect(answers.slice(6)).toEqual(answers.slice(0, 3));
});

test('random uses all nodes', async () => {
  const hub = await startHub({ balance: 'random' });
  await Promise.all(['a', 'b', 'c'].map((id) => startNode(hub.url, id)));
  const client = await startClient(hub.url);
  // That one of three is missed by 200 fair draws happens once in 10^34 runs.
  const answers = await Promise.all(Array.from({ length: 200 }, () => client.call<string>('who')));
  expect([...new Set(answers)].sort()).toEqual(['a', 'b', 'c']);
});

test('latency prefers the node that answers faster', async () => {
  const hub = await startHub({ balance: 'latency' });
  const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  await startNode(hub.url, 'slow', { functions: { work: () => sleep(60).then(() => 'slow') } });
  await startNode(hub.url, 'fast', { functions: { work: () => sleep(2).then(() => 'fast') } });
  const client = await startClient(hub.url);
  // What is measured is smoothed: one slow answer of a busy machine must not decide.
  for (let i = 0; i < 3; i++) await client.call('work', [], { node: 'slow' });
  for (let i = 0; i < 40; i++) await client.call('work', [], { node: 'fast' });
  const answers: string[] = [];
  for (let i = 0; i < 30; i++) answers.push(await client.call<string>('work'));
  expect(answers.filter((who) => who === 'fast').length).toBeGreaterThan(20);
});

test('a call goes only to the node that it names, or to nodes that carry all of its labels', async () => {
  const hub = await startHub();
  await startNode(hub.url, 'a', { labels: { gpu: 'true', zone: 'eu' } });
  await startNode(hub.url, 'b', { labels: { gpu: 'true', zone: 'us' } });
  await startNode(hub.url, 'c', { labels: { gpu: 'false', zone: 'eu' } });
  const client = await startClient(hub.url);
  for (let i = 0; i < 6; i++) {
    expect(await client.call('who', [], { node: 'b' })).toBe('b');
    expect(await client.call('who', [], { labels: { gpu: 'true', zone: 'eu' } })).toBe('a');
    expect(['a', 'b']).toContain(await client.call('who', [], { labels: { gpu: 'true' } }));
    expect(['a', 'c']).toContain(await client.call('who', [], { labels: { zone: 'eu' } }));
    expect(await client.call('who', [], { node: 'c', labels: { zone: 'eu' } })).toBe('c');
  }
  await expect(
    client.call('who', [], { node: 'c', labels: { gpu: 'true' }, deadlineMs: 200 }),
  ).rejects.toMatchObject({
    code: 'timed_out',
  });
});

test('labels that every object has, such as constructor, match only nodes that carry them', async () => {
  const hub = await startHub({ noNodeAfterMs: 100 });
  await startNode(hub.url, 'a');
  const client = await startClient(hub.url);
  const call = client.call('who', [], { labels: { constructor: 'x' } });
  await expect(call).rejects.toBeInstanceOf(Error);
  expect(await client.call('who')).toBe('a');
});

test('a call goes only to nodes that offer its function', async () => {
  const hub = await startHub();
  await startNode(hub.url, 'a', { functions: { left: () => 'a', both: () => 'a' } });
  await startNode(hub.url, 'b', { functions: { right: () => 'b', both: () => 'b' } });
  const client = await startClient(hub.url);
  for (let i = 0; i < 5; i++) {
    expect(await client.call('left')).toBe('a');
    expect(await client.call('right')).toBe('b');
  }
  const both = await Promise.all(Array.from({ length: 20 }, () => client.call<string>('both')));
  expect([...new Set(both)].sort()).toEqual(['a', 'b']);
});

test('a node never runs more than maxConcurrent functions at once', async () => {
  let running = 0;
  let most = 0;
  const hub = await startHub();
  await startNode(hub.url, 'a', {
    maxConcurrent: 3,
    functions: {
      async work() {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setTimeout(resolve, 2));
        running -= 1;
      },
    },
  });
  const client = await startClient(hub.url);
  await Promise.all(Array.from({ length: 60 }, () => client.call('work')));
  expect(most).toBe(3);
});

test('a typed client calls functions by name, and is no promise', async () => {
  const hub = await startHub();
  await startNode(hub.url, 'a');
  const client = await startClient(hub.url);
  const remote = client.functions<{ add(a: number, b: number): number; who(): string }>({ node: 'a' });
  expect(await remote.add(2, 3)).toBe(5);
  expect(await remote.who()).toBe('a');
  // `await remote` must not take it for a promise and call a function named `then`.
  expect(await Promise.resolve(remote)).toBe(remote);
});

test('a client asks the hub for its nodes and for itself', async () => {
  const hub = await startHub();
  const worker = await startNode(hub.url, 'a', { labels: { gpu: 'true' } });
  const client = await startClient(hub.url);
  await client.call('add', [1, 2]);
  const nodes = await client.nodes();
  expect(nodes).toMatchObject([
    {
      id: 'a',
      instance: worker.node.instance,
      state: 'online',
      labels: { gpu: 'true' },
      totalTasksExecuted: 1,
      running: 0,
    },
  ]);
  expect(nodes[0]?.['functions']).toContain('add');
  expect(await client.hubStatus()).toMatchObject({
    instance: hub.instance,
    state: 'listening',
    nodes: 1,
    clients: 1,
  });
  expect(worker.node.status()).toMatchObject({
    state: 'connected',
    attempt: 0,
    activeExecutions: 0,
    totalExecuted: 1,
  });
  expect(worker.node.status().lastHeartbeatAgeMs).toBeLessThan(5_000);
});
