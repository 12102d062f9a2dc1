// Requests to a cluster whose members do what the test says: when they are sent, when again, and how they end.
// Invariant of all: a waiter is freed once, and what it is told of a write is true.
import { describe, expect, test } from 'vitest';
import { Prng } from '../../../src/testing/index.ts';
import {
  answer,
  aPut,
  broken,
  fail,
  noLeader,
  outcomeOf,
  putAnswer,
  scripted,
  type Received,
} from './scripted-cluster.ts';

const times = { proposeTimeoutMs: 5_000, applyTimeoutMs: 3_000 };

describe('both time-outs', () => {
  test('a write that no member can be asked for was not started', async () => {
    const { simulation, cluster, store } = scripted(1);
    for (const member of cluster.members.values()) member.door = 'shut';
    expect(await simulation.settle(outcomeOf(store.put(aPut, times)), 5_001)).toBe('timed_out notStarted');
    expect(simulation.now).toBe(5_000);
    expect(cluster.received).toEqual([]);
    for (const member of cluster.members.values()) member.door = 'open';
    await simulation.run(60_000);
    expect(cluster.received).toEqual([]);
  });

  test('that nobody can be reached is logged once, and that somebody can again', async () => {
    const { simulation, cluster, store } = scripted(21);
    for (const member of cluster.members.values()) member.door = 'shut';
    const doing = store.put(aPut, { proposeTimeoutMs: 30_000 });
    await simulation.run(20_000);
    for (const member of cluster.members.values()) member.door = 'open';
    await simulation.run(2_000);
    answer(cluster.last, putAnswer);
    expect(await simulation.settle(outcomeOf(doing), 1)).toBe('done');
    expect(simulation.log.entries.map(({ level, message }) => `${level} ${message}`)).toEqual([
      expect.stringMatching(/^warn no etcd can be reached \([ab]:1: Connection dropped\); trying on$/),
      expect.stringMatching(/^info etcd can be reached again, at [ab]:1$/),
    ]);
  });

  test('a write that is sent and not answered may have happened; its late answer finds nobody', async () => {
    const { simulation, cluster, store } = scripted(2);
    expect(await simulation.settle(outcomeOf(store.put(aPut, times)), 3_001)).toBe('timed_out unknown');
    expect(cluster.last.state).toBe('cancelled');
    cluster.last.handlers.answered(putAnswer);
    cluster.last.handlers.failed(broken);
    await simulation.run(60_000);
    expect(cluster.received.length).toBe(1);
  });

  test('the member that did not answer in time is not the next to be asked', async () => {
    const { simulation, cluster, store } = scripted(3);
    await simulation.settle(outcomeOf(store.put(aPut, times)), 3_001);
    const doing = store.put(aPut, times);
    await simulation.run(1);
    expect(new Set(cluster.received.map(({ member }) => member)).size).toBe(2);
    answer(cluster.last, putAnswer);
    expect(await simulation.settle(outcomeOf(doing), 1)).toBe('done');
  });

  test('a member that takes the connection and says nothing is left for the next one', async () => {
    const { simulation, cluster, store } = scripted(4);
    for (const member of cluster.members.values()) member.door = 'silent';
    const doing = store.put(aPut, times);
    await simulation.run(10);
    const first = cluster.dials[0] as string;
    const other = first === 'a:1' ? 'b:1' : 'a:1';
    cluster.member(other).door = 'open';
    await simulation.run(1_000);
    expect(cluster.last.member).toBe(other);
    answer(cluster.last, putAnswer);
    expect(await simulation.settle(outcomeOf(doing), 1)).toBe('done');
  });
});

test('each step of a request and of a watch stands in the transition log', async () => {
  const steps: string[] = [];
  const { simulation, cluster, store } = scripted(15, {
    transitions: ({ machine, event }) => steps.push(`${machine} ${event.type}`),
  });
  const doing = outcomeOf(store.put(aPut));
  await simulation.run(1);
  answer(cluster.last, putAnswer);
  await simulation.settle(doing, 1);
  const handle = store.watch(aPut, { ready() {}, events: () => 'more', progress() {}, ended() {} });
  handle.cancel();
  expect(steps).toEqual([
    'proposal xstate.init',
    'proposal submission.taken',
    'proposal submission.applied',
    'watch xstate.init',
    'watch cancel.requested',
  ]);
});

