// `holdfast store`: a store that etcd's clients can use, in this process until a signal ends it; and commands on a store.
// Invariant: standard output carries the address and nothing else; the log goes to standard error.
import { Command, Option } from 'commander';
import { checkReach } from '../adapters/etcd-reach.ts';
import {
  createNodeClock,
  createPinoLog,
  openStore,
  serveEtcd,
  startCompaction,
  type EtcdServer,
} from '../index.ts';
import { parseAddress, parseAtLeastOne, parseUser, type Address, type User } from './arguments.ts';
import {
  addLogFlag,
  durationFlag,
  tlsOf,
  transitionsFlag,
  transitionsTo,
  type LogLevel,
  type TlsFlags,
} from './flags.ts';
import { printError, printLine } from './report.ts';
import { onStopSignal } from './signals.ts';
import { checkCommand } from './store-check.ts';
import { compactCommand, delCommand, getCommand, putCommand, watchCommand } from './store-commands.ts';
import { exportCommand, importCommand } from './store-files.ts';
import { addStoreFlags, openingOf, type StoreFlags } from './store-flags.ts';

interface Flags extends StoreFlags, TlsFlags {
  readonly listen: Address;
  readonly user?: User;
  readonly compactRevisions?: number;
  readonly compactAge?: number;
  readonly transitions?: string;
  readonly logLevel: LogLevel;
}

const examples = `
Examples:
  holdfast store                                          keeps ./data, at 127.0.0.1:2379
  etcdctl --endpoints 127.0.0.1:2379 put greeting hello   any client of etcd (API 3) works
  holdfast store get greeting --store etcd://127.0.0.1:2379
  holdfast store export --store file:./data > backup.ndjson
  holdfast store --listen 0.0.0.0:2379 --tls-cert cert.pem --tls-key key.pem --user root:SECRET

SIGTERM or Ctrl-C ends it; what was acknowledged is kept.`;

export function storeCommand(): Command {
  const command = new Command('store')
    .description("run a store with etcd's API, or read and write one")
    .enablePositionalOptions()
    .addOption(
      new Option('--listen <address>', 'HOST:PORT to listen at; port 0 chooses a free one')
        .argParser(parseAddress)
        .default({ host: '127.0.0.1', port: 2_379 }, '127.0.0.1:2379'),
    )
    .option('--tls-cert <file>', 'PEM file of the certificate (needed off loopback)')
    .option('--tls-key <file>', 'PEM file of its key')
    .addOption(
      new Option('--user <name:password>', 'who may use it (needed off loopback)')
        .env('HOLDFAST_STORE_USER')
        .argParser(parseUser),
    )
    .option('--compact-revisions <number>', 'forget all but so many revisions', parseAtLeastOne)
    .addOption(durationFlag('--compact-age', 'forget what was overwritten longer ago'))
    .addOption(transitionsFlag())
    .option('--json', 'print the address, and log, as JSON')
    .addHelpText('after', examples);
  for (const sub of [
    getCommand(),
    putCommand(),
    delCommand(),
    watchCommand(),
    exportCommand(),
    importCommand(),
    compactCommand(),
    checkCommand(),
  ]) {
    command.addCommand(sub.showHelpAfterError('(add --help for the options and examples)'));
  }
  // What is no command of ours is told as such.
  return addLogFlag(addStoreFlags(command), 'info').allowExcessArguments().action(run);
}

async function run(flags: Flags, command: Command): Promise<void> {
  const [unknown] = command.args;
  if (unknown !== undefined) command.error(`error: unknown command '${unknown}'`);
  const log = createPinoLog({ level: flags.logLevel, ...(flags.json ? { pretty: false } : {}) });
  // What is wrong with the flags is said before anything is opened.
  const api = { ...flags.listen, tls: tlsOf(flags), user: flags.user };
  checkReach(api);
  const store = await openStore(flags.store, {
    log,
    transitions: transitionsTo(flags.transitions),
    ...openingOf(flags),
  });
  let server: EtcdServer;
  try {
    server = await serveEtcd({ store, ...api });
  } catch (error) {
    await store.close();
    throw error;
  }
  const stopCompaction = startCompaction(store, {
    clock: createNodeClock(),
    log,
    revisions: flags.compactRevisions,
    ageMs: flags.compactAge,
  });
  onStopSignal(() => {
    stopCompaction();
    server
      .close()
      .then(() => store.close())
      .catch((error: unknown) => {
        printError(error);
        process.exitCode = 1;
      });
  });
  // Last: who reads the address may send a signal at once.
  announce(server, flags);
}

function announce({ url, host, port }: EtcdServer, { json, store }: Flags): void {
  if (json) return printLine(JSON.stringify({ url, host, port, store, pid: process.pid }));
  printLine(`etcd API at ${url}, store ${store}`);
  if (!process.stdout.isTTY) return;
  printLine(`  etcdctl --endpoints ${url} put greeting hello`);
  printLine(`  etcdctl --endpoints ${url} watch --prefix ''`);
}
