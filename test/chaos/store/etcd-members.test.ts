// A cluster of three on loopback whose members are killed, stopped, or left without a leader.
// Invariant of all: no event is missed and none told twice, on whichever member the watch was.
import { expect, onTestFinished, test } from 'vitest';
import type { Store } from '../../../src/store/contract.ts';
import { contents, everything, key, pairs, put, revisionOf } from '../../conformance/store/under-test.ts';
import { caughtUp, watching, type Watching } from '../../conformance/store/watch-record.ts';
import { faultsAgainst, faultsOf, faultsOfModel } from '../../conformance/store/watch-validator.ts';
import { load } from '../../conformance/store/writers.ts';
import { eventually } from '../eventually.ts';
import { client, etcdCluster, leaderOf, proxyTo } from './etcd-chaos.ts';

/** Writes until so many were acknowledged; those that were not may have happened. */
async function writeOn(store: Store, name: string, count: number): Promise<number> {
  let written = 0;
  let tried = 0;
  await eventually(`${count} writes are acknowledged`, async () => {
    tried += 1;
    await store.put(put(`${name}${tried}`, '1'), { proposeTimeoutMs: 3_000, applyTimeoutMs: 1_000 }).then(
      () => (written += 1),
      () => undefined,
    );
    return written >= count;
  });
  return revisionOf(store);
}

async function sound(store: Store, watches: readonly Watching[], revision: number): Promise<void> {
  for (const one of watches) {
    await caughtUp(one, revision);
    expect([...faultsOf(one.record), ...(await faultsOfModel(store, one.record, revision))]).toEqual([]);
    expect(one.record.changes.length).toBe(watches[0]?.record.changes.length);
  }
}

test('the leader killed: writes go on elsewhere, and no event is missed', async () => {
  const servers = await etcdCluster(3);
  const store = client(servers.map(({ endpoint }) => endpoint));
  const others = servers.map(({ endpoint }) => client([endpoint]));
  const watches = await Promise.all([store, ...others].map((from) => watching(from, everything)));
  const before = await load(store, { seed: 60, commits: 10 });
  const leader = await leaderOf(servers);
  await leader.kill();
  const revision = await writeOn(store, 'after', 20);
  expect(revision).toBeGreaterThanOrEqual(before.revision + 20);
  await leader.restart();
  // The one whose only member was killed goes on when it is back.
  await sound(store, watches, revision);
  expect((await contents(store)).filter((line) => line.startsWith('after')).length).toBeGreaterThanOrEqual(
    20,
  );
});

test('a member that stops answering is left for another, by requests and by watches', async () => {
  const servers = await etcdCluster(3);
  const ways = await Promise.all(servers.map((server) => proxyTo(server)));
  const store = client(ways.map(({ endpoint }) => endpoint));
  const writer = client(servers.map(({ endpoint }) => endpoint));
  const one = await watching(store, everything);
  await store.put(put('a', '1'));
  const used = servers[ways.findIndex(({ open }) => open > 0)];
  used?.pause();
  onTestFinished(() => used?.resume());
  // The writer has members of its own, and may wait for an election.
  const revision = await writeOn(writer, 'during', 10);
  await caughtUp(one, revision);
  expect(pairs((await store.range(key('a'))).entries)).toEqual(['a=1']);
  await sound(store, [one], revision);
  used?.resume();
});

test('a member without a leader acknowledges nothing, and its watches go on when there is one', async () => {
  const servers = await etcdCluster(3);
  const [first, ...rest] = servers;
  const endpoint = first?.endpoint ?? '';
  const alone = client([endpoint]);
  const one = await watching(alone, everything);
  const before = await load(alone, { seed: 61, commits: 5 });
  await one.record.untilSeen(before.revision);
  for (const server of rest) await server.kill();
  // Nobody can commit: no write is acknowledged, and each says truly whether it may have happened.
  const outcome = await alone
    .put(put('nobody', '1'), { proposeTimeoutMs: 1_500, applyTimeoutMs: 1_500 })
    .then(
      () => 'done',
      (error: { code: string; started: string }) => `${error.code} ${error.started}`,
    );
  expect(['timed_out unknown', 'timed_out notStarted', 'store_failed unknown']).toContain(outcome);
  await Promise.all(rest.map((server) => server.restart()));
  const revision = await writeOn(alone, 'again', 5);
  await caughtUp(one, revision);
  expect((await alone.range(key('nobody'))).count).toBeLessThanOrEqual(
    outcome.endsWith('notStarted') ? 0 : 1,
  );
  expect(faultsAgainst(before.changes, one.record, before.revision)).toEqual([]);
  await sound(alone, [one], revision);
});
