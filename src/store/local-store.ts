// A store whose keyspace lives on this machine, behind a backend: requests, watches and leases over one feed.
// Invariant: watches are told of a change before the one who made it has the answer.
import { proposalMachine } from '../../machines/proposal.ts';
import type { WatchTimes } from '../../machines/watch.ts';
import { createSystem, type System } from '../actors/system.ts';
import { recordTransitions } from '../actors/transition-records.ts';
import { observeTable } from '../engine/table-records.ts';
import type { TransitionSink } from '../engine/transition-record.ts';
import type { Clock, Log, Random, Timer } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';
import { defaults } from '../protocol/limits.ts';
import type { Backend } from './backend.ts';
import * as checks from './checks.ts';
import type { Answers } from './commands.ts';
import type {
  Answer,
  DeleteRequest,
  DeleteResponse,
  Operation,
  ProposalOptions,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  Revision,
  Store,
  StoreStatus,
  TxnRequest,
  TxnResponse,
  WatchHandle,
  WatchRequest,
  WatchSink,
} from './contract.ts';
import * as failure from './failure.ts';
import { Feed } from './feed.ts';
import { LocalLeases } from './leases.ts';
import { ownedOperation } from './owned.ts';
import { Proposals } from './proposals.ts';
import { checkSize } from './request-size.ts';
import { checkTxn } from './txn-checks.ts';
import { WatchStream, type WatchHome } from './watch-stream.ts';

export interface StorePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface StoreOptions {
  /** For the engine to take a request that sets no time of its own, in milliseconds. @default 30000 */
  readonly proposeTimeoutMs?: number | undefined;
  /** For the engine to answer it then, in milliseconds. @default 30000 */
  readonly applyTimeoutMs?: number | undefined;
  /** Between two signs of life of a watch that asked for `progressNotify`, in milliseconds. @default 600000 */
  readonly progressIntervalMs?: number | undefined;
  /** Gets a record of each transition of requests, watches and leases. @default none */
  readonly transitions?: TransitionSink | undefined;
}

/** An embedded feed is always there; only the history may be slow, or fail for a while. */
const watchTimes: WatchTimes = {
  createTimeoutMs: 30_000,
  attachTimeoutMs: 10_000,
  resumeIntervalMs: 100,
  resumeMaxMs: 5_000,
};

/** An embedded store, which knows how much is open. */
export interface LocalStore extends Store {
  readonly watches: number;
  /** Requests that have not settled. */
  readonly pending: number;
}

/**
 * Opens a store over a backend, which it closes when it is closed itself, or cannot be opened.
 *
 * @throws HoldfastError `invalid_option`; what the backend throws when it cannot read its leases
 */
export async function openLocalStore(
  backend: Backend,
  ports: StorePorts,
  options: StoreOptions = {},
): Promise<LocalStore> {
  let store: EmbeddedStore;
  try {
    store = new EmbeddedStore(backend, ports, options);
  } catch (error) {
    await backend.close();
    throw error;
  }
  await store.open();
  return store;
}

function milliseconds(name: string, value: number): number {
  if (value > 0) return value;
  throw new HoldfastError(`${name} is ${value}; give milliseconds above 0`, { code: 'invalid_option' });
}

class EmbeddedStore implements LocalStore, WatchHome {
  readonly leases: LocalLeases;
  readonly system: System;
  readonly proposals: Proposals;
  readonly feed = new Feed(1);
  readonly log: Log;
  readonly #backend: Backend;
  readonly #random: Random;
  readonly #progressIntervalMs: number;
  readonly #watches = new Set<WatchStream>();
  #watchNumber = 0;
  #progressTimer: Timer | undefined;
  #closed: Promise<void> | undefined;

