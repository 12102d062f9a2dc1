// Proves up to which revision a watch has seen all. etcd's own answer to that question may overtake events
// (etcd-io/etcd#15220, before 3.4.25 and 3.5.8), or not come at all while one watch of the stream is behind. So the
// changes of all keys since the watch's last one are read once more: each revision has one, up to the newest.
// Invariant: what it answers was true on every version of etcd; where it cannot tell, it says so.
import type { KeyRange, Revision, WatchRequest } from '../contract.ts';
import type { EventMessage } from './messages.ts';
import type { Feed, WatchStreams } from './watch-streams.ts';

/** All changes up to `revision` were told once those up to `after` are. */
export interface Promised {
  readonly revision: Revision;
  readonly after: Revision;
}

export interface Replay {
  /** Undefined when it cannot be told: the bookmarks of the server remain. */
  readonly outcome: Promise<Promised | undefined>;
  stop(): void;
}

/**
 * @param next first revision that the watch has not seen
 * @param newest asks for the newest revision of the store
 */
export function startReplay(
  streams: WatchStreams,
  request: WatchRequest,
  next: Revision,
  newest: () => Promise<Revision>,
): Replay {
  let feed: Feed | undefined;
  let state: 'open' | 'over' = 'open';
  let settle: (promised: Promised | undefined) => void = () => undefined;
  const end = (promised: Promised | undefined): void => {
    if (state === 'over') return;
    state = 'over';
    feed?.leave();
    settle(promised);
  };
  const read = (from: Revision, until: Revision, after: Revision): void => {
    if (state === 'over') return;
    let seen = from;
    let last = after;
    feed = streams.attach({ key: new Uint8Array(), end: new Uint8Array() }, from, {
      attached: () => undefined,
      progress: () => undefined,
      events: (events) => {
        for (const event of events) {
          const revision = event.kv.mod_revision.toNumber();
          if (revision <= until && concerns(request, event)) last = revision;
          seen = revision + 1;
        }
        if (seen > until) end({ revision: until, after: last });
      },
      // Not to be read any more, or not by this user.
      compacted: () => end(undefined),
      refused: () => end(undefined),
      lost: () => read(seen, until, last),
    });
  };
  const outcome = new Promise<Promised | undefined>((resolve) => (settle = resolve));
  newest().then(
    (until) => (until < next ? end({ revision: next - 1, after: next - 1 }) : read(next, until, next - 1)),
    () => end(undefined),
  );
  return { outcome, stop: () => end(undefined) };
}

function concerns({ key, end, without }: WatchRequest & KeyRange, { type, kv }: EventMessage): boolean {
  if (without?.includes(type === 0 ? 'put' : 'delete') === true) return false;
  if (end === undefined) return compareBytes(kv.key, key) === 0;
  return compareBytes(kv.key, key) >= 0 && (end.length === 0 || compareBytes(kv.key, end) < 0);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
