// One gRPC call on one HTTP/2 stream: length-prefixed messages in, messages and a status out
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
// Invariant: the client gets exactly one status, unless it or the connection ended the stream first.
import {
  StatusCode,
  StatusError,
  type Metadata,
  type Method,
  type Replies,
  type Requests,
} from '../store/etcd-api/call.ts';
import type { MessageCodec } from './etcd-protos.ts';
import { encodeHeaders, type Header } from './http2/hpack.ts';
import type { Http2Stream, StreamOwner } from './http2/stream.ts';

/** What serves a path, and how its messages are written. */
export interface GrpcMethod {
  readonly method: Method;
  readonly request: MessageCodec;
  readonly response: MessageCodec;
}

const PREFIX_BYTES = 5;
const HEADERS = encodeHeaders([
  [':status', '200'],
  ['content-type', 'application/grpc'],
]);
const ENDED_WELL = encodeHeaders([['grpc-status', '0']]);

/** Percent-encoded where the protocol asks for it. */
function textOf(message: string): string {
  return message.replace(/[^\x20-\x24\x26-\x7e]+/gu, (text) => encodeURIComponent(text.toWellFormed()));
}

function statusHeaders({ code, message }: StatusError): Header[] {
  return [
    ['grpc-status', String(code)],
    ['grpc-message', textOf(message)],
  ];
}

/** Refuses a request before anyone serves it. */
export function refuse(stream: Http2Stream, error: StatusError): void {
  stream.end(
    encodeHeaders([[':status', '200'], ['content-type', 'application/grpc'], ...statusHeaders(error)]),
  );
}

export function metadataOf(headers: readonly Header[]): Metadata {
  return { get: (name) => headers.find((header) => header[0] === name)?.[1] };
}

function framed(message: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  bytes[0] = 0;
  bytes.writeUInt32BE(message.length, 1);
  bytes.set(message, PREFIX_BYTES);
  return bytes;
}

abstract class GrpcCall implements StreamOwner {
  protected readonly stream: Http2Stream;
  protected readonly served: GrpcMethod;
  readonly #maxMessageBytes: number;
  readonly #encoding: string;
  #rest: Buffer | undefined;
  #restBytes = 0;
  protected phase: 'idle' | 'open' | 'ended' = 'idle';

  constructor(stream: Http2Stream, served: GrpcMethod, metadata: Metadata, maxMessageBytes: number) {
    this.stream = stream;
    this.served = served;
    this.#maxMessageBytes = maxMessageBytes;
    this.#encoding = metadata.get('grpc-encoding') ?? 'identity';
  }

  data(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#rest !== undefined) {
      // A long message grows in the room that its prefix asked for.
      const taken = Math.min(this.#rest.length - this.#restBytes, chunk.length);
      this.#rest.set(chunk.subarray(0, taken), this.#restBytes);
      this.#restBytes += taken;
      if (this.#restBytes < this.#rest.length) return;
      bytes = this.#rest;
      this.#rest = undefined;
      this.#cut(bytes);
      // What held a prefix only is a beginning again.
      if (taken < chunk.length && this.phase !== 'ended') this.data(chunk.subarray(taken));
      return;
    }
    this.#cut(bytes);
  }

  abstract ended(): void;
  abstract drained(): void;
  abstract closed(): void;
  protected abstract message(message: object): void;

  /** Takes whole messages out and keeps the beginning of the next. */
  #cut(bytes: Buffer): void {
    let at = 0;
    while (this.phase !== 'ended' && bytes.length - at >= PREFIX_BYTES) {
      const length = bytes.readUInt32BE(at + 1);
      if (bytes[at] !== 0) return this.fail(this.#compressed());
      if (length > this.#maxMessageBytes) {
        return this.fail(
          new StatusError(
            StatusCode.RESOURCE_EXHAUSTED,
            `grpc: received message larger than max (${length} vs. ${this.#maxMessageBytes})`,
          ),
        );
      }
      const from = at + PREFIX_BYTES;
      if (bytes.length - from < length) break;
      at = from + length;
      this.#decode(bytes.subarray(from, at));
    }
    if (at === bytes.length || this.phase === 'ended') return;
    const left = bytes.length - at;
    const wanted = left < PREFIX_BYTES ? PREFIX_BYTES : PREFIX_BYTES + bytes.readUInt32BE(at + 1);
    this.#rest = Buffer.allocUnsafe(wanted);
    this.#rest.set(bytes.subarray(at), 0);
    this.#restBytes = left;
  }

  #decode(bytes: Buffer): void {
    let message: object;
    try {
      // Memory of its own: the keys and values in it are kept, what they came in is not.
      message = this.served.request.decode(Buffer.from(bytes));
    } catch (error) {
      const reason = `grpc: error unmarshalling request: ${(error as Error).message}`;
      return this.fail(new StatusError(StatusCode.INTERNAL, reason));
    }
    this.message(message);
  }

