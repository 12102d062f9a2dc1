// Watches on a real etcd whose links are cut, go silent or come back, and whose members are killed.
// Invariant of all: no change is missed and none told twice, or the watch says that history is gone.
import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import type { Store } from '../../../src/store/contract.ts';
import { caughtUp, watching } from '../../conformance/store/watch-record.ts';
import { faultsOf, validate, type Change } from '../../conformance/store/watch-validator.ts';
import { everything, prefix, put } from '../../conformance/store/under-test.ts';
import { load } from '../../conformance/store/writers.ts';
import { eventually } from '../eventually.ts';
import { client, etcd, proxyTo } from './etcd-chaos.ts';

test('a link that is cut again and again loses no event', async () => {
  const server = await etcd();
  const proxy = await proxyTo(server);
  const writer = client([server.endpoint]);
  const reader = client([proxy.endpoint]);
  const watches = [await watching(reader, everything), await watching(reader, prefix('k3'))];
  const changes: Change[] = [];
  let revision = 1;
  for (let round = 0; round < 8; round++) {
    const writing = load(writer, { seed: 20 + round, commits: 10 });
    proxy.cut();
    const done = await writing;
    changes.push(...done.changes);
    revision = Math.max(revision, done.revision);
    // It must be back before it is cut again, or only the last cut would count.
    await watches[0]?.record.untilSeen(done.revision);
  }
  for (const one of watches) {
    await caughtUp(one, revision);
    expect(await validate(writer, one.record, revision, changes)).toEqual([]);
  }
  expect(proxy.accepted).toBeGreaterThanOrEqual(8);
});

test('a silent link is found out, and nothing that happened meanwhile is missed', async () => {
  const server = await etcd();
  const proxy = await proxyTo(server);
  const writer = client([server.endpoint]);
  const reader = client([proxy.endpoint]);
  const one = await watching(reader, everything);
  const before = await load(writer, { seed: 30, commits: 5 });
  await one.record.untilSeen(before.revision);
  proxy.swallow();
  const during = await load(writer, { seed: 31, commits: 10 });
  // It dials anew, into the same silence.
  const dialled = proxy.accepted;
  await eventually('it gave the link up', () => proxy.accepted > dialled);
  expect(one.record.seen).toBe(before.revision);
  proxy.heal();
  const after = await load(writer, { seed: 32, commits: 5 });
  await caughtUp(one, after.revision);
  const changes = [...before.changes, ...during.changes, ...after.changes];
  expect(await validate(writer, one.record, after.revision, changes)).toEqual([]);
});

test('with another way to the cluster, a silent link is left for it', async () => {
  const server = await etcd();
  const ways = [await proxyTo(server), await proxyTo(server)] as const;
  const writer = client([server.endpoint]);
  const reader = client(ways.map(({ endpoint }) => endpoint));
  const one = await watching(reader, everything);
  let revision = 1;
  const changes: Change[] = [];
  for (let round = 0; round < 3; round++) {
    const used = ways.find(({ open }) => open > 0) ?? ways[0];
    used.swallow();
    const done = await load(writer, { seed: 40 + round, commits: 5 });
    changes.push(...done.changes);
    revision = done.revision;
    await caughtUp(one, revision);
    expect((await reader.range(everything)).revision).toBe(revision);
    used.heal();
  }
  expect(await validate(writer, one.record, revision, changes)).toEqual([]);
});

test('an idle store keeps its link, finds out that it died, and takes another before it is asked', async () => {
  const server = await etcd();
  const ways = [await proxyTo(server), await proxyTo(server)] as const;
  const store = client(ways.map(({ endpoint }) => endpoint));
  await store.put(put('a', '1'));
  const used = ways.find(({ open }) => open > 0) ?? ways[0];
  // Pings of an idle link: more than etcd forgives if it minds them.
  const pings = used.bytesToPeer;
  await eventually('the link was probed', () => used.bytesToPeer > pings + 17 * 6);
  expect(used.accepted).toBe(1);
  used.swallow();
  const other = used === ways[0] ? ways[1] : ways[0];
  await eventually('it gave the link up for the other one', () => other.accepted > 0);
  const { revision } = await store.put(put('a', '2'), { applyTimeoutMs: 2_000 });
  expect(revision).toBe(3);
});

