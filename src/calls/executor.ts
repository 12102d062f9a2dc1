// The side that runs: calls that came in, the functions they name, and outcomes that are kept until acknowledged.
// Invariant: an attempt of one client instance is executed at most once, however often it is sent.
import { executionEffects, executionMachine, type ExecutionContext } from '../../machines/execution.ts';
import { compile, type CompiledActor } from '../engine/compile.ts';
import type { Clock, Timer } from '../ports.ts';
import { Assembler } from '../protocol/assembler.ts';
import { HoldfastError, ProtocolViolation } from '../protocol/errors.ts';
import { CALL_PREFIX_BYTES, CloseCode, Fate, Flag, FrameType } from '../protocol/frames.ts';
import { limits } from '../protocol/limits.ts';
import { readCredit, readIds, readQueries, writeCredit, writeFates } from '../protocol/lists.ts';
import { readPeer, type FailureMessage } from '../protocol/messages.ts';
import type { Outbox } from '../protocol/outbox.ts';
import { copyBytes } from '../protocol/read.ts';
import { decodeValue, encodedBytes, encodeValue, type Encoded, type Encoding } from '../protocol/values.ts';
import { Deadlines, type Waiting } from './deadlines.ts';
import { takesCall, type CallFacts, type NodeFunction } from './functions.ts';
import { OutboundStream, type Route } from './outbound.ts';

/** One client instance, across links and hubs. */
interface Client {
  readonly id: string;
  readonly instance: string;
  /** Its number on the present link; 0 = not heard of on this link. */
  number: number;
  readonly executions: Map<number, Execution>;
  /** Attempts up to this one may have been forgotten with their outcome. */
  evictedUpTo: number;
}

interface Execution extends CompiledActor<ExecutionContext>, Waiting {
  readonly client: Client;
  readonly attempt: number;
  readonly fn: NodeFunction;
  readonly flags: number;
  /** Encoded arguments, until the function starts. */
  args: { bytes: Uint8Array; start: number; end: number } | undefined;
  controller: AbortController | undefined;
  stream: OutboundStream | undefined;
  value: Encoded | undefined;
  failure: FailureMessage | undefined;
  retainedBytes: number;
}

/** A CALL whose arguments arrive in chunks. */
interface Partial {
  readonly fn: number;
  readonly flags: number;
  readonly deadlineAt: number;
}

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
  /** A client that the hub does not speak of for this long after a reconnect is forgotten. */
  readonly clientGraceMs: number;
}

const FAILED_BYTES = 256;
/**
 * How long a node that leaves keeps outcomes that nobody acknowledged. An acknowledgement may have died with a hub, so
 * a client that is there gets little time; one that is not back yet gets enough for a reconnect.
 */
const LEAVING_PRESENT_MS = 1_000;
const LEAVING_ABSENT_MS = 10_000;

