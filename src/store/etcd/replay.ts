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

/**
 * - `early`: the store has not come to the first revision that is wanted.
 * - `unknown`: it cannot be told: the bookmarks of the server remain.
 */
type Outcome = Promised | 'early' | 'unknown';

export interface Replay {
  readonly outcome: Promise<Outcome>;
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
  let settle: (outcome: Outcome) => void = () => undefined;
  const end = (result: Outcome): void => {
    if (state === 'over') return;
    state = 'over';
    feed?.leave();
    settle(result);
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
      compacted: () => end('unknown'),
      refused: () => end('unknown'),
      lost: () => read(seen, until, last),
    });
  };
  const outcome = new Promise<Outcome>((resolve) => (settle = resolve));
  newest().then(
    (until) => {
      if (until >= next) read(next, until, next - 1);
      else end(until === next - 1 ? { revision: until, after: until } : 'early');
    },
    () => end('unknown'),
  );
  return { outcome, stop: () => end('unknown') };
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
