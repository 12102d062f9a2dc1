// Holders of leases on a simulated clock, each behind a link that delays and loses, in a process that is stopped at times.
// Invariant of all: by the holders' own account a lock is never held by two.
import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../../src/protocol/errors.ts';
import type { Clock } from '../../../src/ports.ts';
import type { ProposalOptions, Store } from '../../../src/store/contract.ts';
import { holdLease, type HeldLease } from '../../../src/store/hold-lease.ts';
import { Prng, type Simulation } from '../../../src/testing/index.ts';
import { bytes } from './naive-store.ts';
import { simulatedStore } from './store-under-simulation.ts';

const lock = bytes('lock');

/** The way of one holder to the store. */
interface Link {
  state: 'good' | 'silent' | 'deaf';
  readonly store: Store;
}

/** Requests and answers take their time; on a silent link neither arrives, on a deaf one no answer does. */
function link(simulation: Simulation, store: Store, dice: Prng, longestMs: number, shortestMs = 0): Link {
  const delay = (): Promise<void> =>
    new Promise((resolve) =>
      simulation.clock.setTimer(resolve, shortestMs + (dice.uint32() % (longestMs - shortestMs))),
    );
  const through = <A>(call: () => Promise<A>, options: ProposalOptions = {}): Promise<A> => {
    const { applyTimeoutMs = 5_000, signal } = options;
    return new Promise((resolve, reject) => {
      const fail = (code: 'timed_out' | 'cancelled') => (): void =>
        reject(new HoldfastError(code, { code, started: 'unknown' }));
      simulation.clock.setTimer(fail('timed_out'), applyTimeoutMs);
      signal?.addEventListener('abort', fail('cancelled'));
      const run = async (): Promise<void> => {
        await delay();
        if (one.state === 'silent') return;
        const answer = await call().then(
          (value) => () => resolve(value),
          (error: unknown) => () => reject(error as Error),
        );
        await delay();
        if (one.state === 'good') answer();
      };
      void run();
    });
  };
  const { leases } = store;
  const linked = {
    txn: (request, options) => through(() => store.txn(request), options),
    leases: {
      grant: (request, options) => through(() => leases.grant(request), options),
      keepAlive: (id, options) => through(() => leases.keepAlive(id), options),
      revoke: (id, options) => through(() => leases.revoke(id), options),
      timeToLive: leases.timeToLive.bind(leases),
      list: leases.list.bind(leases),
    },
  } satisfies Partial<Store>;
  const one: Link = { state: 'good', store: linked as unknown as Store };
  return one;
}

interface Tenure {
  readonly holder: string;
  readonly from: number;
  /** What it does it asks `isHeld` for: then the fence counts, be its timer late. */
  readonly until: () => number;
}

interface Contest {
  readonly tenures: readonly Tenure[];
  /** How leases ended. */
  readonly ends: string[];
}

/** A clock that runs at another rate, and never tells of a jump. */
function rated(clock: Clock, rate: number): Clock {
  if (rate === 1) return clock;
  return {
    now: () => clock.now() * rate,
    setTimer: (fn, delayMs) => clock.setTimer(fn, delayMs / rate),
    clearTimer: (timer) => clock.clearTimer(timer),
    endOfTurn: (fn) => clock.endOfTurn(fn),
    onJump: () => () => undefined,
  };
}

