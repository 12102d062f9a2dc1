// The functions of a module that a user wrote, found by its exports.
// Invariant: what is wrong with the file is said in terms of the file, never of the loader.
import type { NodeFunction } from '../index.ts';
import { loadModule, refusedFile } from './module-file.ts';

/** @throws HoldfastError `invalid_option` */
export async function loadFunctions(file: string): Promise<Record<string, NodeFunction>> {
  const { path, exports } = await loadModule(file, '--functions wants a module that exports functions');
  const functions = functionsOf(exports);
  if (Object.keys(functions).length > 0) return functions;
  const others = Object.keys(exports);
  const has =
    others.length === 0 ? 'exports nothing' : `exports ${others.join(', ')}, and none of it is a function`;
  throw refusedFile(`${path} ${has}; write for example: export function add(a, b) { return a + b; }`);
}

/** Exported functions by their names; of a default export the functions that it holds, or itself by its own name. */
export function functionsOf(module: Readonly<Record<string, unknown>>): Record<string, NodeFunction> {
  const { default: main, ...named } = module;
  const found: Record<string, NodeFunction> = {};
  if (typeof main === 'object' && main !== null) take(found, main);
  if (typeof main === 'function' && main.name !== '' && main.name !== 'default')
    found[main.name] = main as NodeFunction;
  take(found, named);
  return found;
}

function take(found: Record<string, NodeFunction>, from: object): void {
  for (const [name, value] of Object.entries(from)) {
    if (typeof value === 'function') found[name] = value as NodeFunction;
  }
}
