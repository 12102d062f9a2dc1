// The request log of `holdfast proxy`: one line a request, when it is over.
// Invariant: no header and no body is in it, so no key either.
import type { AttemptRecord, ExchangeRecord, Log } from '../index.ts';
import type { LogLevel } from './flags.ts';
import { formatDuration } from './report.ts';

/** For the option `onRequest` of a proxy; undefined when the level shows none of it. */
export function logRequests(log: Log, level: LogLevel): ((record: ExchangeRecord) => void) | undefined {
  if (level === 'silent' || level === 'error') return undefined;
  return (record) => {
    if (record.outcome === 'failed' || record.outcome === 'cut')
      log.warn(fieldsOf(record), sentenceOf(record));
    // A line that nobody sees is not made.
    else if (level !== 'warn') log.info(fieldsOf(record), sentenceOf(record));
  };
}

function fieldsOf(record: ExchangeRecord): object {
  const { id, method, target, remoteAddress, outcome, status, endpoint, attempts, refusal, problem } = record;
  const failed = failedAttempts(record);
  return {
    id,
    method,
    path: target,
    status,
    endpoint,
    attempts: attempts.length,
    failed: failed.length === 0 ? undefined : failed.map(attemptFields),
    outcome,
    // That an answer was final needs no word.
    refusal: refusal === 'settled' ? undefined : refusal,
    problem,
    durationMs: rounded(record.durationMs),
    firstByteMs: rounded(record.firstByteMs),
    bytes: record.bytes,
    client: remoteAddress,
  };
}

/** Those that somebody else had to make good. */
function failedAttempts({ attempts, endpoint }: ExchangeRecord): readonly AttemptRecord[] {
  return attempts.filter((attempt) => attempt.verdict !== 'success' && attempt.endpoint !== endpoint);
}

function attemptFields({ endpoint, status, fault, verdict, durationMs }: AttemptRecord): object {
  return { endpoint, status, fault, verdict, durationMs: rounded(durationMs) };
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}

/** `POST /v1/chat 200 by b in 1.2 s, 3402 bytes, after a 503` and, where there was one, the problem. */
function sentenceOf(record: ExchangeRecord): string {
  const { method, target, status, endpoint, durationMs, bytes, problem } = record;
  const by = endpoint === undefined ? '' : ` by ${endpoint}`;
  const failed = failedAttempts(record).map(
    (attempt) => `${attempt.endpoint} ${attempt.fault ?? attempt.status ?? attempt.verdict}`,
  );
  const after = failed.length === 0 ? '' : `, after ${failed.join(', ')}`;
  const why = problem === undefined ? '' : `: ${problem}`;
  return `${method} ${printable(target)} ${status ?? '-'}${by} in ${formatDuration(durationMs)}, ${bytes} bytes${after}${why}`;
}

/** A terminal that shows the line must not obey what a client wrote. */
function printable(text: string): string {
  return /[^\x20-\x7e]/.test(text) ? text.replaceAll(/[^\x20-\x7e]/g, '\u{fffd}') : text;
}
