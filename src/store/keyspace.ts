// The keys, values and history that an embedded engine keeps, as its storage offers them: synchronous, one writer.
// Invariant: all that changes it happens between `begin` and `commit`; reads see it at once, and never after `rollback`.
import type { KeyRange, KeyValue, LeaseId, Revision } from './contract.ts';

/** One change within a revision. `sub` counts those of one revision, from 0. */
export interface Change {
  readonly type: 'put' | 'delete';
  readonly sub: number;
  /** Of a deletion: key and `modRevision`; the rest is 0 and empty. */
  readonly entry: KeyValue;
  /** What the key held before; unknown (undefined) when that is compacted. */
  readonly previous: KeyValue | undefined;
}

/** How much of the history is read at once. */
export interface Page {
  readonly changes: number;
  /** Of keys and values, the earlier values aside. */
  readonly bytes: number;
}

export interface ChangesThrough {
  readonly changes: readonly Change[];
  readonly through: Revision;
}

export interface LeaseRecord {
  readonly id: LeaseId;
  readonly grantedSeconds: number;
  /** As of the last time that it was written: a duration in milliseconds, never a point in time. */
  readonly remainingMs: number;
}

/**
 * Whoever calls it has checked the request: revisions that are asked for are neither compacted nor to come, leases exist.
 * Entries and changes that it hands out or was handed are not changed by anyone.
 */
export interface Keyspace {
  /** Of the last change; 1 before the first. */
  readonly revision: Revision;
  /** −1 before the first compaction. */
  readonly compactRevision: Revision;
  /** Bytes that it takes where it stores. */
  readonly sizeBytes: number;
  begin(): void;
  /** What was written since `begin` is durable when this returns, where the storage is. */
  commit(): void;
  rollback(): void;
  /** The entry at a revision that is neither compacted nor to come. @default at: the newest */
  get(key: Uint8Array, at?: Revision): KeyValue | undefined;
  /** In the order of the keys. Reading may stop early. */
  scan(
    range: KeyRange,
    at: Revision | undefined,
    options: { readonly keysOnly: boolean; readonly descending: boolean },
  ): Iterable<KeyValue>;
  count(range: KeyRange, at?: Revision): number;
  /**
   * Changes become part of `revision`, which is the newest from now on. May be called again for the same revision, with
   * further changes of other keys. Keys move to the lease of their entry, and leave that of the entry before.
   */
  write(revision: Revision, changes: readonly Change[]): void;
  /**
   * Changes within `range` of the revisions from `from` to `to`, both included, in order. It may stop once `most` is
   * reached, after all of a revision: `through` is the last revision whose changes are all there.
   */
  history(range: KeyRange, from: Revision, to: Revision, most: Page): ChangesThrough;
  /** Forgets what was overwritten or deleted before `revision`; its own changes stay, without what was before them. */
  compact(revision: Revision): void;
  /**
   * Gives back to the disk a slice of what compaction freed, outside of transactions; tells whether more is left.
   *
   * @throws what keeps it from that, a full disk for one
   */
  defragment(): 'more' | 'nothing';
  /** The keys of a lease, in order. */
  keysOf(lease: LeaseId): readonly Uint8Array[];
  leases(): readonly LeaseRecord[];
  lease(id: LeaseId): LeaseRecord | undefined;
  /** Adds it, or takes the place of the record of the same id. */
  putLease(record: LeaseRecord): void;
  /** A lease without keys. */
  deleteLease(id: LeaseId): void;
  close(): void;
}
