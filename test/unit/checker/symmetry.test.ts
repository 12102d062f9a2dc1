// Alike actors: how many states are left, that nothing is missed, and that what is not alike is refused.
import { setup } from 'xstate';
import { describe, expect, it } from 'vitest';
import {
  check,
  defineSystem,
  inNameOrder,
  model,
  replay,
  toTrace,
  type CheckOptions,
  type Message,
  type SystemDefinition,
  type View,
} from '../../../src/checker/index.ts';
import { nothing } from './toys.ts';

/** Each switch is off, on or broken; a text is the name of the switch that was turned last. */
const switches = (names: readonly string[], changes: Partial<SystemDefinition> = {}) => {
  const one = () =>
    model<string>({
      initial: 'off',
      step: (_, { type }) => ({ state: type }),
      choices: (state) =>
        state === 'off'
          ? [{ event: { type: 'on' } }, { event: { type: 'broken' }, fault: true }]
          : state === 'on'
            ? [{ event: { type: 'off' } }]
            : [],
    });
  return defineSystem({
    actors: Object.fromEntries(names.map((name) => [name, one()])),
    route: nothing,
    symmetry: [names],
    ...changes,
  });
};
const ABC = ['a', 'b', 'c'];
const statesOf = (view: View, names: readonly string[]) => names.map((name) => view.model<string>(name));

/** Who asked, remembers the name; the newest asker's name is in the message, in the memory and in the answer. */
const desk = (names: readonly string[], memory: 'newest' | 'all', arrange = inNameOrder()) => {
  const customer = setup({
    types: {} as { events: { type: 'answer'; to: string } },
    actions: { ask: () => {} },
    delays: { patience: 1 },
  }).createMachine({
    initial: 'waiting',
    states: {
      waiting: { after: { patience: 'asking' } },
      asking: { entry: 'ask', on: { answer: 'waiting' } },
    },
    on: { answer: {} },
  });
  const clerk = model<readonly string[]>({
    initial: [],
    step: (served, { who }) => ({
      state: memory === 'newest' ? [who as string] : [...new Set([...served, who as string])].sort(),
      outputs: [{ send: { type: 'answer', to: who }, on: 'back' }],
    }),
  });
  const channel = { order: 'unordered', lossy: true, capacity: 2 } as const;
  return defineSystem({
    actors: {
      ...Object.fromEntries(names.map((name) => [`customer ${name}`, { machine: customer }])),
      clerk,
    },
    channels: { there: channel, back: channel },
    route: (actor) => [{ send: { type: 'question', who: actor.split(' ')[1] }, on: 'there' }],
    deliver: (on, message) =>
      on === 'there'
        ? [{ to: 'clerk', event: message }]
        : [{ to: `customer ${message['to'] as string}`, event: message }],
    symmetry: { groups: [names], arrange },
  });
};

/** How many orbits the full search meets, by their least description over all ways to exchange the names. */
function orbitsOf(
  system: SystemDefinition,
  names: readonly string[],
  describeState: (view: View) => unknown,
): number {
  const orders = permutationsOf(names);
  const orbits = new Set<string>();
  const collect = (view: View) => {
    const text = JSON.stringify(describeState(view));
    const all = orders.map((order) =>
      JSON.stringify(
        sorted(
          JSON.parse(text.replace(/"([abcd])"/g, (_, name: string) => `"${order[names.indexOf(name)]}"`)),
        ),
      ),
    );
    orbits.add(all.toSorted()[0]!);
    return true;
  };
  expect(check(system, { symmetry: false, always: { collect } }).complete).toBe(true);
  return orbits.size;
}
const sorted = (lists: unknown[][]) => lists.map((list) => list.map((item) => JSON.stringify(item)).sort());
const permutationsOf = (names: readonly string[]): string[][] =>
  names.length < 2
    ? [[...names]]
    : names.flatMap((name) =>
        permutationsOf(names.filter((other) => other !== name)).map((rest) => [name, ...rest]),
      );

