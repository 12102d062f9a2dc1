// What a call ends with, in words that say what happened and what to do.
// Invariant: every FAILURE frame becomes exactly one error, and every error a FAILURE frame.
import { HoldfastError, RemoteFunctionError } from '../protocol/errors.ts';
import { limits } from '../protocol/limits.ts';
import type { FailureMessage } from '../protocol/messages.ts';

/** What the words of an error need to know of a call. */
export interface CallFacts {
  readonly name: string;
  readonly attempt: number;
  readonly deadlineMs: number;
  readonly node: string | undefined;
  /** State of the call machine when it ended. */
  readonly state: string;
  /** Whether an attempt before this one may have been executed. */
  readonly past: 'notStarted' | 'unknown';
}

function where({ node, state }: CallFacts): string {
  return node === undefined ? `(${state})` : `on node ${node} (${state})`;
}

/** Only what never left this process is certainly not started. */
function startedOf({ state, past }: CallFacts): 'notStarted' | 'unknown' {
  return state === 'queued' ? past : 'unknown';
}

export function timedOut(call: CallFacts): HoldfastError {
  const advice =
    call.state === 'sent'
      ? `does a node offer ${call.name}, and has it a free place? If so, pass a longer deadline`
      : 'raise executionTimeoutMs or pass a longer deadline';
  return new HoldfastError(
    `call c${call.attempt} of ${call.name} timed out after ${call.deadlineMs} ms ${where(call)}; ${advice}`,
    { code: 'timed_out', retryable: true, blame: 'remote', started: startedOf(call), node: call.node },
  );
}

export function badName(what: string, name: string): HoldfastError {
  return new HoldfastError(
    `${what} is ${JSON.stringify(name.slice(0, 80))}; it must be 1 to ${limits.maxNameLength} printable characters, ` +
      'without blanks at its ends',
    { code: 'invalid_argument' },
  );
}

export function cancelled(call: CallFacts, cause: unknown): HoldfastError {
  return new HoldfastError(`call c${call.attempt} of ${call.name} was cancelled ${where(call)}`, {
    code: 'cancelled',
    cause,
    started: startedOf(call),
    node: call.node,
  });
}

/** `lastStarted` tells of the last attempt. */
export function lost(call: CallFacts, lastStarted: 'notStarted' | 'unknown', why: string): HoldfastError {
  const started = lastStarted === 'notStarted' ? call.past : 'unknown';
  const advice =
    started === 'unknown'
      ? 'it may have been executed: pass idempotent: true, or give it an idempotency key'
      : 'it was not executed: it is safe to call again';
  return new HoldfastError(
    `call c${call.attempt} of ${call.name} was lost ${where(call)}: ${why}; ${advice}`,
    {
      code: 'lost',
      started,
      node: call.node,
      retryable: started === 'notStarted',
      blame: 'remote',
    },
  );
}

export function unstarted(call: CallFacts): HoldfastError {
  return lost(call, 'notStarted', 'its node never started it');
}

/** What is lost with its node, or with one of those that may have had it. */
export function vanished(call: CallFacts): HoldfastError {
  const why = call.node === undefined ? 'a node that may have it did not come back' : 'its node is gone';
  return lost(call, 'unknown', why);
}

/** What a FAILURE means to the call machine. */
export function stepOf(code: FailureMessage['code']) {
  switch (code) {
    case 'timed_out':
      return 'attempt.expired';
    case 'unstarted':
      return 'attempt.unstarted';
    case 'vanished':
      return 'attempt.vanished';
    case 'queue_full':
    case 'no_node':
      return 'attempt.refused';
    default:
      return 'attempt.failed';
  }
}

/** The error that a caller sees for a FAILURE frame. */
export function errorOf(call: CallFacts, failure: FailureMessage): HoldfastError {
  switch (failure.code) {
    case 'failed':
      return new RemoteFunctionError(failure.message, {
        name: failure.name ?? 'Error',
        stack: failure.stack,
        node: call.node,
      });
    case 'timed_out':
      return timedOut(call);
    case 'cancelled':
      return cancelled(call, failure.message);
    case 'queue_full':
      return new HoldfastError(
        `call c${call.attempt} of ${call.name} found no free place: ${failure.message}; ` +
          'add nodes, raise maxQueueSize, or call less at once',
        { code: 'queue_full', retryable: true, blame: 'remote', started: call.past },
      );
    case 'no_node':
      return new HoldfastError(
        `call c${call.attempt} of ${call.name} found no node: ${failure.message}; ` +
          'start a node that offers it, or check the name, the target and the labels',
        { code: 'no_node', retryable: true, blame: 'remote', started: call.past },
      );
    case 'too_large':
      return new HoldfastError(`call c${call.attempt} of ${call.name}: ${failure.message}`, {
        code: 'value_too_large',
        blame: 'remote',
      });
    case 'invalid':
      return new HoldfastError(`call c${call.attempt} of ${call.name}: ${failure.message}`, {
        code: 'invalid_argument',
        blame: 'remote',
      });
    case 'store_failed':
      return new HoldfastError(
        `call c${call.attempt} of ${call.name} could not be journaled and was not sent: ${failure.message}; ` +
          "mend the hub's store, or leave durable out",
        { code: 'store_failed', retryable: true, blame: 'remote', started: call.past },
      );
    case 'unstarted':
      return lost(call, 'notStarted', failure.message);
    case 'vanished':
      return lost(call, 'unknown', failure.message);
  }
}
