// `holdfast node`: a node in this process, offering what a module exports, until a signal drains it.
// Invariant: it ends by itself only when the hub refuses it for good or attempts are spent, and then with status 1.
import { Command } from 'commander';
import { createNode, createPinoLog, defaults, type HoldfastError, type Preset } from '../index.ts';
import { collectLabel, parseCount } from './arguments.ts';
import {
  addHubFlags,
  addLogFlag,
  durationFlag,
  given,
  hubOptions,
  presetFlag,
  transitionsFlag,
  transitionsTo,
  type HubFlags,
  type LogLevel,
} from './flags.ts';
import { loadFunctions } from './functions.ts';
import { printError, printLine } from './report.ts';
import { onStopSignal } from './signals.ts';

interface Flags extends HubFlags {
  readonly functions: string;
  readonly id?: string;
  readonly label?: Record<string, string>;
  readonly preset?: Preset;
  readonly maxConcurrent?: number;
  readonly maxRetryAttempts?: number;
  readonly reconnectInterval?: number;
  readonly heartbeatInterval?: number;
  readonly heartbeatTimeout?: number;
  readonly connectionTimeout?: number;
  readonly executionTimeout?: number;
  readonly drainTimeout?: number;
  readonly transitions?: string;
  readonly logLevel: LogLevel;
  readonly json?: true;
}

const examples = `
FILE is an ES module (or TypeScript, which Node strips), for example functions.mjs:
  export const add = (a, b) => a + b;
  export async function* count(to) { for (let i = 1; i <= to; i++) yield i; }

Examples:
  holdfast node --functions functions.mjs
  holdfast node --functions functions.mjs --id n1 --label gpu=true --label zone=a --max-concurrent 4
  holdfast node --functions functions.ts --hub wss://hub.example:7070 --token "$SECRET" --preset production

SIGTERM or Ctrl-C: takes no new calls, finishes those that run, ends. A second one ends at once.`;

export function nodeCommand(): Command {
  const command = new Command('node')
    .description('run a node: offers functions to a fleet')
    .requiredOption('--functions <file>', 'module whose exported functions are offered')
    .option(
      '--id <name>',
      'name of the node; a new process with the same name takes over (default: a random one)',
    )
    .option('--label <key=value>', 'label by which calls can choose nodes; may be repeated', collectLabel)
    .option(
      '--max-concurrent <number>',
      `functions that run at once (default: ${defaults.maxConcurrentExecutions})`,
      parseCount,
    )
    .addOption(presetFlag())
    .option(
      '--max-retry-attempts <number>',
      `reconnects in a row before it gives up; 0 = for ever (default: ${defaults.maxRetryAttempts})`,
      parseCount,
    )
    .addOption(durationFlag('--reconnect-interval', 'upper end of the first wait before a reconnect'))
    .addOption(
      durationFlag('--heartbeat-interval', 'silence after which the hub is asked for a sign of life'),
    )
    .addOption(durationFlag('--heartbeat-timeout', 'silence after which the link is given up'))
    .addOption(durationFlag('--connection-timeout', 'for dial, handshake and registration'))
    .addOption(durationFlag('--execution-timeout', 'no function runs longer'))
    .addOption(durationFlag('--drain-timeout', 'how long a stop waits for functions that run'))
    .addOption(transitionsFlag())
    .option('--json', 'log as JSON')
    .addHelpText('after', examples);
  addHubFlags(command);
  return addLogFlag(command, 'info').action(run);
}

async function run(flags: Flags): Promise<void> {
  const functions = await loadFunctions(flags.functions);
  const node = createNode({
    ...hubOptions(flags),
    functions,
    ...given({
      id: flags.id,
      labels: flags.label,
      preset: flags.preset,
      maxConcurrent: flags.maxConcurrent,
      maxRetryAttempts: flags.maxRetryAttempts,
      reconnectIntervalMs: flags.reconnectInterval,
      heartbeatIntervalMs: flags.heartbeatInterval,
      heartbeatTimeoutMs: flags.heartbeatTimeout,
      connectionTimeoutMs: flags.connectionTimeout,
      executionTimeoutMs: flags.executionTimeout,
      drainTimeoutMs: flags.drainTimeout,
      transitions: transitionsTo(flags.transitions),
    }),
    onEnded: (error: HoldfastError) => {
      if (error.code === 'stopped') return;
      printError(error);
      // The module's own timers and sockets must not keep a node alive that is none any more.
      process.exit(1);
    },
    log: createPinoLog({ level: flags.logLevel, ...(flags.json ? { pretty: false } : {}) }),
  });
  onStopSignal((signal) => {
    const { activeExecutions } = node.status();
    if (!flags.json) {
      process.stderr.write(
        `${signal}: draining, ${activeExecutions} functions run; once more ends at once\n`,
      );
    }
    node.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        printError(error);
        process.exit(1);
      },
    );
  });
  const names = Object.keys(functions);
  if (flags.json)
    printLine(JSON.stringify({ id: node.id, instance: node.instance, functions: names, pid: process.pid }));
  else printLine(`node ${node.id} offers ${names.join(', ')} to ${flags.hub}`);
}
