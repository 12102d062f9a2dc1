// Holders of one lock on a real etcd that is killed and comes back, and on three members whose leader is killed.
// Invariant of all: by the fence's account there are never two holders, and who loses the lock knows before another has it.
import { expect, test } from 'vitest';
import { eventually } from '../eventually.ts';
import { client, etcd, etcdCluster, leaderOf } from './etcd-chaos.ts';
import { contest, faultsOf } from './lease-contest.ts';

test('etcd killed and started again: nobody holds what another holds', async () => {
  const server = await etcd();
  const { tenures, holder } = contest({ a: client([server.endpoint]), b: client([server.endpoint]) });
  for (let round = 0; round < 3; round++) {
    const tenure = await holder();
    await server.kill();
    // Longer than the lease in the second round: then the holder must have given up by itself.
    if (round === 1) await eventually('the holder gave up', () => tenure.until !== undefined);
    await server.restart();
    await holder();
  }
  expect(faultsOf(tenures)).toEqual([]);
});

test('three members, the leader killed: leases live on, or are given up in time', async () => {
  const servers = await etcdCluster(3);
  const endpoints = servers.map(({ endpoint }) => endpoint);
  const { tenures, holder } = contest({ a: client(endpoints), b: client(endpoints) });
  await holder();
  const leader = await leaderOf(servers);
  await leader.kill();
  await leaderOf(servers.filter((server) => server !== leader));
  await holder();
  expect(faultsOf(tenures)).toEqual([]);
}, 60_000);
