// How a store's errors are said to etcd's clients.
// Invariant: codes and messages are etcd's, to the letter: clients compare them.
import { HoldfastError } from '../../protocol/errors.ts';
import { StatusCode, StatusError } from './call.ts';

const { INVALID_ARGUMENT, NOT_FOUND, OUT_OF_RANGE, FAILED_PRECONDITION, RESOURCE_EXHAUSTED } = StatusCode;
const { UNAVAILABLE, UNAUTHENTICATED, UNIMPLEMENTED, UNKNOWN } = StatusCode;

const said = {
  emptyKey: [INVALID_ARGUMENT, 'etcdserver: key is not provided'],
  keyNotFound: [INVALID_ARGUMENT, 'etcdserver: key not found'],
  valueProvided: [INVALID_ARGUMENT, 'etcdserver: value is provided'],
  leaseProvided: [INVALID_ARGUMENT, 'etcdserver: lease is provided'],
  invalidSort: [INVALID_ARGUMENT, 'etcdserver: invalid sort option'],
  tooManyOperations: [INVALID_ARGUMENT, 'etcdserver: too many operations in txn request'],
  duplicateKey: [INVALID_ARGUMENT, 'etcdserver: duplicate key given in txn request'],
  requestTooLarge: [INVALID_ARGUMENT, 'etcdserver: request is too large'],
  compacted: [OUT_OF_RANGE, 'etcdserver: mvcc: required revision has been compacted'],
  futureRevision: [OUT_OF_RANGE, 'etcdserver: mvcc: required revision is a future revision'],
  tooManyRequests: [RESOURCE_EXHAUSTED, 'etcdserver: too many requests'],
  noSpace: [RESOURCE_EXHAUSTED, 'etcdserver: mvcc: database space exceeded'],
  leaseNotFound: [NOT_FOUND, 'etcdserver: requested lease not found'],
  leaseExists: [FAILED_PRECONDITION, 'etcdserver: lease already exists'],
  leaseTooLong: [OUT_OF_RANGE, 'etcdserver: too large lease TTL'],
  userEmpty: [INVALID_ARGUMENT, 'etcdserver: user name is empty'],
  authFailed: [INVALID_ARGUMENT, 'etcdserver: authentication failed, invalid user ID or password'],
  authNotEnabled: [FAILED_PRECONDITION, 'etcdserver: authentication is not enabled'],
  invalidToken: [UNAUTHENTICATED, 'etcdserver: invalid auth token'],
  timedOut: [UNAVAILABLE, 'etcdserver: request timed out'],
  stopped: [UNAVAILABLE, 'etcdserver: server stopped'],
} as const satisfies Record<string, readonly [code: number, message: string]>;

export function statusError(name: keyof typeof said): StatusError {
  const [code, message] = said[name];
  return new StatusError(code, message);
}

/** For what etcd has and a store has not. */
export function notOffered(what: string): StatusError {
  return new StatusError(UNIMPLEMENTED, `holdfast: ${what}`);
}

/** What any store may answer; what the requests themselves get wrong is found out before a store sees them. */
export function toStatusError(error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  if (!(error instanceof HoldfastError)) return new StatusError(UNKNOWN, String((error as Error).message));
  switch (error.code) {
    case 'compacted':
      return statusError('compacted');
    case 'future_revision':
      return statusError('futureRevision');
    case 'key_not_found':
      return statusError('keyNotFound');
    case 'lease_not_found':
      return statusError('leaseNotFound');
    case 'lease_exists':
      return statusError('leaseExists');
    case 'duplicate_key':
      return statusError('duplicateKey');
    case 'too_many_operations':
      return statusError('tooManyOperations');
    case 'value_too_large':
      return statusError('requestTooLarge');
    case 'timed_out':
      return statusError('timedOut');
    case 'stopped':
      return statusError('stopped');
    case 'invalid_argument':
      return new StatusError(INVALID_ARGUMENT, `holdfast: ${error.message}`);
    default:
      // Where a disk is full, reads go on: that is what etcd's own alarm means.
      return isFull(error)
        ? statusError('noSpace')
        : new StatusError(UNAVAILABLE, `holdfast: ${error.message}`);
  }
}

function isFull(error: HoldfastError): boolean {
  return /disk is full|ENOSPC|SQLITE_FULL/i.test(`${error.message} ${String(error.cause ?? '')}`);
}
