// etcd's API (version 3) over any store.
// Invariant: pure mapping: whatever it knows, it knows from the store.
import type { Clock, Random } from '../../ports.ts';
import { Gatekeeper, authMethods, guarded, type Credentials } from './auth.ts';
import type { Method, Methods } from './call.ts';
import { Headers } from './header.ts';
import { kvMethods } from './kv.ts';
import { leaseMethods } from './lease.ts';
import { maintenanceMethods } from './maintenance.ts';
import type { SnapshotTools } from './snapshot.ts';
import { WatchStream } from './watch.ts';

export interface EtcdApiOptions extends SnapshotTools {
  readonly clock: Clock;
  readonly random: Random;
  /** Stays the same for one store: cluster and member ids come from it. */
  readonly name: string;
  /** Who may use it. @default undefined: anyone who can reach it */
  readonly user?: Credentials | undefined;
  readonly clientUrls: () => readonly string[];
}

export function etcdMethods(options: EtcdApiOptions): Methods {
  const { store, clock, random, name, user } = options;
  const headers = new Headers(name);
  const gatekeeper = user === undefined ? undefined : new Gatekeeper(user, clock, random);
  const watch: Method = {
    type: 'stream',
    open: (replies) => new WatchStream(store, headers, replies),
  };
  const methods: Methods = new Map<string, Method>([
    ...kvMethods(store, headers),
    ...leaseMethods(store, headers),
    ['/etcdserverpb.Watch/Watch', watch],
    ...maintenanceMethods({ ...options, headers, memberName: name }),
    ...authMethods(gatekeeper, headers, async () => (await store.status()).revision),
  ]);
  return gatekeeper === undefined ? methods : guarded(methods, gatekeeper);
}
