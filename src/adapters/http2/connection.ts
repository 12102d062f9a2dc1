// The server's side of one HTTP/2 connection (RFC 9113), as much of it as gRPC needs: no push, no priorities.
// Invariant: every stream that was opened is closed, once, at the latest with the connection; nothing that a peer sends
// is kept beyond the limits below.
//
// node:http2 takes 37 µs of CPU for a small call that does nothing, grpc-js 61, this 12 with its messages read and written
// (64 calls at a time, Node 24).
import type { Socket } from 'node:net';
import {
  ConnectionError,
  DEFAULT_WINDOW_BYTES,
  ErrorCode,
  Flag,
  FrameReader,
  FrameType,
  MAX_WINDOW_BYTES,
  Setting,
  frame,
  numbersFrame,
  settingsFrame,
  unpadded,
} from './frames.ts';
import { HpackDecoder, type Header } from './hpack.ts';
import { Http2Stream, type Carrier, type StreamOwner } from './stream.ts';

const MAX_STREAMS = 16_384;
/** What a peer may send on one stream, and on all, before it is told that it was read. */
const STREAM_WINDOW_BYTES = 1_048_576;
const CONNECTION_WINDOW_BYTES = 16_777_216;
const MAX_HEADER_BLOCK_BYTES = 65_536;
/** What the kernel does not take; beyond the first streams wait, beyond the second the peer does not read and is cut off. */
const WRITABLE_BYTES = 1_048_576;
const UNREAD_BYTES = 16_777_216;
/** Pieces below this are joined, so that a turn of the event loop costs one system call. */
const JOINED_BYTES = 131_072;

export interface Http2Handlers {
  /** Answers with who takes the request, or undefined to refuse it (the peer may try elsewhere). */
  open(stream: Http2Stream, headers: readonly Header[]): StreamOwner | undefined;
  /** Once, last. `reason`: what the peer did wrong, if it did. */
  closed(reason: string | undefined): void;
}

export class Http2Connection implements Carrier {
  readonly #socket: Socket;
  readonly #handlers: Http2Handlers;
  readonly #reader = new FrameReader();
  readonly #hpack = new HpackDecoder();
  readonly #streams = new Map<number, Http2Stream>();
  readonly #waiting = new Set<Http2Stream>();
  #out: Buffer[] = [];
  #outBytes = 0;
  #lastStreamId = 0;
  #receivedBytes = 0;
  #peerWindowBytes = DEFAULT_WINDOW_BYTES;
  #block: { streamId: number; flags: number; parts: Buffer[]; bytes: number } | undefined;
  #phase: 'open' | 'closed' = 'open';
  #reason: string | undefined;
  windowBytes = DEFAULT_WINDOW_BYTES;
  #silence: 'none' | 'silent' | 'asked' = 'none';

  constructor(socket: Socket, handlers: Http2Handlers) {
    this.#socket = socket;
    this.#handlers = handlers;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('drain', () => this.#pumpAll());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#end());
    this.push(
      settingsFrame([
        [Setting.MAX_CONCURRENT_STREAMS, MAX_STREAMS],
        [Setting.INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES],
        [Setting.MAX_HEADER_LIST_SIZE, MAX_HEADER_BLOCK_BYTES],
      ]),
    );
    this.push(numbersFrame(FrameType.WINDOW_UPDATE, 0, CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW_BYTES));
  }

  get streams(): number {
    return this.#streams.size;
  }

  get writable(): boolean {
    return this.#socket.writableLength + this.#outBytes < WRITABLE_BYTES;
  }