describe('cancelling', () => {
  test('before it is sent, it is never sent', async () => {
    const { simulation, cluster, store } = scripted(5);
    for (const member of cluster.members.values()) member.door = 'silent';
    const stop = new AbortController();
    const doing = outcomeOf(store.put(aPut, { signal: stop.signal }));
    await simulation.run(10);
    stop.abort();
    expect(await simulation.settle(doing, 1)).toBe('cancelled notStarted');
    for (const member of cluster.members.values()) member.door = 'open';
    await simulation.run(60_000);
    expect(cluster.received).toEqual([]);
  });

  test('when it is sent, the member is told, and it may have happened', async () => {
    const { simulation, cluster, store } = scripted(6);
    const stop = new AbortController();
    const doing = outcomeOf(store.put(aPut, { signal: stop.signal }));
    await simulation.run(1);
    stop.abort();
    expect(await simulation.settle(doing, 1)).toBe('cancelled unknown');
    expect(cluster.last.state).toBe('cancelled');
  });

  test('closing the store frees those that wait, each with the truth', async () => {
    const { simulation, cluster, store } = scripted(7);
    const sent = outcomeOf(store.put(aPut));
    await simulation.run(1);
    cluster.member('a:1').ready = false;
    cluster.member('b:1').ready = false;
    for (const member of cluster.members.values()) member.door = 'silent';
    const waiting = outcomeOf(store.put(aPut));
    await simulation.run(1);
    await simulation.settle(store.close(), 100);
    expect([await sent, await waiting]).toEqual(['stopped unknown', 'stopped notStarted']);
  });
});

describe('sending again', () => {
  test('a write is not, when its link broke: it may have happened', async () => {
    const { simulation, cluster, store } = scripted(8);
    const doing = outcomeOf(store.put(aPut));
    await simulation.run(1);
    cluster.member(cluster.last.member).break();
    expect(await simulation.settle(doing, 1)).toBe('store_failed unknown');
    await simulation.run(60_000);
    expect(cluster.received.length).toBe(1);
  });

  test('a read is, to the other member', async () => {
    const { simulation, cluster, store } = scripted(9);
    const doing = outcomeOf(store.range({ key: aPut.key }));
    await simulation.run(1);
    cluster.member(cluster.last.member).break();
    await simulation.run(1_000);
    expect(cluster.received.map(({ member }) => member).toSorted()).toEqual(['a:1', 'b:1']);
    const { header } = putAnswer;
    answer(cluster.last, { header, kvs: [], more: false, count: { toNumber: () => 0 } });
    expect(await simulation.settle(doing, 1)).toBe('done');
  });

  test('a write is, when the member said that it has no leader, and so proposed nothing', async () => {
    const { simulation, cluster, store } = scripted(10);
    const doing = outcomeOf(store.put(aPut));
    await simulation.run(1);
    fail(cluster.last, noLeader);
    await simulation.run(1_000);
    expect(cluster.received.map(({ member }) => member).toSorted()).toEqual(['a:1', 'b:1']);
    answer(cluster.last, putAnswer);
    expect(await simulation.settle(doing, 1)).toBe('done');
  });

  test('a transaction that only reads counts as a read, one that may write does not', async () => {
    const { simulation, cluster, store } = scripted(11);
    void outcomeOf(store.txn({ success: [{ type: 'range', key: aPut.key }] }));
    await simulation.run(1);
    cluster.member(cluster.last.member).break();
    await simulation.run(1_000);
    expect(cluster.received.length).toBe(2);
    const writing = outcomeOf(store.txn({ failure: [{ type: 'put', ...aPut }] }));
    await simulation.run(1);
    fail(cluster.last, broken);
    expect(await simulation.settle(writing, 1)).toBe('store_failed unknown');
  });
});

