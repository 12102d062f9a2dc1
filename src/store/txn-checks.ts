// Refuses transactions that no keyspace could carry out, with etcd's rules.
// Invariant: looks at the request alone.
import { limits } from '../protocol/limits.ts';
import { covers, keyText } from './bytes.ts';
import {
  checkBytes,
  checkDelete,
  checkKey,
  checkLeaseId,
  checkOneOf,
  checkPut,
  checkRange,
  checkRevision,
  refuse,
} from './checks.ts';
import type { Comparison, KeyRange, Operation, TxnRequest } from './contract.ts';

function checkComparison(comparison: Comparison): void {
  checkKey(comparison);
  const { target, relation, operand } = comparison;
  checkOneOf('relation', relation, ['equal', 'notEqual', 'greater', 'less']);
  checkOneOf('target', target, ['version', 'createRevision', 'modRevision', 'value', 'lease']);
  if (target === 'value') checkBytes('operand', operand);
  else if (target === 'lease') {
    if (operand !== '0') checkLeaseId(operand);
  } else checkRevision('operand', operand ?? NaN);
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

/** What makes no sense wherever the store is; how much it takes is left to a server that has limits of its own. */
export function checkTxnSense(request: TxnRequest): void {
  checkTxnWithin(request, Infinity);
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
      return refuse(`an operation is of no known type; it is range, put, delete or txn`);
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
