// The request log of `holdfast proxy`: one line a request, when it is over.
// Invariant: no header and no body is in it, so no key either.
import type { ExchangeRecord, Log } from '../index.ts';
import { formatDuration } from './report.ts';

/** For the option `onRequest` of a proxy. */
export function logRequests(log: Log): (record: ExchangeRecord) => void {
  return (record) => {
    const isIll = record.outcome === 'failed' || record.outcome === 'cut';
    log[isIll ? 'warn' : 'info'](fieldsOf(record), sentenceOf(record));
  };
}

function fieldsOf(record: ExchangeRecord): object {
  const { id, method, target, remoteAddress, outcome, status, endpoint, refusal, problem, bytes } = record;
  return {
    id,
    method,
    path: target,
    status,
    endpoint,
    attempts: record.attempts.map((attempt) => ({ ...attempt, durationMs: rounded(attempt.durationMs) })),
    outcome,
    // That an answer was final needs no word.
    refusal: refusal === 'settled' ? undefined : refusal,
    problem,
    durationMs: rounded(record.durationMs),
    firstByteMs: rounded(record.firstByteMs),
    bytes,
    client: remoteAddress,
  };
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}

/** `POST /v1/chat 200 by a in 1.2 s, 3 402 bytes` and, where there was one, what went wrong on the way. */
function sentenceOf({
  method,
  target,
  status,
  endpoint,
  attempts,
  durationMs,
  bytes,
  problem,
}: ExchangeRecord): string {
  const by = endpoint === undefined ? '' : ` by ${endpoint}`;
  const failed = attempts
    .filter(({ verdict, endpoint: tried }) => verdict !== 'success' && tried !== endpoint)
    .map((attempt) => `${attempt.endpoint} ${attempt.fault ?? attempt.status ?? attempt.verdict}`);
  const after = failed.length === 0 ? '' : `, after ${failed.join(', ')}`;
  const why = problem === undefined ? '' : `: ${problem}`;
  return `${method} ${target} ${status ?? '-'}${by} in ${formatDuration(durationMs)}, ${bytes} bytes${after}${why}`;
}
