// `holdfast proxy`: a reverse proxy over several endpoints in this process, until a signal drains it; or a look at a running one.
// Invariant: standard output carries addresses and nothing else; the log goes to standard error; no key goes anywhere.
import { Command, Option } from 'commander';
import { checkAdminReach, serveAdmin, type AdminServer } from '../adapters/admin-server.ts';
import { createPromMetrics } from '../adapters/prom-metrics.ts';
import {
  HoldfastError,
  createPinoLog,
  createProxy,
  selections,
  type Proxy,
  type Selection,
} from '../index.ts';
import { ADMIN_PORT, addAdminFlags, type AdminFlags, type ProxyReport } from './admin-client.ts';
import { parsePort } from './arguments.ts';
import { addLogFlag, durationFlag, given, transitionsFlag, transitionsTo, type LogLevel } from './flags.ts';
import { openHubStore } from './hub-store.ts';
import { adminRoutes } from './proxy-admin.ts';
import { collectText, parseEndpoint } from './proxy-endpoint.ts';
import { logRequests } from './proxy-log.ts';
import { describeProxy } from './proxy-metrics.ts';
import { planOfFile, planOfFlags, warnOfPlainKeys, type ProxyPlan } from './proxy-plan.ts';
import { reloadOnChange } from './proxy-reload.ts';
import { watchProxy } from './proxy-watch.ts';
import { printError, printLine } from './report.ts';
import { onStopSignal } from './signals.ts';
import { addStoreFlags, type StoreFlags } from './store-flags.ts';

interface Flags extends StoreFlags, AdminFlags {
  readonly endpoint?: readonly string[];
  readonly config?: string;
  readonly selection?: Selection;
  readonly healthCheck?: string;
  readonly repeat?: 'idempotent' | 'all';
  readonly host: string;
  readonly port: number;
  readonly token?: string;
  readonly adminHost: string;
  readonly adminPort: number;
  readonly drainTimeout?: number;
  readonly transitions?: string;
  readonly watch?: true;
  readonly interval: number;
  readonly logLevel: LogLevel;
}

const examples = `
FILE is JSON, read again on SIGHUP and when it changes, for example proxy.json:
  {
    "endpoints": [
      { "id": "main", "url": "https://api.openai.com", "keyEnv": "OPENAI_API_KEY" },
      { "id": "spare", "url": "https://llm.example.com", "keyFile": "spare.key", "priority": 1 }
    ],
    "healthCheck": { "path": "/v1/models" },
    "repeat": "all"
  }

Examples:
  holdfast proxy --endpoint https://api.openai.com,key=OPENAI_API_KEY --endpoint https://llm.example.com,priority=1 --repeat all
  holdfast proxy --endpoint http://10.0.0.1,weight=3 --endpoint http://10.0.0.2 --selection weighted
  holdfast proxy --config proxy.json --host 0.0.0.0 --token "$SECRET"
  holdfast proxy --watch                             a live table of the one that runs here
  holdfast queue list                                the endpoints that failed

A key is named, never written: key=NAME is a variable of the environment, keyFile=FILE a file; keyHeader=x-api-key says how it
is sent, if not as a bearer token. Status is at the admin address: /status, /metrics (Prometheus), /queue, /healthz, /readyz.
SIGTERM or Ctrl-C: takes no new requests, waits for those that run, ends. A second one ends at once.`;

export function proxyCommand(): Command {
  const command = new Command('proxy')
    .description('put several HTTP endpoints behind one address, with failover')
    .option('--endpoint <url[,…]>', 'URL[,key=ENV,weight=N,priority=N,id=NAME]; again for each', collectText)
    .addOption(
      new Option('--config <file>', 'JSON file that says all of it; read again when it changes').conflicts([
        'endpoint',
        'selection',
        'healthCheck',
        'repeat',
      ]),
    )
    .addOption(
      new Option('--selection <how>', 'which endpoint gets a request (default: priority)').choices(
        selections,
      ),
    )
    .addOption(
      new Option(
        '--repeat <which>',
        'requests that may reach endpoints twice: those that are idempotent, or all, as with completions (default: idempotent)',
      ).choices(['idempotent', 'all']),
    )
    .option('--health-check <path>', 'GET this from endpoints out of service, until they answer well')
    .option('--host <address>', 'address to listen at', '127.0.0.1')
    .option('--port <number>', 'port to listen at; 0 chooses a free one', parsePort, 7_080)
    .addOption(new Option('--token <secret>', 'secret that clients must show').env('HOLDFAST_PROXY_TOKEN'))
    .option('--admin-host <address>', 'address of the admin API (off loopback it needs a token)', '127.0.0.1')
    .option('--admin-port <number>', 'port of the admin API; 0 chooses a free one', parsePort, ADMIN_PORT)
    .addOption(durationFlag('--drain-timeout', 'how long a stop waits for requests that run'))
    .addOption(transitionsFlag())
    .addOption(
      new Option('--watch', 'show the proxy that runs at --admin, instead of running one').conflicts([
        'endpoint',
        'config',
      ]),
    )
    .addOption(durationFlag('--interval', 'how often --watch refreshes').default(1_000, '1s'))
    .option('--json', 'print the addresses, and log, as JSON; with --watch its status')
    .addHelpText('after', examples);
  return addLogFlag(addStoreFlags(addAdminFlags(command)), 'info').action(run);
}

