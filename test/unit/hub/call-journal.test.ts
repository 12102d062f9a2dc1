// Records of durable calls in a store on a network, whose writes overtake each other: the newest stays, and nothing outlives its call.
// Invariant of all: a failing run names its seed.
import { describe, expect, test } from 'vitest';
import type { KeptCall } from '../../../src/calls/durables.ts';
import { StoredCalls } from '../../../src/hub/call-journal.ts';
import { Journal } from '../../../src/hub/journal.ts';
import { openMemoryStore } from '../../../src/store/memory-store.ts';
import type { Store, TxnRequest } from '../../../src/store/contract.ts';
import { createSimulation, Prng, type Simulation } from '../../../src/testing/index.ts';

const RUNS = 300;
const fenceKey = new TextEncoder().encode('/holdfast/hubs/hub');

/** Every write, and every answer, is under way for a while of its own. */
function onANetwork(store: Store, { clock }: Simulation, dice: Prng): Store {
  const pause = (): Promise<void> =>
    new Promise((resolve) => void clock.setTimer(resolve, dice.uint32() % 50));
  const offered = {
    range: store.range.bind(store),
    async txn(request: TxnRequest) {
      await pause();
      const answer = await store.txn(request);
      await pause();
      return answer;
    },
  };
  return offered as Partial<Store> as Store;
}

const call = (attempt: number, node: string | undefined): KeptCall => ({
  client: { id: 'c', instance: 'c1' },
  attempt,
  function: 'f',
  target: undefined,
  flags: 0,
  deadlineMs: 1_000,
  frames: [],
  node: node === undefined ? undefined : { id: node, instance: node },
});

/**
 * Calls that are kept without a node, then with one or with several, one after the other, and some of which end. What is
 * wrong in the end, in words. `journalOf` says who writes, for each write.
 */
async function faultsOf(seed: number, journalOf: (make: () => StoredCalls) => () => StoredCalls) {
  const simulation = createSimulation({ seed });
  const dice = new Prng(seed, 'script');
  const { clock, random, log } = simulation;
  const memory = await simulation.settle(openMemoryStore({ clock, random, log }), 1_000);
  const store = onANetwork(memory, simulation, new Prng(seed, 'network'));
  const { revision } = await simulation.settle(memory.put({ key: fenceKey }), 1_000);
  const fence = { key: fenceKey, revision };
  const journal = new Journal({ store, clock, log, fence, superseded: () => undefined });
  const calls = journalOf(() => new StoredCalls({ store, log, hubId: 'hub', fence, journal }));
  const wanted = new Map<number, string | undefined>();
  const faults: string[] = [];
  for (let attempt = 1; attempt <= 8; attempt += 1) {
    const nodes = [undefined, ...Array.from({ length: dice.uint32() % 4 }, (_, at) => `n${at}`)];
    for (const node of nodes) {
      void calls().keep(call(attempt, node));
      if (dice.uint32() % 3 === 0) await simulation.run(dice.uint32() % 30);
    }
    if (dice.uint32() % 2 === 0) calls().forget('c1', attempt);
    else wanted.set(attempt, nodes.at(-1));
  }
  await simulation.run(5_000);
  const kept = new Map(
    (await simulation.settle(calls().read(), 1_000)).map((it) => [it.attempt, it.node?.id]),
  );
  for (let attempt = 1; attempt <= 8; attempt += 1) {
    const [is, due] = [kept, wanted].map((map) =>
      map.has(attempt) ? (map.get(attempt) ?? 'no node') : 'gone',
    );
    if (is !== due) faults.push(`seed ${seed}: attempt ${attempt} is ${is}, and should be ${due}`);
  }
  await memory.close();
  return faults;
}

describe('records of durable calls', () => {
  test(`in ${RUNS} runs the last word on a call is what the store keeps`, async () => {
    const one = (make: () => StoredCalls) => {
      const calls = make();
      return () => calls;
    };
    for (let seed = 1; seed <= RUNS; seed += 1) expect(await faultsOf(seed, one)).toEqual([]);
  });

  test('a twin whose writes do not wait for each other keeps an older word, or keeps it for ever', async () => {
    const faults: string[] = [];
    for (let seed = 1; seed <= 20; seed += 1) faults.push(...(await faultsOf(seed, (make) => make)));
    expect(
      faults.some((fault) => /is n\d, and should be (n\d|no node)|is no node, and should be n/.test(fault)),
    ).toBe(true);
    expect(faults.some((fault) => fault.endsWith('should be gone'))).toBe(true);
  });
});
