// `holdfast hub`: a hub in this process until a signal drains it.
// Invariant: standard output carries the address and nothing else; the log goes to standard error.
import { Command, Option } from 'commander';
import { createHub, createPinoLog, defaults, type Balance, type Hub, type Preset } from '../index.ts';
import { parseCount, parsePort } from './arguments.ts';
import {
  addLogFlag,
  durationFlag,
  presetFlag,
  tlsOf,
  transitionsFlag,
  transitionsTo,
  type LogLevel,
} from './flags.ts';
import { addHubStoreFlags, openHubStore, type HubStoreFlags } from './hub-store.ts';
import { printError, printLine } from './report.ts';
import { onStopSignal } from './signals.ts';

interface Flags extends HubStoreFlags {
  readonly host: string;
  readonly port: number;
  readonly id?: string;
  readonly token?: string;
  readonly preset?: Preset;
  readonly balance: Balance;
  readonly heartbeatInterval?: number;
  readonly heartbeatTimeout?: number;
  readonly connectionTimeout?: number;
  readonly sessionGrace?: number;
  readonly failoverAfter?: number;
  readonly waitForNode?: number;
  readonly drainTimeout?: number;
  readonly maxQueueSize?: number;
  readonly transitions?: string;
  readonly inspect: boolean;
  readonly operatorToken?: string;
  readonly logLevel: LogLevel;
  readonly json?: true;
}

const examples = `
Examples:
  holdfast hub
  holdfast hub --host 0.0.0.0 --token "$SECRET"      others may join, if they know the secret
  holdfast hub --port 0 --json --log-level warn      any free port; for scripts
  holdfast hub --etcd-api 127.0.0.1:2379             then: etcdctl watch --prefix /holdfast/

Health is at http://HOST:PORT/healthz and /readyz, numbers for Prometheus at /metrics.
SIGTERM or Ctrl-C: takes no new calls, waits for those that run, ends. A second one ends at once.`;

export function hubCommand(): Command {
  const command = new Command('hub')
    .description('run a hub: nodes and clients dial in here')
    .option('--host <address>', 'address to listen at', '127.0.0.1')
    .option('--port <number>', 'port to listen at; 0 chooses a free one', parsePort, 7_070)
    .option(
      '--id <name>',
      'stays the same when this hub restarts; hubs on one store have different ones',
      'hub',
    )
    .addOption(
      new Option('--token <secret>', 'secret that nodes and clients must show').env('HOLDFAST_TOKEN'),
    )
    .option('--tls-cert <file>', 'PEM file of the certificate (then addresses begin with wss://)')
    .option('--tls-key <file>', 'PEM file of its key')
    .addOption(presetFlag())
    .addOption(
      new Option('--balance <how>', 'which node gets a call')
        .choices(['leastLoaded', 'roundRobin', 'latency', 'random'] satisfies Balance[])
        .default('leastLoaded'),
    )
    .addOption(durationFlag('--heartbeat-interval', 'how often a silent peer is looked at'))
    .addOption(durationFlag('--heartbeat-timeout', 'silence after which a peer is given up'))
    .addOption(durationFlag('--connection-timeout', 'for a peer to register'))
    .addOption(durationFlag('--session-grace', 'how long a lost peer may take to come back to its calls'))
    .addOption(durationFlag('--failover-after', 'idempotent calls leave a node that is away for this long'))
    .addOption(durationFlag('--wait-for-node', 'how long a call waits for a node that offers its function'))
    .addOption(durationFlag('--drain-timeout', 'how long a stop waits for calls that run'))
    .option(
      '--max-queue-size <number>',
      `calls that may wait for one node (default: ${defaults.maxQueueSize})`,
      parseCount,
    )
    .addOption(transitionsFlag())
    .option('--no-inspect', 'nobody may look at its machines; without this the page shows them')
    .addOption(
      new Option('--operator-token <secret>', 'lets viewers that show it drain and disconnect nodes').env(
        'HOLDFAST_OPERATOR_TOKEN',
      ),
    )
    .option('--json', 'print the address, and log, as JSON')
    .addHelpText('after', examples);
  return addLogFlag(addHubStoreFlags(command), 'info').action(run);
}

async function run(flags: Flags, command: Command): Promise<void> {
  const log = createPinoLog({ level: flags.logLevel, ...(flags.json ? { pretty: false } : {}) });
  // What is wrong with the flags is said before anything is opened.
  const options = {
    id: flags.id,
    host: flags.host,
    port: flags.port,
    token: flags.token,
    tls: tlsOf(flags),
    preset: flags.preset,
    balance: flags.balance,
    heartbeatIntervalMs: flags.heartbeatInterval,
    heartbeatTimeoutMs: flags.heartbeatTimeout,
    connectionTimeoutMs: flags.connectionTimeout,
    sessionGraceMs: flags.sessionGrace,
    failoverAfterMs: flags.failoverAfter,
    noNodeAfterMs: flags.waitForNode,
    drainTimeoutMs: flags.drainTimeout,
    maxQueueSize: flags.maxQueueSize,
    transitions: transitionsTo(flags.transitions),
    inspect: flags.inspect && { operatorToken: flags.operatorToken },
    log,
  };
  const { store, etcdUrl, close } = await openHubStore(command, flags, log);
  const hub = await createHub({ ...options, store }).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  const failed = (error: unknown): void => {
    printError(error);
    process.exitCode = 1;
  };
  let asked: 'to stop' | undefined;
  hub.stopped
    .then(close)
    .catch(failed)
    .finally(() => {
      // Another hub took its place.
      if (asked === undefined) process.exit(1);
    });
  onStopSignal((signal) => {
    const { running } = hub.status();
    if (!flags.json) {
      process.stderr.write(`${signal}: draining, ${running} calls run; once more ends at once\n`);
    }
    asked = 'to stop';
    hub.stop().catch(failed);
  });
  // Last: who reads the address may send a signal at once.
  announce(hub, flags, etcdUrl);
}

function announce(
  { url, host, port, instance, epoch, inspection }: Hub,
  { json, token, store }: Flags,
  etcdUrl: string | undefined,
): void {
  const { pid } = process;
  const page = inspection?.url;
  if (json) return printLine(JSON.stringify({ url, host, port, instance, epoch, store, etcdUrl, page, pid }));
  printLine(`hub at ${url}`);
  if (page !== undefined) printLine(`page at ${page}`);
  if (etcdUrl !== undefined) printLine(`etcd API at ${etcdUrl}`);
  if (!process.stdout.isTTY) return;
  const secret = token === undefined ? '' : ' --token …';
  printLine(
    `  holdfast node --hub ${url}${secret} --functions FILE   offers the functions that FILE exports`,
  );
  printLine(`  holdfast call --hub ${url}${secret} FUNCTION ARGS…     calls one`);
}
