// What can go wrong, with a literal code, and what a caller can do about it.
// Invariant: every error that Holdfast throws to its users is a HoldfastError.

export type ErrorCode =
  | 'invalid_option'
  | 'invalid_argument'
  | 'timed_out'
  | 'cancelled'
  | 'lost'
  | 'queue_full'
  | 'no_node'
  | 'function_failed'
  | 'value_too_large'
  | 'not_connected'
  | 'registration_refused'
  | 'replaced'
  | 'protocol_violation'
  | 'unsupported'
  | 'compacted'
  | 'future_revision'
  | 'key_not_found'
  | 'lease_not_found'
  | 'lease_exists'
  | 'duplicate_key'
  | 'too_many_operations'
  | 'store_failed'
  | 'stopped';

export interface HoldfastErrorOptions {
  readonly code: ErrorCode;
  /** Whether the same request may succeed later, and may be made again without harm. */
  readonly retryable?: boolean;
  /** Whose fault it was. */
  readonly blame?: 'local' | 'remote';
  readonly cause?: unknown;
  /** For `lost`: whether the function may have been executed. For writes to a store: whether they may have happened. */
  readonly started?: 'notStarted' | 'unknown';
  /** For calls: the node that had it. */
  readonly node?: string | undefined;
  /** For `compacted`: the oldest revision that is still there. For `future_revision`: the newest. */
  readonly revision?: number | undefined;
}

export class HoldfastError extends Error {
  override readonly name: string = 'HoldfastError';
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly blame: 'local' | 'remote';
  readonly started: 'notStarted' | 'unknown' | undefined;
  readonly node: string | undefined;
  readonly revision: number | undefined;

  constructor(message: string, options: HoldfastErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.retryable = options.retryable ?? false;
    this.blame = options.blame ?? 'local';
    this.started = options.started;
    this.node = options.node;
    this.revision = options.revision;
  }
}

/** A function on a node threw: its name, message and stack as the node saw them. */
export class RemoteFunctionError extends HoldfastError {
  override readonly name = 'RemoteFunctionError';
  readonly remoteName: string;
  readonly remoteStack: string | undefined;

  constructor(
    message: string,
    remote: { name: string; stack?: string | undefined; node?: string | undefined },
  ) {
    super(message, { code: 'function_failed', blame: 'remote', node: remote.node });
    this.remoteName = remote.name;
    this.remoteStack = remote.stack;
  }
}

/** A peer broke the protocol: the connection is closed with this code and reason. */
export class ProtocolViolation extends HoldfastError {
  override readonly name = 'ProtocolViolation';
  readonly closeCode: number;

  constructor(closeCode: number, message: string) {
    super(message, { code: 'protocol_violation', blame: 'remote' });
    this.closeCode = closeCode;
  }
}
