// Judges what a watch told: ordered, unique, reliable, atomic, resumable, bookmarkable
// (https://etcd.io/docs/v3.5/learning/api_guarantees/).
// Invariant: it knows the contract, and the store's own answers about its history; never the engine.
import type {
  KeyRange,
  KeyValue,
  Revision,
  Store,
  WatchEvent,
  WatchRequest,
} from '../../../src/store/contract.ts';
import { text } from './under-test.ts';
import type { WatchRecord } from './watch-record.ts';

/** A change that somebody made, as its answer said. */
export interface Change {
  readonly revision: Revision;
  readonly type: 'put' | 'delete';
  readonly key: string;
}

/** What is wrong with what was told, in words; empty when nothing is. Needs no store. */
export function faultsOf({ told, request }: WatchRecord): string[] {
  const faults: string[] = [];
  /** All up to here was told, or was before the beginning. */
  let seen = (request.startRevision ?? 1) - 1;
  let state: 'created' | 'ready' | 'ended' = 'created';
  for (const [index, one] of told.entries()) {
    const fault = (what: string): void => void faults.push(`message ${index}: ${what}`);
    if (state === 'ended') fault(`${one.type} after the end`);
    if (state === 'created' && one.type !== 'ready' && one.type !== 'ended')
      fault(`${one.type} before ready`);
    if (one.type === 'ready') {
      if (state === 'ready') fault('ready for a second time');
      state = 'ready';
      if (request.startRevision === undefined) seen = one.revision;
    } else if (one.type === 'ended') state = 'ended';
    else if (one.type === 'progress') {
      if (one.revision < seen) fault(`a bookmark of ${one.revision} after ${seen} was told`);
      seen = Math.max(seen, one.revision);
    } else {
      for (const what of faultsOfBatch(one.events, one.revision, seen, request)) fault(what);
      seen = Math.max(seen, one.revision);
    }
  }
  return faults;
}

function faultsOfBatch(
  events: readonly WatchEvent[],
  revision: Revision,
  seen: Revision,
  request: WatchRequest,
): string[] {
  const faults: string[] = [];
  let last = seen;
  const keys = new Set<string>();
  for (const event of events) {
    const at = event.entry.modRevision;
    const name = text(event.entry.key);
    if (at <= seen) faults.push(`revision ${at} (${name}) after all up to ${seen} was told`);
    if (at < last) faults.push(`revision ${at} (${name}) after ${last}`);
    if (at !== last) keys.clear();
    if (keys.has(name)) faults.push(`${name} twice at revision ${at}`);
    keys.add(name);
    last = at;
    if (!lies(event.entry.key, request)) faults.push(`${name} is not within the range`);
    if (request.without?.includes(event.type) === true) faults.push(`a ${event.type} that was not wanted`);
    if (request.previous !== true && event.previous !== undefined) faults.push('a previous entry unasked');
  }
  if (events.length === 0) faults.push('no events');
  if (last !== revision) faults.push(`said to be up to ${revision} and ends at ${last}`);
  return faults;
}

function lies(key: Uint8Array, { key: first, end }: KeyRange): boolean {
  const order = Buffer.compare(key, first);
  if (end === undefined) return order === 0;
  return order >= 0 && (end.length === 0 || Buffer.compare(key, end) < 0);
}

/** The events against what was changed, each exactly once: nothing is missed even where history does not show it. */
export function faultsAgainst(changes: readonly Change[], record: WatchRecord, upTo: Revision): string[] {
  const { request, readyAt = 0 } = record;
  const first = request.startRevision ?? readyAt + 1;
  const line = (revision: Revision, type: string, name: string): string => `${revision} ${type} ${name}`;
  const wanted = changes
    .filter(({ revision, type, key }) => {
      const isWanted = revision >= first && revision <= upTo && request.without?.includes(type) !== true;
      return isWanted && lies(Buffer.from(key), request);
    })
    .map(({ revision, type, key }) => line(revision, type, key));
  const got = record.changes
    .filter(({ entry }) => entry.modRevision <= upTo)
    .map(({ type, entry }) => line(entry.modRevision, type, text(entry.key)));
  const faults: string[] = [];
  const left = new Set(got);
  if (left.size !== got.length) faults.push('the same change twice');
  for (const one of wanted) if (!left.delete(one)) faults.push(`missed: ${one}`);
  for (const one of left) faults.push(`nobody made: ${one}`);
  return faults;
}

