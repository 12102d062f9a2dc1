// The machine that a command is asked about: one of ours by its name, or one that a user's module exports.
// Invariant: a machine is what XState v5 made, by whichever copy of XState the user's module imports.
import { existsSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { InvalidArgumentError } from 'commander';
import type { AnyStateMachine } from 'xstate';
import { registry } from '../../machines/index.ts';
import { loadModule, refusedFile } from './module-file.ts';

/** How commands describe their argument MACHINE. */
export const MACHINE_ARGUMENT = `one of ours (${Object.keys(registry).join(', ')}), or FILE#export of a module`;

export interface LoadedMachine {
  /** The name in our registry, or that of the export; for a default export the file's. */
  readonly name: string;
  readonly machine: AnyStateMachine;
  /** The module's path; undefined for a machine of ours. */
  readonly path: string | undefined;
  /** All that stands beside the machine: what the module exports, or for one of ours `effects`, `examples` and `input`. */
  readonly exports: Readonly<Record<string, unknown>>;
}

/**
 * Finds the machine that `spec` names: `connection`, `machines.ts#order`, or `machines.ts` when it exports only one.
 * @throws HoldfastError `invalid_option` that says which machines there are
 */
export async function loadMachine(spec: string): Promise<LoadedMachine> {
  if (Object.hasOwn(registry, spec)) {
    const entry = registry[spec as keyof typeof registry];
    return { name: spec, machine: entry.machine, path: undefined, exports: entry };
  }
  const { file, exported } = splitSpec(spec);
  if (exported === undefined && !existsSync(file) && !/[./\\]/.test(file)) {
    throw refusedFile(
      `there is no machine ${spec}; ours are ${Object.keys(registry).join(', ')}; yours are FILE#export, such as machines.ts#order`,
    );
  }
  const { path, exports } = await loadModule(file, 'a machine is FILE#export, such as machines.ts#order');
  const found = chosen(path, exports, exported);
  return {
    name: found === 'default' ? stem(path) : found,
    machine: exports[found] as AnyStateMachine,
    path,
    exports,
  };
}

/** A `#` belongs to the file's name only where there is such a file. */
function splitSpec(spec: string): { file: string; exported?: string } {
  const at = spec.lastIndexOf('#');
  if (at < 0 || existsSync(spec)) return { file: spec };
  return { file: spec.slice(0, at), exported: spec.slice(at + 1) };
}

function chosen(
  path: string,
  exports: Readonly<Record<string, unknown>>,
  wanted: string | undefined,
): string {
  const machines = Object.keys(exports)
    .filter((name) => isMachine(exports[name]))
    .toSorted();
  // The same machine under a name and as the default is one machine.
  const [one] = machines.filter((name) => name !== 'default' || !hasTwin(exports, machines));
  const offers =
    machines.length === 0
      ? 'it exports no machine'
      : `the machines that it exports are ${machines.join(', ')}`;
  if (wanted === undefined || wanted === '') {
    const distinct = new Set(machines.map((name) => exports[name]));
    if (distinct.size === 1 && one !== undefined) return one;
    if (distinct.size > 1)
      throw refusedFile(
        `${path} exports ${distinct.size} machines (${machines.join(', ')}): say which, as in ${path}#${machines[0]}`,
      );
    const names = Object.keys(exports);
    throw refusedFile(
      `${path} exports ${names.length === 0 ? 'nothing' : `${names.join(', ')}, and none of it is a machine of XState v5`}; write for example: export const order = createMachine({ … });`,
    );
  }
  if (machines.includes(wanted)) return wanted;
  if (Object.hasOwn(exports, wanted))
    throw refusedFile(
      `${wanted} of ${path} is ${whatIs(exports[wanted])}, not a machine of XState v5; ${offers}`,
    );
  throw refusedFile(`${path} exports no ${wanted}; ${offers}`);
}

function hasTwin(exports: Readonly<Record<string, unknown>>, machines: readonly string[]): boolean {
  return machines.some((name) => name !== 'default' && exports[name] === exports['default']);
}

function isMachine(value: unknown): value is AnyStateMachine {
  if (typeof value !== 'object' || value === null) return false;
  const it = value as Partial<AnyStateMachine>;
  return (
    typeof it.config === 'object' &&
    typeof it.root === 'object' &&
    typeof it.provide === 'function' &&
    typeof it.getInitialSnapshot === 'function'
  );
}

function whatIs(value: unknown): string {
  if (typeof value === 'function') return 'a function (call it, and export what it makes)';
  if (typeof value !== 'object') return `a ${typeof value}`;
  if (value === null) return 'null';
  if ('withConfig' in value) return 'a machine of XState 4';
  if ('states' in value) return 'a plain object (give it to createMachine)';
  return 'an object';
}

function stem(path: string): string {
  return basename(path, extname(path));
}

/** For the option `--input`. @throws InvalidArgumentError */
export function parseInput(text: string): { value: unknown } {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    throw new InvalidArgumentError(`It must be JSON, such as '{"items": 3}'.`);
  }
}