  constructor(backend: Backend, { clock, random, log }: StorePorts, options: StoreOptions) {
    const times = {
      proposeTimeoutMs: milliseconds(
        'proposeTimeoutMs',
        options.proposeTimeoutMs ?? defaults.proposeTimeoutMs,
      ),
      applyTimeoutMs: milliseconds('applyTimeoutMs', options.applyTimeoutMs ?? defaults.applyTimeoutMs),
    };
    this.#progressIntervalMs = milliseconds(
      'progressIntervalMs',
      options.progressIntervalMs ?? defaults.progressIntervalMs,
    );
    const run = random.id().slice(0, 8);
    this.log = log;
    this.#backend = backend;
    this.#random = random;
    this.system = createSystem({ clock, log, inspect: recordTransitions(options.transitions, run) });
    this.proposals = new Proposals({
      clock,
      backend,
      ...times,
      committed: (changes) => this.feed.deliver(changes),
      granted: (command) => this.leases.granted(command),
      doubted: () => this.leases.reconcile(),
      observer: observeTable(options.transitions, {
        machine: proposalMachine,
        run,
        id: (_proposal, n) => `proposal/${run}/${n}`,
        now: () => clock.now(),
      }),
    });
    this.leases = new LocalLeases({
      system: this.system,
      feed: this.feed,
      proposals: this.proposals,
      random,
      ...times,
      times: {
        // Nothing outlives a store in memory, so nothing is written down for its leases.
        checkpointMs: backend.durable ? defaults.leaseCheckpointMs : Number.MAX_SAFE_INTEGER,
        retryMs: 1_000,
      },
    });
  }

  async open(): Promise<void> {
    try {
      const { proposeTimeoutMs, applyTimeoutMs } = defaults;
      const times = { proposeTimeoutMs, applyTimeoutMs };
      const { revision, leases } = await this.proposals.propose({ type: 'leases' }, 0, times);
      this.feed.revision = revision;
      this.leases.restore(leases);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  get watches(): number {
    return this.#watches.size;
  }

  get pending(): number {
    return this.proposals.size;
  }

  range(request: RangeRequest, options?: ProposalOptions): Promise<RangeResponse> {
    return this.#propose(checks.checkRange, { ...request, type: 'range' }, options);
  }

  put(request: PutRequest, options?: ProposalOptions): Promise<PutResponse> {
    return this.#propose(checks.checkPut, { ...request, type: 'put' }, options);
  }

  delete(request: DeleteRequest, options?: ProposalOptions): Promise<DeleteResponse> {
    return this.#propose(checks.checkDelete, { ...request, type: 'delete' }, options);
  }

  txn(request: TxnRequest, options?: ProposalOptions): Promise<TxnResponse> {
    return this.#propose(checkTxn, { ...request, type: 'txn' }, options);
  }

  async compact(revision: Revision, options?: ProposalOptions): Promise<Answer> {
    checks.checkRevision('revision', revision ?? NaN);
    return this.proposals.propose({ type: 'compact', revision }, 0, options);
  }

  async defragment(options?: ProposalOptions): Promise<Answer> {
    for (;;) {
      const { revision, left } = await this.proposals.propose({ type: 'defragment' }, 0, options);
      if (left === 'nothing') return { revision };
    }
  }

  async status(options?: ProposalOptions): Promise<StoreStatus> {
    const status = await this.proposals.propose({ type: 'status' }, 0, options);
    return { engine: this.#backend.engine, ...status };
  }

  watch(request: WatchRequest, sink: WatchSink): WatchHandle {
    if (this.#closed !== undefined) throw failure.stopped();
    try {
      checks.checkWatch(request);
    } catch (error) {
      throw failure.senseless(error);
    }
    const stream = new WatchStream(this, {
      id: `watch/${++this.#watchNumber}`,
      request,
      sink,
      times: { ...watchTimes, seed: this.#random.uint32() },
    });
    this.#watches.add(stream);
    if (stream.wantsProgress) this.#awaitProgress();
    return stream;
  }

  forget(stream: WatchStream): void {
    this.#watches.delete(stream);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #propose<O extends Operation>(
    check: (operation: O) => void,
    operation: O,
    options: ProposalOptions | undefined,
  ): Promise<Answers[O['type']]> {
    let bytes: number;
    let owned: O;
    try {
      check(operation);
      bytes = checkSize(operation);
      owned = ownedOperation(operation);
    } catch (error) {
      return Promise.reject(failure.senseless(error));
    }
    // One promise and no more: this is the way of every write.
    return this.proposals.propose<O['type']>(owned as never, bytes, options);
  }

  async #close(): Promise<void> {
    const error = failure.stopped();
    for (const watch of [...this.#watches]) watch.fail(error);
    this.leases.end(error);
    this.proposals.end(error);
    if (this.#progressTimer !== undefined) this.system.clock.clearTimer(this.#progressTimer);
    await this.system.stop();
    await this.#backend.close();
  }

  /** One timer for all watches that want signs of life; none when there are none. */
  #awaitProgress(): void {
    this.#progressTimer ??= this.system.clock.setTimer(() => {
      this.#progressTimer = undefined;
      const watches = [...this.#watches].filter(({ wantsProgress }) => wantsProgress);
      if (watches.length > 0) this.#awaitProgress();
      for (const watch of watches) watch.nudge();
    }, this.#progressIntervalMs);
  }
}
