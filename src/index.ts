// The public API on Node: hub, node and client over this platform's adapters; the actor system; errors.
// Invariant: the only place where roles meet adapters.
import { openLineFile } from './adapters/line-file.ts';
import type { EtcdOptions } from './adapters/etcd-store.ts';
import type { EtcdServer, EtcdServerOptions } from './adapters/etcd-server.ts';
import { createHttpListener } from './adapters/http-listener.ts';
import { createNodeClock } from './adapters/node-clock.ts';
import { createNodeDigest } from './adapters/node-digest.ts';
import { createNodeRandom } from './adapters/node-random.ts';
import { createPinoLog } from './adapters/pino-log.ts';
import { createPromMetrics } from './adapters/prom-metrics.ts';
import { openSqliteBackend } from './adapters/sqlite-backend.ts';
import { directoryProblems } from './adapters/sqlite-check.ts';
import { storeDirectory } from './adapters/store-url.ts';
import { createWallClock, isoDate } from './adapters/wall-clock.ts';
import { createInspectorSite } from './adapters/site-files.ts';
import { createWsDialer } from './adapters/ws-dialer.ts';
import { createWsListener } from './adapters/ws-listener.ts';
import { startClient, type Client, type ClientOptions } from './client/client.ts';
import { withCall, type NodeFunctions } from './calls/functions.ts';
import { HubFleet } from './client/hub-fleet.ts';
import type { PoolOptions } from './endpoints/options.ts';
import { openPool, type Pool } from './endpoints/pool.ts';
import type { ProxyOptions } from './endpoints/proxy/options.ts';
import { openProxy, type Proxy } from './endpoints/proxy/proxy.ts';
import { startHub } from './hub/hub.ts';
import { resolveHubOptions, type HubOptions } from './hub/options.ts';
import type { Hub } from './hub/status.ts';
import { startNode, type FleetNode, type NodeOptions } from './node/node.ts';
import {
  openInspection,
  type InspectionOptions,
  type OwnInspection,
} from './inspect/stream/own-inspection.ts';
import {
  connectWith,
  type ConnectOverOptions,
  type OpenConnection,
  type SocketLike,
} from './links/connect-over.ts';
import { transitionLine, type TransitionSink } from './engine/transition-record.ts';
import type { Log } from './ports.ts';
import { HoldfastError } from './protocol/errors.ts';
import { limits } from './protocol/limits.ts';
import { startCompaction } from './store/compaction.ts';
import type { Store } from './store/contract.ts';
import { holdLease as holdLeaseOn, type HeldLease, type HoldLeaseOptions } from './store/hold-lease.ts';
import { openLocalStore, type StoreOptions } from './store/local-store.ts';
import { openMemoryStore } from './store/memory-store.ts';
import type { Trainer } from './training/events.ts';
import type { TrainerOptions } from './training/options.ts';
import { createTrainee, type TraineeOptions } from './training/trainee.ts';
import { createTrainerOver } from './training/trainer.ts';

