// What a hub keeps in a store: a person can read it, a restart finds it, and a store that fails costs no call.
// Invariant of all: records are of the node ids' newest instances, and only the newest start of a hub id writes them.
import { expect, onTestFinished, test } from 'vitest';
import { openStore, type Hub, type HubOptions, type Store, type TxnRequest } from '../../../src/index.ts';
import { eventually } from '../../chaos/eventually.ts';
import { startClient, startHub, startNode } from '../../chaos/in-process.ts';

const utf8 = new TextEncoder();
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

async function openMemory(): Promise<Store> {
  const store = await openStore('memory:');
  onTestFinished(() => store.close());
  return store;
}

/** All that a fleet keeps, as `etcdctl get --prefix /holdfast/` would show it. */
async function recordsOf(store: Store): Promise<Record<string, unknown>> {
  const { entries } = await store.range({ key: utf8.encode('/holdfast/'), end: utf8.encode('/holdfast0') });
  return Object.fromEntries(entries.map(({ key, value }) => [text(key), valueOf(text(value))]));
}

/** Text that is no JSON stands for itself. */
function valueOf(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return json;
  }
}

const recorded = (store: Store, key: string, fits: (record: Record<string, unknown>) => boolean) =>
  eventually(`${key} is as expected`, async () => {
    const record = (await recordsOf(store))[key] as Record<string, unknown> | undefined;
    return record !== undefined && fits(record) && record;
  });

function hubOn(store: Store, options: HubOptions = {}): Promise<Hub> {
  return startHub({ store, ...options });
}

test('nodes, functions and the hub itself stand in the store under readable keys', async () => {
  const store = await openMemory();
  const hub = await hubOn(store, { id: 'berlin' });
  await startNode(hub.url, 'gpu/1', {
    labels: { zone: 'a' },
    functions: { 'add one': (n: number) => n + 1 },
  });
  await recorded(store, '/holdfast/nodes/gpu%2F1', ({ state }) => state === 'online');
  const client = await startClient(hub.url);
  for (let i = 0; i < 3; i++) await client.call('add one', [i]);
  await recorded(store, '/holdfast/nodes/gpu%2F1', ({ totalTasksExecuted }) => totalTasksExecuted === 3);
  const { instance } = hub.nodes()[0]!;
  expect(await recordsOf(store)).toEqual({
    '/holdfast/hubs/berlin': { epoch: 1, instance: hub.instance },
    '/holdfast/functions/add%20one/gpu%2F1': { instance },
    '/holdfast/nodes/gpu%2F1': {
      state: 'online',
      hub: 'berlin',
      instance,
      labels: { zone: 'a' },
      functions: ['add one'],
      totalTasksExecuted: 3,
      ageMs: expect.any(Number) as number,
    },
  });
});

test('the next start of a hub knows its nodes and their history before any of them came back', async () => {
  const store = await openMemory();
  const first = await hubOn(store);
  const worker = await startNode(first.url, 'n1', { labels: { zone: 'a' } });
  const client = await startClient(first.url);
  for (let i = 0; i < 5; i++) await client.call('who');
  await recorded(store, '/holdfast/nodes/n1', ({ totalTasksExecuted }) => totalTasksExecuted === 5);
  const [before] = first.nodes();
  await Promise.all([worker.node.stop(), client.stop()]);
  await first.stop();
  const second = await hubOn(store);
  expect(second).toMatchObject({ epoch: 2 });
  expect(second.nodes()).toMatchObject([
    { id: 'n1', state: 'absent', labels: { zone: 'a' }, totalTasksExecuted: 5, reason: 'the hub restarted' },
  ]);
  await startNode(second.url, 'n1', { labels: { zone: 'a' } });
  const again = await startClient(second.url);
  await again.call('who');
  const nodes = second.nodes();
  expect(nodes).toHaveLength(1);
  expect(nodes[0]).toMatchObject({ id: 'n1', state: 'online', totalTasksExecuted: 6 });
  // Downtime does not count, but what was before does.
  expect(nodes[0]!.firstSeenMs).toBeGreaterThanOrEqual(before!.firstSeenMs);
});

test('a node that does not come back within the grace time is expired, and offers nothing', async () => {
  const store = await openMemory();
  const first = await hubOn(store);
  const worker = await startNode(first.url, 'n1');
  await recorded(store, '/holdfast/nodes/n1', ({ state }) => state === 'online');
  await first.stop();
  await worker.node.stop();
  const second = await hubOn(store, { sessionGraceMs: 200 });
  expect(second.nodes()).toHaveLength(1);
  await recorded(store, '/holdfast/nodes/n1', ({ state }) => state === 'expired');
  expect(second.nodes()).toEqual([]);
  await eventually('its functions are gone', async () => {
    const keys = Object.keys(await recordsOf(store));
    return !keys.some((key) => key.startsWith('/holdfast/functions/'));
  });
});

test('of two hubs with one id on one store the newer start goes on, and the older stops and writes no more', async () => {
  const store = await openMemory();
  const older = await hubOn(store, { id: 'berlin' });
  await startNode(older.url, 'n1');
  await recorded(store, '/holdfast/nodes/n1', ({ state }) => state === 'online');
  const newer = await hubOn(store, { id: 'berlin' });
  await startNode(older.url, 'n2').catch(() => undefined);
  await eventually('the older has stopped', () => older.status().state === 'stopped');
  expect(newer.status().state).toBe('listening');
  expect(Object.keys(await recordsOf(store))).not.toContain('/holdfast/nodes/n2');
});

test('hubs with ids of their own share a store, and each waits for its own nodes only', async () => {
  const store = await openMemory();
  const [berlin, tokyo] = [await hubOn(store, { id: 'berlin' }), await hubOn(store, { id: 'tokyo' })];
  await startNode(berlin.url, 'b1');
  await startNode(tokyo.url, 't1');
  await recorded(store, '/holdfast/nodes/b1', ({ hub }) => hub === 'berlin');
  await recorded(store, '/holdfast/nodes/t1', ({ hub }) => hub === 'tokyo');
  await berlin.stop();
  const again = await hubOn(store, { id: 'berlin' });
  expect(again.nodes().map(({ id }) => id)).toEqual(['b1']);
});

test('a record that somebody broke is made anew, and the hub starts all the same', async () => {
  const store = await openMemory();
  for (const key of ['/holdfast/hubs/hub', '/holdfast/nodes/n1', '/holdfast/nodes/%E0%A4%A'])
    await store.put({ key: utf8.encode(key), value: utf8.encode('{"state":') });
  const hub = await hubOn(store);
  await startNode(hub.url, 'n1');
  await recorded(store, '/holdfast/nodes/n1', ({ state }) => state === 'online');
});

test('while the store fails the fleet works on, and when it is back the newest is written', async () => {
  const store = await openMemory();
  let fails = false;
  const failing = new Proxy(store, {
    get(target, name) {
      if (name === 'txn')
        return (request: TxnRequest) =>
          fails ? Promise.reject(new Error('no space left on device')) : target.txn(request);
      const member = Reflect.get(target, name) as unknown;
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
  const hub = await hubOn(failing);
  fails = true;
  await startNode(hub.url, 'n1');
  const client = await startClient(hub.url);
  expect(await client.call('who')).toBe('n1');
  expect(Object.keys(await recordsOf(store))).toEqual(['/holdfast/hubs/hub']);
  fails = false;
  await recorded(
    store,
    '/holdfast/nodes/n1',
    ({ state, totalTasksExecuted }) => state === 'online' && totalTasksExecuted === 1,
  );
});
