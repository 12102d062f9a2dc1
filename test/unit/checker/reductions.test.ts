// Reduced and full searches say the same of random systems, and every counterexample is a run of the full one.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  check,
  replay,
  toTrace,
  type CheckOptions,
  type SystemDefinition,
} from '../../../src/checker/index.ts';
import { propertiesOf, randomSystems, systemOf } from './random-systems.ts';

const MAX_STATES = 1_500;
const all: CheckOptions = { symmetry: false, partialOrder: false, maxStates: MAX_STATES };

function verdictOf(system: SystemDefinition, options: CheckOptions) {
  const { violation, states, complete, depth, generated } = check(system, options);
  const shown = violation !== undefined && violation.kind !== 'sometimes';
  if (shown)
    expect(replay(system, toTrace(violation, 'random'), options)).toMatchObject({ verdict: 'violated' });
  return { kind: violation?.kind, steps: violation?.steps.length, states, complete, depth, generated };
}

/** What was seen of the systems, so that a generator that makes nothing interesting is noticed. */
interface Seen {
  violated: Set<string>;
  smaller: number;
  fewer: number;
}

/** Few states, and no channel that runs over. */
function isSmall(system: SystemDefinition): boolean {
  try {
    return check(system, all).states <= MAX_STATES;
  } catch (error) {
    if (/raise its capacity/.test(String(error))) return false;
    throw error;
  }
}

describe('a reduced search', () => {
  it('agrees with the full one on random systems', () => {
    const seen: Seen = { violated: new Set(), smaller: 0, fewer: 0 };
    fc.assert(
      fc.property(randomSystems, (random) => {
        const system = systemOf(random);
        fc.pre(isSmall(system));
        for (const properties of propertiesOf(random)) {
          const full = verdictOf(system, { ...properties, ...all });
          const ordered = verdictOf(system, { ...properties, ...all, partialOrder: true });
          const alike = verdictOf(system, { ...properties, ...all, symmetry: true });
          const both = verdictOf(system, { ...properties, ...all, symmetry: true, partialOrder: true });
          // Of several violations after equally many steps each search may meet another one first.
          for (const other of [ordered, alike, both])
            expect([other.kind === undefined, other.steps, other.complete]).toEqual([
              full.kind === undefined,
              full.steps,
              full.complete,
            ]);
          if (full.kind !== undefined) seen.violated.add(full.kind);
          if (!full.complete) continue;
          expect([ordered.states, both.states]).toEqual([full.states, alike.states]);
          expect([ordered.depth, alike.depth, both.depth]).toEqual([full.depth, full.depth, full.depth]);
          expect(alike.states).toBeLessThanOrEqual(full.states);
          expect(ordered.generated).toBeLessThanOrEqual(full.generated);
          if (alike.states < full.states) seen.smaller++;
          if (ordered.generated < full.generated) seen.fewer++;
        }
      }),
      { numRuns: 60, seed: 1 },
    );
    expect([...seen.violated].toSorted()).toEqual([
      'always',
      'alwaysPossible',
      'deadlock',
      'sometimes',
      'unexpected',
    ]);
    expect(Math.min(seen.smaller, seen.fewer)).toBeGreaterThan(10);
  }, 60_000);
});
