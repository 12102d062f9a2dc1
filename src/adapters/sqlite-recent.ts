// The newest changes of keys that the index in the file does not know yet. A commit writes history alone, so that it flushes
// few pages; the index follows some thousand changes at a time, and writes each of its pages once for many of them.
// Invariant: it holds the last change of each key among those above `indexed`, and no others; `indexed` never passes what
// is in the index.
import { keyText, noBytes } from '../store/bytes.ts';
import type { KeyRange, LeaseId, Revision } from '../store/contract.ts';
import type { Change } from '../store/keyspace.ts';
import { SortedLines, type Sorted } from '../store/sorted-lines.ts';
import { StoredEntry, type EntryRow, type Place } from './sqlite-entry.ts';
import { KnownEntries } from './sqlite-known.ts';
import { HAS_MILESTONE, hasMilestone, type Prepare } from './sqlite-history.ts';

/** Changes after which the index follows: some milliseconds of work, and what opening reads at most after a crash. */
const MOST_CHANGES = 2_048;
/** The same for keys that are long, in bytes. */
const MOST_KEY_BYTES = 4_194_304;
/** Of key and value: what is longer is read from the history again. */
const LONGEST_ENTRY = 512;

/** The last change of a key. */
export interface RecentChange extends Place {
  readonly is: 'live' | 'deleted';
  readonly lease: LeaseId | undefined;
  /** Undefined for a deletion, and for what is long. */
  readonly entry: StoredEntry | undefined;
}

/** A key with recent changes. */
export class RecentKey implements Sorted {
  readonly text: string;
  readonly key: Uint8Array;
  /** What the index takes it for. */
  readonly indexedAs: 'live' | 'absent';
  /** Ids of those of its recent changes that have a milestone. */
  readonly milestones: number[] = [];
  #last: RecentChange;

  constructor(text: string, key: Uint8Array, indexedAs: RecentKey['indexedAs'], first: RecentChange) {
    this.text = text;
    this.key = key;
    this.indexedAs = indexedAs;
    this.#last = first;
    this.follow(first);
  }

  get last(): RecentChange {
    return this.#last;
  }

  follow(change: RecentChange): void {
    this.#last = change;
    if (hasMilestone(change.age)) this.milestones.push(change.id);
  }

  /** As it was when `last` was the last. */
  goBack(last: RecentChange): void {
    this.#last = last;
    while ((this.milestones.at(-1) ?? 0) > last.id) this.milestones.pop();
  }

  /** The id at which a walk back to before `beyond` begins. */
  walkFrom(beyond: number): number {
    return this.milestones.find((id) => id >= beyond) ?? this.#last.id;
  }
}

export class SqliteRecent {
  readonly #prepare: Prepare;
  readonly #keys = new Map<string, RecentKey>();
  readonly #order = new SortedLines<RecentKey>();
  readonly #known = new KnownEntries();
  /** Changes up to this id are in the index. */
  #indexed: number;
  #keyBytes = 0;
  /** What this transaction replaced: undefined for a key that was not there. */
  #undo: { readonly of: RecentKey; readonly last: RecentChange | undefined }[] = [];
  #asked: { readonly key: Uint8Array; readonly text: string } = { key: noBytes, text: '' };

  constructor(prepare: Prepare) {
    this.#prepare = prepare;
    const [indexed] = prepare('SELECT indexed FROM progress').get() as unknown as [number];
    this.#indexed = indexed;
    this.#load();
  }

  /** Changes up to this id are in the index. */
  get indexed(): number {
    return this.#indexed;
  }

  get isEmpty(): boolean {
    return this.#keys.size === 0;
  }

  /** Whether it is time for the index to follow; `nextId` is that of the next change. */
  isMuch(nextId: number): boolean {
    return nextId - this.#indexed > MOST_CHANGES || this.#keyBytes >= MOST_KEY_BYTES;
  }

  get(key: Uint8Array): RecentKey | undefined {
    return this.#keys.get(this.#textOf(key));
  }

  /** The entry of a key that has no recent change, if it had one not long ago. */
  known(key: Uint8Array): StoredEntry | undefined {
    return this.#known.get(this.#textOf(key));
  }