/** Two holders want the lock for a minute, while their links fail and their processes are stopped. */
async function contest(seed: number, rate = 1): Promise<Contest> {
  const { simulation, store } = await simulatedStore(seed);
  const dice = new Prng(seed, 'contest');
  const roll = (sides: number): number => dice.uint32() % sides;
  const tenures: Tenure[] = [];
  const ends: string[] = [];
  const contend = async (name: string): Promise<void> => {
    const host = simulation.host(name);
    const way = link(simulation, store, dice, 200);
    const pause = (ms: number): Promise<void> => new Promise((resolve) => host.clock.setTimer(resolve, ms));
    const fail = (): void => {
      way.state = (['good', 'good', 'silent', 'deaf'] as const)[roll(4)] ?? 'good';
      if (roll(6) === 0) {
        host.stop();
        simulation.clock.setTimer(() => host.continue(), roll(8_000));
      }
      simulation.clock.setTimer(fail, 500 + roll(8_000));
    };
    fail();
    for (;;) {
      try {
        const lease = await holdLease(way.store, { ttlSeconds: 4, clock: rated(host.clock, rate) });
        await keepLock({ simulation, store: way.store, lease, holder: name, tenures, rate });
        ends.push((lease.lost.reason as HoldfastError).message.replace(/^.*?: /, '').replace(/\d+/g, 'n'));
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error;
      }
      await pause(50);
    }
  };
  void contend('first');
  void contend('second');
  await simulation.run(60_000);
  return { tenures, ends };
}

interface Holding {
  readonly simulation: Simulation;
  readonly store: Store;
  readonly lease: HeldLease;
  readonly holder: string;
  readonly tenures: Tenure[];
  readonly rate: number;
}

async function keepLock({ simulation, store, lease, holder, tenures, rate }: Holding): Promise<void> {
  const free = { key: lock, target: 'createRevision', relation: 'equal', operand: 0 } as const;
  while (lease.isHeld()) {
    const taken = await store
      .txn(
        { compare: [free], success: [{ type: 'put', key: lock, value: bytes(holder), lease: lease.id }] },
        { signal: lease.lost, applyTimeoutMs: 1_000 },
      )
      .catch(() => undefined);
    if (taken?.succeeded !== true || !lease.isHeld()) continue;
    let lostAt = Infinity;
    tenures.push({ holder, from: simulation.now, until: () => Math.min(lostAt, lease.heldUntil / rate) });
    await new Promise((resolve) => lease.lost.addEventListener('abort', resolve));
    lostAt = simulation.now;
  }
  await lease.release();
}

function overlaps(tenures: readonly Tenure[]): string[] {
  return tenures.flatMap((one, i) => {
    const next = tenures[i + 1];
    return next !== undefined && one.until() > next.from
      ? [`${one.holder} until ${one.until()}, ${next.holder} from ${next.from}`]
      : [];
  });
}

describe('two holders of a lock', () => {
  test('40 seeds: never at once, though links lose and processes stop', async () => {
    const ends = new Set<string>();
    let tenures = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const one = await contest(seed);
      expect(overlaps(one.tenures), `seed ${seed}`).toEqual([]);
      tenures += one.tenures.length;
      for (const end of one.ends) ends.add(end);
    }
    expect(tenures).toBeGreaterThan(100);
    // It is never the store that tells a holder first.
    expect([...ends].toSorted()).toEqual([
      'it was released',
      'no keepalive was acknowledged within n ms of its sending',
      'the process slept for n ms',
    ]);
  });

  test('a clock that runs more slowly than the margin allows is found out', async () => {
    const found: string[] = [];
    for (let seed = 1; seed <= 10; seed++) found.push(...overlaps((await contest(seed, 0.7)).tenures));
    expect(found.length).toBeGreaterThan(0);
  });
});

