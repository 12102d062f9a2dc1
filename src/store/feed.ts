// The one stream of committed changes, and the watches that follow it.
// Invariant: a watch on the feed is told of every change in its range, in order, once, and of whole revisions only.
import type { KeyRange, Revision, WatchEvent } from './contract.ts';
import type { Change } from './keyspace.ts';
import { RangeIndex } from './range-index.ts';

export interface Follower {
  readonly range: KeyRange;
  readonly wantsPrevious: boolean;
  /** Keeps an event of this revision if it wants it; answers `first` when it wants to be flushed for it. */
  hold(event: WatchEvent, revision: Revision): 'first' | 'more' | 'none';
  /** All changes up to the feed's revision were held. */
  flush(): void;
}

/** Of a change, for watches that want what was before, or do not. */
export function eventOf({ type, entry, previous }: Change, wantsPrevious: boolean): WatchEvent {
  return wantsPrevious && previous !== undefined ? { type, entry, previous } : { type, entry };
}

export class Feed {
  /** Newest revision of which all followers on the feed have been told, or are being told. */
  revision: Revision;
  readonly #followers = new RangeIndex<Follower>();
  #expectant = new Set<Follower>();

  constructor(revision: Revision) {
    this.revision = revision;
  }

  attach(follower: Follower): void {
    this.#followers.add(follower.range, follower);
  }

  /** Does nothing for one that is not on the feed. */
  detach(follower: Follower): void {
    this.#followers.delete(follower.range, follower);
    this.#expectant.delete(follower);
  }

  /** Flushes it after the next delivery, whether something was held or not. */
  expect(follower: Follower): void {
    this.#expectant.add(follower);
  }

  /** Whole revisions, in order. */
  deliver(changes: readonly Change[]): void {
    const touched: Follower[] = [];
    for (const change of changes) {
      const revision = change.entry.modRevision;
      let plain: WatchEvent | undefined;
      let full: WatchEvent | undefined;
      this.#followers.visit(change.entry.key, (follower) => {
        const event = follower.wantsPrevious
          ? (full ??= eventOf(change, true))
          : (plain ??= eventOf(change, false));
        if (follower.hold(event, revision) === 'first') touched.push(follower);
      });
    }
    this.revision = changes.at(-1)?.entry.modRevision ?? this.revision;
    // Only now is anybody called: who begins to watch in a call begins after these changes.
    for (const follower of touched) follower.flush();
    if (this.#expectant.size === 0) return;
    const expectant = this.#expectant;
    this.#expectant = new Set();
    for (const follower of expectant) follower.flush();
  }
}