  /** In the order of the keys. */
  *within(range: KeyRange, descending: boolean): Generator<RecentKey, void> {
    const { key, end } = range;
    if (end === undefined) {
      const one = this.get(key);
      if (one !== undefined) yield one;
      return;
    }
    const beyond = end.length === 0 ? undefined : keyText(end);
    for (const piece of this.#order.pieces(keyText(key), beyond, descending)) yield* piece;
  }

  /** Those of a lease, in no order. */
  *leased(lease: LeaseId): Generator<RecentKey, void> {
    for (const one of this.#keys.values()) if (one.last.lease === lease) yield one;
  }

  /** Takes a change that was added to the history at a place; `indexedAs` is of a key that it does not have yet. */
  set(
    { entry: { key, value, createRevision, version, lease } }: Change,
    revision: Revision,
    { id, age }: Place,
    indexedAs: RecentKey['indexedAs'],
  ): void {
    const last = recentChange([id, revision, createRevision, version, lease ?? null, age, key, value]);
    const known = this.get(key);
    this.#undo.push({ of: known ?? this.#add(key, indexedAs, last), last: known?.last });
    known?.follow(last);
  }

  begin(): void {
    this.#undo = [];
  }

  /** As it was at `begin`. */
  rollback(): void {
    for (const { of, last } of this.#undo.reverse()) {
      if (last !== undefined) of.goBack(last);
      else this.#remove(of);
    }
    this.#undo = [];
  }

  /**
   * Brings the index to all changes before `nextId`, in a transaction of the caller, who calls `followed` once that is
   * committed. SQLite does it by itself: it has the changes, and gives each key its last one, in the order of the keys.
   */
  write(nextId: number): void {
    this.#prepare(
      // With `max` the other columns are those of the same row: https://www.sqlite.org/lang_select.html#bareagg
      `INSERT INTO newest SELECT key, max(id), version > 0, lease FROM history WHERE id > ? GROUP BY key
       ON CONFLICT(key) DO UPDATE SET id = excluded.id, live = excluded.live, lease = excluded.lease`,
    ).run(this.#indexed);
    this.#prepare(`INSERT INTO milestones SELECT key, id FROM history WHERE id > ? AND ${HAS_MILESTONE}`).run(
      this.#indexed,
    );
    this.#prepare('UPDATE progress SET indexed = ?').run(nextId - 1);
  }

  /** The index knows all changes before `nextId`. */
  followed(nextId: number): void {
    this.#indexed = nextId - 1;
    for (const { text, last } of this.#keys.values()) this.#known.set(text, last.entry);
    this.#keys.clear();
    this.#order.clear();
    this.#keyBytes = 0;
  }

  /** What was committed after the index followed last. */
  #load(): void {
    const live = this.#prepare('SELECT live FROM newest WHERE key = ?');
    const changes = this.#prepare(
      `SELECT id, revision, created, version, lease, age, key, iif(length(key) + length(value) > ${LONGEST_ENTRY}, NULL, value)
       FROM history WHERE id > ? ORDER BY id`,
    ).iterate(this.#indexed) as unknown as Iterable<RecentRow>;
    for (const row of changes) {
      const key = row[6];
      const known = this.get(key);
      const last = recentChange(row);
      if (known !== undefined) known.follow(last);
      else {
        const found = live.get(key) as unknown as [live: 0 | 1] | undefined;
        this.#add(key, found?.[0] === 1 ? 'live' : 'absent', last);
      }
    }
  }

  #add(key: Uint8Array, indexedAs: RecentKey['indexedAs'], last: RecentChange): RecentKey {
    const one = new RecentKey(this.#textOf(key), key, indexedAs, last);
    this.#keys.set(one.text, one);
    this.#order.add(one);
    this.#keyBytes += key.length;
    return one;
  }

  #remove(one: RecentKey): void {
    this.#keys.delete(one.text);
    this.#order.delete(one);
    this.#keyBytes -= one.key.length;
  }

  /** A put looks its key up before it is written. */
  #textOf(key: Uint8Array): string {
    if (this.#asked.key !== key) this.#asked = { key, text: keyText(key) };
    return this.#asked.text;
  }
}

type RecentRow = EntryRow extends [...infer K, Uint8Array] ? [...K, value: Uint8Array | null] : never;

function recentChange(row: RecentRow): RecentChange {
  const [id, , , version, lease, age, key, value] = row;
  const is = version === 0 ? 'deleted' : 'live';
  const keeps = is === 'live' && value !== null && key.length + value.length <= LONGEST_ENTRY;
  return {
    id,
    age,
    is,
    lease: lease ?? undefined,
    entry: keeps ? new StoredEntry(row as EntryRow) : undefined,
  };
}
