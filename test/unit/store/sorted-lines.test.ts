// Texts in order, against a sorted array.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { SortedLines } from '../../../src/store/sorted-lines.ts';

const aText = fc.integer({ min: 0, max: 5_000 }).map((number) => number.toString(36));

test('what was added and not deleted comes in order, both ways, within every range', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(aText, { minLength: 0, maxLength: 3_000, size: 'max' }),
      fc.boolean(),
      aText,
      fc.option(aText, { nil: undefined }),
      (texts, inOrder, first, beyond) => {
        const sorted = new SortedLines();
        const added = inOrder ? texts.toSorted() : texts;
        for (const text of added) sorted.add({ text });
        const gone = added.filter((_, index) => index % 3 === 0);
        for (const text of gone) sorted.delete({ text });
        const expected = added
          .filter(
            (text, index) => index % 3 !== 0 && text >= first && (beyond === undefined || text < beyond),
          )
          .toSorted();
        const found = (descending: boolean): string[] =>
          [...sorted.pieces(first, beyond, descending)].flat().map(({ text }) => text);
        expect(found(false)).toEqual(expected);
        expect(found(true)).toEqual(expected.toReversed());
      },
    ),
    { numRuns: 30 },
  );
});
