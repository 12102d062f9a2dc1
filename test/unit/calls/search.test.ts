// What a hub says of attempts that it does not know, and when.
// Invariant: driven by hand on a simulated clock; the outboxes lead to lists.
import { expect, it } from 'vitest';
import { createAsking } from '../../../src/calls/roster.ts';
import { Router } from '../../../src/calls/router.ts';
import { Fate, FrameType } from '../../../src/protocol/frames.ts';
import { Outbox } from '../../../src/protocol/outbox.ts';
import { maxEntries, writeFates } from '../../../src/protocol/lists.ts';
import { readFrames } from '../../../src/protocol/read.ts';
import { createSimulation } from '../../../src/testing/index.ts';

const FAILOVER_MS = 1_000;
const GRACE_MS = 60_000;

/** A hub without a past, one node, and a client that asks about attempt 3, or about these. */
async function make(attempts: readonly number[] = [3]) {
  const simulation = createSimulation({ seed: 1 });
  const router = new Router({
    clock: simulation.clock,
    balance: 'leastLoaded',
    random: () => 0,
    maxQueueSize: 10,
    failoverAfterMs: FAILOVER_MS,
    noNodeAfterMs: GRACE_MS,
    hub: 'h1',
    sessionGraceMs: GRACE_MS,
  });
  const fates: number[] = [];
  /** Attempts of each QUERY. */
  const queries: number[] = [];
  const send = (bytes: Uint8Array): 'taken' => {
    readFrames(bytes, {
      frame: (type, _flags, _peer, _id, all, start, end) => {
        if (type === FrameType.FATE) fates.push(all[start + 4] ?? -1);
        if (type === FrameType.QUERY) queries.push((end - start) / 12);
      },
    });
    return 'taken';
  };
  const outbox = (endOfTurn: (fn: () => void) => void): Outbox =>
    new Outbox({ send, bufferedBytes: 0, endOfTurn }, { onOverflow: () => undefined });
  const facts = { number: 9, id: 'n9', instance: 'ni9', labels: {}, maxConcurrent: 1 };
  const node = router.addNode({ ...facts, functions: new Map([['f', 0]]) }, { totalTasksExecuted: 0 });
  router.nodeOnline(node, outbox(router.turn.afterClients), 'new');
  const asking = createAsking({
    number: 1,
    id: 'c1',
    instance: 'ci1',
    bufferedBytes: () => 0,
    past: 'elsewhere',
  });
  router.addClient(asking);
  router.clientAttached(asking, outbox(router.turn.afterInput));
  const resume = new TextEncoder().encode(JSON.stringify({ nodes: [], unassigned: attempts }));
  router.clientFrame(asking, FrameType.RESUME, 0, 0, 0, resume, 0, resume.length);
  await simulation.run(10);
  const answer = (fate: number, of: readonly number[] = [3]): void => {
    const bytes = writeFates(of.map((attempt) => [attempt, fate as Fate]));
    router.nodeFrame(node, FrameType.FATE, 0, 1, 0, bytes, 0, bytes.length);
  };
  return { simulation, router, node, fates, queries, answer };
}

it('An attempt is unstarted when the time for nodes to come is over and all have said so', async () => {
  const { simulation, router, fates, answer } = await make();
  answer(Fate.UNSTARTED);
  await simulation.run(FAILOVER_MS / 2);
  expect(fates).toEqual([Fate.WAITING]);
  await simulation.run(FAILOVER_MS);
  expect(fates).toEqual([Fate.WAITING, Fate.UNSTARTED]);
  router.stop();
});

it('A node that is slow to answer is waited for', async () => {
  const { simulation, router, fates, answer } = await make();
  await simulation.run(5 * FAILOVER_MS);
  expect(fates).toEqual([Fate.WAITING]);
  answer(Fate.RUNNING);
  await simulation.run(10);
  expect(fates).toEqual([Fate.WAITING, Fate.RUNNING]);
  router.stop();
});

it('Where a node is gone without an answer, nobody can say whether it had started', async () => {
  const { simulation, router, node, fates } = await make();
  router.nodeAway(node);
  await simulation.run(5 * FAILOVER_MS);
  expect(fates).toEqual([Fate.WAITING]);
  router.removeNode(node);
  await simulation.run(10);
  expect(fates).toEqual([Fate.WAITING, Fate.VANISHED]);
  router.stop();
});

it('A node that never answers is waited for no longer than a session', async () => {
  const { simulation, router, fates } = await make();
  await simulation.run(GRACE_MS + FAILOVER_MS + 10);
  expect(fates).toEqual([Fate.WAITING, Fate.VANISHED]);
  router.stop();
});

it('A hub that drains gives up neither what it seeks nor who is away: the next hub may find them', async () => {
  const { simulation, router, node, fates } = await make();
  router.stopAccepting();
  router.removeNode(node);
  await simulation.run(2 * (GRACE_MS + FAILOVER_MS));
  expect(fates).toEqual([Fate.WAITING]);
  router.stop();
});

it('As many as a client may have are asked about in one go, in as few frames as they fit into', async () => {
  const attempts = Array.from({ length: 2 * maxEntries.queries + 1 }, (_, at) => at + 1);
  const { simulation, router, fates, queries, answer } = await make(attempts);
  expect(queries).toEqual([maxEntries.queries, maxEntries.queries, 1]);
  const [some, others] = [attempts.slice(0, maxEntries.queries), attempts.slice(maxEntries.queries)];
  answer(Fate.UNSTARTED, some);
  answer(Fate.RUNNING, others.slice(0, maxEntries.queries));
  await simulation.run(2 * FAILOVER_MS);
  // The answer to the third question is owed.
  expect(fates).not.toContain(Fate.UNSTARTED);
  answer(Fate.UNSTARTED, others.slice(maxEntries.queries));
  await simulation.run(10);
  expect(fates.filter((fate) => fate === Fate.UNSTARTED)).toHaveLength(some.length + 1);
  expect(fates).not.toContain(Fate.VANISHED);
  router.stop();
});