/** What a user of watches does: lists, watches from there, and starts over when history is gone. */
class Mirror {
  readonly held = new Map<string, number>();
  lists = 0;
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async follow(): Promise<void> {
    const { entries, revision } = await this.#store.range(everything);
    this.lists += 1;
    this.held.clear();
    for (const { key: name, modRevision } of entries)
      this.held.set(Buffer.from(name).toString(), modRevision);
    this.#store.watch(
      { ...everything, startRevision: revision + 1 },
      {
        ready: () => undefined,
        progress: () => undefined,
        events: (events) => {
          for (const { type, entry } of events) {
            const name = Buffer.from(entry.key).toString();
            if (type === 'put') this.held.set(name, entry.modRevision);
            else this.held.delete(name);
          }
          return 'more';
        },
        ended: (end) => void (end.reason === 'compacted' && this.follow()),
      },
    );
  }
}

test('history that is compacted during a cut ends the watch with the floor, and a new list follows', async () => {
  const server = await etcd();
  const proxy = await proxyTo(server);
  const writer = client([server.endpoint]);
  const reader = client([proxy.endpoint]);
  const one = await watching(reader, everything);
  const mirror = new Mirror(reader);
  await mirror.follow();
  const first = await load(writer, { seed: 50, commits: 3 });
  await one.record.untilSeen(first.revision);
  proxy.refuse();
  proxy.cut();
  const second = await load(writer, { seed: 51, commits: 5 });
  const floor = second.revision;
  await writer.compact(floor);
  proxy.heal();
  await one.record.untilEnded();
  expect(one.record.end).toEqual({ reason: 'compacted', floor });
  expect(faultsOf(one.record)).toEqual([]);
  const third = await load(writer, { seed: 52, commits: 3 });
  const { entries } = await writer.range({ ...everything, revision: third.revision });
  const held = new Map(entries.map((entry) => [Buffer.from(entry.key).toString(), entry.modRevision]));
  await eventually('the mirror has it all', () => isDeepStrictEqual(mirror.held, held));
  expect(mirror.lists).toBe(2);
});

test('etcd killed under load and started again: what it acknowledged is there, and the watch goes on', async () => {
  const server = await etcd();
  const store = client([server.endpoint]);
  const one = await watching(store, everything);
  const acknowledged = new Map<string, number>();
  const notStarted: string[] = [];
  let isOver: 'yes' | 'no' = 'no';
  const write = async (writer: number): Promise<void> => {
    for (let i = 0; isOver === 'no'; i++) {
      const name = `w${writer}/${i}`;
      await store.put(put(name, '1'), { proposeTimeoutMs: 5_000, applyTimeoutMs: 5_000 }).then(
        ({ revision }) => void acknowledged.set(name, revision),
        (error: { started?: string }) => void (error.started === 'notStarted' && notStarted.push(name)),
      );
    }
  };
  const writers = [0, 1, 2, 3].map(write);
  for (let round = 0; round < 3; round++) {
    const enough = acknowledged.size + 50;
    await eventually('writes go on', () => acknowledged.size >= enough);
    await server.kill();
    await server.restart();
  }
  const enough = acknowledged.size + 50;
  await eventually('writes go on after the last restart', () => acknowledged.size >= enough);
  isOver = 'yes';
  await Promise.all(writers);
  const { entries, revision } = await store.range(everything);
  const held = new Map(entries.map((entry) => [Buffer.from(entry.key).toString(), entry.modRevision]));
  for (const [name, at] of acknowledged) expect(held.get(name), name).toBe(at);
  for (const name of notStarted) expect(held.has(name), name).toBe(false);
  await caughtUp(one, revision);
  expect(await validate(store, one.record, revision)).toEqual([]);
});
