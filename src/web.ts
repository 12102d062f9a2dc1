// The public API over the platform's own WebSocket: nodes and clients in browsers, Deno and Bun.
// Invariant: names nothing that only Node has.
import { createWebClock } from './adapters/web-clock.ts';
import { createWebDialer } from './adapters/web-dialer.ts';
import { createWebDigest } from './adapters/web-digest.ts';
import { createWebRandom } from './adapters/web-random.ts';
import { withCall, type NodeFunctions } from './calls/functions.ts';
import { startClient, type Client, type ClientOptions } from './client/client.ts';
import { startNode, type FleetNode, type NodeOptions } from './node/node.ts';
import {
  connectWith,
  type ConnectOverOptions,
  type OpenConnection,
  type SocketLike,
} from './links/connect-over.ts';
import type { Log } from './ports.ts';
import { HoldfastError } from './protocol/errors.ts';
import type { Store } from './store/contract.ts';
import type { StoreOptions } from './store/local-store.ts';
import { openMemoryStore } from './store/memory-store.ts';
import { createTrainee, type TraineeOptions } from './training/trainee.ts';

export type { ConnectOverOptions, OpenConnection, SocketLike } from './links/connect-over.ts';
export { withCall, type CallFacts, type NodeFunction, type NodeFunctions } from './calls/functions.ts';
export type { CallOptions, Target } from './calls/pending.ts';
export type { Client, ClientOptions, ClientStatus, NodeDescription, Remote } from './client/client.ts';
export type { FleetNode, NodeOptions, NodeStatus } from './node/node.ts';
export type * from './store/contract.ts';
export { prefixEnd } from './store/bytes.ts';
export type { StoreOptions } from './store/local-store.ts';
export { watchEvents, type WatchBatch, type WatchEventsOptions } from './store/watch-events.ts';
export type {
  Evaluation,
  Tensor,
  TrainingConfig,
  TrainingMetrics,
  TrainingTask,
  TrainingUpdate,
  Weights,
} from './training/contract.ts';
export type { TraineeOptions } from './training/trainee.ts';
export { HoldfastError, ProtocolViolation, RemoteFunctionError, type ErrorCode } from './protocol/errors.ts';

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * Keeps one connection over any WebSocket-like object and any protocol: `connectOver(() => new WebSocket(url))`. Dials at once.
 * @throws HoldfastError `invalid_option`
 */
export function connectOver(
  socketFactory: () => SocketLike,
  options: ConnectOverOptions = {},
): OpenConnection {
  return connectWith(socketFactory, options, { clock: createWebClock(), random: createWebRandom() });
}

/** Starts a node, which dials at once. @throws HoldfastError `invalid_option` */
export function createNode(options: NodeOptions): FleetNode {
  const ports = {
    clock: createWebClock(),
    dialer: createWebDialer(),
    random: createWebRandom(),
    log: options.log ?? quiet,
  };
  return startNode(options, ports);
}

/** Starts a client, which dials at once. @throws HoldfastError `invalid_option` */
export function createClient(options: ClientOptions): Client {
  const ports = {
    clock: createWebClock(),
    dialer: createWebDialer(),
    random: createWebRandom(),
    log: options.log ?? quiet,
  };
  return startClient(options, ports);
}

/**
 * Functions for a node that takes part in training: `createNode({ functions: trainable({ train }) })`.
 *
 * @throws HoldfastError `invalid_option`; `unsupported` in a page that was served over plain http
 */
export function trainable(options: TraineeOptions): NodeFunctions {
  const functions = Object.entries(createTrainee(options, createWebDigest()));
  return Object.fromEntries(functions.map(([name, fn]) => [name, withCall(fn)]));
}

/**
 * Opens a store, which forgets all when it is closed: `memory:` is the one engine that runs here.
 *
 * @throws HoldfastError `invalid_option`
 */
export async function openStore(
  url: string,
  options: StoreOptions & { readonly log?: Log | undefined } = {},
): Promise<Store> {
  const ports = { clock: createWebClock(), random: createWebRandom(), log: options.log ?? quiet };
  if (url === 'memory:') return openMemoryStore(ports, options);
  throw new HoldfastError(`no engine for the store ${JSON.stringify(url)}; give memory:`, {
    code: 'invalid_option',
  });
}
