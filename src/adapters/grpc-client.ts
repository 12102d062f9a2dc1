// gRPC's client side over @grpc/grpc-js.
// Invariant: a link with a call or stream on it that answers no ping is given up; no call has a deadline here.
import {
  Client,
  connectivityState,
  credentials,
  Metadata,
  status,
  type ChannelCredentials,
  type ServiceError,
} from '@grpc/grpc-js';
import { loadEtcdProtos, type MessageCodec } from './etcd-protos.ts';
import type {
  Channel,
  RpcCall,
  RpcFailure,
  RpcMetadata,
  RpcStatus,
  RpcStream,
  StreamHandlers,
  StreamMethod,
  Transport,
  UnaryHandlers,
  UnaryMethod,
} from '../store/etcd/transport.ts';

export interface GrpcTls {
  /** PEM text of the authority that signed the server's certificate. @default the system's authorities */
  readonly ca?: string | undefined;
  /** PEM text of the client's own certificate and key, where the server asks for them. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export interface GrpcOptions {
  /** Silence after which the peer is pinged. etcd answers pings below its limit (5 s) with "too many pings". */
  readonly keepaliveMs: number;
  /** For the ping's answer; then the link counts as dead. */
  readonly keepaliveTimeoutMs: number;
  /** @default undefined: plain text */
  readonly tls?: GrpcTls | undefined;
}

const statuses: Readonly<Partial<Record<status, RpcStatus>>> = {
  [status.CANCELLED]: 'cancelled',
  [status.UNKNOWN]: 'unknown',
  [status.INVALID_ARGUMENT]: 'invalid_argument',
  [status.DEADLINE_EXCEEDED]: 'deadline_exceeded',
  [status.NOT_FOUND]: 'not_found',
  [status.PERMISSION_DENIED]: 'permission_denied',
  [status.RESOURCE_EXHAUSTED]: 'resource_exhausted',
  [status.FAILED_PRECONDITION]: 'failed_precondition',
  [status.OUT_OF_RANGE]: 'out_of_range',
  [status.UNIMPLEMENTED]: 'unimplemented',
  [status.INTERNAL]: 'internal',
  [status.UNAVAILABLE]: 'unavailable',
  [status.UNAUTHENTICATED]: 'unauthenticated',
};

/** A transport whose channels ping their peers. */
export function createGrpcTransport(options: GrpcOptions): Transport {
  return { channel: (endpoint) => new GrpcChannel(endpoint, options) };
}

class GrpcChannel implements Channel {
  readonly endpoint: string;
  readonly #client: Client;

