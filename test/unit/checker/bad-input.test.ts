// Systems that cannot be explored: each ends soon, with an error that names the part, the state and the remedy.
// Invariant: beside each stands the same system with the remedy applied, and that one is explored.
import { assign, setup } from 'xstate';
import { describe, expect, it } from 'vitest';
import { check, defineSystem, model, type SystemDefinition, type View } from '../../../src/checker/index.ts';
import { climber, nothing, ticker } from './toys.ts';

const alone = (
  name: string,
  actor: SystemDefinition['actors'][string],
  more: Partial<SystemDefinition> = {},
) => defineSystem({ actors: { [name]: actor }, route: nothing, ...more });

describe('a system that grows without bound', () => {
  it('is an actor that counts: named with its local states, the newest one and the way there', () => {
    const counting = (limit?: number) =>
      alone('counter', { machine: ticker('count', limit) }, { maxLocalStates: 500 });
    expect(() => check(counting())).toThrow(
      /^counter \(machine ticker\) seems to grow without bound: it has 501 local states, and maxLocalStates is 500; the newest is ticking \(count 500\).*Bound what it counts.*\nafter 499 steps\n.*\n499\. tick of counter runs out\nin the state\n {5}counter: ticking/s,
    );
    expect(check(counting(400))).toMatchObject({ complete: true, states: 401 });
  });

  it('is found within 100 000 local states when nobody says otherwise', () => {
    const endless = alone('counter', climber(Infinity, 2));
    expect(() => check(endless)).toThrow('counter seems to grow without bound: it has 100001 local states');
  });

  it('is an actor that collects: named by the size of its state, before memory runs out', () => {
    const collecting = (most: number) =>
      alone(
        'collector',
        model<readonly string[]>({
          initial: [],
          step: (all) => ({ state: [...all, `item number ${all.length}`.repeat(9)].slice(-most) }),
          choices: () => [{ event: { type: 'more' } }],
        }),
      );
    expect(() => check(collecting(Infinity))).toThrow(
      /^collector seems to grow without bound: a local state of it takes 32\d{3} characters/,
    );
    expect(check(collecting(3))).toMatchObject({ complete: true });
  });

  it('is one that collects small things, found by how often it grew', () => {
    const counting = (most: number) =>
      alone(
        'list',
        model<readonly number[]>({
          initial: [],
          step: (all) => ({ state: all.length < most ? [...all, all.length] : [] }),
          choices: () => [{ event: { type: 'more' } }],
        }),
      );
    expect(() => check(counting(Infinity))).toThrow(
      /^list seems to grow without bound: 1000 of its local states were each longer than all before; .*\nafter 999 steps/,
    );
    expect(check(counting(900))).toMatchObject({ complete: true, states: 901 });
  });

  it('is a channel into which more is sent than arrives: named with what it holds', () => {
    const flooding = (lossy: boolean) =>
      alone(
        'source',
        { machine: ticker('count', 1) },
        {
          channels: { wire: { capacity: 3, lossy } },
          route: () => [{ send: { type: 'drop' }, on: 'wire' }],
          deliver: () => [],
        },
      );
    expect(() => check(flooding(false))).toThrow(
      /^channel wire holds 3 messages \(drop; drop; drop\); raise its capacity or bound what is sent\nafter 3 steps/,
    );
    expect(check(flooding(true))).toMatchObject({ complete: true });
  });
});

describe('a machine that cannot be compared or never rests', () => {
  const holding = (held: unknown) =>
    setup({
      types: {} as { context: { held: unknown }; events: { type: 'take' } },
      actions: { take: assign({ held: () => held }) },
    }).createMachine({
      id: 'holder',
      context: { held: 0 },
      initial: 'empty',
      states: { empty: { on: { take: { target: 'full', actions: 'take' } } }, full: { on: { take: {} } } },
    });
  const take = { outputs: [{ tell: 'keeper', event: { type: 'take' } }] };
  const keeping = (held: unknown) => alone('keeper', { machine: holding(held) }, { actions: { take } });

  it('has a function, a promise or a class in its context: named with machine, state, field and way', () => {
    expect(() => check(keeping(() => 1))).toThrow(
      /^machine holder in "full": the context of keeper\.held is not plain data \(a function\); keep only plain .*\nat first, in the state\n {5}keeper: empty/s,
    );
    expect(() => check(keeping(Promise.resolve()))).toThrow(
      'keeper.held is not plain data (an instance of Promise)',
    );
    expect(() => check(keeping({ deep: new Map() }))).toThrow(
      'keeper.held.deep is not plain data (an instance of Map)',
    );
    expect(check(keeping({ deep: [1, 'text', null] }))).toMatchObject({ complete: true, states: 2 });
  });

  it('holds itself in its context', () => {
    const loop: { self?: unknown } = {};
    loop.self = loop;
    expect(() => check(keeping(loop))).toThrow(
      /the context of keeper\.held\.self.*holds itself; keep it flat/s,
    );
  });

  const restless = (guarded: boolean) => {
    const swing = guarded ? { guard: 'never' as const } : {};
    return setup({ types: {} as { events: { type: 'go' } }, guards: { never: () => false } }).createMachine({
      id: 'swing',
      initial: 'still',
      states: {
        still: { on: { go: 'left' } },
        left: { always: { target: 'right', ...swing }, on: { go: {} } },
        right: { always: { target: 'left', ...swing }, on: { go: {} } },
      },
    });
  };
  const go = { outputs: [{ tell: 'child', event: { type: 'go' } }] };

  it('has an `always` loop: named with machine, event, state and remedy', () => {
    const system = (guarded: boolean) => alone('child', { machine: restless(guarded) }, { actions: { go } });
    expect(() => check(system(false))).toThrow(
      /^machine swing of child failed on go: Error: machine swing does not come to rest: after 10000 microsteps it is in "(left|right)"; give its `always` or raised events a guard that ends them/,
    );
    expect(check(system(true))).toMatchObject({ complete: true, states: 2 });
  });
});

