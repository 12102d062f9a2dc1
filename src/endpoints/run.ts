// Runs a function as the attempts of one request, until one of them answers.
// Invariant: every attempt that it began has a verdict when it returns.
import type { Clock } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';
import type { Attempt, AttemptEnd, PoolRequest, RequestRefusal } from './request.ts';

const CODES: Partial<Record<RequestRefusal, 'cancelled' | 'timed_out' | 'stopped'>> = {
  cancelled: 'cancelled',
  deadline: 'timed_out',
  stopped: 'stopped',
};

export async function runRequest<T>(
  request: PoolRequest,
  fn: (attempt: Attempt, signal: AbortSignal) => Promise<T>,
  clock: Clock,
): Promise<T> {
  let last: { readonly error: unknown } | undefined;
  try {
    for (;;) {
      const attempt = request.next();
      if (attempt === undefined) {
        if (last !== undefined) throw last.error;
        const code = CODES[request.refusal ?? 'deadline'] ?? 'timed_out';
        throw new HoldfastError(request.explain(), { code });
      }
      if (attempt.backoffMs > 0 && !(await waited(clock, attempt.backoffMs, request.signal))) {
        // It was never sent.
        attempt.abandoned();
        throw request.signal.reason;
      }
      try {
        const answer = await fn(attempt, request.signal);
        if (attempt.isOpen) attempt.succeeded();
        return answer;
      } catch (error) {
        if (attempt.isOpen) attempt.ended(endOf(error, request.signal));
        last = { error };
      }
    }
  } finally {
    request.close();
  }
}

/** Whether the time passed before the signal was aborted. */
function waited(clock: Clock, delayMs: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(false);
    const abort = (): void => {
      clock.clearTimer(timer);
      resolve(false);
    };
    const timer = clock.setTimer(() => {
      signal.removeEventListener('abort', abort);
      resolve(true);
    }, delayMs);
    return signal.addEventListener('abort', abort, { once: true });
  });
}

/** The caller's own signal says nothing of the endpoint; the deadline does. */
function endOf(error: unknown, signal: AbortSignal): AttemptEnd {
  if (signal.aborted) {
    const isDeadline = signal.reason instanceof HoldfastError && signal.reason.code === 'timed_out';
    return { fault: isDeadline ? 'total_timeout' : 'cancelled' };
  }
  const { status } = (error ?? {}) as { status?: unknown };
  return typeof status === 'number' ? { status } : { fault: 'failed' };
}
