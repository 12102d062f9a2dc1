// What a test model understands of a machine, and that a system which is wrong in just that place is caught.
import { assign, createMachine, raise, sendTo, type AnyStateMachine } from 'xstate';
import { describe, expect, test } from 'vitest';
import { actorSut, createTestModel, pairwise, type TestModelOptions } from '../../../../src/testing/index.ts';
import { broken, failures, runBroken } from './broken.ts';
import { alarm, counter, form, inline, player, wizard } from './machines.ts';

const formOptions: TestModelOptions = {
  events: { typed: [{ value: '' }, { value: 'x' }] },
  scripts: { loadUser: [{ output: { name: 'Ada' } }, { error: new Error('gone') }] },
};
const inlineOptions: TestModelOptions = {
  scripts: {
    question: [{ output: 42 }, { output: 7 }, { error: new Error('deaf') }],
    radio: [{ event: { type: 'heard' } }],
    worker: [{ output: undefined }, { event: { type: 'started' } }],
  },
};

const described = (machine: AnyStateMachine, options: TestModelOptions = {}): string[] =>
  createTestModel(machine, options)
    .getPaths()
    .map(({ description }) => description);

describe('every machine is covered, and agrees with its own model when XState runs it', () => {
  const machines: [AnyStateMachine, TestModelOptions][] = [
    [form, formOptions],
    [player, {}],
    [wizard, {}],
    [counter, {}],
    [inline, inlineOptions],
    [alarm, { events: { rang: [], blinked: [] }, maxDepth: 6 }],
  ];
  for (const [machine, options] of machines) {
    for (const coverage of ['states', 'transitions', 'transition-pairs'] as const) {
      test(`${machine.id}, ${coverage}`, async () => {
        const model = createTestModel(machine, { ...options, coverage });
        const plan = model.plan();
        expect(plan.coverage.uncovered).toEqual([]);
        expect(plan.coverage.states.covered).toBe(plan.coverage.states.total);
        for (const path of plan.paths) await model.testPath(path, actorSut(machine));
        expect(model.coverage(plan.paths).text).toBe(plan.coverage.text);
      });
    }
  }
});

describe('delays', () => {
  test('time is a step of its own, and a delay that ends first comes first', () => {
    const [first, second] = described(player, { coverage: 'transition-pairs' }).toReversed();
    expect([first, second].join()).toContain('wait 100 ms (100 ms)');
    const model = createTestModel(player);
    const [path] = model.getPathsFromEvents([
      { type: 'hidden' },
      { type: 'muted' },
      { wait: '100 ms' },
      { wait: 150 },
    ]);
    expect(path.steps.map(({ label }) => label)).toEqual([
      'start',
      'hidden',
      'muted',
      'wait 100 ms (100 ms)',
      'wait 150 ms (250 ms)',
    ]);
    expect(() =>
      model.getPathsFromEvents([{ type: 'hidden' }, { type: 'muted' }, { wait: '250 ms' }]),
    ).toThrow(/the next delay to end is 100 ms, not 250 ms/);
  });

  test('delays that end together are one step', () => {
    const twins = createMachine({
      type: 'parallel',
      states: {
        a: { initial: 'x', states: { x: { after: { 10: 'y' } }, y: {} } },
        b: { initial: 'x', states: { x: { after: { 10: 'y' } }, y: {} } },
      },
    });
    expect(described(twins)).toEqual(['reaches a.y, b.y: wait 10 ms (10 ms + 10 ms)']);
  });

  test('a budget runs out although a shorter delay repeats', async () => {
    const gate = createMachine({
      id: 'gate',
      initial: 'paused',
      states: {
        paused: {
          after: { 1_000: 'over' },
          initial: 'tick',
          states: { tick: { after: { 300: { target: 'tick', reenter: true } } } },
        },
        over: { type: 'final' },
      },
    });
    expect(described(gate).at(-1)).toBe(
      'reaches over: wait 300 ms (300 ms) → wait 300 ms (300 ms) → wait 300 ms (300 ms) → wait 100 ms (1000 ms)',
    );
    expect(await failures(gate, actorSut(gate))).toEqual([]);
    expect(await runBroken(gate, 'states/paused/after', { 1_200: 'over' })).not.toEqual([]);
  });

  test('a delayed raise is one, and a cancelled one never comes', async () => {
    const model = createTestModel(alarm);
    expect(() =>
      model.getPathsFromEvents([
        { type: 'armed' },
        { type: 'disarmed' },
        { wait: 'blinked' },
        { wait: 'ring' },
      ]),
    ).toThrow(/no delay runs, not ring/);
    const found = await runBroken(alarm, 'states/on/on/disarmed/actions', undefined);
    expect(found).toEqual([]); // the forgotten alarm rings in `off`, which does not listen: the same states
  });

  test('a delay that is too short or too long is caught', async () => {
    expect(await runBroken(player, 'states/picture/states/gone/after', { 90: 'back' })).not.toEqual([]);
    expect(await runBroken(player, 'states/sound/states/off/after', { 400: 'on' })).not.toEqual([]);
    expect(
      await failures(form, actorSut(form.provide({ delays: { debounce: 301 } })), formOptions),
    ).not.toEqual([]);
  });
});

