import fc from 'fast-check';
import { expect, it } from 'vitest';
import { actorPlace, hashOf, placeOf, type Place } from '../../../visualizer/view.ts';

it('gives back every place from its address', () => {
  const part = fc.string({ minLength: 1, unit: 'grapheme' });
  const name = fc.constantFrom('q', 'state', 'node', 'zoom');
  const place = fc.record({
    view: fc.constantFrom('fleet' as const, 'machine' as const, 'sequence' as const, 'simulate' as const),
    path: fc.array(part, { maxLength: 3 }),
    at: fc.option(fc.integer(), { nil: undefined }),
    query: fc.dictionary(name, part, { noNullPrototype: true }),
  });
  fc.assert(
    fc.property(place, (it: Place) => {
      expect(placeOf(hashOf(it))).toEqual(it);
    }),
  );
});

it('keeps the slashes of processes and actors apart from those of the address', () => {
  const hash = hashOf(actorPlace('node/n3/9ab2', 'calls/c 7'));
  expect(hash).toBe('#/machine/node%2Fn3%2F9ab2/calls%2Fc%207');
  expect(placeOf(hash).path).toEqual(['node/n3/9ab2', 'calls/c 7']);
});

it('shows the fleet for an address that names nothing, and what it can of one that was mangled', () => {
  for (const hash of ['', '#', '#/', '#/nowhere/x', '#%%%']) expect(placeOf(hash).view).toBe('fleet');
  expect(placeOf('#/machine/a%2/b?at=soon')).toMatchObject({
    view: 'machine',
    path: ['a%2', 'b'],
    at: undefined,
  });
});
