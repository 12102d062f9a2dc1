// etcd's KV service over a store: reads, writes, transactions, compaction.
// Invariant: a request that etcd refuses is refused with the same words, and before the store sees it.
import type {
  Comparison,
  DeleteRequest as StoreDelete,
  Operation,
  OperationResponse,
  PutRequest as StorePut,
  RangeRequest as StoreRange,
  Store,
  TxnRequest as StoreTxn,
} from '../contract.ts';
import type { Method } from './call.ts';
import { statusError } from './errors.ts';
import type { Headers } from './header.ts';
import {
  bytesOf,
  leaseOf,
  numberOf,
  rangeOf,
  revisionOf,
  wireEntry,
  type CompactionRequest,
  type Compare,
  type DeleteRangeRequest,
  type Int64,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  type TxnRequest,
} from './messages.ts';
import { unary } from './unary.ts';

const SORT_TARGETS = ['key', 'version', 'createRevision', 'modRevision', 'value'] as const;
const DESCENDING = 2;
const RELATIONS = ['equal', 'greater', 'less', 'notEqual'] as const;

export function kvMethods(store: Store, headers: Headers): [path: string, method: Method][] {
  return [
    unary('KV/Range', async (request: RangeRequest) => {
      const answer = await store.range(readRange(request));
      return { header: headers.at(answer.revision), ...rangeBody(answer) };
    }),
    unary('KV/Put', async (request: PutRequest) => {
      const answer = await store.put(readPut(request));
      const header = headers.at(answer.revision);
      return answer.previous === undefined ? { header } : { header, prev_kv: wireEntry(answer.previous) };
    }),
    unary('KV/DeleteRange', async (request: DeleteRangeRequest) => {
      const answer = await store.delete(readDelete(request));
      return {
        header: headers.at(answer.revision),
        deleted: answer.deleted,
        prev_kvs: answer.previous.map(wireEntry),
      };
    }),
    unary('KV/Txn', async (request: TxnRequest) => {
      const answer = await store.txn(readTxn(request));
      return {
        header: headers.at(answer.revision),
        succeeded: answer.succeeded,
        responses: answer.responses.map(responseOp),
      };
    }),
    unary('KV/Compact', async (request: CompactionRequest) => ({
      header: headers.at((await store.compact(numberOf(request.revision))).revision),
    })),
  ];
}

function readRange(request: RangeRequest): StoreRange {
  if (request.key.length === 0) throw statusError('emptyKey');
  const range: Writable<StoreRange> = rangeOf(request);
  const by = SORT_TARGETS[request.sort_target];
  if (by === undefined || request.sort_order > DESCENDING || request.sort_order < 0)
    throw statusError('invalidSort');
  if (request.sort_order !== 0 || by !== 'key') {
    range.sort = { by, descending: request.sort_order === DESCENDING };
  }
  range.revision = revisionOf(request.revision);
  range.limit = revisionOf(request.limit);
  if (request.keys_only) range.keysOnly = true;
  if (request.count_only) range.countOnly = true;
  if (request.serializable) range.serializable = true;
  range.minModRevision = boundOf(request.min_mod_revision);
  range.maxModRevision = boundOf(request.max_mod_revision);
  range.minCreateRevision = boundOf(request.min_create_revision);
  range.maxCreateRevision = boundOf(request.max_create_revision);
  return range;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Unlike a revision, a bound may be negative: then nothing is within it. */
function boundOf(bound: Int64): number | undefined {
  const number = numberOf(bound);
  return number === 0 ? undefined : number;
}

function readPut(request: PutRequest): StorePut {
  if (request.key.length === 0) throw statusError('emptyKey');
  if (request.ignore_value && request.value.length > 0) throw statusError('valueProvided');
  const lease = leaseOf(request.lease);
  if (request.ignore_lease && lease !== undefined) throw statusError('leaseProvided');
  return {
    key: request.key,
    value: bytesOf(request.value),
    lease,
    ignoreValue: request.ignore_value,
    ignoreLease: request.ignore_lease,
    previous: request.prev_kv,
  };
}

function readDelete(request: DeleteRangeRequest): StoreDelete {
  if (request.key.length === 0) throw statusError('emptyKey');
  return { ...rangeOf(request), previous: request.prev_kv };
}

function readTxn({ compare, success, failure }: TxnRequest): StoreTxn {
  return {
    compare: compare.map(readCompare),
    success: success.map(readOperation),
    failure: failure.map(readOperation),
  };
}

function readOperation(operation: RequestOp): Operation {
  const { request_range, request_put, request_delete_range, request_txn } = operation;
  if (request_range !== null) return { type: 'range', ...readRange(request_range) };
  if (request_put !== null) return { type: 'put', ...readPut(request_put) };
  if (request_delete_range !== null) return { type: 'delete', ...readDelete(request_delete_range) };
  if (request_txn !== null) return { type: 'txn', ...readTxn(request_txn) };
  // That is what etcd says of an operation that is none.
  throw statusError('keyNotFound');
}

function readCompare(compare: Compare): Comparison {
  if (compare.key.length === 0) throw statusError('emptyKey');
  const relation = RELATIONS[compare.result] ?? 'equal';
  const range = rangeOf({ key: compare.key, range_end: compare.range_end });
  switch (compare.target) {
    case 1:
      return { ...range, relation, target: 'createRevision', operand: numberOf(compare.create_revision) };
    case 2:
      return { ...range, relation, target: 'modRevision', operand: numberOf(compare.mod_revision) };
    case 3:
      return { ...range, relation, target: 'value', operand: bytesOf(compare.value) };
    case 4:
      return { ...range, relation, target: 'lease', operand: compare.lease.toString() };
    default:
      return { ...range, relation, target: 'version', operand: numberOf(compare.version) };
  }
}

function rangeBody({
  entries,
  more,
  count,
}: {
  entries: readonly Parameters<typeof wireEntry>[0][];
  more: boolean;
  count: number;
}): object {
  return { kvs: entries.map(wireEntry), more, count };
}

/** Within a transaction only the revision is told again, and of nested ones not even that. */
function responseOp(response: OperationResponse): object {
  const header = { revision: response.revision };
  switch (response.type) {
    case 'range':
      return { response_range: { header, ...rangeBody(response) } };
    case 'put': {
      const { previous } = response;
      return { response_put: previous === undefined ? { header } : { header, prev_kv: wireEntry(previous) } };
    }
    case 'delete':
      return {
        response_delete_range: {
          header,
          deleted: response.deleted,
          prev_kvs: response.previous.map(wireEntry),
        },
      };
    case 'txn':
      return {
        response_txn: {
          header: {},
          succeeded: response.succeeded,
          responses: response.responses.map(responseOp),
        },
      };
  }
}
