// A search that goes on in slices, so that whoever runs it can show progress, stop it, and see what was found so far.
// Invariant: a search that was stopped early answers as an incomplete one.
import { Exploration } from './exploration.ts';
import type { CheckOptions, CheckResult, Search } from './options.ts';
import { isObject, refuseUnknown, whatIs } from './shape.ts';
import { Simulation } from './simulation.ts';
import type { SystemDefinition } from './system.ts';

const MODES: readonly NonNullable<CheckOptions['mode']>[] = ['breadth-first', 'depth-first', 'simulation'];

const OPTIONS: Readonly<Record<keyof CheckOptions, 'predicates' | 'pairs' | 'plain'>> = {
  always: 'predicates',
  sometimes: 'predicates',
  eventually: 'predicates',
  alwaysEventually: 'predicates',
  alwaysPossible: 'predicates',
  leadsTo: 'pairs',
  faults: 'plain',
  noDeadlock: 'plain',
  mode: 'plain',
  partialOrder: 'plain',
  symmetry: 'plain',
  maxStates: 'plain',
  maxDepth: 'plain',
  seed: 'plain',
  walks: 'plain',
};

const isFunction = (value: unknown): boolean => typeof value === 'function';

/** @throws Error for an option that does not exist, and for a property that is no function */
function refuseOptions(options: CheckOptions): void {
  refuseUnknown('a check', options, OPTIONS);
  for (const [option, kind] of Object.entries(OPTIONS)) {
    const given: unknown = options[option as keyof CheckOptions];
    if (given === undefined || kind === 'plain') continue;
    if (!isObject(given))
      throw new Error(`${option} is ${whatIs(given)}; write { 'name of the property': (view) => … }`);
    for (const [name, property] of Object.entries(given)) {
      const both = isObject(property) ? [property['from'], property['to']] : [];
      const right = kind === 'pairs' ? both.length === 2 && both.every(isFunction) : isFunction(property);
      if (right) continue;
      const wanted = kind === 'pairs' ? '{ from: (view) => …, to: (view) => … }' : '(view) => …';
      throw new Error(`the property '${name}' (${option}) is ${whatIs(property)}; write ${wanted}`);
    }
  }
}

/**
 * Prepares a search; nothing but the first state is explored before `run`.
 *
 * @throws Error for an option or a mode that does not exist or a bound that is no whole number
 */
export function createSearch(definition: SystemDefinition, options: CheckOptions = {}): Search {
  refuseOptions(options);
  const { mode = 'breadth-first', maxDepth, maxStates, seed, walks } = options;
  if (!MODES.includes(mode))
    throw new Error(`there is no mode '${String(mode)}'; choose one of ${MODES.join(', ')}`);
  for (const [name, value] of Object.entries({ maxDepth, maxStates, seed, walks })) {
    if (value === undefined || value === Infinity) continue;
    if (!Number.isSafeInteger(value) || value < 0)
      throw new Error(`${name} is ${value}; give a whole number that is not negative`);
  }
  return mode === 'simulation' ? new Simulation(definition, options) : new Exploration(definition, options);
}

/** Explores `definition` to the end, or to a bound, and stops at the first violation. @throws what `createSearch` throws */
export function check(definition: SystemDefinition, options: CheckOptions = {}): CheckResult {
  const search = createSearch(definition, options);
  search.run();
  return search.result();
}
