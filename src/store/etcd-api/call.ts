// Calls as the etcd API sees them, whatever transport carries them.
// Invariant: a call ends once, with a status; who serves it knows messages, not bytes.

/** gRPC's codes (https://grpc.io/docs/guides/status-codes/), as far as etcd uses them. */
export const StatusCode = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

/** How a call failed, in the words that clients match on. */
export class StatusError extends Error {
  override readonly name = 'StatusError';
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export interface Metadata {
  /** By its name in lower case. */
  get(name: string): string | undefined;
}

/** The sending half of a streaming call. */
export interface Replies {
  /** `wait`: much has not left yet; `drained` follows. What is sent all the same is kept. */
  send(message: object): 'more' | 'wait';
  /** Bytes that were sent and wait for a client that does not read. */
  readonly bufferedBytes: number;
  /** Ends the call; without an error it ended well. What comes later is dropped. */
  end(error?: StatusError): void;
}

/** The receiving half. Nothing is called after `closed`. */
export interface Requests {
  message(message: object): void;
  /** The client has sent all that it will. */
  ended(): void;
  drained(): void;
  /** Once, last: the call is over, whoever ended it. */
  closed(): void;
}

/** Serves one method. Messages are etcd's; what is thrown, if not a StatusError, is answered as an unknown error. */
export type Method =
  | { readonly type: 'unary'; answer(request: object, metadata: Metadata): Promise<object> | object }
  | { readonly type: 'stream'; open(replies: Replies, metadata: Metadata): Requests };

/** By path, such as `/etcdserverpb.KV/Put`. */
export type Methods = ReadonlyMap<string, Method>;
