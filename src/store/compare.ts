// Evaluates the comparisons of a transaction and of those within it.
// Invariant: all of them see the keyspace as it was before the transaction.
import { compareBytes } from './bytes.ts';
import type { Comparison, KeyValue, Operation, TxnRequest } from './contract.ts';
import type { Keyspace } from './keyspace.ts';

/** The operations that a transaction takes. */
export interface Path {
  readonly succeeded: boolean;
  readonly operations: readonly Operation[];
  /** Of the transactions among the operations, in their order. */
  readonly nested: readonly Path[];
}

export function pathOf(keyspace: Keyspace, request: TxnRequest): Path {
  const succeeded = (request.compare ?? []).every((comparison) => holds(keyspace, comparison));
  const operations = (succeeded ? request.success : request.failure) ?? [];
  const nested: Path[] = [];
  for (const operation of operations) if (operation.type === 'txn') nested.push(pathOf(keyspace, operation));
  return { succeeded, operations, nested };
}

const all = { keysOnly: false, descending: false };

function holds(keyspace: Keyspace, comparison: Comparison): boolean {
  if (comparison.end === undefined) return holdsFor(keyspace.get(comparison.key), comparison);
  let some = false;
  for (const entry of keyspace.scan(comparison, undefined, all)) {
    if (!holdsFor(entry, comparison)) return false;
    some = true;
  }
  return some || holdsFor(undefined, comparison);
}

function holdsFor(entry: KeyValue | undefined, comparison: Comparison): boolean {
  // A value that is not there differs from an empty one, and no relation to it holds.
  if (entry === undefined && comparison.target === 'value') return false;
  const difference = differenceOf(entry, comparison);
  switch (comparison.relation) {
    case 'equal':
      return difference === 0;
    case 'notEqual':
      return difference !== 0;
    case 'greater':
      return difference > 0;
    case 'less':
      return difference < 0;
  }
}

function differenceOf(entry: KeyValue | undefined, comparison: Comparison): number {
  switch (comparison.target) {
    case 'value':
      return entry === undefined ? 0 : compareBytes(entry.value, comparison.operand);
    case 'lease': {
      const lease = BigInt(entry?.lease ?? 0);
      const operand = BigInt(comparison.operand);
      return lease < operand ? -1 : lease > operand ? 1 : 0;
    }
    default:
      return (entry?.[comparison.target] ?? 0) - comparison.operand;
  }
}
