// One path on a system under test: each step is made, then the state is looked at.
// Invariant: the first failure ends the path; the system is disposed of either way.
import type { TestStep } from './steps.ts';
import { assertionsFor, executorFor, missingIn, type StateMatcher, type Sut, type SutPath } from './sut.ts';

/** What went wrong, where. */
export interface Failure {
  /** Index of the step in the path; the start is 0. */
  readonly at: number;
  /** The part of the system under test that failed: `events['submit']`, `states['saved']`, `create`. */
  readonly part: string;
  readonly error: unknown;
}

async function attempt(at: number, part: string, run: () => unknown): Promise<Failure | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    return { at, part, error };
  }
}

function partOf(step: TestStep): string {
  if (step.kind === 'wait') return `waits['${step.delay}']`;
  return step.kind === 'actor' ? `actors['${step.src}']` : `events['${step.event.type}']`;
}

async function take<Instance>(
  sut: Sut<Instance>,
  instance: Instance,
  steps: readonly TestStep[],
  matcher: StateMatcher,
): Promise<Failure | undefined> {
  for (const [at, step] of steps.entries()) {
    const execute = executorFor(sut, step);
    if (execute === undefined) {
      const missing = missingIn(sut, step) ?? step.label;
      return { at, part: missing, error: new Error(`the system under test has no executor ${missing}`) };
    }
    const failed = await attempt(at, partOf(step), () => execute(instance, step));
    if (failed !== undefined) return failed;
    for (const key of assertionsFor(sut.states, step.state, matcher)) {
      const wrong = await attempt(at, `states['${key}']`, () => sut.states[key]?.(instance, step.state));
      if (wrong !== undefined) return wrong;
    }
  }
  return undefined;
}

/** Runs a path. Answers the failure, or undefined. */
export async function runPath<Instance>(
  sut: Sut<Instance>,
  path: SutPath,
  matcher: StateMatcher,
): Promise<Failure | undefined> {
  let instance: Instance;
  try {
    instance = await sut.create(path);
  } catch (error) {
    return { at: 0, part: 'create', error };
  }
  const failure = await take(sut, instance, path.steps, matcher);
  const last = path.steps.length - 1;
  const undisposed = await attempt(last, 'dispose', () => sut.dispose?.(instance));
  return failure ?? undisposed;
}
