// A search that goes on in slices, so that whoever runs it can show progress, stop it, and see what was found so far.
// Invariant: a search that was stopped early answers as an incomplete one.
import { Exploration } from './exploration.ts';
import type { CheckOptions, CheckResult, Search } from './options.ts';
import { Simulation } from './simulation.ts';
import type { SystemDefinition } from './system.ts';

const MODES: readonly NonNullable<CheckOptions['mode']>[] = ['breadth-first', 'depth-first', 'simulation'];

/**
 * Prepares a search; nothing but the first state is explored before `run`.
 *
 * @throws Error for a mode that does not exist or a bound that is no whole number
 */
export function createSearch(definition: SystemDefinition, options: CheckOptions = {}): Search {
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
