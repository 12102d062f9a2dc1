// `holdfast call`: one call and its result, a stream and its items, or one call after the other until Ctrl-C.
// Invariant: standard output carries results only; a failed call ends with status 1 and its code on standard error.
import { Command } from 'commander';
import { createClient, createPinoLog, type Client } from '../index.ts';
import { collectLabel, parseArgument } from './arguments.ts';
import { connected } from './connect.ts';
import {
  addHubFlags,
  addLogFlag,
  durationFlag,
  given,
  hubOptions,
  transitionsFlag,
  transitionsTo,
  type HubFlags,
  type LogLevel,
} from './flags.ts';
import { repeatCalls, type Series } from './repeat.ts';
import { formatJson, formatResult, printError, printLine } from './report.ts';
import { onStopSignal, statusOf, type StopSignal } from './signals.ts';

interface Flags extends HubFlags {
  readonly node?: string;
  readonly label?: Record<string, string>;
  readonly deadline?: number;
  readonly idempotent?: true;
  readonly durable?: true;
  readonly json?: true;
  readonly repeat?: number;
  readonly connectTimeout: number;
  readonly transitions?: string;
  readonly logLevel?: LogLevel;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** A call of a series that has no deadline of its own gives up after the interval, but not later than this. */
const REPEAT_DEADLINE_MS = 30_000;

const examples = `
ARGS are JSON where they parse as JSON, else texts: 1 is a number, '"1"' and one are texts, '{"a":[1,2]}' is an object.

Examples:
  holdfast call add 1 2
  holdfast call resize photo.png '{"width":640}' --label gpu=true --deadline 30s
  holdfast call count 5                                prints the items of a stream as they come
  holdfast call add 1 2 --repeat 10s --idempotent      watch what happens while you restart the hub`;

export function callCommand(): Command {
  const command = new Command('call')
    .description('call a function of the fleet')
    .argument('<function>', 'its name')
    .argument('[args...]', 'its arguments')
    .option('--node <id>', 'only on this node')
    .option('--label <key=value>', 'only on nodes with this label; may be repeated', collectLabel)
    .addOption(
      durationFlag('--deadline', 'give up after this long (default: 5m; with --repeat the interval)'),
    )
    .option('--idempotent', 'executing it twice does no harm: it may move to another node')
    .option('--durable', "journaled in the hub's store before it is sent")
    .addOption(transitionsFlag())
    .option('--json', 'print results, texts too, and errors as JSON')
    .addOption(durationFlag('--repeat', 'call again and again, once in this long, until Ctrl-C'))
    .addOption(
      durationFlag('--connect-timeout', 'how long to look for the hub').default(CONNECT_TIMEOUT_MS, '5s'),
    )
    .addHelpText('after', examples);
  addHubFlags(command);
  addLogFlag(command, 'error');
  return command.action(async (name: string, args: string[], flags: Flags) => {
    await run(name, args.map(parseArgument), flags, command.getOptionValueSource('logLevel') === 'default');
  });
}

async function run(name: string, args: readonly unknown[], flags: Flags, quiet: boolean): Promise<void> {
  const stop = new AbortController();
  let signalled: StopSignal | undefined;
  const release = onStopSignal((signal) => {
    signalled = signal;
    stop.abort();
  });
  const repeated = flags.repeat !== undefined;
  const client = createClient({
    ...hubOptions(flags),
    maxRetryAttempts: 0,
    reconnectIntervalMs: 500,
    // A person waits: a hub that is back is noticed within seconds.
    reconnectMaxMs: 3_000,
    transitions: transitionsTo(flags.transitions),
    // Who watches a series wants to see the link come and go.
    log: createPinoLog({ level: repeated && quiet ? 'info' : (flags.logLevel ?? 'error') }),
  });
  try {
    if (flags.repeat !== undefined) {
      const deadlineMs = flags.deadline ?? Math.min(flags.repeat, REPEAT_DEADLINE_MS);
      const options = { ...callOptions(flags, stop.signal), deadlineMs };
      await repeatCalls(client, { name, args, options, intervalMs: flags.repeat, json: flags.json === true });
    } else {
      await connected(client, flags.hub, flags.connectTimeout, stop.signal);
      await callOnce(client, name, args, flags, stop.signal);
    }
  } catch (error) {
    printError(error, flags.json ? 'json' : 'text');
    process.exitCode = signalled === undefined ? 1 : statusOf(signalled);
  } finally {
    await client.stop();
    release();
  }
}

function callOptions(
  { node, label, deadline, idempotent, durable }: Flags,
  signal: AbortSignal,
): Series['options'] {
  return { ...given({ node, labels: label, deadlineMs: deadline, idempotent, durable }), signal };
}

async function callOnce(
  client: Client,
  name: string,
  args: readonly unknown[],
  flags: Flags,
  signal: AbortSignal,
): Promise<void> {
  const print = (value: unknown): void => {
    const text = flags.json ? formatJson(value) : formatResult(value);
    if (text !== undefined) printLine(text);
  };
  const options = callOptions(flags, signal);
  // A function that does not stream has its result as the only item.
  for await (const item of client.stream(name, args, options)) print(item);
}
