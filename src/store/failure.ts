// What a request to a store fails with, in words that say what happened and what to do.
// Invariant: every error says whether a write may have happened.
import { HoldfastError } from '../protocol/errors.ts';
import type { Refusal } from './commands.ts';

export function refused({ refused: code, message, limit }: Refusal): HoldfastError {
  return new HoldfastError(message, { code, started: 'notStarted', revision: limit });
}

/** `queued`: the engine never got it. */
export function timedOut(afterMs: number, queued: boolean): HoldfastError {
  return new HoldfastError(
    queued
      ? `the store did not take the request within ${afterMs} ms; it was not started: try again, or raise proposeTimeoutMs`
      : `the store did not answer within ${afterMs} ms; a write may have happened: read before you write again, or raise ` +
          'applyTimeoutMs',
    { code: 'timed_out', retryable: queued, started: startedOf(queued) },
  );
}

export function cancelled(cause: unknown, queued: boolean): HoldfastError {
  return new HoldfastError(
    queued
      ? 'the request was cancelled before the store took it'
      : 'the request was cancelled while the store worked on it; a write may have happened',
    { code: 'cancelled', cause, started: startedOf(queued) },
  );
}

export function ended(error: HoldfastError, queued: boolean): HoldfastError {
  const { code, message } = error;
  return new HoldfastError(queued ? message : `${message}; a write that was under way may have happened`, {
    code,
    cause: error.cause,
    started: startedOf(queued),
  });
}

export function stopped(): HoldfastError {
  return new HoldfastError('the store was closed; open it again', { code: 'stopped' });
}

export function queueFull(waiting: number, bytes: number): HoldfastError {
  return new HoldfastError(
    `${waiting} requests of ${bytes} bytes wait for the store already; await some of them before you send more`,
    { code: 'queue_full', retryable: true, started: 'notStarted' },
  );
}

export function badTimeout(name: string, value: number): HoldfastError {
  return new HoldfastError(`${name} is ${value}; give milliseconds above 0`, {
    code: 'invalid_argument',
    started: 'notStarted',
  });
}

/** What the checks of a request threw: what they refuse, or what came of a request that is not made as its type says. */
export function senseless(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new HoldfastError(`the request is not what the contract describes (${why})`, {
    code: 'invalid_argument',
    cause: error,
    started: 'notStarted',
  });
}

/** What an engine threw. One that is not ours says nothing about what happened. */
export function ofEngine(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new HoldfastError(`the store's engine failed (${why}); a write may have happened`, {
    code: 'store_failed',
    cause: error,
    started: 'unknown',
  });
}

const startedOf = (queued: boolean): 'notStarted' | 'unknown' => (queued ? 'notStarted' : 'unknown');
