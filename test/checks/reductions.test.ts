// Our systems of alike actors and the textbook's, with symmetry and partial order: how many states are left, and that
// broken twins are found as without. The full counts are those of the full searches' own tests.
import { describe, expect, it } from 'vitest';
import { check, inNameOrder, replay, toTrace, type CheckOptions } from '../../src/checker/index.ts';
import { allOnline, joining, joinProperties } from './joins.ts';
import { joins } from './systems.ts';
import {
  consistent,
  fickleResourceManager,
  hastyTransactionManager,
  managers,
  twoPhaseCommit,
} from './textbook/two-phase-commit.ts';

const THREE = ['a', 'b', 'c'];
const commit = (count: number, twin: Parameters<typeof twoPhaseCommit>[1] = {}) => ({
  ...twoPhaseCommit(count, twin),
  symmetry: { groups: [managers(count)], arrange: inNameOrder() },
});

describe('alike actors', () => {
  it('leave 18 118 of 99 193 states of three nodes that join: nobody is lost, all are online in the end', () => {
    const system = {
      ...joining(THREE, joins),
      symmetry: { groups: [THREE], arrange: inNameOrder('instance') },
    };
    const options: CheckOptions = {
      always: joinProperties(THREE),
      alwaysPossible: { 'all can come online': allOnline(THREE) },
      eventually: { 'all are online in the end': allOnline(THREE) },
      noDeadlock: (view) => !allOnline(THREE)(view),
    };
    const { states, complete, violation } = check(system, options);
    expect(violation?.text ?? { states, complete }).toEqual({ states: 18_118, complete: true });
  });

  it('leave 314 of 8 832 states of two-phase commit with five resource managers', () => {
    const always = { consistent: consistent(5) };
    expect(check(commit(5), { always })).toMatchObject({ states: 314, complete: true });
    expect(check(commit(5), { always, symmetry: false, partialOrder: true })).toMatchObject({
      states: 8_832,
      complete: true,
    });
  });
});

describe('a broken twin', () => {
  it.each([
    ['fickle', { rm: fickleResourceManager }],
    ['hasty', { tm: hastyTransactionManager }],
  ])('that is %s is found by every search, after as many steps', (_, twin) => {
    const always = { consistent: consistent(3) };
    const lengths = [false, true].flatMap((symmetry) =>
      [false, true].map((partialOrder) => {
        const { violation } = check(commit(3, twin), { always, symmetry, partialOrder });
        expect(violation?.kind).toBe('always');
        const again = replay(twoPhaseCommit(3, twin), toTrace(violation!, 'two-phase commit'), { always });
        expect(again.verdict).toBe('violated');
        return violation?.steps.length;
      }),
    );
    expect(new Set(lengths).size).toBe(1);
  });
});
