// What `hub.watchNodes` tells of nodes that come, break, come back, leave and replace each other.
// Invariant of all: whoever folds the changes knows what the hub knows, and epochs of a node only grow.
import { expect, onTestFinished, test } from 'vitest';
import { startClient as startAnyClient } from '../../../src/client/client.ts';
import { startHub as startAnyHub } from '../../../src/hub/hub.ts';
import { noLog, type Hub, type Metrics, type NodeChange } from '../../../src/index.ts';
import { startNode as startAnyNode } from '../../../src/node/node.ts';
import { createSimulation } from '../../../src/testing/index.ts';
import { eventually } from '../../chaos/eventually.ts';
import { startHub, startNode } from '../../chaos/in-process.ts';

const noMetrics: Metrics = {
  count() {},
  gauge() {},
  render: () => Promise.resolve({ status: 200, contentType: 'text/plain', body: '' }),
};

/** What a listener knows, by instance; and every rule that the changes broke. */
function follow(hub: Hub) {
  const changes: NodeChange[] = [];
  const present = new Map<string, NodeChange>();
  const faults: string[] = [];
  const epochs = new Map<string, number>();
  const stop = hub.watchNodes((change) => {
    const { node, instance, state, epoch } = change;
    const before = present.get(instance);
    changes.push(change);
    if (state === 'online' ? before?.state === 'online' : before === undefined)
      faults.push(`${node} is ${state} after ${before?.state}`);
    if (state === 'online' && epoch <= (epochs.get(node) ?? 0)) faults.push(`${node} is online as ${epoch}`);
    if (state !== 'online' && epoch !== before?.epoch) faults.push(`${node} is ${state} with another epoch`);
    if (state === 'online') epochs.set(node, epoch);
    if (state === 'gone') present.delete(instance);
    else present.set(instance, change);
  });
  const online = (): string[] =>
    [...present.values()]
      .filter(({ state }) => state === 'online')
      .map(({ node }) => node)
      .toSorted();
  return {
    changes,
    present,
    faults,
    online,
    stop,
    lines: () => changes.map((it) => `${it.node} ${it.state}`),
  };
}

test('a node comes online, breaks off, comes back with a greater epoch, and leaves', async () => {
  const hub = await startHub();
  const told = follow(hub);
  const { node } = await startNode(hub.url, 'n1', { labels: { zone: 'a' } });
  await eventually('online', () => told.online().length === 1);
  hub.disconnect('n1');
  await eventually('away', () => told.lines().includes('n1 away'));
  await eventually('back', () => told.online().length === 1);
  const late = follow(hub);
  expect(late.lines()).toEqual(['n1 online']);
  await node.stop();
  await eventually('gone', () => told.present.size === 0);
  expect(told.lines()).toEqual(['n1 online', 'n1 away', 'n1 online', 'n1 away', 'n1 gone']);
  expect(late.lines()).toEqual(['n1 online', 'n1 away', 'n1 gone']);
  expect(told.changes[0]).toMatchObject({ instance: node.instance, labels: { zone: 'a' } });
  expect(told.changes[0]?.functions).toContain('who');
  expect([...told.faults, ...late.faults]).toEqual([]);
});

test('a node that was forgotten is gone, and online again when it has registered anew', async () => {
  const hub = await startHub();
  const told = follow(hub);
  await startNode(hub.url, 'n1');
  await eventually('online', () => told.online().length === 1);
  hub.forget('n1');
  await eventually('online again', () => told.lines().length === 3);
  expect(told.lines()).toEqual(['n1 online', 'n1 gone', 'n1 online']);
  expect(told.faults).toEqual([]);
});

test('an instance that takes over has a greater epoch than the one before, which is gone then', async () => {
  const hub = await startHub();
  const told = follow(hub);
  const first = await startNode(hub.url, 'n1');
  const second = await startNode(hub.url, 'n1');
  await eventually('taken over', () => told.lines().length >= 3);
  expect(told.changes.map(({ instance, state }) => `${instance} ${state}`)).toEqual([
    `${first.node.instance} online`,
    `${second.node.instance} online`,
    `${first.node.instance} gone`,
  ]);
  expect(told.changes.map(({ epoch }) => epoch)).toEqual([1, 2, 1]);
  expect(told.faults).toEqual([]);
});

test('who stops listening hears no more, and a listener that throws costs the others nothing', async () => {
  const errors: string[] = [];
  const hub = await startHub({ log: { ...noLog(), error: (_fields, message) => void errors.push(message) } });
  hub.watchNodes(() => {
    throw new Error('not today');
  });
  const [told, deaf] = [follow(hub), follow(hub)];
  deaf.stop();
  await startNode(hub.url, 'n1');
  await eventually('online', () => told.online().length === 1);
  expect(deaf.lines()).toEqual([]);
  expect(errors).toEqual(['a listener of watchNodes threw: Error: not today']);
});

