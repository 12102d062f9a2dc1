// `holdfast export`: a machine for Stately Studio, as a diagram, as SCXML or as JSON.
// Invariant: the text alone goes to standard output or into the file; what is worth knowing goes to standard error.
import { writeFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import {
  toDocument,
  toDot,
  toJson,
  toMermaid,
  toScxml,
  toStately,
  type DocumentOptions,
} from '../inspect/index.ts';
import { loadMachine, MACHINE_ARGUMENT, parseInput, type LoadedMachine } from './machine-file.ts';
import { refusedFile } from './module-file.ts';

const formats = {
  stately: toStately,
  mermaid: toMermaid,
  scxml: toScxml,
  json: toJson,
  dot: toDot,
} as const;

interface Flags {
  readonly to: keyof typeof formats;
  readonly out?: string;
  readonly ignores?: true;
  readonly input?: { readonly value: unknown };
}

const examples = `
Formats:
  stately   one literal TypeScript file: paste it into Stately Studio (Code, Import)
  mermaid   a state diagram, as GitHub shows it
  scxml     SCXML 1.0 of the W3C; an interpreter needs action(name), guard(name), delay(name)
  dot       for Graphviz: dot -Tsvg
  json      the config, everything by name; createMachine(JSON.parse(text)) reads it

Examples:
  holdfast export connection --to mermaid
  holdfast export machines.ts#order --to stately --out order.ts
  holdfast export machines.ts#order --to json --input '{"items": 3}'`;

export function exportCommand(): Command {
  return new Command('export')
    .description('write a state machine down: for Stately Studio, as a diagram, as SCXML or JSON')
    .argument('<machine>', MACHINE_ARGUMENT)
    .addOption(new Option('--to <format>', 'the format').choices(Object.keys(formats)).makeOptionMandatory())
    .option('--out <file>', 'write to this file, not to standard output')
    .option('--ignores', 'show also the events that a state ignores explicitly')
    .option('--input <json>', 'the input that the context at the start is computed from', parseInput)
    .addHelpText('after', examples)
    .action(run);
}

async function run(spec: string, flags: Flags): Promise<void> {
  const loaded = await loadMachine(spec);
  const options: DocumentOptions = {
    ignores: flags.ignores ? 'shown' : 'hidden',
    input: flags.input === undefined ? ownInput(loaded) : flags.input.value,
  };
  const text = formats[flags.to](loaded.machine, options);
  warn(loaded, flags.to, options);
  if (flags.out === undefined) process.stdout.write(text);
  else write(flags.out, text);
}

/** Our machines say with which input they start. */
function ownInput({ path, exports }: LoadedMachine): unknown {
  return path === undefined ? exports['input'] : undefined;
}

function warn({ machine, name }: LoadedMachine, format: string, options: DocumentOptions): void {
  if (format !== 'json' && format !== 'stately') return;
  for (const what of toDocument(machine, options).leftOut) {
    const remedy = what.startsWith('the context') ? '; give it with --input JSON' : '';
    process.stderr.write(`${name}: left out ${what}${remedy}\n`);
  }
}

/** @throws HoldfastError `invalid_option` */
function write(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw refusedFile(`cannot write the file of --out: ${(error as Error).message}`, error);
  }
}