describe('one holder', () => {
  async function held(
    seed: number,
    shortestMs = 0,
  ): Promise<{ simulation: Simulation; store: Store; way: Link; lease: HeldLease }> {
    const { simulation, store } = await simulatedStore(seed);
    const way = link(simulation, store, new Prng(seed), shortestMs + 20, shortestMs);
    const clock = simulation.host('holder').clock;
    const lease = await simulation.settle(holdLease(way.store, { ttlSeconds: 10, clock }), 5_000);
    return { simulation, store, way, lease };
  }

  test('keeps its lease for as long as it is answered', async () => {
    const { simulation, store, lease } = await held(1);
    await simulation.run(600_000);
    expect([lease.isHeld(), lease.lost.aborted]).toEqual([true, false]);
    expect(lease.heldUntil).toBeGreaterThan(simulation.now);
    const { remainingSeconds } = await simulation.settle(store.leases.timeToLive(lease.id), 1_000);
    expect(remainingSeconds).toBeGreaterThan(4);
  });

  test('keeps its lease over a link on which every answer takes longer than the next try', async () => {
    const { simulation, lease } = await held(1, 1_000);
    await simulation.run(600_000);
    expect([lease.isHeld(), lease.lost.aborted]).toEqual([true, false]);
  });

  test('knows that it is lost a margin before the store lets it go', async () => {
    const { simulation, store, way, lease } = await held(2);
    await simulation.run(30_000);
    way.state = 'silent';
    await simulation.runUntil(() => lease.lost.aborted, 20_000);
    expect(simulation.now).toBeCloseTo(lease.heldUntil, 0);
    expect(lease.isHeld()).toBe(false);
    expect(lease.lost.reason).toMatchObject({
      code: 'lease_not_found',
      message: expect.stringMatching(/^lease \S+ is lost: no keepalive was acknowledged within 9000 ms/),
    });
    const left = await simulation.settle(store.leases.timeToLive(lease.id), 1_000);
    expect(left.remainingSeconds).toBeGreaterThanOrEqual(0);
    await simulation.run(2_000);
    await expect(simulation.settle(store.leases.timeToLive(lease.id), 1_000)).rejects.toMatchObject({
      code: 'lease_not_found',
    });
  });

  test('knows at once when the store has let it go', async () => {
    const { simulation, store, lease } = await held(3);
    await simulation.settle(store.leases.revoke(lease.id), 1_000);
    await simulation.runUntil(() => lease.lost.aborted, 5_000);
    expect(lease.lost.reason).toMatchObject({
      message: expect.stringContaining('the store has no such lease'),
    });
  });

  test("does not count what came when the fence had fallen, be the fence's timer late", async () => {
    const { simulation, way, lease } = await held(4);
    const host = simulation.host('holder');
    way.state = 'deaf';
    await simulation.run(8_000);
    host.stop();
    await simulation.run(2_000);
    // Its timers have not run, but the time has passed.
    expect([lease.lost.aborted, lease.isHeld()]).toEqual([false, false]);
    way.state = 'good';
    await simulation.run(100);
    host.continue();
    await simulation.run(1);
    expect(lease.lost.aborted).toBe(true);
  });

  test('gives it back: its keys go at once, and nobody counts on it any more', async () => {
    const { simulation, store, lease } = await held(5);
    await simulation.settle(store.put({ key: lock, lease: lease.id }), 1_000);
    const released = lease.release();
    expect([lease.isHeld(), lease.lost.aborted]).toEqual([false, true]);
    await simulation.settle(released, 1_000);
    await simulation.settle(lease.release(), 1_000);
    expect(lease.lost.reason).toMatchObject({ code: 'stopped' });
    expect((await simulation.settle(store.range({ key: lock }), 1_000)).count).toBe(0);
  });

  test('a signal gives it back too', async () => {
    const { simulation, store } = await simulatedStore(6);
    const stop = new AbortController();
    const { clock } = simulation;
    const lease = await simulation.settle(
      holdLease(store, { ttlSeconds: 5, clock, signal: stop.signal }),
      1_000,
    );
    stop.abort();
    expect(lease.isHeld()).toBe(false);
    await simulation.run(1_000);
    expect((await simulation.settle(store.leases.list(), 1_000)).ids).toEqual([]);
    await simulation.run(60_000);
  });

  test.each([
    { ttlSeconds: 0 },
    { ttlSeconds: Number.NaN },
    { marginMs: -1 },
    { marginMs: 10_000 },
    { intervalMs: 0 },
    { intervalMs: 9_500, marginMs: 1_000 },
  ])('%o is refused', async (options) => {
    const { simulation, store } = await simulatedStore(7);
    const { clock } = simulation;
    await expect(holdLease(store, { ttlSeconds: 10, clock, ...options })).rejects.toMatchObject({
      code: 'invalid_option',
    });
    expect((await simulation.settle(store.leases.list(), 1_000)).ids).toEqual([]);
  });
});