/** A hundred nodes that join within a second of simulated time, over a network that breaks now and then. */
async function crowd(seed: number, spoil: (hub: Hub) => Hub = (hub) => hub) {
  const sim = createSimulation({ seed, latencyMs: 2, jitterMs: 10 });
  const { clock, random, listener } = sim.host('hub');
  const ports = { clock, random, listener, log: noLog(), metrics: noMetrics };
  const starting = startAnyHub({ port: 7070, sessionGraceMs: 2_000 }, ports);
  const hub = await sim.settle(starting, 1_000);
  const told = follow(spoil(hub));
  const names = Array.from({ length: 100 }, (_, i) => `n${i}`);
  for (const [i, id] of names.entries()) {
    const host = sim.host(id);
    sim.clock.setTimer(() => {
      const own = { clock: host.clock, random: host.random, dialer: host.dialer, log: noLog() };
      startAnyNode({ hub: hub.url, id, functions: {}, maxRetryAttempts: 0, reconnectIntervalMs: 100 }, own);
    }, i * 10);
    if (i % 7 === 3) sim.clock.setTimer(() => sim.network.cut(({ dialer }) => dialer === id), i * 10 + 40);
    if (i % 11 === 5) sim.clock.setTimer(() => host.kill(), i * 10 + 500);
  }
  await sim.run(1_500);
  sim.network.heal();
  await sim.run(10_000);
  const expected = hub
    .nodes()
    .filter(({ state }) => state === 'online')
    .map(({ id }) => id)
    .toSorted();
  return { told, expected };
}

test('of a hundred that join within a second none is lost, whatever breaks meanwhile', async () => {
  for (let seed = 1; seed <= 3; seed++) {
    const { told, expected } = await crowd(seed);
    expect(expected.length).toBe(91);
    expect(told.online()).toEqual(expected);
    expect(told.faults).toEqual([]);
  }
});

test('a hub that tells of some changes only is found out', async () => {
  const deafNow = (hub: Hub): Hub => ({
    ...hub,
    watchNodes(listener) {
      let told = 0;
      return hub.watchNodes((change) => void (++told % 13 === 0 || listener(change)));
    },
  });
  const { told, expected } = await crowd(1, deafNow);
  expect(told.online()).not.toEqual(expected);
});

test('a client within the process needs no token, and calls as any other', async () => {
  const sim = createSimulation({ seed: 1, latencyMs: 5 });
  const { clock, random, listener } = sim.host('hub');
  const hub = await sim.settle(
    startAnyHub(
      { port: 7070, token: 'secret' },
      { clock, random, listener, log: noLog(), metrics: noMetrics },
    ),
    1_000,
  );
  const host = sim.host('n1');
  const functions = { double: (of: Float64Array) => of.map((x) => 2 * x) };
  startAnyNode(
    { hub: hub.url, id: 'n1', token: 'secret', functions },
    { clock: host.clock, random: host.random, dialer: host.dialer, log: noLog() },
  );
  const client = startAnyClient({ hub: hub.url }, { clock, random, dialer: hub.dialer, log: noLog() });
  const bytes = new Float64Array(500_000).fill(1.5);
  const doubled = (await sim.settle(client.call('double', [bytes]), 60_000)) as Float64Array;
  expect(doubled.length).toBe(500_000);
  expect(doubled.every((x) => x === 3)).toBe(true);
  expect(bytes[0]).toBe(1.5);
  await sim.settle(client.stop(), 10_000);
  await sim.settle(hub.stop(), 60_000);
  // Nobody is at home any more.
  const late = startAnyClient(
    { hub: hub.url, maxRetryAttempts: 1, reconnectIntervalMs: 10 },
    { clock, random, dialer: hub.dialer, log: noLog() },
  );
  const refused = late.ready().catch((error: unknown) => error);
  expect(await sim.settle(refused, 10_000)).toMatchObject({ code: 'not_connected' });
  await sim.settle(late.stop(), 10_000);
});

test('over real sockets a hundred join at once, and none is lost', async () => {
  // On a busy machine so many links need their time.
  const patient = { heartbeatIntervalMs: 5_000, heartbeatTimeoutMs: 20_000, connectionTimeoutMs: 20_000 };
  const hub = await startHub(patient);
  const told = follow(hub);
  const names = Array.from({ length: 100 }, (_, i) => `n${String(i).padStart(2, '0')}`);
  await Promise.all(names.map((id) => startNode(hub.url, id, patient)));
  await eventually('all are online', () => told.online().length === 100);
  expect(told.online()).toEqual(names);
  expect(told.changes.length).toBe(100);
  expect(told.faults).toEqual([]);
  onTestFinished(told.stop);
});
