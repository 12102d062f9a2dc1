// A failed path in plain words.
// Invariant: the message alone is enough to repeat the failure by hand.
import { inCode } from './code.ts';
import type { Failure } from './run.ts';
import { notationOf, type TestStep } from './steps.ts';
import type { SutPath } from './sut.ts';
import { stateInWords } from './words.ts';

function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n').slice(0, 12).join('\n    ');
}

/** The steps, numbered, each with the state that the machine has after it. */
export function stepsInWords(steps: readonly TestStep[], failure?: Failure): string[] {
  const width = Math.max(...steps.map(({ label }) => label.length)) + 2;
  return steps.map((step, i) => {
    const mark = failure?.at === i ? `   ✗ ${failure.part}` : '';
    return `  ${i === 0 ? ' ' : i}  ${step.label.padEnd(Math.min(width, 60))} → ${stateInWords(step.state)}${mark}`;
  });
}

/** A path on which the system under test did not do what the machine says. */
export class PathFailure extends Error {
  override readonly name = 'PathFailure';
  /** The shortest failing path that was found. */
  readonly path: SutPath;
  readonly failure: Failure;

  constructor(path: SutPath, failure: Failure, shrunk?: { readonly from: number; readonly runs: number }) {
    const count = path.steps.length - 1;
    const steps = `${count} ${count === 1 ? 'step' : 'steps'}`;
    const how =
      shrunk === undefined || shrunk.runs === 0
        ? steps
        : `${steps}, of ${shrunk.from}; the system was run ${shrunk.runs} more times to find it`;
    const state = path.steps[failure.at]?.state;
    const lines = [
      `${failure.part} failed${state === undefined ? '' : `; by the machine the state is ${stateInWords(state)}`}:`,
      `    ${messageOf(failure.error)}`,
      `Shortest failing path (${how}):`,
      ...stepsInWords(path.steps, failure),
      `To repeat it: model.getPathsFromEvents([${path.steps
        .slice(1)
        .map((step) => inCode(notationOf(step)))
        .join(', ')}])`,
    ];
    super(lines.join('\n'), { cause: failure.error });
    this.path = path;
    this.failure = failure;
  }
}