describe('alike actors', () => {
  it('leave one state for each number of switches in each position', () => {
    expect(check(switches(ABC), { symmetry: false })).toMatchObject({ states: 27, complete: true });
    // three of three kinds, in any order: 5 over 3
    expect(check(switches(ABC))).toMatchObject({ states: 10, complete: true });
  });

  it('are exchanged in messages, contexts and states, exactly one state for each orbit', () => {
    for (const memory of ['newest', 'all'] as const) {
      const system = desk(ABC, memory);
      const orbits = orbitsOf(system, ABC, (view) => [
        ABC.map((name) => [name, view.actor(`customer ${name}`).leaves]),
        view.model<string[]>('clerk'),
        view.channel('there').map(({ who }) => who),
        view.channel('back').map(({ to }) => to),
      ]);
      const reduced = check(system);
      expect([reduced.complete, reduced.states]).toEqual([true, orbits]);
      expect(reduced.states * 4).toBeLessThan(check(system, { symmetry: false }).states);
    }
  });

  it('that are many are reduced in part, and nothing is missed', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    // six of three kinds, in any order: 8 over 2
    expect(check(switches(names))).toMatchObject({ states: 28, complete: true });
    const someOn = {
      always: {
        'not four on': (view: View) => statesOf(view, names).filter((one) => one === 'on').length < 4,
      },
    };
    expect(check(switches(names), someOn).violation?.steps).toHaveLength(4);
  });

  it('may be of several groups', () => {
    const system = switches(['a', 'b', 'c', 'd'], {
      symmetry: [
        ['a', 'b'],
        ['c', 'd'],
      ],
    });
    // two of three kinds, twice
    expect(check(system)).toMatchObject({ states: 36, complete: true });
  });

  it('may have budgets and actions of their own', () => {
    const system = (symmetry: boolean) =>
      check(
        switches(['a', 'b'], {
          actions: Object.fromEntries(
            ['a', 'b'].map((name) => [
              `someone kicks ${name}`,
              { outputs: [{ tell: name, event: { type: 'broken' } }], budget: `kicks of ${name}` },
            ]),
          ),
          budgets: { 'kicks of a': 1, 'kicks of b': 1 },
        }),
        { symmetry },
      ).states;
    // each: off, on or broken with its kick left, or broken by it
    expect([system(false), system(true)]).toEqual([16, 10]);
  });

  it('may number epochs each for themselves', () => {
    const dialler = model<{ epoch: number; knownEpoch: number }>({
      initial: { epoch: 0, knownEpoch: 0 },
      step: (state, { type }) => ({
        state: type === 'dial' ? { ...state, epoch: state.epoch + 1 } : { ...state, knownEpoch: state.epoch },
      }),
      choices: () => [{ event: { type: 'dial' } }, { event: { type: 'note' } }],
    });
    const system = defineSystem({
      actors: { 'node a': dialler, 'node b': dialler },
      route: nothing,
      epochFamily: (_field, _holder, part) => part,
      symmetry: [['a', 'b']],
    });
    // each: none; dialled; noted; dialled again after noting
    expect(check(system, { symmetry: false }).states).toBe(16);
    expect(check(system).states).toBe(10);
  });
});

describe('a verdict on alike actors', () => {
  it('is a run of the full system that leads to the violation', () => {
    const names = ['a', 'b', 'c', 'd'];
    const options: CheckOptions = {
      always: { 'not all broken': (view) => statesOf(view, names).some((state) => state !== 'broken') },
    };
    const { violation } = check(switches(names), options);
    expect(violation?.steps).toHaveLength(4);
    expect(replay(switches(names), toTrace(violation!, 'switches'), options)).toMatchObject({
      verdict: 'violated',
    });
    expect(new Set(violation?.steps.map(({ label }) => label)).size).toBe(4);
  });

  it('is the same with and without the reduction for traps and deadlocks', () => {
    const options: CheckOptions = {
      alwaysPossible: { 'all on': (view) => statesOf(view, ABC).every((state) => state === 'on') },
    };
    const deadlock: CheckOptions = { noDeadlock: (view) => statesOf(view, ABC).includes('broken') };
    for (const properties of [options, deadlock]) {
      const [full, reduced] = [false, true].map((symmetry) =>
        check(switches(ABC), { ...properties, symmetry }),
      );
      expect(reduced?.violation?.kind).toBe(full?.violation?.kind);
      expect(reduced?.violation?.steps.length).toBe(full?.violation?.steps.length);
      expect(reduced?.violation).toBeDefined();
    }
  });

  it('is no deadlock where alike actors pass on what one of them has', () => {
    const holder = (first: boolean, other: string) =>
      model<string>({
        initial: first ? 'has it' : 'waits',
        step: (_, { type }) =>
          type === 'give'
            ? { state: 'waits', outputs: [{ tell: other, event: { type: 'take' } }] }
            : { state: 'has it' },
        choices: (state) => (state === 'has it' ? [{ event: { type: 'give' } }] : []),
      });
    const system = defineSystem({
      actors: { a: holder(true, 'b'), b: holder(false, 'a') },
      route: nothing,
      symmetry: [['a', 'b']],
    });
    const reduced = check(system, { noDeadlock: () => true });
    expect(reduced).toEqual({ states: 1, generated: 1, depth: 0, complete: true });
    expect(check(system, { noDeadlock: () => true, symmetry: false }).states).toBe(2);
  });
});