/**
 * The events, applied to what the range held before them, against what the store says that it held at each revision
 * that was told, and at `upTo`.
 */
export async function faultsOfModel(store: Store, record: WatchRecord, upTo: Revision): Promise<string[]> {
  const { request, readyAt = 0 } = record;
  const { key, end } = request;
  const first = request.startRevision ?? readyAt + 1;
  const heldAt = async (revision: Revision): Promise<Map<string, KeyValue>> =>
    new Map((await store.range({ key, end, revision })).entries.map((entry) => [text(entry.key), entry]));
  const model = first > 1 ? await heldAt(first - 1) : new Map<string, KeyValue>();
  const faults: string[] = [];
  for (const one of record.told) {
    if (one.type !== 'events' && one.type !== 'progress') continue;
    if (one.revision < first) continue;
    // What was told beyond `upTo` is none of this judgement.
    const events = one.type === 'events' ? one.events : [];
    for (const event of events)
      if (event.entry.modRevision <= upTo) faults.push(...apply(model, event, request));
    if (one.revision > upTo) break;
    faults.push(...difference(model, await heldAt(one.revision), one.revision));
  }
  faults.push(...difference(model, await heldAt(upTo), upTo));
  return faults;
}

function apply(model: Map<string, KeyValue>, event: WatchEvent, request: WatchRequest): string[] {
  const { entry, previous, type } = event;
  const name = text(entry.key);
  const before = model.get(name);
  const at = `${name} at revision ${entry.modRevision}`;
  const faults: string[] = [];
  if (request.previous === true && shown(previous) !== shown(before))
    faults.push(`${at}: before it was ${shown(before)}, told was ${shown(previous)}`);
  if (type === 'delete') {
    if (before === undefined) faults.push(`${at}: a deletion of what was not there`);
    if (entry.version !== 0 || entry.createRevision !== 0 || entry.value.length !== 0)
      faults.push(`${at}: a deletion with ${shown(entry)}`);
    model.delete(name);
    return faults;
  }
  const version = (before?.version ?? 0) + 1;
  const created = before?.createRevision ?? entry.modRevision;
  if (entry.version !== version) faults.push(`${at}: version ${entry.version}, not ${version}`);
  if (entry.createRevision !== created)
    faults.push(`${at}: created at ${entry.createRevision}, not ${created}`);
  model.set(name, entry);
  return faults;
}

function difference(
  model: ReadonlyMap<string, KeyValue>,
  held: ReadonlyMap<string, KeyValue>,
  revision: Revision,
): string[] {
  const all = new Set([...model.keys(), ...held.keys()]);
  return [...all]
    .filter((name) => shown(model.get(name)) !== shown(held.get(name)))
    .map(
      (name) =>
        `${name} at revision ${revision}: told was ${shown(model.get(name))}, held is ${shown(held.get(name))}`,
    );
}

function shown(entry: KeyValue | undefined): string {
  if (entry === undefined) return 'nothing';
  const { value, createRevision, modRevision, version, lease = 'none' } = entry;
  const hex = Buffer.from(value).toString('hex').slice(0, 64);
  return `${hex} (${value.length} B, created ${createRevision}, changed ${modRevision}, version ${version}, lease ${lease})`;
}

/** All of it. `changes`: those that were made, when somebody kept them. */
export async function validate(
  store: Store,
  record: WatchRecord,
  upTo: Revision,
  changes?: readonly Change[],
): Promise<string[]> {
  return [
    ...faultsOf(record),
    ...(changes === undefined ? [] : faultsAgainst(changes, record, upTo)),
    // With kinds of events left out, what is told is not what is held.
    ...(record.request.without === undefined ? await faultsOfModel(store, record, upTo) : []),
  ];
}