export type { EtcdServer, EtcdServerOptions } from './adapters/etcd-server.ts';
export { createNodeClock } from './adapters/node-clock.ts';
export { createPinoLog } from './adapters/pino-log.ts';
export * from './actors/index.ts';
export { drive, type Driven, type Performers } from './engine/drive.ts';
export { transitionLine, type TransitionRecord, type TransitionSink } from './engine/transition-record.ts';
export type { CallOptions, Target } from './calls/pending.ts';
export type { Balance } from './calls/balance.ts';
export { withCall, type CallFacts, type NodeFunction, type NodeFunctions } from './calls/functions.ts';
export type { Client, ClientOptions, ClientStatus, NodeDescription, Remote } from './client/client.ts';
export type { ClassificationOptions, StatusRule, TransportFault, VerdictKind } from './endpoints/classify.ts';
export { selections } from './endpoints/options.ts';
export type { Endpoint, PoolOptions, PoolSettings, Probe, Selection } from './endpoints/options.ts';
export { poolExhibit } from './endpoints/exhibit.ts';
export type { Pool, PoolQueue, PoolStatus } from './endpoints/pool.ts';
export type { Exhibit, Inspection } from './hub/exhibits.ts';
export type {
  Affinity,
  HealthCheck,
  ProxyEndpoint,
  ProxyLimits,
  ProxyOptions,
  ProxySettings,
  ProxyTimeouts,
} from './endpoints/proxy/options.ts';
export type { Proxy, ProxyStatus } from './endpoints/proxy/proxy.ts';
export type { AttemptRecord, ExchangeOutcome, ExchangeRecord } from './endpoints/proxy/record.ts';
export type { QueueEntry, QueueStatus } from './endpoints/queue.ts';
export type {
  Attempt,
  AttemptEnd,
  PoolRequest,
  RequestOptions,
  RequestRefusal,
  Verdict,
} from './endpoints/request.ts';
export type { EndpointStatus } from './endpoints/status.ts';
export type { Hub, HubStatus, PeerStatus } from './hub/status.ts';
export type { Credentials, HubOptions, InspectOptions, Joiner } from './hub/options.ts';
export type { ConnectOverOptions, OpenConnection, SocketLike } from './links/connect-over.ts';
export type { InspectionOptions, OwnInspection } from './inspect/stream/own-inspection.ts';
export { presets, type ExecutionTimes, type LinkTimes, type Preset } from './links/options.ts';
export type { FleetNode, NodeOptions, NodeStatus } from './node/node.ts';
export type * from './ports.ts';
export { startCompaction, type CompactionOptions, type CompactionPolicy } from './store/compaction.ts';
export type * from './store/contract.ts';
export type { EtcdOptions } from './adapters/etcd-store.ts';
export type { GrpcTls } from './adapters/grpc-client.ts';
export type { HeldLease, HoldLeaseOptions } from './store/hold-lease.ts';
export { prefixEnd } from './store/bytes.ts';
export { weightedMean } from './training/aggregate.ts';
export type * from './training/contract.ts';
export type * from './training/events.ts';
export { roundsCsv, roundsJson } from './training/metrics.ts';
export type { GateOptions, TrainerOptions } from './training/options.ts';
export type { TraineeOptions } from './training/trainee.ts';
export type { AdaptiveOptions } from './training/strategies/adaptive.ts';
export { fedAdam } from './training/strategies/fed-adam.ts';
export { fedAvg } from './training/strategies/fed-avg.ts';
export { fedProx, type FedProxOptions } from './training/strategies/fed-prox.ts';
export { fedYogi } from './training/strategies/fed-yogi.ts';
export type { Refusal, RefusalCode } from './training/update.ts';
export type { StoreOptions } from './store/local-store.ts';
export { watchEvents, type WatchBatch, type WatchEventsOptions } from './store/watch-events.ts';
export { HoldfastError, ProtocolViolation, RemoteFunctionError, type ErrorCode } from './protocol/errors.ts';
export { defaults, limits } from './protocol/limits.ts';
export type { Encoding } from './protocol/values.ts';

/** TLS of the side that dials. */
export interface TlsClientOptions {
  /** PEM text of the authority that signed the hub's certificate. @default the system's authorities */
  readonly ca?: string | undefined;
}

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** Warnings and errors on standard error; `log: createPinoLog({ level: 'info' })` shows every transition. */
function defaultLog(): Log {
  return createPinoLog({ level: 'warn' });
}

/** A log that says nothing. */
export function noLog(): Log {
  return quiet;
}

/**
 * Starts a hub.
 * @throws HoldfastError `invalid_option`; of the store that it is to open; an error of the system when the port is taken
 */
export async function createHub(options: HubOptions = {}): Promise<Hub> {
  // What is wrong with the options is said before anything is opened.
  resolveHubOptions(options);
  const log = options.log ?? defaultLog();
  const own = typeof options.store === 'string' ? await openStore(options.store, { log }) : undefined;
  // A real etcd is compacted by those who run it, and a store of the caller's by the caller.
  const isOurs = own !== undefined && !/^etcds?:/.test(String(options.store));
  const stopCompaction = isOurs
    ? startCompaction(own, { clock: createNodeClock(), log, revisions: limits.keptRevisions })
    : () => {};
  const closeStore = async (): Promise<void> => {
    stopCompaction();
    await own?.close();
  };
  try {
    return await startHub(options, {
      clock: createNodeClock(),
      listener: createWsListener(),
      random: createNodeRandom(),
      log,
      metrics: createPromMetrics(),
      date: isoDate,
      site: createInspectorSite(),
      store: own ?? (options.store as Store | undefined),
      closeStore,
    });
  } catch (error) {
    await closeStore();
    throw error;
  }
}