describe('invoked actors', () => {
  test('a promise is scripted, its input computed, its outcomes tried wherever it runs', () => {
    expect(described(form, formOptions)).toEqual([
      "reaches editing.ready: typed { value: '' } → wait 300 ms (debounce)",
      "reaches saved: typed { value: 'x' } → submitted → loadUser: done { name: 'Ada' }",
      "reaches failed: typed { value: 'x' } → submitted → wait 5000 ms (5000 ms)",
      'reaches editing.idle: typed { value: \'x\' } → submitted → loadUser: fails with Error("gone") → reset',
    ]);
  });

  test('what comes of an outcome is caught', async () => {
    expect(await runBroken(form, 'states/loading/invoke/onError', 'editing', formOptions)).not.toEqual([]);
    expect(await runBroken(form, 'states/loading/invoke/onDone/target', 'failed', formOptions)).not.toEqual(
      [],
    );
    expect(await runBroken(inline, 'states/working/invoke/onDone', 'lost', inlineOptions)).not.toEqual([]);
    expect(await runBroken(inline, 'states/listening/on/heard/target', 'asking', inlineOptions)).not.toEqual(
      [],
    );
    const deaf = broken(inline, 'states/asking/invoke/onDone/guard', () => true);
    const all = { ...inlineOptions, coverage: 'transition-pairs' as const };
    const model = createTestModel(inline, all);
    // An outcome that no guard lets through is no step of a path: it is written down, and then tested.
    const [path] = model.getPathsFromEvents([{ actor: 'question', output: 7 }]);
    await model.testPath(path, actorSut(inline));
    await expect(model.testPath(path, actorSut(deaf))).rejects.toThrow(/states\['\*'\] failed/);
  });

  test('an error that nobody handles ends the machine', async () => {
    const careless = createMachine({
      id: 'careless',
      initial: 'a',
      states: { a: { invoke: { src: 'work', onDone: 'b' } }, b: {} },
    });
    const options: TestModelOptions = { scripts: { work: [{ output: 1 }, { error: new Error('no') }] } };
    expect(described(careless, options)).toEqual([
      'reaches b: work: done 1',
      'reaches error: work: fails with Error("no")',
    ]);
    expect(await failures(careless, actorSut(careless), options)).toEqual([]);
    expect(
      await runBroken(careless, 'states/a/invoke', { src: 'work', onDone: 'b', onError: 'b' }, options),
    ).not.toEqual([]);
  });

  test('an actor answers once for each life', () => {
    const model = createTestModel(inline, inlineOptions);
    const asked = { actor: 'question', output: 42 };
    expect(() => model.getPathsFromEvents([{ actor: 'question', output: 7 }, asked])).toThrow(
      /no actor question runs/,
    );
    const again = [asked, { type: 'heard' }, { actor: 'worker', output: undefined }, asked];
    expect(model.getPathsFromEvents(again)[0].state.value).toBe('listening');
  });

  test('snapshots of an actor are outcomes too', async () => {
    const watcher = createMachine({
      id: 'watcher',
      initial: 'watching',
      states: {
        watching: {
          invoke: {
            src: 'feed',
            onSnapshot: {
              guard: ({ event }) => (event.snapshot as { context?: unknown }).context === 2,
              target: 'seen',
            },
          },
        },
        seen: {},
      },
    });
    const options: TestModelOptions = { scripts: { feed: [{ snapshot: 1 }, { snapshot: 2 }] } };
    expect(described(watcher, options)).toEqual(['reaches seen: feed: reports 2']);
    expect(await failures(watcher, actorSut(watcher), options)).toEqual([]);
    expect(
      await runBroken(watcher, 'states/watching/invoke/onSnapshot/guard', () => false, options),
    ).not.toEqual([]);
  });
});

