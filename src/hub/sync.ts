// What the application tells those who join, as it travels.
// Invariant: it fits into one control frame.
import { HoldfastError } from '../protocol/errors.ts';
import { limits } from '../protocol/limits.ts';
import { encodeValue, joinEncoded } from '../protocol/values.ts';

/** @throws HoldfastError `value_too_large` */
export function encodeSync(value: unknown): Uint8Array {
  const bytes = joinEncoded(encodeValue(value, 'json'));
  if (bytes.length <= limits.maxControlBytes) return bytes;
  throw new HoldfastError(`the sync has ${bytes.length} bytes; at most ${limits.maxControlBytes} are sent`, {
    code: 'value_too_large',
  });
}
