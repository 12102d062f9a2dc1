// The side that runs: calls that came in, the functions they name, and outcomes that are kept until acknowledged.
// Invariant: an attempt of one client instance is executed at most once, however often it is sent.
import { executionEffects, executionMachine } from '../../machines/execution.ts';
import { Fifo } from '../actors/fifo.ts';
import { compile } from '../engine/compile.ts';
import type { Clock } from '../ports.ts';
import { HoldfastError, ProtocolViolation } from '../protocol/errors.ts';
import { CloseCode, Flag, FrameType } from '../protocol/frames.ts';
import { limits } from '../protocol/limits.ts';
import { readCredit, readIds, writeFates } from '../protocol/lists.ts';
import type { FailureMessage } from '../protocol/messages.ts';
import type { Outbox } from '../protocol/outbox.ts';
import { copyBytes, unexpectedType } from '../protocol/read.ts';
import { encodeValue } from '../protocol/values.ts';
import { Customers } from './customers.ts';
import { Deadlines } from '../actors/deadlines.ts';
import {
  answerQueries,
  callFunction,
  controllerOf,
  failureOf,
  isAsyncIterator,
  isThenable,
  takenFrames,
  newExecution,
  outcomeBytes,
  type Customer,
  type Execution,
  type ExecutorOptions,
} from './execution.ts';
import type { NodeFunction } from './functions.ts';
import { Leaving } from './leaving.ts';
import { OutboundStream, type Route } from './outbound.ts';
import { Retention } from './retention.ts';
import { readHeader, Uploads, type Header } from './uploads.ts';

