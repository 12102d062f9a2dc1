// Watches over members whose links break at every moment: while a watch is created, between the parts of a message,
// while its owner is slow, and while history is compacted.
// Invariant of all: an owner is told each change of its range once, in order, whole revisions at a time, or that it ended.
import { expect, test } from 'vitest';
import type { WatchEnd, WatchEvent, WatchHandle, WatchSink } from '../../../src/store/contract.ts';
import { Prng } from '../../../src/testing/index.ts';
import { bytes, text } from './naive-store.ts';
import { answer, broken, scripted, type ScriptedMember } from './scripted-cluster.ts';
import { History, WatchService } from './scripted-watches.ts';

interface Owner extends WatchSink {
  readonly from: string;
  readonly until: string;
  readonly startRevision: number | undefined;
  readonly told: string[];
  readonly faults: string[];
  readyAt: number | undefined;
  seen: number;
  end: WatchEnd | undefined;
  handle: WatchHandle | undefined;
}

function owner(from: string, until: string, startRevision: number | undefined, slow: () => boolean): Owner {
  const one: Owner = {
    from,
    until,
    startRevision,
    told: [],
    faults: [],
    readyAt: undefined,
    seen: (startRevision ?? 1) - 1,
    end: undefined,
    handle: undefined,
    ready(revision) {
      if (one.readyAt !== undefined || one.end !== undefined) one.faults.push('ready out of place');
      one.readyAt = revision;
      if (startRevision === undefined) one.seen = revision;
    },
    events(events: readonly WatchEvent[], revision) {
      if (one.readyAt === undefined || one.end !== undefined) one.faults.push('events out of place');
      for (const { entry } of events) {
        if (entry.modRevision <= one.seen) one.faults.push(`${entry.modRevision} after ${one.seen}`);
        one.told.push(`${text(entry.key)}@${entry.modRevision}`);
      }
      one.seen = Math.max(one.seen, revision);
      return slow() ? 'wait' : 'more';
    },
    progress(revision) {
      if (revision < one.seen) one.faults.push(`a bookmark of ${revision} after ${one.seen}`);
      one.seen = Math.max(one.seen, revision);
    },
    ended(end) {
      if (one.end !== undefined) one.faults.push('ended twice');
      one.end = end;
    },
  };
  return one;
}

interface Run {
  readonly owners: readonly Owner[];
  readonly history: History;
  readonly breaks: number;
  /** What went into the log: of an event that no machine expected, or of a crash. */
  readonly complaints: readonly string[];
}

/** Some seconds of changes, of watches that come and go, and of trouble; then some in which all can settle. */
async function run(seed: number, { loses = 'no' as 'yes' | 'no' } = {}): Promise<Run> {
  const { simulation, cluster, store } = scripted(seed);
  const dice = new Prng(seed, 'watches');
  const roll = (sides: number): number => dice.uint32() % sides;
  const history = new History();
  const owners: Owner[] = [];
  let breaks = 0;
  let trouble: 'yes' | 'no' = 'yes';
  cluster.onStream = (member: ScriptedMember, handlers) => {
    let messages = 0;
    const service = new WatchService(simulation, dice, history, {
      // A twin: now and then a member forgets what it had to say.
      message: (message) =>
        loses === 'yes' && (messages += 1) % 7 === 0 ? undefined : handlers.message(message),
      ended: (failure) => {
        member.ready = false;
        handlers.ended(failure);
      },
    });
    return service;
  };
  cluster.onRequest = (received) => {
    const header = { revision: { toNumber: () => history.revision } };
    simulation.clock.setTimer(
      () => answer(received, { header, kvs: [], more: false, count: { toNumber: () => 0 } }),
      roll(40),
    );
  };
  const every = (longestMs: number, fn: () => void): void => {
    simulation.clock.setTimer(() => {
      if (trouble === 'no') return;
      fn();
      every(longestMs, fn);
    }, roll(longestMs));
  };
  const letters = 'abcdef';
  const someKeys = (): string[] => letters.split('').filter(() => roll(3) === 0);
  every(60, () => {
    const keys = someKeys();
    if (keys.length > 0) history.commit(keys);
  });
  every(400, () => {
    const service = [...history.streams][0];
    if (service === undefined) return;
    breaks += 1;
    service.break(broken);
  });
  every(500, () => {
    const from = letters[roll(5)] as string;
    const until = String.fromCharCode(from.charCodeAt(0) + 1 + roll(4));
    const starts = [undefined, history.revision + 1 + roll(5), Math.max(1, history.revision - roll(10))];
    const one = owner(from, until, starts[roll(3)], () => roll(5) === 0);
    const { startRevision } = one;
    one.handle = store.watch({ key: bytes(from), end: bytes(until), startRevision }, one);
    owners.push(one);
  });
  every(100, () => owners[roll(owners.length + 1)]?.handle?.resume());
  every(150, () => owners[roll(owners.length + 1)]?.handle?.requestProgress());
  every(1_500, () => owners[roll(owners.length + 1)]?.handle?.cancel());
  every(2_000, () => (history.floor = Math.max(history.floor, history.revision - roll(30))));
  await simulation.run(6_000);
  trouble = 'no';
  for (let i = 0; i < 40; i++) {
    for (const { handle } of owners) handle?.resume();
    await simulation.run(200);
  }
  const complaints = simulation.log.entries
    .filter(({ level }) => level === 'warn' || level === 'error')
    .map(({ message }) => message);
  return { owners, history, breaks, complaints };
}