describe('a property or a function of the system that throws', () => {
  const walking = alone('walker', climber(3, 2));
  const height = (view: View) => view.model<number>('walker');
  const careless = (view: View) => {
    if (height(view) === 3) throw new TypeError('no such height');
    return true;
  };

  it('is no verdict: the property is named, with the state in which it threw and the way there', () => {
    expect(() => check(walking, { always: { careless } })).toThrow(
      /^the property 'careless' \(always\) threw TypeError: no such height; a property must answer true or false in every state\nafter 2 steps\n {2}1\. climb \d\n {2}2\. climb \d\nin the state\n {5}walker: 3/,
    );
    const owed = (view: View) => view.actor('walker').in('x');
    expect(() => check(walking, { noDeadlock: owed })).toThrow(
      /\(noDeadlock\) threw .*'walker' is no machine actor/,
    );
    const neverSure = (view: View) => !careless(view);
    for (const kind of ['alwaysPossible', 'eventually', 'sometimes'] as const)
      expect(() => check(walking, { [kind]: { careless: neverSure } })).toThrow(
        /'careless' .*in the state\n {5}walker: 3/s,
      );
    expect(check(walking, { always: { careful: (view) => height(view) <= 3 } })).toMatchObject({
      complete: true,
    });
  });

  it('is named in a simulation too', () => {
    expect(() => check(walking, { mode: 'simulation', always: { careless } })).toThrow(
      /the property 'careless'.*in the state\n {5}walker: 3/s,
    );
  });

  it('is a model: named with the event and its state', () => {
    const broken = model<number>({
      initial: 7,
      step: () => {
        throw new RangeError('too far');
      },
      choices: () => [{ event: { type: 'step' } }],
    });
    expect(() => check(alone('broken', broken))).toThrow(
      /^the model broken failed on step in 7: RangeError: too far/,
    );
  });

  it('is an effect that nobody mapped: named with actor, machine, state and remedy', () => {
    const machine = ticker('count', 2);
    const system = (route: SystemDefinition['route']) => alone('clock', { machine }, { route });
    expect(() => check(system(() => undefined))).toThrow(
      /^nobody routes effect 'announce' of clock \(machine ticker\) on its way to "ticking"; let route answer \[\] .*\nat first, in the state\n {5}clock: ticking/s,
    );
    expect(check(system(() => []))).toMatchObject({ complete: true });
  });
});

