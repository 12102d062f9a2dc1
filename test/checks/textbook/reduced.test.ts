// The textbook systems with only one order of steps that commute: the same states and counterexamples, fewer steps made.
import { describe, expect, it } from 'vitest';
import { check } from '../../../src/checker/index.ts';
import { systems } from './systems.ts';

describe('one order of steps that commute', () => {
  for (const name of ['two-phase-commit', 'replicated-register', 'broken-replicated-register'] as const) {
    it(`finds the same in ${name} with fewer steps`, () => {
      const { system, properties } = systems[name];
      const all = check(system, properties);
      const one = check(system, { ...properties, partialOrder: true });
      expect({ states: one.states, depth: one.depth }).toEqual({ states: all.states, depth: all.depth });
      expect(one.violation?.steps.length).toBe(all.violation?.steps.length);
      expect(one.generated).toBeLessThan(all.generated);
    });
  }

  it('halves the 32 970 steps of Paxos, and finds its 16 668 states', () => {
    const { system, properties } = systems.paxos;
    const one = check(system, { ...properties, partialOrder: true });
    expect(one).toMatchObject({ complete: true, states: 16_668 });
    expect(one.generated).toBeLessThan(32_970 / 1.9);
  });
});