/**
 * Opens a store; the URL chooses its engine. `memory:` forgets all when it is closed. `file:./data` keeps all in that
 * directory, which it makes, relative to the working directory; one process has it open at a time.
 * `etcd://user:password@host:2379,host:2379` (with TLS `etcds://`) is a real etcd, dialled when it is first asked.
 *
 * @throws HoldfastError `invalid_option`; for files `unsupported` on Node before 24.15, and `store_failed` when the
 * directory cannot be used, is in use, or holds something else
 */
export async function openStore(
  url: string,
  options: StoreOptions & EtcdOptions & { readonly log?: Log | undefined } = {},
): Promise<Store> {
  const ports = {
    clock: createNodeClock(),
    random: createNodeRandom(),
    log: options.log ?? defaultLog(),
  };
  if (url === 'memory:') return openMemoryStore(ports, options);
  if (String(url).startsWith('file:')) {
    const directory = storeDirectory(url);
    return openLocalStore(await openSqliteBackend({ directory }), ports, options);
  }
  if (/^etcds?:/.test(url)) {
    // Whoever has no etcd does not load its protocol.
    const { openEtcd } = await import('./adapters/etcd-store.ts');
    return openEtcd(url, options, ports);
  }
  const message = `no engine for the store ${JSON.stringify(url)}; give memory:, file:DIRECTORY or etcd://host:2379`;
  throw new HoldfastError(message, { code: 'invalid_option' });
}

/**
 * Looks the file of a store over, while nothing has it open: what is wrong, in words; empty when nothing is. It holds up the
 * thread that calls it, some seconds for a million changes.
 *
 * @throws HoldfastError `invalid_option` where there is none; `unsupported` and `store_failed` as `openStore` does
 */
export async function checkStore(url: string): Promise<readonly string[]> {
  if (String(url).startsWith('file:')) return directoryProblems(storeDirectory(url));
  const message = `${JSON.stringify(url)} has no file to look over; give file:DIRECTORY`;
  throw new HoldfastError(message, { code: 'invalid_option' });
}

/**
 * Asks for a lease and keeps it alive until it is lost or released. A process that slept for longer than was left of the
 * lease has lost it, whatever the store says later.
 *
 * @throws HoldfastError `invalid_option`; what `store.leases.grant` throws
 */
export function holdLease(store: Store, options: HoldLeaseOptions): Promise<HeldLease> {
  return holdLeaseOn(store, { ...options, clock: options.clock ?? createNodeClock() });
}

/**
 * Serves etcd's API (version 3) over a store, for `etcdctl` and for etcd's clients: KV, Watch, Lease, Maintenance,
 * Cluster (the member list) and, with a user, Auth (authenticate). What is not offered is answered with gRPC's `Unimplemented`.
 *
 * @throws HoldfastError `invalid_option` when it would listen off loopback without TLS and a user
 */
export async function serveEtcd(options: EtcdServerOptions): Promise<EtcdServer> {
  const adapter = await import('./adapters/etcd-server.ts');
  return adapter.serveEtcd(options);
}

/**
 * Keeps one connection over any WebSocket-like object and any protocol: `connectOver(() => new WebSocket(url))`. Dials at once.
 * @throws HoldfastError `invalid_option`
 */
export function connectOver(
  socketFactory: () => SocketLike,
  options: ConnectOverOptions = {},
): OpenConnection {
  return connectWith(socketFactory, options, { clock: createNodeClock(), random: createNodeRandom() });
}

/**
 * A pool of endpoints without any HTTP: it chooses one for each attempt (`pool.request()`, or `pool.run(fn)`), judges them by
 * how attempts end, ejects those that fail, probes them, and lets them serve again.
 *
 * @throws HoldfastError `invalid_option`; `store_failed` and others of the store that keeps its failure queue
 */
export function createPool(options: PoolOptions): Promise<Pool> {
  return openPool(options, {
    clock: createNodeClock(),
    wallClock: createWallClock(),
    random: createNodeRandom(),
    log: options.log ?? defaultLog(),
  });
}

/**
 * Starts a reverse proxy for HTTP APIs: requests go to one of several endpoints, and to another one when that fails, as long as
 * nothing of an answer has been passed on. Server-sent events are passed on event by event.
 *
 *     await using proxy = await createProxy({ endpoints: [{ id: 'a', url: 'https://a.example.com' }, …] });
 *
 * @throws HoldfastError `invalid_option`; of the store that keeps its failure queue; an error of the system when the port is taken
 */
