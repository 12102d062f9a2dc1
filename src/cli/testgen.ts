// `holdfast testgen`: a vitest file with one test for each path of a machine.
// Invariant: what is printed or written passes as it stands; nothing is overwritten unasked.
import { existsSync, writeFileSync } from 'node:fs';
import { basename, dirname, extname, relative, resolve, sep } from 'node:path';
import { Command, Option } from 'commander';
import { contractOptions, testFile, type TestFileOptions, type TestModelOptions } from '../testing/index.ts';
import { parseCount } from './arguments.ts';
import { loadMachine, MACHINE_ARGUMENT, parseInput, type LoadedMachine } from './machine-file.ts';
import { refusedFile } from './module-file.ts';
import { printLine } from './report.ts';

interface Flags {
  readonly out?: string;
  readonly force?: true;
  readonly coverage: 'states' | 'transitions' | 'transition-pairs';
  readonly timing: 'ends' | 'middles';
  readonly input?: { readonly value: unknown };
  readonly maxPaths?: number;
  readonly maxDepth?: number;
  readonly maxStates?: number;
}

const examples = `
Payloads, scripted actors and input stand beside the machine. For a machine \`order\` the module may export
  orderEvents     { 'item.added': [{ id: 'a' }, { id: 'b' }] }, or a list of events
  orderScripts    { loadUser: [{ output: { name: 'Ada' } }, { error: new Error('no user') }] }
  orderInput      the machine's input
or, in a module with one machine, just events, scripts and input.

Examples:
  holdfast testgen machines.ts#order --out order.test.ts
  holdfast testgen connection --coverage transition-pairs
  holdfast testgen machines.ts#form --timing middles
  npx vitest run order.test.ts`;

export function testgenCommand(): Command {
  return new Command('testgen')
    .description('write tests of a state machine: one for each path, to read and edit')
    .argument('<machine>', MACHINE_ARGUMENT)
    .option('--out <file>', 'write to this file (.js: without types), not to standard output')
    .option('--force', 'overwrite the file that --out names')
    .addOption(
      new Option('--coverage <what>', 'what the paths cover')
        .choices(['states', 'transitions', 'transition-pairs'])
        .default('transitions'),
    )
    .addOption(
      new Option('--timing <when>', 'middles: events also when half of a delay is over')
        .choices(['ends', 'middles'])
        .default('ends'),
    )
    .option('--input <json>', "the machine's input", parseInput)
    .option('--max-paths <n>', 'no more tests than this (default: 200)', parseCount)
    .option('--max-depth <n>', 'no path has more steps (default: 50)', parseCount)
    .option('--max-states <n>', 'no more states are looked into (default: 2000)', parseCount)
    .addHelpText('after', examples)
    .action(run);
}

