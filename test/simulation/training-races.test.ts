// Pause, nodes that race to come back, resume: a thousand seeded runs, several to a fleet, as in one long training.
// Invariant: whatever comes back in whatever order, the gate opens, and the next round is committed.
import { expect, test } from 'vitest';
import type { Fleet } from '../../src/training/contract.ts';
import { SYNC, type SyncRequest } from '../../src/training/wire.ts';
import { Dice } from './dice.ts';
import { TrainingWorld, type LifeOptions } from './training.ts';

const FLEETS = 50;
const RACES = 20;
const IDS = ['a', 'b', 'c'];

interface Verdict {
  readonly faults: readonly string[];
  /** Races that cost the quorum. */
  readonly paused: number;
}

async function races(seed: number, count: number, twin: LifeOptions = {}): Promise<Verdict> {
  const world = new TrainingWorld({ seed, latencyMs: 1, jitterMs: 3 });
  const dice = new Dice(seed, 'race');
  const trainMs = (): number => dice.whole(5, 40);
  for (const id of IDS) world.join(id, { trainMs });
  const gate = { minNodes: dice.whole(2, 3), pauseAfterMs: dice.pick([0, 0, 5]) };
  const life = await world.begin({ gate, minNodes: 2, rounds: 1_000_000, stragglerGraceMs: 20, ...twin });
  const { clock } = world.sim;
  const status = () => life.trainer.status();
  /** Links that break and heal, processes that die and come back, the one amid the other. */
  const strike = (id: string): void => {
    if (dice.chance(0.6)) return world.sim.network.reset(({ dialer }) => dialer.startsWith(id));
    world.killNode(id);
    clock.setTimer(() => world.join(id, { trainMs }), dice.whole(0, 30));
  };
  let paused = 0;
  let at = '';
  const faults: string[] = [];
  try {
    for (let race = 1; race <= count; race += 1) {
      at = `seed ${seed}, race ${race}`;
      const { round, pauses } = status();
      for (let strikes = dice.whole(2, 4); strikes > 0; strikes -= 1) {
        const id = dice.pick(IDS);
        clock.setTimer(() => strike(id), dice.whole(1, 6));
      }
      await world.sim.run(15);
      await world.sim.runUntil(() => status().state === 'open' && status().round > round, 5_000);
      if (status().pauses > pauses) paused += 1;
    }
    void life.trainer.stop();
    await world.sim.runUntil(() => life.outcome?.end === 'requested', 5_000);
  } catch {
    faults.push(`it is ${status().state} in round ${status().round}`);
  }
  faults.push(...world.defects);
  if (life.hub.status().unexpectedEvents > 0) faults.push('the hub had unexpected events');
  return { faults: faults.map((fault) => `${at}: ${fault}`), paused };
}

test(`in ${FLEETS * RACES} runs of pause, reconnect race and resume nothing waits for ever`, async () => {
  let paused = 0;
  for (let seed = 1; seed <= FLEETS; seed += 1) {
    const verdict = await races(seed, RACES);
    expect(verdict.faults).toEqual([]);
    paused += verdict.paused;
  }
  // Not all strikes cost the quorum.
  expect(paused).toBeGreaterThan((FLEETS * RACES) / 2);
}, 120_000);

test('nodes that skip the sync when they come back, because they have the model, are found out', async () => {
  const through = (fleet: Fleet): Fleet => ({
    watch: (listener) => fleet.watch(listener),
    call: (node, name, args, options) => {
      const [request] = args as [Partial<SyncRequest>];
      if (name === SYNC && request.weights === undefined) return new Promise(() => {});
      return fleet.call(node, name, args, options);
    },
  });
  let found = 0;
  for (let seed = 1; seed <= 4; seed += 1) found += (await races(seed, 5, { through })).faults.length;
  expect(found).toBeGreaterThan(0);
});
