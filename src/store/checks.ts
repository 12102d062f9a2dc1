// Refuses requests that no keyspace could carry out, with etcd's rules.
// Invariant: looks at the request alone.
import { HoldfastError, type ErrorCode } from '../protocol/errors.ts';
import { limits } from '../protocol/limits.ts';
import { covers, keyText } from './bytes.ts';
import type {
  Comparison,
  DeleteRequest,
  KeyRange,
  LeaseId,
  Operation,
  PutRequest,
  RangeRequest,
  Revision,
  TxnRequest,
  WatchRequest,
} from './contract.ts';

function refuse(message: string, code: ErrorCode = 'invalid_argument'): never {
  throw new HoldfastError(message, { code, started: 'notStarted' });
}

function checkBytes(name: string, bytes: Uint8Array | undefined): void {
  if (bytes !== undefined && !(bytes instanceof Uint8Array))
    refuse(`${name} is ${typeof bytes}; give bytes (new TextEncoder().encode(text))`);
}

function checkKey({ key, end }: KeyRange): void {
  checkBytes('key', key ?? refuse('a request without a key; give one as bytes'));
  checkBytes('end', end);
  if (key.length === 0 && end === undefined) refuse('the key is empty; the first possible key is one byte 0');
}

export function checkRevision(name: string, revision: Revision | undefined): void {
  if (revision !== undefined && !Number.isSafeInteger(revision))
    refuse(`${name} is ${revision}; give a whole number`);
}

const MAX_ID = 2n ** 63n;

/** @throws HoldfastError `invalid_argument` for anything but an int64 other than 0, in its shortest form */
export function checkLeaseId(id: LeaseId): void {
  if (/^-?[1-9][0-9]{0,18}$/.test(id)) {
    const number = BigInt(id);
    if (number < MAX_ID && number >= -MAX_ID) return;
  }
  refuse(`lease id ${id}: give a whole number other than 0 that fits 64 bits, as text`);
}

export function checkTtl(ttlSeconds: number): void {
  if (!Number.isSafeInteger(ttlSeconds) || ttlSeconds < 1 || ttlSeconds > limits.maxLeaseSeconds)
    refuse(`ttlSeconds is ${ttlSeconds}; give whole seconds from 1 to ${limits.maxLeaseSeconds}`);
}

export function checkRange(request: RangeRequest): void {
  checkKey(request);
  checkRevision('revision', request.revision);
  checkRevision('limit', request.limit);
}

export function checkPut(request: PutRequest): void {
  const { value, lease, ignoreValue, ignoreLease } = request;
  checkKey({ key: request.key });
  checkBytes('value', value);
  if (lease !== undefined) checkLeaseId(lease);
  if (ignoreValue === true && value !== undefined && value.length > 0)
    refuse('a put gives a value and asks to keep the present one; leave one of them out');
  if (ignoreLease === true && lease !== undefined)
    refuse('a put gives a lease and asks to keep the present one; leave one of them out');
}

export function checkDelete(request: DeleteRequest): void {
  checkKey(request);
}

export function checkWatch(request: WatchRequest): void {
  checkKey(request);
  const { startRevision } = request;
  checkRevision('startRevision', startRevision);
  if (startRevision !== undefined && startRevision < 1)
    refuse(`startRevision is ${startRevision}; the first revision is 1`);
}

function checkComparison(comparison: Comparison): void {
  checkKey(comparison);
  const { target, operand } = comparison;
  if (target === 'value') checkBytes('operand', operand);
  else if (target === 'lease') {
    if (operand !== '0') checkLeaseId(operand);
  } else checkRevision('operand', operand);
}

/** What the operations of one branch write. */
interface Writes {
  readonly puts: ReadonlyMap<string, Uint8Array>;
  readonly deletes: readonly KeyRange[];
}

export function checkTxn(request: TxnRequest): void {
  checkTxnWithin(request, limits.maxTxnOperations);
  // Comes last: it is the dearest.
  if (mayWriteTwice(request.success)) writesOf(request.success);
  if (mayWriteTwice(request.failure)) writesOf(request.failure);
}

