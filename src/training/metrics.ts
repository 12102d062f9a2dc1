// How a run went, round by round: kept in the store, read back, and written out as CSV or JSON.
// Invariant: the record of a round is written in the transaction that commits it, so there is one for each committed round
// and for no other.
import type { Log } from '../ports.ts';
import { limits } from '../protocol/limits.ts';
import { decodeText, utf8Encoder } from '../protocol/text.ts';
import { roundKey, roundRecord, roundsPrefix, type RoundRecord } from '../protocol/training-records.ts';
import { prefixEnd } from '../store/bytes.ts';
import type { Operation, Store } from '../store/contract.ts';
import type { AcceptedUpdate, TrainingMetrics } from './contract.ts';
import { compareIds } from './participants.ts';

/** Records that are read at once. */
const PAGE = 200;

/**
 * What writes the record, for `SaveOptions.beside`. Records of later rounds go, which an older checkpoint left behind, and
 * those of rounds that lie more than `limits.maxKeptRounds` back.
 */
export function recordRound(run: string, record: RoundRecord): Operation[] {
  const key = utf8Encoder.encode(roundKey(run, record.round));
  const all = utf8Encoder.encode(roundsPrefix(run));
  const oldest = Math.max(1, record.round - limits.maxKeptRounds + 1);
  return [
    { type: 'put', key, value: utf8Encoder.encode(JSON.stringify(readable(record))) },
    { type: 'delete', key: after(key), end: prefixEnd(all) },
    { type: 'delete', key: all, end: utf8Encoder.encode(roundKey(run, oldest)) },
  ];
}

/** An application may measure NaN, which JSON has not: what is no finite number is left out. */
function readable(record: RoundRecord): RoundRecord {
  const finite = (metrics: TrainingMetrics): Record<string, number> =>
    Object.fromEntries(Object.entries(metrics).filter(([, value]) => Number.isFinite(value)));
  return { ...record, metrics: finite(record.metrics), evaluation: finite(record.evaluation) };
}

/**
 * The records from this round on, in order. One that cannot be read is reported and left out.
 * @throws HoldfastError of the store
 */
export async function* readRounds(
  store: Store,
  run: string,
  { from = 1, log }: { readonly from?: number; readonly log: Log },
): AsyncGenerator<RoundRecord> {
  const end = prefixEnd(utf8Encoder.encode(roundsPrefix(run)));
  let key = utf8Encoder.encode(roundKey(run, from));
  for (;;) {
    const { entries, more } = await store.range({ key, end, limit: PAGE });
    for (const entry of entries) {
      key = after(entry.key);
      const record = parse(entry.value, decodeText(entry.key, 0, entry.key.length), log);
      if (record !== undefined) yield record;
    }
    if (!more) return;
  }
}

function parse(value: Uint8Array, name: string, log: Log): RoundRecord | undefined {
  try {
    return roundRecord.parse(JSON.parse(decodeText(value, 0, value.length)));
  } catch (error) {
    log.warn({ key: name }, `the record ${name} cannot be read and is left out: ${String(error)}`);
    return undefined;
  }
}

/** The key that follows this one at once. */
function after(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

/**
 * The mean of each metric over the samples of those that report it, the same in whatever order they come. Names are in order.
 */
export function averageMetrics(
  reports: readonly Pick<AcceptedUpdate, 'node' | 'samples' | 'metrics'>[],
): TrainingMetrics {
  const ordered = [...reports].sort((one, other) => compareIds(one.node, other.node));
  const names = [...new Set(ordered.flatMap(({ metrics }) => Object.keys(metrics)))].sort(compareIds);
  return Object.fromEntries(
    names.map((name) => {
      const having = ordered.filter(({ metrics }) => Object.hasOwn(metrics, name));
      const samples = having.reduce((sum, one) => sum + one.samples, 0);
      // Shares first: the sum of finite numbers is finite, but for the last rounding.
      const mean = having.reduce((sum, one) => sum + (one.metrics[name] ?? 0) * (one.samples / samples), 0);
      return [name, Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, mean))];
    }),
  );
}

const columns = [
  'round',
  'epoch',
  'abandoned',
  'asked',
  'answered',
  'refused',
  'late',
  'lost',
  'durationMs',
  'samples',
  'model',
] as const satisfies readonly (keyof RoundRecord)[];

/**
 * CSV (RFC 4180, lines end in CR LF): a line a round, then a column for each metric that any round has, `metrics.loss` and
 * `evaluation.accuracy`; empty where a round has it not. Who took part is in the JSON only.
 */
export function roundsCsv(records: readonly RoundRecord[]): string {
  const groups = (['metrics', 'evaluation'] as const).flatMap((group) =>
    [...new Set(records.flatMap((record) => Object.keys(record[group])))]
      .sort(compareIds)
      .map((name) => ({ group, name })),
  );
  const lines = [
    // With the group before it, no name that a node made up is taken for a formula.
    [...columns, ...groups.map(({ group, name }) => `${group}.${name}`)],
    ...records.map((record) => [
      ...columns.map((column) => String(record[column])),
      ...groups.map(({ group, name }) =>
        Object.hasOwn(record[group], name) ? String(record[group][name]) : '',
      ),
    ]),
  ];
  return lines.map((cells) => `${cells.map(cell).join(',')}\r\n`).join('');
}

function cell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A JSON list of the records, one a line. */
export function roundsJson(records: readonly RoundRecord[]): string {
  return records.length === 0
    ? '[]\n'
    : `[\n${records.map((record) => JSON.stringify(record)).join(',\n')}\n]\n`;
}
