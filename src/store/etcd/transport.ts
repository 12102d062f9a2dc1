// What the engine needs of gRPC: unary calls and bidirectional streams to one member of an etcd cluster.
// Invariant: types only. Waiting is not the transport's part: it has no deadlines, so no stream dies of one.

/** Status codes of gRPC that the engine tells apart (https://grpc.io/docs/guides/status-codes/). */
export type RpcStatus =
  | 'cancelled'
  | 'unknown'
  | 'invalid_argument'
  | 'deadline_exceeded'
  | 'not_found'
  | 'permission_denied'
  | 'resource_exhausted'
  | 'failed_precondition'
  | 'out_of_range'
  | 'unimplemented'
  | 'internal'
  | 'unavailable'
  | 'unauthenticated'
  | 'other';

/** How a call or a stream ended, other than well. */
export interface RpcFailure {
  readonly status: RpcStatus;
  /** What the server said, or the transport about its link. */
  readonly message: string;
}

/** Methods by service and name, as the protocol definitions of etcd have them. */
export type UnaryMethod =
  | 'KV.Range'
  | 'KV.Put'
  | 'KV.DeleteRange'
  | 'KV.Txn'
  | 'KV.Compact'
  | 'Lease.LeaseGrant'
  | 'Lease.LeaseRevoke'
  | 'Lease.LeaseTimeToLive'
  | 'Lease.LeaseLeases'
  | 'Maintenance.Defragment'
  | 'Maintenance.Status'
  | 'Auth.Authenticate';

export type StreamMethod = 'Watch.Watch' | 'Lease.LeaseKeepAlive';

/** Metadata of a call: `token`, and `hasleader` on streams that must not outlive their member's contact with the leader. */
export type RpcMetadata = Readonly<Record<string, string>>;

export interface RpcCall {
  /** Ends it at once, on the server too. Nothing is told afterwards. */
  cancel(): void;
}

export interface UnaryHandlers {
  answered(response: object): void;
  failed(failure: RpcFailure): void;
}

export interface StreamHandlers {
  message(message: object): void;
  /** Once, last. A stream that the server ends well is a failure too: the engine's streams have no end. */
  ended(failure: RpcFailure): void;
}

export interface RpcStream extends RpcCall {
  send(message: object): void;
}

/** One connection to one member, which is dialled when it is needed. */
export interface Channel {
  readonly endpoint: string;
  /** Whether a call would be sent at once. */
  readonly ready: boolean;
  /** Dials, if need be. Calls back once: undefined when ready, else why the present attempt failed. */
  dial(done: (failure: RpcFailure | undefined) => void): void;
  /** Of a channel that is `ready`; on others it may fail without having been sent. */
  unary(method: UnaryMethod, request: object, metadata: RpcMetadata, handlers: UnaryHandlers): RpcCall;
  stream(method: StreamMethod, metadata: RpcMetadata, handlers: StreamHandlers): RpcStream;
  /** Ends all its calls and streams. */
  close(): void;
}

export interface Transport {
  /** @param endpoint `host:port` */
  channel(endpoint: string): Channel;
}
