// Holders of one lock on a real etcd, each behind a link of its own that is cut, or silent.
// Invariant of all: by the fence's account there are never two holders, and who loses the lock knows before another has it.
import { expect, test } from 'vitest';
import { eventually } from '../eventually.ts';
import { client, etcd, proxyTo, type Proxied } from './etcd-chaos.ts';
import { contest, faultsOf, type Contest } from './lease-contest.ts';

async function twoContenders(ttlSeconds = 1): Promise<Contest & { links: Record<string, Proxied> }> {
  const server = await etcd();
  const links: Record<string, Proxied> = { a: await proxyTo(server), b: await proxyTo(server) };
  const stores = Object.fromEntries(
    Object.entries(links).map(([name, { endpoint }]) => [name, client([endpoint])]),
  );
  return { ...contest(stores, ttlSeconds), links };
}

test('the holder whose link goes silent stops before the other one begins', async () => {
  const { tenures, links, holder, change } = await twoContenders();
  for (let round = 0; round < 3; round++) {
    const tenure = await holder();
    const link = links[tenure.holder];
    link?.swallow();
    await change(tenure);
    link?.heal();
  }
  expect(faultsOf(tenures)).toEqual([]);
  expect(tenures.length).toBeGreaterThanOrEqual(4);
});

test('answers that are lost do not keep a lease, though its keepalives arrive', async () => {
  const { tenures, links, holder, change } = await twoContenders();
  const tenure = await holder();
  links[tenure.holder]?.swallow('toPeer');
  await eventually('the holder gave up', () => tenure.until !== undefined);
  // Its link is given up too, so the store hears no more of it.
  await change(tenure);
  links[tenure.holder]?.heal();
  expect(faultsOf(tenures)).toEqual([]);
});

test('a short cut costs nobody the lock; a long one costs it in time', async () => {
  const { tenures, links, holder, change } = await twoContenders(3);
  const tenure = await holder();
  const link = links[tenure.holder];
  for (let cuts = 0; cuts < 5; cuts++) {
    const accepted = link?.accepted ?? 0;
    link?.cut();
    await eventually('it is back', () => (link?.accepted ?? 0) > accepted);
  }
  expect(tenure.until).toBe(undefined);
  link?.refuse();
  link?.cut();
  await change(tenure);
  link?.heal();
  expect(faultsOf(tenures)).toEqual([]);
});

test('a holder without a fence is found out', async () => {
  const { tenures, links, holder, change } = await twoContenders();
  const tenure = await holder();
  links[tenure.holder]?.swallow();
  await change(tenure);
  // It believes its lease for as long as nobody says otherwise.
  const unfenced = tenures.map((one) => ({ ...one, until: undefined, lostAt: undefined }));
  expect(faultsOf(unfenced).length).toBeGreaterThan(0);
  links[tenure.holder]?.heal();
});
