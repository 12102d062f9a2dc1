// The tables that calls are kept in behave as a Map and a Set would.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Bag } from '../../../src/calls/bag.ts';
import { Numbered } from '../../../src/calls/numbered.ts';

interface Thing {
  readonly attempt: number;
  place: number;
}

const thing = (attempt: number): Thing => ({ attempt, place: -1 });

test('a table by numbers holds what a Map would hold, through growth, collisions and long-lived entries', () => {
  const step = fc.tuple(
    fc.constantFrom('set', 'delete'),
    fc.oneof(fc.nat(40), fc.nat(400), fc.constantFrom(16, 32, 2 ** 20, 2 ** 32 - 1)),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const table = new Numbered<Thing>();
      const model = new Map<number, Thing>();
      for (const [what, attempt] of steps) {
        if (what === 'set') {
          const it = thing(attempt);
          table.set(it);
          model.set(attempt, it);
        } else expect(table.delete(attempt)).toBe(model.delete(attempt));
        expect(table.size).toBe(model.size);
        expect(table.get(attempt)).toBe(model.get(attempt));
      }
      for (const [attempt, it] of model) expect(table.get(attempt)).toBe(it);
      expect(new Set(table.values())).toEqual(new Set(model.values()));
    }),
  );
});

test('a call that outlives a million after it is still found, and the table does not grow with them', () => {
  const table = new Numbered<Thing>();
  const old = thing(1);
  table.set(old);
  for (let attempt = 2; attempt < 1_000_000; attempt += 1) {
    table.set(thing(attempt));
    table.delete(attempt);
  }
  expect(table.get(1)).toBe(old);
  expect(table.size).toBe(1);
});

test('a bag holds what a Set would hold', () => {
  const step = fc.tuple(fc.constantFrom('add', 'delete'), fc.nat(20));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const things = Array.from({ length: 21 }, (_, attempt) => thing(attempt));
      const bag = new Bag<Thing>();
      const model = new Set<Thing>();
      for (const [what, index] of steps) {
        const it = things[index] as Thing;
        if (what === 'add') {
          bag.add(it);
          model.add(it);
        } else expect(bag.delete(it)).toBe(model.delete(it));
        expect(bag.size).toBe(model.size);
      }
      expect(new Set(bag)).toEqual(model);
    }),
  );
});
