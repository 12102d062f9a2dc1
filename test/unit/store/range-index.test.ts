// Who is told of a key, against a list of ranges that is searched from end to end.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { covers } from '../../../src/store/bytes.ts';
import type { KeyRange } from '../../../src/store/contract.ts';
import { RangeIndex } from '../../../src/store/range-index.ts';

const aKey = fc.uint8Array({ minLength: 0, maxLength: 3, max: 3 });
const aRange: fc.Arbitrary<KeyRange> = fc.record({ key: aKey, end: aKey }, { requiredKeys: ['key'] });
const aStep = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant('add' as const), range: aRange }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('delete' as const), index: fc.nat(30) }) },
);

interface Member {
  readonly range: KeyRange;
}

test('a lookup finds the members whose range covers the key, each once, and nobody who left', () => {
  fc.assert(
    fc.property(
      fc.array(aStep, { maxLength: 60 }),
      fc.array(aKey, { minLength: 1, maxLength: 10 }),
      (steps, keys) => {
        const index = new RangeIndex<Member>();
        const members: Member[] = [];
        for (const step of steps) {
          if (step.type === 'add') {
            const member = { range: step.range };
            members.push(member);
            index.add(member.range, member);
          } else {
            const [gone] = members.splice(step.index, 1);
            if (gone === undefined) continue;
            index.delete(gone.range, gone);
            index.delete(gone.range, gone);
          }
        }
        for (const key of keys) {
          const found: Member[] = [];
          index.visit(key, (member) => found.push(member));
          const expected = members.filter(({ range }) => covers(range, key));
          expect(found).toHaveLength(expected.length);
          expect(new Set(found)).toEqual(new Set(expected));
        }
      },
    ),
    { numRuns: 500 },
  );
});
