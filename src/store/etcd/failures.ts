// What etcd and gRPC say when something fails, as errors of the store.
// Invariant: an error says `notStarted` only where etcd refused before it proposed, so that a write may be made again.
import { HoldfastError, type ErrorCode } from '../../protocol/errors.ts';
import type { RpcFailure } from './transport.ts';

/** What may be done about a failure besides telling it. */
export type Remedy =
  /** Nothing happened at the member: the same request may go to another, be it a read or a write. */
  | 'elsewhere'
  /** It may have happened: only a read may go to another member. */
  | 'readElsewhere'
  /** Nothing happened: the token is out of date. */
  | 'newToken'
  /** The answer is final. */
  | 'none';

interface Refusal {
  readonly code: ErrorCode;
  readonly remedy?: Remedy;
  readonly retryable?: boolean;
  /** What to do, for the message. */
  readonly advice?: string;
}

/** By the words that etcd's own clients match on (etcd: api/v3rpc/rpctypes/error.go). */
const refusals: readonly (readonly [words: string, refusal: Refusal])[] = [
  ['required revision has been compacted', { code: 'compacted' }],
  ['required revision is a future revision', { code: 'future_revision' }],
  ['etcdserver: key is not provided', { code: 'invalid_argument' }],
  ['etcdserver: key not found', { code: 'key_not_found' }],
  ['etcdserver: value is provided', { code: 'invalid_argument' }],
  ['etcdserver: lease is provided', { code: 'invalid_argument' }],
  ['etcdserver: too many operations in txn request', { code: 'too_many_operations' }],
  ['etcdserver: duplicate key given in txn request', { code: 'duplicate_key' }],
  ['etcdserver: invalid sort option', { code: 'invalid_argument' }],
  ['etcdserver: requested lease not found', { code: 'lease_not_found' }],
  ['etcdserver: lease already exists', { code: 'lease_exists' }],
  ['etcdserver: too large lease TTL', { code: 'invalid_argument' }],
  ['etcdserver: request is too large', { code: 'value_too_large' }],
  ['received message larger than max', { code: 'value_too_large' }],
  [
    'etcdserver: mvcc: database space exceeded',
    { code: 'store_failed', advice: 'compact and defragment it' },
  ],
  ['etcdserver: too many requests', { code: 'store_failed', retryable: true, advice: 'ask less often' }],
  ['etcdserver: permission denied', { code: 'store_failed', advice: 'grant the user a role for these keys' }],
  [
    'etcdserver: authentication failed',
    { code: 'store_failed', advice: 'check the user and password of the URL' },
  ],
  ['etcdserver: user name is empty', { code: 'store_failed', advice: 'give a user and password in the URL' }],
  ['etcdserver: invalid auth token', { code: 'store_failed', remedy: 'newToken' }],
  ['etcdserver: revision of auth store is old', { code: 'store_failed', remedy: 'newToken' }],
  ['etcdserver: no leader', { code: 'store_failed', remedy: 'elsewhere', retryable: true }],
  ['etcdserver: not leader', { code: 'store_failed', remedy: 'elsewhere', retryable: true }],
  ['rpc not supported for learner', { code: 'store_failed', remedy: 'elsewhere', retryable: true }],
];

/** A request that failed: what to tell, and what may be done instead. */
export interface Failed {
  readonly error: HoldfastError;
  readonly remedy: Remedy;
}

/**
 * @param what the request in words, for the message: `put`, `watch of /a`
 */
export function failedRequest(what: string, endpoint: string, failure: RpcFailure): Failed {
  const found = refusals.find(([words]) => failure.message.includes(words))?.[1];
  if (found === undefined) return { error: unanswered(what, endpoint, failure), remedy: 'readElsewhere' };
  const { code, remedy = 'none', retryable = false, advice } = found;
  const said = `${what}: ${failure.message} (${endpoint})${advice === undefined ? '' : `; ${advice}`}`;
  const blame = code === 'store_failed' ? 'remote' : 'local';
  return { error: new HoldfastError(said, { code, retryable, blame, started: 'notStarted' }), remedy };
}

function unanswered(what: string, endpoint: string, { status, message }: RpcFailure): HoldfastError {
  return new HoldfastError(
    `${what}: no answer from ${endpoint} (${status}: ${message}); whether it happened is not known`,
    { code: 'store_failed', retryable: true, blame: 'remote', started: 'unknown' },
  );
}
