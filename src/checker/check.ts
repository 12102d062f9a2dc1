// A search that goes on in slices, so that whoever runs it can show progress, stop it, and see what was found so far.
// Invariant: a search that was stopped early answers as an incomplete one.
import { Exploration } from './exploration.ts';
import type { CheckOptions, CheckResult, Search } from './options.ts';
import type { SystemDefinition } from './system.ts';

export function createSearch(definition: SystemDefinition, options: CheckOptions = {}): Search {
  return new Exploration(definition, options);
}

/** Explores `definition` to the end and stops at the first violation. */
export function check(definition: SystemDefinition, options: CheckOptions = {}): CheckResult {
  const search = createSearch(definition, options);
  search.run();
  return search.result();
}
