// The set of states: exact, in order of discovery, whatever the numbers in the tuples.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Layout } from '../../../src/checker/layout.ts';
import { StateSet } from '../../../src/checker/states.ts';

const numberUpTo = (bits: number) => fc.integer({ min: 0, max: 2 ** bits - 1 });

describe('the set of states', () => {
  it('knows each tuple by the number that it got first, however columns widen in between', () => {
    const column = fc.integer({ min: 1, max: 31 }).chain(numberUpTo);
    const tuples = fc
      .integer({ min: 1, max: 9 })
      .chain((width) => fc.array(fc.array(column, { minLength: width, maxLength: width }), { minLength: 1 }));
    fc.assert(
      fc.property(tuples, (list) => {
        const width = list[0]!.length;
        const set = new StateSet(width);
        const known = new Map<string, number>();
        for (const tuple of list) {
          const expected = known.get(tuple.join()) ?? known.size;
          known.set(tuple.join(), expected);
          expect(set.add(Int32Array.from(tuple))).toBe(expected);
        }
        expect(set.size).toBe(known.size);
        const read = new Int32Array(width);
        for (const [text, index] of known) {
          set.read(index, read);
          expect(read.join()).toBe(text);
          expect(set.add(read)).toBe(index);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('keeps a hundred thousand states apart while its table grows', () => {
    const set = new StateSet(3);
    const tuple = (i: number) => Int32Array.of(i % 7, Math.floor(i / 7) % 1_000, Math.floor(i / 7_000));
    for (let i = 0; i < 100_000; i++) expect(set.add(tuple(i))).toBe(i);
    for (let i = 0; i < 100_000; i += 997) expect(set.add(tuple(i))).toBe(i);
    expect(set.size).toBe(100_000);
  });

  it('takes at most 64 bytes a state with its predecessor, for tuples of usual width', () => {
    const set = new StateSet(9);
    const state = new Int32Array(9);
    for (let i = 0; i < 300_000; i++) {
      // nine columns of some thousand local states
      for (let c = 0; c < 9; c++) state[c] = (i * (c + 1)) % 4_000;
      state[0] = Math.floor(i / 4_000);
      set.add(state);
    }
    expect(set.size).toBe(300_000);
    expect(set.bytes / set.size + 4).toBeLessThan(40);
  });

  it('refuses numbers that are no local states', () => {
    const set = new StateSet(2);
    set.add(Int32Array.of(1, 1));
    expect(() => Layout.upTo(Int32Array.of(900, -1))).toThrow('column 1 of a state is -1');
  });
});

describe('a layout', () => {
  it('puts columns side by side into words', () => {
    expect(new Layout([16, 16, 10, 10, 12]).words).toBe(2);
    expect(new Layout([20, 20, 12, 12]).words).toBe(2);
    expect(new Layout([31, 31, 31]).words).toBe(3);
  });

  it('shares what a word has left among its columns, and says when a number does not fit', () => {
    const layout = new Layout([3, 5]);
    const packed = new Int32Array(1);
    const [most, read] = [Int32Array.of(2 ** 15 - 1, 2 ** 17 - 1), new Int32Array(2)];
    expect(layout.pack(most, packed)).toBe(true);
    layout.unpack(packed, 0, read);
    expect(read).toEqual(most);
    expect(layout.pack(Int32Array.of(2 ** 15, 0), packed)).toBe(false);
    expect(Layout.upTo(Int32Array.of(2 ** 15, 0)).pack(Int32Array.of(2 ** 15, 0), packed)).toBe(true);
  });
});
