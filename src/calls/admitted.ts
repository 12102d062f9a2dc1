// A CALL as a client sent it: checked, and made the hub's record of one attempt.
// Invariant: what is returned obeys the protocol and the limits; anything else is a ProtocolViolation.
import { ProtocolViolation } from '../protocol/errors.ts';
import { CALL_PREFIX_BYTES, CloseCode, Flag } from '../protocol/frames.ts';
import { limits } from '../protocol/limits.ts';
import { readU16, readU32 } from '../protocol/read.ts';
import { readRoute } from '../protocol/route.ts';
import { NO_FRAMES, type Asking, type Routed } from './roster.ts';

/** @throws ProtocolViolation */
export function readCall(
  client: Asking,
  flags: number,
  presumed: number,
  attempt: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  now: number,
): Routed {
  if (end - start < CALL_PREFIX_BYTES) {
    throw new ProtocolViolation(
      CloseCode.MALFORMED,
      `CALL has ${end - start} bytes, fewer than ${CALL_PREFIX_BYTES}`,
    );
  }
  const fn = readU16(bytes, start);
  const routeBytes = readU16(bytes, start + 2);
  const offer = client.definitions[fn];
  if (offer === undefined) {
    throw new ProtocolViolation(
      CloseCode.OUT_OF_ORDER,
      `CALL of function ${fn}, of which there was no DEFINE`,
    );
  }
  if (client.calls.has(attempt))
    throw new ProtocolViolation(CloseCode.OUT_OF_ORDER, `CALL ${attempt} came twice`);
  if (client.calls.size >= limits.maxCallsPerClient + limits.maxUnacknowledged) {
    throw new ProtocolViolation(
      CloseCode.LIMIT_EXCEEDED,
      `more than ${limits.maxCallsPerClient} calls at once`,
    );
  }
  const routeAt = start + CALL_PREFIX_BYTES;
  return {
    client,
    attempt,
    offer,
    flags: flags & ~Flag.DURABLE,
    target: routeBytes === 0 ? undefined : readRoute(bytes, routeAt, routeAt + routeBytes, end),
    deadlineAt: now + readU32(bytes, start + 4),
    since: now,
    presumed,
    node: undefined,
    place: -1,
    state: 'parked',
    frames: NO_FRAMES,
    first: bytes,
    firstStart: start,
    firstEnd: end,
    uploading: (flags & Flag.MORE) !== 0,
    upBytes: end - start,
    downBytes: 0,
    passing: 'yes',
    awaits: 0,
    result: 'none',
    idempotent: (flags & Flag.IDEMPOTENT) !== 0,
    whereabouts: 'sure',
    durable:
      (flags & Flag.DURABLE) === 0
        ? undefined
        : { frames: NO_FRAMES, node: undefined, write: undefined, past: 'unstarted' },
  };
}
