// How exactly the gate's budget runs: simulated minutes of pauses with storms of reconnects, late timers, a wall clock that
// is set by hours, and kills in mid-pause.
import { assign } from 'xstate';
import type { AnyStateMachine } from 'xstate';
import { describe, expect, it } from 'vitest';
import { budgetRecordIntervalMs, type GateContext, gateMachine } from '../../machines/index.ts';
import { twin } from '../checks/twin.ts';
import { run, type Trial } from './gate-budget.ts';

const base = { terminateAfterMs: 300_000, kills: 0, pauses: 0, latenessMs: 4 } as const;

/** What may be wrong: a thousandth of the budget, or one tick of 5 ms if that is more. */
const allowedMs = ({ terminateAfterMs }: Pick<Trial, 'terminateAfterMs'>) =>
  Math.max(5, terminateAfterMs / 1_000);

async function worst(trial: Omit<Trial, 'seed'>, seeds: number): Promise<number> {
  let errorMs = 0;
  for (let seed = 1; seed <= seeds; seed += 1) {
    const verdict = await run({ ...trial, seed });
    expect([verdict.unexpected, verdict.wallClockReads], `seed ${seed}`).toEqual([0, 0]);
    expect(verdict.events, `seed ${seed}`).toBeGreaterThan(1_000);
    errorMs = Math.max(errorMs, verdict.errorMs);
  }
  return errorMs;
}

describe.each(['perPause', 'cumulative'] as const)('a budget of 300 s, %s,', (budget) => {
  it('is exact to a late timer, whatever reconnects', async () => {
    expect(await worst({ ...base, budget }, 3)).toBeLessThanOrEqual(base.latenessMs);
  });

  it('is so after pauses that ended with the quorum', async () => {
    // Each pause begins with a timer of its own, the debounce.
    expect(await worst({ ...base, budget, pauses: 3 }, 3)).toBeLessThanOrEqual(4 * base.latenessMs);
  });

  it.each([1, 2])('is wrong by less than a thousandth after %i kills in mid-pause', async (kills) => {
    expect(await worst({ ...base, budget, kills, pauses: 1 }, 3)).toBeLessThan(allowedMs(base));
  });
});

describe('a budget of 30 s', () => {
  it('is wrong by less than a thousandth after a kill in mid-pause', async () => {
    const trial = { ...base, terminateAfterMs: 30_000, budget: 'perPause', kills: 1 } as const;
    expect(await worst(trial, 10)).toBeLessThan(allowedMs(trial));
  });
});

it('leaves a transition log that its machine could have written, kills and late timers included', async () => {
  const { lines, impossible } = await run({
    ...base,
    budget: 'perPause',
    kills: 1,
    pauses: 1,
    seed: 1,
    log: 'read',
  });
  expect([lines > 1_000, impossible]).toEqual([true, []]);
});

describe('a broken twin', () => {
  const wrong = async (machine: AnyStateMachine, change: Partial<Trial>) =>
    (await run({ ...base, budget: 'perPause', seed: 1, machine, ...change })).errorMs;

  it('that adds its intervals up, instead of measuring them, loses what timers are late', async () => {
    const measure = assign({
      ledger: ({ context: { ledger } }: { context: GateContext }) => ({
        ...ledger,
        consumedMs: ledger.consumedMs + budgetRecordIntervalMs(ledger.times.terminateAfterMs),
      }),
    });
    const machine = gateMachine.provide({ actions: { measure: measure as never } });
    expect(await wrong(machine, { kills: 1 })).toBeGreaterThan(allowedMs(base));
  });

  it('that begins the pause anew when a node joins never comes to its end in time', async () => {
    const machine = twin(gateMachine, ({ states }) => {
      states['paused']!.on['node.joined'] = {
        target: 'paused',
        reenter: true,
        actions: ['admit', 'sendSync'],
      };
    });
    expect(await wrong(machine, {})).toBeGreaterThan(allowedMs(base));
  });

  it('that forgets its budget in a restart waits for all of it again', async () => {
    const machine = twin(gateMachine, ({ states }) => {
      states['starting']!.on['training.started'] = {
        target: 'paused',
        actions: ['settleBudget', 'startBudget'],
      };
    });
    expect(await wrong(machine, { kills: 1 })).toBeGreaterThan(allowedMs(base));
  });
});
