// `holdfast upgrade-check`: starts the new version of a durable machine from every record that the old one can leave.
// Invariant: what was explored, and where it stopped, is always said: a bound is no proof.
import { Command } from 'commander';
import { checkUpgrade, type AnyDurable, type Exploration } from '../testing/index.ts';
import { parseCount } from './arguments.ts';
import { loadMachine, type LoadedMachine } from './machine-file.ts';
import { refusedFile } from './module-file.ts';
import { formatJson, printLine } from './report.ts';

interface Flags {
  readonly maxStates: number;
  readonly json?: true;
}

const MAX_STATES = 10_000;
/** Failures that are printed in full; with --json all are. */
const MOST_SHOWN = 20;

const examples = `
OLD and NEW are modules that export a machine and, beside it,
  record(context)    what is written down of an actor, as plain data
  input(record)      what an actor starts with; the record is undefined for its first start
and may export
  examples           events with their payloads, tried in every state (else each event that the machine names, bare)
  legal(context, state)   a sentence when an actor that was started is not right

Examples:
  holdfast upgrade-check v1/budget.ts v2/budget.ts
  git worktree add ../before v1.4.0 && holdfast upgrade-check ../before/machines.ts#budget machines.ts#budget`;

export function upgradeCheckCommand(): Command {
  return new Command('upgrade-check')
    .description('check that records of an old version start legal actors of a new one')
    .argument('<old>', 'FILE#export of the old machine')
    .argument('<new>', 'FILE#export of the new one')
    .option('--max-states <number>', 'states of each version that are explored', parseCount, MAX_STATES)
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', examples)
    .action(run);
}

async function run(oldSpec: string, newSpec: string, { maxStates, json }: Flags): Promise<void> {
  if (maxStates < 1) throw refusedFile(`--max-states is ${maxStates}; at least one state must be explored`);
  const [old, next] = [
    durableOf(await loadMachine(oldSpec), oldSpec),
    durableOf(await loadMachine(newSpec), newSpec),
  ];
  const found = checkUpgrade(old, next, { maxStates });
  const records = found.old.records.size;
  // No record is no proof of anything.
  if (records === 0)
    throw refusedFile(
      `${oldSpec} leaves no record: record(context) answered undefined wherever it was asked`,
    );
  const { failed } = found;
  if (failed.length > 0) process.exitCode = 1;
  if (json) {
    const explored = ({ states, depth, extent }: Exploration) => ({ states, depth, extent });
    return printLine(formatJson({ old: explored(found.old), new: explored(found.new), records, failed }));
  }
  for (const { record, what, remedy } of failed.slice(0, MOST_SHOWN))
    printLine(`record ${formatJson(record)}\n  ${what}\n  remedy: ${remedy}`);
  if (failed.length > MOST_SHOWN) printLine(`and ${failed.length - MOST_SHOWN} more, which --json shows`);
  printLine(
    `old: ${inWords(found.old)}; ${records} different record${records === 1 ? '' : 's'}${events(old)}`,
  );
  printLine(`new: ${inWords(found.new)}${events(next)}`);
  printLine(
    failed.length === 0 ? 'every record starts a legal actor' : `${failed.length} of ${records} records fail`,
  );
}

function inWords({ states, depth, extent }: Exploration): string {
  const how = extent === 'complete' ? 'all there are' : 'stopped at the limit, raise --max-states';
  return `${states} states explored to depth ${depth} (${how})`;
}

const events = ({ examples: given }: AnyDurable): string =>
  given === undefined ? '; its events were tried without payloads, export `examples` to give them some' : '';

/** @throws HoldfastError `invalid_option` that says what the module lacks */
function durableOf({ machine, exports }: LoadedMachine, spec: string): AnyDurable {
  const { record, input, examples: given, legal } = exports;
  for (const [name, it] of [
    ['record', record],
    ['input', input],
  ] as const) {
    if (typeof it === 'function') continue;
    const wanted =
      name === 'record'
        ? 'record(context), what is written down of an actor'
        : 'input(record), what an actor starts with';
    throw refusedFile(`${spec} exports no function ${name}; export ${wanted}`);
  }
  if (given !== undefined && !Array.isArray(given))
    throw refusedFile(`examples of ${spec} must be a list of events`);
  if (legal !== undefined && typeof legal !== 'function')
    throw refusedFile(
      `legal of ${spec} must be a function (context, state) that answers a sentence, or undefined`,
    );
  return { machine, record, input, examples: given, legal } as AnyDurable;
}
