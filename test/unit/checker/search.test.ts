import { setup } from 'xstate';
import { describe, expect, it } from 'vitest';
import { check, defineSystem, model } from '../../../src/checker/index.ts';
import { climber, dialogue, nothing, sender, ticker } from './toys.ts';

describe('the search', () => {
  it('sees every state once and counts each that it makes', () => {
    const system = defineSystem({ actors: { climber: climber(4, 2) }, route: nothing });
    // heights 0 to 4; from 0, 1, 2 two ways on, from 3 one
    expect(check(system)).toEqual({ states: 5, generated: 7, depth: 2, complete: true });
  });

  it('finds the shortest counterexample', () => {
    const system = defineSystem({ actors: { climber: climber(9, 4) }, route: nothing });
    const { violation } = check(system, {
      always: { 'below 9': (view) => view.model<number>('climber') < 9 },
    });
    expect(violation?.steps.map(({ label }) => label).toSorted()).toEqual(['climb 1', 'climb 4', 'climb 4']);
    expect(violation?.property).toBe('below 9');
  });

  it('prints numbered steps with the state before and after', () => {
    const system = defineSystem({ actors: { climber: climber(2, 2) }, route: nothing });
    const { violation } = check(system, {
      always: { 'below 2': (view) => view.model<number>('climber') < 2 },
    });
    expect(violation?.text).toBe(
      [
        'always: below 2',
        'at first',
        '     climber: 0',
        '  1. climb 2',
        '     climber: climb { by: 2 }',
        '       climber was 0',
        '       climber is  2',
      ].join('\n'),
    );
  });

  it('judges the first state too', () => {
    const system = defineSystem({ actors: { climber: climber(2, 2) }, route: nothing });
    const { violation, states } = check(system, { always: { never: () => false } });
    expect([violation?.steps, states]).toEqual([[], 1]);
  });

  it('stops incomplete beyond maxStates', () => {
    const system = defineSystem({ actors: { ticker: { machine: ticker('count') } }, route: nothing });
    expect(check(system, { maxStates: 50 })).toMatchObject({ states: 51, complete: false });
  });

  it('gives the same answer every time', () => {
    const run = () => check(dialogue('patient', { order: 'unordered', lossy: true, capacity: 2 }));
    expect(run()).toEqual(run());
  });
});

describe('a deadlock', () => {
  it('is found when the only question is lost and nobody asks again', () => {
    const { violation } = check(dialogue('for ever', { lossy: true }), {
      noDeadlock: (view) => !view.actor('asker').in('done'),
    });
    expect(violation).toMatchObject({ kind: 'deadlock', steps: [{ label: 'there loses question' }] });
  });

  it('is none when a delay asks again', () => {
    const owed = { noDeadlock: (view: Parameters<typeof isWaiting>[0]) => isWaiting(view) };
    expect(check(dialogue('patient', { lossy: true, capacity: 1 }), owed)).toMatchObject({ complete: true });
  });

  it('is none on a reliable channel, where only the end of the dialogue is quiet', () => {
    const owed = { noDeadlock: (view: Parameters<typeof isWaiting>[0]) => isWaiting(view) };
    // asked; question arrived, answer in flight; answered
    expect(check(dialogue('for ever', {}), owed)).toEqual({
      states: 3,
      generated: 2,
      depth: 2,
      complete: true,
    });
  });

  it('by default is owed as long as a machine runs', () => {
    const system = defineSystem({ actors: { sender: { machine: sender } }, route: nothing });
    expect(check(system, { noDeadlock: true }).violation?.kind).toBe('deadlock');
    expect(check(system).violation).toBeUndefined();
  });

  it('is not prevented by faults', () => {
    const actions = { 'someone disturbs': { outputs: [{ tell: 'sleeper', event: { type: 'disturb' } }] } };
    const sleeper = model<number>({ initial: 0, step: (times) => ({ state: Math.min(2, times + 1) }) });
    const system = defineSystem({ actors: { sleeper }, actions, route: nothing });
    expect(check(system, { noDeadlock: () => true }).violation).toMatchObject({
      kind: 'deadlock',
      steps: [],
    });
  });
});

