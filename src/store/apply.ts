// The store's rules: what a command does to a keyspace, and what is answered. The same on every embedded engine.
// Invariant: a command is refused before anything of it is written; one that changes nothing adds no revision.
import { HoldfastError, type ErrorCode } from '../protocol/errors.ts';
import { limits } from '../protocol/limits.ts';
import { noBytes } from './bytes.ts';
import type { Command, HistoryRequest, Outcome, Refusal } from './commands.ts';
import { pathOf, type Path } from './compare.ts';
import type {
  DeleteRequest,
  DeleteResponse,
  KeyValue,
  LeaseId,
  Operation,
  OperationResponse,
  PutRequest,
  PutResponse,
  Revision,
  TxnRequest,
  TxnResponse,
} from './contract.ts';
import type { Change, Keyspace } from './keyspace.ts';
import { evaluateRange } from './range.ts';

/** The revision that a command writes, if it writes. */
interface Draft {
  readonly revision: Revision;
  readonly keyspace: Keyspace;
  readonly changes: Change[];
  /** Changes of this revision. */
  written: number;
}

/** Adds what it changes to `changes`; to be called between `begin` and `commit`. */
export function apply(keyspace: Keyspace, command: Command, changes: Change[]): Outcome {
  switch (command.type) {
    case 'range': {
      const refusal = refuseRevision(keyspace, command.revision);
      return refusal ?? evaluateRange(keyspace, command);
    }
    case 'put': {
      const refusal = refusePut(keyspace, command);
      return refusal ?? put(draft(keyspace, changes), command);
    }
    case 'delete':
      return remove(draft(keyspace, changes), command);
    case 'txn':
      return txn(keyspace, command, changes);
    case 'compact':
      return compact(keyspace, command.revision);
    // What it does is done when all is committed.
    case 'defragment':
      return { revision: keyspace.revision, left: 'more' };
    case 'status': {
      const { revision, compactRevision, sizeBytes } = keyspace;
      return { revision, compactRevision, sizeBytes };
    }
    case 'leases':
      return { revision: keyspace.revision, leases: keyspace.leases() };
    case 'history':
      return history(keyspace, command);
    default:
      return applyToLease(keyspace, command, changes);
  }
}

/**
 * Applies commands that came together, and commits them together. History is read when all is committed, so that
 * nothing lies between what it ends with and the first change of the next batch. When they cannot be committed, those
 * that write are refused, and those that read are answered.
 *
 * @throws HoldfastError what the keyspace throws with `started: 'unknown'`: nobody knows whether it was committed
 */
export function applyBatch(
  keyspace: Keyspace,
  commands: readonly Command[],
): { readonly changes: Change[]; readonly outcomes: Outcome[] } {
  const changes: Change[] = [];
  let outcomes: Outcome[] = [];
  keyspace.begin();
  try {
    for (const command of commands) outcomes.push(apply(keyspace, command, changes));
    keyspace.commit();
  } catch (error) {
    keyspace.rollback();
    if (error instanceof HoldfastError && error.started === 'unknown') throw error;
    changes.length = 0;
    outcomes = commands.map((command) =>
      reads(command) ? apply(keyspace, command, changes) : refuseWrite(error),
    );
  }
  for (const [index, command] of commands.entries()) {
    if (command.type === 'history') outcomes[index] = history(keyspace, command);
    else if (command.type === 'defragment') outcomes[index] = defragment(keyspace);
  }
  return { changes, outcomes };
}

function defragment(keyspace: Keyspace): Outcome {
  try {
    return { revision: keyspace.revision, left: keyspace.defragment() };
  } catch (error) {
    return refuseWrite(error);
  }
}

function reads(command: Command): boolean {
  const { type } = command;
  if (type === 'txn') return [...(command.success ?? []), ...(command.failure ?? [])].every(reads);
  return (
    type === 'range' ||
    type === 'status' ||
    type === 'defragment' ||
    type === 'history' ||
    type === 'leases' ||
    type === 'leaseKeys'
  );
}

function refuseWrite(error: unknown): Refusal {
  const why = error instanceof Error ? error.message : String(error);
  return refused(
    'store_failed',
    `the store cannot write (${why}); nothing of it was written, and reads go on`,
  );
}

function draft(keyspace: Keyspace, changes: Change[]): Draft {
  return { revision: keyspace.revision + 1, keyspace, changes, written: 0 };
}

function refused(code: ErrorCode, message: string, limit?: Revision): Refusal {
  return { refused: code, message, limit };
}

function refuseRevision(keyspace: Keyspace, at: Revision | undefined): Refusal | undefined {
  if (at === undefined || at <= 0) return undefined;
  const { revision, compactRevision } = keyspace;
  if (at > revision) {
    return refused('future_revision', `revision ${at} is still to come; the newest is ${revision}`, revision);
  }
  return at < compactRevision ? refuseCompacted(at, compactRevision) : undefined;
}

function refuseCompacted(at: Revision, floor: Revision): Refusal {
  return refused('compacted', `revision ${at} is compacted; the oldest that is there is ${floor}`, floor);
}

function refuseLease(id: LeaseId): Refusal {
  return refused(
    'lease_not_found',
    `lease ${id} does not exist; it expired, was revoked or was never granted`,
  );
}

function refusePut(keyspace: Keyspace, request: PutRequest): Refusal | undefined {
  const { key, lease, ignoreValue, ignoreLease } = request;
  if ((ignoreValue === true || ignoreLease === true) && keyspace.get(key) === undefined) {
    return refused('key_not_found', 'a put that keeps the value or the lease needs a key that exists');
  }
  return lease !== undefined && keyspace.lease(lease) === undefined ? refuseLease(lease) : undefined;
}

