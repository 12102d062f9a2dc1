// The ways to search, their bounds, and what each may claim in the end.
// Invariant: whatever the way, a complete search sees the same states.
import { describe, expect, it } from 'vitest';
import {
  check,
  createSearch,
  defineSystem,
  model,
  type CheckOptions,
  type View,
} from '../../../src/checker/index.ts';
import { climber, dialogue, nothing } from './toys.ts';

const climbing = (top: number, leap: number) =>
  defineSystem({ actors: { climber: climber(top, leap) }, route: nothing });
const below = (top: number): CheckOptions => ({
  always: { [`below ${top}`]: (view: View) => view.model<number>('climber') < top },
});
const lossy = dialogue('patient', { order: 'unordered', lossy: true, capacity: 2 });
const answered = (view: View) => view.actor('asker').in('done');

describe('depth first', () => {
  it('sees what breadth first sees, and judges it alike', () => {
    const { depth: _, ...wide } = check(lossy, { eventually: { answered }, alwaysPossible: { answered } });
    const { depth: __, ...deep } = check(lossy, {
      mode: 'depth-first',
      eventually: { answered },
      alwaysPossible: { answered },
    });
    expect(deep).toEqual(wide);
    expect(deep.complete).toBe(true);
  });

  it('meets what is far away before it has seen all that is near', () => {
    const pair = defineSystem({
      actors: { climber: climber(40, 2), other: climber(40, 2) },
      route: nothing,
    });
    const explored = (mode: 'breadth-first' | 'depth-first') => check(pair, { ...below(40), mode });
    const [wide, deep] = [explored('breadth-first'), explored('depth-first')];
    expect(wide.violation?.steps).toHaveLength(20);
    expect(deep.violation?.property).toBe('below 40');
    expect(deep.states).toBeLessThan(wide.states / 2);
  });

  it('misses nothing within its bound, though it first comes by a longer way', () => {
    // by leaps of 5 the top is 2 steps away, by ones 10; the leap is tried last, so first when the newest goes first
    const ways = (first: number, second: number) =>
      defineSystem({
        actors: {
          climber: model<number>({
            initial: 0,
            step: (height, { by }) => ({ state: height + (by as number) }),
            choices: (height) =>
              [first, second]
                .filter((by) => height + by <= 10)
                .map((by) => ({ event: { type: 'climb', by }, label: `climb ${by}` })),
          }),
        },
        route: nothing,
      });
    for (const [first, second] of [
      [1, 5],
      [5, 1],
    ] as const) {
      for (const maxDepth of [1, 2, 3, 4, 10]) {
        const count = (mode: 'depth-first' | 'breadth-first') =>
          check(ways(first, second), { mode, maxDepth }).states;
        expect(count('depth-first')).toBe(count('breadth-first'));
      }
    }
  });
});

describe('a bound on the depth', () => {
  it('keeps back what is farther away, and says that the search is not complete', () => {
    // heights 0; 1, 2; 3, 4; 5 …
    expect(check(climbing(9, 2), { maxDepth: 2 })).toEqual({
      bound: 'maxDepth',
      states: 5,
      generated: 6,
      depth: 2,
      complete: false,
    });
    expect(check(climbing(9, 2), { maxDepth: 0 })).toMatchObject({ states: 1, depth: 0, complete: false });
  });

  it('changes nothing when nothing is farther away', () => {
    expect(check(climbing(9, 2), { maxDepth: 10 })).toEqual(check(climbing(9, 2)));
  });

  it('must be a whole number', () => {
    expect(() => check(climbing(1, 1), { maxDepth: -1 })).toThrow('maxDepth is -1; give a whole number');
    expect(() => check(climbing(1, 1), { mode: 'sideways' as never })).toThrow("no mode 'sideways'");
  });
});