  #compressed(): StatusError {
    return this.#encoding === 'identity'
      ? new StatusError(StatusCode.INTERNAL, 'grpc: compressed flag set with identity or empty encoding')
      : new StatusError(
          StatusCode.UNIMPLEMENTED,
          `grpc: Decompressor is not installed for grpc-encoding "${this.#encoding}"`,
        );
  }

  protected fail(error: unknown): void {
    if (this.phase === 'ended') return;
    const status =
      error instanceof StatusError ? error : new StatusError(StatusCode.UNKNOWN, (error as Error).message);
    if (this.phase === 'open') {
      this.phase = 'ended';
      return this.stream.end(encodeHeaders(statusHeaders(status)));
    }
    this.phase = 'ended';
    refuse(this.stream, status);
  }

  protected answerWhole(message: object): void {
    if (this.phase === 'ended') return;
    this.phase = 'ended';
    this.stream.answer(HEADERS, framed(this.served.response.encode(message)), ENDED_WELL);
  }

  protected start(): void {
    if (this.phase !== 'idle') return;
    this.phase = 'open';
    this.stream.headers(HEADERS);
  }

  protected endWell(): void {
    if (this.phase === 'ended') return;
    this.start();
    this.phase = 'ended';
    this.stream.end(ENDED_WELL);
  }
}

/** One request, one answer. */
export class UnaryCall extends GrpcCall {
  readonly #metadata: Metadata;
  readonly #settled: () => void;
  #work: 'receiving' | 'answering' | 'done' = 'receiving';
  #request: object | undefined;

  /** `settled`: whoever serves it is through, which may be long after the client went. */
  constructor(
    stream: Http2Stream,
    served: GrpcMethod,
    metadata: Metadata,
    maxMessageBytes: number,
    settled: () => void,
  ) {
    super(stream, served, metadata, maxMessageBytes);
    this.#metadata = metadata;
    this.#settled = settled;
  }

  protected message(message: object): void {
    if (this.#request === undefined) this.#request = message;
    else this.fail(new StatusError(StatusCode.INTERNAL, 'grpc: more than one request'));
  }

  ended(): void {
    const request = this.#request;
    if (this.phase === 'ended') return;
    if (request === undefined) return this.fail(new StatusError(StatusCode.INTERNAL, 'grpc: no request'));
    this.#work = 'answering';
    void this.#answer(request);
  }

  drained(): void {}

  closed(): void {
    this.phase = 'ended';
    if (this.#work === 'receiving') this.#done();
  }

  #done(): void {
    this.#work = 'done';
    this.#settled();
  }

  async #answer(request: object): Promise<void> {
    const { method } = this.served;
    try {
      if (method.type === 'unary') this.answerWhole(await method.answer(request, this.#metadata));
    } catch (error) {
      this.fail(error);
    } finally {
      this.#done();
    }
  }
}

/** Messages both ways, as they come. */
export class StreamingCall extends GrpcCall implements Replies {
  #requests: Requests | undefined;

  constructor(stream: Http2Stream, served: GrpcMethod, metadata: Metadata, maxMessageBytes: number) {
    super(stream, served, metadata, maxMessageBytes);
    try {
      if (served.method.type === 'stream') this.#requests = served.method.open(this, metadata);
    } catch (error) {
      this.fail(error);
    }
    if (stream.closed) this.closed(); // it ended at once: the stream does not know us yet
  }

  get bufferedBytes(): number {
    return this.stream.bufferedBytes;
  }

  send(message: object): 'more' | 'wait' {
    if (this.phase === 'ended') return 'more';
    this.start();
    return this.stream.send(framed(this.served.response.encode(message)));
  }

  end(error?: StatusError): void {
    if (error === undefined) this.endWell();
    else this.fail(error);
  }

  protected message(message: object): void {
    this.#requests?.message(message);
  }

  ended(): void {
    this.#requests?.ended();
  }

  drained(): void {
    this.#requests?.drained();
  }

  closed(): void {
    this.phase = 'ended';
    const requests = this.#requests;
    this.#requests = undefined;
    requests?.closed();
  }
}
