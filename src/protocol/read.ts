// From one WebSocket message to its frames.
// Invariant: any bytes give whole frames, in order, or a ProtocolViolation; nothing is copied.
import { CloseCode, HEADER_BYTES, maxPayloadBytes } from './frames.ts';
import { ProtocolViolation } from './errors.ts';
import { limits } from './limits.ts';

export interface FrameHandler {
  /** The payload is `bytes[start]` up to `bytes[end]`, without `end`. */
  frame(
    type: number,
    flags: number,
    peer: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void;
}

/**
 * Calls the handler for each frame of the message, in order. Frames before a faulty one have been handed over by then.
 * Types that do not exist are handed over too: the role answers them.
 * @throws ProtocolViolation for an empty message, a truncated header or payload, and a payload longer than its type allows.
 */
export function readFrames(message: Uint8Array, handler: FrameHandler): void {
  const size = message.length;
  if (size === 0) throw new ProtocolViolation(CloseCode.MALFORMED, 'a message without a frame');
  if (size > limits.maxMessageBytes) {
    throw new ProtocolViolation(
      CloseCode.TOO_BIG,
      `a message of ${size} bytes; at most ${limits.maxMessageBytes} are allowed`,
    );
  }
  let at = 0;
  while (at < size) {
    const start = at + HEADER_BYTES;
    if (start > size) throw truncatedHeader(size - at);
    const type = message[at] as number;
    const length = readU32(message, at + 8);
    if (length > maxPayloadBytes(type)) throw tooLong(type, length);
    const end = start + length;
    if (end > size) throw truncatedPayload(type, length, size - start);
    handler.frame(
      type,
      message[at + 1] as number,
      (message[at + 2] as number) | ((message[at + 3] as number) << 8),
      readU32(message, at + 4),
      message,
      start,
      end,
    );
    at = end;
  }
}

/** Little-endian; the caller knows that the bytes are there. */
export function readU16(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
}

/** Little-endian; the caller knows that the bytes are there. */
export function readU32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}

/** A copy in memory of its own. (`slice` of Node's Buffer would be a view.) */
export function copyBytes(bytes: Uint8Array, start: number, end: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(end - start);
  copy.set(bytes.subarray(start, end));
  return copy;
}

export function hex(type: number): string {
  return `0x${type.toString(16).padStart(2, '0')}`;
}

function truncatedHeader(left: number): ProtocolViolation {
  return new ProtocolViolation(
    CloseCode.MALFORMED,
    `a frame header of ${left} bytes instead of ${HEADER_BYTES}`,
  );
}

function truncatedPayload(type: number, length: number, left: number): ProtocolViolation {
  return new ProtocolViolation(
    CloseCode.MALFORMED,
    `frame ${hex(type)} announces ${length} bytes of payload and ends after ${left}`,
  );
}

function tooLong(type: number, length: number): ProtocolViolation {
  return new ProtocolViolation(
    CloseCode.LIMIT_EXCEEDED,
    `frame ${hex(type)} with ${length} bytes of payload; at most ${maxPayloadBytes(type)} are allowed`,
  );
}

/** A frame of a type that does not exist, or that this side does not take. `from` is whoever sent it. */
export function unexpectedType(type: number, from: string): ProtocolViolation {
  return new ProtocolViolation(
    CloseCode.UNEXPECTED_TYPE,
    `frame type ${hex(type)} does not come from ${from}`,
  );
}
