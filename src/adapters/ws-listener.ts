// Listens for WebSockets over node:http(s) and the package `ws`, and answers GET pages on the same port.
// Invariant: every connection ends when the listener is closed, and `close` resolves after the port is free.

import { createServer as createHttpServer, STATUS_CODES } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket as NetSocket } from 'node:net';
import type { Duplex } from 'node:stream';

import { WebSocketServer } from 'ws';

import type { Listener, Listening, ListenOptions, TextSockets } from '../ports.ts';
import { CloseCode } from '../protocol/frames.ts';
import { SUBPROTOCOL } from '../protocol/limits.ts';
import { foreignHost, foreignOrigin } from './browser-guard.ts';
import { WsSocket, commonOptions } from './ws-socket.ts';

export interface WsListenerOptions {
  /** How long a peer may take to send its HTTP headers (and to finish TLS), in milliseconds. @default 10_000 */
  readonly handshakeTimeoutMs?: number;
}

const MAX_HEADER_BYTES = 16_384;

export function createWsListener(options: WsListenerOptions = {}): Listener {
  return {
    listen: (listenOptions) =>
      listen(listenOptions, listenOptions.handshakeTimeoutMs ?? options.handshakeTimeoutMs ?? 10_000),
  };
}

async function listen(options: ListenOptions, handshakeTimeoutMs: number): Promise<Listening> {
  const httpOptions = {
    headersTimeout: handshakeTimeoutMs,
    requestTimeout: handshakeTimeoutMs,
    connectionsCheckingInterval: Math.min(1_000, handshakeTimeoutMs),
    keepAliveTimeout: 5_000,
    maxHeaderSize: MAX_HEADER_BYTES,
    noDelay: true,
  };
  const server: Server =
    options.tls === undefined
      ? createHttpServer(httpOptions)
      : createHttpsServer({ ...httpOptions, ...options.tls, handshakeTimeout: handshakeTimeoutMs });
  const upgrader = new WebSocketServer({
    ...commonOptions,
    noServer: true,
    clientTracking: false,
    maxPayload: options.maxMessageBytes,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  const texts = (options.texts ?? []).map((one) => ({ ...one, upgrade: listenForTexts(one) }));
  // Raw connections: also those that never finish TLS, headers or the upgrade.
  const open = new Set<NetSocket>();
  const forget = function (this: NetSocket): void {
    open.delete(this);
  };

  server.on('connection', (connection: NetSocket) => {
    open.add(connection);
    connection.once('close', forget);
  });
  server.on(
    'request',
    (request: IncomingMessage, response: ServerResponse) => void answer(options, host, request, response),
  );
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    if (!server.listening) return refuse(stream, 503, 'this hub takes no more connections');
    const offered = request.headers['sec-websocket-protocol'];
    const path = pathOf(request);
    const wanted = texts.find(
      (one) => one.path === path && (one.subprotocol !== undefined || offered === undefined),
    );
    if (wanted !== undefined) {
      const suspicion = foreignOrigin(request, wanted.origins ?? 'own') ?? foreignHost(request, host);
      return suspicion === undefined ? wanted.upgrade(request, stream, head) : refuse(stream, 403, suspicion);
    }
    if (offered !== undefined && !offered.split(/\s*,\s*/).includes(SUBPROTOCOL)) {
      return refuse(stream, 426, `this hub speaks ${SUBPROTOCOL}`);
    }
    const remoteAddress = request.socket.remoteAddress ?? '';
    upgrader.handleUpgrade(request, stream, head, (ws) => {
      const socket = new WsSocket(ws);
      // A client that names no subprotocol (a curious browser) can be told why in the WebSocket's own words.
      if (offered === undefined) return socket.close(CloseCode.SUBPROTOCOL, `this hub speaks ${SUBPROTOCOL}`);
      options.accept({ remoteAddress, socket, handle: (handlers) => socket.handle(handlers) });
    });
  });

  let host = options.host;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: options.host, port: options.port, backlog: 4_096 }, () => {
      server.off('error', reject);
      // Out of file descriptors, for example: one newcomer is lost, the hub goes on.
      server.on('error', () => {});
      resolve();
    });
  });

  const ended = new Promise<void>((resolve) => server.once('close', () => resolve()));
  const { address, port, family } = server.address() as AddressInfo; // not a pipe: we gave it a port
  host = family === 'IPv6' ? `[${address}]` : address;
  const stopAccepting = (): void => {
    if (server.listening) server.close();
  };
  return {
    host: address,
    port,
    url: `${options.tls === undefined ? 'ws' : 'wss'}://${host}:${port}`,
    stopAccepting,
    close() {
      stopAccepting();
      for (const connection of open) connection.destroy();
      return ended;
    },
  };
}

/** Upgrades what asks for the path of text sockets. */
function listenForTexts({ subprotocol, maxMessageBytes, accept }: TextSockets) {
  const upgrader = new WebSocketServer({
    ...commonOptions,
    noServer: true,
    clientTracking: false,
    maxPayload: maxMessageBytes,
    handleProtocols: (offered) =>
      subprotocol !== undefined && offered.has(subprotocol) ? subprotocol : false,
  });
  return (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    const offered = request.headers['sec-websocket-protocol'] ?? '';
    if (subprotocol !== undefined && !offered.split(/\s*,\s*/).includes(subprotocol))
      return refuse(stream, 426, `viewers speak ${subprotocol}`);
    const remoteAddress = request.socket.remoteAddress ?? '';
    upgrader.handleUpgrade(request, stream, head, (ws) => {
      const socket = new WsSocket(ws, undefined, 'text');
      accept({ remoteAddress, socket, handle: (handlers) => socket.handle(handlers) });
    });
  };
}

const pathOf = (request: IncomingMessage): string => (request.url ?? '/').replace(/[?#].*$/s, '');

async function answer(
  options: ListenOptions,
  host: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const send = (status: number, contentType: string, body: string | Uint8Array, headers = {}): void => {
    const contentLength = Buffer.byteLength(body);
    response.writeHead(status, { ...headers, 'content-type': contentType, 'content-length': contentLength });
    response.end(request.method === 'HEAD' ? undefined : body);
  };
  request.resume(); // a body, if any, is of no interest
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(405, 'text/plain', 'only GET\n');
  const path = pathOf(request);
  try {
    const page = await options.page(path, { suspicion: foreignHost(request, host) });
    if (page === undefined) send(404, 'text/plain', `there is nothing at ${path}\n`);
    else send(page.status, page.contentType, page.body, page.headers);
  } catch (error) {
    send(500, 'text/plain', `this page failed: ${(error as Error).message}\n`);
  }
}

function refuse(stream: Duplex, status: number, reason: string): void {
  stream.on('error', () => stream.destroy());
  stream.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n` +
      (status === 426 ? 'Upgrade: websocket\r\n' : '') +
      `Content-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(reason) + 1}\r\n\r\n${reason}\n`,
    () => stream.destroy(),
  );
}
