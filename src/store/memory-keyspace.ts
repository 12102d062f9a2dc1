// A keyspace in memory: what the engine `memory:` keeps.
// Invariant: each key's line and the log hold the same changes, but for those that compaction left in lines only.
import { covers, keyText, noBytes } from './bytes.ts';
import type { KeyRange, KeyValue, LeaseId, Revision } from './contract.ts';
import type { Change, ChangesThrough, Keyspace, LeaseRecord, Page } from './keyspace.ts';
import { SortedLines } from './sorted-lines.ts';

/** The history of one key, oldest first. */
interface Line {
  readonly text: string;
  changes: Change[];
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Index of the first change whose revision is at least `revision`. */
function firstFrom(changes: readonly Change[], revision: Revision): number {
  let low = 0;
  let high = changes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((changes[middle] as Change).entry.modRevision < revision) low = middle + 1;
    else high = middle;
  }
  return low;
}

function entryAt(line: Line | undefined, at: Revision | undefined): KeyValue | undefined {
  if (line === undefined) return undefined;
  const { changes } = line;
  const change = at === undefined ? changes.at(-1) : changes[firstFrom(changes, at + 1) - 1];
  return change?.type === 'put' ? change.entry : undefined;
}

const bytesOf = ({ entry }: Change): number => entry.key.length + entry.value.length;

export class MemoryKeyspace implements Keyspace {
  revision = 1;
  compactRevision = -1;
  sizeBytes = 0;
  readonly #lines = new Map<string, Line>();
  readonly #order = new SortedLines<Line>();
  #log: Change[] = [];
  readonly #leases = new Map<LeaseId, LeaseRecord>();
  readonly #leased = new Map<LeaseId, Set<string>>();
  #recent: { readonly key: Uint8Array; readonly text: string } = { key: noBytes, text: '' };
  /** How it was when the transaction began. */
  #before = { revision: 1, compactRevision: -1 };
  #leasesBefore: [LeaseId, LeaseRecord | undefined][] = [];

  begin(): void {
    this.#before = { revision: this.revision, compactRevision: this.compactRevision };
    this.#leasesBefore = [];
  }

