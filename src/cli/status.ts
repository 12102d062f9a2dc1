// `holdfast status`: what the hub says of itself and its nodes, once or again and again.
// Invariant: a hub that restarts is a line in the view, never the end of it.
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { Screen } from '../demo/screen.ts';
import { createClient, noLog, type Client, type NodeDescription } from '../index.ts';
import { connected } from './connect.ts';
import { addHubFlags, durationFlag, hubOptions, type HubFlags } from './flags.ts';
import { formatDuration, formatJson, printError, printLine, timeOfDay } from './report.ts';
import { onStopSignal } from './signals.ts';
import { formatNodes } from './table.ts';

interface Flags extends HubFlags {
  readonly watch?: true;
  readonly interval: number;
  readonly json?: true;
  readonly connectTimeout: number;
}

interface Picture {
  readonly hub: Readonly<Record<string, unknown>>;
  readonly nodes: readonly NodeDescription[];
}

/** The last answer, and the time of day when it came. */
interface Last {
  readonly picture: Picture;
  readonly takenAt: string;
}

const examples = `
Examples:
  holdfast status
  holdfast status --watch                  refreshes in place; goes on when the hub restarts
  holdfast status --json | jq '.nodes[].id'`;

export function statusCommand(): Command {
  const command = new Command('status')
    .description('show the hub and its nodes')
    .option('--watch', 'refresh until Ctrl-C')
    .addOption(durationFlag('--interval', 'how often --watch refreshes').default(1_000, '1s'))
    .option('--json', 'print JSON (with --watch one line a refresh)')
    .addOption(durationFlag('--connect-timeout', 'how long to look for the hub').default(5_000, '5s'))
    .addHelpText('after', examples);
  return addHubFlags(command).action(run);
}

async function run(flags: Flags): Promise<void> {
  const stop = new AbortController();
  const release = onStopSignal(() => stop.abort());
  const client = createClient({
    ...hubOptions(flags),
    maxRetryAttempts: 0,
    reconnectIntervalMs: 500,
    reconnectMaxMs: 2_000,
    log: noLog(),
  });
  try {
    if (flags.watch) await watch(client, flags, stop.signal);
    else {
      await connected(client, flags.hub, flags.connectTimeout, stop.signal);
      const picture = await ask(client);
      if (flags.json) printLine(formatJson(picture, 2));
      else for (const line of describe(picture, flags.hub)) printLine(line);
    }
  } catch (error) {
    printError(error, flags.json ? 'json' : 'text');
    process.exitCode = 1;
  } finally {
    await client.stop();
    release();
  }
}

async function ask(client: Client): Promise<Picture> {
  const [hub, nodes] = await Promise.all([client.hubStatus(), client.nodes()]);
  return { hub, nodes };
}

/** Ends with the signal. @throws HoldfastError when the hub refuses this client for good */
async function watch(client: Client, flags: Flags, signal: AbortSignal): Promise<void> {
  const screen = process.stdout.isTTY && !flags.json ? new Screen(process.stdout) : undefined;
  let last: Last | undefined;
  let question: 'none' | 'asked' = 'none';
  let refused: Error | undefined;
  const look = (): void => {
    if (question === 'asked') return;
    question = 'asked';
    ask(client)
      .then((picture) => void (last = { picture, takenAt: timeOfDay() }))
      .catch((error: Error) => void (refused = error))
      .finally(() => void (question = 'none'));
  };
  client.ready().catch((error: Error) => void (refused = error));
  while (!signal.aborted && refused === undefined) {
    look();
    // The answer to this look, when the hub is near; the next refresh shows it otherwise.
    await sleep(Math.min(100, flags.interval), undefined, { signal }).catch(() => undefined);
    show(client, last, flags, screen);
    await sleep(Math.max(0, flags.interval - 100), undefined, { signal }).catch(() => undefined);
  }
  screen?.close();
  if (refused !== undefined && !signal.aborted) throw refused;
}

function show(client: Client, last: Last | undefined, flags: Flags, screen: Screen | undefined): void {
  const { state, reason } = client.status();
  const picture = last?.picture;
  if (flags.json) {
    const at = new Date().toISOString();
    printLine(formatJson({ at, link: state, ...(state === 'connected' ? picture : {}) }));
    return;
  }
  const away = `hub ${flags.hub}  not reached: ${state}${reason === '' ? '' : ` (${reason})`}`;
  const lines =
    picture === undefined
      ? [away]
      : state === 'connected'
        ? describe(picture, flags.hub)
        : [`${away}; what follows is of ${last?.takenAt}`, '', ...describeNodes(picture, flags.hub)];
  if (screen !== undefined) screen.draw([...lines, '', `${timeOfDay()}  Ctrl-C ends`]);
  else for (const line of lines) printLine(`${timeOfDay()}  ${line}`.trimEnd());
}

function describe({ hub, nodes }: Picture, url: string): string[] {
  const number = (name: string): number => (typeof hub[name] === 'number' ? hub[name] : 0);
  const counted = (name: string): string =>
    `${number(name)} ${number(name) === 1 ? name.slice(0, -1) : name}`;
  const summary =
    `hub ${url}  ${String(hub['state'])}  up ${formatDuration(number('uptimeMs'))}  ` +
    `${counted('nodes')}  ${counted('clients')}  ` +
    `calls: ${number('running')} running, ${number('waiting')} waiting  lag ${number('lagMs')} ms`;
  return [summary, '', ...describeNodes({ hub, nodes }, url)];
}

function describeNodes({ nodes }: Picture, url: string): string[] {
  if (nodes.length > 0) return formatNodes(nodes);
  return [`no nodes; start one: holdfast node --hub ${url} --functions FILE`];
}
