// Makes the steps of a trace again, one by one, in the system as it is now.
// Invariant: a step is made only when a move with its label is possible; nothing is skipped or guessed.
import { Composition } from './composition.ts';
import { makeStep, type CounterexampleStep } from './explain.ts';
import { isViolated, type Run } from './judgement.ts';
import type { CheckOptions } from './options.ts';
import type { Move } from './part.ts';
import type { SystemDefinition } from './system.ts';
import type { Trace, TraceStep } from './trace.ts';

/** A step after which a part is not as it was when the trace was saved. */
export interface Divergence {
  readonly step: number;
  readonly part: string;
  readonly recorded: string;
  readonly now: string;
}

export interface Replay {
  /**
   * `violated`: the same thing is still wrong. `holds`: all steps were made, and it is right now.
   * `impossible`: a step cannot be made any more, see `instead`.
   */
  readonly verdict: 'violated' | 'holds' | 'impossible';
  /** The steps that were made. */
  readonly steps: readonly CounterexampleStep[];
  /** The first step that led elsewhere than when the trace was saved. */
  readonly divergence?: Divergence;
  /** What was possible in place of the first impossible step. */
  readonly instead?: readonly string[];
  /** All of it, to print. */
  readonly text: string;
}

interface Possible {
  readonly move: Move;
  readonly part: number;
}

function movesIn(composition: Composition, state: Int32Array): Possible[] {
  const moves: Possible[] = [];
  composition.eachMove(state, (move, part) => void moves.push({ move, part }));
  return moves;
}

function divergenceOf(recorded: TraceStep, made: CounterexampleStep): Divergence | undefined {
  const parts = new Set([...recorded.changes, ...made.changes].map(({ part }) => part));
  for (const part of parts) {
    const then = recorded.changes.find((change) => change.part === part)?.after ?? 'unchanged';
    const now = made.changes.find((change) => change.part === part)?.after ?? 'unchanged';
    if (then !== now) return { step: made.number, part, recorded: then, now };
  }
  return undefined;
}

const VERDICTS = {
  violated: 'still violated',
  holds: 'no longer violated at the end of these steps',
  impossible: 'no longer violated by these steps; search again to know whether by others',
};

function inWords(trace: Trace, { verdict, steps, divergence, instead = [] }: Omit<Replay, 'text'>): string {
  const lines = steps.map(({ number, label }) => `${String(number).padStart(3)}. ${label}`);
  if (verdict === 'impossible') {
    const label = trace.steps[steps.length]?.label ?? '';
    lines.push(`${String(steps.length + 1).padStart(3)}. ${label}: NOT POSSIBLE ANY MORE`);
    lines.push(instead.length === 0 ? '     nothing can happen there' : '     possible instead:');
    for (const other of instead) lines.push(`       ${other}`);
  }
  if (divergence !== undefined) {
    const { step, part, recorded, now } = divergence;
    lines.push(`step ${step} leads elsewhere than when the trace was saved`);
    lines.push(`       ${part} was ${recorded}`, `       ${part} is  ${now}`);
  }
  lines.push(`${trace.kind}: ${trace.property}: ${VERDICTS[verdict]}`);
  return lines.join('\n');
}

/**
 * Makes the steps of `trace` again in `definition` as it is now, and judges what was violated then. `options` are
 * those of the check; only the violated property is looked at.
 *
 * @throws Error when the violated property is not among `options`, or a part fails
 */
export function replay(definition: SystemDefinition, trace: Trace, options: CheckOptions = {}): Replay {
  const composition = new Composition(definition, false);
  const states = [composition.begin()];
  const made: Possible[] = [];
  const steps: CounterexampleStep[] = [];
  let divergence: Divergence | undefined;
  for (const recorded of trace.steps) {
    const from = states.at(-1) as Int32Array;
    const same = movesIn(composition, from).filter(({ move }) => move.label === recorded.label);
    const chosen = same[recorded.nth];
    if (chosen === undefined) break;
    const after = from.slice();
    const number = steps.length + 1;
    const step = makeStep(composition, from, after, { move: chosen.move, number, nth: recorded.nth });
    steps.push(step);
    made.push(chosen);
    states.push(after);
    divergence ??= divergenceOf(recorded, step);
  }
  const found = { steps, ...(divergence === undefined ? {} : { divergence }) };
  const run: Run = { definition, composition, states, made, steps };
  const result = ((): Omit<Replay, 'text'> => {
    if (steps.length === trace.steps.length)
      return { verdict: isViolated(run, trace, options) ? 'violated' : 'holds', ...found };
    const possible = movesIn(composition, states.at(-1) as Int32Array);
    return { verdict: 'impossible', ...found, instead: [...new Set(possible.map(({ move }) => move.label))] };
  })();
  return { ...result, text: inWords(trace, result) };
}