describe('guards, context and event cases', () => {
  test('a guard that lets nothing or everything through is caught', async () => {
    for (const filled of [() => true, () => false]) {
      const wrong = form.provide({ guards: { filled } });
      const model = createTestModel(form, formOptions);
      const [empty] = model.getPathsFromEvents([{ type: 'typed', value: '' }, { type: 'submitted' }]);
      const [full] = model.getPathsFromEvents([{ type: 'typed', value: 'x' }, { type: 'submitted' }]);
      const results = await Promise.allSettled(
        [empty, full].map((path) => model.testPath(path, actorSut(wrong))),
      );
      expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    }
  });

  test('every case of an event is on some path', () => {
    const cases = pairwise({ size: ['s', 'm', 'l'], color: ['red', 'blue'], gift: [true, false] });
    expect(cases.length).toBe(6);
    const shop = createMachine({ initial: 'open', states: { open: { on: { ordered: 'open' } } } });
    const labels = createTestModel(shop, { events: { ordered: cases } })
      .getPaths()
      .flatMap(({ steps }) => steps.map(({ label }) => label));
    for (const one of cases)
      expect(labels).toContain(`ordered { size: '${one.size}', color: '${one.color}', gift: ${one.gift} }`);
  });

  test('all pairs of values occur, in far fewer cases than there are combinations', () => {
    const fields = { a: [1, 2, 3], b: [1, 2, 3], c: [1, 2, 3], d: [1, 2, 3] };
    const cases = pairwise(fields);
    expect(cases.length).toBeLessThanOrEqual(13);
    const names = ['a', 'b', 'c', 'd'] as const;
    for (const one of names) {
      for (const other of names.filter((name) => name > one)) {
        const pairs = new Set(cases.map((of) => `${of[one]} ${of[other]}`));
        expect(pairs.size, `${one} and ${other}`).toBe(9);
      }
    }
    expect(pairwise({})).toEqual([{}]);
    expect(pairwise({ only: ['one', 'two'] })).toEqual([{ only: 'one' }, { only: 'two' }]);
  });

  test('wildcards are not sent as they stand', () => {
    const any = createMachine({
      initial: 'a',
      states: { a: { on: { 'mouse.*': 'b' } }, b: { on: { '*': 'a' } } },
    });
    expect(described(any)).toEqual(['reaches a: mouse.anything → anything']);
  });
});

