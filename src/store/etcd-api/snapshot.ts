// A store's content as the database file of an etcd: a way out to etcd, and what etcd's clients save as a backup.
// Invariant: the file is as of one revision; `etcdctl snapshot restore` makes an etcd of it with the same keys, revisions
// and history.
import type { LeaseId, Store } from '../contract.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import { bboltFile, type Bucket } from './bbolt.ts';
import type { Replies, Requests } from './call.ts';
import { Crc32c } from './crc32c.ts';
import { toStatusError } from './errors.ts';
import { readHistory, revisionBytes, rowsOf, type History, type Row } from './history.ts';
import type { WireEntry } from './messages.ts';

export interface Digest {
  update(bytes: Uint8Array): unknown;
  digest(): Uint8Array;
}

export interface SnapshotTools {
  readonly store: Store;
  /** Encodes an `mvccpb.KeyValue`. */
  readonly encode: (entry: WireEntry) => Uint8Array;
  /** Makes a SHA-256. */
  readonly sha256: () => Digest;
}

/** What etcd 3.4 expects to find, beside those that are written. */
const EMPTY_BUCKETS = ['alarm', 'auth', 'authRoles', 'authUsers', 'cluster', 'members', 'members_removed'];
const PIECE_BYTES = 32_768;

async function bucketsOf({ store, encode }: SnapshotTools): Promise<Bucket[]> {
  const history = await readHistory(store);
  return [
    { name: 'key', rows: rowsOf(history.changes, encode) },
    { name: 'lease', rows: await leaseRows(store) },
    { name: 'meta', rows: metaRows(history) },
    ...EMPTY_BUCKETS.map((name) => ({ name, rows: [] })),
  ];
}

function metaRows({ compactRevision, revision }: History): Row[] {
  const text = new TextEncoder();
  const index = new Uint8Array(8);
  new DataView(index.buffer).setBigUint64(0, BigInt(revision));
  const rows: Row[] = [{ key: text.encode('consistent_index'), value: index }];
  if (compactRevision < 1) return rows;
  const floor = revisionBytes(compactRevision, 0, 'put');
  for (const name of ['finishedCompactRev', 'scheduledCompactRev']) {
    rows.push({ key: text.encode(name), value: floor });
  }
  return rows;
}

async function leaseRows(store: Store): Promise<Row[]> {
  const { ids } = await store.leases.list();
  const rows: Row[] = [];
  for (const id of ids) {
    const row = await leaseRow(store, id);
    if (row !== undefined) rows.push(row);
  }
  // Negative ids come last: they are the larger ones without a sign.
  const order = ({ key }: Row): bigint => new DataView(key.buffer).getBigUint64(0);
  return rows.sort((a, b) => (order(a) < order(b) ? -1 : 1));
}

/** A `leasepb.Lease`: its id and the seconds that it was granted. */
async function leaseRow(store: Store, id: LeaseId): Promise<Row | undefined> {
  try {
    const { grantedSeconds } = await store.leases.timeToLive(id);
    const key = new Uint8Array(8);
    new DataView(key.buffer).setBigInt64(0, BigInt(id));
    const value = Uint8Array.from([0x08, ...varint(BigInt(id)), 0x10, ...varint(BigInt(grantedSeconds))]);
    return { key, value };
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'lease_not_found') return undefined; // it went meanwhile
    throw error;
  }
}

function varint(signed: bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, signed);
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return bytes;
}

/** etcd's hash of a whole database: what `etcdctl snapshot status` prints for the file. */
export async function hashOf(tools: SnapshotTools): Promise<number> {
  const hash = new Crc32c();
  const text = new TextEncoder();
  const buckets = (await bucketsOf(tools)).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const { name, rows } of buckets) {
    hash.update(text.encode(name));
    for (const { key, value } of rows) hash.update(key).update(value);
  }
  return hash.digest();
}

/** Sends the file in pieces, as fast as the client reads, and its SHA-256 last. */
export class SnapshotStream implements Requests {
  readonly #tools: SnapshotTools;
  readonly #replies: Replies;
  #pieces: Iterator<object> | undefined;
  #phase: 'idle' | 'making' | 'sending' | 'closed' = 'idle';

  constructor(tools: SnapshotTools, replies: Replies) {
    this.#tools = tools;
    this.#replies = replies;
  }

  message(): void {
    if (this.#phase !== 'idle') return;
    this.#phase = 'making';
    bucketsOf(this.#tools).then(
      (buckets) => {
        if (this.#phase === 'closed') return;
        this.#phase = 'sending';
        this.#pieces = piecesOf(bboltFile(buckets), this.#tools.sha256());
        this.#pump();
      },
      (error: unknown) => this.#replies.end(toStatusError(error)),
    );
  }

  ended(): void {}

  drained(): void {
    this.#pump();
  }

  closed(): void {
    this.#phase = 'closed';
    this.#pieces = undefined;
  }

  #pump(): void {
    for (;;) {
      const next = this.#pieces?.next();
      if (next === undefined) return;
      if (next.done === true) return this.#replies.end();
      if (this.#replies.send(next.value) === 'wait') return;
    }
  }
}

function* piecesOf(pages: readonly Uint8Array[], sha256: Digest): Iterator<object> {
  let left = pages.reduce((bytes, { length }) => bytes + length, 0);
  for (const page of pages) {
    sha256.update(page);
    for (let at = 0; at < page.length; at += PIECE_BYTES) {
      const blob = page.subarray(at, at + PIECE_BYTES);
      left -= blob.length;
      yield { remaining_bytes: left, blob };
    }
  }
  yield { remaining_bytes: 0, blob: sha256.digest() };
}
