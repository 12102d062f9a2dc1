// Refuses requests that no keyspace could carry out, with etcd's rules.
// Invariant: looks at the request alone.
import { HoldfastError, type ErrorCode } from '../protocol/errors.ts';
import { limits } from '../protocol/limits.ts';
import type {
  DeleteRequest,
  KeyRange,
  LeaseId,
  PutRequest,
  RangeRequest,
  Revision,
  WatchRequest,
} from './contract.ts';

export function refuse(message: string, code: ErrorCode = 'invalid_argument'): never {
  throw new HoldfastError(message, { code, started: 'notStarted' });
}

/** For messages, where callers without types may have given anything. */
function shown(value: unknown): string {
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

export function checkBytes(name: string, bytes: unknown): void {
  if (!(bytes instanceof Uint8Array))
    refuse(`${name} is ${typeof bytes}; give bytes (new TextEncoder().encode(text))`);
}

export function checkOneOf(name: string, value: string, allowed: readonly string[]): void {
  if (!allowed.includes(value)) refuse(`${name} is ${shown(value)}; it is one of ${allowed.join(', ')}`);
}

export function checkKey({ key, end }: KeyRange): void {
  checkBytes('key', key);
  if (end !== undefined) checkBytes('end', end);
  if (key.length === 0 && end === undefined) refuse('the key is empty; the first possible key is one byte 0');
}

export function checkRevision(name: string, revision: Revision | undefined): void {
  if (revision !== undefined && !Number.isSafeInteger(revision))
    refuse(`${name} is ${shown(revision)}; give a whole number`);
}

const MAX_ID = 2n ** 63n;

/** @throws HoldfastError `invalid_argument` for anything but an int64 other than 0, in its shortest form */
export function checkLeaseId(id: LeaseId): void {
  if (typeof id === 'string' && /^-?[1-9][0-9]{0,18}$/.test(id)) {
    const number = BigInt(id);
    if (number < MAX_ID && number >= -MAX_ID) return;
  }
  refuse(`lease id ${shown(id)}: give a whole number other than 0 that fits 64 bits, as text`);
}

export function checkTtl(ttlSeconds: number): void {
  if (!Number.isSafeInteger(ttlSeconds) || ttlSeconds < 1 || ttlSeconds > limits.maxLeaseSeconds)
    refuse(`ttlSeconds is ${shown(ttlSeconds)}; give whole seconds from 1 to ${limits.maxLeaseSeconds}`);
}

const revisionFilters = [
  'minModRevision',
  'maxModRevision',
  'minCreateRevision',
  'maxCreateRevision',
] as const;
const sortable = ['key', 'version', 'createRevision', 'modRevision', 'value'];

export function checkRange(request: RangeRequest): void {
  checkKey(request);
  checkRevision('revision', request.revision);
  checkRevision('limit', request.limit);
  for (const name of revisionFilters) checkRevision(name, request[name]);
  if (request.sort !== undefined) checkOneOf('sort.by', request.sort.by, sortable);
}

export function checkPut(request: PutRequest): void {
  const { value, lease, ignoreValue, ignoreLease } = request;
  checkKey({ key: request.key });
  if (value !== undefined) checkBytes('value', value);
  if (lease !== undefined) checkLeaseId(lease);
  if (ignoreValue === true && value !== undefined && value.length > 0)
    refuse('a put gives a value and asks to keep the present one; leave one of them out');
  if (ignoreLease === true && lease !== undefined)
    refuse('a put gives a lease and asks to keep the present one; leave one of them out');
}

export function checkDelete(request: DeleteRequest): void {
  checkKey(request);
}

export function checkWatch(request: WatchRequest): void {
  checkKey(request);
  const { startRevision, without = [] } = request;
  for (const type of without) checkOneOf('without', type, ['put', 'delete']);
  checkRevision('startRevision', startRevision);
  if (startRevision !== undefined && startRevision < 1)
    refuse(`startRevision is ${shown(startRevision)}; the first revision is 1`);
}
