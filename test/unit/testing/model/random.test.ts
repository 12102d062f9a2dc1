// Machines that nobody wrote: whatever their shape, XState does on every path what the model says.
import * as fc from 'fast-check';
import { createMachine, type AnyStateMachine } from 'xstate';
import { expect, test } from 'vitest';
import {
  actorSut,
  createTestModel,
  PathFailure,
  type TestModelOptions,
} from '../../../../src/testing/index.ts';

interface Node {
  readonly kind: 'atomic' | 'compound' | 'parallel' | 'invoking';
  readonly children: readonly Node[];
  readonly history: 'shallow' | 'deep' | 'none';
  /** For each event, delay or outcome that it handles: a number that says whereto. */
  readonly on: readonly number[];
  readonly after: readonly (readonly [delayMs: number, target: number])[];
  readonly always: number | undefined;
}

const node = fc.letrec<{ node: Node }>((tie) => ({
  node: fc.record({
    kind: fc.constantFrom('atomic', 'atomic', 'compound', 'parallel', 'invoking'),
    children: fc.oneof(
      { maxDepth: 2, withCrossShrink: true },
      fc.constant([]),
      fc.array(tie('node'), { minLength: 1, maxLength: 3 }),
    ),
    history: fc.constantFrom('none', 'none', 'shallow', 'deep'),
    on: fc.array(fc.nat(30), { maxLength: 3 }),
    after: fc.array(fc.tuple(fc.constantFrom(10, 25, 40), fc.nat(30)), { maxLength: 2 }),
    always: fc.option(fc.nat(30), { nil: undefined, freq: 6 }),
  }),
})).node;

type Config = Record<string, unknown>;

const remembers = (of: Node): boolean =>
  of.kind === 'compound' && of.history !== 'none' && of.children.length > 0;

/** The ids of a tree's nodes, depth first, with those of its history states. */
function idsIn(of: Node, path: readonly string[]): string[] {
  const inside = of.children.flatMap((child, i) => idsIn(child, [...path, `s${i}`]));
  const history = remembers(of) ? [[...path, 'h'].join('-')] : [];
  return [...(path.length === 0 ? [] : [path.join('-')]), ...inside, ...history];
}

/** The node as a config. An always leads to a later sibling only: so it comes to an end. */
function configOf(
  of: Node,
  path: readonly string[],
  all: readonly string[],
  later: readonly string[],
): Config {
  const target = (n: number): string => `#${all[n % all.length] ?? ''}`;
  const ids = of.children.map((_, i) => [...path, `s${i}`].join('-'));
  const states: Config = {};
  of.children.forEach((child, i) => {
    const after = of.kind === 'compound' ? ids.slice(i + 1) : [];
    states[`s${i}`] = configOf(child, [...path, `s${i}`], all, after);
  });
  if (remembers(of)) states['h'] = { id: [...path, 'h'].join('-'), type: 'history', history: of.history };
  const config: Config = {
    on: Object.fromEntries(of.on.map((n, i) => [`e${i}`, target(n)])),
    after: Object.fromEntries(of.after.map(([delayMs, n]) => [delayMs, target(n)])),
  };
  if (path.length > 0) config['id'] = path.join('-');
  if (of.always !== undefined && later.length > 0) config['always'] = `#${later[of.always % later.length]}`;
  if (of.kind === 'invoking')
    config['invoke'] = { src: 'work', onDone: target(of.on.length), onError: target(of.after.length + 1) };
  if (of.children.length > 0)
    Object.assign(config, { states }, of.kind === 'compound' ? { initial: 's0' } : { type: 'parallel' });
  return config;
}

/** The nodes that are in the config: those below an atomic one are left out. */
const pruned = (of: Node): Node => ({
  ...of,
  children: of.kind === 'compound' || of.kind === 'parallel' ? of.children.map(pruned) : [],
});

function machineOf(states: readonly Node[]): AnyStateMachine {
  const root: Node = {
    kind: 'compound',
    children: states.map(pruned),
    history: 'none',
    on: [],
    after: [],
    always: undefined,
  };
  const config = configOf(root, [], idsIn(root, []), []);
  return createMachine({ ...config, id: 'random' } as never) as AnyStateMachine;
}

const options: TestModelOptions = {
  scripts: { work: [{ output: 1 }, { error: 'no' }] },
  maxStates: 60,
  maxDepth: 8,
  maxPaths: 25,
  maxShrinkRuns: 0,
};

test('on random machines the model and XState agree, and every transition is covered or has a reason', async () => {
  let paths = 0;
  let middles = 0;
  const property = fc.asyncProperty(fc.array(node, { minLength: 2, maxLength: 4 }), async (states) => {
    const machine = machineOf(states);
    const model = createTestModel(machine, { ...options, coverage: 'transition-pairs', timing: 'middles' });
    const plan = model.plan();
    for (const path of plan.paths) await model.testPath(path, actorSut(machine));
    paths += plan.paths.length;
    const waits = plan.paths.flatMap(({ steps }) => steps.filter(({ kind }) => kind === 'wait'));
    middles += waits.filter((step) => step.kind === 'wait' && step.until === 'middle').length;
    for (const { reason } of plan.coverage.uncovered) expect(reason).not.toBe('');
    for (const { out } of [...plan.paths].map((path) => ({ out: path.steps }))) {
      const again = createTestModel(machine, options).getPathsFromEvents(
        out
          .slice(1)
          .map((step) =>
            step.kind === 'wait'
              ? step.until === 'end'
                ? { wait: step.delay }
                : { wait: step.delayMs, of: step.delay }
              : step.kind === 'actor'
                ? { actor: step.id, ...step.outcome }
                : step.event,
          ),
      );
      expect(again[0].state.value).toEqual(out.at(-1)?.state.value);
    }
  });
  await fc.assert(property, { numRuns: 40, seed: 20 });
  expect(paths).toBeGreaterThan(200);
  expect(middles).toBeGreaterThan(50);
}, 60_000);

test('a system that is deaf to an event is seen on every path where that event leads elsewhere', async () => {
  let caught = 0;
  const property = fc.asyncProperty(fc.array(node, { minLength: 2, maxLength: 4 }), async (states) => {
    const machine = machineOf(states);
    const deaf = actorSut(machine);
    const sut = { ...deaf, events: { ...deaf.events, e0: () => undefined } };
    const model = createTestModel(machine, options);
    for (const path of model.getPaths()) {
      const changes = path.steps.some(
        (step, i) =>
          step.event.type === 'e0' &&
          JSON.stringify(step.state.value) !== JSON.stringify(path.steps[i - 1]?.state.value),
      );
      const failure = await model.testPath(path, sut).catch((error: unknown) => error);
      if (failure instanceof PathFailure) caught += 1;
      if (changes) expect(failure).toBeInstanceOf(PathFailure);
    }
  });
  await fc.assert(property, { numRuns: 20, seed: 20 });
  expect(caught).toBeGreaterThan(5);
}, 60_000);
