// A counterexample in plain words: numbered steps, who heard what, and what changed from what to what.
// Invariant: the steps are found by running the system again, so what is printed is what happened.
import type { Composition, Heard } from './composition.ts';
import { inWords, type Input, type Move } from './part.ts';

/** How one part changed in a step. */
export interface Change {
  readonly part: string;
  readonly before: string;
  readonly after: string;
}

/** One thing that a part heard within a step. */
export interface Exchange {
  /** The part that said it; absent for what begins a step: a delay, an answer, an action. */
  readonly from?: string;
  readonly to: string;
  readonly what: string;
  readonly unexpected?: true;
}

export interface CounterexampleStep {
  readonly number: number;
  readonly label: string;
  /** Which of the moves with this label it was that were possible then, from 0. */
  readonly nth: number;
  /** The same as `heard`, for diagrams. */
  readonly exchanges: readonly Exchange[];
  /** Who heard what within the step, in order, with the effects that it led to. */
  readonly heard: readonly string[];
  readonly changes: readonly Change[];
}

export interface Violation {
  readonly kind:
    | 'always'
    | 'sometimes'
    | 'eventually'
    | 'alwaysEventually'
    | 'leadsTo'
    | 'alwaysPossible'
    | 'deadlock'
    | 'unexpected';
  /** Name of the property, or what was wrong. */
  readonly property: string;
  /** All parts, in the order of the definition. Empty for `sometimes`: that no state is reached is shown by no run. */
  readonly parts: readonly string[];
  /** The parts at first. */
  readonly start: readonly string[];
  readonly steps: readonly CounterexampleStep[];
  /**
   * For liveness: the number of the first step that repeats for ever, with all that follow. One more than the last
   * step: nothing more has to happen.
   */
  readonly cycle?: number;
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

/** A state on the way of a counterexample; `by` says which moves may have led to it. @default any */
export interface PathStep {
  readonly state: Int32Array;
  readonly by?: (move: Move, part: number) => boolean;
  /** True: this very state, not one that it stands for. @default false */
  readonly exact?: boolean;
}

/** Who said what to whom: a turn hears what a move says, then what each part says, in the order of the saying. */
function exchangesOf(move: Move, heard: readonly Heard[]): Exchange[] {
  const said = heard.flatMap(({ part, outcome }) => outcome.ops.map(() => part.name));
  const taken = heard[0]?.input.is === 'take' ? heard[0].part.name : undefined;
  return heard.flatMap(({ part, input, outcome }, i): Exchange[] => {
    const what = inputInWords(input);
    if (what === '') return [];
    const from = i < move.ops.length ? taken : said[i - move.ops.length];
    const told = from === undefined ? { to: part.name, what } : { from, to: part.name, what };
    return [outcome.unexpected ? { ...told, unexpected: true } : told];
  });
}

/** Makes `move` in `from` and says what happened; `after` becomes the state that it leads to. */
export function makeStep(
  composition: Composition,
  from: Int32Array,
  after: Int32Array,
  { move, number, nth }: { readonly move: Move; readonly number: number; readonly nth: number },
): CounterexampleStep {
  const heard: Heard[] = [];
  after.set(from);
  composition.run(after, move, heard);
  return {
    number,
    label: move.label,
    nth,
    exchanges: exchangesOf(move, heard),
    heard: heard.map(heardInWords).filter((text) => text !== undefined),
    changes: changesBetween(composition, from, after),
  };
}

/** Makes the step that leads from `at` to `to`, or to a state that `to` stands for; `at` becomes that state. */
function stepTo(
  composition: Composition,
  at: Int32Array,
  to: PathStep | 'unexpected',
  number: number,
): CounterexampleStep {
  const from = at.slice();
  const after = at.slice();
  const met = new Map<string, number>();
  let found: CounterexampleStep | undefined;
  composition.eachMove(from, (move, part) => {
    const nth = met.get(move.label) ?? 0;
    met.set(move.label, nth + 1);
    if (found !== undefined || (to !== 'unexpected' && to.by?.(move, part) === false)) return;
    after.set(from);
    composition.run(after, move);
    const unexpected = composition.unexpected !== undefined;
    if (to === 'unexpected' || to.exact !== true) composition.orbits?.represent(after);
    const same = to === 'unexpected' ? unexpected : to.state.every((local, i) => after[i] === local);
    if (same) found = makeStep(composition, from, at, { move, number, nth });
  });
  if (found === undefined)
    throw new Error(
      'a step of the counterexample cannot be made again: a model or a route is not a pure function',
    );
  return found;
}

/** The state that `path` leads to: its last one, or one that this stands for. */
export function endOf(composition: Composition, path: readonly PathStep[]): Int32Array {
  const at = composition.begin();
  path.slice(1).forEach((to, i) => stepTo(composition, at, to, i + 1));
  return at;
}

function changesBetween({ parts }: Composition, from: Int32Array, after: Int32Array): Change[] {
  return parts.flatMap((part, i): Change[] => {
    if (from[i] === after[i]) return [];
    const before = part.describe(from[i] as number);
    return [{ part: part.name, before, after: part.describe(after[i] as number) }];
  });
}

function stepInWords({ number, label, heard, changes }: CounterexampleStep): string[] {
  return [
    `${String(number).padStart(3)}. ${label}`,
    ...heard.map((line) => `     ${line}`),
    ...changes.flatMap(({ part, before, after }) => [
      `       ${part} was ${before}`,
      `       ${part} is  ${after}`,
    ]),
  ];
}

/** The type of an event that was put into words. */
const typeIn = (words: string): string => words.split(' ')[0] ?? words;

/**
 * `path` leads from the first state to the last one, or beyond it to the unexpected event. `stem`: how many states of
 * it come before the part that repeats for ever.
 */
export function explain(
  composition: Composition,
  kind: Violation['kind'],
  property: string,
  path: readonly (PathStep | 'unexpected')[],
  stem?: number,
): Violation {
  const first = composition.begin();
  const at = first.slice();
  const steps = path.slice(1).map((to, i) => stepTo(composition, at, to, i + 1));
  const parts = composition.parts.map(({ name }) => name);
  const start = composition.parts.map((part, i) => `${part.name}: ${part.describe(first[i] as number)}`);
  const lines = [`${kind}: ${property}`, 'at first', ...start.map((line) => `     ${line}`)];
  for (const step of steps) {
    if (step.number === stem) lines.push(`and then for ever steps ${stem} to ${steps.length}`);
    lines.push(...stepInWords(step));
  }
  const missed = steps.at(-1)?.exchanges.find(({ unexpected }) => unexpected === true);
  if (missed !== undefined)
    lines.push(
      `handle it there, or ignore it on purpose: '${typeIn(missed.what)}': {} in a machine, { state } from a model`,
    );
  if (stem === undefined) return { kind, property, parts, start, steps, text: lines.join('\n') };
  lines.push(
    steps.length < stem
      ? 'and there it stays: nothing more has to happen'
      : `and so on: step ${steps.length} leads back to where step ${stem} began`,
  );
  return { kind, property, parts, start, steps, cycle: stem, text: lines.join('\n') };
}

/** What was wrong with the step that the composition made last. */
export function unexpectedIn({ unexpected, parts }: Composition): string {
  const part = unexpected === undefined ? undefined : parts[unexpected.part];
  const input = unexpected === undefined ? undefined : part?.inputOf(unexpected.input);
  const event = input?.is === 'event' ? inWords(input.event) : 'an event';
  return `${part?.name ?? 'an actor'} does not expect ${event}`;
}

/** The violation of a `sometimes` property after a complete search. */
export function notReached(property: string, states: number): Violation {
  const text = `sometimes: ${property}\nholds in none of all ${states} states`;
  return { kind: 'sometimes', property, parts: [], start: [], steps: [], text };
}

/** An error that already says where the search was. */
class SearchFailure extends Error {}

/** The last steps before an error, in its message. */
const SHOWN_STEPS = 8;

/** The error of a search that cannot go on, with the state that it was in and the way there. */
export function failedIn(composition: Composition, path: readonly PathStep[], cause: unknown): Error {
  if (cause instanceof SearchFailure) return cause;
  const last = path.at(-1)?.state ?? new Int32Array(composition.width);
  const all = path.length - 1;
  const skipped = Math.max(0, all - SHOWN_STEPS);
  const at = path[skipped]?.state.slice() ?? last.slice();
  const shown = path.slice(skipped + 1).map((to, i) => {
    const { number, label } = stepTo(composition, at, to, skipped + i + 1);
    return `${String(number).padStart(3)}. ${label}`;
  });
  const lines = [
    cause instanceof Error ? cause.message : String(cause),
    all === 0 ? 'at first, in the state' : `after ${all} steps`,
    ...(skipped > 0 ? [`     (${skipped} steps before these)`] : []),
    ...shown,
    ...(all === 0 ? [] : ['in the state']),
    ...composition.parts.map(
      (part, i) => `     ${part.name}: ${part.describe(last[i] as number).slice(0, 300)}`,
    ),
  ];
  return new SearchFailure(lines.join('\n'), { cause });
}