function faultsOf({ owners, history }: Run): string[] {
  return owners.flatMap((one, i) => {
    const { from, until, startRevision, readyAt = 0, told, end } = one;
    const first = startRevision ?? readyAt + 1;
    // One that ended was told all up to some revision; one that lives, all.
    const last = end === undefined ? history.revision : one.seen;
    const wanted = history.commits
      .filter(({ revision }) => revision >= first && revision <= last)
      .flatMap(({ revision, keys }) =>
        keys.filter((key) => key >= from && key < until).map((key) => `${key}@${revision}`),
      );
    const faults = one.faults.map((fault) => `${i}: ${fault}`);
    if (told.join() !== wanted.join()) faults.push(`${i}: told ${told.join()}, wanted ${wanted.join()}`);
    if (end?.reason === 'compacted' && end.floor > history.floor)
      faults.push(`${i}: the floor is ${end.floor}`);
    return faults;
  });
}

test('80 seeds of trouble: every watch is told all, once and in order', async () => {
  let breaks = 0;
  const ends = new Set<string>();
  for (let seed = 1; seed <= 80; seed++) {
    const one = await run(seed);
    expect(faultsOf(one), `seed ${seed}`).toEqual([]);
    expect(one.complaints, `seed ${seed}`).toEqual([]);
    breaks += one.breaks;
    for (const { end } of one.owners) ends.add(end?.reason ?? 'lives');
  }
  expect(breaks).toBeGreaterThan(400);
  expect([...ends].toSorted()).toEqual(['cancelled', 'compacted', 'lives']);
});

test('a member that forgets messages is found out', async () => {
  const found: string[] = [];
  for (let seed = 1; seed <= 5; seed++) found.push(...faultsOf(await run(seed, { loses: 'yes' })));
  expect(found.length).toBeGreaterThan(0);
});

test('a watch that no member takes ends when a request would, and says whom it asked', async () => {
  const { simulation, cluster, store } = scripted(7, { proposeTimeoutMs: 2_000 });
  for (const member of cluster.members.values()) member.door = 'shut';
  const one = owner('a', 'b', undefined, () => false);
  store.watch({ key: bytes('a') }, one);
  await simulation.run(1_900);
  expect(one.end).toBe(undefined);
  await simulation.run(200);
  expect(one.end).toMatchObject({
    reason: 'failed',
    error: {
      code: 'timed_out',
      message: expect.stringMatching(/2000 ms \([ab]:1: Connection dropped\)/) as string,
    },
  });
  await store.close();
});
