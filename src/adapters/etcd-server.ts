// etcd's API (version 3) over a store, on a port: etcd's own clients can read, write and watch it.
// Invariant: off loopback nothing is served without TLS and a user.
import { createHash } from 'node:crypto';
import type { Clock, Random } from '../ports.ts';
import type { Store } from '../store/contract.ts';
import type { Credentials } from '../store/etcd-api/auth.ts';
import { etcdMethods } from '../store/etcd-api/methods.ts';
import { loadEtcdProtos } from './etcd-protos.ts';
import { checkReach } from './etcd-reach.ts';
import { listenGrpc, type GrpcServer } from './grpc-server.ts';
import { createNodeClock } from './node-clock.ts';
import { createNodeRandom } from './node-random.ts';

export interface EtcdServerOptions {
  readonly store: Store;
  /** Address to listen at. Off loopback `tls` and `user` are needed. @default '127.0.0.1' */
  readonly host?: string | undefined;
  /** 0 chooses a free port. @default 2379, etcd's */
  readonly port?: number | undefined;
  /** PEM. @default undefined: no TLS */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  /** Who may use it: `etcdctl --user name:password`. @default undefined: anyone who can reach it */
  readonly user?: Credentials | undefined;
  /** Tells this store's server from others: member and cluster ids come from it. @default 'holdfast' */
  readonly name?: string | undefined;
  /** A connection that is silent for this long is asked for a sign of life, and ended when it stays silent. @default 30000 */
  readonly keepaliveIntervalMs?: number | undefined;
  /** @default monotonic, of this process */
  readonly clock?: Clock | undefined;
  /** @default the platform's */
  readonly random?: Random | undefined;
}

/** A server of etcd's API. `close` does not close the store. */
export interface EtcdServer extends GrpcServer, AsyncDisposable {}

/** @throws HoldfastError `invalid_option` when it would listen off loopback without TLS and a user */
export async function serveEtcd(options: EtcdServerOptions): Promise<EtcdServer> {
  const { store, host = '127.0.0.1', port = 2_379, tls, user, name = 'holdfast' } = options;
  checkReach({ host, tls, user });
  const keyValue = loadEtcdProtos().message('mvccpb.KeyValue');
  const urls: string[] = [];
  const methods = etcdMethods({
    store,
    name,
    user,
    clock: options.clock ?? createNodeClock(),
    random: options.random ?? createNodeRandom(),
    clientUrls: () => urls,
    encode: (entry) => keyValue.encode(entry),
    sha256: () => createHash('sha256'),
  });
  const server = await listenGrpc({
    host,
    port,
    tls,
    methods,
    keepaliveIntervalMs: options.keepaliveIntervalMs,
  });
  urls.push(server.url);
  return Object.assign(server, { [Symbol.asyncDispose]: () => server.close() });
}
