// Several hubs on one real etcd, and etcd's own client beside them.
// Invariant: what a hub wrote down is there for its next start, for the other hubs, and for everybody who watches.
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { Etcdctl, endAll, etcdctl } from '../../conformance/etcd-api/etcdctl.ts';
import { startEtcd, type EtcdServer } from '../../conformance/store/etcd-server.ts';
import { eventually } from '../eventually.ts';
import { startClient, startHub, startNode } from '../in-process.ts';

let etcd: EtcdServer;

/** Ends after the hubs that the test starts: a hub that stops writes down what it knows. */
async function etcdForThisTest(): Promise<string> {
  etcd = await startEtcd();
  onTestFinished(() => etcd.close());
  return `etcd://${etcd.endpoint}`;
}

afterEach(endAll);

interface NodeRecord {
  readonly state: string;
  readonly hub: string;
  readonly totalTasksExecuted: number;
}

/** What etcdctl reads under a key. */
async function recorded(key: string, fits: (record: NodeRecord) => boolean): Promise<NodeRecord> {
  return eventually(`${key} is as expected`, async () => {
    const { stdout } = await etcdctl(etcd.endpoint, ['get', '--print-value-only', key]);
    const record = stdout === '' ? undefined : (JSON.parse(stdout) as NodeRecord);
    return record !== undefined && fits(record) && record;
  });
}

test('two hubs share an etcd: each knows its own nodes after a restart, and etcdctl hears of all', async () => {
  const store = await etcdForThisTest();
  const watching = new Etcdctl(etcd.endpoint, ['watch', '--prefix', '/holdfast/']);
  const berlin = await startHub({ store, id: 'berlin' });
  const tokyo = await startHub({ store, id: 'tokyo' });
  const first = await startNode(berlin.url, 'b1', { labels: { zone: 'a' } });
  await startNode(tokyo.url, 't1');
  const client = await startClient(berlin.url);
  for (let i = 0; i < 3; i++) await client.call('who');
  await recorded('/holdfast/nodes/b1', ({ totalTasksExecuted }) => totalTasksExecuted === 3);
  expect(await recorded('/holdfast/nodes/t1', () => true)).toMatchObject({ hub: 'tokyo', state: 'online' });
  await client.stop();
  await berlin.stop();
  await first.node.stop();
  const again = await startHub({ store, id: 'berlin' });
  expect(again.epoch).toBe(2);
  expect(again.nodes()).toMatchObject([
    { id: 'b1', state: 'absent', labels: { zone: 'a' }, totalTasksExecuted: 3, reason: 'the hub restarted' },
  ]);
  expect(tokyo.nodes()).toMatchObject([{ id: 't1', state: 'online' }]);
  const told = await eventually('etcdctl has heard of both', () => {
    const keys = watching.stdout.split('\n').filter((line) => line.startsWith('/holdfast/'));
    const wanted = ['hubs/berlin', 'hubs/tokyo', 'nodes/b1', 'nodes/t1', 'functions/who/b1'];
    return wanted.every((key) => keys.includes(`/holdfast/${key}`)) && keys;
  });
  // The hubs, before anything of theirs.
  expect(told[0]).toMatch(/^\/holdfast\/hubs\//);
});

test('of two hubs with one id on an etcd the newer start goes on, and the older stops', async () => {
  const store = await etcdForThisTest();
  const older = await startHub({ store, id: 'berlin' });
  await startNode(older.url, 'n1');
  await recorded('/holdfast/nodes/n1', ({ state }) => state === 'online');
  const newer = await startHub({ store, id: 'berlin' });
  await startNode(older.url, 'n2').catch(() => undefined);
  await eventually('the older has stopped', () => older.status().state === 'stopped');
  expect(newer.status().state).toBe('listening');
  const { stdout } = await etcdctl(etcd.endpoint, ['get', '--keys-only', '--prefix', '/holdfast/nodes/']);
  expect(stdout.trim()).toBe('/holdfast/nodes/n1');
});

test('while etcd is away the fleet works on, and what it did is recorded when etcd is back', async () => {
  const hub = await startHub({ store: await etcdForThisTest(), id: 'berlin' });
  await startNode(hub.url, 'n1');
  const client = await startClient(hub.url);
  await recorded('/holdfast/nodes/n1', ({ state }) => state === 'online');
  await etcd.kill();
  for (let i = 0; i < 5; i++) expect(await client.call('who')).toBe('n1');
  await etcd.restart();
  await recorded('/holdfast/nodes/n1', ({ totalTasksExecuted }) => totalTasksExecuted === 5);
});
