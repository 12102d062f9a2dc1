// The engine `etcd`: the store's contract over a cluster of real etcd members.
// Invariant: what is answered is what etcd answered; what has no answer says whether it may have happened.
import { proposalMachine } from '../../../machines/proposal.ts';
import { createSystem, type System } from '../../actors/system.ts';
import { recordTransitions } from '../../actors/transition-records.ts';
import { observeTable } from '../../engine/table-records.ts';
import type { Clock, Log, Random } from '../../ports.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import { defaults } from '../../protocol/limits.ts';
import type {
  Answer,
  DeleteRequest,
  DeleteResponse,
  KeyRange,
  Leases,
  ProposalOptions,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  Store,
  StoreStatus,
  TxnRequest,
  TxnResponse,
  WatchHandle,
  WatchRequest,
  WatchSink,
} from '../contract.ts';
import type { StoreOptions } from '../local-store.ts';
import { checkDelete, checkPut, checkRange, checkRevision, checkWatch } from '../checks.ts';
import { senseless } from '../failure.ts';
import { checkTxnSense } from '../txn-checks.ts';
import { Keepalives } from './keepalives.ts';
import { etcdLeases } from './leases.ts';
import { Members } from './members.ts';
import {
  deleteRequest,
  deleteResponse,
  putRequest,
  putResponse,
  rangeRequest,
  rangeResponse,
  revisionOf,
  txnRequest,
  txnResponse,
  type DeleteMessage,
  type HeaderMessage,
  type Int64,
  type PutMessage,
  type RangeMessage,
  type TxnMessage,
} from './messages.ts';
import { startReplay } from './replay.ts';
import { Requests, type Kind } from './requests.ts';
import { Sentinel } from './sentinel.ts';
import { Tokens, type User } from './tokens.ts';
import type { Transport, UnaryMethod } from './transport.ts';
import { EtcdWatch } from './watch.ts';
import { WatchStreams } from './watch-streams.ts';

/** As an embedded store has them; the interval of bookmarks is the server's. */
export interface EtcdStoreOptions extends Omit<StoreOptions, 'progressIntervalMs'> {
  /** `host:port` each; at least one. */
  readonly endpoints: readonly string[];
  /** @default none */
  readonly user?: User | undefined;
  /** For one member to be reached, in milliseconds; then the next one is tried. */
  readonly dialTimeoutMs: number;
}

export interface EtcdStorePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
  readonly log: Log;
}

/** Dials nobody before the first request. */
export function openEtcdStore(options: EtcdStoreOptions, ports: EtcdStorePorts): Store {
  return new EtcdStore(options, ports);
}

class EtcdStore implements Store {
  readonly leases: Leases;
  readonly #random: Random;
  readonly #proposeTimeoutMs: number;
  readonly #members: Members;
  readonly #requests: Requests;
  readonly #keepalives = new Keepalives();
  readonly #streams: WatchStreams;
  readonly #sentinel: Sentinel;
  readonly #system: System;
  readonly #watches = new Set<EtcdWatch>();
  #watchCount = 0;
  #state: 'open' | 'closed' = 'open';

