// `describeModel` as a user calls it: what it tests, what it says of a system that is wrong, what it says of coverage.
import { createActor, fromPromise, SimulatedClock, type AnyStateMachine } from 'xstate';
import { describe, expect, it, test } from 'vitest';
import {
  actorSut,
  createTestModel,
  describeModel,
  PathFailure,
  type DescribeOptions,
  type Sut,
} from '../../../../src/testing/index.ts';
import { failures } from './broken.ts';
import { form, player, wizard } from './machines.ts';

const formCases = {
  events: { typed: [{ value: '' }, { value: 'x' }] },
  scripts: { loadUser: [{ output: { name: 'Ada' } }, { error: new Error('gone') }] },
};

/** A form that knows nothing of XState: what a user's own code looks like. */
class Form {
  status = 'idle';
  #value = '';
  #due = Infinity;
  #now = 0;
  settle: { resolve: (user: unknown) => void; reject: (error: unknown) => void } | undefined;
  readonly defects: ReadonlySet<string>;

  constructor(...defects: string[]) {
    this.defects = new Set(defects);
  }

  type(value: string): void {
    if (!['idle', 'waiting', 'ready'].includes(this.status)) return;
    this.#value = value;
    this.status = 'waiting';
    this.#due = this.#now + (this.defects.has('slow') ? 400 : 300);
  }

