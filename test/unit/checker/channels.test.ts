// What a channel may do with two messages, counted by hand.
import { describe, expect, it } from 'vitest';
import { check, defineSystem, model, type Channel } from '../../../src/checker/index.ts';
import { nothing, twoMessages } from './toys.ts';

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

describe('a channel that keeps what arrives, or what is ignored', () => {
  /** Hears `b` only after `a`; counts to two. */
  const picky = model<number>({
    initial: 0,
    step: (heard, { type }) => ({
      state: (type === 'a' && heard === 0) || (type === 'b' && heard === 1) ? heard + 1 : heard,
    }),
  });
  const ab = (wire: Channel) =>
    defineSystem({
      actors: { picky },
      channels: { wire: { order: 'unordered', ...wire } },
      actions: Object.fromEntries(
        ['a', 'b'].map((type) => [
          `send ${type}`,
          { outputs: [{ send: { type }, on: 'wire' }], budget: type, fault: false },
        ]),
      ),
      budgets: { a: 1, b: 1 },
      route: nothing,
      deliver: (_, event) => [{ to: 'picky', event }],
    });

  it('loses what is ignored when nothing else is said', () => {
    // each of a and b: not sent, in flight, gone (9); and b gone after a: heard or not (1)
    expect(check(ab({})).states).toBe(10);
  });

  it('leaves what is ignored in flight until it matters', () => {
    // a: not sent, in flight, heard; b: not sent, in flight (6); b heard, which it is only after a (1)
    expect(check(ab({ ignored: 'stays' })).states).toBe(7);
  });

  it('is a set that only grows when it keeps what arrives', () => {
    // sent: none, a, b, both; a heard or not where it was sent; b heard where both were sent and a was heard
    expect(check(ab({ delivered: 'kept' })).states).toBe(7);
    // either may be lost at any time, before and after it was heard: 3 × 3 for what is sent, in flight or lost; a heard
    // where it was sent (6); b heard too where both were sent (4)
    expect(check(ab({ delivered: 'kept', lossy: true })).states).toBe(19);
  });

  it('holds a second copy of a message only when it does not keep what arrives', () => {
    const twice = (wire: Channel) => check({ ...ab(wire), budgets: { a: 2, b: 0 } }).states;
    // sent, in flight, heard: 0; 1 (in flight, or heard); 2 (two in flight; one; none, which only the ignored makes)
    expect(twice({ ignored: 'stays' })).toBe(5);
    expect(twice({})).toBe(6);
    // sent 0; 1 or 2 with the one copy heard or not
    expect(twice({ delivered: 'kept' })).toBe(5);
  });

  it('fails on an unexpected message, whatever is said about ignored ones', () => {
    const deaf = model<number>({ initial: 0, step: () => undefined });
    const system = { ...ab({ ignored: 'stays' }), actors: { picky: deaf } };
    expect(check(system).violation?.kind).toBe('unexpected');
  });

  it('is refused when it is ordered', () => {
    expect(() => ab({ order: 'ordered', ignored: 'stays' })).toThrow(/channel 'wire' is ordered/);
    expect(() => ab({ order: 'ordered', delivered: 'kept' })).toThrow(/make it unordered/);
  });
});
