// Holders of one lock on a real etcd, each behind a link of its own that is cut, or silent, or whose etcd is killed.
// Invariant of all: by the fence's account there are never two holders, and who loses the lock knows before another has it.
import { expect, onTestFinished, test } from 'vitest';
import { createNodeClock } from '../../../src/adapters/node-clock.ts';
import type { Store } from '../../../src/store/contract.ts';
import { holdLease, type HeldLease } from '../../../src/store/hold-lease.ts';
import { get, key, put } from '../../conformance/store/under-test.ts';
import { eventually } from '../eventually.ts';
import { client, etcd, etcdCluster, leaderOf, proxyTo, type Proxied } from './etcd-chaos.ts';

const clock = createNodeClock();

/** One time that the lock was held, by one clock for all. */
interface Tenure {
  readonly holder: string;
  readonly from: number;
  /** When the holder stopped: told to, or by the fence, whichever came first. Undefined: it holds. */
  until: number | undefined;
  lostAt: number | undefined;
}

/** A holder that wants the lock for ever, and begins anew whenever it lost its lease. */
class Contender {
  readonly name: string;
  readonly #store: Store;
  readonly #tenures: Tenure[];
  readonly #ttlSeconds: number;
  #lease: HeldLease | undefined;
  #state: 'running' | 'stopped' = 'running';

  constructor(name: string, store: Store, ttlSeconds: number, tenures: Tenure[]) {
    this.name = name;
    this.#ttlSeconds = ttlSeconds;
    this.#store = store;
    this.#tenures = tenures;
    void this.#run();
  }

  async stop(): Promise<void> {
    this.#state = 'stopped';
    await this.#lease?.release();
  }

  async #run(): Promise<void> {
    while (this.#state === 'running') {
      try {
        const lease = await holdLease(this.#store, { ttlSeconds: this.#ttlSeconds, clock });
        this.#lease = lease;
        await this.#contend(lease);
        await lease.release();
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  async #contend(lease: HeldLease): Promise<void> {
    while (lease.isHeld() && this.#state === 'running') {
      const { succeeded } = await this.#store.txn(
        {
          compare: [{ ...key('lock'), target: 'createRevision', relation: 'equal', operand: 0 }],
          success: [put('lock', this.name, { lease: lease.id })],
          failure: [get('lock')],
        },
        { signal: lease.lost, applyTimeoutMs: 500 },
      );
      if (succeeded && lease.isHeld()) return this.#hold(lease);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  #hold(lease: HeldLease): Promise<void> {
    const tenure: Tenure = { holder: this.name, from: clock.now(), until: undefined, lostAt: undefined };
    this.#tenures.push(tenure);
    return new Promise((resolve) => {
      lease.lost.addEventListener('abort', () => {
        tenure.lostAt = clock.now();
        tenure.until = Math.min(tenure.lostAt, lease.heldUntil);
        resolve();
      });
    });
  }
}

interface Contest {
  readonly tenures: Tenure[];
  holder(): Promise<Tenure>;
  /** Waits until somebody else has it. */
  change(from: Tenure): Promise<Tenure>;
}

function contest(stores: Readonly<Record<string, Store>>, ttlSeconds = 1): Contest {
  const tenures: Tenure[] = [];
  const contenders = Object.entries(stores).map(
    ([name, store]) => new Contender(name, store, ttlSeconds, tenures),
  );
  onTestFinished(async () => void (await Promise.all(contenders.map((one) => one.stop()))));
  return {
    tenures,
    holder: () =>
      eventually('somebody holds the lock', () => tenures.find(({ until }) => until === undefined)),
    change: (from) =>
      eventually('the lock goes to another', () =>
        tenures.find(({ holder, from: at }) => at > from.from && holder !== from.holder),
      ),
  };
}

function faultsOf(tenures: readonly Tenure[]): string[] {
  return tenures.flatMap((one, i) => {
    const next = tenures[i + 1];
    if (next === undefined) return [];
    const faults: string[] = [];
    if (one.until === undefined || one.until > next.from)
      faults.push(`${one.holder} held it until ${one.until}, ${next.holder} from ${next.from} on`);
    if (one.lostAt === undefined || one.lostAt > next.from)
      faults.push(`${one.holder} knew at ${one.lostAt}, after ${next.holder} had it at ${next.from}`);
    return faults;
  });
}

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
