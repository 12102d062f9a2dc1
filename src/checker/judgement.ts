// Whether a run that was made again still violates what it violated when its trace was saved.
// Invariant: a liveness violation needs a run that repeats and is fair in the system as it is now.
import type { Composition } from './composition.ts';
import type { CounterexampleStep } from './explain.ts';
import type { CheckOptions, Predicate } from './options.ts';
import type { Move } from './part.ts';
import { holds, StateProperties } from './properties.ts';
import { StateSet } from './states.ts';
import type { SystemDefinition } from './system.ts';
import type { Trace } from './trace.ts';
import { StateView } from './view.ts';

/** A run of a system: the states from the first to the last, the moves between them, and who made each. */
export interface Run {
  readonly definition: SystemDefinition;
  readonly composition: Composition;
  readonly states: readonly Int32Array[];
  readonly made: readonly { readonly move: Move; readonly part: number }[];
  readonly steps: readonly CounterexampleStep[];
}

/** @throws Error when the violated property is not among `options`, or the trace shows none */
export function isViolated(run: Run, trace: Trace, options: CheckOptions): boolean {
  const view = new StateView(run.composition, new Int32Array(run.composition.width));
  const at = (state: Int32Array, predicate: Predicate): boolean => {
    view.state.set(state);
    return holds(trace.kind, trace.property, predicate, view);
  };
  const last = run.states.at(-1) as Int32Array;
  const { kind } = trace;
  switch (kind) {
    case 'always':
      return !at(last, named(options.always, trace));
    case 'unexpected':
      return run.steps.at(-1)?.exchanges.some(({ unexpected }) => unexpected === true) ?? false;
    case 'deadlock': {
      const { noDeadlock = true } = options;
      const properties = new StateProperties(run.definition, { noDeadlock });
      view.state.set(last);
      return properties.isOwed(view) && successorsOf(run.composition, last).length === 0;
    }
    case 'alwaysPossible': {
      const goal = named(options.alwaysPossible, trace);
      return !canReach(run.composition, last, (state) => at(state, goal), options.maxStates);
    }
    case 'eventually': {
      const goal = named(options.eventually, trace);
      return run.states.every((state) => !at(state, goal)) && isFairLasso(run, trace);
    }
    case 'alwaysEventually': {
      const goal = named(options.alwaysEventually, trace);
      return run.states.slice(stemOf(trace)).every((state) => !at(state, goal)) && isFairLasso(run, trace);
    }
    case 'leadsTo': {
      const { from, to } = named(options.leadsTo, trace);
      const owed = run.states.reduce((open, state) => (open || at(state, from)) && !at(state, to), false);
      return owed && isFairLasso(run, trace);
    }
    default:
      throw new Error(`a violation of ${kind} is shown by no run and cannot be replayed; search again`);
  }
}

function named<T>(properties: Readonly<Record<string, T>> | undefined, { kind, property }: Trace): T {
  const found = properties?.[property];
  if (found !== undefined) return found;
  const known = Object.keys(properties ?? {}).map((name) => `'${name}'`);
  throw new Error(
    `the trace violates ${kind} '${property}', and no such property is given; there ${known.length === 0 ? 'is none' : `are: ${known.join(', ')}`}`,
  );
}

/** How many states come before the part that repeats for ever. */
const stemOf = ({ cycle, steps }: Trace): number => (cycle ?? steps.length + 1) - 1;

/** The run comes back to where its cycle began, and whoever could always move on the cycle did. */
function isFairLasso({ composition, states, made }: Run, trace: Trace): boolean {
  const stem = stemOf(trace);
  const cycle = states.slice(stem);
  const [first, last] = [cycle[0], cycle.at(-1)];
  if (first === undefined || last === undefined || !first.every((local, i) => local === last[i]))
    return false;
  const unitsOf = (move: Move, part: number): string[] =>
    move.fault ? [] : [`${part} ${move.label}`, ...(part === -1 ? [] : [String(part)])];
  const done = new Set(made.slice(stem).flatMap(({ move, part }) => unitsOf(move, part)));
  const possible = cycle.map((state) => {
    const units = new Set<string>();
    composition.eachMove(state, (move, part) => unitsOf(move, part).forEach((unit) => units.add(unit)));
    return units;
  });
  const always = [...(possible[0] ?? [])].filter((unit) => possible.every((units) => units.has(unit)));
  return always.every((unit) => done.has(unit));
}

/** Other states that something other than a fault leads to. */
function successorsOf(composition: Composition, from: Int32Array): Int32Array[] {
  const successors: Int32Array[] = [];
  composition.eachMove(from, (move) => {
    if (move.fault) return;
    const to = from.slice();
    composition.run(to, move);
    if (!to.every((local, i) => local === from[i])) successors.push(to);
  });
  return successors;
}

function canReach(
  composition: Composition,
  from: Int32Array,
  isGoal: (state: Int32Array) => boolean,
  maxStates = 10_000_000,
): boolean {
  const seen = new StateSet(composition.width);
  const state = from.slice();
  seen.add(state);
  for (let index = 0; index < seen.size; index++) {
    if (seen.size > maxStates)
      throw new Error(`more than ${maxStates} states follow the trace; raise maxStates`);
    seen.read(index, state);
    if (isGoal(state)) return true;
    for (const next of successorsOf(composition, state)) seen.add(next);
  }
  return false;
}
