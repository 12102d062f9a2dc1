// Frames of HTTP/2 (RFC 9113, section 6) as bytes.
// Invariant: a frame that is longer than was offered is refused before it is buffered.

export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const Flag = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 0x20 } as const;

export const ErrorCode = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  ENHANCE_YOUR_CALM: 11,
} as const;

export const Setting = {
  HEADER_TABLE_SIZE: 1,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
export const HEADER_BYTES = 9;
/** The default of the protocol: neither side asks for more. */
export const MAX_FRAME_BYTES = 16_384;
export const DEFAULT_WINDOW_BYTES = 65_535;
export const MAX_WINDOW_BYTES = 2 ** 31 - 1;

/** What a peer did that ends the connection. */
export class ConnectionError extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** Writes the header of a frame at `at`; returns where its payload begins. */
export function writeHeader(
  into: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): number {
  into[at] = length >>> 16;
  into[at + 1] = length >>> 8;
  into[at + 2] = length;
  into[at + 3] = type;
  into[at + 4] = flags;
  into.writeUInt32BE(streamId, at + 5);
  return at + HEADER_BYTES;
}

export function frame(type: number, flags: number, streamId: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  bytes.set(payload, writeHeader(bytes, 0, payload.length, type, flags, streamId));
  return bytes;
}

/** A frame whose payload is 32-bit numbers. */
export function numbersFrame(type: number, streamId: number, ...numbers: number[]): Buffer {
  const payload = Buffer.allocUnsafe(numbers.length * 4);
  numbers.forEach((number, index) => payload.writeUInt32BE(number >>> 0, index * 4));
  return frame(type, 0, streamId, payload);
}

export function settingsFrame(settings: readonly (readonly [setting: number, value: number])[]): Buffer {
  const payload = Buffer.allocUnsafe(settings.length * 6);
  settings.forEach(([setting, value], index) => {
    payload.writeUInt16BE(setting, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  });
  return frame(FrameType.SETTINGS, 0, 0, payload);
}

/** The payload without its padding, and without the priority that HEADERS may carry. */
export function unpadded(payload: Buffer, flags: number, extraBytes: number): Buffer {
  const padded = (flags & Flag.PADDED) !== 0;
  const from = (padded ? 1 : 0) + extraBytes;
  const to = payload.length - (padded ? (payload[0] ?? 0) : 0);
  if (from > to) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'a frame is all padding');
  return payload.subarray(from, to);
}

/** Cuts what comes in into frames. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);
  #phase: 'preface' | 'frames' = 'preface';

  /** The payload is valid during the call only. @throws ConnectionError */
  read(chunk: Buffer, take: (type: number, flags: number, streamId: number, payload: Buffer) => void): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    if (this.#phase === 'preface') {
      const length = Math.min(bytes.length, PREFACE.length);
      if (PREFACE.compare(bytes, 0, length, 0, length) !== 0) {
        throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'this port speaks HTTP/2 (gRPC) only');
      }
      if (bytes.length >= PREFACE.length) {
        this.#phase = 'frames';
        at = PREFACE.length;
      }
    }
    while (this.#phase === 'frames' && bytes.length - at >= HEADER_BYTES) {
      const length = bytes.readUIntBE(at, 3);
      if (length > MAX_FRAME_BYTES) {
        throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, `a frame of ${length} bytes was not offered`);
      }
      const from = at + HEADER_BYTES;
      if (bytes.length - from < length) break;
      const streamId = bytes.readUInt32BE(at + 5) & 0x7fffffff;
      take(bytes[at + 3] ?? 0, bytes[at + 4] ?? 0, streamId, bytes.subarray(from, from + length));
      at = from + length;
    }
    this.#rest = bytes.subarray(at);
  }
}