async function run(flags: Flags, command: Command): Promise<void> {
  if (flags.watch) return look(flags);
  // What is wrong with the flags is said before anything is opened.
  const read = (): ProxyPlan => planOf(flags);
  const plan = read();
  checkAdminReach({ host: flags.adminHost, token: flags.adminToken });
  const log = createPinoLog({ level: flags.logLevel, ...(flags.json ? { pretty: false } : {}) });
  warnOfPlainKeys(plan.settings, log);
  const closing: (() => Promise<unknown> | void)[] = [];
  const close = async (): Promise<void> => {
    for (const step of closing.splice(0).toReversed()) await step();
  };
  try {
    const { store, close: closeStore } = await openHubStore(command, flags, log);
    closing.push(closeStore);
    const { host, port, token, drainTimeout } = flags;
    const proxy = await createProxy({
      ...plan.fixed,
      ...plan.settings,
      ...given({ token, drainTimeoutMs: drainTimeout, store, transitions: transitionsTo(flags.transitions) }),
      host,
      port,
      log,
      onRequest: logRequests(log, flags.logLevel),
    });
    closing.push(() => proxy.stop());
    const admin = await administer(proxy, plan, flags);
    closing.push(() => admin.close());
    closing.push(reloadOnChange({ plan, read, apply: (settings) => proxy.update(settings), log }));
    stopOnSignal(proxy, flags, close);
    // Last: who reads the addresses may send a signal at once.
    announce(proxy, admin, flags);
  } catch (error) {
    await close();
    throw error;
  }
}

/** @throws HoldfastError `invalid_option` */
function planOf({ endpoint, config, selection, healthCheck, repeat }: Flags): ProxyPlan {
  if (config !== undefined) return planOfFile(config);
  if (endpoint === undefined)
    throw new HoldfastError('there is no endpoint; give --endpoint URL, once or more, or --config FILE', {
      code: 'invalid_option',
    });
  const check = healthCheck === undefined ? undefined : { path: healthCheck };
  return planOfFlags({
    endpoints: endpoint.map(parseEndpoint),
    ...given({ selection, repeat, healthCheck: check }),
  });
}

function administer(proxy: Proxy, plan: ProxyPlan, flags: Flags): Promise<AdminServer> {
  const numbers = describeProxy(createPromMetrics());
  const { selection = 'priority' } = plan.fixed;
  const startedAt = performance.now();
  const report = (): ProxyReport => {
    const { pool, ...facts } = proxy.status();
    const uptimeMs = Math.round(performance.now() - startedAt);
    return { proxy: { ...facts, selection, uptimeMs }, pool, queue: proxy.pool.queue.list() };
  };
  return serveAdmin({
    host: flags.adminHost,
    port: flags.adminPort,
    token: flags.adminToken,
    routes: adminRoutes({ queue: proxy.pool.queue, report, numbers: () => numbers(proxy.status()) }),
  });
}

function stopOnSignal(proxy: Proxy, { json }: Flags, close: () => Promise<void>): void {
  onStopSignal((signal) => {
    const { active } = proxy.status();
    if (!json) process.stderr.write(`${signal}: draining, ${active} requests run; once more ends at once\n`);
    proxy
      .drain()
      .then(close)
      .catch((error: unknown) => {
        printError(error);
        process.exitCode = 1;
      });
  });
}

function announce({ url, host, port }: Proxy, admin: AdminServer, { json, store }: Flags): void {
  const { pid } = process;
  const adminUrl = admin.url;
  // The address of a store may hold a password.
  const kept = store.replace(/\/\/[^/]*@/, '//…@');
  if (json) return printLine(JSON.stringify({ url, host, port, adminUrl, store: kept, pid }));
  printLine(`proxy at ${url}`);
  printLine(`admin API at ${adminUrl}`);
  if (!process.stdout.isTTY) return;
  printLine(`  holdfast proxy --watch --admin ${adminUrl}   a live table`);
  printLine(`  holdfast queue list --admin ${adminUrl}      the endpoints that failed`);
}

async function look(flags: Flags): Promise<void> {
  try {
    await watchProxy(flags);
  } catch (error) {
    printError(error, flags.json ? 'json' : 'text');
    process.exitCode = 1;
  }
}
