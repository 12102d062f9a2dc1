// A trainer with FedAdam in a process of its own that is killed by SIGKILL at one point after the other of its rounds.
// Invariant: weights and moments in its store are those of the run that nobody killed, bit for bit.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createNode, noLog, trainable } from '../../src/index.ts';
import { forkRole, quickLink, type Role } from './processes.ts';
import type { TrainerRoleOptions } from './roles/trainer.ts';
import type { Told } from './roles/role.ts';

const ROUNDS = 24;
const KILLS = 20;
const IDS = ['a', 'b', 'c'];
const quick = { ...quickLink, reconnectIntervalMs: 10, reconnectMaxMs: 40, drainTimeoutMs: 10 };

/** Nodes that stay while their hub comes and goes. What they answer depends on their id, the round and the weights alone. */
function joinNodes(hub: string): void {
  for (const [number, id] of IDS.entries()) {
    const functions = trainable({
      train: ({ round, weights }) => ({
        weights: weights.map(({ shape, data }) => ({
          shape,
          data: data.map(
            (value, at) => value * 0.9 + Math.fround(Math.sin(round * 3 + number)) * (at + 1) * 0.1,
          ),
        })),
        samples: number + 1,
      }),
    });
    const node = createNode({ ...quick, hub, id, functions, log: noLog() });
    onTestFinished(() => node.stop());
  }
}

class Lane {
  readonly killed: string[] = [];
  #options: TrainerRoleOptions;

  constructor(moments: TrainerRoleOptions['moments']) {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-training-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    this.#options = { directory, port: 0, rounds: ROUNDS, gate: { minNodes: 3 }, killAt: 0, moments };
  }

  /** Lives until its point. Answers how it ended, if it came so far. */
  async live(killAt: number): Promise<Told | undefined> {
    const role: Role = forkRole('trainer.ts', { ...this.#options, killAt });
    const listens = await role.hears('it listens', ({ event }) => event === 'listens');
    if (this.#options.port === 0) {
      this.#options = { ...this.#options, port: Number(listens['port']) };
      joinNodes(String(listens['url']));
    }
    const end = role.hears('its end', ({ event }) => event === 'ended', 60_000);
    end.catch(() => undefined);
    const ended = await Promise.race([end, role.exited]);
    if ('event' in ended) {
      await role.kill();
      return ended;
    }
    expect(ended).toMatchObject({ signal: 'SIGKILL', output: '' });
    // What it told last was written before it died.
    this.killed.push(String(role.told.find(({ event }) => event === 'killed')?.['point']));
    return undefined;
  }

  async finish(): Promise<Told> {
    const ended = await this.live(0);
    if (ended === undefined) throw new Error('it was killed though nobody wanted it');
    return ended;
  }
}

const result = ({ model, state, history }: Told) => ({ model, state, history });

test(`killed at ${KILLS} points of its rounds, it ends with the bits of the run that was not`, async () => {
  const undisturbed = new Lane('checkpoint');
  const lanes = [new Lane('checkpoint'), new Lane('checkpoint')];
  const [expected, ...disturbed] = await Promise.all([
    undisturbed.finish(),
    ...lanes.map(async (lane, number) => {
      // Of two lanes one takes the odd points, and the other the even ones.
      for (let killAt = 1 + number; killAt <= KILLS; killAt += lanes.length) await lane.live(killAt);
      return lane.finish();
    }),
  ]);
  expect((expected as Told)['history']).toEqual(Array.from({ length: ROUNDS }, () => 'a b c'));
  for (const ended of disturbed) expect(result(ended)).toEqual(result(expected as Told));
  const killed = lanes.flatMap((lane) => lane.killed);
  expect(killed.length).toBe(KILLS);
  // Of most kinds; the simulation has them all.
  expect(new Set(killed).size).toBeGreaterThanOrEqual(6);
}, 120_000);

test('moments that are kept in the process are found out', async () => {
  const [calm, struck] = [new Lane('itself'), new Lane('itself')];
  const strike = async (): Promise<Told> => {
    await struck.live(20);
    return struck.finish();
  };
  const [expected, ended] = await Promise.all([calm.finish(), strike()]);
  expect(ended['model']).not.toBe(expected['model']);
});
