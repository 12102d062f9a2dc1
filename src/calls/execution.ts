// One call on the node that runs it: what is known of it, and what its function is told.
// Invariant: plain data and pure functions; the executor moves it.
import type { ExecutionContext } from '../../machines/execution.ts';
import type { CompiledActor } from '../engine/compile.ts';
import type { Observer } from '../engine/table-records.ts';
import type { Clock } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';
import { Fate, Flag, FrameType } from '../protocol/frames.ts';
import { limits } from '../protocol/limits.ts';
import { readQueries } from '../protocol/lists.ts';
import type { FailureMessage } from '../protocol/messages.ts';
import { decodeValue, encodedBytes, type Encoded, type Encoding } from '../protocol/values.ts';
import type { Waiting } from '../actors/deadlines.ts';
import { takesCall, type CallFacts, type NodeFunction } from './functions.ts';
import type { Numbered } from './numbered.ts';
import type { OutboundStream } from './outbound.ts';

/** What an outcome without a value counts for in memory. */
const FAILED_BYTES = 256;

export interface ExecutorOptions {
  readonly clock: Clock;
  readonly encoding: Encoding;
  /** Functions by name, in the order in which they were registered with the hub. */
  readonly functions: ReadonlyMap<string, NodeFunction>;
  /** Functions that run at once; more wait. */
  readonly maxConcurrent: number;
  /** No function runs longer, whatever its caller's deadline, in milliseconds. */
  readonly executionTimeoutMs: number;
  readonly maxRetainedResults: number;
  readonly maxRetainedBytes: number;
  /** A client that the hub does not speak of for at least this long after a reconnect is forgotten. */
  readonly clientGraceMs: number;
  /** Is told of each event of each execution. */
  readonly observer?: Observer<Execution> | undefined;
}

/** One client instance, across links and hubs. */
export interface Customer {
  readonly id: string;
  readonly instance: string;
  /** Its number on the present link; 0 = not heard of on this link. */
  number: number;
  readonly executions: Numbered<Execution>;
  /** Attempts up to this one may have been forgotten with their outcome. */
  evictedUpTo: number;
  /** The same of those that were acknowledged: their client does not ask about them, but a journal may still name them. */
  takenUpTo: number;
}

export interface Execution extends CompiledActor<ExecutionContext>, Waiting {
  readonly client: Customer;
  readonly attempt: number;
  readonly fn: NodeFunction;
  readonly flags: number;
  /** Number of the link on which it came, or on which its client last asked about it. */
  link: number;
  /** Encoded arguments, until the function starts. */
  args: Uint8Array | undefined;
  argsStart: number;
  argsEnd: number;
  controller: AbortController | undefined;
  stream: OutboundStream | undefined;
  value: Encoded | undefined;
  failure: FailureMessage | undefined;
  /** Bytes of its outcome while that is kept; -1 otherwise. Its neighbours in the order of keeping. */
  keptBytes: number;
  olderKept: Execution | undefined;
  newerKept: Execution | undefined;
}

export function newExecution(
  client: Customer,
  attempt: number,
  fn: NodeFunction,
  flags: number,
  context: ExecutionContext,
  args: Uint8Array,
  argsStart: number,
  argsEnd: number,
): Execution {
  if (attempt > client.takenUpTo) client.takenUpTo = attempt;
  return {
    state: 0,
    context,
    dueAt: 0,
    earlier: undefined,
    later: undefined,
    bucket: undefined,
    client,
    attempt,
    fn,
    flags,
    link: 0,
    args,
    argsStart,
    argsEnd,
    controller: undefined,
    stream: undefined,
    value: undefined,
    failure: undefined,
    keptBytes: -1,
    olderKept: undefined,
    newerKept: undefined,
  };
}

/** What its outcome counts for in memory while it is kept. */
export function outcomeBytes({ value, stream }: Execution): number {
  return (value === undefined ? FAILED_BYTES : encodedBytes(value)) + (stream?.keptBytes ?? 0);
}

export function controllerOf(execution: Execution): AbortController {
  execution.controller ??= new AbortController();
  return execution.controller;
}

/**
 * Calls the function with its arguments, which are let go. What it answers may be a promise or a stream.
 * @throws what it throws; HoldfastError `invalid_argument` when the arguments are no list
 */
export function callFunction(execution: Execution, clock: Clock): unknown {
  const { args: bytes, argsStart, argsEnd, flags, fn } = execution;
  execution.args = undefined;
  if (bytes === undefined) throw new HoldfastError('the arguments are gone', { code: 'invalid_argument' });
  const args = decodeValue(bytes, argsStart, argsEnd, (flags & Flag.MSGPACK) !== 0);
  if (!Array.isArray(args)) throw new HoldfastError('arguments must be a list', { code: 'invalid_argument' });
  return takesCall(fn) ? fn(factsOf(execution, clock), ...args) : fn(...(args as unknown[]));
}

/** What a function made by `withCall` gets before its arguments. */
function factsOf(execution: Execution, clock: Clock): CallFacts {
  return {
    // Most functions never look at it, and a controller costs more than a small call.
    get signal() {
      return controllerOf(execution).signal;
    },
    client: execution.client.id,
    attempt: execution.attempt,
    get timeLeftMs() {
      return Math.max(0, execution.context.ledger.deadlineAt - clock.now());
    },
  };
}

/** What a function threw, in words that fit. Anything can be thrown, also what has no words. */
export function failureOf(error: unknown): FailureMessage {
  try {
    return describe(error);
  } catch {
    return { code: 'failed', name: 'Error', message: 'the function threw what cannot be turned into text' };
  }
}

function describe(error: unknown): FailureMessage {
  if (!(error instanceof Error))
    return { code: 'failed', name: 'Error', message: String(error).slice(0, limits.maxReasonLength) };
  const message = String(error.message).slice(0, limits.maxReasonLength);
  if (error instanceof HoldfastError && error.code === 'value_too_large')
    return { code: 'too_large', message };
  if (error instanceof HoldfastError && error.code === 'invalid_argument')
    return { code: 'invalid', message };
  const stack =
    error.stack === undefined ? {} : { stack: String(error.stack).slice(0, limits.maxStackLength) };
  return { code: 'failed', name: String(error.name).slice(0, limits.maxNameLength), message, ...stack };
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

export function isAsyncIterator(value: unknown): value is AsyncIterator<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value && 'next' in value;
}

/** What comes from a client, by way of the hub. */
export const takenFrames: ReadonlySet<number> = new Set([
  FrameType.CALL,
  FrameType.CHUNK,
  FrameType.ACK,
  FrameType.CANCEL,
  FrameType.CREDIT,
  FrameType.QUERY,
]);

/** What became of the attempts that a QUERY names; `unknown` is called for those of which nothing is known. */
export function answerQueries(
  { executions, evictedUpTo, takenUpTo }: Customer,
  flags: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  unknown: (attempt: number) => void,
) {
  const forgottenUpTo = (flags & Flag.DURABLE) === 0 ? evictedUpTo : takenUpTo;
  const fates: [number, Fate][] = [];
  const known: { execution: Execution; received: number; windowBytes: number }[] = [];
  readQueries(bytes, start, end, (attempt, received, windowBytes) => {
    const execution = executions.get(attempt);
    if (execution === undefined) {
      unknown(attempt);
      fates.push([attempt, attempt <= forgottenUpTo ? Fate.VANISHED : Fate.UNSTARTED]);
    } else {
      fates.push([attempt, execution.keptBytes >= 0 ? Fate.DONE : Fate.RUNNING]);
      known.push({ execution, received, windowBytes });
    }
  });
  return { fates, known };
}
