// What a store does, on every engine: keys and values with their history under one increasing revision, transactions,
// leases and watches. The words are etcd's (https://etcd.io/docs/v3.5/learning/api/).
// Invariant: types only; no engine adds to them or leaves one out.
import type { HoldfastError } from '../protocol/errors.ts';

/** Count of committed changes: a fresh store is at 1, each transaction that changed something adds 1. At most 2^53 − 1. */
export type Revision = number;

/** An int64 as decimal text, because clients choose ids that no double can hold. */
export type LeaseId = string;

/** One key, or all keys from `key` on that lie before `end`, in the order of their bytes. */
export interface KeyRange {
  /** Empty with an `end` only: from the first key on. */
  readonly key: Uint8Array;
  /** First key beyond the range; empty: no key is beyond. @default undefined: `key` alone */
  readonly end?: Uint8Array | undefined;
}

export interface KeyValue {
  readonly key: Uint8Array;
  /** Empty when only keys were asked for. */
  readonly value: Uint8Array;
  /** Revision at which the key came into being, after its last deletion. */
  readonly createRevision: Revision;
  /** Revision of its last change. */
  readonly modRevision: Revision;
  /** Changes since it came into being, that one included: 1 for a new key. */
  readonly version: number;
  /** The key goes when this lease goes. */
  readonly lease?: LeaseId | undefined;
}

export interface RangeRequest extends KeyRange {
  /** As of this revision. @default undefined: the newest */
  readonly revision?: Revision | undefined;
  /** Most entries to answer with; 0 = all. @default 0 */
  readonly limit?: number | undefined;
  /** @default by key, ascending */
  readonly sort?:
    | {
        readonly by: 'key' | 'version' | 'createRevision' | 'modRevision' | 'value';
        readonly descending?: boolean | undefined;
      }
    | undefined;
  /** Leaves the values out. @default false */
  readonly keysOnly?: boolean | undefined;
  /** Answers with the count alone. @default false */
  readonly countOnly?: boolean | undefined;
  readonly minModRevision?: Revision | undefined;
  readonly maxModRevision?: Revision | undefined;
  readonly minCreateRevision?: Revision | undefined;
  readonly maxCreateRevision?: Revision | undefined;
  /** May be answered by a member that lags (several hubs on one etcd); an embedded engine never lags. @default false */
  readonly serializable?: boolean | undefined;
}

export interface PutRequest {
  /** Not empty. */
  readonly key: Uint8Array;
  /** @default empty */
  readonly value?: Uint8Array | undefined;
  /** @default undefined: no lease */
  readonly lease?: LeaseId | undefined;
  /** Keeps the present value; the key must exist. @default false */
  readonly ignoreValue?: boolean | undefined;
  /** Keeps the present lease; the key must exist. @default false */
  readonly ignoreLease?: boolean | undefined;
  /** Answers with the entry as it was. @default false */
  readonly previous?: boolean | undefined;
}

export interface DeleteRequest extends KeyRange {
  /** Answers with the entries as they were. @default false */
  readonly previous?: boolean | undefined;
}

/** Holds when each key of the range compares so; a key that is not there has 0 for all numbers, and no value equals or exceeds its. */
export type Comparison = KeyRange & {
  readonly relation: 'equal' | 'notEqual' | 'greater' | 'less';
} & (
    | { readonly target: 'version' | 'createRevision' | 'modRevision'; readonly operand: number }
    | { readonly target: 'value'; readonly operand: Uint8Array }
    | { readonly target: 'lease'; readonly operand: LeaseId }
  );

export type Operation =
  | ({ readonly type: 'range' } & RangeRequest)
  | ({ readonly type: 'put' } & PutRequest)
  | ({ readonly type: 'delete' } & DeleteRequest)
  | ({ readonly type: 'txn' } & TxnRequest);

/** All of `success` when every comparison holds, else all of `failure`; at one revision, or not at all. */
export interface TxnRequest {
  readonly compare?: readonly Comparison[] | undefined;
  readonly success?: readonly Operation[] | undefined;
  readonly failure?: readonly Operation[] | undefined;
}

/** Every answer says at which revision the store was when it was made. */
export interface Answer {
  readonly revision: Revision;
}

export interface RangeResponse extends Answer {
  readonly entries: readonly KeyValue[];
  /** Whether the limit left entries out. */
  readonly more: boolean;
  /** Entries in the range, the limit and the filters by revision aside. */
  readonly count: number;
}

export interface PutResponse extends Answer {
  readonly previous?: KeyValue | undefined;
}

export interface DeleteResponse extends Answer {
  readonly deleted: number;
  /** Empty unless asked for. */
  readonly previous: readonly KeyValue[];
}

export type OperationResponse =
  | ({ readonly type: 'range' } & RangeResponse)
  | ({ readonly type: 'put' } & PutResponse)
  | ({ readonly type: 'delete' } & DeleteResponse)
  | ({ readonly type: 'txn' } & TxnResponse);

export interface TxnResponse extends Answer {
  /** Whether every comparison held. */
  readonly succeeded: boolean;
  /** One for each operation of the branch that was taken, in its order. */
  readonly responses: readonly OperationResponse[];
}

/** Bounds on waiting. Whichever comes first frees the waiter, once; the error's `started` says whether a write may have happened. */
export interface ProposalOptions {
  readonly signal?: AbortSignal | undefined;
  /** For the engine to take it, in milliseconds. @default 30000 */
  readonly proposeTimeoutMs?: number | undefined;
  /** For the engine to answer after it took it, in milliseconds. @default 30000 */
  readonly applyTimeoutMs?: number | undefined;
}