async function run(spec: string, flags: Flags): Promise<void> {
  const loaded = await loadMachine(spec);
  const out = flags.out === undefined ? undefined : resolve(flags.out);
  if (out !== undefined && existsSync(out) && flags.force === undefined) {
    throw refusedFile(`there is a file ${out} already, perhaps edited; write another one, or say --force`);
  }
  const text = written(loaded, flags, out);
  if (out === undefined) return printLine(text.trimEnd());
  try {
    writeFileSync(out, text);
  } catch (error) {
    throw refusedFile(`cannot write the file of --out: ${(error as Error).message}`, error);
  }
  const tests = text.match(/^ {2}it\(/gm)?.length ?? 0;
  printLine(`${tests} tests written to ${out}; run them with: npx vitest run ${flags.out}`);
}

function written(loaded: LoadedMachine, flags: Flags, out: string | undefined): string {
  try {
    const language = /\.[mc]?jsx?$/.test(out ?? '') ? 'js' : 'ts';
    return testFile(loaded.machine, { ...fileOptions(loaded, flags, out), language });
  } catch (error) {
    throw refusedFile(`${loaded.name}: ${(error as Error).message}`, error);
  }
}

/** Names of exports by what they are to the machine. */
type Beside = Readonly<Partial<Record<'input' | 'events' | 'scripts', string>>>;

const KINDS = {
  input: ['Input', 'input'],
  events: ['Events', 'Examples', 'events', 'examples'],
  scripts: ['Scripts', 'scripts'],
} as const;

function beside({ name, exports }: LoadedMachine): Beside {
  const stem = name.replace(/Machine$/, '');
  const found = Object.entries(KINDS).map(([kind, endings]) => {
    const names = endings.map((ending) => (/^[A-Z]/.test(ending) ? stem + ending : ending));
    return [kind, names.find((it) => Object.hasOwn(exports, it))] as const;
  });
  return Object.fromEntries(found.filter(([, it]) => it !== undefined));
}

function fileOptions(loaded: LoadedMachine, flags: Flags, out: string | undefined): TestFileOptions {
  const { coverage, timing, maxPaths, maxDepth, maxStates } = flags;
  const asked = {
    ...(coverage === 'transitions' ? {} : { coverage }),
    ...(timing === 'ends' ? {} : { timing }),
    ...(maxPaths === undefined ? {} : { maxPaths }),
    ...(maxDepth === undefined ? {} : { maxDepth }),
    ...(maxStates === undefined ? {} : { maxStates }),
  };
  if (loaded.path === undefined) return ownOptions(loaded, asked);
  const names = beside(loaded);
  const given = Object.entries(names).map(([kind, name]) => [kind, loaded.exports[name]] as const);
  const { input: _, ...rest } = names;
  const code = flags.input === undefined ? names : rest;
  const machine = importedName(loaded);
  const list = [...new Set([...machine.names, ...Object.values(code)])].toSorted();
  const braces = list.length === 0 ? '' : `{ ${list.join(', ')} }`;
  const clause = [machine.main, braces].filter((part) => part !== '').join(', ');
  return {
    ...asked,
    ...Object.fromEntries(given),
    ...(flags.input === undefined ? {} : { input: flags.input.value }),
    name: machine.name,
    imports: [`import ${clause} from '${specifier(loaded.path, out)}';`],
    code,
  };
}

/** Machines of ours: their epochs and examples are a contract that the test model knows. */
function ownOptions({ name, exports }: LoadedMachine, asked: TestModelOptions): TestFileOptions {
  const { input, examples: events } = exports as { input: unknown; examples: { type: string }[] };
  const [machine, inputName, examplesName] = [`${name}Machine`, `${name}Input`, `${name}Examples`];
  const fields = Object.entries(asked).map(([key, value]) =>
    `, ${key}: ${JSON.stringify(value)}`.replaceAll('"', "'"),
  );
  const contract = `contractOptions({ input: ${inputName}, examples: ${examplesName} })`;
  return {
    ...contractOptions({ input, examples: events }),
    ...asked,
    name: machine,
    imports: [`import { ${examplesName}, ${inputName}, ${machine} } from 'holdfast/machines';`],
    code: { input: inputName },
    optionsCode: fields.length === 0 ? contract : `{ ...${contract}${fields.join('')} }`,
    testingNames: ['contractOptions'],
  };
}

function importedName({ name, exports, machine, path }: LoadedMachine): {
  name: string;
  names: string[];
  main: string;
} {
  if (exports[name] === machine && name !== 'default') return { name, names: [name], main: '' };
  const words = basename(path ?? name, extname(path ?? name))
    .split(/[^A-Za-z0-9_$]+/)
    .filter((word) => word !== '');
  const camel = words
    .map((word, i) => (i === 0 ? word : word.charAt(0).toUpperCase() + word.slice(1)))
    .join('');
  const main = /^[A-Za-z_$]/.test(camel) ? camel : 'machine';
  return { name: main, names: [], main };
}

/** How the test file names the module: from where it lies, `./machines.ts`. */
function specifier(path: string, out: string | undefined): string {
  const from = out === undefined ? process.cwd() : dirname(out);
  const way = relative(from, path).split(sep).join('/');
  return way.startsWith('.') ? way : `./${way}`;
}
