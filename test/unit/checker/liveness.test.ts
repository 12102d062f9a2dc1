// Liveness under weak fairness: lassos, and what makes them unfair.
// Invariant: every property that holds has a twin beside it that differs by one move and fails.
import { describe, expect, it } from 'vitest';
import { check, defineSystem, model, type Choice, type View } from '../../../src/checker/index.ts';
import { climber, dialogue, nothing } from './toys.ts';

/** A model that walks along `ways`: for each place, the places that it may go to; `!` before a place marks a fault. */
const walker = (ways: Readonly<Record<string, string>>, start = 'a') =>
  model<string>({
    initial: start,
    step: (_, { type }) => ({ state: type }),
    choices: (place) =>
      (ways[place] ?? '')
        .split(' ')
        .filter((to) => to !== '')
        .map((to): Choice => {
          const type = to.replace('!', '');
          return { event: { type }, label: `go ${place}${type}`, fault: to.startsWith('!') };
        }),
  });

const walk = (ways: Readonly<Record<string, string>>) =>
  defineSystem({ actors: { walker: walker(ways) }, route: nothing });
const at = (place: string) => (view: View) => view.model<string>('walker') === place;
const labels = (steps: readonly { label: string }[] = []) => steps.map(({ label }) => label);
const answered = (view: View) => view.actor('asker').in('done');

describe('a property that must hold somewhere', () => {
  const system = defineSystem({ actors: { climber: climber(4, 2) }, route: nothing });
  const height = (wanted: number) => (view: View) => view.model<number>('climber') === wanted;

  it('is satisfied by one state', () => {
    expect(check(system, { sometimes: { 'at the top': height(4) } })).toMatchObject({ complete: true });
  });

  it('is violated when all states were seen and none was it', () => {
    const { violation, complete } = check(system, {
      sometimes: { 'at 4': height(4), 'above the top': height(5) },
    });
    expect(violation?.text).toBe('sometimes: above the top\nholds in none of all 5 states');
    expect([violation?.kind, complete]).toEqual(['sometimes', false]);
  });

  it('is reported apart when the search did not see everything', () => {
    const result = check(system, { maxStates: 2, sometimes: { 'at 1': height(1), 'at the top': height(4) } });
    expect(result).toMatchObject({ complete: false, unreached: ['at the top'] });
    expect(result.violation).toBeUndefined();
  });
});

describe('a property that must hold in the end', () => {
  it('holds when every way leads there', () => {
    expect(check(walk({ a: 'b c', b: 'c' }), { eventually: { c: at('c') } })).toMatchObject({
      complete: true,
    });
  });

  it('fails where the run may end before, and says that it stays', () => {
    const { violation } = check(walk({ a: 'b c' }), { eventually: { c: at('c') } });
    expect(violation).toMatchObject({ kind: 'eventually', property: 'c', cycle: 2 });
    expect(labels(violation?.steps)).toEqual(['go ab']);
    expect(violation?.text).toContain('and there it stays: nothing more has to happen');
  });

  it('fails on a cycle, which is printed as a stem and what repeats', () => {
    const { violation } = check(walk({ a: 'b', b: 'c', c: 'b x' }), { eventually: { x: at('x') } });
    expect(violation?.text).toBe(
      [
        'eventually: x',
        'at first',
        '     walker: "a"',
        '  1. go ab',
        '     walker: b',
        '       walker was "a"',
        '       walker is  "b"',
        'and then for ever steps 2 to 3',
        '  2. go bc',
        '     walker: c',
        '       walker was "b"',
        '       walker is  "c"',
        '  3. go cb',
        '     walker: b',
        '       walker was "c"',
        '       walker is  "b"',
        'and so on: step 3 leads back to where step 2 began',
      ].join('\n'),
    );
  });

  it('fails though each state of the cycle was found before from elsewhere', () => {
    // the cycle d e is closed by an edge to a state that is long known by the short way through g
    const ways = { a: 'g b', g: 'd x', b: 'd', d: 'e x', e: 'd' };
    const { violation } = check(walk(ways), { eventually: { x: at('x') } });
    expect(labels(violation?.steps.slice((violation.cycle ?? 0) - 1))).toEqual(['go de', 'go ed']);
  });

  it('is not asked of states that come after it held', () => {
    // only behind c is a cycle
    expect(check(walk({ a: 'c', c: 'd', d: 'e', e: 'd' }), { eventually: { c: at('c') } })).toMatchObject({
      complete: true,
    });
  });

  it('is not judged by an incomplete search, which says so', () => {
    const result = check(walk({ a: 'b', b: 'a c' }), { eventually: { never: () => false }, maxStates: 1 });
    expect(result).toMatchObject({ complete: false, unjudged: ['never'] });
  });
});