function put(to: Draft, request: PutRequest): PutResponse {
  const { key, value = noBytes, lease, ignoreValue, ignoreLease } = request;
  const previous = to.keyspace.get(key);
  const entry: KeyValue = {
    key,
    value: ignoreValue === true ? (previous?.value ?? noBytes) : value,
    createRevision: previous?.createRevision ?? to.revision,
    modRevision: to.revision,
    version: (previous?.version ?? 0) + 1,
    lease: ignoreLease === true ? previous?.lease : lease,
  };
  write(to, { type: 'put', sub: to.written, entry, previous });
  return request.previous === true ? { revision: to.revision, previous } : { revision: to.revision };
}

function remove(to: Draft, request: DeleteRequest): DeleteResponse {
  const all = { keysOnly: false, descending: false };
  const gone = [...to.keyspace.scan(request, undefined, all)];
  for (const previous of gone) removeOne(to, previous);
  return {
    revision: to.keyspace.revision,
    deleted: gone.length,
    previous: request.previous === true ? gone : [],
  };
}

function removeOne(to: Draft, previous: KeyValue): void {
  const entry = {
    key: previous.key,
    value: noBytes,
    createRevision: 0,
    modRevision: to.revision,
    version: 0,
  };
  write(to, { type: 'delete', sub: to.written, entry, previous });
}

function write(to: Draft, change: Change): void {
  to.keyspace.write(to.revision, [change]);
  to.changes.push(change);
  to.written += 1;
}

/** As etcd does it: first all comparisons, nested ones too, then what may be refused, then the operations. */
function txn(keyspace: Keyspace, request: TxnRequest, changes: Change[]): Outcome {
  const path = pathOf(keyspace, request);
  const refusal = refuseTxn(keyspace, path);
  if (refusal !== undefined) return refusal;
  const to = draft(keyspace, changes);
  const response = takePath(to, path);
  return withRevision(response, keyspace.revision);
}

function refuseTxn(keyspace: Keyspace, path: Path): Refusal | undefined {
  let nested = 0;
  for (const operation of path.operations) {
    let refusal: Refusal | undefined;
    if (operation.type === 'put') refusal = refusePut(keyspace, operation);
    else if (operation.type === 'range') refusal = refuseRevision(keyspace, operation.revision);
    else if (operation.type === 'txn') refusal = refuseTxn(keyspace, path.nested[nested++] as Path);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function takePath(to: Draft, { succeeded, operations, nested }: Path): TxnResponse {
  let next = 0;
  const responses = operations.map((operation) =>
    operation.type === 'txn'
      ? { type: 'txn' as const, ...takePath(to, nested[next++] as Path) }
      : operate(to, operation),
  );
  return { revision: to.keyspace.revision, succeeded, responses };
}

function operate(to: Draft, operation: Exclude<Operation, { type: 'txn' }>): OperationResponse {
  switch (operation.type) {
    case 'range':
      return { type: 'range', ...evaluateRange(to.keyspace, operation) };
    case 'put':
      return { type: 'put', ...put(to, operation) };
    case 'delete':
      return { type: 'delete', ...remove(to, operation) };
  }
}

/** A transaction and those within it are at one revision. */
function withRevision(response: TxnResponse, revision: Revision): TxnResponse {
  const responses = response.responses.map((inner) =>
    inner.type === 'txn' ? { type: 'txn' as const, ...withRevision(inner, revision) } : inner,
  );
  return { ...response, revision, responses };
}

function compact(keyspace: Keyspace, at: Revision): Outcome {
  const { revision, compactRevision } = keyspace;
  if (at > revision) {
    return refused('future_revision', `revision ${at} is still to come; the newest is ${revision}`, revision);
  }
  if (at <= compactRevision) return refuseCompacted(at, compactRevision);
  keyspace.compact(at);
  return { revision };
}

type LeaseCommand = Extract<Command, { readonly id: LeaseId }>;

function applyToLease(keyspace: Keyspace, command: LeaseCommand, changes: Change[]): Outcome {
  const { id, type } = command;
  const { revision } = keyspace;
  const record = keyspace.lease(id);
  if (type === 'grant') {
    if (record !== undefined) return refused('lease_exists', `lease ${id} exists already; choose another id`);
    const { ttlSeconds } = command;
    keyspace.putLease({ id, grantedSeconds: ttlSeconds, remainingMs: ttlSeconds * 1_000 });
    return { revision };
  }
  if (record === undefined) return refuseLease(id);
  if (type === 'leaseKeys') return { revision, keys: keyspace.keysOf(id) };
  if (type === 'saveLease') {
    keyspace.putLease({ ...record, remainingMs: command.remainingMs });
    return { revision };
  }
  const to = draft(keyspace, changes);
  for (const key of keyspace.keysOf(id)) removeOne(to, keyspace.get(key) as KeyValue);
  keyspace.deleteLease(id);
  return { revision: keyspace.revision };
}

function history(keyspace: Keyspace, request: HistoryRequest): Outcome {
  const { revision, compactRevision } = keyspace;
  const { from } = request;
  if (from < compactRevision) return refuseCompacted(from, compactRevision);
  const to = Math.min(revision, from + limits.maxHistoryRevisions - 1);
  const most = { changes: limits.maxHistoryChanges, bytes: limits.maxHistoryBytes };
  const { changes, through } = keyspace.history(request, from, to, most);
  return { revision, changes, through };
}
