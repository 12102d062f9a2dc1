// Watches that begin while others write: a thousand seeded runs on a simulated clock.
// Invariant: a failing run names its seed, and the seed replays it.
import { describe, expect, test } from 'vitest';
import type { Revision, WatchEvent, WatchHandle, WatchSink } from '../../src/store/contract.ts';
import type { BatchOutcome } from '../../src/store/backend.ts';
import type { Change } from '../../src/store/keyspace.ts';
import { Prng } from '../../src/testing/index.ts';
import { bytes, text } from '../unit/store/naive-store.ts';
import { reopen, SlowBackend } from '../unit/store/store-under-simulation.ts';
import { createSimulation, type Simulation } from '../../src/testing/index.ts';

const RUNS = 1_000;

/** A watch whose consumer is now and then too slow, and what it was told. */
class Consumer implements WatchSink {
  readonly prefix: string;
  readonly start: Revision | undefined;
  readonly told: string[] = [];
  readonly dice: Prng;
  readonly faults: string[] = [];
  handle: WatchHandle | undefined;
  from: Revision | undefined;
  bookmark = 0;
  readonly #simulation: Simulation;

  constructor(simulation: Simulation, dice: Prng, prefix: string, start: Revision | undefined) {
    this.#simulation = simulation;
    this.dice = dice;
    this.prefix = prefix;
    this.start = start;
  }

  ready(revision: Revision): void {
    if (this.from !== undefined) this.faults.push('ready twice');
    this.from = this.start ?? revision + 1;
  }

  events(events: readonly WatchEvent[], revision: Revision): 'more' | 'wait' {
    if (this.from === undefined) this.faults.push('events before ready');
    if (revision <= this.bookmark) this.faults.push(`${revision} after a bookmark of ${this.bookmark}`);
    for (const { type, entry } of events) this.told.push(line(type, entry.key, entry.modRevision));
    if (this.dice.uint32() % 4 > 0) return 'more';
    this.#simulation.clock.setTimer(() => this.handle?.resume(), this.dice.uint32() % 40);
    return 'wait';
  }

  progress(revision: Revision): void {
    this.bookmark = revision;
  }

  ended(): void {}
}

const line = (type: string, key: Uint8Array, revision: Revision): string =>
  `${type} ${text(key)} ${revision}`;

/** Writes down what is committed, and may lose or repeat changes on their way to the store. */
class RecordedBackend extends SlowBackend {
  readonly committed: Change[] = [];
  spoil: (changes: readonly Change[]) => readonly Change[] = (changes) => changes;

  override async run(commands: Parameters<SlowBackend['run']>[0]): Promise<BatchOutcome> {
    const { changes, outcomes } = await super.run(commands);
    this.committed.push(...changes);
    return { changes: this.spoil(changes), outcomes };
  }
}

/** One run: what is wrong with what the consumers were told, in words. */
async function faultsOf(seed: number, spoil?: RecordedBackend['spoil']): Promise<string[]> {
  const simulation = createSimulation({ seed });
  const dice = new Prng(seed, 'script');
  const below = (limit: number): number => dice.uint32() % limit;
  const backend = new RecordedBackend(simulation, { longestMs: 1 + below(20), maxBatches: 1 + below(3) });
  const store = await reopen(simulation, backend);
  if (spoil !== undefined) backend.spoil = spoil;
  const consumers: Consumer[] = [];
  const begin = (): void => {
    const prefix = ['', 'a', 'b'][below(3)] ?? '';
    const start = below(3) === 0 ? 1 + below(backend.keyspace.revision + 5) : undefined;
    const consumer = new Consumer(simulation, new Prng(seed, `consumer ${consumers.length}`), prefix, start);
    const end = prefix === '' ? '' : String.fromCharCode(prefix.charCodeAt(0) + 1);
    consumer.handle = store.watch({ key: bytes(prefix), end: bytes(end), startRevision: start }, consumer);
    consumers.push(consumer);
  };
  for (let step = 0; step < 24; step++) {
    const kind = below(10);
    const key = bytes(`${'ab'[below(2)]}${below(3)}`);
    // A watch and a put in one turn, in either order, are the race in question.
    if (kind < 3) begin();
    if (kind < 8) void store.put({ key });
    else
      void store.txn({
        success: [
          { type: 'put', key: bytes('a') },
          { type: 'delete', key: bytes('b'), end: bytes('c') },
        ],
      });
    if (kind === 3) begin();
    if (kind === 9) consumers[below(consumers.length + 1)]?.handle?.requestProgress();
    if (below(2) === 0) await simulation.run(below(15));
  }
  await simulation.run(5_000);
  const faults = consumers.flatMap((consumer, n) =>
    judge(consumer, backend.committed).map(
      (fault) => `seed ${seed}, watch ${n} of ${consumer.prefix}: ${fault}`,
    ),
  );
  await store.close();
  return faults;
}

/** Every change from where it was ready on, in order, once. */
function judge({ prefix, from, told, faults }: Consumer, committed: readonly Change[]): string[] {
  const wanted = committed
    .filter(
      ({ entry }) => from !== undefined && entry.modRevision >= from && text(entry.key).startsWith(prefix),
    )
    .map(({ type, entry }) => line(type, entry.key, entry.modRevision));
  if (from === undefined) return ['never ready'];
  return told.join() === wanted.join()
    ? faults
    : [...faults, `told ${told.join()}; committed ${wanted.join()}`];
}

describe('watches and writes in one turn', () => {
  test(`in ${RUNS} runs no change is lost and none is told twice`, async () => {
    for (let seed = 1; seed <= RUNS; seed++) expect(await faultsOf(seed)).toEqual([]);
  }, 120_000);

  test('a feed that loses a change, or tells one twice, is found out', async () => {
    const spoils: RecordedBackend['spoil'][] = [
      (changes) => changes.filter(({ entry }) => entry.modRevision % 7 !== 0),
      (changes) => [...changes, ...changes.slice(-1)],
    ];
    for (const spoil of spoils) {
      let found = 0;
      for (let seed = 1; seed <= 20; seed++) found += (await faultsOf(seed, spoil)).length;
      expect(found).toBeGreaterThan(0);
    }
  });
});
