// Evaluates a range request, with etcd's rules for what is counted, left out, sorted and cut.
// Invariant: reads only.
import { compareBytes, noBytes } from './bytes.ts';
import type { KeyValue, RangeRequest, RangeResponse } from './contract.ts';
import type { Keyspace } from './keyspace.ts';

type Sort = NonNullable<RangeRequest['sort']>;

const orders: Readonly<Record<Sort['by'], (a: KeyValue, b: KeyValue) => number>> = {
  key: (a, b) => compareBytes(a.key, b.key),
  value: (a, b) => compareBytes(a.value, b.value),
  version: (a, b) => a.version - b.version,
  createRevision: (a, b) => a.createRevision - b.createRevision,
  modRevision: (a, b) => a.modRevision - b.modRevision,
};

/** 0 is no bound, as on etcd's wire. */
function passes(entry: KeyValue, request: RangeRequest): boolean {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  return (
    (!minModRevision || entry.modRevision >= minModRevision) &&
    (!maxModRevision || entry.modRevision <= maxModRevision) &&
    (!minCreateRevision || entry.createRevision >= minCreateRevision) &&
    (!maxCreateRevision || entry.createRevision <= maxCreateRevision)
  );
}

/** The revision is neither compacted nor to come. */
export function evaluateRange(keyspace: Keyspace, request: RangeRequest): RangeResponse {
  // 0 and below stand for the newest, as on etcd's wire.
  const at = (request.revision ?? 0) > 0 ? request.revision : undefined;
  const { revision } = keyspace;
  if (request.countOnly === true)
    return { revision, entries: [], more: false, count: keyspace.count(request, at) };
  if (request.end === undefined) {
    const entry = keyspace.get(request.key, at);
    if (entry === undefined) return { revision, entries: [], more: false, count: 0 };
    const kept = passes(entry, request) ? [withoutValue(entry, request)] : [];
    return { revision, entries: kept, more: false, count: 1 };
  }
  const { sort, limit = 0 } = request;
  const byKey = sort === undefined || sort.by === 'key';
  // In the order of the keys the limit ends the scan; one more tells whether it left something out.
  const enough = byKey && limit > 0 ? limit + 1 : Infinity;
  const keysOnly = request.keysOnly === true && sort?.by !== 'value';
  const descending = byKey && sort?.descending === true;
  let entries: KeyValue[] = [];
  let scanned = 0;
  for (const entry of keyspace.scan(request, at, { keysOnly, descending })) {
    scanned += 1;
    if (passes(entry, request)) entries.push(entry);
    if (entries.length >= enough) break;
  }
  if (!byKey) {
    const order = orders[sort.by];
    entries.sort(sort.descending === true ? (a, b) => order(b, a) : order);
  }
  const more = limit > 0 && entries.length > limit;
  if (more) entries = entries.slice(0, limit);
  if (request.keysOnly === true && !keysOnly) entries = entries.map((entry) => withoutValue(entry, request));
  return { revision, entries, more, count: more && byKey ? keyspace.count(request, at) : scanned };
}

function withoutValue(entry: KeyValue, { keysOnly }: RangeRequest): KeyValue {
  return keysOnly === true ? { ...entry, value: noBytes } : entry;
}
