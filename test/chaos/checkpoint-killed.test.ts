// `kill -9` while a checkpoint is saved: what was saved is there, whole, bit for bit, with the optimizer's moments.
// Invariant: each life goes on from what the one before left behind.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { noLog, openStore } from '../../src/index.ts';
import { checkpointAt, checkpointsOf, facts, pieces } from '../conformance/training/made.ts';
import { forkRole } from './processes.ts';
import type { CheckpointSaverOptions } from './roles/checkpoint-saver.ts';

const BYTES = 3_000_000;
/** Of such a model and its moments; the pointer is the write after them. */
const PIECES = 6;

interface Found {
  /** The round that is loaded, or what is wrong with it. */
  readonly round: number | string;
  readonly pieces: number;
}

/** Lives that follow one another in one directory. */
class Lives {
  readonly #url: string;

  constructor() {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-checkpoint-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    this.#url = `file:${directory}`;
  }

  /** Saves twice, and is killed in the middle of the second time. */
  async live(way: CheckpointSaverOptions['way'], fatalWrite: number): Promise<Found> {
    const options: CheckpointSaverOptions = { url: this.#url, bytes: BYTES, way, fatalWrite };
    expect(await forkRole('checkpoint-saver.ts', options).exited).toMatchObject({
      signal: 'SIGKILL',
      output: '',
    });
    const store = await openStore(this.#url, { log: noLog() });
    try {
      const found = await checkpointsOf(store).load();
      expect(facts(found)).toEqual(facts(await checkpointAt(found?.round ?? 0, BYTES)));
      return { round: found?.round ?? 0, pieces: (await pieces(store)).length };
    } catch (error) {
      return { round: String(error), pieces: 0 };
    } finally {
      await store.close();
    }
  }
}

test('kill -9 at any write of a save: the save before it is there, or it is itself, and nothing by half', async () => {
  const lives = new Lives();
  let before = 0;
  for (const fatalWrite of [1, 3, 5, PIECES, PIECES + 1]) {
    const { round, pieces: left } = await lives.live('right', fatalWrite);
    // The pointer may have been written when the kill came; no earlier write makes the round.
    const saved = fatalWrite > PIECES ? [before + 1, before + 2] : [before + 1];
    expect(saved).toContain(round);
    // Four writes are under way at a time: by the fifth one was made, and lies beside those that hold.
    if (fatalWrite >= 5 && round === before + 1) expect(left).toBeGreaterThan(PIECES);
    before = Number(round);
  }
}, 60_000);

test('a pointer that is written before its pieces is noticed', async () => {
  const { round } = await new Lives().live('pointerFirst', 3);
  expect(round).toMatch(/is damaged: its round 2: piece \d of 6/);
});
