// etcd's messages as TypeScript sees them; fields have etcd's names.
// Invariant: types, and the conversions between etcd's whole numbers and ours; which bytes they make is the .proto files' business.
import type { KeyRange, KeyValue, LeaseId } from '../contract.ts';
import { keyText, noBytes } from '../bytes.ts';

/** 64 bits as they come from the wire. */
export interface Int64 {
  readonly low: number;
  readonly high: number;
  readonly unsigned: boolean;
  toNumber(): number;
  toString(): string;
}

export interface RangeRequest {
  readonly key: Uint8Array;
  readonly range_end: Uint8Array;
  readonly limit: Int64;
  readonly revision: Int64;
  readonly sort_order: number;
  readonly sort_target: number;
  readonly serializable: boolean;
  readonly keys_only: boolean;
  readonly count_only: boolean;
  readonly min_mod_revision: Int64;
  readonly max_mod_revision: Int64;
  readonly min_create_revision: Int64;
  readonly max_create_revision: Int64;
}

export interface PutRequest {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly lease: Int64;
  readonly prev_kv: boolean;
  readonly ignore_value: boolean;
  readonly ignore_lease: boolean;
}

export interface DeleteRangeRequest {
  readonly key: Uint8Array;
  readonly range_end: Uint8Array;
  readonly prev_kv: boolean;
}

export interface Compare {
  readonly result: number;
  readonly target: number;
  readonly key: Uint8Array;
  readonly version: Int64;
  readonly create_revision: Int64;
  readonly mod_revision: Int64;
  readonly value: Uint8Array;
  readonly lease: Int64;
  readonly range_end: Uint8Array;
}

export interface RequestOp {
  readonly request_range: RangeRequest | null;
  readonly request_put: PutRequest | null;
  readonly request_delete_range: DeleteRangeRequest | null;
  readonly request_txn: TxnRequest | null;
}

export interface TxnRequest {
  readonly compare: readonly Compare[];
  readonly success: readonly RequestOp[];
  readonly failure: readonly RequestOp[];
}

export interface CompactionRequest {
  readonly revision: Int64;
}

export interface WatchCreateRequest {
  readonly key: Uint8Array;
  readonly range_end: Uint8Array;
  readonly start_revision: Int64;
  readonly progress_notify: boolean;
  readonly filters: readonly number[];
  readonly prev_kv: boolean;
  readonly watch_id: Int64;
  readonly fragment: boolean;
}

export interface WatchRequest {
  readonly create_request: WatchCreateRequest | null;
  readonly cancel_request: { readonly watch_id: Int64 } | null;
  readonly progress_request: object | null;
}

/** What we send of it: nothing that is zero or empty, as etcd's own encoder does. */
export interface WireEntry {
  key: Uint8Array;
  create_revision?: number;
  mod_revision?: number;
  version?: number;
  value?: Uint8Array;
  lease?: LeaseId;
}

export interface WireEvent {
  type?: number;
  kv: WireEntry;
  prev_kv?: WireEntry;
}

export interface WatchResponse {
  header: object;
  watch_id?: string;
  created?: boolean;
  canceled?: boolean;
  compact_revision?: number;
  cancel_reason?: string;
  fragment?: boolean;
  events?: readonly WireEvent[];
}

/** In memory of ours: what is absent reads as a shared empty list. */
export function bytesOf(bytes: Uint8Array): Uint8Array {
  return bytes.length === 0 ? noBytes : bytes;
}

/** etcd says "to the end" with one zero byte, and "one key" with nothing. */
export function rangeOf({ key, range_end }: { key: Uint8Array; range_end: Uint8Array }): KeyRange {
  if (range_end.length === 0) return { key };
  return { key, end: range_end.length === 1 && range_end[0] === 0 ? noBytes : range_end };
}

/** Whether no key can lie in it. */
export function isEmptyRange({ key, end }: KeyRange): boolean {
  return end !== undefined && end.length > 0 && keyText(key) >= keyText(end);
}

/** 0 is none. */
export function leaseOf(lease: Int64): LeaseId | undefined {
  return lease.low === 0 && lease.high === 0 ? undefined : lease.toString();
}

/** Beyond what a double can tell apart it is the largest that it can: no store comes that far. */
export function numberOf(int64: Int64): number {
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, int64.toNumber()));
}

/** 0, and what is below, is none. */
export function revisionOf(revision: Int64): number | undefined {
  const number = numberOf(revision);
  return number > 0 ? number : undefined;
}

export function wireEntry({ key, value, createRevision, modRevision, version, lease }: KeyValue): WireEntry {
  const entry: WireEntry = { key };
  if (createRevision !== 0) entry.create_revision = createRevision;
  if (modRevision !== 0) entry.mod_revision = modRevision;
  if (version !== 0) entry.version = version;
  if (value.length > 0) entry.value = value;
  if (lease !== undefined) entry.lease = lease;
  return entry;
}