  constructor(endpoint: string, { keepaliveMs, keepaliveTimeoutMs, tls }: GrpcOptions) {
    this.endpoint = endpoint;
    this.#client = new Client(endpoint, credentialsOf(tls), {
      'grpc.keepalive_time_ms': keepaliveMs,
      'grpc.keepalive_timeout_ms': keepaliveTimeoutMs,
      // etcd takes a ping on a link without streams for an attack, and ends the link at the third.
      'grpc.keepalive_permit_without_calls': 0,
      // The engine has its own order of trying members; the transport only must not hammer one.
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1_000,
      // Answers of any size: the server limits what it takes.
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      // Two stores of one process share nothing, and so do not end each other's links.
      'grpc.use_local_subchannel_pool': 1,
    });
  }

  get ready(): boolean {
    return this.#client.getChannel().getConnectivityState(false) === connectivityState.READY;
  }

  dial(done: (failure: RpcFailure | undefined) => void): void {
    const channel = this.#client.getChannel();
    const look = (): void => {
      const state = channel.getConnectivityState(true);
      if (state === connectivityState.READY) return done(undefined);
      if (state === connectivityState.TRANSIENT_FAILURE) return this.#why(done);
      if (state === connectivityState.SHUTDOWN)
        return done({ status: 'cancelled', message: 'the channel is closed' });
      channel.watchConnectivityState(state, Infinity, look);
    };
    look();
  }

  /** A channel does not say why it failed; a call on it does, at once. */
  #why(done: (failure: RpcFailure | undefined) => void): void {
    this.unary(
      'Maintenance.Status',
      {},
      {},
      {
        answered: () => done(undefined),
        failed: ({ status: of, message }) => done({ status: of, message: reasonOf(message) }),
      },
    );
  }

  unary(method: UnaryMethod, request: object, metadata: RpcMetadata, handlers: UnaryHandlers): RpcCall {
    const { path, encode, decode } = methodOf(method);
    let over = false;
    const call = this.#client.makeUnaryRequest(
      path,
      encode,
      decode,
      request,
      metadataOf(metadata),
      (error, response) => {
        if (over) return;
        over = true;
        if (error !== null) handlers.failed(failureOf(error));
        else handlers.answered(response as object);
      },
    );
    return {
      cancel: () => {
        if (over) return;
        over = true;
        call.cancel();
      },
    };
  }

  stream(method: StreamMethod, metadata: RpcMetadata, handlers: StreamHandlers): RpcStream {
    const { path, encode, decode } = methodOf(method);
    const call = this.#client.makeBidiStreamRequest(path, encode, decode, metadataOf(metadata));
    let over = false;
    call.on('data', (message: object) => over || handlers.message(message));
    // Without a listener an error would crash the process; the status says the same, and also when all was well.
    call.on('error', () => undefined);
    call.on('status', ({ code, details }) => {
      if (over) return;
      over = true;
      handlers.ended(
        code === status.OK
          ? { status: 'unavailable', message: `${this.endpoint} ended the stream` }
          : { status: statuses[code] ?? 'other', message: details },
      );
    });
    return {
      send: (message) => void (over || call.write(message)),
      cancel: () => {
        over = true;
        call.cancel();
      },
    };
  }

  close(): void {
    this.#client.close();
  }
}

function credentialsOf(tls: GrpcTls | undefined): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  const bytes = (pem: string | undefined): Buffer | null => (pem === undefined ? null : Buffer.from(pem));
  return credentials.createSsl(bytes(tls.ca), bytes(tls.key), bytes(tls.cert));
}

const nothing = new Metadata();

function metadataOf(values: RpcMetadata): Metadata {
  let metadata: Metadata | undefined;
  for (const [name, value] of Object.entries(values)) (metadata ??= new Metadata()).set(name, value);
  return metadata ?? nothing;
}

/** What a link failed with, and what to do where that is known. */
function reasonOf(message: string): string {
  const said = /Last error: (?:Error: )?(.*?)(?:\. Resolution note:.*)?$/s.exec(message)?.[1] ?? message;
  if (said.includes('wrong version number')) return 'it speaks no TLS; write etcd:// instead of etcds://';
  if (/^Failed to connect \(.*\)$/.test(said)) return 'it ended the link; if it speaks TLS, write etcds://';
  const isUntrusted = /self-signed certificate|unable to (?:get|verify)|certificate has expired/.test(said);
  return isUntrusted ? `${said.split(';')[0]}; give its authority: --ca, or the option tls` : said;
}

function failureOf(error: ServiceError): RpcFailure {
  return { status: statuses[error.code] ?? 'other', message: error.details };
}

interface Method {
  readonly path: string;
  readonly encode: (message: object) => Buffer;
  readonly decode: (bytes: Buffer) => object;
}

const methods = new Map<UnaryMethod | StreamMethod, Method>();

function methodOf(name: UnaryMethod | StreamMethod): Method {
  const known = methods.get(name);
  if (known !== undefined) return known;
  const path = `/etcdserverpb.${name.replace('.', '/')}`;
  const definition = loadEtcdProtos().methods.get(path);
  if (definition === undefined) throw new Error(`the protocol definitions have no method ${path}`);
  const method = { path, encode: encoder(definition.request), decode: decoder(definition.response) };
  methods.set(name, method);
  return method;
}

function encoder(codec: MessageCodec): Method['encode'] {
  return (message) => {
    const { buffer, byteOffset, byteLength } = codec.encode(message);
    return Buffer.from(buffer, byteOffset, byteLength);
  };
}

function decoder(codec: MessageCodec): Method['decode'] {
  return (bytes) => codec.decode(bytes);
}
