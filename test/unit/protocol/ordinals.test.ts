// Sets of ordinals, against a plain set of numbers, and at the limit of their ranges.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limits } from '../../../src/protocol/limits.ts';
import { Ordinals } from '../../../src/protocol/ordinals.ts';

const ordinal = fc.integer({ min: 1, max: 40 });
const command = fc.oneof(
  fc.record({ do: fc.constant('add' as const), from: ordinal, length: fc.integer({ min: 0, max: 12 }) }),
  fc.record({ do: fc.constant('delete' as const), from: ordinal, length: fc.constant(1) }),
);
const all = Array.from({ length: 60 }, (_, at) => at + 1);

describe('A set of ordinals', () => {
  it('holds what was added and not deleted, and so do its runs', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 30 }), (commands) => {
        const ordinals = new Ordinals();
        const plain = new Set<number>();
        for (const { do: what, from, length } of commands) {
          if (what === 'add') {
            ordinals.add(from, from + length - 1);
            for (let at = from; at < from + length; at += 1) plain.add(at);
          } else {
            ordinals.delete(from);
            plain.delete(from);
          }
        }
        for (const set of [ordinals, Ordinals.of(ordinals.runs)]) {
          expect(all.filter((at) => set.has(at))).toEqual(all.filter((at) => plain.has(at)));
          expect(set.size).toBe(plain.size);
        }
        // Ranges that touch are one: no run but the first is of none.
        expect(ordinals.runs.slice(1)).not.toContain(0);
      }),
    );
  });

  it('takes in all of another', () => {
    const ordinals = Ordinals.of([0, 2, 3, 1]);
    ordinals.addAll(Ordinals.of([2, 1, 5, 2]));
    expect(ordinals.runs).toEqual([0, 3, 2, 1, 2, 2]);
  });

  it('is told in maxRosterRanges ranges at most: the smallest gaps are closed, and none of it is left out', () => {
    const ordinals = new Ordinals();
    const most = limits.maxRosterRanges;
    let next = 1;
    for (let at = 0; at < most + 10; at += 1) {
      ordinals.add(next);
      // Ten gaps are of one, the others of two.
      next += at % 1_000 === 0 && at < 10_000 ? 2 : 3;
    }
    const { runs } = ordinals;
    expect(runs.length).toBe(2 * most);
    const told = Ordinals.of(runs);
    expect(told.size).toBe(ordinals.size + 10);
    expect(told.runs).toEqual(runs);
    expect(new TextEncoder().encode(JSON.stringify(runs)).length).toBeLessThan(limits.maxControlBytes);
  });
});
