// The npm client etcd3 in the same troubles as our engine, on the same etcd: what it leaves to its users.
// Invariant: the links of both fail in the same moment; ours is waited for, and then theirs is looked at.
import { Etcd3 } from 'etcd3';
import { expect, onTestFinished, test } from 'vitest';
import { createNodeClock } from '../../../src/adapters/node-clock.ts';
import { holdLease } from '../../../src/store/hold-lease.ts';
import { everything, put } from '../../conformance/store/under-test.ts';
import { watching } from '../../conformance/store/watch-record.ts';
import { client, etcd, proxyTo } from './etcd-chaos.ts';

function peer(endpoint: string): Etcd3 {
  const one = new Etcd3({ hosts: `http://${endpoint}` });
  onTestFinished(() => one.close());
  return one;
}

test('a lease on a link that went silent: ours knows before the store gives it away, etcd3 does not', async () => {
  const server = await etcd();
  const ways = { ours: await proxyTo(server), theirs: await proxyTo(server) };
  const writer = client([server.endpoint]);
  const clock = createNodeClock();
  const ours = await holdLease(client([ways.ours.endpoint]), { ttlSeconds: 2, clock });
  const theirs = peer(ways.theirs.endpoint).lease(2);
  const id = await theirs.grant();
  const lostAt = { ours: Infinity, theirs: Infinity };
  ours.lost.addEventListener('abort', () => (lostAt.ours = clock.now()));
  // It waits for twice the lease's time, by the wall clock.
  theirs.on('lost', () => (lostAt.theirs = clock.now()));
  await writer.put(put('ours', '', { lease: ours.id }));
  await writer.put(put('theirs', '', { lease: id }));
  const watch = await watching(writer, everything);
  for (const way of Object.values(ways)) way.swallow();
  await watch.record.until('both leases have expired', ({ changes }) => changes.length === 2);
  const expiredAt = clock.now();
  expect(lostAt.ours).toBeLessThan(expiredAt);
  expect(lostAt.theirs).toBeGreaterThan(expiredAt);
});
