// `holdfast inspect`: the page alone, of apps that dial in, of a file, or of another hub.
// Invariant: it listens on loopback; standard output carries the addresses, everything else goes to standard error.
import { Command, Option } from 'commander';
import { createNodeClock } from '../adapters/node-clock.ts';
import { createNodeRandom } from '../adapters/node-random.ts';
import { createInspectorSite } from '../adapters/site-files.ts';
import { createWallClock, isoDate } from '../adapters/wall-clock.ts';
import { createWsDialer } from '../adapters/ws-dialer.ts';
import { createWsListener } from '../adapters/ws-listener.ts';
import { createPinoLog, HoldfastError } from '../index.ts';
import { serveInspection, INSPECT_PATH, INSPECT_SUBPROTOCOL, type InspectionOf } from '../inspect/index.ts';
import { parsePort } from './arguments.ts';
import { addLogFlag, type LogLevel } from './flags.ts';
import { loadRecording } from './inspect-file.ts';
import { printLine } from './report.ts';
import { onStopSignal } from './signals.ts';

interface Flags {
  readonly port: number;
  readonly token?: string;
  readonly machine?: readonly string[];
  readonly stately?: string;
  readonly logLevel: LogLevel;
  readonly json?: true;
}

const examples = `
Without an argument it waits for apps that use XState with @statelyai/inspect:
  const inspector = createWebSocketInspector({ url: 'ws://localhost:7090' });
  createActor(machine, { inspect: inspector.inspect }).start();

A FILE is a recording that the page saved, a transition log (--transitions), or a counterexample (holdfast check --save).
A URL is that of a hub, with the token that its nodes show; where the page's own prompt is used, leave it out.

Examples:
  holdfast inspect
  holdfast inspect recording.ndjson
  holdfast inspect orders.ndjson --machine machines.ts#order
  holdfast inspect wss://hub.example.org --token "$SECRET"
  holdfast inspect ws://127.0.0.1:7070 --stately ws://localhost:8080     Stately's inspector shows it too`;

export function inspectCommand(): Command {
  const command = new Command('inspect')
    .description('watch machines live, or what was recorded of them, in the browser')
    .argument('[what]', 'FILE or URL; without it, apps that dial in')
    .option(
      '--port <number>',
      'port to listen at, on this machine only; 0 chooses a free one',
      parsePort,
      7_090,
    )
    .addOption(new Option('--token <secret>', "the hub's join token").env('HOLDFAST_TOKEN'))
    .option(
      '--machine <file#export>',
      'a machine of yours in a transition log, found by its id; may be repeated',
      (spec: string, before: readonly string[] | undefined) => [...(before ?? []), spec],
    )
    .option('--stately <url>', "also tell Stately's inspector, whose server listens there")
    .option('--json', 'print the addresses as JSON')
    .addHelpText('after', examples);
  return addLogFlag(command, 'warn').action(run);
}

async function run(what: string | undefined, flags: Flags): Promise<void> {
  const site = createInspectorSite();
  if (site === undefined)
    throw new HoldfastError('the package of the page is not there', { code: 'unsupported' });
  const { stately } = flags;
  if (stately !== undefined) serverUrl(stately, '/', '--stately');
  const of = await chosen(what, flags);
  const served = await serveInspection({
    listener: createWsListener(),
    clock: createNodeClock(),
    log: createPinoLog({ level: flags.logLevel, ...(flags.json ? { pretty: false } : {}) }),
    wallNow: createWallClock().now,
    date: isoDate,
    id: createNodeRandom().id(),
    port: flags.port,
    site,
    of,
    stately:
      stately === undefined
        ? undefined
        : { url: stately, dialer: createWsDialer({ texts: { subprotocol: undefined } }) },
  });
  onStopSignal(() => void served.close());
  const { url, appUrl } = served;
  if (flags.json) return printLine(JSON.stringify({ url, appUrl, pid: process.pid }));
  printLine(`page at ${url}`);
  if (appUrl !== undefined)
    printLine(`apps dial ${appUrl}   (createWebSocketInspector of @statelyai/inspect)`);
}

async function chosen(what: string | undefined, { token, machine }: Flags): Promise<InspectionOf> {
  if (what === undefined) return { kind: 'apps' };
  if (/^(wss?|https?):\/\//.test(what)) {
    const url = serverUrl(what, INSPECT_PATH, 'URL');
    const dialer = createWsDialer({
      texts: { subprotocol: INSPECT_SUBPROTOCOL },
      maxMessageBytes: 64 * 1024 * 1024,
    });
    await reach(dialer, url);
    return { kind: 'server', url, dialer, token };
  }
  const { messages, unread, why } = await loadRecording(what, machine ?? []);
  if (unread > 0) process.stderr.write(`${what}: ${unread} lines are passed over; ${why}\n`);
  return { kind: 'recording', messages };
}

/** @throws HoldfastError `invalid_option` for what is no address */
function serverUrl(text: string, path: string, name: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^(wss?|https?):$/.test(url.protocol)) {
    const message = `${name} is an address such as ws://127.0.0.1:7070, and ${text} is none`;
    throw new HoldfastError(message, { code: 'invalid_option' });
  }
  url.protocol = url.protocol.replace('http', 'ws');
  if (url.pathname === '/') url.pathname = path;
  return url.href;
}

/** @throws HoldfastError `not_connected` when nobody listens there, or somebody who shows no machines */
function reach(dialer: ReturnType<typeof createWsDialer>, url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = dialer.dial(url, {
      opened: () => {
        resolve();
        socket.terminate();
      },
      message: () => {},
      drained: () => {},
      closed: (_code, reason) => {
        const message = `${url} shows no machines: ${reason}; is it a hub, and not started with --no-inspect?`;
        reject(new HoldfastError(message, { code: 'not_connected', retryable: true }));
      },
    });
  });
}