describe('a definition that cannot be meant, written without TypeScript', () => {
  const machine = ticker('count', 2);
  const refused = (definition: object) => () => defineSystem(definition as SystemDefinition);
  const actors = { clock: { machine } };
  const stop = { outputs: [{ stop: 'clock' }] };

  it('has a field, or lacks one, or holds a machine where an actor belongs: named with what is right', () => {
    expect(refused({ actors, route: nothing, action: { stop } })).toThrow(
      /^a system has no field 'action'; it has actors, channels, .*actions/,
    );
    expect(refused({ actors })).toThrow('a system needs `route`');
    expect(refused({ actors: { clock: machine }, route: nothing })).toThrow(
      "actor 'clock' is a machine itself; write { machine: … } around it",
    );
    expect(refused({ actors: { clock: { machine: machine.config } }, route: nothing })).toThrow(
      "the machine of actor 'clock' is an object, none of XState v5",
    );
    expect(refused({ actors: { clock: { initial: 0 } }, route: nothing })).toThrow(
      "actor 'clock' has neither a machine nor `initial` and `step`",
    );
    expect(refused({ actors, route: nothing, actions: { stop } })()).toBeTruthy();
  });

  it('leads to something that is no output, or to no event', () => {
    const acting = (outputs: unknown) => refused({ actors, route: nothing, actions: { act: { outputs } } });
    expect(acting({ stop: 'clock' })).toThrow(
      "what action 'act' leads to is an object; give a list of outputs",
    );
    expect(acting([{ halt: 'clock' }])).toThrow(/'act' leads to \{ halt \}; an output has one of tell, send/);
    expect(acting([{ tell: 'clock' }])).toThrow("the event that action 'act' tells is undefined, no event");
    const routing = (outputs: unknown) => () =>
      check(alone('clock', { machine }, { route: () => outputs as [] }));
    expect(routing({ stop: 'clock' })).toThrow(/^what clock leads to is an object/);
    const arriving = (choices: unknown) => () =>
      check(
        alone(
          'clock',
          { machine },
          {
            channels: { wire: { lossy: true } },
            route: () => [{ send: { type: 'drop' }, on: 'wire' }],
            deliver: () => choices as [],
          },
        ),
      );
    expect(arriving({ to: 'clock' })).toThrow(/^deliver answers no list for drop on wire; answer a list/);
    expect(arriving([{ event: { type: 'x' } }])).toThrow(/^deliver does not say to whom drop on wire goes/);
    expect(arriving([])()).toMatchObject({ complete: true });
  });

  it('has properties that nobody would check', () => {
    const checking = (options: object) => () => check(alone('clock', { machine }), options);
    expect(checking({ allways: { fine: () => true } })).toThrow(
      /^a check has no field 'allways'; it has always,/,
    );
    expect(checking({ always: () => true })).toThrow("always is a function; write { 'name of the property'");
    expect(checking({ always: { fine: true } })).toThrow("the property 'fine' (always) is a boolean");
    expect(checking({ leadsTo: { fine: () => true } })).toThrow(
      "'fine' (leadsTo) is a function; write { from:",
    );
    const answering = (fine: () => unknown) => checking({ always: { fine } });
    expect(answering(() => undefined)).toThrow(/^the property 'fine' \(always\) answered undefined; it must/);
    expect(answering(async () => false)).toThrow('answered a promise');
    expect(answering(() => true)()).toMatchObject({ complete: true });
  });
});

describe('a machine that does not split its context', () => {
  interface Counted {
    readonly count: number;
    readonly seen: readonly number[];
    readonly at: Date;
  }
  const counting = setup({
    types: {} as { context: Counted; events: { type: 'tick' } },
    actions: {
      count: assign({
        count: ({ context }) => (context.count + 1) % 3,
        seen: ({ context }) => [...context.seen, context.seen.length],
        at: ({ context }) => new Date(context.at.getTime() + 1),
      }),
    },
    guards: { isLast: ({ context }) => context.count === 2 },
  }).createMachine({
    id: 'counting',
    context: { count: 0, seen: [], at: new Date(0) },
    initial: 'on',
    states: {
      on: { on: { tick: [{ guard: 'isLast', target: 'off', actions: 'count' }, { actions: 'count' }] } },
      off: { on: { tick: 'on' } },
    },
  });
  const tick = { outputs: [{ tell: 'it', event: { type: 'tick' } }] };
  const system = (projection?: readonly (keyof Counted | 'cuont')[]) =>
    alone(
      'it',
      { machine: counting, ...(projection === undefined ? {} : { projection }) },
      { actions: { tick } },
    );

  it('is compared, and seen by properties, as its projection says, whatever else is in it', () => {
    expect(() => check(system())).toThrow(/at is not plain data .*can be left out by a `projection`$/);
    expect(() => check(system(['count', 'seen']))).toThrow(/seems to grow.*out of the `projection`/s);
    const views = new Set<string>();
    const collect = (view: View) => views.add(JSON.stringify(view.actor('it').control)).size > 0;
    const result = check(system(['count']), { always: { collect } });
    expect(result).toMatchObject({ complete: true, states: 4 });
    expect([...views]).toEqual(['{"count":0}', '{"count":1}', '{"count":2}']);
  });

  it('names a field of a projection that is not there', () => {
    expect(() => check(system(['cuont']))).toThrow(
      "the projection of it (machine counting) names 'cuont', which its first context has not; it has count, seen, at",
    );
  });
});

describe('what a person reads first', () => {
  it('is a machine with a child actor: named with machine, state and remedy', () => {
    const parent = setup({ actors: { child: ticker('count', 2) } }).createMachine({
      id: 'parent',
      initial: 'alone',
      states: { alone: { on: { go: 'together' } }, together: { invoke: { src: 'child', id: 'kid' } } },
    });
    const go = { outputs: [{ tell: 'it', event: { type: 'go' } }] };
    expect(() => check(alone('it', { machine: parent }, { actions: { go } }))).toThrow(
      /^it \(machine parent\) has a child actor 'kid' in "together"; give it a machine and a name of its own/,
    );
  });

  it('is an event that nobody expects, with how to ignore it', () => {
    const deaf = setup({}).createMachine({ id: 'deaf', initial: 'a', states: { a: {} } });
    const go = { outputs: [{ tell: 'it', event: { type: 'go' } }] };
    expect(check(alone('it', { machine: deaf }, { actions: { go } })).violation?.text).toMatch(
      /handle it there, or ignore it on purpose: 'go': \{\} in a machine/,
    );
  });
});
