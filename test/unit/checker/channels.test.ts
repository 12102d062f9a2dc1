// What a channel may do with two messages, counted by hand.
import { describe, expect, it } from 'vitest';
import { check, type Channel } from '../../../src/checker/index.ts';
import { twoMessages } from './toys.ts';

const explore = (wire: Channel, budgets?: Record<string, number>) => {
  const heard = new Set<string>();
  const result = check(twoMessages(wire, budgets), {
    always: {
      collect(view) {
        if (view.channel('wire').length === 0) heard.add(view.model<string[]>('listener').join(' then '));
        return true;
      },
    },
  });
  return { states: result.states, ends: [...heard].toSorted(), complete: result.complete };
};

describe('a channel with two messages in flight', () => {
  it('delivers them in order when it is ordered and reliable', () => {
    // both, one, none left
    expect(explore({})).toEqual({ states: 3, ends: ['first then second'], complete: true });
  });

  it('delivers them in any order when it is unordered', () => {
    // 1 + 2 with one left + 2 with none left
    const ends = ['first then second', 'second then first'];
    expect(explore({ order: 'unordered' })).toEqual({ states: 5, ends, complete: true });
  });

  it('loses any of them when it is lossy, and keeps the order of the rest', () => {
    // 1 + 2 (the first arrived or not) + 4
    const ends = ['', 'first', 'first then second', 'second'];
    expect(explore({ lossy: true })).toEqual({ states: 7, ends, complete: true });
  });

  it('loses only as many as the budget says', () => {
    // both; first arrived or lost; then arrived-arrived, arrived-lost, lost-arrived
    const ends = ['first', 'first then second', 'second'];
    expect(explore({ lossy: 'loss' }, { loss: 1 })).toEqual({ states: 6, ends, complete: true });
  });

  it('delivers one of them twice when one copy is allowed', () => {
    const ends = ['first then first then second', 'first then second', 'first then second then second'];
    // no copy: 3; first copied: still both, then one, then none: 3; second copied: one left, none left: 2
    expect(explore({ duplicating: 'copy' }, { copy: 1 })).toEqual({ states: 8, ends, complete: true });
  });

  it('lets a copy overtake when it is unordered', () => {
    const { ends } = explore({ order: 'unordered', duplicating: 'copy' }, { copy: 1 });
    expect(ends).toContain('first then second then first');
    expect(ends).toHaveLength(8);
  });

  it('loses what it has no room for when it is lossy', () => {
    // only the first is ever in flight: in flight, arrived, lost
    expect(explore({ lossy: true, capacity: 1 })).toEqual({ states: 3, ends: ['', 'first'], complete: true });
  });

  it('stops the search when it is reliable and has no room', () => {
    expect(() => explore({ capacity: 1 })).toThrow(
      /channel wire holds 1 messages \(first\); raise its capacity/,
    );
  });
});
