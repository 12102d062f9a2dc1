// `holdfast check`: explores the systems of a module and says whether their properties hold.
// Invariant: Ctrl-C ends the search, not the report: what was found so far is printed.
import { setImmediate as endOfTurn } from 'node:timers/promises';
import { Command, Option } from 'commander';
import type { CheckOptions, CheckResult } from '../testing/index.ts';
import { parseCount } from './arguments.ts';
import { given } from './flags.ts';
import { formatJson, printError, printLine } from './report.ts';
import { describeProgress, describeResult, ProgressLine, type Ending } from './search-report.ts';
import { onStopSignal, statusOf, type StopSignal } from './signals.ts';
import { loadSystems, type NamedSystem } from './system-file.ts';
import { replayTrace, writeTrace, type TraceFiles } from './trace-file.ts';

interface Flags {
  readonly system?: readonly string[];
  readonly mode?: NonNullable<CheckOptions['mode']>;
  readonly maxStates?: number;
  readonly maxDepth?: number;
  readonly seed?: number;
  readonly walks?: number;
  readonly faults?: NonNullable<CheckOptions['faults']>;
  readonly symmetry?: boolean;
  readonly partialOrder?: true;
  readonly save?: string;
  readonly replay?: string;
  readonly diagram?: string;
  readonly vitest?: string;
  readonly json?: true;
}

/** How long the search runs before it looks at signals again. */
const SLICE_MS = 100;

const examples = `
FILE is a module (.js, .mjs or .ts) that exports \`system\` (defineSystem of holdfast/testing) and \`properties\` (always,
sometimes, eventually, leadsTo, noDeadlock, …), or \`systems\`: an object of such pairs by name.

The exit status is 0 when nothing was violated, 1 after a violation, 2 when a system cannot be checked.

A counterexample is kept as a trace. --replay makes its steps again in the system as it is now, and says what is possible
instead when it cannot. In place of a file, - stands for standard output. Of several systems each writes files of its own.

Examples:
  holdfast check fleet.ts
  holdfast check fleet.ts --save lost.json --diagram lost.mmd
  holdfast check fleet.ts --replay lost.json --vitest lost.test.ts
  holdfast check fleet.ts --system handshake --mode depth-first --max-depth 60
  holdfast check fleet.ts --mode simulation --walks 10000 --seed 42`;

export function checkCommand(): Command {
  return new Command('check')
    .description('explore composed machines and say whether their properties hold')
    .argument('<file>', 'module that exports `system` and `properties`, or `systems`')
    .option('--system <name...>', 'only these of its systems')
    .addOption(
      new Option('--mode <mode>', 'how to search (default: breadth-first, or what the module says)').choices([
        'breadth-first',
        'depth-first',
        'simulation',
      ]),
    )
    .addOption(count('--max-states', 'stop, incomplete, beyond so many states (default: 10 million)'))
    .addOption(count('--max-depth', 'explore nothing farther away; steps of a walk in a simulation'))
    .addOption(count('--seed', 'decides all random choices of a simulation (default: another each time)'))
    .addOption(count('--walks', 'random walks of a simulation (default: 1000)'))
    .addOption(
      new Option('--faults <how>', 'may a counterexample to liveness repeat faults? (default: end)').choices([
        'end',
        'recur',
      ]),
    )
    .option('--partial-order', 'make one order only of steps that commute: fewer steps, more time a step')
    .option('--no-symmetry', 'look at every state for itself, though some actors are alike')
    .option('--save <file>', 'keep a counterexample as a trace')
    .option('--replay <file>', 'make the steps of a trace again in place of a search')
    .option('--diagram <file>', 'write a counterexample as a Mermaid sequence diagram')
    .option('--vitest <file>', 'write a counterexample as a test that fails until it is repaired')
    .option('--json', 'print one JSON line a system')
    .addHelpText('after', examples)
    .action(run);
}

function count(flag: string, description: string): Option {
  return new Option(`${flag} <n>`, description).argParser(parseCount);
}

async function run(file: string, flags: Flags): Promise<void> {
  let stopped: StopSignal | undefined;
  const release = onStopSignal((signal) => void (stopped = signal));
  try {
    const { system, json, symmetry, save, replay, diagram, vitest, ...given_ } = flags;
    const options = given({ ...given_, ...(symmetry === false ? { symmetry } : {}) }) as CheckOptions;
    const files = given({ save, diagram, vitest }) as TraceFiles;
    if (replay !== undefined) {
      const found = await replayTrace(file, replay, system, options, json);
      await writeTrace(found.trace, files, { module: file, name: found.name, among: 1 });
      if (found.verdict === 'violated') process.exitCode = 1;
      return;
    }
    const { toTrace } = await import('../testing/index.ts');
    const systems = await loadSystems(file, system);
    for (const one of systems) {
      const violation = await violationOf(one, systems.length, options, json, () => stopped !== undefined);
      if (violation !== undefined) {
        process.exitCode ??= 1;
        const trace = toTrace(violation, one.name);
        await writeTrace(trace, files, { module: file, name: one.name, among: systems.length });
      }
      if (stopped === undefined) continue;
      process.exitCode = statusOf(stopped);
      return;
    }
  } catch (error) {
    printError(error, flags.json ? 'json' : 'text');
    process.exitCode = 2;
  } finally {
    release();
  }
}

/** The violation of a system, if it has one. A system that cannot be explored says so, and the next one is. */
async function violationOf(
  one: NamedSystem,
  among: number,
  flags: CheckOptions,
  json: true | undefined,
  isStopped: () => boolean,
): Promise<CheckResult['violation']> {
  try {
    return (await checkOne(one, flags, json, isStopped)).violation;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    printError(among === 1 ? error : new Error(`${one.name}: ${message}`), json ? 'json' : 'text');
    process.exitCode = 2;
    return undefined;
  }
}

/** @throws Error when the system cannot be explored */
async function checkOne(
  { name, system, properties }: NamedSystem,
  flags: CheckOptions,
  json: true | undefined,
  isStopped: () => boolean,
): Promise<CheckResult> {
  const { createSearch } = await import('../testing/index.ts');
  const options = { ...properties, ...flags };
  const seed = options.seed ?? Math.floor(Math.random() * 1_000_000);
  const search = createSearch(system, { ...options, seed });
  const began = performance.now();
  const line = new ProgressLine(process.stderr, began);
  let ending: Ending = 'finished';
  let slice = 256;
  for (;;) {
    const from = performance.now();
    if (search.run(slice) === 'finished') break;
    const now = performance.now();
    slice = Math.max(64, Math.min(slice * 2, Math.round((slice * SLICE_MS) / Math.max(1, now - from))));
    line.show(describeProgress(name, search.progress(), now - began), now);
    await endOfTurn();
    if (!isStopped()) continue;
    ending = 'interrupted';
    break;
  }
  line.clear();
  const result = search.result();
  const elapsedMs = performance.now() - began;
  if (json) printLine(formatJson({ system: name, ending, elapsedMs: Math.round(elapsedMs), ...result }));
  else {
    const { largest } = search.progress();
    for (const text of describeResult(name, result, ending, elapsedMs, largest)) printLine(text);
  }
  return result;
}
