// What the store asks of the place where its keyspace lives, and what that answers: plain data, so that it can cross threads.
// Invariant: each command has one outcome: its answer, or a refusal.
import type { ErrorCode } from '../protocol/errors.ts';
import type {
  Answer,
  DeleteResponse,
  KeyRange,
  LeaseId,
  Operation,
  PutResponse,
  RangeResponse,
  Revision,
  StoreStatus,
  TxnResponse,
} from './contract.ts';
import type { Change, LeaseRecord } from './keyspace.ts';

/** Requests have been checked (`checks.ts`): what is left to refuse depends on the keyspace. */
export type Command =
  | Operation
  | { readonly type: 'compact'; readonly revision: Revision }
  /** One step of it. */
  | { readonly type: 'defragment' }
  | { readonly type: 'status' }
  | { readonly type: 'grant'; readonly id: LeaseId; readonly ttlSeconds: number }
  | { readonly type: 'revoke'; readonly id: LeaseId }
  /** Writes down how much of a lease's time is left. */
  | { readonly type: 'saveLease'; readonly id: LeaseId; readonly remainingMs: number }
  | { readonly type: 'leaseKeys'; readonly id: LeaseId }
  | { readonly type: 'leases' }
  | ({ readonly type: 'history' } & HistoryRequest);

export interface HistoryRequest extends KeyRange {
  readonly from: Revision;
}

/** All changes within the range of the revisions from `from` to `through`, in order. */
export interface History extends Answer {
  readonly changes: readonly Change[];
  /** When it equals `revision`, there is no more: what is committed later has not been told before this answer. */
  readonly through: Revision;
}

export interface Answers {
  readonly range: RangeResponse;
  readonly put: PutResponse;
  readonly delete: DeleteResponse;
  readonly txn: TxnResponse;
  readonly compact: Answer;
  readonly defragment: Answer & { readonly left: 'more' | 'nothing' };
  readonly status: Omit<StoreStatus, 'engine'>;
  readonly grant: Answer;
  readonly revoke: Answer;
  readonly saveLease: Answer;
  readonly leaseKeys: Answer & { readonly keys: readonly Uint8Array[] };
  readonly leases: Answer & { readonly leases: readonly LeaseRecord[] };
  readonly history: History;
}

/** Nothing of it was applied. */
export interface Refusal {
  readonly refused: ErrorCode;
  readonly message: string;
  /** For `compacted`: the oldest revision that is still there. For `future_revision`: the newest. */
  readonly limit?: Revision | undefined;
}

export type Outcome = Answers[keyof Answers] | Refusal;

export function isRefusal(outcome: Outcome): outcome is Refusal {
  return 'refused' in outcome;
}
