// All that a store still knows, as the rows of etcd's own table: one row a change, under its revision.
// Invariant: what `recordsOf` yields is in the order of the revisions, and the same for the same changes on every engine.
import { noBytes } from '../bytes.ts';
import type { KeyValue, Revision, Store, WatchEvent, WatchHandle } from '../contract.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import { wireEntry, type WireEntry } from './messages.ts';

/** One change. `sub` counts those of one revision, from 0. */
interface Change {
  readonly type: 'put' | 'delete';
  readonly main: Revision;
  readonly sub: number;
  readonly entry: KeyValue;
}

export interface History {
  readonly revision: Revision;
  /** −1 before the first compaction. */
  readonly compactRevision: Revision;
  /** What held at the compaction, changed at or before it; then all that changed since. */
  readonly changes: readonly Change[];
}

export interface Row {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

const everything = { key: Uint8Array.of(0), end: noBytes };
/** A compaction may come in between; then once more. */
const ATTEMPTS = 5;

/**
 * Reads the history up to `upTo`, in memory: it takes as much as the store's content does.
 * @throws HoldfastError `compacted`, `future_revision`
 */
export async function readHistory(store: Store, upTo?: Revision): Promise<History> {
  for (let attempt = 1; ; attempt++) {
    const { revision: newest, compactRevision } = await store.status();
    const revision = upTo ?? newest;
    if (revision > newest)
      throw new HoldfastError(`revision ${revision} is to come`, { code: 'future_revision' });
    if (revision <= compactRevision && upTo !== undefined) {
      throw new HoldfastError(`revision ${revision} is compacted`, { code: 'compacted' });
    }
    try {
      const kept = await keptAt(store, compactRevision);
      const since = await changesSince(store, compactRevision, revision);
      return { revision, compactRevision, changes: [...kept, ...since] };
    } catch (error) {
      const compacted = error instanceof HoldfastError && error.code === 'compacted';
      if (!compacted || attempt === ATTEMPTS) throw error;
    }
  }
}

async function keptAt(store: Store, compactRevision: Revision): Promise<Change[]> {
  if (compactRevision < 1) return [];
  const { entries } = await store.range({ ...everything, revision: compactRevision });
  const sorted = [...entries].sort((a, b) => a.modRevision - b.modRevision);
  return numbered(sorted.map((entry) => ({ type: 'put', entry })));
}

async function changesSince(store: Store, compactRevision: Revision, upTo: Revision): Promise<Change[]> {
  const events: WatchEvent[] = [];
  // Revision 1 is the empty store.
  const startRevision = Math.max(2, compactRevision + 1);
  if (startRevision > upTo) return [];
  await new Promise<void>((resolve, reject) => {
    // The store may tell all before it hands out the handle.
    const watching: { phase: 'reading' | 'done'; handle?: WatchHandle } = { phase: 'reading' };
    const done = (revision: Revision): void => {
      if (revision < upTo) return;
      watching.phase = 'done';
      resolve();
      watching.handle?.cancel();
    };
    const handle = store.watch(
      { ...everything, startRevision },
      {
        ready: () => {},
        events(some) {
          for (const event of some) events.push(event);
          done(some.at(-1)?.entry.modRevision ?? 0);
          return 'more';
        },
        progress: done,
        ended(end) {
          if (end.reason === 'compacted')
            reject(new HoldfastError('compacted meanwhile', { code: 'compacted' }));
          else if (end.reason === 'failed') reject(end.error);
          else reject(new HoldfastError('the watch was cancelled', { code: 'cancelled' }));
        },
      },
    );
    // The last revisions may hold nothing that is left to tell.
    watching.handle = handle;
    if (watching.phase === 'reading') handle.requestProgress();
    else handle.cancel();
  });
  return numbered(events.filter(({ entry }) => entry.modRevision <= upTo));
}

function numbered(events: readonly Pick<WatchEvent, 'type' | 'entry'>[]): Change[] {
  let main = 0;
  let sub = 0;
  return events.map(({ type, entry }) => {
    sub = entry.modRevision === main ? sub + 1 : 0;
    main = entry.modRevision;
    return { type, main, sub, entry };
  });
}

/** Rows as etcd keeps them in its bucket `key`. */
export function* rowsOf(changes: Iterable<Change>, encode: (entry: WireEntry) => Uint8Array): Iterable<Row> {
  for (const { type, main, sub, entry } of changes) {
    const wire = type === 'put' ? wireEntry(entry) : { key: entry.key };
    yield { key: revisionBytes(main, sub, type), value: encode(wire) };
  }
}

/** Two numbers of 64 bits, and a mark on deletions. */
export function revisionBytes(main: Revision, sub: number, type: 'put' | 'delete'): Uint8Array {
  const bytes = new Uint8Array(type === 'delete' ? 18 : 17);
  writeUint64(bytes, 0, main);
  bytes[8] = 0x5f; // _
  writeUint64(bytes, 9, sub);
  if (type === 'delete') bytes[17] = 0x74; // t
  return bytes;
}

function writeUint64(bytes: Uint8Array, at: number, value: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint32(at, Math.floor(value / 2 ** 32));
  view.setUint32(at + 4, value % 2 ** 32);
}

/** What etcd's HashKV takes in: of what is older than the compaction, only what still holds at that revision. */
export function hashedChanges({ changes, compactRevision }: History): readonly Change[] {
  const newest = new Map<string, Change>();
  const text = new TextDecoder('latin1');
  for (const change of changes) newest.set(text.decode(change.entry.key), change);
  return changes.filter(
    (change) => change.main > compactRevision || newest.get(text.decode(change.entry.key)) === change,
  );
}
