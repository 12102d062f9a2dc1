// A gRPC server over our own HTTP/2, on TCP or TLS.
// Invariant: every call ends when its connection ends, and every connection when the server is closed; a client that
// vanished without a word is found out within two keepalive intervals.
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { StatusCode, StatusError, type Methods } from '../store/etcd-api/call.ts';
import { loadEtcdProtos } from './etcd-protos.ts';
import { StreamingCall, UnaryCall, metadataOf, refuse, type GrpcMethod } from './grpc-call.ts';
import { Http2Connection } from './http2/connection.ts';
import { encodeHeaders, type Header } from './http2/hpack.ts';
import type { Http2Stream, StreamOwner } from './http2/stream.ts';

export interface GrpcServerOptions {
  readonly host: string;
  /** 0 chooses a free port. */
  readonly port: number;
  /** PEM. @default undefined: no TLS */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  readonly methods: Methods;
  /** Longest message that is taken, in bytes. @default 2097152, etcd's (1.5 MiB and 512 KiB for what gRPC adds) */
  readonly maxMessageBytes?: number | undefined;
  /** A connection that is silent for this long is asked for a sign of life, and ended when it is silent once more. @default 30000 */
  readonly keepaliveIntervalMs?: number | undefined;
}

export interface GrpcServer {
  readonly host: string;
  readonly port: number;
  /** `http://host:port` or `https://host:port`, as etcd's clients write endpoints. */
  readonly url: string;
  readonly connections: number;
  /** Calls that are open, on all connections. */
  readonly calls: number;
  /** Ends what is open; resolves when the port is free. Twice is as once. */
  close(): Promise<void>;
}

/** Requests that are being served although their clients may have gone: beyond this, no new ones for this connection. */
const MAX_RUNNING = 32_768;
const NOT_GRPC = encodeHeaders([[':status', '415']]);

/** @throws what `listen` of node:net reports: an address in use, for example */
export async function listenGrpc(options: GrpcServerOptions): Promise<GrpcServer> {
  const served = bind(options.methods);
  const maxMessageBytes = options.maxMessageBytes ?? 2_097_152;
  const connections = new Set<Http2Connection>();
  const sockets = new Set<Socket>();
  const accept = (socket: Socket): void => {
    const router = createRouter(served, maxMessageBytes);
    const connection = new Http2Connection(socket, {
      open: router,
      closed: () => connections.delete(connection),
    });
    connections.add(connection);
  };
  const server: Server =
    options.tls === undefined
      ? createTcpServer(accept)
      : createTlsServer({ ...options.tls, ALPNProtocols: ['h2'], handshakeTimeout: 10_000 }, accept);
  // Also those that never finish TLS.
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
  });
  await listening(server, options);
  const keepalive = setInterval(() => lookAround(connections), options.keepaliveIntervalMs ?? 30_000);
  keepalive.unref();

  const ended = new Promise<void>((resolve) => server.once('close', () => resolve()));
  const { address, port, family } = server.address() as AddressInfo; // not a pipe: we gave it a port
  return {
    host: address,
    port,
    url: `${options.tls === undefined ? 'http' : 'https'}://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    get connections() {
      return connections.size;
    },
    get calls() {
      let calls = 0;
      for (const connection of connections) calls += connection.streams;
      return calls;
    },
    close() {
      clearInterval(keepalive);
      if (server.listening) server.close();
      for (const connection of connections) connection.destroy();
      for (const socket of sockets) socket.destroy();
      return ended;
    },
  };
}

async function listening(server: Server, { host, port }: GrpcServerOptions): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: 4_096 }, () => {
      server.off('error', reject);
      // Out of file descriptors, for example: one newcomer is lost, the server goes on.
      server.on('error', () => {});
      resolve();
    });
  });
}

function lookAround(connections: ReadonlySet<Http2Connection>): void {
  for (const connection of connections) {
    if (connection.silence === 'asked') connection.destroy('no sign of life');
    else if (connection.silence === 'silent') connection.ask();
    else connection.listenOn();
  }
}

function bind(methods: Methods): ReadonlyMap<string, GrpcMethod> {
  const protos = loadEtcdProtos();
  const served = new Map<string, GrpcMethod>();
  for (const [path, method] of methods) {
    const described = protos.methods.get(path);
    if (described === undefined) throw new Error(`etcd's files describe no method ${path}`);
    served.set(path, { method, request: described.request, response: described.response });
  }
  return served;
}

function createRouter(
  served: ReadonlyMap<string, GrpcMethod>,
  maxMessageBytes: number,
): (stream: Http2Stream, headers: readonly Header[]) => StreamOwner | undefined {
  let running = 0;
  const settled = (): void => void running--;
  return (stream, headers) => {
    const metadata = metadataOf(headers);
    const type = metadata.get('content-type') ?? '';
    if (metadata.get(':method') !== 'POST' || !type.startsWith('application/grpc')) {
      stream.end(NOT_GRPC);
      return undefined;
    }
    const path = metadata.get(':path') ?? '';
    const method = served.get(path);
    if (method === undefined) {
      refuse(stream, notServed(path, served));
      return undefined;
    }
    if (method.method.type === 'stream') return new StreamingCall(stream, method, metadata, maxMessageBytes);
    if (running >= MAX_RUNNING) return undefined;
    running++;
    return new UnaryCall(stream, method, metadata, maxMessageBytes, settled);
  };
}

/** In grpc-go's words. */
function notServed(path: string, served: ReadonlyMap<string, GrpcMethod>): StatusError {
  const at = path.lastIndexOf('/');
  const service = path.slice(1, at);
  const known = [...served.keys()].some((name) => name.startsWith(`/${service}/`));
  const message =
    at < 1
      ? `malformed method name: "${path}"`
      : known
        ? `unknown method ${path.slice(at + 1)} for service ${service}`
        : `unknown service ${service}`;
  return new StatusError(StatusCode.UNIMPLEMENTED, message);
}
