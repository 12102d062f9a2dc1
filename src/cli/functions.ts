// The functions of a module that a user wrote, found by its exports.
// Invariant: what is wrong with the file is said in terms of the file, never of the loader.
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { HoldfastError, type NodeFunction } from '../index.ts';

/** @throws HoldfastError `invalid_option` */
export async function loadFunctions(file: string): Promise<Record<string, NodeFunction>> {
  const path = resolve(file);
  if (!existsSync(path))
    throw refused(`there is no file ${path}; --functions wants a module that exports functions`);
  if (!statSync(path).isFile())
    throw refused(`${path} is no file; --functions wants a module that exports functions`);
  let module: Readonly<Record<string, unknown>>;
  try {
    module = (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw refused(`${path} cannot be loaded: ${describe(error)}`, error);
  }
  const functions = functionsOf(module);
  if (Object.keys(functions).length > 0) return functions;
  const others = Object.keys(module);
  const has =
    others.length === 0 ? 'exports nothing' : `exports ${others.join(', ')}, and none of it is a function`;
  throw refused(`${path} ${has}; write for example: export function add(a, b) { return a + b; }`);
}

/** Exported functions by their names; of a default export the functions that it holds, or itself by its own name. */
export function functionsOf(module: Readonly<Record<string, unknown>>): Record<string, NodeFunction> {
  const { default: main, ...named } = module;
  const found: Record<string, NodeFunction> = {};
  if (typeof main === 'object' && main !== null) take(found, main);
  if (typeof main === 'function' && main.name !== '' && main.name !== 'default')
    found[main.name] = main as NodeFunction;
  // CommonJS modules show what they export under this name too.
  delete (named as Record<string, unknown>)['module.exports'];
  take(found, named);
  return found;
}

function take(found: Record<string, NodeFunction>, from: object): void {
  for (const [name, value] of Object.entries(from)) {
    if (typeof value === 'function') found[name] = value as NodeFunction;
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // The place of a syntax error is known to Node's own printer only.
  const where = error instanceof SyntaxError ? ' (`node --check` shows where)' : '';
  return `${error.name}: ${error.message}${where}`;
}

function refused(message: string, cause?: unknown): HoldfastError {
  return new HoldfastError(message, { code: 'invalid_option', cause });
}