describe('what is not alike is refused:', () => {
  const refused = (changes: Partial<SystemDefinition>, options?: CheckOptions) => () =>
    check(switches(['a', 'b'], changes), options);

  it('an actor that does something else', () => {
    const other = model<string>({ initial: 'off', step: (state) => ({ state }) });
    expect(refused({ actors: { ...switches(['a', 'b']).actors, b: other } })).toThrow(
      /a and b are declared to be alike, but exchanging them changes what [ab] may do in "off"/,
    );
  });

  it('an actor that answers otherwise, late', () => {
    const counter = (top: number) =>
      model<number>({
        initial: 0,
        step: (count) => ({ state: Math.min(top, count + 1) }),
        choices: () => [{ event: { type: 'count' } }],
      });
    expect(refused({ actors: { a: counter(5), b: counter(4) } })).toThrow(
      /declared to be alike, but [ab] in [45] hears .*, and what follows changes when they are exchanged/,
    );
  });

  it('another machine', () => {
    const machine = () => setup({}).createMachine({});
    expect(refused({ actors: { a: { machine: machine() }, b: { machine: machine() } } })).toThrow(
      /not the same machine/,
    );
  });

  it('an action, a budget or a part that has no like', () => {
    const kick = { outputs: [{ tell: 'a', event: { type: 'broken' } }] };
    expect(refused({ actions: { kick } })).toThrow(
      /exchanging them changes the actions: kick\. Against: kick/,
    );
    expect(refused({ budgets: { 'kicks of a': 1 } })).toThrow(
      /there is a budget 'kicks of a' and none 'kicks of b'/,
    );
    expect(refused({ budgets: { 'kicks of a': 1, 'kicks of b': 2 } })).toThrow(/allow different numbers/);
    expect(() => check(switches(['a', 'b'], { symmetry: [['a', 'c']] }))).toThrow(
      /there is a part 'a' and none 'c'/,
    );
  });

  it('a list whose order tells who came first, where `arrange` says that it does not', () => {
    const queue = model<readonly string[]>({
      initial: [],
      step: (list, event: Message) => ({ state: [...list, event['who'] as string].slice(-2) }),
      choices: () => ['a', 'b'].map((who) => ({ event: { type: 'come', who } })),
    });
    const actors = { ...switches(['a', 'b']).actors, queue };
    expect(check(switches(['a', 'b'], { actors })).complete).toBe(true);
    expect(refused({ actors, symmetry: { groups: [['a', 'b']], arrange: inNameOrder() } })).toThrow(
      /exchanging a and b twice in \["b","a"\] of queue does not give it back|declared to be alike/,
    );
  });

  it('a property that tells one from the other', () => {
    const property = (view: View) => view.model('a') !== 'broken';
    for (const options of [
      { always: { property } },
      { sometimes: { property } },
      { alwaysPossible: { property } },
      { noDeadlock: property },
    ])
      expect(refused({}, options)).toThrow(/tells a from b, which the system declares to be alike/);
    expect(refused({}, { always: { property }, symmetry: false })().violation?.property).toBe('property');
  });

  it('a group of one, and a name in two groups', () => {
    expect(refused({ symmetry: [['a']] })).toThrow(/it takes two names or more/);
    expect(
      refused({
        symmetry: [
          ['a', 'b'],
          ['b', 'a'],
        ],
      }),
    ).toThrow(/names 'b' twice|names 'a' twice/);
  });
});