  commit(): void {
    // What is compacted is gone for good, so it goes last.
    if (this.compactRevision > this.#before.compactRevision) this.#prune();
  }

  rollback(): void {
    const { revision, compactRevision } = this.#before;
    for (let change = this.#log.at(-1); change !== undefined; change = this.#log.at(-1)) {
      if (change.entry.modRevision <= revision) break;
      this.#log.pop();
      this.#unwrite(change);
    }
    for (const [id, record] of this.#leasesBefore.reverse()) {
      if (record === undefined) this.#leases.delete(id);
      else this.#leases.set(id, record);
    }
    this.revision = revision;
    this.compactRevision = compactRevision;
  }

  get(key: Uint8Array, at?: Revision): KeyValue | undefined {
    return entryAt(this.#lines.get(this.#textOf(key)), at);
  }

  *scan(
    range: KeyRange,
    at: Revision | undefined,
    { keysOnly, descending }: { readonly keysOnly: boolean; readonly descending: boolean },
  ): Iterable<KeyValue> {
    for (const lines of this.#linesOf(range, descending)) {
      for (const line of lines) {
        const entry = entryAt(line, at);
        if (entry !== undefined) yield keysOnly ? { ...entry, value: noBytes } : entry;
      }
    }
  }

  count(range: KeyRange, at?: Revision): number {
    let count = 0;
    for (const lines of this.#linesOf(range, false))
      for (const line of lines) if (entryAt(line, at) !== undefined) count += 1;
    return count;
  }

  write(revision: Revision, changes: readonly Change[]): void {
    this.revision = revision;
    for (const change of changes) {
      const text = this.#textOf(change.entry.key);
      const line = this.#lines.get(text);
      if (line === undefined) this.#addLine({ text, changes: [change] });
      else line.changes.push(change);
      this.#log.push(change);
      this.sizeBytes += bytesOf(change);
      this.#moveLease(text, change.previous?.lease, change.entry.lease);
    }
  }

  history(range: KeyRange, from: Revision, to: Revision, most: Page): ChangesThrough {
    // One key's own line is shorter than the log.
    const alone = range.end === undefined;
    const changes = alone ? (this.#lines.get(keyText(range.key))?.changes ?? []) : this.#log;
    const found: Change[] = [];
    let bytes = 0;
    let last = 0;
    for (let index = firstFrom(changes, from); index < changes.length; index++) {
      const change = changes[index] as Change;
      const { modRevision } = change.entry;
      if (modRevision > to) break;
      if (modRevision !== last && (found.length >= most.changes || bytes >= most.bytes))
        return { changes: found, through: modRevision - 1 };
      if (!alone && !covers(range, change.entry.key)) continue;
      found.push(change);
      bytes += bytesOf(change);
      last = modRevision;
    }
    return { changes: found, through: to };
  }

  compact(revision: Revision): void {
    this.compactRevision = revision;
  }

  /** What was compacted is gone already. */
  defragment(): 'nothing' {
    return 'nothing';
  }

  keysOf(lease: LeaseId): readonly Uint8Array[] {
    const texts = [...(this.#leased.get(lease) ?? [])].sort(byText);
    return texts.map((text) => ((this.#lines.get(text) as Line).changes.at(-1) as Change).entry.key);
  }

  leases(): readonly LeaseRecord[] {
    return [...this.#leases.values()];
  }

  lease(id: LeaseId): LeaseRecord | undefined {
    return this.#leases.get(id);
  }

  putLease(record: LeaseRecord): void {
    this.#leasesBefore.push([record.id, this.#leases.get(record.id)]);
    this.#leases.set(record.id, record);
  }

  deleteLease(id: LeaseId): void {
    this.#leasesBefore.push([id, this.#leases.get(id)]);
    this.#leases.delete(id);
  }

  close(): void {
    this.#lines.clear();
    this.#order.clear();
    this.#log = [];
    this.#leases.clear();
    this.#leased.clear();
  }

  /** A put looks its key up before it is written. */
  #textOf(key: Uint8Array): string {
    if (key === this.#recent.key) return this.#recent.text;
    const text = keyText(key);
    this.#recent = { key, text };
    return text;
  }

  #linesOf({ key, end }: KeyRange, descending: boolean): Iterable<readonly Line[]> {
    const first = keyText(key);
    if (end === undefined) {
      const line = this.#lines.get(first);
      return line === undefined ? [] : [[line]];
    }
    return this.#order.pieces(first, end.length === 0 ? undefined : keyText(end), descending);
  }

  #addLine(line: Line): void {
    this.#lines.set(line.text, line);
    this.#order.add(line);
  }

  #removeLine(line: Line): void {
    this.#lines.delete(line.text);
    this.#order.delete(line);
  }

  #moveLease(text: string, from: LeaseId | undefined, to: LeaseId | undefined): void {
    if (from === to) return;
    if (from !== undefined) {
      const keys = this.#leased.get(from);
      keys?.delete(text);
      if (keys?.size === 0) this.#leased.delete(from);
    }
    if (to === undefined) return;
    const keys = this.#leased.get(to);
    if (keys === undefined) this.#leased.set(to, new Set([text]));
    else keys.add(text);
  }

  #unwrite(change: Change): void {
    const text = keyText(change.entry.key);
    const line = this.#lines.get(text) as Line;
    line.changes.pop();
    if (line.changes.length === 0) this.#removeLine(line);
    this.sizeBytes -= bytesOf(change);
    this.#moveLease(text, change.entry.lease, change.previous?.lease);
  }

  /** Each key keeps what it held at the compacted revision; the log keeps that revision and what came later. */
  #prune(): void {
    const floor = this.compactRevision;
    const kept = firstFrom(this.#log, floor);
    const own = firstFrom(this.#log, floor + 1);
    for (let index = 0; index < own; index++) {
      const line = this.#lines.get(keyText((this.#log[index] as Change).entry.key));
      if (line !== undefined) this.#pruneLine(line, floor);
    }
    const forgetful = this.#log.slice(kept, own).map((change) => ({ ...change, previous: undefined }));
    this.#log = [...forgetful, ...this.#log.slice(own)];
  }

  #pruneLine(line: Line, floor: Revision): void {
    const newest = firstFrom(line.changes, floor + 1) - 1;
    const held = line.changes[newest];
    if (held === undefined) return;
    for (const gone of line.changes.slice(0, newest)) this.sizeBytes -= bytesOf(gone);
    const later = line.changes.slice(newest + 1);
    // A deletion at the floor itself is still history.
    const goes = held.type === 'delete' && held.entry.modRevision < floor;
    if (newest === 0 && !goes && held.previous === undefined) return;
    if (goes) this.sizeBytes -= bytesOf(held);
    line.changes = goes ? later : [{ ...held, previous: undefined }, ...later];
    if (line.changes.length === 0) this.#removeLine(line);
  }
}
