// A module that a user wrote, loaded by its file name.
// Invariant: what is wrong with the file is said in terms of the file, never of the loader.
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { HoldfastError } from '../index.ts';

/**
 * What the module in `file` exports; `wanted` ends the message when there is none: `--functions wants a module that …`.
 * @throws HoldfastError `invalid_option`
 */
export async function loadModule(
  file: string,
  wanted: string,
): Promise<{ path: string; exports: Readonly<Record<string, unknown>> }> {
  const path = resolve(file);
  if (!existsSync(path)) throw refusedFile(`there is no file ${path}; ${wanted}`);
  if (!statSync(path).isFile()) throw refusedFile(`${path} is no file; ${wanted}`);
  let exports: Readonly<Record<string, unknown>>;
  try {
    exports = (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw refusedFile(`${path} cannot be loaded: ${describe(error)}`, error);
  }
  // CommonJS modules show what they export under this name too.
  return {
    path,
    exports: Object.fromEntries(Object.entries(exports).filter(([n]) => n !== 'module.exports')),
  };
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // The place of a syntax error is known to Node's own printer only.
  const where = error instanceof SyntaxError ? ' (`node --check` shows where)' : '';
  return `${error.name}: ${error.message}${where}`;
}

export function refusedFile(message: string, cause?: unknown): HoldfastError {
  return new HoldfastError(message, { code: 'invalid_option', cause });
}
