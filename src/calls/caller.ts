// The side that asks: begins calls, hears what becomes of them, and settles each.
// Invariant: a call settles once, with what the machine says.
import { callEffects, callMachine, type CallEvent } from '../../machines/call.ts';
import { compile } from '../engine/compile.ts';
import type { Clock } from '../ports.ts';
import type { HoldfastError } from '../protocol/errors.ts';
import { Fate, Flag, FrameType } from '../protocol/frames.ts';
import { readCredit, readFates, writeCredit } from '../protocol/lists.ts';
import { readFailure, readPeer, readRoster, type RegisteredMessage } from '../protocol/messages.ts';
import type { Outbox } from '../protocol/outbox.ts';
import { unexpectedType } from '../protocol/read.ts';
import { encodeValue, type Encoded } from '../protocol/values.ts';
import { Acknowledgements } from './acks.ts';
import { Admission } from './admission.ts';
import { Arrivals } from './arrivals.ts';
import { Deadlines } from '../actors/deadlines.ts';
import { Departures } from './departures.ts';
import * as outcome from './outcome.ts';
import {
  factsOf,
  flagsOf,
  newCall,
  Peers,
  routeOf,
  type Call,
  type CallerOptions,
  type CallOptions,
  type Waiter,
} from './pending.ts';
import { brokenStream, InboundStream } from './stream.ts';

export class Caller {
  readonly #options: CallerOptions;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines<Call>;
  readonly #departures: Departures;
  readonly #acks: Acknowledgements;
  readonly #peers = new Peers();
  readonly #arrivals: Arrivals;
  #outbox: Outbox | undefined;
  #unsettled = 0;
  #idle: (() => void)[] = [];
  readonly #admission: Admission;
  #end: HoldfastError | undefined;
  /** Frames of attempts that are not awaited any more. */
  lateFrames = 0;
  /** When the frames that are being handled came in. */
  #now = 0;
  // One object for each event that every call brings: the machine reads it and does not keep it.
  readonly #sent = { type: 'attempt.sent' as const, at: 0 };
  readonly #succeeded = { type: 'attempt.succeeded' as const, epoch: 0, at: 0 };
  retries = 0;

