// Members of a cluster that do what a test says: take a connection or not, carry a request out or not, answer or not.
// Invariant: what was carried out stands in `executed`, whatever the asker was told.
import { HoldfastError } from '../../../src/protocol/errors.ts';
import type { Store } from '../../../src/store/contract.ts';
import { openEtcdStore, type EtcdStoreOptions } from '../../../src/store/etcd/store.ts';
import type {
  Channel,
  RpcCall,
  RpcFailure,
  RpcMetadata,
  RpcStream,
  StreamHandlers,
  Transport,
  UnaryHandlers,
  UnaryMethod,
} from '../../../src/store/etcd/transport.ts';
import { createSimulation, type Simulation } from '../../../src/testing/index.ts';
import { bytes } from './naive-store.ts';

/** A request that a member has, to be answered by the test. */
export interface Received {
  readonly member: string;
  readonly method: UnaryMethod;
  readonly request: object;
  readonly metadata: RpcMetadata;
  readonly handlers: UnaryHandlers;
  state: 'open' | 'cancelled' | 'over';
}

export const broken: RpcFailure = { status: 'unavailable', message: 'Connection dropped' };
export const noLeader: RpcFailure = { status: 'unavailable', message: 'etcdserver: no leader' };

export class ScriptedCluster implements Transport {
  readonly received: Received[] = [];
  readonly dials: string[] = [];
  readonly members = new Map<string, ScriptedMember>();
  /** What a member does with a request; by default it keeps it for the test. */
  onRequest: (received: Received) => void = () => undefined;
  /** Who serves a stream; by default nobody says anything on it. */
  onStream: ((member: ScriptedMember, handlers: StreamHandlers) => RpcStream) | undefined;

  channel(endpoint: string): Channel {
    const member = new ScriptedMember(endpoint, this);
    this.members.set(endpoint, member);
    return member;
  }

  member(endpoint: string): ScriptedMember {
    return this.members.get(endpoint) as ScriptedMember;
  }

  get last(): Received {
    return this.received.at(-1) as Received;
  }
}

export class ScriptedMember implements Channel {
  readonly endpoint: string;
  ready = false;
  /** What becomes of a dial. */
  door: 'open' | 'shut' | 'silent' = 'open';
  readonly #cluster: ScriptedCluster;
  readonly #streams = new Set<StreamHandlers>();

  constructor(endpoint: string, cluster: ScriptedCluster) {
    this.endpoint = endpoint;
    this.#cluster = cluster;
  }

  dial(done: (failure: RpcFailure | undefined) => void): void {
    this.#cluster.dials.push(this.endpoint);
    if (this.door === 'silent') return;
    this.ready = this.door === 'open';
    done(this.ready ? undefined : broken);
  }

  unary(method: UnaryMethod, request: object, metadata: RpcMetadata, handlers: UnaryHandlers): RpcCall {
    const { endpoint: member } = this;
    const received: Received = { member, method, request, metadata, handlers, state: 'open' };
    this.#cluster.received.push(received);
    this.#cluster.onRequest(received);
    return { cancel: () => void (received.state = 'cancelled') };
  }

  stream(_method: string, _metadata: RpcMetadata, handlers: StreamHandlers): RpcStream {
    if (this.#cluster.onStream !== undefined) return this.#cluster.onStream(this, handlers);
    this.#streams.add(handlers);
    return { send: () => undefined, cancel: () => void this.#streams.delete(handlers) };
  }

  /** The link is gone: its streams end, and what it had is not answered. */
  break(): void {
    this.ready = false;
    for (const received of this.#cluster.received)
      if (received.member === this.endpoint) fail(received, broken);
    for (const handlers of [...this.#streams]) {
      this.#streams.delete(handlers);
      handlers.ended(broken);
    }
  }

  close(): void {
    this.ready = false;
  }
}

export function answer(received: Received, response: object): void {
  if (received.state !== 'open') return;
  received.state = 'over';
  received.handlers.answered(response);
}

export function fail(received: Received, failure: RpcFailure): void {
  if (received.state !== 'open') return;
  received.state = 'over';
  received.handlers.failed(failure);
}

/** An answer to a put. */
export const putAnswer = { header: { revision: { toNumber: () => 7 } }, prev_kv: null };

export interface Scripted {
  readonly simulation: Simulation;
  readonly cluster: ScriptedCluster;
  readonly store: Store;
}

export function scripted(seed: number, options: Partial<EtcdStoreOptions> = {}): Scripted {
  const simulation = createSimulation({ seed });
  const { clock, random, log } = simulation;
  const cluster = new ScriptedCluster();
  const store = openEtcdStore(
    { endpoints: ['a:1', 'b:1'], dialTimeoutMs: 1_000, ...options },
    { clock, random, log, transport: cluster },
  );
  return { simulation, cluster, store };
}

/** How a request ended: `done`, or `timed_out notStarted` and its like. */
export async function outcomeOf(doing: Promise<unknown>): Promise<string> {
  try {
    await doing;
    return 'done';
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return `${error.code} ${error.started ?? '-'}`;
  }
}

export const aPut = { key: bytes('a'), value: bytes('1') };
