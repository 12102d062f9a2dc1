#!/usr/bin/env node
// The command `holdfast`: which command, and how it fails.
// Invariant: parsing and printing only; what happens is in the public API.
import { createRequire } from 'node:module';
import { Command } from 'commander';
import { printError } from './report.ts';

const examples = `
A fleet in three terminals:
  holdfast hub
  holdfast node --functions functions.mjs
  holdfast call add 1 2

Durations have units: 500ms, 10s, 2m, 1h. HOLDFAST_HUB and HOLDFAST_TOKEN stand in for --hub and --token.
\`holdfast COMMAND --help\` shows the options of a command, with examples.`;

// Of what a library still does in an old way a user of the command has nothing.
process.noDeprecation = true;

// By its own name: the same from the sources and from what is built of them.
const { version } = createRequire(import.meta.url)('holdfast/package.json') as { version: string };

const program = new Command('holdfast')
  .description('A fleet that survives: hub, nodes and remote calls on explicit state machines.')
  .version(version, '-V, --version', 'print the version')
  .helpOption('-h, --help', 'show help')
  // An option belongs to the command that stands before it: `store` and `store get` have some of the same name.
  .enablePositionalOptions()
  .showHelpAfterError('(add --help for the options and examples)')
  .addHelpText('after', examples);

/** A command is loaded when it is named, and all of them for the list of what there is. */
const commands = new Map<string, () => Promise<Command>>([
  ['hub', async () => (await import('./hub.ts')).hubCommand()],
  ['node', async () => (await import('./node.ts')).nodeCommand()],
  ['call', async () => (await import('./call.ts')).callCommand()],
  ['status', async () => (await import('./status.ts')).statusCommand()],
  ['store', async () => (await import('./store.ts')).storeCommand()],
  ['train', async () => (await import('./train.ts')).trainCommand()],
  ['proxy', async () => (await import('./proxy.ts')).proxyCommand()],
  ['queue', async () => (await import('./queue.ts')).queueCommand()],
  ['check', async () => (await import('./check.ts')).checkCommand()],
  ['conform', async () => (await import('./conform.ts')).conformCommand()],
  ['upgrade-check', async () => (await import('./upgrade-check.ts')).upgradeCheckCommand()],
  ['demo', async () => (await import('./demo.ts')).demoCommand()],
  ['export', async () => (await import('./export.ts')).exportCommand()],
  ['inspect', async () => (await import('./inspect.ts')).inspectCommand()],
  ['testgen', async () => (await import('./testgen.ts')).testgenCommand()],
]);
const load = commands.get(process.argv[2] ?? '');
for (const make of load === undefined ? commands.values() : [load]) {
  const command = await make();
  program.addCommand(command.showHelpAfterError('(add --help for the options and examples)'));
}

// A reader that goes away (`holdfast status --watch | head`) is no failure.
process.stdout.on('error', (error: Error & { code?: string }) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  printError(error);
  process.exitCode = 1;
}