  constructor(options: CallerOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.machine.observe(options.observer);
    this.#acks = new Acknowledgements(options.clock);
    this.#admission = new Admission(options.maxQueueSize);
    this.#arrivals = new Arrivals({
      credit: (peer, id, bytes) => this.#credit(peer, id, bytes),
      arrived: (call, type, flags, value, creditBytes) =>
        this.#arrived(call, type, flags, value, creditBytes),
      broken: (call, error) => {
        call.error = error;
        this.#step(call, 'attempt.failed');
      },
    });
    this.#departures = new Departures({
      clock: options.clock,
      wanted: (call) => this.machine.final[call.state] === false,
      isPresumed: (call) => this.machine.states[call.state] === 'sent',
      sent: (call, at) => {
        this.#sent.at = at;
        this.machine.send(call, this.#sent);
      },
    });
    this.#deadlines = new Deadlines(options.clock, (call) => {
      call.error = outcome.timedOut(this.#facts(call));
      this.machine.expire(call);
    });
  }

  readonly machine = compile<typeof callMachine, typeof callEffects, Call>(callMachine, callEffects, {
    sendAttempt: (call) => {
      if (call.attempt !== 0) {
        this.#retire(call);
        this.retries += 1;
      }
      this.#departures.push(call);
    },
    sendCancel: (call) => {
      if (this.#outbox === undefined || call.attempt === 0) return;
      this.#outbox.frame(FrameType.CANCEL, 0, call.node?.number ?? 0, call.attempt);
    },
    settle: (call) => this.#settle(call),
  });

  /** Calls that have not settled. */
  get inFlight(): number {
    return this.#unsettled;
  }

  call(name: string, args: readonly unknown[], options: CallOptions = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#begin(name, args, options, 0, { stream: undefined, resolve, reject });
    });
  }

  stream(name: string, args: readonly unknown[], options: CallOptions = {}): AsyncIterableIterator<unknown> {
    // oxlint-disable-next-line prefer-const -- the stream and its call need each other; the call comes second
    let call: Call | undefined;
    const stream = new InboundStream({
      consumed: (bytes) => {
        if (call?.node !== undefined) this.#credit(call.node.number, call.attempt, bytes);
      },
      abandon: () => {
        if (call !== undefined) this.#cancel(call, 'the consumer stopped reading');
      },
    });
    const waiter = { stream, resolve: () => stream.finish(), reject: (error: unknown) => stream.fail(error) };
    call = this.#begin(name, args, options, Flag.STREAM, waiter);
    return stream;
  }

  /** Registered: ask what became of the calls, then send what waits. */
  attached(outbox: Outbox, registered: RegisteredMessage): void {
    this.#outbox = outbox;
    this.#acks.attached(outbox);
    this.#departures.attached(outbox, registered);
  }

  /** The hub takes no new calls: they wait for the next link. */
  hubDraining(): void {
    this.#departures.hold();
  }

  /** The frames that follow came in at this time. */
  heard(at: number): void {
    this.#now = at;
  }

  detached(): void {
    this.#outbox = undefined;
    this.#acks.detached();
    for (const call of this.#departures.attempts.values()) this.#arrivals.forget(call);
    this.#peers.detached(this.#departures.nodes());
    for (const call of this.#departures.detached()) this.#vanished(call);
  }

  /** The link will not come back: what is in flight is lost, what is asked for now fails with `error`. */
  ended(error: HoldfastError): void {
    this.#end = error;
    for (const call of [...this.#departures.calls()]) {
      if (this.machine.final[call.state]) continue;
      const facts = this.#facts(call);
      call.error = outcome.lost(facts, facts.state === 'queued' ? 'notStarted' : 'unknown', error.message);
      this.machine.send(call, { type: 'link.ended', at: this.#clock.now() });
    }
    this.#departures.clear();
    this.#deadlines.stop();
    this.#acks.detached();
  }

  /** New calls fail with `error`; those in flight go on. */
  refuse(error: HoldfastError): void {
    this.#end ??= error;
  }

  /** A link that had ended is asked to connect again. */
  revived(): void {
    this.#end = undefined;
  }

  /** Calls `finished` when no call is in flight. */
  drained(finished: () => void): void {
    this.#idle.push(finished);
    if (this.#unsettled === 0) this.#rest();
  }

  /** @throws ProtocolViolation */
  frame(
    type: number,
    flags: number,
    peer: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    switch (type) {
      case FrameType.RESULT:
      case FrameType.ITEM:
        return this.#value(type, flags, peer, id, bytes, start, end);
      case FrameType.ASSIGNED:
        return this.#assigned(peer, id);
      case FrameType.CHUNK:
        return this.#chunk(flags, peer, id, bytes, start, end);
      case FrameType.FAILURE:
        return this.#failure(peer, id, bytes, start, end);
      case FrameType.CREDIT: {
        const call = this.#departures.attempts.get(id);
        const creditBytes = readCredit(bytes, start, end);
        if (call !== undefined) this.#outbox?.credit(call.wirePeer, id, creditBytes);
        return;
      }
      case FrameType.FATE:
        return readFates(bytes, start, end, (attempt, fate) => this.#fate(peer, attempt, fate));
      case FrameType.RESUME:
        return this.#departures.resume(peer);
      case FrameType.ROSTER:
        return this.#departures.rosterChanged(id, readRoster(bytes, start, end));
      case FrameType.PEER:
        return this.#peers.name(peer, readPeer(bytes, start, end));
      default:
        throw unexpectedType(type, 'a hub');
    }
  }

  #begin(
    name: string,
    args: readonly unknown[],
    options: CallOptions,
    streamFlag: number,
    waiter: Waiter,
  ): Call | undefined {
    const { signal, idempotent = false, deadlineMs = this.#options.executionTimeoutMs } = options;
    let encoded: Encoded;
    try {
      if (this.#end !== undefined) throw this.#end;
      this.#admission.check(name, deadlineMs, options, this.#departures.waiting);
      encoded = encodeValue(args, this.#options.encoding);
    } catch (error) {
      waiter.reject(error);
      return undefined;
    }
    const now = this.#clock.now();
    const context = this.machine.initialContext({
      idempotent: idempotent ? 1 : 0,
      attemptLimit: this.#options.maxCallAttempts,
      deadlineMs,
      startedAt: now,
    });
    const flags = streamFlag | flagsOf(options, this.#options.encoding);
    const call = newCall(name, encoded, flags, routeOf(options), deadlineMs, context, waiter);
    if (signal !== undefined) {
      const abort = (): void => this.#cancel(call, signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      call.unlisten = () => signal.removeEventListener('abort', abort);
    }
    this.#unsettled += 1;
    this.machine.enter(call);
    // Every living state waits for the same moment, so the deadline is set once and not at every step.
    this.#deadlines.set(call, now + deadlineMs);
    this.#departures.pump(now);
    return call;
  }

  #assigned(peer: number, id: number): void {
    const call = this.#departures.attempts.get(id);
    if (call === undefined) return this.#late(peer, id);
    call.node = this.#peers.get(peer);
    this.#step(call, 'attempt.assigned');
  }

  #value(
    type: number,
    flags: number,
    peer: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const call = this.#departures.attempts.get(id);
    if (call === undefined) {
      if (type === FrameType.RESULT && (flags & Flag.MORE) === 0) this.#acks.add(peer, id);
      return this.#late();
    }
    if (call.node?.number !== peer) call.node = this.#peers.get(peer);
    this.#departures.presumed = call.node;
    this.#arrivals.value(call, type, flags, peer, bytes, start, end);
  }

  #chunk(flags: number, peer: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    const call = this.#departures.attempts.get(id);
    if (call?.assembling !== undefined) return this.#arrivals.chunk(call, flags, peer, bytes, start, end);
    if (call === undefined && (flags & Flag.MORE) === 0) this.#acks.add(peer, id);
    this.#late();
  }

  #arrived(call: Call, type: number, flags: number, value: unknown, creditBytes: number): void {
    if (type === FrameType.ITEM) {
      call.stream?.push(value, creditBytes);
      return;
    }
    // A plain function was asked for a stream: its result is the only item.
    if (call.stream !== undefined && (flags & Flag.STREAM) === 0) call.stream.push(value, 0);
    call.result = value;
    this.#succeeded.epoch = call.context.control.epoch;
    this.#succeeded.at = this.#now;
    this.machine.send(call, this.#succeeded);
  }

  /** What became of the present attempt. */
  #step(call: Call, type: Extract<CallEvent, { epoch: number }>['type']): void {
    this.machine.send(call, { type, epoch: call.context.control.epoch, at: this.#clock.now() });
    // It may be queued again.
    this.#departures.pump();
  }

  #failure(peer: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    const failure = readFailure(bytes, start, end);
    const call = this.#departures.attempts.get(id);
    if (call === undefined) return this.#late(peer, id);
    call.error = outcome.errorOf(this.#facts(call), failure);
    if (failure.code === 'vanished') this.#vanished(call, call.error);
    else this.#step(call, outcome.stepOf(failure.code));
  }

  #fate(peer: number, attempt: number, fate: number): void {
    const call = this.#departures.attempts.get(attempt);
    if (call === undefined) return this.#unwanted(peer, attempt, fate);
    if (fate === Fate.UNSTARTED) {
      call.error = outcome.unstarted(this.#facts(call));
      this.#step(call, 'attempt.unstarted');
    } else if (fate === Fate.VANISHED) this.#vanished(call);
    else if (fate === Fate.WAITING) call.node = undefined;
    // The node's number may have changed with the hub.
    else this.#assigned(peer, attempt);
  }

  /** Nobody waits for it any more. */
  #unwanted(peer: number, attempt: number, fate: number): void {
    const isTold = fate === Fate.RUNNING || fate === Fate.DONE;
    this.#late(isTold ? peer : 0, attempt);
    if (this.#departures.abandoned.delete(attempt) && fate === Fate.WAITING)
      this.#outbox?.frame(FrameType.CANCEL, 0, 0, attempt);
  }

  #vanished(call: Call, error: unknown = outcome.vanished(this.#facts(call))): void {
    call.error = error;
    call.past = 'unknown';
    if (call.stream === undefined || call.stream.received === 0) return this.#step(call, 'attempt.vanished');
    call.error = brokenStream(call.name, call.stream.received);
    this.#step(call, 'attempt.failed');
  }

  #cancel(call: Call, cause: unknown): void {
    if (this.machine.final[call.state]) return;
    call.error = outcome.cancelled(this.#facts(call), cause);
    this.machine.send(call, { type: 'cancel.requested', at: this.#clock.now() });
  }

  /** The present attempt is over; whatever still comes of it is late. */
  #retire(call: Call): void {
    if (call.node !== undefined) {
      // A node that is not named yet on this link is told when it is heard of again.
      if (this.#outbox === undefined || call.node.number === 0)
        this.#departures.abandon(call.attempt, call.node);
      else this.#acks.add(call.node.number, call.attempt);
    }
    this.#departures.attempts.delete(call.attempt);
    // Arguments that wait for credit would wait for ever.
    this.#outbox?.drop(call.wirePeer, call.attempt);
    this.#arrivals.forget(call);
    call.attempt = 0;
    call.node = undefined;
  }

  #settle(call: Call): void {
    this.#deadlines.clear(call);
    call.unlisten?.();
    if (call.attempt !== 0) this.#retire(call);
    this.#unsettled -= 1;
    if (this.machine.states[call.state] === 'succeeded') call.resolve(call.result);
    else call.reject(call.error);
    if (this.#departures.waiting > 0) this.#departures.pump();
    if (this.#unsettled === 0 && this.#idle.length > 0) this.#rest();
  }

  #rest(): void {
    this.#acks.flush();
    for (const finished of this.#idle.splice(0)) finished();
  }

  #credit(peer: number, id: number, bytes: number): void {
    if (bytes > 0) this.#outbox?.frame(FrameType.CREDIT, 0, peer, id, writeCredit(bytes));
  }

  /** What came of an attempt that is over: its node, if it is known only now, need not keep the outcome. */
  #late(peer = 0, id = 0): void {
    this.lateFrames += 1;
    this.#acks.add(peer, id);
  }

  #facts(call: Call): outcome.CallFacts {
    return factsOf(call, this.machine.states[call.state] ?? '');
  }
}
