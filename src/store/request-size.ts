// How large a request is.
// Invariant: looks at the request alone.
import { limits } from '../protocol/limits.ts';
import { refuse } from './checks.ts';
import type { Operation, TxnRequest } from './contract.ts';

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
