// Traces of toy systems: kept as JSON, made again in the same, a repaired and a changed system, and drawn.
import { setup } from 'xstate';
import { describe, expect, it } from 'vitest';
import {
  check,
  defineSystem,
  model,
  parseTrace,
  replay,
  toMermaidSequence,
  toTrace,
  type CheckOptions,
  type Message,
  type SystemDefinition,
  type Trace,
  type View,
} from '../../../src/checker/index.ts';
import { climber, dialogue, nothing } from './toys.ts';

const owed: CheckOptions = { noDeadlock: (view) => !view.actor('asker').in('done') };

function traceOf(system: SystemDefinition, options: CheckOptions = {}): Trace {
  const { violation } = check(system, options);
  if (violation === undefined) throw new Error('this system is not broken');
  return parseTrace(JSON.stringify(toTrace(violation, 'toy')));
}

const climbing = (top: number, leap: number) =>
  defineSystem({ actors: { climber: climber(top, leap) }, route: nothing });
const below = (limit: number): CheckOptions => ({
  always: { 'low enough': (view) => view.model<number>('climber') < limit },
});

const shouting = (on: Record<string, object>) =>
  defineSystem({
    actors: { deaf: { machine: setup({ types: {} as { events: { type: string } } }).createMachine({ on }) } },
    actions: { shout: { outputs: [{ tell: 'deaf', event: { type: 'noise' } }] } },
    route: nothing,
  });

/** Goes home, or into a hole; `ladder` says whether a way leads out. */
const walking = (ladder: boolean) =>
  defineSystem({
    actors: {
      walker: model<string>({
        initial: 'on the road',
        step: (_, { type }) => ({ state: type }),
        choices: (place) => {
          const ways =
            place === 'on the road' ? ['home', 'hole'] : place === 'hole' && ladder ? ['home'] : [];
          return ways.map((type) => ({ event: { type } }));
        },
      }),
    },
    route: nothing,
  });
const home: CheckOptions = { alwaysPossible: { home: (view) => view.model<string>('walker') === 'home' } };

describe('a trace', () => {
  it('says what was wrong, where it began and which moves led there, and is plain JSON', () => {
    expect(traceOf(climbing(2, 2), below(2))).toEqual({
      holdfast: 'trace',
      version: 1,
      system: 'toy',
      kind: 'always',
      property: 'low enough',
      parts: [{ name: 'climber', state: '0' }],
      steps: [
        {
          label: 'climb 2',
          nth: 0,
          exchanges: [{ to: 'climber', what: 'climb { by: 2 }' }],
          changes: [{ part: 'climber', before: '0', after: '2' }],
        },
      ],
    });
  });

  it('names who said what within a turn', () => {
    const echo = model<number>({
      initial: 0,
      step: (n, { type }) => ({
        state: n + 1,
        outputs: type === 'go' ? [{ tell: 'other', event: { type: 'ping' } }] : [],
      }),
    });
    const system = defineSystem({
      actors: { echo, other: echo },
      channels: { wire: {} },
      actions: { begin: { outputs: [{ send: { type: 'go' }, on: 'wire' }], budget: 'once' } },
      budgets: { once: 1 },
      route: nothing,
      deliver: (_, message: Message) => [{ to: 'echo', event: message }],
    });
    const { steps } = traceOf(system, { always: { quiet: (view) => view.model<number>('other') === 0 } });
    expect(steps.map(({ exchanges }) => exchanges)).toEqual([
      [{ to: 'wire', what: 'takes go' }],
      [
        { from: 'wire', to: 'echo', what: 'go' },
        { from: 'echo', to: 'other', what: 'ping' },
      ],
    ]);
  });

  it('that cannot be read is refused with what is wrong', () => {
    const good = traceOf(climbing(2, 2), below(2));
    const read = (changed: object) => () => parseTrace(JSON.stringify({ ...good, ...changed }));
    expect(() => parseTrace('{')).toThrow(/a trace is JSON, and this is not/);
    expect(() => parseTrace('[]')).toThrow(/no trace/);
    expect(read({ version: 9 })).toThrow(/version 9, and this program reads 1/);
    expect(read({ property: 3 })).toThrow(/does not say what was wrong/);
    expect(read({ parts: [{ name: 'x' }] })).toThrow(/which parts there are/);
    expect(read({ steps: [...good.steps, { label: 'climb 2' }] })).toThrow(
      /step 2 of the trace is incomplete/,
    );
    expect(read({})()).toEqual(good);
  });
});

/** Goes round for ever; with `exit` there is a way out that fairness leads to. */
const rounds = (exit: boolean) => {
  const ways: Record<string, string[]> = { a: ['b'], b: exit ? ['a', 'out'] : ['a'], out: [] };
  const walker = model<string>({
    initial: 'a',
    step: (_, { type }) => ({ state: type }),
    choices: (place) => (ways[place] ?? []).map((type) => ({ event: { type } })),
  });
  const bell = model<number>({
    initial: 0,
    step: () => ({ state: 0 }),
    choices: () => [{ event: { type: 'ring' } }],
  });
  return defineSystem({ actors: { walker, bell }, route: nothing });
};
const isAt = (place: string) => (view: View) => view.model<string>('walker') === place;

