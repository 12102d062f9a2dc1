// Copies at the border of a store: what was given may be changed by whoever gave it, and what was answered by who asked.
// Invariant: a copy shares no bytes with its original.
import { noBytes } from './bytes.ts';
import type { Outcome } from './commands.ts';
import type { Comparison, KeyRange, KeyValue, Operation, OperationResponse } from './contract.ts';

function copy(bytes: Uint8Array): Uint8Array {
  return bytes.length === 0 ? noBytes : new Uint8Array(bytes);
}

function ownedRange<R extends KeyRange>(range: R): R {
  const { key, end } = range;
  return { ...range, key: copy(key), end: end === undefined ? undefined : copy(end) };
}

function ownedComparison(comparison: Comparison): Comparison {
  const owned = ownedRange(comparison);
  return owned.target === 'value' ? { ...owned, operand: copy(owned.operand) } : owned;
}

/** A command that waits while its caller goes on. */
export function ownedOperation<O extends Operation>(operation: O): O;
export function ownedOperation(operation: Operation): Operation {
  switch (operation.type) {
    case 'put': {
      const { key, value, lease, ignoreValue, ignoreLease, previous } = operation;
      const kept = value === undefined ? undefined : copy(value);
      return { type: 'put', key: copy(key), value: kept, lease, ignoreValue, ignoreLease, previous };
    }
    case 'txn': {
      const { compare, success, failure } = operation;
      return {
        type: 'txn',
        compare: compare?.map(ownedComparison),
        success: success?.map((inner) => ownedOperation(inner)),
        failure: failure?.map((inner) => ownedOperation(inner)),
      };
    }
    default:
      return ownedRange(operation);
  }
}

export function ownedEntry(entry: KeyValue): KeyValue {
  return { ...entry, key: copy(entry.key), value: copy(entry.value) };
}

/** An answer of a keyspace in this thread, whose entries are those that it keeps. */
export function ownedOutcome(outcome: Outcome): Outcome {
  if ('entries' in outcome) return { ...outcome, entries: outcome.entries.map(ownedEntry) };
  if ('responses' in outcome) return { ...outcome, responses: outcome.responses.map(ownedResponse) };
  if ('deleted' in outcome) return { ...outcome, previous: outcome.previous.map(ownedEntry) };
  if ('keys' in outcome) return { ...outcome, keys: outcome.keys.map(copy) };
  if ('previous' in outcome && outcome.previous !== undefined)
    return { ...outcome, previous: ownedEntry(outcome.previous) };
  return outcome;
}

function ownedResponse(response: OperationResponse): OperationResponse {
  return ownedOutcome(response) as OperationResponse;
}
