// A search that takes all steps for independent ones must be found out by the comparison with the full search.
import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { check } from '../../../src/checker/index.ts';
import { randomSystems, systemOf } from './random-systems.ts';

vi.mock('../../../src/checker/footprint.ts', async (original) => ({
  ...(await original<object>()),
  commute: () => true,
}));

it('a broken twin that lets all steps commute misses states of random systems', () => {
  const samples = fc.sample(randomSystems, { numRuns: 30, seed: 1 });
  const missed = samples.filter((random) => {
    const system = systemOf({ ...random, bag: 'lossy' });
    const options = { symmetry: false, maxStates: 500 };
    const full = check(system, options);
    return full.complete && check(system, { ...options, partialOrder: true }).states < full.states;
  });
  expect(missed.length).toBeGreaterThan(3);
});
