// Verdicts that are kept: the predicate's own, judged once for each combination of what it asks for.
import { describe, expect, it } from 'vitest';
import { check, defineSystem, type View } from '../../../src/checker/index.ts';
import { climber, nothing } from './toys.ts';

const names = ['a', 'b', 'c'] as const;
/** Three that climb to 5 by one or two steps, independently: 6³ states. */
const three = defineSystem({
  actors: Object.fromEntries(names.map((name) => [name, climber(5, 2)])),
  route: nothing,
});
const height = (view: View, name: string) => view.model<number>(name);

describe('a property', () => {
  it('is judged once for each combination of the local states that it asks for', () => {
    const asked: string[] = [];
    const result = check(three, {
      always: {
        'a climbs, and from 3 on b matters': (view) => {
          const seen = height(view, 'a') < 3 ? [height(view, 'a')] : [height(view, 'a'), height(view, 'b')];
          asked.push(seen.join());
          return true;
        },
      },
    });
    expect(result).toMatchObject({ complete: true, states: 216 });
    // 0, 1, 2; then 3, 4, 5 with each height of b.
    expect([asked.length, new Set(asked).size]).toEqual([3 + 3 * 6, 3 + 3 * 6]);
  });

  it('is found violated in the first state where it is, at the least depth', () => {
    const together = (view: View) => names.reduce((sum, name) => sum + height(view, name), 0) < 9;
    const { violation } = check(three, { always: { together } });
    expect([violation?.property, violation?.steps.length]).toEqual(['together', 5]);
  });

  it('that holds in one state alone is reached there, and one that holds in none is not', () => {
    const top = (view: View) => names.every((name) => height(view, name) === 5);
    const beyond = (view: View) => names.some((name) => height(view, name) > 5);
    expect(check(three, { sometimes: { top } })).toMatchObject({ complete: true });
    expect(check(three, { sometimes: { top, beyond } }).violation?.property).toBe('beyond');
  });

  it('is judged in every state when what it asks depends on more than the view', () => {
    let [turn, judged] = [0, 0];
    check(three, {
      always: { 'asks by turns': (view) => height(view, names[turn++ % 3] as string) >= 0 },
    });
    expect(turn).toBe(216);
    check(three, {
      always: {
        'asks nothing': () => {
          judged++;
          return true;
        },
      },
    });
    expect(judged).toBe(216);
  });

  it('that asks for nearly everything is judged in every state, and keeps nothing', () => {
    const many = defineSystem({
      actors: Object.fromEntries(names.map((name) => [name, climber(30, 2)])),
      route: nothing,
    });
    let judged = 0;
    const all = (view: View) => {
      judged++;
      return names.every((name) => height(view, name) <= 30);
    };
    expect(check(many, { always: { all } })).toMatchObject({ complete: true, states: 31 ** 3 });
    expect(judged).toBe(31 ** 3);
  });
});