describe('a simulation', () => {
  it('is never complete, and leaves to others what only a complete search can judge', () => {
    const result = check(lossy, {
      mode: 'simulation',
      walks: 20,
      maxDepth: 50,
      seed: 7,
      eventually: { answered },
      sometimes: { answered, 'something else': () => false },
    });
    expect(result).toMatchObject({
      complete: false,
      seed: 7,
      walks: 20,
      unjudged: ['answered'],
      unreached: ['something else'],
    });
    expect(result.states).toBeLessThanOrEqual(check(lossy).states);
  });

  it('finds a violation and names the seed that replays it in one walk', () => {
    const options: CheckOptions = { mode: 'simulation', maxDepth: 9, ...below(16) };
    const found = check(climbing(16, 2), { ...options, seed: 1 });
    expect(found.violation?.steps.length).toBeGreaterThanOrEqual(8);
    expect(found.walks).toBeGreaterThan(1);
    const again = check(climbing(16, 2), { ...options, seed: found.seed ?? 0, walks: 1 });
    expect(again.violation).toEqual(found.violation);
    expect(check(climbing(16, 2), { ...options, ...below(17), seed: 1 }).violation).toBeUndefined();
  });

  it('finds deadlocks and unexpected events', () => {
    const once = check(dialogue('for ever', { lossy: true }), {
      mode: 'simulation',
      noDeadlock: (view) => !answered(view),
    });
    expect(once.violation?.kind).toBe('deadlock');
    const proud = model<number>({ initial: 0, step: () => undefined });
    const actions = { ask: { outputs: [{ tell: 'proud', event: { type: 'favour' } }] } };
    const shy = check(defineSystem({ actors: { proud }, actions, route: nothing }), { mode: 'simulation' });
    expect(shy.violation?.property).toBe('proud does not expect favour');
  });

  it('walks other ways with other seeds', () => {
    const states = [1, 2, 3, 4].map(
      (seed) => check(climbing(100, 2), { mode: 'simulation', walks: 1, seed }).states,
    );
    expect(new Set(states).size).toBeGreaterThan(1);
  });
});

describe('a search in slices', () => {
  it('shows how far it is, and what it found when it is stopped', () => {
    const search = createSearch(lossy, { sometimes: { never: () => false }, eventually: { answered } });
    expect(search.progress()).toMatchObject({ phase: 'exploring', states: 1, generated: 0, queued: 1 });
    expect(search.run(3)).toBe('running');
    const progress = search.progress();
    expect(progress.states).toBeGreaterThan(3);
    expect(progress.memoryBytes).toBeGreaterThan(progress.states * 8);
    expect(search.result()).toMatchObject({
      states: progress.states,
      complete: false,
      unreached: ['never'],
      unjudged: ['answered'],
    });
  });

  it('ends with what one call finds', () => {
    const search = createSearch(lossy, { eventually: { answered } });
    while (search.run(2) === 'running');
    expect(search.progress()).toMatchObject({ phase: 'finished', queued: 0 });
    expect(search.result()).toEqual(check(lossy, { eventually: { answered } }));
  });

  it('stops in the middle of a judgement, and says what is judged already', () => {
    // 21 ^ 3 states, more than a slice of a judgement looks at.
    const three = defineSystem({
      actors: Object.fromEntries(['a', 'b', 'c'].map((name) => [name, climber(20, 2)])),
      route: nothing,
    });
    const isTop = (view: View) => ['a', 'b', 'c'].every((name) => view.model<number>(name) === 20);
    const options = { alwaysPossible: { ends: isTop }, eventually: { 'ends for certain': isTop } };
    const search = createSearch(three, options);
    while (search.progress().phase === 'exploring') search.run(1_000);
    const seen = new Set<string>();
    let slices = 0;
    for (; search.run(1) === 'running'; slices++) {
      const { complete, unjudged = [] } = search.result();
      expect(complete).toBe(false);
      seen.add(unjudged.join());
    }
    expect([...seen]).toEqual(['ends,ends for certain', 'ends for certain']);
    expect(slices).toBeGreaterThan(6);
    expect(search.result()).toEqual({ ...check(three, options), complete: true, states: 21 ** 3 });
  });
});
