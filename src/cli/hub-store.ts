// The store of `holdfast hub`, and of `holdfast proxy`: opened for it, compacted, offered to etcd's clients when asked for, closed after it.
// Invariant: a store that was named and cannot be opened ends the command; only the default one may be missing, on an older Node.
import { Option, type Command } from 'commander';
import { checkReach } from '../adapters/etcd-reach.ts';
import {
  HoldfastError,
  createNodeClock,
  limits,
  openStore,
  serveEtcd,
  startCompaction,
  type EtcdServer,
  type Log,
  type Store,
} from '../index.ts';
import { parseAddress, parseUser, type Address, type User } from './arguments.ts';
import type { TlsFlags } from './flags.ts';
import { tlsOf } from './flags.ts';
import { addStoreFlags, openingOf, type StoreFlags } from './store-flags.ts';

export interface HubStoreFlags extends StoreFlags, TlsFlags {
  readonly etcdApi?: Address;
  readonly etcdUser?: User;
}

export interface HubStore {
  readonly store: Store | undefined;
  readonly etcdUrl: string | undefined;
  /** After the hub. */
  close(): Promise<void>;
}

export function addHubStoreFlags(command: Command): Command {
  return addStoreFlags(command)
    .addOption(
      new Option('--etcd-api <address>', "offer the store to etcd's clients at HOST:PORT").argParser(
        parseAddress,
      ),
    )
    .addOption(
      new Option('--etcd-user <name:password>', 'who may use it there (needed off loopback)')
        .env('HOLDFAST_STORE_USER')
        .argParser(parseUser),
    );
}

/** @throws HoldfastError */
export async function openHubStore(command: Command, flags: HubStoreFlags, log: Log): Promise<HubStore> {
  const { etcdApi, etcdUser: user } = flags;
  const api = etcdApi === undefined ? undefined : { ...etcdApi, tls: tlsOf(flags), user };
  if (api !== undefined) checkReach(api);
  // One from the environment may be meant for another command.
  else if (command.getOptionValueSource('etcdUser') === 'cli') {
    const message = '--etcd-user says who may use the etcd API; give its address, too: --etcd-api HOST:PORT';
    throw new HoldfastError(message, { code: 'invalid_option' });
  }
  const store = await open(command, flags, log);
  if (store === undefined) return { store, etcdUrl: undefined, close: async () => {} };
  let server: EtcdServer | undefined;
  try {
    if (api !== undefined) server = await serveEtcd({ store, ...api });
  } catch (error) {
    await store.close();
    throw error;
  }
  // A real etcd is compacted by those who run it.
  const isOurs = !/^etcds?:/.test(flags.store);
  const stopCompaction = startCompaction(store, {
    clock: createNodeClock(),
    log,
    revisions: isOurs ? limits.keptRevisions : undefined,
  });
  return {
    store,
    etcdUrl: server?.url,
    close: async () => {
      stopCompaction();
      await server?.close();
      await store.close();
    },
  };
}

async function open(command: Command, flags: HubStoreFlags, log: Log): Promise<Store | undefined> {
  try {
    return await openStore(flags.store, { log, ...openingOf(flags) });
  } catch (error) {
    const isDefault = command.getOptionValueSource('store') === 'default';
    if (!isDefault || !(error instanceof HoldfastError) || error.code !== 'unsupported') throw error;
    log.warn({}, `no records are kept across restarts: ${error.message}`);
    return undefined;
  }
}
