// The store's requests and responses as etcd's messages, and back.
// Invariant: pure functions; ids of 64 bits stay decimal text, and bytes that are handed out belong to the receiver.
import type {
  Comparison,
  DeleteRequest,
  DeleteResponse,
  KeyRange,
  KeyValue,
  Operation,
  OperationResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
  WatchEvent,
  WatchRequest,
} from '../contract.ts';

/** 64 bits, as they were read from the wire. */
export interface Int64 {
  toNumber(): number;
  toString(): string;
}

export interface HeaderMessage {
  readonly header: { readonly revision: Int64 } | null;
}

interface KeyValueMessage {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly create_revision: Int64;
  readonly mod_revision: Int64;
  readonly version: Int64;
  readonly lease: Int64;
}

export interface RangeMessage extends HeaderMessage {
  readonly kvs: readonly KeyValueMessage[];
  readonly more: boolean;
  readonly count: Int64;
}

export interface PutMessage extends HeaderMessage {
  readonly prev_kv: KeyValueMessage | null;
}

export interface DeleteMessage extends HeaderMessage {
  readonly deleted: Int64;
  readonly prev_kvs: readonly KeyValueMessage[];
}

interface OperationMessage {
  readonly response_range: RangeMessage | null;
  readonly response_put: PutMessage | null;
  readonly response_delete_range: DeleteMessage | null;
  readonly response_txn: TxnMessage | null;
}

export interface TxnMessage extends HeaderMessage {
  readonly succeeded: boolean;
  readonly responses: readonly OperationMessage[];
}

export interface EventMessage {
  /** 0 put, 1 delete. */
  readonly type: number;
  readonly kv: KeyValueMessage;
  readonly prev_kv: KeyValueMessage | null;
}

export interface WatchMessage extends HeaderMessage {
  readonly watch_id: Int64;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compact_revision: Int64;
  readonly cancel_reason: string;
  readonly fragment: boolean;
  readonly events: readonly EventMessage[];
}

// Enumerations are numbers on the wire; their meaning is in etcd's rpc.proto.

/** The end of "all keys from here on", as etcd writes it. */
const beyondAll = Uint8Array.of(0);

function rangeOf({ key, end }: KeyRange): { key: Uint8Array; range_end?: Uint8Array } {
  // etcd has no empty key: its first possible key is one zero byte.
  const first = key.length === 0 && end !== undefined ? beyondAll : key;
  if (end === undefined) return { key: first };
  return { key: first, range_end: end.length === 0 ? beyondAll : end };
}

const sortTargets = {
  key: 0,
  version: 1,
  createRevision: 2,
  modRevision: 3,
  value: 4,
} as const;

export function rangeRequest(request: RangeRequest): object {
  const { sort } = request;
  return {
    ...rangeOf(request),
    limit: request.limit,
    revision: request.revision,
    ...(sort !== undefined && {
      sort_target: sortTargets[sort.by],
      sort_order: sort.descending === true ? 2 : 1,
    }),
    serializable: request.serializable,
    keys_only: request.keysOnly,
    count_only: request.countOnly,
    min_mod_revision: request.minModRevision,
    max_mod_revision: request.maxModRevision,
    min_create_revision: request.minCreateRevision,
    max_create_revision: request.maxCreateRevision,
  };
}

export function putRequest(request: PutRequest): object {
  return {
    key: request.key,
    value: request.value,
    lease: request.lease,
    prev_kv: request.previous,
    ignore_value: request.ignoreValue,
    ignore_lease: request.ignoreLease,
  };
}

export function deleteRequest(request: DeleteRequest): object {
  return { ...rangeOf(request), prev_kv: request.previous };
}

const relations = { equal: 0, greater: 1, less: 2, notEqual: 3 } as const;

const compareTargets = {
  version: { number: 0, field: 'version' },
  createRevision: { number: 1, field: 'create_revision' },
  modRevision: { number: 2, field: 'mod_revision' },
  value: { number: 3, field: 'value' },
  lease: { number: 4, field: 'lease' },
} as const;

function comparison(one: Comparison): object {
  const { number, field } = compareTargets[one.target];
  return { ...rangeOf(one), result: relations[one.relation], target: number, [field]: one.operand };
}

function operation(one: Operation): object {
  switch (one.type) {
    case 'range':
      return { request_range: rangeRequest(one) };
    case 'put':
      return { request_put: putRequest(one) };
    case 'delete':
      return { request_delete_range: deleteRequest(one) };
    case 'txn':
      return { request_txn: txnRequest(one) };
  }
}

export function txnRequest(request: TxnRequest): object {
  return {
    compare: request.compare?.map(comparison),
    success: request.success?.map(operation),
    failure: request.failure?.map(operation),
  };
}

export function watchCreateRequest(
  request: WatchRequest,
  watchId: number,
  startRevision: number | undefined,
): object {
  return {
    create_request: {
      ...rangeOf(request),
      start_revision: startRevision,
      progress_notify: request.progressNotify,
      filters: request.without?.map((type) => (type === 'put' ? 0 : 1)),
      prev_kv: request.previous,
      watch_id: watchId,
      // Answers that exceed the server's limit of one message come in parts.
      fragment: true,
    },
  };
}

export function revisionOf({ header }: HeaderMessage): number {
  return header?.revision.toNumber() ?? 0;
}

export function keyValue(message: KeyValueMessage): KeyValue {
  const lease = message.lease.toString();
  return {
    // What was decoded is a view of the whole answer, which would live as long as its smallest key.
    key: new Uint8Array(message.key),
    value: new Uint8Array(message.value),
    createRevision: message.create_revision.toNumber(),
    modRevision: message.mod_revision.toNumber(),
    version: message.version.toNumber(),
    ...(lease !== '0' && { lease }),
  };
}

export function rangeResponse(message: RangeMessage, revision = revisionOf(message)): RangeResponse {
  return {
    revision,
    entries: message.kvs.map(keyValue),
    more: message.more,
    count: message.count.toNumber(),
  };
}

export function putResponse(message: PutMessage, revision = revisionOf(message)): PutResponse {
  return { revision, ...(message.prev_kv !== null && { previous: keyValue(message.prev_kv) }) };
}

export function deleteResponse(message: DeleteMessage, revision = revisionOf(message)): DeleteResponse {
  return { revision, deleted: message.deleted.toNumber(), previous: message.prev_kvs.map(keyValue) };
}

function operationResponse(message: OperationMessage, revision: number): OperationResponse {
  if (message.response_range !== null)
    return { type: 'range', ...rangeResponse(message.response_range, revision) };
  if (message.response_put !== null) return { type: 'put', ...putResponse(message.response_put, revision) };
  if (message.response_delete_range !== null)
    return { type: 'delete', ...deleteResponse(message.response_delete_range, revision) };
  if (message.response_txn !== null) return { type: 'txn', ...txnResponse(message.response_txn, revision) };
  throw new Error('etcd answered an operation of a transaction with nothing known');
}

/** The parts of a transaction are at the revision of the whole; etcd's own headers of the parts vary with the version. */
export function txnResponse(message: TxnMessage, revision = revisionOf(message)): TxnResponse {
  return {
    revision,
    succeeded: message.succeeded,
    responses: message.responses.map((one) => operationResponse(one, revision)),
  };
}

export function watchEvent(message: EventMessage): WatchEvent {
  return {
    type: message.type === 0 ? 'put' : 'delete',
    entry: keyValue(message.kv),
    ...(message.prev_kv !== null && { previous: keyValue(message.prev_kv) }),
  };
}
