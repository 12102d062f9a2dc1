// Upstreams that do as they are told, byte by byte, and a client that sees every byte of its answer.
// Invariant: all listen on loopback, on a free port, and are gone when the test is over.
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import {
  createProxy,
  noLog,
  type ExchangeRecord,
  type Proxy,
  type ProxyEndpoint,
  type ProxyOptions,
} from '../../src/index.ts';

/** One request that an upstream got. */
export interface Got {
  readonly head: string;
  readonly body: string;
  readonly socket: Socket;
}

export interface RawUpstream {
  readonly url: string;
  readonly got: Got[];
  /** Resolves when so many requests are there. */
  seen(requests: number): Promise<Got>;
  /** Resolves when so many connections are there; `ended` with all that came over it. */
  connected(connections: number): Promise<Connected>;
}

interface Connected {
  readonly socket: Socket;
  readonly ended: Promise<string>;
}

/** Answers each request, once its body (of a `Content-Length`, or chunked) is here, with whatever `answer` writes. */
export async function rawUpstream(answer: (socket: Socket, got: Got) => void): Promise<RawUpstream> {
  const got: Got[] = [];
  const waiting: (() => void)[] = [];
  const connections: Connected[] = [];
  const wakeAll = (): void => {
    for (const wake of waiting.splice(0)) wake();
  };
  const server = createServer((socket) => {
    let text = '';
    let all = '';
    socket.on('error', () => {});
    const ended = new Promise<string>((resolve) => socket.once('close', () => resolve(all)));
    connections.push({ socket, ended });
    wakeAll();
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      all += chunk.toString('latin1');
      for (;;) {
        const end = text.indexOf('\r\n\r\n');
        if (end < 0) return;
        const head = text.slice(0, end);
        const rest = text.slice(end + 4);
        const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
        const isChunked = /\r\ntransfer-encoding: *chunked/i.test(head);
        const last = isChunked ? rest.indexOf('0\r\n\r\n') : Number(length ?? 0);
        if (last < 0 || rest.length < last) return;
        text = rest.slice(isChunked ? last + 5 : last);
        const request = { head, body: rest.slice(0, last), socket };
        got.push(request);
        wakeAll();
        answer(socket, request);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const { socket } of connections) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    got,
    async seen(requests) {
      while (got.length < requests) await new Promise<void>((resolve) => waiting.push(resolve));
      return got[requests - 1]!;
    },
    async connected(count) {
      while (connections.length < count) await new Promise<void>((resolve) => waiting.push(resolve));
      return connections[count - 1]!;
    },
  };
}

/** A whole answer. */
export function answer(status: number, body: string, headers: Readonly<Record<string, string>> = {}): string {
  const lines = Object.entries({ 'content-length': String(Buffer.byteLength(body)), ...headers });
  return `HTTP/1.1 ${status} Said\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`;
}

export const EVENTS =
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n';
export const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
export const event = (data: string): string => chunk(`data: ${data}\n\n`);
export const LAST = '0\r\n\r\n';

/** What is in the chunks, which must be whole and have an end. */
export function unchunked(body: string): string {
  let text = '';
  for (let at = 0; ;) {
    const end = body.indexOf('\r\n', at);
    const length = Number.parseInt(body.slice(at, end), 16);
    if (length === 0 && body.slice(at) === LAST) return text;
    if (!(length > 0)) throw new Error(`no chunk begins at ${at}: ${JSON.stringify(body)}`);
    text += body.slice(end + 2, end + 2 + length);
    at = end + 4 + length;
  }
}

/** An upstream that answers everything with 200 and its name. */
export const named = (name: string): Promise<RawUpstream> =>
  rawUpstream((socket) => socket.write(answer(200, name)));

/** Nobody listens here. */
export async function deadUrl(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

export interface ProxyUnderTest {
  readonly proxy: Proxy;
  readonly records: ExchangeRecord[];
  /** Resolves when so many requests are over. */
  over(requests: number): Promise<ExchangeRecord>;
}

/** With the endpoints e0, e1, …, in that order of priority. */
export async function proxyOver(
  endpoints: readonly (string | Omit<ProxyEndpoint, 'id'>)[],
  options: Partial<ProxyOptions> = {},
): Promise<ProxyUnderTest> {
  const records: ExchangeRecord[] = [];
  const waiting: (() => void)[] = [];
  const proxy = await createProxy({
    log: noLog(),
    endpoints: endpoints.map((endpoint, index) => ({
      id: `e${index}`,
      priority: index,
      ...(typeof endpoint === 'string' ? { url: endpoint } : endpoint),
    })),
    onRequest(record) {
      records.push(record);
      for (const wake of waiting.splice(0)) wake();
    },
    ...options,
  });
  onTestFinished(() => proxy.stop());
  return {
    proxy,
    records,
    async over(requests) {
      while (records.length < requests) await new Promise<void>((resolve) => waiting.push(resolve));
      return records[requests - 1]!;
    },
  };
}

export interface RawAnswer {
  /** All bytes up to the end of the connection. */
  readonly text: string;
  readonly status: number;
  readonly head: string;
  /** After the head, as it is on the wire. */
  readonly body: string;
  /** How the connection ended, when it did not end well. */
  readonly error: string | undefined;
}

/** Writes this to the proxy, and reads until the connection ends: which the request asks for by `Connection: close`. */
export async function sendRaw(proxy: Proxy, text: string): Promise<RawAnswer> {
  const socket = connect(proxy.port, proxy.host);
  let read = '';
  let error: string | undefined;
  socket.on('data', (bytes) => {
    read += bytes.toString('latin1');
  });
  socket.on('error', ({ code }: NodeJS.ErrnoException) => {
    error = code;
  });
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  socket.write(text);
  await closed;
  const end = read.indexOf('\r\n\r\n');
  return {
    text: read,
    status: Number(read.slice(9, 12)),
    head: read.slice(0, end),
    body: read.slice(end + 4),
    error,
  };
}

export function request(
  method: string,
  target: string,
  headers: Readonly<Record<string, string>> = {},
  body = '',
): string {
  const all = { Host: 'proxy.test', Connection: 'close', ...headers };
  const lines = Object.entries(body === '' ? all : { ...all, 'Content-Length': String(body.length) });
  return `${method} ${target} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`;
}
