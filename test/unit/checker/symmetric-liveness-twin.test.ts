// A search that judges fairness where alike actors have changed names must be found out by the comparison with the full one.
import { expect, it, vi } from 'vitest';
import { check } from '../../../src/checker/index.ts';
import { someoneIsDone, tokenRing } from './toys.ts';

vi.mock('../../../src/checker/unfolding.ts', async (original) => ({
  ...(await original<object>()),
  turnsInside: () => false,
}));

it('a broken twin that never unfolds takes the two that hand on a token for one that must finish', () => {
  const names = ['a', 'b'];
  const options = someoneIsDone(names);
  expect(check(tokenRing(names, 'finish'), { ...options, symmetry: false }).violation?.kind).toBe(
    'eventually',
  );
  expect(check(tokenRing(names, 'finish'), options).violation).toBeUndefined();
});