  async submit(): Promise<void> {
    if (this.#value === '' && !this.defects.has('submits nothing')) return;
    this.status = 'loading';
    this.#due = this.#now + 5_000;
    const loaded = new Promise((resolve, reject) => (this.settle = { resolve, reject }));
    await loaded.then(
      () => (this.status = 'saved'),
      () => (this.status = this.defects.has('hides errors') ? 'saved' : 'failed'),
    );
  }

  reset(): void {
    this.status = 'idle';
    if (!this.defects.has('keeps its value')) return;
    this.status = 'ready';
  }

  pass(delayMs: number): void {
    this.#now += delayMs;
    if (this.#now < this.#due) return;
    this.status = this.status === 'waiting' ? 'ready' : 'failed';
    this.#due = Infinity;
  }
}

const is = (status: string) => (it: Form) => expect(it.status).toBe(status);

const formSut = (...defects: string[]): Sut<Form> => ({
  create: () => new Form(...defects),
  events: {
    typed: (it, { event }) => it.type(event['value'] as string),
    submitted: (it) => void it.submit(),
    reset: (it) => it.reset(),
  },
  waits: { '*': (it, { delayMs }) => it.pass(delayMs) },
  actors: {
    async loadUser(it, { outcome }) {
      if ('output' in outcome) it.settle?.resolve(outcome.output);
      else it.settle?.reject('gone');
      await new Promise<void>((resolve) => setImmediate(resolve));
    },
  },
  states: {
    'editing.idle': is('idle'),
    'editing.waiting': is('waiting'),
    'editing.ready': is('ready'),
    loading: is('loading'),
    saved: is('saved'),
    failed: is('failed'),
  },
});

describeModel(form, formSut(), { describe, it, ...formCases });
describeModel(player, actorSut(player), {
  describe,
  it,
  title: 'player against itself',
  coverage: 'transition-pairs',
});

// The real promise of the real machine, answered by the script.
describeModel(
  form,
  {
    create() {
      const clock = new SimulatedClock();
      const answers: { resolve: (user: { name: string }) => void; reject: (error: unknown) => void }[] = [];
      const loadUser = fromPromise<{ name: string }, { id: string }>(
        () => new Promise((resolve, reject) => answers.push({ resolve, reject })),
      );
      const actor = createActor(form.provide({ actors: { loadUser } }), { clock }).start();
      return { actor, clock, answers };
    },
    events: { '*': ({ actor }, { event }) => actor.send(event as never) },
    waits: { '*': ({ clock }, { delayMs }) => clock.increment(delayMs) },
    actors: {
      async '*'({ answers }, { outcome }) {
        const answer = answers.at(-1);
        if ('output' in outcome) answer?.resolve(outcome.output as { name: string });
        else answer?.reject(new Error('gone'));
        await new Promise<void>((resolve) => setImmediate(resolve));
      },
    },
    states: { '*': ({ actor }, state) => expect(actor.getSnapshot().value).toEqual(state.value) },
    dispose: ({ actor }) => actor.stop(),
  },
  { describe, it, ...formCases, title: 'form with a real promise' },
);

/** What the tests that `describeModel` makes come to. */
async function outcomes<I>(
  machine: AnyStateMachine,
  sut: Sut<I>,
  options: DescribeOptions,
): Promise<Record<string, string>> {
  const tests: [string, () => Promise<void>][] = [];
  describeModel(machine, sut, {
    ...options,
    describe: (_, body) => body(),
    it: (name, body) => tests.push([name, body]),
  });
  const results: Record<string, string> = {};
  for (const [name, body] of tests) {
    results[name] = await body().then(
      () => 'passed',
      (error: Error) => error.message,
    );
  }
  return results;
}

describe('a system that is wrong', () => {
  test.each([
    ['slow', 'wait 300 ms (debounce)'],
    ['submits nothing', 'submitted'],
    ['hides errors', 'loadUser: fails with'],
    ['keeps its value', 'reset'],
  ])('%s: is caught at %s', async (defect, step) => {
    const options = { ...formCases, coverage: 'transition-pairs' as const };
    const model = createTestModel(form, options);
    const typedNothing = model.getPathsFromEvents([{ type: 'typed', value: '' }, { type: 'submitted' }]);
    const found = await failures(form, formSut(defect), options);
    for (const path of typedNothing)
      await model.testPath(path, formSut(defect)).catch((error: PathFailure) => found.push(error));
    expect(found.length).toBeGreaterThan(0);
    for (const { path, failure } of found) expect(path.steps[failure.at]?.label).toContain(step);
  });

  test('is told in plain words, by the shortest failing path', async () => {
    const model = createTestModel(form, formCases);
    const [long] = model.getPathsFromEvents([
      { type: 'typed', value: '' },
      { wait: 'debounce' },
      { type: 'typed', value: 'x' },
      { wait: 'debounce' },
      { type: 'typed', value: 'x' },
      { type: 'submitted' },
      { wait: '5000 ms' },
      { type: 'reset' },
      { type: 'submitted' },
      { actor: 'loadUser', error: new Error('gone') },
    ]);
    const failure = await model.testPath(long, formSut('hides errors')).catch((error: PathFailure) => error);
    expect(failure).toBeInstanceOf(PathFailure);
    const { message, path } = failure as PathFailure;
    expect(path.steps.map(({ label }) => label)).toEqual([
      'start',
      "typed { value: 'x' }",
      'submitted',
      'loadUser: fails with Error("gone")',
    ]);
    expect(message).toMatch(/^states\['failed'\] failed; by the machine the state is failed:/);
    expect(message).toContain("expected 'saved' to be 'failed'");
    expect(message).toMatch(
      /Shortest failing path \(3 steps, of 10; the system was run \d+ more times to find it\):/,
    );
    expect(message).toContain("✗ states['failed']");
    expect(message).toContain("model.getPathsFromEvents([{ type: 'typed', value: 'x' }");
  });

  test('is not made to look like another defect on the way', async () => {
    // Submits nothing, too: a shorter path fails, but not after the same step.
    const model = createTestModel(form, formCases);
    const [path] = model.getPathsFromEvents([
      { type: 'typed', value: 'x' },
      { type: 'submitted' },
      { wait: '5000 ms' },
      { type: 'reset' },
    ]);
    const failure = await model
      .testPath(path, formSut('keeps its value'))
      .catch((error: PathFailure) => error);
    expect((failure as PathFailure).path.steps.at(-1)?.label).toBe('reset');
  });

  test('is left as it is without shrinking', async () => {
    const model = createTestModel(wizard, { maxShrinkRuns: 0 });
    const sut: Sut<null> = {
      create: () => null,
      events: { '*': () => undefined },
      states: { break: () => expect.fail('no') },
    };
    const [path] = model.getPathsFromEvents([{ type: 'next' }, { type: 'next' }, { type: 'paused' }]);
    const error = await model.testPath(path, sut).catch((it: PathFailure) => it);
    expect((error as PathFailure).path.steps.length).toBe(4);
    const shrinking = createTestModel(wizard);
    const shorter = await shrinking.testPath(path, sut).catch((it: PathFailure) => it);
    expect((shorter as PathFailure).path.steps.map(({ label }) => label)).toEqual(['start', 'paused']);
  });
});

describe('what is not covered', () => {
  const fails = (results: Record<string, string>): string => Object.values(results).at(-1) ?? '';

  test('no executor: the path is not tried, and it is said', async () => {
    const { reset: _, ...events } = formSut().events;
    const results = await outcomes(form, { ...formSut(), events }, formCases);
    expect(fails(results)).toContain(
      "not covered: transition failed: reset → editing: no executor: events['reset']",
    );
  });

  test('no executor for an actor or a delay', async () => {
    const { actors: _, waits: __, ...without } = formSut();
    const text = fails(await outcomes(form, without, formCases));
    expect(text).toContain("transition loading: loadUser done → saved: no executor: actors['loadUser']");
    expect(text).toContain('editing.ready: never entered');
  });

  test('guard never true with the given cases, and no script', async () => {
    const text = fails(
      await outcomes(form, formSut(), {
        events: { typed: [{ value: '' }] },
        scripts: { loadUser: [{ output: { name: 'Ada' } }] },
      }),
    );
    expect(text).toContain('editing: submitted [filled] → loading: guard filled was never true');
    const scripted = fails(
      await outcomes(form, formSut(), {
        events: { typed: [{ value: 'x' }] },
        scripts: { loadUser: [{ output: { name: 'Ada' } }] },
      }),
    );
    expect(scripted).toContain('loading: loadUser failed → failed: no script of loadUser has { error }');
  });

  test('a state that nothing looks at', async () => {
    const { saved: _, ...states } = formSut().states;
    expect(fails(await outcomes(form, { ...formSut(), states }, formCases))).toContain(
      "not covered: configuration saved: nothing looks at it: add states['saved'], or states['*']",
    );
  });

  test('is accepted by its words, and refused when it is covered by now', async () => {
    const options = { events: { typed: [{ value: '' }] } };
    const { coverage } = describeModel(form, actorSut(form), {
      ...options,
      describe: (_, body) => body(),
      it: () => undefined,
    });
    const uncovered = coverage.uncovered.map(({ id }) => id);
    expect(uncovered.length).toBeGreaterThan(0);
    expect(fails(await outcomes(form, actorSut(form), { ...options, uncovered }))).toBe('passed');
    expect(
      fails(await outcomes(wizard, actorSut(wizard), { uncovered: ['steps.first: next → steps.second'] })),
    ).toContain('covered, though `uncovered` lists it: steps.first: next → steps.second');
  });

  test('nothing to look at, or nobody to run the tests, is refused at once', () => {
    const blind: Sut<null> = { create: () => null, events: {}, states: {} };
    expect(() => describeModel(wizard, blind, { describe, it })).toThrow(/sut\.states has no assertion/);
    expect(() => describeModel(wizard, actorSut(wizard))).toThrow(/pass them/);
  });
});

test('a path is tested with executors as those of @xstate/test', async () => {
  const seen: string[] = [];
  const model = createTestModel(wizard);
  for (const path of model.getShortestPaths()) {
    let at = 'first';
    await path.test({
      events: {
        next: () => void (at = at === 'first' ? 'second' : 'third'),
        paused: ({ event }) => void seen.push(event.type),
        resumed: () => undefined,
      },
      states: {
        'steps.third': () => expect(at).toBe('third'),
        break: (state) => expect(state.value).toBe('break'),
      },
    });
  }
  expect(seen.length).toBeGreaterThan(0);
  const [path] = model.getPathsFromEvents([{ type: 'next' }]);
  await expect(path.test({ states: {} })).rejects.toThrow(
    "the system under test has no executor events['next']",
  );
});
