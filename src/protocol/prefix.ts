// What goes before a CALL's arguments, and the refusals of what is too long to be sent.
// Invariant: nothing that the other side would have to refuse is ever written.
import { HoldfastError } from './errors.ts';
import { CALL_PREFIX_BYTES, maxPayloadBytes } from './frames.ts';
import { limits } from './limits.ts';
import { hex } from './read.ts';
import { utf8Encoder } from './text.ts';

/** What goes before a CALL's arguments. */
export interface CallPrefix {
  readonly fn: number;
  /** Milliseconds left; at most 2^32 − 1 are sent. */
  readonly deadlineMs: number;
  /** JSON text, or '' for none; at most `limits.maxRouteBytes`. */
  readonly route: string;
}

const MAX_U32 = 0xffff_ffff;

/** Rounded up, so that time that is left is never sent as none. */
export function clampDeadline(deadlineMs: number): number {
  return deadlineMs >= MAX_U32 ? MAX_U32 : deadlineMs <= 0 ? 0 : Math.ceil(deadlineMs);
}

export function prefixOf(prefix: CallPrefix, route: string): Uint8Array {
  const text = utf8Encoder.encode(route);
  if (text.length > limits.maxRouteBytes) throw tooLongRoute(text.length);
  const bytes = new Uint8Array(CALL_PREFIX_BYTES + text.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, prefix.fn, true);
  view.setUint16(2, text.length, true);
  view.setUint32(4, clampDeadline(prefix.deadlineMs), true);
  bytes.set(text, CALL_PREFIX_BYTES);
  return bytes;
}

export function tooLong(type: number, bytes: number): HoldfastError {
  return new HoldfastError(
    `frame ${hex(type)} with ${bytes} bytes of payload was to be sent; at most ${maxPayloadBytes(type)} are allowed`,
    { code: 'value_too_large' },
  );
}

export function tooLongValue(bytes: number): HoldfastError {
  return new HoldfastError(
    `a value of ${bytes} bytes was to be sent; at most ${limits.maxValueBytes} are allowed`,
    {
      code: 'value_too_large',
    },
  );
}

export function tooLongRoute(bytes: number): HoldfastError {
  return new HoldfastError(
    `a route of ${bytes} bytes; at most ${limits.maxRouteBytes} are allowed: name fewer labels`,
    {
      code: 'invalid_argument',
    },
  );
}