  push(bytes: Buffer): void {
    if (this.#phase === 'closed') return;
    // All that is written in one turn leaves together: after the promises of this turn, before the next input.
    if (this.#outBytes === 0) process.nextTick(() => this.#flush());
    this.#out.push(bytes);
    this.#outBytes += bytes.length;
  }

  wait(stream: Http2Stream): void {
    this.#waiting.add(stream);
  }

  forget(stream: Http2Stream): void {
    this.#streams.delete(stream.id);
    this.#waiting.delete(stream);
  }

  /** What was received since `listenOn`, if anything. */
  get silence(): 'none' | 'silent' | 'asked' {
    return this.#silence;
  }

  listenOn(): void {
    this.#silence = 'silent';
  }

  /** Asks for a sign of life. */
  ask(): void {
    this.#silence = 'asked';
    this.push(frame(FrameType.PING, 0, 0, new Uint8Array(8)));
  }

  /** Ends at once. */
  destroy(reason?: string): void {
    this.#reason ??= reason;
    this.#socket.destroy();
  }

  #end(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#out = [];
    for (const stream of [...this.#streams.values()]) stream.close();
    this.#handlers.closed(this.#reason);
  }

  #flush(): void {
    const out = this.#out;
    if (out.length === 0 || this.#phase === 'closed') return;
    this.#out = [];
    const bytes = this.#outBytes;
    this.#outBytes = 0;
    const [first] = out;
    if (out.length === 1 && first !== undefined) this.#socket.write(first);
    else if (bytes <= JOINED_BYTES) this.#socket.write(Buffer.concat(out, bytes));
    else {
      this.#socket.cork();
      for (const piece of out) this.#socket.write(piece);
      this.#socket.uncork();
    }
    if (this.#socket.writableLength > UNREAD_BYTES) this.destroy('the peer does not read');
  }

  #pumpAll(): void {
    for (const stream of [...this.#waiting]) {
      if (this.windowBytes <= 0 || !this.writable) return;
      // The one that went last comes last again.
      this.#waiting.delete(stream);
      stream.pump();
    }
  }

  #read(chunk: Buffer): void {
    if (this.#reason !== undefined) return; // what follows an error has no meaning
    this.#silence = 'none';
    try {
      this.#reader.read(chunk, (type, flags, streamId, payload) =>
        this.#take(type, flags, streamId, payload),
      );
    } catch (error) {
      const code = error instanceof ConnectionError ? error.code : ErrorCode.INTERNAL_ERROR;
      this.#reason = (error as Error).message;
      this.push(numbersFrame(FrameType.GOAWAY, 0, this.#lastStreamId, code));
      this.#flush();
      this.#socket.destroySoon();
    }
  }

  #take(type: number, flags: number, streamId: number, payload: Buffer): void {
    if (this.#block !== undefined && (type !== FrameType.CONTINUATION || streamId !== this.#block.streamId)) {
      throw violation('a header block was interrupted');
    }
    switch (type) {
      case FrameType.DATA:
        return this.#data(flags, streamId, payload);
      case FrameType.HEADERS: {
        const extraBytes = (flags & Flag.PRIORITY) === 0 ? 0 : 5;
        return this.#headers(flags, streamId, unpadded(payload, flags, extraBytes));
      }
      case FrameType.CONTINUATION:
        return this.#continuation(flags, payload);
      case FrameType.RST_STREAM:
        return this.#streams.get(streamId)?.close();
      case FrameType.SETTINGS:
        return this.#settings(flags, payload);
      case FrameType.PING:
        if (payload.length !== 8) throw sizeViolation('PING');
        if ((flags & Flag.ACK) === 0) this.push(frame(FrameType.PING, Flag.ACK, 0, payload));
        return;
      case FrameType.WINDOW_UPDATE:
        return this.#windowUpdate(streamId, payload);
      case FrameType.PUSH_PROMISE:
        throw violation('a client pushed');
      default: // GOAWAY, PRIORITY, and what is unknown
    }
  }

  #data(flags: number, streamId: number, payload: Buffer): void {
    this.#receivedBytes += payload.length;
    if (this.#receivedBytes > CONNECTION_WINDOW_BYTES / 2) {
      this.push(numbersFrame(FrameType.WINDOW_UPDATE, 0, this.#receivedBytes));
      this.#receivedBytes = 0;
    }
    const stream = this.#streams.get(streamId);
    if (stream === undefined) {
      // It ended here while the peer was still sending.
      if (streamId > this.#lastStreamId || streamId === 0) throw violation('data without a request');
      return;
    }
    if (stream.remote === 'ended') return stream.reset(ErrorCode.PROTOCOL_ERROR);
    stream.receivedBytes += payload.length;
    if (stream.receivedBytes > STREAM_WINDOW_BYTES) {
      throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'more data than the window allows');
    }
    if ((flags & Flag.END_STREAM) !== 0) stream.remote = 'ended';
    stream.owner?.data((flags & Flag.PADDED) === 0 ? payload : unpadded(payload, flags, 0));
    if (stream.closed) return;
    if (stream.remote === 'ended') stream.owner?.ended();
    else if (stream.receivedBytes > STREAM_WINDOW_BYTES / 2) {
      this.push(numbersFrame(FrameType.WINDOW_UPDATE, streamId, stream.receivedBytes));
      stream.receivedBytes = 0;
    }
  }

  #headers(flags: number, streamId: number, payload: Buffer): void {
    if ((flags & Flag.END_HEADERS) !== 0) return this.#request(flags, streamId, payload);
    // The payload is valid during this call only.
    this.#block = { streamId, flags, parts: [Buffer.from(payload)], bytes: payload.length };
  }

  #continuation(flags: number, payload: Buffer): void {
    const block = this.#block;
    if (block === undefined) throw violation('a continuation of nothing');
    block.parts.push(Buffer.from(payload));
    block.bytes += payload.length;
    // Parts without bytes count too: they would never end.
    if (block.bytes > MAX_HEADER_BLOCK_BYTES || block.parts.length > 64) {
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, 'a header block is too long');
    }
    if ((flags & Flag.END_HEADERS) === 0) return;
    this.#block = undefined;
    this.#request(block.flags, block.streamId, Buffer.concat(block.parts, block.bytes));
  }

  #request(flags: number, streamId: number, block: Buffer): void {
    const headers = this.#decode(block);
    const ended = (flags & Flag.END_STREAM) !== 0;
    const present = this.#streams.get(streamId);
    if (present !== undefined) {
      // Trailers of a request: gRPC gives them no meaning.
      if (!ended || present.remote === 'ended') return present.reset(ErrorCode.PROTOCOL_ERROR);
      present.remote = 'ended';
      present.owner?.ended();
      return;
    }
    if (streamId <= this.#lastStreamId) return; // trailers of a stream that ended here
    if (streamId % 2 === 0) throw violation('a client has odd stream ids');
    this.#lastStreamId = streamId;
    if (this.#streams.size >= MAX_STREAMS) {
      return this.push(numbersFrame(FrameType.RST_STREAM, streamId, ErrorCode.REFUSED_STREAM));
    }
    const stream = new Http2Stream(streamId, this, this.#peerWindowBytes);
    this.#streams.set(streamId, stream);
    if (ended) stream.remote = 'ended';
    const owner = this.#handlers.open(stream, headers);
    if (stream.closed) return;
    if (owner === undefined) return stream.reset(ErrorCode.REFUSED_STREAM);
    stream.owner = owner;
    if (ended) owner.ended();
  }

  #decode(block: Buffer): Header[] {
    try {
      return this.#hpack.decode(block);
    } catch (error) {
      throw new ConnectionError(ErrorCode.COMPRESSION_ERROR, (error as Error).message);
    }
  }

  #settings(flags: number, payload: Buffer): void {
    if ((flags & Flag.ACK) !== 0) return;
    if (payload.length % 6 !== 0) throw sizeViolation('SETTINGS');
    for (let at = 0; at < payload.length; at += 6) {
      const value = payload.readUInt32BE(at + 2);
      if (payload.readUInt16BE(at) !== Setting.INITIAL_WINDOW_SIZE) continue;
      if (value > MAX_WINDOW_BYTES) {
        throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, `a window of ${value} bytes`);
      }
      for (const stream of this.#streams.values()) stream.windowBytes += value - this.#peerWindowBytes;
      this.#peerWindowBytes = value;
    }
    this.push(frame(FrameType.SETTINGS, Flag.ACK, 0, Buffer.alloc(0)));
    this.#pumpAll();
  }

  #windowUpdate(streamId: number, payload: Buffer): void {
    if (payload.length !== 4) throw sizeViolation('WINDOW_UPDATE');
    const bytes = payload.readUInt32BE(0) & 0x7fffffff;
    if (streamId !== 0) {
      const stream = this.#streams.get(streamId);
      if (stream === undefined) return;
      stream.windowBytes += bytes;
      if (bytes === 0) return stream.reset(ErrorCode.PROTOCOL_ERROR);
      if (stream.windowBytes > MAX_WINDOW_BYTES) return stream.reset(ErrorCode.FLOW_CONTROL_ERROR);
      if (this.#waiting.delete(stream)) stream.pump();
      return;
    }
    if (bytes === 0) throw violation('a window update of nothing');
    this.windowBytes += bytes;
    if (this.windowBytes > MAX_WINDOW_BYTES) {
      throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'the window of the connection is too large');
    }
    this.#pumpAll();
  }
}

function violation(message: string): ConnectionError {
  return new ConnectionError(ErrorCode.PROTOCOL_ERROR, message);
}

function sizeViolation(type: string): ConnectionError {
  return new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, `a ${type} frame of the wrong size`);
}