function isWaiting(view: { actor(name: string): { in(path: string): boolean } }): boolean {
  return !view.actor('asker').in('done');
}

describe('a goal that must stay possible', () => {
  /** Walks home, or falls into a hole and walks there for ever. */
  const walker = model<string>({
    initial: 'on the road',
    step: (_, { type }) => ({ state: type }),
    choices: (place) => {
      const go = (type: string, fault = false) => ({ event: { type }, label: `go ${type}`, fault });
      if (place === 'on the road') return [go('home'), go('in the hole'), go('lost', true)];
      if (place === 'in the hole') return [go('deep in the hole')];
      if (place === 'deep in the hole') return [go('in the hole')];
      if (place === 'lost') return [go('home', true)];
      return [];
    },
  });
  const goal = {
    'home can be reached': (view: { model<S>(name: string): S }) => view.model<string>('walker') === 'home',
  };

  it('is missed in a trap, though something always happens there', () => {
    const system = defineSystem({ actors: { walker }, route: nothing });
    const { violation } = check(system, { alwaysPossible: goal });
    expect(violation).toMatchObject({ kind: 'alwaysPossible', steps: [{ label: 'go in the hole' }] });
  });

  it('is missed where only a fault leads to it', () => {
    const system = defineSystem({ actors: { walker }, route: nothing });
    const { violation } = check(system, {
      alwaysPossible: {
        'home, or a hole': (view) =>
          goal['home can be reached'](view) || view.model<string>('walker').includes('hole'),
      },
    });
    expect(violation?.steps.map(({ label }) => label)).toEqual(['go lost']);
  });
});

describe('an unexpected event', () => {
  const deaf = setup({ types: {} as { events: { type: 'known' } | { type: 'ignored' } } }).createMachine({
    id: 'deaf',
    on: { known: {}, ignored: {} },
  });
  const shout = (type: string) =>
    defineSystem({
      actors: { deaf: { machine: deaf } },
      actions: { shout: { outputs: [{ tell: 'deaf', event: { type } }] } },
      route: nothing,
    });

  it('is a violation by itself, with the step that it came in', () => {
    const { violation } = check(shout('unknown'));
    expect(violation).toMatchObject({ kind: 'unexpected', property: 'deaf does not expect unknown' });
    expect(violation?.steps).toMatchObject([{ label: 'shout', heard: ['deaf: unknown (UNEXPECTED)'] }]);
  });

  it('is none when it is ignored explicitly', () => {
    expect(check(shout('ignored'))).toMatchObject({ states: 1, complete: true });
  });

  it('is one for a model that answers undefined', () => {
    const proud = model<number>({ initial: 0, step: () => undefined });
    const actions = { ask: { outputs: [{ tell: 'proud', event: { type: 'favour' } }] } };
    const { violation } = check(defineSystem({ actors: { proud }, actions, route: nothing }));
    expect(violation?.property).toBe('proud does not expect favour');
  });
});

describe('a budget', () => {
  it('ends what spends it, and is part of the state', () => {
    const counter = model<number>({ initial: 0, step: (count) => ({ state: count + 1 }) });
    const bump = { outputs: [{ tell: 'counter', event: { type: 'bump' } }], budget: 'bumps' };
    const result = check(
      defineSystem({
        actors: { counter },
        actions: { bump },
        budgets: { bumps: 3, other: 5 },
        route: nothing,
      }),
      {
        always: {
          'spent and counted agree': (view) =>
            view.model<number>('counter') + view.budget('bumps') === 3 && view.budget('other') === 5,
        },
      },
    );
    expect(result).toEqual({ states: 4, generated: 3, depth: 3, complete: true });
  });

  it('must be declared, and be a whole number', () => {
    const actions = { bump: { outputs: [], budget: 'bumps' } };
    const actors = { climber: climber(1, 1) };
    expect(() => defineSystem({ actors, actions, route: nothing })).toThrow(
      /'bump' spends 'bumps', which is not among/,
    );
    expect(() => defineSystem({ actors, budgets: { bumps: 0.5 }, route: nothing })).toThrow(
      /budget 'bumps' is 0.5/,
    );
  });
});
