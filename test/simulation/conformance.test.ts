// Every transition of the simulated fleet, under faults by seed, is one that its machine allows.
import { describe, expect, it } from 'vitest';
import type { AnyStateMachine } from 'xstate';
import { callMachine, connectionMachine, executionMachine, sessionMachine } from '../../machines/index.ts';
import { transitionLine, type TransitionRecord } from '../../src/engine/transition-record.ts';
import { LogCheck } from '../../src/testing/index.ts';
import { runScenario } from './run.ts';
import { drawScenario } from './scenario.ts';

const machines: AnyStateMachine[] = [callMachine, connectionMachine, executionMachine, sessionMachine];

async function simulated(seed: number, reference: readonly AnyStateMachine[]) {
  const check = new LogCheck({ machines: reference });
  const types = new Set<string>();
  const transitions = (record: TransitionRecord): void => {
    types.add(record.event.type);
    check.take(transitionLine(record).trimEnd());
  };
  const { violation } = await runScenario(drawScenario(seed), 'none', transitions);
  expect(violation).toBeUndefined();
  return { found: check.end(), types };
}

describe('the transition log of a simulated fleet', () => {
  it.each([1, 2, 3, 4, 5])('conforms: seed %i', async (seed) => {
    const { found, types } = await simulated(seed, machines);
    expect(found).toMatchObject({ impossible: [], gaps: [], unreadable: [], cut: [], begunBefore: 0 });
    expect(found.checked).toBe(found.lines);
    expect(found.checked).toBeGreaterThan(100);
    expect([...types].some((type) => type.startsWith('xstate.after.'))).toBe(true);
  });

  it('does not conform to a machine that differs in one guard', async () => {
    const eager = sessionMachine.provide({ guards: { currentSocket: () => true } });
    const stubborn = connectionMachine.provide({ guards: { currentRegistration: () => false } });
    const { found } = await simulated(1, [callMachine, executionMachine, stubborn, eager]);
    expect(found.impossible.length).toBeGreaterThan(0);
    expect(found.impossible.every(({ machine }) => machine === 'connection' || machine === 'session')).toBe(
      true,
    );
  });
});