export class Executor {
  readonly #options: ExecutorOptions;
  readonly #clock: Clock;
  readonly #functions: readonly NodeFunction[];
  readonly #deadlines: Deadlines<Execution>;
  readonly #assembler = new Assembler(limits);
  readonly #partials = new Map<number, Partial>();
  readonly #clients = new Map<string, Client>();
  #byNumber = new Map<number, Client>();
  #outbox: Outbox | undefined;
  #queue: Execution[] = [];
  #queueFrom = 0;
  #running = 0;
  #held = 0;
  /** Outcomes that are kept, the oldest first. */
  readonly #retained = new Set<Execution>();
  #retainedBytes = 0;
  #idle: (() => void)[] = [];
  #graceTimer: Timer | undefined;
  #leavingTimer: Timer | undefined;
  executed = 0;
  evicted = 0;

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#functions = [...options.functions.values()];
    this.#deadlines = new Deadlines(options.clock, (execution) => {
      this.#machine.expire(execution);
      this.#fill();
    });
  }

  readonly #machine = compile<typeof executionMachine, typeof executionEffects, Execution>(
    executionMachine,
    executionEffects,
    {
      startFunction: (execution) => this.#start(execution),
      abortFunction: (execution) => {
        this.#running -= 1;
        execution.controller?.abort(new HoldfastError('the call is over for its caller', { code: 'cancelled' }));
      },
      sendOutcome: (execution) => this.#conclude(execution),
      forget: (execution) => this.#forget(execution),
    },
  );

  /** Functions that run now, calls that wait, outcomes that are kept. */
  get active(): number {
    return this.#running;
  }
  get waiting(): number {
    return this.#queue.length - this.#queueFrom;
  }
  get retained(): number {
    return this.#retained.size;
  }

  attached(outbox: Outbox): void {
    this.#outbox = outbox;
    this.#byNumber = new Map();
    for (const client of this.#clients.values()) client.number = 0;
    this.#clearGrace();
    if (this.#clients.size > 0) {
      this.#graceTimer = this.#clock.setTimer(() => this.#forgetAbsent(), this.#options.clientGraceMs);
    }
  }

  detached(): void {
    this.#outbox = undefined;
    for (const client of this.#clients.values()) {
      client.number = 0;
      for (const { stream } of client.executions.values()) stream?.detach();
    }
    // Arguments that arrived in part: the call was not started, and its caller will be told so.
    for (const key of this.#partials.keys()) this.#assembler.drop(Math.floor(key / 2 ** 32), key % 2 ** 32);
    this.#partials.clear();
  }

  /** Nothing new comes: calls `finished` when nothing runs or waits and outcomes were acknowledged, or had time to be. */
  drained(finished: () => void): void {
    this.#idle.push(finished);
    this.#settleLeaving();
  }

  #settleLeaving(): void {
    if (this.#idle.length === 0) return;
    if (this.#held !== this.#retained.size) return this.#clearLeaving();
    if (this.#held === 0) {
      this.#clearLeaving();
      for (const finished of this.#idle.splice(0)) finished();
    } else if (this.#leavingTimer === undefined) {
      this.#leavingTimer = this.#clock.setTimer(() => {
        this.#abandon(({ client }) => client.number !== 0);
        if (this.#held === 0) return;
        this.#leavingTimer = this.#clock.setTimer(() => this.#abandon(() => true), LEAVING_ABSENT_MS - LEAVING_PRESENT_MS);
      }, LEAVING_PRESENT_MS);
    }
  }

  /** Nobody will ask for these outcomes any more. */
  #abandon(which: (execution: Execution) => boolean): void {
    const at = this.#clock.now();
    for (const execution of [...this.#retained].filter(which)) {
      this.#machine.send(execution, { type: 'result.evicted', at });
    }
  }

  #clearLeaving(): void {
    if (this.#leavingTimer !== undefined) this.#clock.clearTimer(this.#leavingTimer);
    this.#leavingTimer = undefined;
  }

  /** The link will not come back: nobody can take the outcomes. */
  ended(): void {
    this.#clearGrace();
    this.#clearLeaving();
    this.#idle = [];
    for (const client of [...this.#clients.values()]) this.#dismiss(client);
    this.#deadlines.stop();
  }

  frame(type: number, flags: number, peer: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    if (type === FrameType.PEER) return this.#introduce(peer, bytes, start, end);
    const client = this.#byNumber.get(peer);
    if (client === undefined) {
      throw new ProtocolViolation(CloseCode.OUT_OF_ORDER, `frame 0x${type.toString(16)} of peer ${peer} before its PEER`);
    }
    switch (type) {
      case FrameType.CALL:
        return this.#call(client, flags, id, bytes, start, end);
      case FrameType.CHUNK:
        return this.#chunk(client, flags, id, bytes, start, end);
      case FrameType.ACK:
        // Of nothing: the client is gone.
        if (start === end) return this.#dismiss(client);
        readIds(bytes, start, end, (attempt) => this.#acknowledged(client, attempt));
        return this.#fill();
      case FrameType.CANCEL:
        return this.#cancel(client, id);
      case FrameType.CREDIT:
        return this.#credit(client, id, readCredit(bytes, start, end));
      case FrameType.QUERY:
        return this.#query(client, bytes, start, end);
      default:
        throw new ProtocolViolation(
          CloseCode.UNEXPECTED_TYPE,
          `frame type 0x${type.toString(16).padStart(2, '0')} does not go to a node`,
        );
    }
  }

  #introduce(peer: number, bytes: Uint8Array, start: number, end: number): void {
    const { id, instance } = readPeer(bytes, start, end);
    let client = this.#clients.get(instance);
    if (client === undefined) {
      client = { id, instance, number: peer, executions: new Map(), evictedUpTo: 0 };
      this.#clients.set(instance, client);
    }
    client.number = peer;
    this.#byNumber.set(peer, client);
  }

  #call(client: Client, flags: number, attempt: number, bytes: Uint8Array, start: number, end: number): void {
    if (end - start < CALL_PREFIX_BYTES) {
      throw new ProtocolViolation(CloseCode.MALFORMED, `CALL has ${end - start} bytes, fewer than ${CALL_PREFIX_BYTES}`);
    }
    // Sent again by a hub that does not know better: it runs, or has run.
    if (client.executions.has(attempt)) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset + start, CALL_PREFIX_BYTES);
    const fn = view.getUint16(0, true);
    const valueAt = start + CALL_PREFIX_BYTES + view.getUint16(2, true);
    const deadlineAt = this.#clock.now() + Math.min(view.getUint32(4, true), this.#options.executionTimeoutMs);
    if ((flags & Flag.MORE) !== 0) {
      this.#assembler.drop(client.number, attempt);
      this.#assembler.begin(client.number, attempt, bytes, valueAt, end);
      this.#partials.set(client.number * 2 ** 32 + attempt, { fn, flags, deadlineAt });
      this.#give(client, attempt);
      return;
    }
    this.#accept(client, attempt, fn, flags, deadlineAt, bytes, valueAt, end);
  }

  #chunk(client: Client, flags: number, attempt: number, bytes: Uint8Array, start: number, end: number): void {
    const key = client.number * 2 ** 32 + attempt;
    const partial = this.#partials.get(key);
    // Cancelled meanwhile: the rest may still be under way.
    if (partial === undefined) return;
    const whole = this.#assembler.append(client.number, attempt, bytes, start, end, (flags & Flag.MORE) !== 0);
    this.#give(client, attempt);
    if (whole === undefined) return;
    this.#partials.delete(key);
    this.#accept(client, attempt, partial.fn, partial.flags, partial.deadlineAt, whole, 0, whole.length);
  }

  #give(client: Client, attempt: number): void {
    const due = this.#assembler.creditDue(client.number, attempt);
    if (due === 0) return;
    this.#outbox?.frame(FrameType.CREDIT, 0, client.number, attempt, writeCredit(due));
  }

  #accept(
    client: Client,
    attempt: number,
    fn: number,
    flags: number,
    deadlineAt: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const named = this.#functions[fn];
    if (named === undefined) {
      throw new ProtocolViolation(CloseCode.MALFORMED, `CALL names function ${fn} of ${this.#functions.length}`);
    }
    if (this.#held >= limits.maxExecutions + this.#options.maxRetainedResults) {
      const failure: FailureMessage = { code: 'unstarted', message: `the node holds ${this.#held} calls already` };
      this.#outbox?.json(FrameType.FAILURE, 0, client.number, attempt, failure);
      return;
    }
    const now = this.#clock.now();
    const execution: Execution = {
      state: 0,
      context: this.#machine.initialContext({ deadlineMs: Math.max(0, deadlineAt - now), acceptedAt: now }),
      dueAt: 0,
      earlier: undefined,
      later: undefined,
      bucket: undefined,
      client,
      attempt,
      fn: named,
      flags,
      args: { bytes, start, end },
      controller: undefined,
      stream: undefined,
      value: undefined,
      failure: undefined,
      retainedBytes: 0,
    };
    client.executions.set(attempt, execution);
    this.#held += 1;
    this.#machine.enter(execution);
    this.#deadlines.set(execution, deadlineAt);
    if (this.#running < this.#options.maxConcurrent && this.waiting === 0) {
      this.#machine.send(execution, { type: 'slot.granted', at: now });
    } else {
      // The message that it came in is not kept alive for it.
      execution.args = { bytes: copyBytes(bytes, start, end), start: 0, end: end - start };
      this.#queue.push(execution);
    }
  }

  /** Grants free slots to those who wait. */
  #fill(): void {
    while (this.#running < this.#options.maxConcurrent && this.#queueFrom < this.#queue.length) {
      const next = this.#queue[this.#queueFrom];
      this.#queueFrom += 1;
      if (next !== undefined && this.#machine.states[next.state] === 'queued') {
        this.#machine.send(next, { type: 'slot.granted', at: this.#clock.now() });
      }
    }
    if (this.#queueFrom === this.#queue.length) {
      this.#queue.length = 0;
      this.#queueFrom = 0;
    }
  }

  #start(execution: Execution): void {
    this.#running += 1;
    this.executed += 1;
    let answer: unknown;
    try {
      const { bytes, start, end } = execution.args ?? { bytes: new Uint8Array(), start: 0, end: 0 };
      execution.args = undefined;
      const args = decodeValue(bytes, start, end, (execution.flags & Flag.MSGPACK) !== 0);
      if (!Array.isArray(args)) throw new HoldfastError('arguments must be a list', { code: 'invalid_argument' });
      answer = takesCall(execution.fn)
        ? execution.fn(this.#factsFor(execution), ...args)
        : execution.fn(...(args as unknown[]));
    } catch (error) {
      this.#threw(execution, error);
      return;
    }
    if (isAsyncIterator(answer)) this.#stream(execution, answer);
    else if (isThenable(answer)) {
      answer.then(
        (value) => this.#returned(execution, value),
        (error: unknown) => this.#threw(execution, error),
      );
    } else this.#returned(execution, answer);
  }

  #stream(execution: Execution, iterator: AsyncIterator<unknown>): void {
    const { signal } = this.#controllerOf(execution);
    execution.stream = new OutboundStream(iterator, this.#options.encoding, this.#routeTo(execution));
    execution.stream.run(signal).then(
      (value) => this.#returned(execution, value),
      (error: unknown) => this.#threw(execution, error),
    );
  }

  #returned(execution: Execution, value: unknown): void {
    if (this.#machine.states[execution.state] !== 'running') return;
    try {
      execution.value = encodeValue(value, this.#options.encoding);
    } catch (error) {
      this.#threw(execution, error);
      return;
    }
    this.#running -= 1;
    this.#machine.send(execution, { type: 'function.returned', at: this.#clock.now() });
    this.#fill();
  }

  #threw(execution: Execution, error: unknown): void {
    if (this.#machine.states[execution.state] !== 'running') return;
    execution.failure = failureOf(error);
    this.#running -= 1;
    this.#machine.send(execution, { type: 'function.threw', at: this.#clock.now() });
    this.#fill();
  }

  /** The execution is over: send what it ended with, and keep it for a caller who comes back. */
  #conclude(execution: Execution): void {
    this.#deadlines.clear(execution);
    execution.args = undefined;
    const state = this.#machine.states[execution.state];
    if (state === 'timed_out') execution.failure = { code: 'timed_out', message: 'the deadline passed on the node' };
    if (state === 'cancelled') execution.failure = { code: 'cancelled', message: 'cancelled' };
    this.#send(execution);
    execution.retainedBytes = execution.value === undefined ? FAILED_BYTES : encodedBytes(execution.value);
    execution.retainedBytes += execution.stream?.keptBytes ?? 0;
    this.#retained.add(execution);
    this.#retainedBytes += execution.retainedBytes;
    this.#evict();
    this.#settleLeaving();
  }

  #send(execution: Execution): void {
    const { client, attempt, value, failure } = execution;
    if (this.#outbox === undefined || client.number === 0) return;
    if (failure !== undefined) {
      this.#outbox.json(FrameType.FAILURE, 0, client.number, attempt, failure);
      return;
    }
    const flags =
      (this.#options.encoding === 'msgpack' ? Flag.MSGPACK : 0) | (execution.stream === undefined ? 0 : Flag.STREAM);
    this.#outbox.value(FrameType.RESULT, flags, client.number, attempt, undefined, value ?? '');
  }

  #evict(): void {
    const { maxRetainedResults, maxRetainedBytes } = this.#options;
    if (this.#retained.size <= maxRetainedResults && this.#retainedBytes <= maxRetainedBytes) return;
    for (const oldest of this.#retained) {
      if (this.#retained.size <= maxRetainedResults && this.#retainedBytes <= maxRetainedBytes) return;
      // A single outcome beyond the limit is kept until the next one: there is nobody else to make room for.
      if (this.#retained.size === 1) return;
      this.evicted += 1;
      oldest.client.evictedUpTo = Math.max(oldest.client.evictedUpTo, oldest.attempt);
      this.#machine.send(oldest, { type: 'result.evicted', at: this.#clock.now() });
    }
  }

  #forget(execution: Execution): void {
    this.#deadlines.clear(execution);
    execution.client.executions.delete(execution.attempt);
    if (this.#retained.delete(execution)) this.#retainedBytes -= execution.retainedBytes;
    this.#held -= 1;
    this.#settleLeaving();
  }

  #acknowledged(client: Client, attempt: number): void {
    const execution = client.executions.get(attempt);
    if (execution === undefined) return;
    this.#machine.send(execution, { type: 'result.acknowledged', at: this.#clock.now() });
  }

  #cancel(client: Client, attempt: number): void {
    this.#assembler.drop(client.number, attempt);
    this.#partials.delete(client.number * 2 ** 32 + attempt);
    const execution = client.executions.get(attempt);
    if (execution !== undefined) this.#machine.send(execution, { type: 'cancel.requested', at: this.#clock.now() });
    this.#fill();
  }

  #credit(client: Client, attempt: number, bytes: number): void {
    const stream = client.executions.get(attempt)?.stream;
    if (stream === undefined) this.#outbox?.credit(client.number, attempt, bytes);
    else stream.credit(bytes);
  }

  /** The caller asks what became of its calls; outcomes that are there follow the answer. */
  #query(client: Client, bytes: Uint8Array, start: number, end: number): void {
    const fates: [number, Fate][] = [];
    const known: [Execution, number, number][] = [];
    readQueries(bytes, start, end, (attempt, received, windowBytes) => {
      const execution = client.executions.get(attempt);
      if (execution === undefined) {
        this.#assembler.drop(client.number, attempt);
        this.#partials.delete(client.number * 2 ** 32 + attempt);
        fates.push([attempt, attempt <= client.evictedUpTo ? Fate.VANISHED : Fate.UNSTARTED]);
        return;
      }
      fates.push([attempt, this.#retained.has(execution) ? Fate.DONE : Fate.RUNNING]);
      known.push([execution, received, windowBytes]);
    });
    this.#outbox?.frame(FrameType.FATE, 0, client.number, 0, writeFates(fates));
    for (const [execution, received, windowBytes] of known) {
      const route = this.#routeTo(execution);
      if (route === undefined) return;
      execution.stream?.resume(route, received, windowBytes);
      if (this.#retained.has(execution)) {
        if (execution.stream === undefined) route.outbox.drop(route.peer, route.attempt);
        this.#send(execution);
      }
    }
  }

  /** The client is gone for good: nobody waits for its calls. */
  #dismiss(client: Client): void {
    const at = this.#clock.now();
    for (const execution of [...client.executions.values()]) {
      this.#machine.send(execution, { type: 'result.evicted', at });
    }
    this.#clients.delete(client.instance);
    if (client.number !== 0) this.#byNumber.delete(client.number);
    this.#fill();
  }

  #forgetAbsent(): void {
    this.#graceTimer = undefined;
    for (const client of [...this.#clients.values()]) if (client.number === 0) this.#dismiss(client);
  }

  #clearGrace(): void {
    if (this.#graceTimer !== undefined) this.#clock.clearTimer(this.#graceTimer);
    this.#graceTimer = undefined;
  }

  #routeTo({ client, attempt }: Execution): Route | undefined {
    if (this.#outbox === undefined || client.number === 0) return undefined;
    return { outbox: this.#outbox, peer: client.number, attempt };
  }

  #controllerOf(execution: Execution): AbortController {
    execution.controller ??= new AbortController();
    return execution.controller;
  }

  #factsFor(execution: Execution): CallFacts {
    const controllerOf = () => this.#controllerOf(execution);
    const clock = this.#clock;
    return {
      // Most functions never look at it, and a controller costs more than a small call.
      get signal() {
        return controllerOf().signal;
      },
      client: execution.client.id,
      attempt: execution.attempt,
      get timeLeftMs() {
        return Math.max(0, execution.context.ledger.deadlineAt - clock.now());
      },
    };
  }
}

function failureOf(error: unknown): FailureMessage {
  if (error instanceof HoldfastError && error.code === 'value_too_large') return { code: 'too_large', message: error.message };
  if (error instanceof HoldfastError && error.code === 'invalid_argument') return { code: 'invalid', message: error.message };
  if (!(error instanceof Error)) return { code: 'failed', name: 'Error', message: String(error) };
  const stack = error.stack === undefined ? {} : { stack: error.stack.slice(0, limits.maxStackLength) };
  return { code: 'failed', name: error.name, message: error.message.slice(0, limits.maxReasonLength), ...stack };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

function isAsyncIterator(value: unknown): value is AsyncIterator<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value && 'next' in value;
}
