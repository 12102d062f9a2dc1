// A machine's paths as tests, generated where they run.
// Invariant: knows no test runner; `describe` and `it` come from the caller, or stand globally.
import type { AnyStateMachine } from 'xstate';
import { inShort, type Coverage, type Uncovered } from './coverage.ts';
import { createTestModel, type TestModel, type TestModelOptions, type TestPath } from './model.ts';
import { assertionsFor, matchesState, type Sut } from './sut.ts';
import { stateInWords } from './words.ts';

/** What is needed of a test runner; Vitest, Jest, Mocha and `node:test` have it. */
export interface Runner {
  readonly describe: (name: string, body: () => void) => unknown;
  readonly it: (name: string, body: () => Promise<void>) => unknown;
}

export interface DescribeOptions extends TestModelOptions, Partial<Runner> {
  /**
   * What may stay uncovered, by its words: `['form: submit [never] → sent']`. Anything else that is not covered fails the
   * last test, and so does an entry that is covered by now.
   * @default []
   */
  readonly uncovered?: readonly string[];
  /** Title of the tests. @default the machine's id */
  readonly title?: string;
}

export interface Described {
  readonly model: TestModel;
  readonly paths: readonly TestPath[];
  /** What the paths cover when all of them pass. */
  readonly coverage: Coverage;
}

function runnerOf({ describe, it }: DescribeOptions): Runner {
  const globals = globalThis as unknown as Partial<Runner>;
  const runner = { describe: describe ?? globals.describe, it: it ?? globals.it };
  if (runner.describe === undefined || runner.it === undefined)
    throw new Error(
      "describeModel needs `describe` and `it`: import { describe, it } from 'vitest' and pass them, describeModel(machine, sut, { describe, it })",
    );
  return runner as Runner;
}

/** Configurations that the paths pass and that nothing looks at. */
function unlooked<Instance>(
  paths: readonly TestPath[],
  sut: Sut<Instance>,
  options: TestModelOptions,
): Uncovered[] {
  const { stateMatcher = matchesState } = options;
  const states = paths.flatMap(({ steps }) => steps.map(({ state }) => state));
  const blind = states.filter((state) => assertionsFor(sut.states, state, stateMatcher).length === 0);
  return [...new Set(blind.map(stateInWords))].map((id) => ({
    kind: 'configuration',
    id,
    reason: `nothing looks at it: add states['${id}'], or states['*']`,
  }));
}

/** Complains about what is not covered and was not said to be, and the other way round. */
function judge(coverage: Coverage, uncovered: readonly Uncovered[], accepted: readonly string[]): void {
  const unexpected = uncovered.filter(({ id }) => !accepted.includes(id));
  const outdated = accepted.filter((id) => !uncovered.some((goal) => goal.id === id));
  const lines = [
    ...unexpected.map(({ kind, id, reason }) => `not covered: ${kind} ${id}: ${reason}`),
    ...outdated.map((id) => `covered, though \`uncovered\` lists it: ${id}`),
  ];
  if (lines.length === 0) return;
  const advice = 'Give cases, scripts or executors that reach it, or list its words in `uncovered`.';
  throw new Error([`The paths cover ${inShort(coverage)}.`, ...lines, advice].join('\n'));
}

/**
 * Tests `sut` against `machine`: one test for each path, and one for what the paths cover. A failing path is reported in
 * plain words, made as short as can be found.
 *
 * @throws Error when `sut.states` is empty, since nothing would be looked at
 */
export function describeModel<Instance>(
  machine: AnyStateMachine,
  sut: Sut<Instance>,
  options: DescribeOptions = {},
): Described {
  const { describe, it } = runnerOf(options);
  if (Object.keys(sut.states).length === 0)
    throw new Error(
      `describeModel: sut.states has no assertion, so no test of ${machine.id} could fail; add states['*']`,
    );
  const model = createTestModel(machine, options);
  const { paths, coverage } = model.plan({ sut });
  const uncovered = [...coverage.uncovered, ...unlooked(paths, sut, options)];
  const seen = new Map<string, number>();
  describe(options.title ?? machine.id, () => {
    for (const path of paths) {
      const times = (seen.get(path.description) ?? 0) + 1;
      seen.set(path.description, times);
      it(times === 1 ? path.description : `${path.description} (${times})`, () => model.testPath(path, sut));
    }
    it(`covers ${inShort(coverage)}`, async () => judge(coverage, uncovered, options.uncovered ?? []));
  });
  return { model, paths, coverage: { ...coverage, uncovered } };
}
