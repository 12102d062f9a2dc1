// `kill -9` under load: what a store in a file acknowledged is there, and nothing is there by half.
// Invariant: each life of a writer goes on with the file that the one before left behind.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openDatabase } from '../../src/adapters/sqlite-database.ts';
import { integrityProblems } from '../../src/adapters/sqlite-integrity.ts';
import { SqliteKeyspace } from '../../src/adapters/sqlite-keyspace.ts';
import { Prng } from '../../src/testing/index.ts';
import { forkRole } from './processes.ts';
import type { StoreWriterOptions } from './roles/store-writer.ts';

const WRITERS = 8;
const LANES = 4;
const KILLS_PER_LANE = 10;

/** Lives that follow one another in one directory. */
class Lane {
  readonly directory = mkdtempSync(join(tmpdir(), 'holdfast-killed-'));
  readonly faults: string[] = [];
  counts: number[] = Array.from({ length: WRITERS }, () => 0);
  acknowledged = 0;

  constructor() {
    onTestFinished(() => rmSync(this.directory, { recursive: true }));
  }

  /** One life: killed when it has told so often that something was acknowledged. */
  async live(way: StoreWriterOptions['way'], times: number): Promise<void> {
    const { directory, counts } = this;
    const role = forkRole('store-writer.ts', { directory, counts, way, writers: WRITERS });
    const acknowledgements = () => role.told.filter(({ event }) => event === 'acknowledged');
    await role.hears(`${times} acknowledgements`, () => acknowledgements().length >= times);
    await role.kill();
    const newest = [...counts];
    for (const told of acknowledgements())
      for (const [writer, count] of told['counts'] as [number, number][]) newest[writer] = count;
    this.acknowledged += newest.reduce((sum, count, writer) => sum + count - (counts[writer] ?? 0), 0);
    this.#judge(newest);
  }

  #judge(acknowledged: readonly number[]): void {
    const database = openDatabase(this.directory);
    const keyspace = new SqliteKeyspace(database, this.directory);
    const read = (key: string): number | undefined => {
      const entry = keyspace.get(new TextEncoder().encode(key));
      return entry === undefined ? undefined : Number(new TextDecoder().decode(entry.value));
    };
    this.faults.push(...integrityProblems(database));
    this.counts = acknowledged.map((told, writer) => {
      const first = read(`pair/${writer}/a`) ?? 0;
      const second = read(`pair/${writer}/b`) ?? 0;
      if (first < told) this.faults.push(`writer ${writer} was told ${told} and ${first} is there`);
      if (second !== (first % 5 === 0 ? 0 : first)) this.faults.push(`${first} has ${second} for its half`);
      return first;
    });
    keyspace.close();
  }
}

test(`${LANES * KILLS_PER_LANE} times kill -9: nothing acknowledged is lost, nothing is half there, the file is sound`, async () => {
  const lanes = Array.from({ length: LANES }, () => new Lane());
  await Promise.all(
    lanes.map(async (lane, number) => {
      const dice = new Prng(number);
      for (let kill = 0; kill < KILLS_PER_LANE; kill++) await lane.live('right', 1 + (dice.uint32() % 30));
    }),
  );
  expect(lanes.flatMap(({ faults }) => faults)).toEqual([]);
  expect(lanes.reduce((sum, { acknowledged }) => sum + acknowledged, 0)).toBeGreaterThan(1_000);
}, 120_000);

test.each([
  ['early', /was told \d+ and \d+ is there/],
  ['apart', /for its half/],
] as const)('the judge notices a store that acknowledges %s', async (way, fault) => {
  const lane = new Lane();
  for (let kill = 0; kill < 10 && lane.faults.length === 0; kill++) await lane.live(way, 3);
  expect(lane.faults.join('\n')).toMatch(fault);
});