/** One operation by itself does not, and most transactions have no more. */
function mayWriteTwice(operations: readonly Operation[] = []): boolean {
  return operations.length > 1 || operations[0]?.type === 'txn';
}

function checkTxnWithin(request: TxnRequest, most: number): void {
  const { compare = [], success = [], failure = [] } = request;
  const operations = Math.max(compare.length, success.length, failure.length);
  if (operations > most) {
    refuse(
      `a transaction has ${operations} comparisons or operations where ${most} are left of ` +
        `${limits.maxTxnOperations}; split it`,
      'too_many_operations',
    );
  }
  for (const comparison of compare) checkComparison(comparison);
  for (const operation of success) checkOperation(operation, most - operations);
  for (const operation of failure) checkOperation(operation, most - operations);
}

function checkOperation(operation: Operation, most: number): void {
  switch (operation.type) {
    case 'range':
      return checkRange(operation);
    case 'put':
      return checkPut(operation);
    case 'delete':
      return checkDelete(operation);
    case 'txn':
      return checkTxnWithin(operation, most);
    default:
      return refuse(
        `an operation is of type ${(operation as Operation).type}; it is range, put, delete or txn`,
      );
  }
}

/**
 * No key may be written twice at one revision: neither put twice, nor put and deleted. Deletions may overlap; so may
 * the two branches of a transaction, of which only one is taken. (etcd lets a put and a deletion pass when they are in
 * two nested transactions, the deletion in the second.)
 *
 * @throws HoldfastError `duplicate_key`
 */
function writesOf(operations: readonly Operation[] = []): Writes {
  const puts = new Map<string, Uint8Array>();
  const deletes: KeyRange[] = [];
  for (const operation of operations) {
    const writes = writesOfOne(operation);
    for (const [text, key] of writes.puts) if (puts.has(text)) refuseTwice(key);
    for (const key of writes.puts.values()) if (deletes.some((range) => covers(range, key))) refuseTwice(key);
    for (const key of puts.values()) if (writes.deletes.some((range) => covers(range, key))) refuseTwice(key);
    for (const [text, key] of writes.puts) puts.set(text, key);
    deletes.push(...writes.deletes);
  }
  return { puts, deletes };
}

const nothing: Writes = { puts: new Map(), deletes: [] };

function writesOfOne(operation: Operation): Writes {
  if (operation.type === 'put')
    return { puts: new Map([[keyText(operation.key), operation.key]]), deletes: [] };
  if (operation.type === 'delete') return { puts: new Map(), deletes: [operation] };
  if (operation.type !== 'txn') return nothing;
  const success = writesOf(operation.success);
  const failure = writesOf(operation.failure);
  return {
    puts: new Map([...success.puts, ...failure.puts]),
    deletes: [...success.deletes, ...failure.deletes],
  };
}

function refuseTwice(key: Uint8Array): never {
  const text = new TextDecoder().decode(key.subarray(0, 64));
  return refuse(`a transaction writes key ${JSON.stringify(text)} twice; one change a key`, 'duplicate_key');
}

/** Bytes of keys and values. */
function sizeOf(operation: Operation): number {
  switch (operation.type) {
    case 'put':
      return operation.key.length + (operation.value?.length ?? 0);
    case 'txn':
      return sizeOfTxn(operation);
    default:
      return operation.key.length + (operation.end?.length ?? 0);
  }
}

function sizeOfTxn({ compare = [], success = [], failure = [] }: TxnRequest): number {
  let size = 0;
  for (const comparison of compare) {
    size += comparison.key.length + (comparison.end?.length ?? 0);
    if (comparison.target === 'value') size += comparison.operand.length;
  }
  for (const operation of success) size += sizeOf(operation);
  for (const operation of failure) size += sizeOf(operation);
  return size;
}

/** Answers the bytes of its keys and values. @throws HoldfastError `value_too_large` */
export function checkSize(operation: Operation): number {
  const size = sizeOf(operation);
  if (size > limits.maxRequestBytes) {
    refuse(
      `a request of ${size} bytes, where ${limits.maxRequestBytes} are allowed; split it`,
      'value_too_large',
    );
  }
  return size;
}
