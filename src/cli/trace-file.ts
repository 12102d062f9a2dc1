// Counterexamples in files: as traces that can be made again, as diagrams, and as tests.
// Invariant: of several systems, each has files of its own, so that none is overwritten.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, parse, relative, resolve, sep } from 'node:path';
import type { CheckOptions, Replay, Trace } from '../testing/index.ts';
import { refusedFile } from './module-file.ts';
import { formatJson, printLine } from './report.ts';
import { loadSystems } from './system-file.ts';

/** Where a counterexample goes; - is standard output. */
export interface TraceFiles {
  readonly save?: string;
  readonly diagram?: string;
  readonly vitest?: string;
}

/** What a trace is of: the system of this name in this module, one of so many that are checked together. */
interface Origin {
  readonly module: string;
  readonly name: string;
  readonly among: number;
}

export async function writeTrace(trace: Trace, files: TraceFiles, origin: Origin): Promise<void> {
  const { toMermaidSequence, toVitest } = await import('../testing/index.ts');
  const { save, diagram, vitest } = files;
  if (save !== undefined) write(save, origin, () => `${JSON.stringify(trace, null, 2)}\n`);
  if (diagram !== undefined) write(diagram, origin, () => toMermaidSequence(trace));
  if (vitest === undefined) return;
  write(vitest, origin, (path) => {
    const name = origin.name === 'system' ? {} : { name: origin.name };
    return toVitest(trace, { module: importPath(path, origin.module), ...name });
  });
}

/** `trace.json`; of several systems `trace.NAME.json`. */
function ownPath(file: string, { name, among }: Origin): string {
  if (among === 1) return resolve(file);
  const { dir, name: stem, ext } = parse(resolve(file));
  const [first = '', ...rest] = stem.split('.');
  return resolve(dir, [first, name.replaceAll(/[^\p{L}\p{N}_-]+/gu, '-'), ...rest].join('.') + ext);
}

function write(file: string, origin: Origin, content: (path: string) => string): void {
  if (file === '-') {
    printLine(content(resolve('trace')).trimEnd());
    return;
  }
  const path = ownPath(file, origin);
  try {
    writeFileSync(path, content(path));
  } catch (cause) {
    throw refusedFile(`${path} cannot be written: ${String(cause)}`, cause);
  }
  process.stderr.write(`wrote ${path}\n`);
}

/** How the file `from` imports the module `to`. */
function importPath(from: string, to: string): string {
  const path = relative(dirname(from), resolve(to)).split(sep).join('/');
  return path.startsWith('.') ? path : `./${path}`;
}

interface Replayed {
  readonly trace: Trace;
  /** Of the system. */
  readonly name: string;
  readonly verdict: Replay['verdict'];
}

/**
 * Makes the steps of the trace in `file` again and prints what came of it. The system is the one that the trace names,
 * or the only one in `names`.
 *
 * @throws HoldfastError `invalid_option` when there is no such trace or system
 */
export async function replayTrace(
  module: string,
  file: string,
  names: readonly string[] | undefined,
  flags: CheckOptions,
  json: true | undefined,
): Promise<Replayed> {
  const { parseTrace, replay } = await import('../testing/index.ts');
  const trace = ((): Trace => {
    try {
      return parseTrace(readFileSync(file, 'utf8'));
    } catch (cause) {
      throw refusedFile(
        `${resolve(file)} is no trace: ${cause instanceof Error ? cause.message : String(cause)}`,
        cause,
      );
    }
  })();
  const [one] = await loadSystems(module, names ?? [trace.system]);
  if (one === undefined) throw refusedFile(`${module} has no system '${trace.system}'`);
  const { verdict, divergence, instead, steps, text } = replay(one.system, trace, {
    ...one.properties,
    ...flags,
  });
  if (json) printLine(formatJson({ system: one.name, verdict, made: steps.length, divergence, instead }));
  else printLine(`${one.name}: ${file}\n${text}`);
  return { trace, name: one.name, verdict };
}
