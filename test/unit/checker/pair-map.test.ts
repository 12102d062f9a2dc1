// The two tables that memoise steps: a map from pairs of numbers, and lists of ops by number.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OpLists } from '../../../src/checker/op-lists.ts';
import { PairMap } from '../../../src/checker/pair-map.ts';

const small = fc.integer({ min: 0, max: 300 });

describe('a map from pairs', () => {
  it('finds what was put under each pair, and nothing under others', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(small, small), { maxLength: 2_000 }), (pairs) => {
        const map = new PairMap();
        const known = new Map<string, number>();
        pairs.forEach(([a, b], i) => {
          if (known.has(`${a},${b}`)) return;
          expect(map.find(a, b)).toBe(-1);
          known.set(`${a},${b}`, i);
          map.set(a, b, i, i * 2);
        });
        for (const [pair, i] of known) {
          const [a, b] = pair.split(',').map(Number) as [number, number];
          const at = map.find(a, b);
          expect([map.slots[at], map.slots[at + 1]]).toEqual([i, i * 2]);
        }
        expect(map.find(301, 0)).toBe(-1);
      }),
      { numRuns: 30 },
    );
  });
});

describe('lists of ops', () => {
  it('have one number for equal lists, under which their ops lie in order', () => {
    const lists = new OpLists();
    const op = fc.record({ part: small, input: small });
    fc.assert(
      fc.property(fc.array(op, { maxLength: 40 }), (ops) => {
        const list = lists.of(ops);
        expect(lists.of(ops.map((one) => ({ ...one })))).toBe(list);
        const flat = ops.flatMap(({ part, input }) => [part, input]);
        expect([...lists.data.subarray(list, list + 1 + 2 * ops.length)]).toEqual([ops.length, ...flat]);
      }),
    );
    expect(lists.of([])).toBe(0);
  });
});
