// A gRPC client over node:http2, which is not ours: what it accepts, others accept.
// Invariant: nothing here shares code with the server that it tests.
import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';

export interface Ended {
  readonly messages: Buffer[];
  readonly status: string | undefined;
  readonly text: string | undefined;
  readonly httpStatus: unknown;
}

export function dial(url: string, options: object = {}): ClientHttp2Session {
  const session = connect(url, options);
  session.on('error', () => {});
  return session;
}

export function framed(message: Uint8Array, flag = 0): Buffer {
  const bytes = Buffer.alloc(5 + message.length);
  bytes[0] = flag;
  bytes.writeUInt32BE(message.length, 1);
  bytes.set(message, 5);
  return bytes;
}

export function request(
  session: ClientHttp2Session,
  path: string,
  headers: Record<string, string> = {},
): ClientHttp2Stream {
  return session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
}

/** All that is answered, until the end. */
export async function ending(stream: ClientHttp2Stream): Promise<Ended> {
  const chunks: Buffer[] = [];
  let headers: Record<string, unknown> = {};
  let trailers: Record<string, unknown> = {};
  stream.on('response', (heard) => (headers = heard));
  stream.on('trailers', (heard) => (trailers = heard));
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('error', () => {});
  stream.resume();
  await new Promise<void>((resolve) => stream.once('close', () => resolve()));
  const bytes = Buffer.concat(chunks);
  const messages: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32BE(at + 1);
    messages.push(bytes.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  const said = { ...headers, ...trailers } as Record<string, string | undefined>;
  const text = said['grpc-message'];
  return {
    messages,
    status: said['grpc-status'],
    text: text === undefined ? undefined : decodeURIComponent(text),
    httpStatus: headers[':status'],
  };
}

export async function unary(
  session: ClientHttp2Session,
  path: string,
  message: Uint8Array,
  headers: Record<string, string> = {},
): Promise<Ended> {
  const stream = request(session, path, headers);
  stream.end(framed(message));
  return ending(stream);
}

/** Calls `take` with each message as it comes. */
export function onMessage(stream: ClientHttp2Stream, take: (message: Buffer) => void): void {
  const parts: Buffer[] = [];
  let length = 0;
  let wanted = 5;
  stream.on('error', () => {});
  stream.on('data', (chunk: Buffer) => {
    parts.push(chunk);
    length += chunk.length;
    // Joined once a message, not once a chunk.
    while (length >= wanted) {
      const bytes = Buffer.concat(parts.splice(0));
      const end = 5 + bytes.readUInt32BE(1);
      const whole = bytes.length >= end;
      if (whole) take(bytes.subarray(5, end));
      const rest = whole ? bytes.subarray(end) : bytes;
      parts.push(rest);
      length = rest.length;
      wanted = rest.length >= 5 ? 5 + rest.readUInt32BE(1) : 5;
    }
  });
}
