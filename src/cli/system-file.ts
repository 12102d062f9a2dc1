// The systems that a user's module asks to be checked, found by its exports.
// Invariant: what is wrong with the file is said in terms of the file, with the export that would be right.
import type { CheckOptions, SystemDefinition } from '../testing/index.ts';
import { loadModule, refusedFile } from './module-file.ts';

export interface NamedSystem {
  readonly name: string;
  readonly system: SystemDefinition;
  readonly properties: CheckOptions;
}

const WANTED =
  'check wants a module that exports `system` and `properties`, or `systems`: an object of such pairs by name';

/**
 * The pair of exports `system` and `properties`, and those in the export `systems`; of all these the ones in `names`,
 * or all when there is no name.
 * @throws HoldfastError `invalid_option`
 */
export async function loadSystems(file: string, names: readonly string[] = []): Promise<NamedSystem[]> {
  const { path, exports } = await loadModule(file, WANTED);
  const { system, properties, systems } = exports;
  const found: NamedSystem[] = [];
  if (system !== undefined) found.push(named('system', { system, properties }, path));
  if (systems !== undefined) {
    if (typeof systems !== 'object' || systems === null)
      throw refusedFile(`systems of ${path} is a ${typeof systems}; ${WANTED}`);
    for (const [name, pair] of Object.entries(systems)) found.push(named(name, pair, path));
  }
  if (found.length === 0) {
    const others = Object.keys(exports);
    throw refusedFile(`${path} exports ${others.length === 0 ? 'nothing' : others.join(', ')}; ${WANTED}`);
  }
  const unknown = names.find((name) => found.every((one) => one.name !== name));
  if (unknown !== undefined)
    throw refusedFile(
      `${path} has no system '${unknown}'; it has ${found.map(({ name }) => name).join(', ')}`,
    );
  return names.length === 0 ? found : found.filter(({ name }) => names.includes(name));
}

function named(name: string, pair: unknown, path: string): NamedSystem {
  const { system, properties = {} } = (pair ?? {}) as { system?: unknown; properties?: unknown };
  if (typeof system !== 'object' || system === null || !('actors' in system) || !('route' in system))
    throw refusedFile(`${name} of ${path} has no system; make one with defineSystem({ actors, route, … })`);
  if (typeof properties !== 'object' || properties === null)
    throw refusedFile(
      `the properties of ${name} in ${path} are a ${typeof properties}; write { always: { … } }`,
    );
  return { name, system: system as SystemDefinition, properties };
}
