// Liveness with alike actors: fairness knows who is who, though states that differ in that alone are one.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  check,
  replay,
  toTrace,
  type CheckOptions,
  type SystemDefinition,
} from '../../../src/checker/index.ts';
import { livenessOf, randomSystems, systemOf } from './random-systems.ts';
import { someoneIsDone, tokenRing } from './toys.ts';

function verdictOf(system: SystemDefinition, options: CheckOptions) {
  const { violation, states, complete } = check(system, options);
  if (violation !== undefined)
    expect(replay(system, toTrace(violation, 'alike'), options), violation.text).toMatchObject({
      verdict: 'violated',
    });
  return { kind: violation?.kind, property: violation?.property, states, complete, violation };
}

describe('alike actors under a liveness property', () => {
  it('may hand a token to each other for ever, so that nobody must finish: seen in one state of two', () => {
    const names = ['a', 'b'];
    const full = verdictOf(tokenRing(names, 'finish'), { ...someoneIsDone(names), symmetry: false });
    const { violation, kind } = verdictOf(tokenRing(names, 'finish'), someoneIsDone(names));
    expect([kind, full.kind]).toEqual(['eventually', 'eventually']);
    expect(violation?.steps.map(({ label }) => label)).toEqual([
      'hand gets pass { from: a, to: b }',
      'hand gets pass { from: b, to: a }',
    ]);
    expect(violation?.cycle).toBe(1);
  });

  it('leave fewer states, with the same verdict', () => {
    const names = ['a', 'b', 'c', 'd'];
    for (const others of ['finish', 'nothing'] as const) {
      const options = { alwaysEventually: { 'a hand is empty': () => false } };
      const full = verdictOf(tokenRing(names, others), { ...options, symmetry: false });
      const reduced = verdictOf(tokenRing(names, others), options);
      expect(reduced.kind).toBe(full.kind);
    }
    const holds: CheckOptions = { eventually: { 'there are four': () => true } };
    expect(verdictOf(tokenRing(names, 'nothing'), { ...holds, symmetry: false })).toMatchObject({
      states: 4,
    });
    expect(verdictOf(tokenRing(names, 'nothing'), holds)).toMatchObject({ states: 1, complete: true });
  });

  it('may not be told apart by it', () => {
    const eventually = {
      'a holds': (view: { model: (name: string) => unknown }) => view.model('a') === 'holds',
    };
    expect(() => check(tokenRing(['a', 'b'], 'nothing'), { eventually })).toThrow(
      /the property 'a holds' tells a from b.*switch the reduction off with `symmetry: false`/,
    );
    const leadsTo = { 'a holds': { from: () => true, to: eventually['a holds'] } };
    expect(() => check(tokenRing(['a', 'b'], 'nothing'), { leadsTo })).toThrow(
      "the property 'a holds' tells a from b",
    );
    expect(check(tokenRing(['a', 'b'], 'nothing'), { eventually, symmetry: false }).complete).toBe(true);
  });

  it('are looked at one by one where there are too many to say what stands for them all', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const options = { eventually: { 'there are six': () => true } };
    expect(check(tokenRing(names, 'nothing'), options)).toMatchObject({ states: 6, complete: true });
  });
});

describe('a reduced search for unfair runs', () => {
  it('agrees with the full one on random systems', () => {
    const seen = { violated: new Set<string>(), held: 0, smaller: 0 };
    const limits = { maxStates: 1_500 };
    fc.assert(
      fc.property(randomSystems, (random) => {
        const system = systemOf(random);
        let full: ReturnType<typeof verdictOf>;
        try {
          if (!check(system, { ...limits, symmetry: false }).complete) return;
        } catch (error) {
          expect(String(error)).toMatch(/raise its capacity/);
          return;
        }
        for (const properties of livenessOf(random)) {
          full = verdictOf(system, { ...limits, ...properties, symmetry: false });
          const reduced = verdictOf(system, { ...limits, ...properties });
          expect([reduced.kind, reduced.complete]).toEqual([full.kind, full.complete]);
          if (full.kind === undefined) seen.held++;
          else seen.violated.add(full.kind);
          if (reduced.states < full.states) seen.smaller++;
        }
      }),
      { numRuns: 80, seed: 1 },
    );
    expect([...seen.violated].toSorted()).toEqual(['alwaysEventually', 'eventually', 'leadsTo']);
    expect(Math.min(seen.held, seen.smaller)).toBeGreaterThan(20);
  }, 60_000);
});
