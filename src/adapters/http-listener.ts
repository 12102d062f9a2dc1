// Serves HTTP/1.1 with node:http.
// Invariant: what is no clear HTTP reaches nobody; a connection is ended at once, or its answers come in the order of its requests.
import {
  createServer,
  STATUS_CODES,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket as NetSocket } from 'node:net';
import type { Duplex } from 'node:stream';

import type { HttpListener, HttpListenOptions, HttpRefusal, Listening } from '../ports.ts';
import { LINGER_MS, NodeExchange } from './http-exchange.ts';

export function createHttpListener(): HttpListener {
  return { listen };
}

async function listen(options: HttpListenOptions): Promise<Listening> {
  const server = createServer({
    // Whoever is lenient with what is ambiguous lets requests be smuggled.
    insecureHTTPParser: false,
    // Whoever takes the exchange looks, and says what is wrong.
    requireHostHeader: false,
    maxHeaderSize: options.maxHeaderBytes,
    headersTimeout: options.headersTimeoutMs,
    // The time of a body is counted by those who forward it.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.min(1_000, options.headersTimeoutMs),
    keepAliveTimeout: options.keepAliveMs,
    noDelay: true,
  });
  server.maxConnections = options.maxConnections;
  const open = new Map<Duplex, Connection>();
  const forget = function (this: NetSocket): void {
    open.delete(this);
  };
  server.on('connection', (socket: NetSocket) => {
    open.set(socket, { busy: 0, newest: undefined });
    socket.once('close', forget);
  });

  const take = (
    request: IncomingMessage,
    response: ServerResponse,
    expects: 'nothing' | 'continue',
  ): void => {
    const { socket } = request;
    // It has no version, and no headers: what comes next on the connection is anybody's guess.
    if (request.httpVersionMajor !== 1) return refuse(socket, options.refuse('malformed'));
    const connection = open.get(socket);
    if (connection === undefined) return;
    connection.busy += 1;
    connection.newest = response;
    options.exchange(new NodeExchange(request, response, expects, connection));
  };
  server.on('request', (request, response) => take(request, response, 'nothing'));
  server.on('checkContinue', (request, response) => take(request, response, 'continue'));
  server.on('connect', (_request: IncomingMessage, socket: Duplex) =>
    refuse(socket, options.refuse('tunnel')),
  );
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (!socket.writable || !isNextAnswer(open.get(socket)) || error.code === 'ECONNRESET') socket.destroy();
    else refuse(socket, options.refuse(problemOf(error.code)));
  });

  await started(server, options);
  const ended = new Promise<void>((resolve) => server.once('close', () => resolve()));
  const { address, port, family } = server.address() as AddressInfo; // not a pipe: we gave it a port
  const stopAccepting = (): void => {
    // Ends connections without a request, too.
    if (server.listening) server.close();
  };
  return {
    host: address,
    port,
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    stopAccepting,
    close() {
      stopAccepting();
      // What was written goes out first, to those who take it.
      for (const socket of open.keys()) (socket as NetSocket).destroySoon();
      const timer = setTimeout(() => {
        for (const socket of open.keys()) socket.destroy();
      }, LINGER_MS);
      return ended.finally(() => clearTimeout(timer));
    },
  };
}

interface Connection {
  /** Exchanges under way: clients may send the next request before they have their answer. */
  busy: number;
  newest: ServerResponse | undefined;
}

/** Whether an answer now is taken for one to what is wrong, and not for that of a request before. */
function isNextAnswer({ busy, newest }: Connection = { busy: 0, newest: undefined }): boolean {
  if (busy === 0 || newest === undefined) return true;
  // It is the body of the only request that is wrong.
  return busy === 1 && !newest.req.complete && !newest.headersSent;
}

function started(server: Server, { host, port }: HttpListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: 4_096 }, () => {
      server.off('error', reject);
      // Out of file descriptors, for example: one newcomer is lost, the others go on.
      server.on('error', () => {});
      resolve();
    });
  });
}

function problemOf(code = ''): 'malformed' | 'headers_too_large' | 'too_slow' {
  if (code === 'HPE_HEADER_OVERFLOW') return 'headers_too_large';
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'too_slow' : 'malformed';
}

function refuse(socket: Duplex, { status, headers, body }: HttpRefusal): void {
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, 'Connection: close'];
  for (let i = 0; i < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`);
  lines.push(`Content-Length: ${Buffer.byteLength(body)}`, '', body);
  socket.on('error', () => socket.destroy());
  socket.end(lines.join('\r\n'), () => socket.destroy());
}