describe('fairness', () => {
  /** Spins for ever beside a walker. */
  const besideSpinner = (ways: Readonly<Record<string, string>>) =>
    defineSystem({
      actors: { spinner: walker({ s: 't', t: 's' }, 's'), walker: walker(ways) },
      route: nothing,
    });

  it('does not let one actor starve another', () => {
    expect(check(besideSpinner({ a: 'b' }), { eventually: { b: at('b') } })).toMatchObject({
      complete: true,
    });
  });

  it('makes nobody count on faults', () => {
    const { violation } = check(besideSpinner({ a: '!b' }), { eventually: { b: at('b') } });
    expect(labels(violation?.steps)).toEqual(['go st', 'go ts']);
  });

  it('makes each move that stays possible, not only some move of the actor', () => {
    const idler = (ways: string) =>
      defineSystem({
        actors: {
          walker: model<string>({
            initial: 'a',
            step: (place, { type }) => ({ state: type === 'idle' ? place : type }),
            choices: (place) => (place === 'a' ? ways.split(' ').map((type) => ({ event: { type } })) : []),
          }),
        },
        route: nothing,
      });
    expect(check(idler('idle b'), { eventually: { b: at('b') } })).toMatchObject({ complete: true });
    expect(labels(check(idler('idle'), { eventually: { b: at('b') } }).violation?.steps)).toEqual([
      'walker gets idle',
    ]);
  });

  it('is weak: what is possible only now and then may be passed by for ever', () => {
    const { violation } = check(walk({ a: 'b x', b: 'a' }), { eventually: { x: at('x') } });
    expect(labels(violation?.steps)).toEqual(['go ab', 'go ba']);
  });

  it('holds for an actor that can always do something, whatever it is', () => {
    // Each label is possible only in every other state of the spinner, but the walker always has one.
    const hinted = (both: boolean) =>
      defineSystem({
        actors: {
          walker: model<{ place: string; hint: number }>({
            initial: { place: 'a', hint: 0 },
            step: ({ place, hint }, { type }) => ({
              state: type === 'go' ? { place: 'b', hint } : { place, hint: 1 - hint },
            }),
            choices: ({ place, hint }) =>
              place === 'a' && (both || hint === 0)
                ? [{ event: { type: 'go' }, label: `go by ${hint}` }]
                : [],
          }),
        },
        actions: { hint: { outputs: [{ tell: 'walker', event: { type: 'hint' } }], fault: false } },
        route: nothing,
      });
    const b = (view: View) => view.model<{ place: string }>('walker').place === 'b';
    expect(check(hinted(true), { eventually: { b } })).toMatchObject({ complete: true });
    expect(labels(check(hinted(false), { eventually: { b } }).violation?.steps)).toEqual(['hint', 'hint']);
  });

  it('lets faults come to an end, unless they recur', () => {
    const lossy = dialogue('patient', { lossy: true, capacity: 1 });
    expect(check(lossy, { eventually: { answered } })).toMatchObject({ complete: true });
    const { violation } = check(lossy, { eventually: { answered }, faults: 'recur' });
    expect(labels(violation?.steps.slice((violation.cycle ?? 0) - 1)).join()).toContain('loses');
  });

  it('does not help one who asks only once over a lossy channel', () => {
    const { violation } = check(dialogue('for ever', { lossy: true }), { eventually: { answered } });
    expect(labels(violation?.steps)).toEqual(['there loses question']);
    expect(check(dialogue('for ever', {}), { eventually: { answered } })).toMatchObject({ complete: true });
  });
});

describe('a property that must hold again and again', () => {
  const ways = { a: 'b', b: 'c', c: 'a' };
  it('fails where the run goes on without it, though it held before', () => {
    expect(check(walk(ways), { alwaysEventually: { a: at('a') } })).toMatchObject({ complete: true });
    const twin = walk({ ...ways, c: 'a b' });
    expect(check(twin, { eventually: { a: at('a') } })).toMatchObject({ complete: true });
    const { violation } = check(twin, { alwaysEventually: { a: at('a') } });
    expect(violation).toMatchObject({ kind: 'alwaysEventually', cycle: 2 });
    expect(labels(violation?.steps)).toEqual(['go ab', 'go bc', 'go cb']);
  });
});

describe('what one state leads to', () => {
  const asked = { 'b leads to d': { from: at('b'), to: at('d') } };
  it('is asked only where the cause holds', () => {
    expect(check(walk({ a: 'b z', b: 'c', c: 'd' }), { leadsTo: asked })).toMatchObject({ complete: true });
    const { violation } = check(walk({ a: 'b z', b: 'c', c: 'd e' }), { leadsTo: asked });
    expect(violation).toMatchObject({ kind: 'leadsTo', cycle: 4 });
    expect(labels(violation?.steps)).toEqual(['go ab', 'go bc', 'go ce']);
  });
});