describe('the token', () => {
  const user = { name: 'ann', password: 'secret' };
  const tokens = ({ metadata }: Received): string => metadata['token'] ?? '-';

  test('is asked for once, and again when it is refused; the write is then sent with the new one', async () => {
    const { simulation, cluster, store } = scripted(12, { user });
    let issued = 0;
    cluster.onRequest = (received) => {
      if (received.method === 'Auth.Authenticate') answer(received, { token: `t${(issued += 1)}` });
    };
    const both = Promise.all([outcomeOf(store.put(aPut)), outcomeOf(store.put(aPut))]);
    await simulation.run(1);
    expect(issued).toBe(1);
    const puts = cluster.received.filter(({ method }) => method === 'KV.Put');
    expect(puts.map(tokens)).toEqual(['t1', 't1']);
    for (const one of puts)
      fail(one, { status: 'unauthenticated', message: 'etcdserver: invalid auth token' });
    await simulation.run(1_000);
    const again = cluster.received.filter((one) => one.method === 'KV.Put' && one.state === 'open');
    expect(again.map(tokens)).toEqual(['t2', 't2']);
    expect(issued).toBe(2);
    for (const one of again) answer(one, putAnswer);
    expect(await simulation.settle(both, 1)).toEqual(['done', 'done']);
  });

  test('a wrong password is an error at once, and is not tried for ever', async () => {
    const { simulation, cluster, store } = scripted(13, { user });
    cluster.onRequest = (received) =>
      fail(received, {
        status: 'invalid_argument',
        message: 'etcdserver: authentication failed, invalid user ID or password',
      });
    const doing = store.put(aPut);
    await expect(simulation.settle(doing, 100)).rejects.toMatchObject({
      code: 'store_failed',
      started: 'notStarted',
      retryable: false,
      message: expect.stringMatching(/put of a: .*check the user and password/),
    });
  });

  test('a server without users takes everybody', async () => {
    const { simulation, cluster, store } = scripted(14, { user });
    cluster.onRequest = (received) => {
      if (received.method === 'KV.Put') return answer(received, putAnswer);
      fail(received, { status: 'failed_precondition', message: 'etcdserver: authentication is not enabled' });
    };
    expect(await simulation.settle(outcomeOf(store.put(aPut)), 100)).toBe('done');
    expect(tokens(cluster.last)).toBe('-');
  });
});

/** What became of one write: how often the cluster carried it out, and what its asker was told. */
interface Fate {
  executed: number;
  told: string[];
}

/** Members that fail in every way, at every moment. `lying`: they say that they proposed nothing when they did. */
async function throughTrouble(seed: number, lying: 'yes' | 'no'): Promise<Fate[]> {
  const { simulation, cluster, store } = scripted(seed, times);
  const dice = new Prng(seed, 'trouble');
  const roll = (sides: number): number => dice.uint32() % sides;
  const fates: Fate[] = [];
  const soon = (fn: () => void): void => void simulation.clock.setTimer(fn, roll(200));
  const carryOut = (received: Received): void => {
    const { value } = received.request as { value: Uint8Array };
    (fates[value[0] as number] as Fate).executed += 1;
  };
  cluster.onRequest = (received) =>
    soon(() => {
      const kind = roll(7);
      if (kind === 0) return fail(received, broken);
      if (kind === 1) {
        if (lying === 'yes') carryOut(received);
        return fail(received, noLeader);
      }
      if (kind === 2) return cluster.member(received.member).break();
      carryOut(received);
      if (kind === 3) return fail(received, broken);
      if (kind === 4) return;
      answer(received, putAnswer);
    });
  const shake = (): void => {
    for (const member of cluster.members.values())
      member.door = (['open', 'open', 'shut', 'silent'] as const)[roll(4)] ?? 'open';
    soon(shake);
  };
  shake();
  for (let i = 0; i < 20; i++) {
    const fate: Fate = { executed: 0, told: [] };
    fates.push(fate);
    const stop = new AbortController();
    const doing = outcomeOf(store.put({ key: aPut.key, value: Uint8Array.of(i) }, { signal: stop.signal }));
    void doing.then((outcome) => fate.told.push(outcome));
    if (roll(4) === 0) soon(() => stop.abort());
    await simulation.run(roll(100));
  }
  await simulation.run(30_000);
  return fates;
}

function faultsOf(fates: readonly Fate[]): string[] {
  return fates.flatMap(({ executed, told }, i) => {
    const [outcome = 'nothing'] = told;
    const most = outcome.endsWith('notStarted') ? 0 : 1;
    const least = outcome === 'done' ? 1 : 0;
    const faults =
      executed > most || executed < least ? [`${i}: ${outcome}, carried out ${executed} times`] : [];
    return told.length === 1 ? faults : [...faults, `${i}: told ${told.length} times`];
  });
}

test('300 seeds of trouble: each waiter is freed once, and is told the truth', async () => {
  const outcomes = new Set<string>();
  for (let seed = 1; seed <= 300; seed++) {
    const fates = await throughTrouble(seed, 'no');
    expect(faultsOf(fates), `seed ${seed}`).toEqual([]);
    for (const { told } of fates) outcomes.add(told.join());
  }
  expect([...outcomes].toSorted()).toEqual([
    'cancelled notStarted',
    'cancelled unknown',
    'done',
    'store_failed unknown',
    'timed_out notStarted',
    'timed_out unknown',
  ]);
});

test('members that deny what they did are found out', async () => {
  const found = await Promise.all([1, 2, 3].map(async (seed) => faultsOf(await throughTrouble(seed, 'yes'))));
  expect(found.flat().length).toBeGreaterThan(0);
});
