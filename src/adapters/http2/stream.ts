// One request and its answer on an HTTP/2 connection.
// Invariant: what is sent leaves in the order of the calls, never beyond the peer's window; after `closed` nothing leaves.
import {
  ErrorCode,
  Flag,
  FrameType,
  HEADER_BYTES,
  MAX_FRAME_BYTES,
  frame,
  numbersFrame,
  writeHeader,
} from './frames.ts';

/** Who answers. Nothing is called after `closed`. */
export interface StreamOwner {
  /** The bytes are valid during the call only. */
  data(bytes: Buffer): void;
  /** The peer has sent all that it will. */
  ended(): void;
  /** What waited for the peer's window or the kernel is gone. */
  drained(): void;
  /** Once, last: the answer is complete, or either side gave up, or the connection ended. */
  closed(): void;
}

/** What a stream needs of its connection. */
export interface Carrier {
  /** What the peer allows the connection as a whole. */
  windowBytes: number;
  /** Whether the kernel takes more just now. */
  readonly writable: boolean;
  push(bytes: Buffer): void;
  /** Has `pump` called as soon as the window or the kernel allows more. */
  wait(stream: Http2Stream): void;
  forget(stream: Http2Stream): void;
}

/** More than this on its way is enough. */
const WAITING_BYTES = 262_144;

const nothing = Buffer.alloc(0);

export class Http2Stream {
  readonly id: number;
  readonly #carrier: Carrier;
  owner: StreamOwner | undefined;
  windowBytes: number;
  /** Received since the last window update. */
  receivedBytes = 0;
  remote: 'open' | 'ended' = 'open';
  #local: 'idle' | 'open' | 'ending' | 'closed' = 'idle';
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #trailers: Uint8Array = nothing;
  #told: 'more' | 'wait' = 'more';

  constructor(id: number, carrier: Carrier, windowBytes: number) {
    this.id = id;
    this.#carrier = carrier;
    this.windowBytes = windowBytes;
  }

  get closed(): boolean {
    return this.#local === 'closed';
  }

  get bufferedBytes(): number {
    return this.#waitingBytes;
  }

  /** Headers, data and trailers of a whole answer, in one piece of memory when the windows allow it. */
  answer(headers: Uint8Array, data: Buffer, trailers: Uint8Array): void {
    const length = data.length;
    const carrier = this.#carrier;
    if (
      this.#local !== 'idle' ||
      length > MAX_FRAME_BYTES ||
      length > this.windowBytes ||
      length > carrier.windowBytes ||
      !carrier.writable
    ) {
      this.headers(headers);
      this.send(data);
      return this.end(trailers);
    }
    const bytes = Buffer.allocUnsafe(3 * HEADER_BYTES + headers.length + length + trailers.length);
    let at = writeHeader(bytes, 0, headers.length, FrameType.HEADERS, Flag.END_HEADERS, this.id);
    bytes.set(headers, at);
    at = writeHeader(bytes, at + headers.length, length, FrameType.DATA, 0, this.id);
    bytes.set(data, at);
    at = writeHeader(
      bytes,
      at + length,
      trailers.length,
      FrameType.HEADERS,
      Flag.END_HEADERS | Flag.END_STREAM,
      this.id,
    );
    bytes.set(trailers, at);
    this.windowBytes -= length;
    carrier.windowBytes -= length;
    carrier.push(bytes);
    this.#finish();
  }

  headers(block: Uint8Array): void {
    if (this.#local !== 'idle') return;
    this.#local = 'open';
    this.#carrier.push(frame(FrameType.HEADERS, Flag.END_HEADERS, this.id, block));
  }

  /** `wait`: much has not left yet; `drained` follows. What is sent all the same is kept. */
  send(data: Buffer): 'more' | 'wait' {
    if (this.#local !== 'open' || data.length === 0) return 'more';
    this.#waiting.push(data);
    this.#waitingBytes += data.length;
    this.pump();
    if (this.#waitingBytes > WAITING_BYTES) this.#told = 'wait';
    return this.#told;
  }

  /** The trailers follow what was sent; without headers before them they are the whole answer. */
  end(trailers: Uint8Array): void {
    if (this.#local === 'ending' || this.#local === 'closed') return;
    this.#local = 'ending';
    this.#trailers = trailers;
    this.pump();
  }

  /** Ends both directions at once. */
  reset(code: number): void {
    if (this.#local === 'closed') return;
    this.#carrier.push(numbersFrame(FrameType.RST_STREAM, this.id, code));
    this.close();
  }

  /** The stream is over, without a word to the peer. */
  close(): void {
    if (this.#local === 'closed') return;
    this.#local = 'closed';
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    this.#carrier.forget(this);
    const { owner } = this;
    this.owner = undefined;
    owner?.closed();
  }

  /** Sends as much of what waits as the windows and the kernel allow. */
  pump(): void {
    const carrier = this.#carrier;
    while (this.#waitingBytes > 0) {
      const allowed = Math.min(this.windowBytes, carrier.windowBytes, MAX_FRAME_BYTES);
      if (allowed <= 0 || !carrier.writable) return carrier.wait(this);
      this.#sendPiece(allowed);
    }
    if (this.#local === 'ending') {
      carrier.push(frame(FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, this.id, this.#trailers));
      this.#finish();
    } else if (this.#told === 'wait') {
      this.#told = 'more';
      this.owner?.drained();
    }
  }

  #sendPiece(allowed: number): void {
    const [first = nothing] = this.#waiting;
    const piece = first.length <= allowed ? first : first.subarray(0, allowed);
    if (piece === first) this.#waiting.shift();
    else this.#waiting[0] = first.subarray(allowed);
    this.#waitingBytes -= piece.length;
    this.windowBytes -= piece.length;
    this.#carrier.windowBytes -= piece.length;
    this.#carrier.push(frame(FrameType.DATA, 0, this.id, piece));
  }

  #finish(): void {
    // The peer may still be sending: it is told that nobody listens (RFC 9113, section 8.1).
    if (this.remote === 'open')
      this.#carrier.push(numbersFrame(FrameType.RST_STREAM, this.id, ErrorCode.NO_ERROR));
    this.close();
  }
}