  constructor(options: EtcdStoreOptions, ports: EtcdStorePorts) {
    const { endpoints, user, dialTimeoutMs, transitions } = options;
    const { clock, random, transport, log } = ports;
    this.#random = random;
    this.#proposeTimeoutMs = options.proposeTimeoutMs ?? defaults.proposeTimeoutMs;
    this.#members = new Members({ clock, random, log, transport, endpoints, dialTimeoutMs });
    const tokens = new Tokens(user);
    this.#sentinel = new Sentinel(clock, this.#members);
    const run = random.id().slice(0, 8);
    this.#requests = new Requests({
      clock,
      members: this.#members,
      tokens,
      sentinel: this.#sentinel,
      proposeTimeoutMs: this.#proposeTimeoutMs,
      applyTimeoutMs: options.applyTimeoutMs ?? defaults.applyTimeoutMs,
      observer: observeTable(transitions, {
        machine: proposalMachine,
        run,
        id: (_request, n) => `proposal/${run}/${n}`,
        now: () => clock.now(),
      }),
    });
    this.#streams = new WatchStreams(this.#members, tokens);
    this.#system = createSystem({ clock, log, inspect: recordTransitions(transitions, run) });
    this.leases = etcdLeases(this.#requests, this.#keepalives);
  }

  async range(request: RangeRequest, options?: ProposalOptions): Promise<RangeResponse> {
    const message = encoded(checkRange, rangeRequest, request);
    const what = `range from ${named(request)}`;
    return rangeResponse((await this.#run('KV.Range', message, what, 'read', options)) as RangeMessage);
  }

  async put(request: PutRequest, options?: ProposalOptions): Promise<PutResponse> {
    const message = encoded(checkPut, putRequest, request);
    const what = `put of ${named(request)}`;
    return putResponse((await this.#run('KV.Put', message, what, 'write', options)) as PutMessage);
  }

  async delete(request: DeleteRequest, options?: ProposalOptions): Promise<DeleteResponse> {
    const message = encoded(checkDelete, deleteRequest, request);
    const what = `delete from ${named(request)}`;
    return deleteResponse(
      (await this.#run('KV.DeleteRange', message, what, 'write', options)) as DeleteMessage,
    );
  }

  async txn(request: TxnRequest, options?: ProposalOptions): Promise<TxnResponse> {
    const message = encoded(checkTxnSense, txnRequest, request);
    const kind = changesNothing(request) ? 'read' : 'write';
    return txnResponse((await this.#run('KV.Txn', message, 'txn', kind, options)) as TxnMessage);
  }

  watch(request: WatchRequest, sink: WatchSink): WatchHandle {
    if (this.#state === 'closed') throw closed('watch');
    try {
      checkWatch(request);
    } catch (error) {
      throw senseless(error);
    }
    this.#watchCount += 1;
    const watch: EtcdWatch = new EtcdWatch(request, sink, {
      system: this.#system,
      streams: this.#streams,
      replay: (of, next) => startReplay(this.#streams, of, next, () => this.#newest(of.key)),
      id: `watch/${this.#watchCount}`,
      seed: this.#random.uint32(),
      createTimeoutMs: this.#proposeTimeoutMs,
      lastFailure: () => this.#members.lastFailure,
      forget: () => void this.#watches.delete(watch),
    });
    this.#watches.add(watch);
    return watch;
  }

  async compact(revision: number, options?: ProposalOptions): Promise<Answer> {
    checkRevision('revision', revision ?? NaN);
    const what = `compact to ${revision}`;
    const message = await this.#run('KV.Compact', { revision }, what, 'write', options);
    return { revision: revisionOf(message as HeaderMessage) };
  }

  async defragment(options?: ProposalOptions): Promise<Answer> {
    await this.#run('Maintenance.Defragment', {}, 'defragment', 'write', options);
    return { revision: await this.#newest(firstKey) };
  }

  async status(options?: ProposalOptions): Promise<StoreStatus> {
    const message = await this.#run('Maintenance.Status', {}, 'status', 'read', options);
    const { dbSize } = message as { readonly dbSize: Int64 };
    const floor = await this.#compactRevision(options);
    return {
      engine: 'etcd',
      revision: revisionOf(message as HeaderMessage),
      compactRevision: floor,
      sizeBytes: dbSize.toNumber(),
    };
  }

  close(): Promise<void> {
    return this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    for (const watch of [...this.#watches]) watch.stop(closed('watch'));
    this.#requests.close();
    this.#streams.close();
    this.#keepalives.close();
    this.#sentinel.close();
    await this.#system.stop();
    this.#members.close();
  }

  async #run(
    method: UnaryMethod,
    message: object,
    what: string,
    kind: Kind,
    options: ProposalOptions = {},
  ): Promise<object> {
    try {
      return await this.#ask(method, message, what, kind, options);
    } catch (error) {
      throw error instanceof HoldfastError ? await this.#withRevision(error, options) : error;
    }
  }

  #ask(
    method: UnaryMethod,
    message: object,
    what: string,
    kind: Kind,
    options: ProposalOptions = {},
  ): Promise<object> {
    return this.#requests.run(what, kind, options, (channel, metadata, handlers) =>
      channel.unary(method, message, metadata, handlers),
    );
  }

  /** etcd does not say where history begins or ends when it refuses a revision. */
  async #withRevision(error: HoldfastError, options: ProposalOptions): Promise<HoldfastError> {
    const { code, message } = error;
    if (code !== 'compacted' && code !== 'future_revision') return error;
    try {
      const revision =
        code === 'compacted' ? await this.#compactRevision(options) : await this.#newest(firstKey);
      const bound = code === 'compacted' ? 'the oldest that is left' : 'the newest';
      return new HoldfastError(`${message}; ${bound} is ${revision}`, {
        code,
        started: 'notStarted',
        revision,
      });
    } catch {
      return error;
    }
  }

  async #newest(key: Uint8Array): Promise<number> {
    const request = rangeRequest({ key: key.length === 0 ? firstKey : key, countOnly: true });
    return revisionOf((await this.#ask('KV.Range', request, 'newest revision', 'read')) as HeaderMessage);
  }

  /** etcd has no request that answers with it; it tells a watch that begins below it. */
  async #compactRevision(options: ProposalOptions | undefined): Promise<number> {
    const request = rangeRequest({ key: firstKey, revision: 1, countOnly: true });
    try {
      await this.#ask('KV.Range', request, 'compact revision', 'read', options);
      return -1;
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'compacted') throw error;
    }
    return new Promise((resolve, reject) => {
      this.watch(
        { key: firstKey, startRevision: 1 },
        {
          ready: () => undefined,
          events: () => 'more',
          progress: () => undefined,
          ended: (end) => {
            if (end.reason === 'compacted') resolve(end.floor);
            else if (end.reason === 'failed') reject(end.error);
          },
        },
      );
    });
  }
}

const firstKey = Uint8Array.of(0);

/**
 * The request as a message. Looked at first: the encoding of messages makes something else of what it is not meant for
 * (of a text where bytes belong, what it is the base64 of).
 *
 * @throws HoldfastError `invalid_argument`
 */
function encoded<Request>(
  check: (request: Request) => void,
  encode: (request: Request) => object,
  request: Request,
): object {
  try {
    check(request);
    return encode(request);
  } catch (error) {
    throw senseless(error);
  }
}

function changesNothing({ success = [], failure = [] }: TxnRequest): boolean {
  return [...success, ...failure].every(
    (one) => one.type === 'range' || (one.type === 'txn' && changesNothing(one)),
  );
}

function closed(what: string): HoldfastError {
  return new HoldfastError(`${what}: the store is closed`, { code: 'stopped', started: 'notStarted' });
}

const text = new TextDecoder();

/** The key for messages, shortened. */
function named({ key }: KeyRange): string {
  const readable = text.decode(key.subarray(0, 60));
  return key.length > 60 ? `${readable}…` : readable;
}