export class Executor {
  readonly #options: ExecutorOptions;
  readonly #clock: Clock;
  readonly #functions: readonly NodeFunction[];
  readonly #deadlines: Deadlines<Execution>;
  readonly #uploads: Uploads;
  readonly #retained: Retention;
  readonly #clients: Customers;
  #outbox: Outbox | undefined;
  readonly #queue = new Fifo<Execution>();
  #running = 0;
  #held = 0;
  readonly #leaving: Leaving;
  executed = 0;
  /** When the frames that are being handled came in. */
  #now = 0;
  // One object for each event that every call brings: the machine reads it and does not keep it.
  readonly #granted = { type: 'slot.granted' as const, at: 0 };
  readonly #returnedEvent = { type: 'function.returned' as const, at: 0 };
  readonly #acknowledgedEvent = { type: 'result.acknowledged' as const, at: 0 };

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.machine.observe(options.observer);
    this.#functions = [...options.functions.values()];
    this.#deadlines = new Deadlines(options.clock, (execution) => {
      this.machine.expire(execution);
      this.#fill();
    });
    this.#clients = new Customers({
      clock: options.clock,
      graceMs: options.clientGraceMs,
      dismissed: (client) => this.#dismissed(client),
      unasked: (execution) => this.#evict(execution),
    });
    this.#leaving = new Leaving(options.clock, (which) => {
      for (const execution of [...this.#retained].filter(which)) this.#evict(execution);
    });
    this.#uploads = new Uploads({
      accept: (header, bytes) => this.#accept(header, bytes, 0, bytes.length),
      refuse: ({ client, attempt }, message) => this.#fail(client, attempt, { code: 'invalid', message }),
    });
    this.#retained = new Retention({
      maxResults: options.maxRetainedResults,
      maxBytes: options.maxRetainedBytes,
      evict: (execution) => this.machine.send(execution, { type: 'result.evicted', at: this.#now }),
    });
  }

  readonly machine = compile<typeof executionMachine, typeof executionEffects, Execution>(
    executionMachine,
    executionEffects,
    {
      startFunction: (execution) => this.#start(execution),
      abortFunction: (execution) => {
        this.#running -= 1;
        execution.controller?.abort(
          new HoldfastError('the call is over for its caller', { code: 'cancelled' }),
        );
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
    return this.#queue.size;
  }
  get retained(): number {
    return this.#retained.size;
  }

  attached(outbox: Outbox, sessionGraceMs: number): void {
    this.#outbox = outbox;
    this.#clients.attached(sessionGraceMs);
  }

  /** The frames that follow came in at this time. What they start is measured from it. */
  heard(at: number): void {
    this.#now = at;
  }

  detached(): void {
    this.#outbox = undefined;
    // Arguments that arrived in part: the call was not started, and its caller will be told so.
    this.#uploads.clear();
    for (const { executions } of this.#clients.all())
      for (const { stream } of executions.values()) stream?.detach();
    this.#clients.detached();
  }

  /** Nothing new comes: calls `finished` when nothing runs or waits and outcomes were acknowledged, or had time to be. */
  drained(finished: () => void): void {
    this.#leaving.wait(finished);
    this.#leaving.look(this.#held, this.#retained.size);
  }

  /** The link will not come back: nobody can take the outcomes. */
  ended(): void {
    this.#leaving.stop();
    this.#clients.dismissAll();
    this.#deadlines.stop();
  }

  frame(
    type: number,
    flags: number,
    peer: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (type === FrameType.PEER) return this.#clients.introduce(peer, bytes, start, end);
    const client = this.#clients.get(peer);
    if (client === undefined) {
      if (!takenFrames.has(type)) throw unexpectedType(type, 'a hub');
      throw new ProtocolViolation(
        CloseCode.OUT_OF_ORDER,
        `frame 0x${type.toString(16)} of peer ${peer} before its PEER`,
      );
    }
    switch (type) {
      case FrameType.CALL:
        return this.#call(client, flags, id, bytes, start, end);
      case FrameType.CHUNK:
        return this.#uploads.chunk(client, id, flags, this.#outbox, bytes, start, end);
      case FrameType.ACK:
        // Of nothing: the client is gone.
        if (start === end) return this.#clients.dismiss(client);
        readIds(bytes, start, end, (attempt) => this.#acknowledged(client, attempt));
        return this.#fill();
      case FrameType.CANCEL:
        return this.#cancel(client, id);
      case FrameType.CREDIT:
        return this.#credit(client, id, readCredit(bytes, start, end));
      case FrameType.QUERY:
        return this.#query(client, flags, bytes, start, end);
      default:
        throw unexpectedType(type, 'a hub');
    }
  }

  #call(
    client: Customer,
    flags: number,
    attempt: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    // Sent again by a hub that does not know better: it runs, or has run.
    if (client.executions.has(attempt)) return;
    const header = readHeader(
      client,
      flags,
      attempt,
      bytes,
      start,
      end,
      this.#now,
      this.#options.executionTimeoutMs,
    );
    if ((flags & Flag.MORE) !== 0) this.#uploads.begin(header, this.#outbox, bytes, header.valueAt, end);
    else this.#accept(header, bytes, header.valueAt, end);
  }

  #accept(
    { client, attempt, fn, flags, deadlineAt }: Header,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const named = this.#functions[fn];
    if (named === undefined) {
      throw new ProtocolViolation(
        CloseCode.MALFORMED,
        `CALL names function ${fn} of ${this.#functions.length}`,
      );
    }
    if (this.#held >= limits.maxExecutions + this.#options.maxRetainedResults) {
      const message = `the node holds ${this.#held} calls already`;
      return this.#fail(client, attempt, { code: 'unstarted', message });
    }
    const now = this.#now;
    const context = this.machine.initialContext({
      deadlineMs: Math.max(0, deadlineAt - now),
      acceptedAt: now,
    });
    const execution = newExecution(client, attempt, named, flags, context, bytes, start, end);
    execution.link = this.#clients.link;
    client.executions.set(execution);
    this.#held += 1;
    this.machine.enter(execution);
    this.#deadlines.set(execution, deadlineAt);
    if (this.#running < this.#options.maxConcurrent && this.waiting === 0) {
      this.#grant(execution, now);
    } else {
      // The message that it came in is not kept alive for it.
      execution.args = copyBytes(bytes, start, end);
      execution.argsStart = 0;
      execution.argsEnd = end - start;
      this.#queue.push(execution);
    }
  }

  #fail(client: Customer, attempt: number, failure: FailureMessage): void {
    this.#outbox?.json(FrameType.FAILURE, 0, client.number, attempt, failure);
  }

  #grant(execution: Execution, at: number): void {
    this.#granted.at = at;
    this.machine.send(execution, this.#granted);
  }

  /** Grants free slots to those who wait. */
  #fill(): void {
    while (this.#running < this.#options.maxConcurrent && this.#queue.size > 0) {
      const next = this.#queue.shift();
      // It may have been cancelled, or have timed out.
      if (next === undefined || this.machine.states[next.state] !== 'queued') continue;
      this.#grant(next, this.#clock.now());
    }
  }

  #start(execution: Execution): void {
    this.#running += 1;
    this.executed += 1;
    let answer: unknown;
    try {
      answer = callFunction(execution, this.#clock);
    } catch (error) {
      return this.#threw(execution, error);
    }
    if (isAsyncIterator(answer)) {
      const { signal } = controllerOf(execution);
      execution.stream = new OutboundStream(answer, this.#options.encoding, this.#routeTo(execution));
      answer = execution.stream.run(signal);
    }
    if (!isThenable(answer)) return this.#returned(execution, answer, this.#now);
    answer.then(
      (value) => this.#returned(execution, value, this.#clock.now()),
      (error: unknown) => this.#threw(execution, error),
    );
  }

  #returned(execution: Execution, value: unknown, at: number): void {
    if (this.machine.states[execution.state] !== 'running') return;
    try {
      execution.value = encodeValue(value, this.#options.encoding);
    } catch (error) {
      return this.#threw(execution, error);
    }
    this.#running -= 1;
    this.#returnedEvent.at = at;
    this.machine.send(execution, this.#returnedEvent);
    this.#fill();
  }

  #threw(execution: Execution, error: unknown): void {
    if (this.machine.states[execution.state] !== 'running') return;
    execution.failure = failureOf(error);
    this.#running -= 1;
    this.machine.send(execution, { type: 'function.threw', at: this.#clock.now() });
    this.#fill();
  }

  /** The execution is over: send what it ended with, and keep it for a caller who comes back. */
  #conclude(execution: Execution): void {
    this.#deadlines.clear(execution);
    execution.args = undefined;
    const state = this.machine.states[execution.state];
    if (state === 'timed_out')
      execution.failure = { code: 'timed_out', message: 'the deadline passed on the node' };
    if (state === 'cancelled') execution.failure = { code: 'cancelled', message: 'cancelled' };
    this.#send(execution);
    this.#retained.add(execution, outcomeBytes(execution));
    this.#leaving.look(this.#held, this.#retained.size);
  }

  #send(execution: Execution): void {
    const { client, attempt, value, failure } = execution;
    if (this.#outbox === undefined || client.number === 0) return;
    if (failure !== undefined) {
      this.#outbox.json(FrameType.FAILURE, 0, client.number, attempt, failure);
      return;
    }
    const flags =
      (this.#options.encoding === 'msgpack' ? Flag.MSGPACK : 0) |
      (execution.stream === undefined ? 0 : Flag.STREAM);
    this.#outbox.value(FrameType.RESULT, flags, client.number, attempt, undefined, value ?? '');
  }

  #forget(execution: Execution): void {
    this.#deadlines.clear(execution);
    execution.client.executions.delete(execution.attempt);
    this.#retained.delete(execution);
    this.#held -= 1;
    this.#leaving.look(this.#held, this.#retained.size);
  }

  #acknowledged(client: Customer, attempt: number): void {
    const execution = client.executions.get(attempt);
    // Arguments that will never be complete: their caller was told that the call was not started.
    if (execution === undefined) return this.#uploads.drop(client, attempt);
    this.#acknowledgedEvent.at = this.#now;
    this.machine.send(execution, this.#acknowledgedEvent);
  }

  #cancel(client: Customer, attempt: number): void {
    this.#uploads.drop(client, attempt);
    const execution = client.executions.get(attempt);
    if (execution !== undefined)
      this.machine.send(execution, { type: 'cancel.requested', at: this.#clock.now() });
    this.#fill();
  }

  #credit(client: Customer, attempt: number, bytes: number): void {
    const stream = client.executions.get(attempt)?.stream;
    if (stream === undefined) this.#outbox?.credit(client.number, attempt, bytes);
    else stream.credit(bytes);
  }

  /** The caller asks what became of its calls; outcomes that are there follow the answer. */
  #query(client: Customer, flags: number, bytes: Uint8Array, start: number, end: number): void {
    const { fates, known } = answerQueries(client, flags, bytes, start, end, (attempt) =>
      this.#uploads.drop(client, attempt),
    );
    this.#outbox?.frame(FrameType.FATE, 0, client.number, 0, writeFates(fates));
    for (const { execution, received, windowBytes } of known) {
      execution.link = this.#clients.link;
      const route = this.#routeTo(execution);
      if (route === undefined) return;
      execution.stream?.resume(route, received, windowBytes);
      if (this.#retained.has(execution)) {
        if (execution.stream === undefined) route.outbox.drop(route.peer, route.attempt);
        this.#send(execution);
      }
    }
  }

  #evict(execution: Execution): void {
    this.machine.send(execution, { type: 'result.evicted', at: this.#clock.now() });
    this.#fill();
  }

  /** Nobody waits for its calls. */
  #dismissed({ executions }: Customer): void {
    const at = this.#clock.now();
    for (const execution of [...executions.values()])
      this.machine.send(execution, { type: 'result.evicted', at });
    this.#fill();
  }

  #routeTo({ client, attempt }: Execution): Route | undefined {
    if (this.#outbox === undefined || client.number === 0) return undefined;
    return { outbox: this.#outbox, peer: client.number, attempt };
  }
}
