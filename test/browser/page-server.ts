// Serves the built page and a stream of messages that a test makes, as the hub does: with the same security headers.
// Invariant: loopback only, and ended with the test.
import { createServer, type Server } from 'node:http';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { WebSocketServer, type WebSocket } from 'ws';
import {
  INSPECT_PATH,
  INSPECT_SUBPROTOCOL,
  readViewerSaid,
  type Told,
  type ViewerSaid,
} from '../../src/protocol/inspection.ts';

export const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: blob:; " +
  "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

export interface Viewer {
  send(messages: readonly Told[]): void;
  close(code: number, reason: string): void;
}

export interface PageServerOptions {
  readonly folder: string;
  readonly port?: number;
  onOpen(viewer: Viewer, open: Extract<ViewerSaid, { kind: 'open' }>): void;
  onAsk?(viewer: Viewer, ask: Extract<ViewerSaid, { kind: 'ask' }>): void;
}

export interface PageServer {
  readonly url: string;
  readonly port: number;
  readonly viewers: ReadonlySet<Viewer>;
  send(messages: readonly Told[]): void;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function servePage(options: PageServerOptions): Promise<PageServer> {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://page').pathname);
    const file = join(options.folder, path === '/' ? 'index.html' : path);
    readFile(file).then(
      (body) => {
        response.setHeader('content-type', types[extname(file)] ?? 'application/octet-stream');
        response.setHeader('content-security-policy', CONTENT_SECURITY_POLICY);
        response.end(body);
      },
      () => response.writeHead(404).end(),
    );
  });
  const viewers = new Set<Viewer>();
  const sockets = new WebSocketServer({
    server,
    path: INSPECT_PATH,
    handleProtocols: (offered) => (offered.has(INSPECT_SUBPROTOCOL) ? INSPECT_SUBPROTOCOL : false),
  });
  sockets.on('connection', (socket) => attend(socket, viewers, options));
  await listening(server, options.port ?? 0);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    port,
    viewers,
    send: (messages) => {
      for (const viewer of viewers) viewer.send(messages);
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function attend(socket: WebSocket, viewers: Set<Viewer>, options: PageServerOptions): void {
  const viewer: Viewer = {
    send: (messages) => socket.send(JSON.stringify(messages)),
    close: (code, reason) => socket.close(code, reason),
  };
  socket.on('message', (data: Buffer) => {
    const said = readViewerSaid(data.toString('utf8'));
    if (said.kind === 'ask') {
      options.onAsk?.(viewer, said);
      return;
    }
    viewers.add(viewer);
    options.onOpen(viewer, said);
  });
  socket.on('close', () => viewers.delete(viewer));
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve());
  });
}
