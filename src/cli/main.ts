#!/usr/bin/env node
// The command `holdfast`: which command, and how it fails.
// Invariant: parsing and printing only; what happens is in the public API.
import { createRequire } from 'node:module';
import { Command } from 'commander';
import { callCommand } from './call.ts';
import { checkCommand } from './check.ts';
import { conformCommand } from './conform.ts';
import { demoCommand } from './demo.ts';
import { exportCommand } from './export.ts';
import { hubCommand } from './hub.ts';
import { inspectCommand } from './inspect.ts';
import { nodeCommand } from './node.ts';
import { proxyCommand } from './proxy.ts';
import { queueCommand } from './queue.ts';
import { printError } from './report.ts';
import { statusCommand } from './status.ts';
import { storeCommand } from './store.ts';
import { trainCommand } from './train.ts';
import { upgradeCheckCommand } from './upgrade-check.ts';
import { testgenCommand } from './testgen.ts';

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
for (const command of [
  hubCommand(),
  nodeCommand(),
  callCommand(),
  statusCommand(),
  storeCommand(),
  trainCommand(),
  proxyCommand(),
  queueCommand(),
  checkCommand(),
  conformCommand(),
  upgradeCheckCommand(),
  demoCommand(),
  exportCommand(),
  inspectCommand(),
  testgenCommand(),
]) {
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
