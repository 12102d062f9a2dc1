// The frames of the wire protocol: their numbers, their header, their flags. PROTOCOL.md is the reference.
// Invariant: a frame is 12 bytes of header, little-endian, and `length` bytes of payload.

import { ProtocolViolation } from './errors.ts';
import { limits } from './limits.ts';

/** `type u8 · flags u8 · peer u16 · id u32 · length u32` */
export const HEADER_BYTES = 12;

export const FrameType = {
  // Control: payload is JSON unless said otherwise. `peer` and `id` are 0 unless said otherwise.
  REGISTER: 0x01, // peer → hub
  REGISTERED: 0x02, // hub → peer
  REFUSED: 0x03, // hub → peer
  SYNC: 0x04, // hub → peer, payload: a value
  SYNCED: 0x05, // peer → hub
  UNKNOWN: 0x06, // hub → peer, id: the registration that the hub does not know
  PING: 0x07, // peer → hub, id: registration
  PONG: 0x08, // hub → peer, id: registration
  CHECK: 0x09, // peer → hub, id: registration
  CHECKED: 0x0a, // hub → peer, id: registration
  DEPARTING: 0x0b, // peer → hub
  DRAINING: 0x0c, // hub → peer
  REPLACED: 0x0d, // hub → peer
  PEER: 0x0e, // hub → peer, peer: a number; payload says whose
  DEFINE: 0x0f, // client → hub, id: function number; payload: its name in UTF-8
  // Calls: routed by header, payload opaque to the hub. `id` is the attempt's number, chosen by the client.
  CALL: 0x10, // client → hub → node
  ASSIGNED: 0x11, // hub → client, peer: the node
  CHUNK: 0x12, // continues CALL, RESULT or ITEM
  CREDIT: 0x13, // payload: u32 bytes consumed since the last CREDIT
  ITEM: 0x14, // node → hub → client
  RESULT: 0x15, // node → hub → client
  FAILURE: 0x16, // node or hub → client, payload: JSON
  CANCEL: 0x17, // client → hub → node
  ACK: 0x18, // client → hub → node, payload: u32 attempt numbers
  // Resume: what became of my calls?
  RESUME: 0x19, // client → hub
  QUERY: 0x1a, // hub → node, peer: the client; payload: (u32 attempt, u32 items received)…
  FATE: 0x1b, // node → hub → client, payload: (u32 attempt, u8 fate)…
  // Questions to the hub itself.
  ASK: 0x1c, // peer → hub, id: question
  ANSWER: 0x1d, // hub → peer, id: question
  // Which nodes may get a client's calls. Only to clients that take part, which answer it.
  ROSTER: 0x1e, // hub → client, id: the highest ordinal; client → hub, without payload
  // What the peer's machines do, while somebody looks. Only to peers that offered it, and from those that were asked.
  INSPECT: 0x1f, // hub → peer: on or off; peer → hub: messages of its stream; with STAMP, either way, id: a Lamport clock
} as const;

export type FrameType = (typeof FrameType)[keyof typeof FrameType];

export const Flag = {
  /** CHUNK frames of the same value follow. */
  MORE: 0x01,
  /** CALL: executing it twice does no harm. */
  IDEMPOTENT: 0x02,
  /** CALL: the caller takes a stream of items. RESULT: the stream ended here. */
  STREAM: 0x04,
  /** Value frames: the payload is MessagePack instead of JSON. */
  MSGPACK: 0x08,
  /** CALL to a hub: journaled before it is sent on. QUERY: the hub asks by itself, of journaled calls. */
  DURABLE: 0x10,
  /** INSPECT: the next frame was sent by this step; the payload is the id of its actor, in UTF-8. */
  STAMP: 0x20,
} as const;

/** What became of an attempt, as FATE says it. */
export const Fate = {
  /** Never seen, or known and certainly not started: safe to send again. */
  UNSTARTED: 0,
  /** The hub has it in a queue. */
  WAITING: 1,
  /** A node has it: it waits there for a slot, or runs. */
  RUNNING: 2,
  /** It ended, and its outcome follows. */
  DONE: 3,
  /** Whether it was executed cannot be known. */
  VANISHED: 4,
} as const;