export interface WatchEvent {
  readonly type: 'put' | 'delete';
  /** Of a deletion: the key and, as `modRevision`, the revision that deleted it; the rest is 0 and empty. */
  readonly entry: KeyValue;
  /** The entry before, when asked for and when it was there and is not compacted. */
  readonly previous?: KeyValue | undefined;
}

export interface WatchRequest extends KeyRange {
  /** First revision whose changes are wanted; one that is still to come is waited for. @default undefined: from now on */
  readonly startRevision?: Revision | undefined;
  /** @default false */
  readonly previous?: boolean | undefined;
  /** Kinds of events that are left out. @default none */
  readonly without?: readonly WatchEvent['type'][] | undefined;
  /** Tells the revision from time to time (every 10 minutes) while nothing happens. @default false */
  readonly progressNotify?: boolean | undefined;
}

/** Why a watch ended. `compacted`: changes from the start revision on are gone below `floor`. */
export type WatchEnd =
  | { readonly reason: 'cancelled' }
  | { readonly reason: 'compacted'; readonly floor: Revision }
  | { readonly reason: 'failed'; readonly error: HoldfastError };

/** What a watch tells its owner. Nothing is called before `ready` (except `ended`) or after `ended`. */
export interface WatchSink {
  /** The store is at `revision`. Every change from `startRevision`, or without one after `revision`, will be told. Once, first. */
  ready(revision: Revision): void;
  /**
   * All changes of one or more whole revisions within the range, in order; never some of one revision, never one twice.
   * `revision` is that of the last. Other watches may be given the same events: do not change them.
   * `wait`: no more until `resume()`; what comes meanwhile is read again from history.
   */
  events(events: readonly WatchEvent[], revision: Revision): 'more' | 'wait';
  /** All changes up to `revision` were told: a bookmark. */
  progress(revision: Revision): void;
  /** Once, last. */
  ended(end: WatchEnd): void;
}

export interface WatchHandle {
  /** `ended({ reason: 'cancelled' })` follows, unless the watch has ended. Twice is as once. */
  cancel(): void;
  /** After `events` answered `wait`. */
  resume(): void;
  /** `progress` follows as soon as it is true of the newest revision. */
  requestProgress(): void;
}

export interface LeaseGrant extends Answer {
  readonly id: LeaseId;
  /** Whole seconds; the engine may grant more than was asked for. */
  readonly ttlSeconds: number;
}

export interface LeaseStatus extends Answer {
  readonly id: LeaseId;
  /** Seconds, rounded down. */
  readonly remainingSeconds: number;
  readonly grantedSeconds: number;
  /** Empty unless asked for. */
  readonly keys: readonly Uint8Array[];
}

export interface Leases {
  /**
   * @throws HoldfastError `lease_exists`; `invalid_argument` for a time that is not within 1 to 9 000 000 000 seconds.
   */
  grant(
    request: { readonly ttlSeconds: number; readonly id?: LeaseId | undefined },
    options?: ProposalOptions,
  ): Promise<LeaseGrant>;
  /** Its time starts over. @throws HoldfastError `lease_not_found` when it is gone, or going. */
  keepAlive(id: LeaseId, options?: ProposalOptions): Promise<LeaseGrant>;
  /** @throws HoldfastError `lease_not_found` */
  timeToLive(
    id: LeaseId,
    request?: { readonly keys?: boolean | undefined },
    options?: ProposalOptions,
  ): Promise<LeaseStatus>;
  /** The lease and its keys go, at one revision. @throws HoldfastError `lease_not_found` */
  revoke(id: LeaseId, options?: ProposalOptions): Promise<Answer>;
  list(options?: ProposalOptions): Promise<Answer & { readonly ids: readonly LeaseId[] }>;
}

export interface StoreStatus extends Answer {
  readonly engine: 'memory' | 'file' | 'etcd';
  /** Changes below it are gone; −1 before the first compaction. */
  readonly compactRevision: Revision;
  /** Bytes that the engine takes where it stores. */
  readonly sizeBytes: number;
}

/**
 * A watchable key-value store. Bytes that are given must not change before the answer comes; bytes that are answered belong
 * to whoever asked.
 *
 * Errors are HoldfastErrors: `compacted` and `future_revision` (with the revisions), `key_not_found`, `lease_not_found`,
 * `duplicate_key`, `too_many_operations`, `value_too_large`, `invalid_argument`; `timed_out`, `cancelled` and `store_failed` with
 * `started` (whether a write may have happened); `stopped` after `close`.
 */
export interface Store extends AsyncDisposable {
  range(request: RangeRequest, options?: ProposalOptions): Promise<RangeResponse>;
  put(request: PutRequest, options?: ProposalOptions): Promise<PutResponse>;
  delete(request: DeleteRequest, options?: ProposalOptions): Promise<DeleteResponse>;
  txn(request: TxnRequest, options?: ProposalOptions): Promise<TxnResponse>;
  /** Bad requests are thrown; what fails later comes as `ended`, also when nobody took it within `proposeTimeoutMs`. */
  watch(request: WatchRequest, sink: WatchSink): WatchHandle;
  readonly leases: Leases;
  /** Forgets what was overwritten or deleted before `revision`; what holds at `revision` stays. @throws `compacted`, `future_revision` */
  compact(revision: Revision, options?: ProposalOptions): Promise<Answer>;
  /**
   * Gives back to the disk what compaction freed, which an engine otherwise keeps for what is written next. Resolves when that is
   * done; both times are for each of its steps, between which other requests go on. On etcd it is the one member that answers.
   */
  defragment(options?: ProposalOptions): Promise<Answer>;
  status(options?: ProposalOptions): Promise<StoreStatus>;
  /** Ends watches and frees waiters with `stopped`; what was acknowledged is kept by durable engines. Twice is as once. */
  close(): Promise<void>;
}