describe('always, history, parallel states', () => {
  test('an always is a transition to cover, and its states count though they are left at once', async () => {
    const { coverage } = createTestModel(counter).plan();
    expect(coverage.transitions).toEqual({ covered: 5, total: 5 });
    expect(coverage.states).toEqual({ covered: 6, total: 6 });
    expect(await runBroken(player, 'states/picture/states/back/always', undefined)).not.toEqual([]);
    expect(await runBroken(counter, 'states/counting/onDone', undefined)).not.toEqual([]);
  });

  test('history states are told apart: a break in each step is a path of its own', async () => {
    expect(described(wizard)).toEqual([
      'reaches steps.first: paused → resumed',
      'reaches steps.second: next → paused → resumed',
      'reaches steps.third: next → next → paused → resumed',
    ]);
    expect(await runBroken(wizard, 'states/break/on/resumed', 'steps.first')).not.toEqual([]);
  });

  test('what happens in one region does not hide the other', async () => {
    expect(await runBroken(player, 'states/sound/states/on/on', {})).not.toEqual([]);
    expect(await runBroken(player, 'states/picture/states/shown/on', {})).not.toEqual([]);
  });

  test('an event that a machine sends itself is part of the step', async () => {
    const echo = createMachine({
      id: 'echo',
      initial: 'a',
      states: {
        a: { on: { go: { actions: sendTo(({ self }) => self, { type: 'echoed' }), target: 'b' } } },
        b: { on: { echoed: { target: 'c', actions: raise({ type: 'raised' }) } } },
        c: { on: { raised: 'd' } },
        d: {},
      },
    });
    const [path] = createTestModel(echo).getPathsFromEvents([{ type: 'go' }]);
    expect(path.state.value).toBe('d');
    expect(path.steps[1]?.transitions).toEqual(['a: go → b', 'b: echoed → c', 'c: raised → d']);
    expect(await failures(echo, actorSut(echo))).toEqual([]);
    expect(await runBroken(echo, 'states/b/on/echoed/actions', undefined)).not.toEqual([]);
  });
});

describe('bounds', () => {
  const endless = createMachine({
    id: 'endless',
    context: { n: 0 },
    on: { more: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
    initial: 'a',
    states: { a: { always: { guard: ({ context }) => context.n === 100, target: 'hundred' } }, hundred: {} },
  });

  test('a bound ends the search and is said in the reason', () => {
    const { coverage } = createTestModel(endless, { maxDepth: 10 }).plan();
    expect(coverage.uncovered.map(({ id, reason }) => `${id}: ${reason}`)).toEqual([
      'hundred: never entered within reach: the search ended at maxDepth 10',
      'a: always [inline guard] → hundred: guard inline guard was never true',
    ]);
    expect(createTestModel(endless, { maxDepth: 200 }).plan().coverage.uncovered).toEqual([]);
    const few = createTestModel(endless, { maxStates: 5 }).plan().coverage.uncovered;
    expect(few[0]?.reason).toContain('the search ended at maxStates 5');
  });

  test('maxPaths leaves out, and says so', () => {
    const { paths, coverage } = createTestModel(wizard, { maxPaths: 1 }).plan();
    expect(paths.length).toBe(1);
    expect(coverage.text).toContain('left out by maxPaths 1');
  });

  test('a serializer closes what has no end', () => {
    const paths = createTestModel(endless, {
      serializeState: ({ value }) => JSON.stringify(value),
    }).getShortestPaths();
    expect(paths.map(({ weight }) => weight)).toEqual([0]);
  });

  test('an always without end, and code that throws, are said with the place', () => {
    const loop = createMachine({
      id: 'loop',
      initial: 'a',
      states: { a: { on: { go: 'b' } }, b: { always: 'c' }, c: { always: 'b' } },
    });
    expect(createTestModel(loop).plan().coverage.text).toMatch(/go in a: Error: loop took 5000 microsteps/);
    const start = createMachine({
      id: 'start',
      initial: 'b',
      states: { b: { always: 'c' }, c: { always: 'b' } },
    });
    expect(() => createTestModel(start).getPaths()).toThrow(/start took 5000 microsteps/);
    const { coverage } = createTestModel(form).plan();
    expect(coverage.text).toMatch(/loadUser: done in loading: TypeError/);
  });
});