export async function createProxy(options: ProxyOptions): Promise<Proxy> {
  // Whoever has no proxy does not load its HTTP client.
  const { createUndiciUpstream } = await import('./adapters/undici-upstream.ts');
  return openProxy(options, {
    clock: createNodeClock(),
    wallClock: createWallClock(),
    random: createNodeRandom(),
    log: options.log ?? defaultLog(),
    listener: createHttpListener(),
    upstream: createUndiciUpstream,
  });
}

/**
 * Shows this process's own actors in the page, on loopback: `createSystem`'s, and those of XState's own `createActor`.
 *
 *     const inspection = await createInspection({ name: 'orders' });
 *     inspection.watch(system);
 *     createActor(machine, { inspect: inspection.inspect }).start();
 *     console.log(inspection.url);
 *
 * @throws an error of the system when the port is taken; HoldfastError `unsupported` in a bundle, which has no page
 */
export async function createInspection(options: InspectionOptions = {}): Promise<OwnInspection> {
  const site = createInspectorSite();
  if (site === undefined)
    throw new HoldfastError('the package of the page is not there', { code: 'unsupported' });
  return openInspection(options, {
    clock: createNodeClock(),
    listener: createWsListener(),
    log: options.log ?? defaultLog(),
    id: createNodeRandom().id(),
    date: isoDate,
    wallNow: createWallClock().now,
    site,
  });
}

/** Starts a node, which dials at once. @throws HoldfastError `invalid_option` */
export function createNode(options: NodeOptions & TlsClientOptions): FleetNode {
  return startNode(options, {
    clock: createNodeClock(),
    dialer: createWsDialer(options.ca === undefined ? {} : { ca: options.ca }),
    random: createNodeRandom(),
    log: options.log ?? defaultLog(),
  });
}

/** Starts a client, which dials at once. @throws HoldfastError `invalid_option` */
export function createClient(options: ClientOptions & TlsClientOptions): Client {
  return startClient(options, {
    clock: createNodeClock(),
    dialer: createWsDialer(options.ca === undefined ? {} : { ca: options.ca }),
    random: createNodeRandom(),
    log: options.log ?? defaultLog(),
  });
}

/**
 * Functions for a node that takes part in training: `createNode({ functions: trainable({ train }) })`, or, for `holdfast node`,
 * a module with `export default trainable({ train })`.
 *
 * @throws HoldfastError `invalid_option`
 */
export function trainable(options: TraineeOptions): NodeFunctions {
  const functions = Object.entries(createTrainee(options, createNodeDigest()));
  return Object.fromEntries(functions.map(([name, fn]) => [name, withCall(fn)]));
}

/**
 * A trainer over the nodes of a hub in this process. It begins with `start`, and `done` tells how it ended:
 *
 *     const trainer = createTrainer({ hub, store, model, rounds: 20, gate: { minNodes: 6 } });
 *     await trainer.start();
 *     const { end, round, weights } = await trainer.done;
 *
 * Stop it before its hub. One trainer has a run at a time: a second one that takes it up ends the first.
 *
 * @throws HoldfastError `invalid_option`
 */
export function createTrainer(options: TrainerOptions & { readonly hub: Hub }): Trainer {
  const clock = createNodeClock();
  const random = createNodeRandom();
  const log = options.log ?? defaultLog();
  const fleet = new HubFleet(options.hub, `trainer ${options.run ?? 'default'}`, { clock, random, log });
  return createTrainerOver(options, {
    fleet,
    clock,
    random,
    log,
    digest: createNodeDigest(),
    show: (run) => options.hub.inspection?.show(run) ?? (() => {}),
    closeFleet: () => fleet.close(),
    fleetStopped: options.hub.stopped,
  });
}

export interface TransitionFile {
  /** For the option `transitions` of a hub, node or client. */
  readonly write: TransitionSink;
  /** Writes what waits, and closes the file; the end of the process does the same. */
  close(): void;
}

/**
 * Appends transition records to a file, one JSON text a line (NDJSON), for `holdfast conform`. A record stands in the file
 * 50 ms later at the latest. When the file cannot be written any more (a full disk), the log ends and `onFailed` says why.
 *
 * @throws HoldfastError `invalid_option` when the file cannot be written
 */
export function createTransitionFile(
  path: string,
  onFailed: (error: HoldfastError) => void = (error) =>
    defaultLog().error({}, `transition log ${error.message}`),
): TransitionFile {
  const file = openLineFile(path, { onFailed });
  return { write: (record) => file.write(transitionLine(record)), close: () => file.close() };
}
