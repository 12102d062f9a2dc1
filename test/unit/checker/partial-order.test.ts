// What one order of independent steps leaves out, counted by hand, and what it must not leave out.
import { describe, expect, it } from 'vitest';
import {
  check,
  defineSystem,
  model,
  type CheckOptions,
  type ModelActor,
  type Output,
  type SystemDefinition,
} from '../../../src/checker/index.ts';
import { nothing } from './toys.ts';

/** Goes from 0 to `top` by ones; each step leads to `outputs`. */
const walker = (top: number, outputs: readonly Output[] = [], more: object = {}): ModelActor =>
  model<number>({
    initial: 0,
    step: (at) => ({ state: at + 1, outputs }),
    choices: (at) => (at < top ? [{ event: { type: 'step' }, ...more }] : []),
  });
const walkers = (count: number, changes: Partial<SystemDefinition> = {}, more: object = {}) =>
  defineSystem({
    actors: Object.fromEntries(Array.from({ length: count }, (_, i) => [`w${i}`, walker(1, [], more)])),
    route: nothing,
    ...changes,
  });

/** States and steps of the full search and of the one that is ordered. */
function counts(system: SystemDefinition, options: CheckOptions = {}): number[] {
  return [false, true].flatMap((partialOrder) => {
    const { states, generated, complete } = check(system, { ...options, partialOrder });
    expect(complete).toBe(true);
    return [states, generated];
  });
}

describe('of steps that commute', () => {
  it('one order is made, so that each state is reached once', () => {
    expect(counts(walkers(2))).toEqual([4, 4, 4, 3]);
    // a cube has 8 corners and 12 edges; a tree that reaches 8 has 7
    expect(counts(walkers(3))).toEqual([8, 12, 8, 7]);
    expect(counts(walkers(6))).toEqual([64, 192, 64, 63]);
  });

  it('those that change nothing are made once', () => {
    const idle = model<number>({
      initial: 0,
      step: (at) => ({ state: at }),
      choices: () => [{ event: { type: 'rest' } }],
    });
    const system = walkers(2, { actors: { ...walkers(2).actors, idle } });
    // 4 states, in each a rest; the rest sleeps everywhere but in the first
    expect(counts(system)).toEqual([4, 8, 4, 4]);
  });

  it('messages into an unordered channel with room are some, into an ordered one not', () => {
    const sending = (order: 'ordered' | 'unordered') =>
      defineSystem({
        actors: {
          a: walker(1, [{ send: { type: 'from a' }, on: 'wire' }]),
          b: walker(1, [{ send: { type: 'from b' }, on: 'wire' }]),
        },
        channels: { wire: { order } },
        route: nothing,
        deliver: () => [],
      });
    expect(counts(sending('unordered'))).toEqual([4, 4, 4, 3]);
    expect(counts(sending('ordered'))).toEqual([5, 4, 5, 4]);
  });

  it('messages into a channel without room are none', () => {
    const system = defineSystem({
      actors: {
        a: walker(1, [{ send: { type: 'from a' }, on: 'wire' }]),
        b: walker(1, [{ send: { type: 'from b' }, on: 'wire' }]),
      },
      channels: { wire: { order: 'unordered', capacity: 1, lossy: true } },
      route: nothing,
      deliver: () => [],
    });
    const [states, , ordered] = counts(system);
    expect(ordered).toBe(states);
  });

  it('arrivals of different messages are some, at different actors', () => {
    const hearer = () => model<number>({ initial: 0, step: (heard) => ({ state: heard + 1 }) });
    const system = (to: (type: string) => string) =>
      defineSystem({
        actors: {
          sender: walker(1, [
            { send: { type: 'x' }, on: 'wire' },
            { send: { type: 'y' }, on: 'wire' },
          ]),
          x: hearer(),
          y: hearer(),
        },
        channels: { wire: { order: 'unordered' } },
        route: nothing,
        deliver: (_, message) => [{ to: to(message.type), event: message }],
      });
    expect(counts(system((type) => type))).toEqual([5, 5, 5, 4]);
    expect(counts(system(() => 'x'))).toEqual([5, 5, 5, 5]);
  });
});

describe('steps do not commute', () => {
  it('when they take the last of one budget', () => {
    const system = (times: number) => walkers(2, { budgets: { steps: times } }, { budget: 'steps' });
    // one step each, at most one of them
    expect(counts(system(1))).toEqual([3, 2, 3, 2]);
    expect(counts(system(2))).toEqual([4, 4, 4, 3]);
  });

  it('when one of them changes which epochs there are', () => {
    const holder = (epoch: number) =>
      model<{ epoch: number }>({
        initial: { epoch },
        step: (state, { to }) => ({ state: { epoch: to === 'next' ? state.epoch + 1 : 0 } }),
        choices: (state) =>
          state.epoch === 0 ? [] : ['next', 'none'].map((to) => ({ event: { type: 'go', to } })),
      });
    const system = defineSystem({ actors: { a: holder(1), b: holder(2), c: holder(3) }, route: nothing });
    const [states, , ordered] = counts(system);
    expect(ordered).toBe(states);
  });
});

describe('an ordered search', () => {
  it('takes no sleeping step for a deadlock', () => {
    const never: CheckOptions = { noDeadlock: () => true };
    const restless = () =>
      model<number>({
        initial: 0,
        step: (at) => ({ state: 1 - at }),
        choices: () => [{ event: { type: 'turn' } }],
      });
    const system = defineSystem({ actors: { a: restless(), b: restless() }, route: nothing });
    expect(counts(system, never)).toEqual([4, 8, 4, expect.any(Number)]);
    const done = check(walkers(3), { ...never, partialOrder: true });
    expect(done.violation).toMatchObject({ kind: 'deadlock', steps: { length: 3 } });
  });

  it('changes nothing where all edges are needed, depth first, or with more parts than bits', () => {
    const all = { states: 4, generated: 4, complete: true };
    const options = { partialOrder: true, alwaysPossible: { any: () => true } };
    expect(check(walkers(2), options)).toMatchObject(all);
    expect(check(walkers(2), { partialOrder: true, mode: 'depth-first' })).toMatchObject(all);
    const many = walkers(2);
    const idle = model<number>({ initial: 0, step: (at) => ({ state: at }) });
    const crowd = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`idle ${i}`, idle]));
    const system = { ...many, actors: { ...many.actors, ...crowd } };
    expect(check(system, { partialOrder: true })).toMatchObject(all);
  });
});
