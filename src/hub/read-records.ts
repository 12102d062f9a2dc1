// Reads a hub's records back: all under a prefix, page by page, at one revision.
// Invariant: a record that cannot be read is reported and left out.
import type { Log } from '../ports.ts';
import { decodeText, utf8Encoder } from '../protocol/text.ts';
import { prefixEnd } from '../store/bytes.ts';
import type { KeyValue, Store } from '../store/contract.ts';

interface Schema<T> {
  parse(value: unknown): T;
}

const PAGE = 1_000;

/** Key and record, the one that changed least recently first. @throws HoldfastError of the store */
export async function readRecords<T>(
  store: Store,
  prefix: string,
  schema: Schema<T>,
  log: Log,
): Promise<(readonly [key: string, record: T])[]> {
  const found: KeyValue[] = [];
  const key = utf8Encoder.encode(prefix);
  let range = { key, end: prefixEnd(key) };
  let at: number | undefined;
  for (;;) {
    const { entries, more, revision } = await store.range({ ...range, limit: PAGE, revision: at });
    at ??= revision;
    for (const entry of entries) found.push(entry);
    const last = entries.at(-1);
    if (!more || last === undefined) break;
    // The key that follows `last` at once.
    range = { ...range, key: Uint8Array.from([...last.key, 0]) };
  }
  found.sort((one, other) => one.modRevision - other.modRevision);
  return found.flatMap((entry) => {
    const record = readRecord(entry, schema, log);
    return record === undefined ? [] : [[decodeText(entry.key, 0, entry.key.length), record] as const];
  });
}

export function readRecord<T>({ key, value }: KeyValue, schema: Schema<T>, log: Log): T | undefined {
  const name = decodeText(key, 0, key.length);
  try {
    return schema.parse(JSON.parse(decodeText(value, 0, value.length)));
  } catch (error) {
    log.warn({ key: name }, `the record ${name} cannot be read and is made anew: ${String(error)}`);
    return undefined;
  }
}
