// One call after the other, as a person makes them who watches a fleet come back.
// Invariant: an outage is a line, never the end; only a signal, or a refusal for good, ends the series.
import { setTimeout as sleep } from 'node:timers/promises';
import type { CallOptions, Client } from '../index.ts';
import { describeError, formatDuration, formatJson, formatResult, printLine, timeOfDay } from './report.ts';

export interface Series {
  readonly name: string;
  readonly args: readonly unknown[];
  /** Its signal ends the series. */
  readonly options: CallOptions & { readonly signal: AbortSignal };
  readonly intervalMs: number;
  readonly json: boolean;
}

interface Outcome {
  readonly code: string;
  readonly durationMs: number;
  readonly value?: unknown;
  readonly message?: string;
}

/** @throws HoldfastError when the hub refuses this client for good */
export async function repeatCalls(client: Client, series: Series): Promise<void> {
  const { signal } = series.options;
  const durations: number[] = [];
  const codes = new Map<string, number>();
  while (!signal.aborted) {
    const startedAt = performance.now();
    const outcome = await callOnce(client, series);
    if (signal.aborted && outcome.code === 'cancelled') break;
    printLine(series.json ? jsonLine(outcome) : textLine(outcome));
    codes.set(outcome.code, (codes.get(outcome.code) ?? 0) + 1);
    if (outcome.code === 'ok') durations.push(outcome.durationMs);
    // A link that ended for good does not come back; an outage does.
    if (outcome.code === 'registration_refused' || outcome.code === 'replaced') await client.ready();
    const restMs = startedAt + series.intervalMs - performance.now();
    if (restMs > 0) await sleep(restMs, undefined, { signal }).catch(() => undefined);
  }
  if (!series.json) process.stderr.write(`${summary(codes, durations, client.status().reconnects)}\n`);
}

async function callOnce(client: Client, { name, args, options }: Series): Promise<Outcome> {
  const startedAt = performance.now();
  try {
    const value = await client.call(name, args, options);
    return { code: 'ok', durationMs: performance.now() - startedAt, value };
  } catch (error) {
    return { ...describeError(error), durationMs: performance.now() - startedAt };
  }
}

function textLine({ code, durationMs, value, message }: Outcome): string {
  const what = message ?? formatResult(value) ?? '';
  return `${timeOfDay()}  ${code.padEnd(9)}  ${formatDuration(durationMs).padStart(8)}  ${what}`.trimEnd();
}

function jsonLine({ code, durationMs, value, message }: Outcome): string {
  const at = new Date().toISOString();
  const took = Math.round(durationMs * 100) / 100;
  return formatJson({ at, code, durationMs: took, ...(message === undefined ? { value } : { message }) });
}

/** `12 calls: 10 ok, 2 timed_out; ok took 1.20 ms (median), 5.00 ms at most; 1 attempt to reconnect` */
export function summary(
  codes: ReadonlyMap<string, number>,
  durations: readonly number[],
  reconnects: number,
): string {
  const total = [...codes.values()].reduce((sum, count) => sum + count, 0);
  const parts = [...codes].map(([code, count]) => `${count} ${code}`);
  const sorted = durations.toSorted((a, b) => a - b);
  const median = sorted[Math.floor((sorted.length - 1) / 2)];
  const most = sorted.at(-1);
  const took =
    median === undefined || most === undefined
      ? ''
      : `; ok took ${formatDuration(median)} (median), ${formatDuration(most)} at most`;
  const calls = `${total} call${total === 1 ? '' : 's'}${parts.length > 0 ? `: ${parts.join(', ')}` : ''}`;
  return `${calls}${took}; ${reconnects} attempt${reconnects === 1 ? '' : 's'} to reconnect`;
}
