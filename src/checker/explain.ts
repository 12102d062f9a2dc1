// A counterexample in plain words: numbered steps, who heard what, and what changed from what to what.
// Invariant: the steps are found by running the system again, so what is printed is what happened.
import type { Composition, Heard } from './composition.ts';
import { inWords, type Input } from './part.ts';

/** How one part changed in a step. */
export interface Change {
  readonly part: string;
  readonly before: string;
  readonly after: string;
}

export interface CounterexampleStep {
  readonly number: number;
  readonly label: string;
  /** Who heard what within the step, in order, with the effects that it led to. */
  readonly heard: readonly string[];
  readonly changes: readonly Change[];
}

export interface Violation {
  readonly kind: 'always' | 'alwaysPossible' | 'deadlock' | 'unexpected';
  /** Name of the property, or what was wrong. */
  readonly property: string;
  readonly start: readonly string[];
  readonly steps: readonly CounterexampleStep[];
  /** All of it, to print. */
  readonly text: string;
}

function inputInWords(input: Input): string {
  switch (input.is) {
    case 'event':
      return inWords(input.event);
    case 'fire':
      return `the end of ${input.timer.replace(/^xstate\.after\./, '')}`;
    case 'push':
      return `takes ${inWords(input.message)}`;
    case 'await':
      return `awaits an answer to ${input.key}`;
    case 'take':
    case 'settle':
      return '';
    case 'start':
    case 'stop':
    case 'clear':
      return input.is;
  }
}

function heardInWords({ part, input, outcome }: Heard): string | undefined {
  const what = inputInWords(input);
  if (what === '') return undefined;
  const effects = outcome.effects.length === 0 ? '' : ` → ${outcome.effects.join(', ')}`;
  return `${part.name}: ${what}${outcome.unexpected ? ' (UNEXPECTED)' : ''}${effects}`;
}

function stepBetween(
  composition: Composition,
  from: Int32Array,
  to: Int32Array | undefined,
  number: number,
): CounterexampleStep {
  const after = from.slice();
  let found: CounterexampleStep | undefined;
  composition.eachMove(from, (move) => {
    if (found !== undefined) return;
    after.set(from);
    const heard: Heard[] = [];
    composition.run(after, move, heard);
    const same =
      to === undefined ? composition.unexpected !== undefined : to.every((local, i) => after[i] === local);
    if (!same) return;
    const changes = composition.parts.flatMap((part, i): Change[] =>
      from[i] === after[i]
        ? []
        : [
            {
              part: part.name,
              before: part.describe(from[i] as number),
              after: part.describe(after[i] as number),
            },
          ],
    );
    const words = heard.map(heardInWords).filter((text) => text !== undefined);
    found = { number, label: move.label, heard: words, changes };
  });
  if (found === undefined)
    throw new Error(
      'a step of the counterexample cannot be made again: a model or a route is not a pure function',
    );
  return found;
}

/** `path` leads from the first state to the last one; `beyond` adds the step to the unexpected event. */
export function explain(
  composition: Composition,
  kind: Violation['kind'],
  property: string,
  path: readonly Int32Array[],
  beyond = false,
): Violation {
  const first = path[0] as Int32Array;
  const steps = path.slice(1).map((to, i) => stepBetween(composition, path[i] as Int32Array, to, i + 1));
  if (beyond) steps.push(stepBetween(composition, path.at(-1) as Int32Array, undefined, path.length));
  const start = composition.parts.map((part, i) => `${part.name}: ${part.describe(first[i] as number)}`);
  const lines = [`${kind}: ${property}`, 'at first', ...start.map((line) => `     ${line}`)];
  for (const { number, label, heard, changes } of steps) {
    lines.push(`${String(number).padStart(3)}. ${label}`);
    for (const line of heard) lines.push(`     ${line}`);
    for (const { part, before, after } of changes)
      lines.push(`       ${part} was ${before}`, `       ${part} is  ${after}`);
  }
  return { kind, property, start, steps, text: lines.join('\n') };
}