export type Fate = (typeof Fate)[keyof typeof Fate];

/** Close codes. 4400–4499: do not come back as you are. 4500–4599: come back later. */
export const CloseCode = {
  NORMAL: 1000,
  /** Not a code on the wire: the link just ended. */
  LOST: 1006,
  TOO_BIG: 1009,
  /** A defect on this side: a frame that it should have handled or refused made it fail. */
  INTERNAL: 1011,
  /** A frame that cannot be read. */
  MALFORMED: 4400,
  /** Wrong or missing token. */
  UNAUTHORIZED: 4401,
  /** A frame that is not allowed now. */
  OUT_OF_ORDER: 4402,
  /** A frame of a type that does not exist, or that this side does not take. */
  UNEXPECTED_TYPE: 4403,
  /** A payload, a table or a credit window beyond its limit. */
  LIMIT_EXCEEDED: 4404,
  /** REGISTER did not come in time. */
  REGISTRATION_TIMEOUT: 4408,
  /** Another instance with the same id took over. */
  REPLACED: 4409,
  /** The subprotocol is not ours. */
  SUBPROTOCOL: 4426,
  /** The hub drains, restarts or is full; come back after a while. */
  UNAVAILABLE: 4503,
  /** Nothing was heard for `heartbeatTimeoutMs`. */
  SILENT: 4504,
  /** The peer does not read what it is sent. */
  SLOW_READER: 4505,
  /** A newer socket of the same instance took over. */
  OBSOLETE: 4506,
} as const;

/** Codes after which dialling again in the same way cannot help. A protocol error is a defect: it does not heal by itself. */
export function isTerminal(code: number): boolean {
  return code === CloseCode.UNAUTHORIZED || code === CloseCode.REPLACED || code === CloseCode.SUBPROTOCOL;
}

/** How a connection ended, for people. 1006 only says that there was no close frame: its reason says more. */
export function closeText(code: number, reason: string): string {
  if (code !== CloseCode.LOST) return `${code} ${reason}`.trim();
  return reason === '' ? 'the connection was lost (1006)' : reason;
}

/** CALL, RESULT, ITEM and CHUNK carry values and are limited to one chunk; all others are control. */
export function isValueFrame(type: number): boolean {
  return (
    type === FrameType.CALL ||
    type === FrameType.CHUNK ||
    type === FrameType.ITEM ||
    type === FrameType.RESULT
  );
}

/** Longest payload of a frame of this type, in bytes. */
export function maxPayloadBytes(type: number): number {
  return isValueFrame(type) ? limits.maxChunkBytes : limits.maxControlBytes;
}

/** Fixed start of a CALL's payload: `function u16 · routeLength u16 · deadlineMs u32`, then the route (JSON), then the arguments. */
export const CALL_PREFIX_BYTES = 8;

/**
 * Where the value part of a CALL's payload begins, behind prefix and route.
 * @throws ProtocolViolation when the payload is shorter than its prefix says.
 */
export function callValueStart(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < CALL_PREFIX_BYTES) throw truncatedCall(end - start, CALL_PREFIX_BYTES);
  const routeBytes = (bytes[start + 2] as number) | ((bytes[start + 3] as number) << 8);
  const at = start + CALL_PREFIX_BYTES + routeBytes;
  if (at > end) throw truncatedCall(end - start, CALL_PREFIX_BYTES + routeBytes);
  if (routeBytes > limits.maxRouteBytes) {
    throw new ProtocolViolation(
      CloseCode.LIMIT_EXCEEDED,
      `a route of ${routeBytes} bytes; at most ${limits.maxRouteBytes} are allowed`,
    );
  }
  return at;
}

function truncatedCall(bytes: number, wanted: number): ProtocolViolation {
  return new ProtocolViolation(
    CloseCode.MALFORMED,
    `a CALL of ${bytes} bytes; its prefix and route alone take ${wanted}`,
  );
}