describe('a replay of a run that repeats for ever', () => {
  it('finds each kind of liveness violated again', () => {
    for (const options of [
      { eventually: { out: isAt('out') } },
      { alwaysEventually: { out: isAt('out') } },
      { leadsTo: { out: { from: isAt('b'), to: isAt('out') } } },
    ] satisfies CheckOptions[]) {
      const trace = traceOf(rounds(false), options);
      expect(trace.cycle).toBeGreaterThan(0);
      expect(replay(rounds(false), trace, options).verdict).toBe('violated');
      expect(toMermaidSequence(trace)).toContain('  loop for ever\n');
    }
  });

  it('is repaired when the property comes true on the way, or when staying on it is not fair', () => {
    const options = { eventually: { out: isAt('out') } };
    const trace = traceOf(rounds(false), options);
    expect(replay(rounds(false), trace, { eventually: { out: isAt('b') } }).verdict).toBe('holds');
    const { cycle, ...once } = trace;
    expect(cycle).toBe(1);
    const withoutBell = { ...trace, steps: trace.steps.filter(({ label }) => !label.includes('ring')) };
    expect(replay(rounds(false), withoutBell, options).verdict).toBe('holds');
    expect(replay(rounds(false), { ...once, steps: [] }, options).verdict).toBe('holds');
  });

  it('stays where nothing more has to happen', () => {
    const options = { alwaysEventually: { road: (view: View) => view.model('walker') === 'on the road' } };
    const trace = traceOf(walking(true), options);
    expect(trace.cycle).toBe(trace.steps.length + 1);
    expect(replay(walking(true), trace, options).verdict).toBe('violated');
    expect(toMermaidSequence(trace)).not.toContain('loop');
  });
});

describe('a replay', () => {
  it('finds each kind of violation again', () => {
    const lossy = dialogue('for ever', { lossy: true });
    expect(replay(climbing(9, 4), traceOf(climbing(9, 4), below(9)), below(9)).verdict).toBe('violated');
    expect(replay(lossy, traceOf(lossy, owed), owed).verdict).toBe('violated');
    expect(replay(lossy, traceOf(lossy, { noDeadlock: true })).verdict).toBe('violated');
    expect(replay(shouting({}), traceOf(shouting({}))).verdict).toBe('violated');
    expect(replay(walking(false), traceOf(walking(false), home), home).verdict).toBe('violated');
  });

  it('sees each kind repaired', () => {
    const patient = dialogue('patient', { lossy: true });
    const lost = traceOf(dialogue('for ever', { lossy: true }), owed);
    expect(replay(climbing(9, 4), traceOf(climbing(9, 4), below(9)), below(10)).verdict).toBe('holds');
    expect(replay(patient, lost, owed).verdict).toBe('holds');
    expect(replay(shouting({ noise: {} }), traceOf(shouting({}))).verdict).toBe('holds');
    expect(replay(walking(true), traceOf(walking(false), home), home).verdict).toBe('holds');
  });

  it('stops at the first step that is impossible and says what was possible instead', () => {
    const result = replay(climbing(9, 3), traceOf(climbing(9, 4), below(9)), below(9));
    const made = result.steps.map(({ label }) => label);
    expect(result).toMatchObject({ verdict: 'impossible', instead: ['climb 1', 'climb 3'] });
    expect(made.every((label) => label === 'climb 1')).toBe(true);
    expect(result.text).toContain('climb 4: NOT POSSIBLE ANY MORE');
    expect(result.text).toContain('       climb 3');
  });

  it('says where the system went elsewhere than when the trace was saved', () => {
    const trace = traceOf(climbing(4, 4), below(4));
    const changed = { ...trace, steps: trace.steps.map((step) => ({ ...step, changes: [] })) };
    expect(replay(climbing(4, 4), changed, below(4))).toMatchObject({
      verdict: 'violated',
      divergence: { step: 1, part: 'climber', recorded: 'unchanged', now: '4' },
    });
    expect(replay(climbing(4, 4), trace, below(4)).divergence).toBeUndefined();
  });

  it('tells moves with the same label apart', () => {
    const twoWays = model<string>({
      initial: 'here',
      step: (_, { type }) => ({ state: type }),
      choices: (place) =>
        (place === 'here' ? ['good', 'bad'] : []).map((type) => ({ event: { type }, label: 'go' })),
    });
    const system = defineSystem({ actors: { twoWays }, route: nothing });
    const good: CheckOptions = { always: { good: (view) => view.model<string>('twoWays') !== 'bad' } };
    const trace = traceOf(system, good);
    expect(trace.steps).toMatchObject([{ label: 'go', nth: 1 }]);
    expect(replay(system, trace, good).verdict).toBe('violated');
  });

  it('asks for the property that the trace is about', () => {
    const trace = traceOf(climbing(2, 2), below(2));
    expect(() => replay(climbing(2, 2), trace)).toThrow(/violates always 'low enough'.*there is none/);
    expect(() => replay(climbing(2, 2), trace, { always: { other: () => true } })).toThrow(
      /there are: 'other'/,
    );
  });
});

describe('a sequence diagram', () => {
  it('has a lifeline for each part that took part, a note for each step and an arrow for what one told another', () => {
    expect(toMermaidSequence(traceOf(dialogue('for ever', { lossy: true }), owed)).split('\n')).toEqual([
      'sequenceDiagram',
      '  title toy, deadlock: something is owed, and nothing can happen',
      '  participant p0 as there',
      '  Note over p0: 1. there loses question',
      '  Note over p0: violated: something is owed, and nothing can happen',
      '',
    ]);
  });

  it('crosses out what nobody expected', () => {
    expect(toMermaidSequence(traceOf(shouting({})))).toContain('Note over p0: 1. shout');
    const deaf = model<number>({ initial: 0, step: () => undefined });
    const system = defineSystem({
      actors: { deaf },
      channels: { wire: {} },
      actions: { shout: { outputs: [{ send: { type: 'a;b #1 <i>' }, on: 'wire' }] } },
      route: nothing,
      deliver: (_, message) => [{ to: 'deaf', event: message }],
    });
    const text = toMermaidSequence(traceOf(system));
    expect(text).toContain('p1-xp0: a#59;b #35;1 #60;i#62; (unexpected)');
  });
});
