// Plain values by number, and the kinds that say which epochs they hold.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonical, Renumberings } from '../../../src/checker/epochs.ts';
import { Kinds } from '../../../src/checker/kinds.ts';
import { Values } from '../../../src/checker/values.ts';

const numbering = () => {
  const kinds = new Kinds();
  return { kinds, values: new Values(kinds, (field) => (field === 'epoch' ? 0 : 1)) };
};

/** Small, so that equal ones are met often. */
const { plain } = fc.letrec((tie) => ({
  plain: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<unknown>(null, undefined, true, 'a', '#1', '1', 0, 1),
    fc.array(tie('plain'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c,d', 'c', 'd'), tie('plain'), { maxKeys: 3 }),
    fc.record({ epoch: fc.integer({ min: 0, max: 5 }), dialEpoch: fc.integer({ min: 0, max: 5 }) }),
  ),
}));

describe('the number of a value', () => {
  it('is that of every value with the same canonical text, and of no other, remembered or not', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(plain, fc.boolean()), { minLength: 1, maxLength: 40 }), (all) => {
        const { values } = numbering();
        const texts = new Map<number, string>();
        for (const [value, isRemembered] of all) {
          const { number } = values.number(value, 'the value');
          expect(texts.get(number) ?? canonical(value)).toBe(canonical(value));
          texts.set(number, canonical(value));
          if (isRemembered) values.remember();
          else values.forget();
          expect(values.number(value, 'the value').number).toBe(number);
        }
        expect(new Set(texts.values()).size).toBe(texts.size);
      }),
      { numRuns: 300 },
    );
  });

  it('of a remembered object is known without a look inside', () => {
    const { values } = numbering();
    let looks = 0;
    const watched = Object.defineProperty({}, 'x', { get: () => ++looks && 1, enumerable: true });
    const { number } = values.number({ list: [watched] }, 'the value');
    values.remember();
    expect([values.number({ list: [watched] }, 'the value').number, looks]).toEqual([number, 1]);
    expect(values.number({ list: [{ x: 1 }] }, 'the value').number).toBe(number);
  });

  it('must be plain data: else it is said where it is not', () => {
    const { values } = numbering();
    expect(() => values.number({ a: [1, new Map()] }, 'the context of node')).toThrow(
      /^the context of node\.a\[1\] is not plain data \(an instance of Map\)/,
    );
    expect(() => values.number({ a: { b: () => 1 } }, () => 'the state')).toThrow(
      /^the state\.a\.b is not plain data \(a function\)/,
    );
    expect(() => values.number(Symbol.iterator, 'the state')).toThrow(/^the state is not plain data/);
  });
});

describe('renumbering', () => {
  const held = { epoch: 3, list: [{ dialEpoch: 3, epochs: 3 }, { epoch: 5 }], text: 'epoch', lastEpoch: '4' };

  it('touches numbers of one family whose field says epoch, at any depth, and nothing else', () => {
    const { values, kinds } = numbering();
    const { kind } = values.number(held, 'the value');
    expect([kinds.mask(kind, 0), kinds.mask(kind, 1)]).toEqual([0b101000, 0b1000]);
    const { masks } = new Renumberings().of(0, 0b101010);
    const renumbered = values.renumbered(held, masks);
    expect(renumbered).toEqual({ ...held, epoch: 2, list: [held.list[0], { epoch: 3 }] });
    expect(renumbered.list[0]).toBe(held.list[0]);
  });

  it('leaves equal pieces apart, since a model may copy its state and change it', () => {
    const { values } = numbering();
    const twice = values.renumbered([{ epoch: 3 }, { epoch: 3 }], new Renumberings().of(0, 0b1000).masks);
    expect(twice).toEqual([{ epoch: 1 }, { epoch: 1 }]);
    expect(twice[0]).not.toBe(twice[1]);
  });

  it('gives the kind that the renumbered value has', () => {
    fc.assert(
      fc.property(
        plain,
        fc.integer({ min: 0, max: 1 }),
        fc.integer({ min: 0, max: 63 }),
        (value, f, more) => {
          const { values, kinds } = numbering();
          const { kind } = values.number([value], 'the value');
          const to = new Renumberings().of(f, kinds.mask(kind, f) | more);
          const renumbered = values.renumbered([value], to.masks);
          expect(values.number(renumbered, 'the value').kind).toBe(kinds.after(kind, to));
        },
      ),
    );
  });
});
