// The side that asks: calls on their way, what became of them, and what to ask a hub that one comes back to.
// Invariant: a call settles once; an attempt's number is used once, so a late frame of an older attempt finds nothing.
import { callEffects, callMachine, type CallContext } from '../../machines/call.ts';
import { compile, type CompiledActor } from '../engine/compile.ts';
import type { Clock, Timer } from '../ports.ts';
import { Assembler } from '../protocol/assembler.ts';
import { HoldfastError, ProtocolViolation } from '../protocol/errors.ts';
import { CloseCode, Fate, Flag, FrameType } from '../protocol/frames.ts';
import { limits } from '../protocol/limits.ts';
import { readCredit, readFates, writeCredit, writeIds } from '../protocol/lists.ts';
import { readFailure, readPeer, type ResumedCall } from '../protocol/messages.ts';
import type { Outbox } from '../protocol/outbox.ts';
import { decodeValue, encodeValue, type Encoded, type Encoding } from '../protocol/values.ts';
import { Deadlines, type Waiting } from './deadlines.ts';
import * as outcome from './outcome.ts';
import { brokenStream, InboundStream } from './stream.ts';

/** Which node may run a call. */
export interface Target {
  /** Only this node. */
  readonly node?: string;
  /** Only nodes that carry all of these labels. */
  readonly labels?: Readonly<Record<string, string>>;
}

export interface CallOptions extends Target {
  /** Milliseconds until `timed_out`, wherever the call is then. @default the client's executionTimeoutMs */
  readonly deadlineMs?: number | undefined;
  /** Executing it twice does no harm: it fails over to another node. @default false */
  readonly idempotent?: boolean | undefined;
  /** Cancels the call, on the node too. */
  readonly signal?: AbortSignal | undefined;
}

interface Peer {
  /** On the present link; 0 = not heard of on this link. */
  number: number;
  readonly id: string;
  readonly instance: string;
}

interface Call extends CompiledActor<CallContext>, Waiting {
  readonly name: string;
  readonly encoded: Encoded;
  readonly flags: number;
  readonly route: string;
  readonly deadlineMs: number;
  /** Number of the present attempt on the wire; 0 = none. */
  attempt: number;
  node: Peer | undefined;
  readonly stream: InboundStream | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  unlisten: (() => void) | undefined;
  /** What it settles with, set before the event that settles it. */
  result: unknown;
  error: unknown;
  /** Flags and type of the value that is put together from chunks. */
  assembling: { type: number; flags: number } | undefined;
}

export interface CallerOptions {
  readonly clock: Clock;
  readonly encoding: Encoding;
  readonly executionTimeoutMs: number;
  /** Attempts of one call, the first included. */
  readonly maxCallAttempts: number;
  /** Calls that wait for the link. */
  readonly maxQueueSize: number;
}

const ACK_DELAY_MS = 15;
const ACK_BATCH = 128;
/** Attempts listed in one RESUME frame, so that it stays well below `limits.maxControlBytes`. */
const RESUME_BATCH = 2_000;

export class Caller {
  readonly #options: CallerOptions;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines<Call>;
  readonly #assembler = new Assembler(limits);
  readonly #attempts = new Map<number, Call>();
  /** Calls that want to be sent, oldest first; those that ended meanwhile are skipped. */
  #ready: Call[] = [];
  #readyFrom = 0;
  #unsettled = 0;
  #nextAttempt = 1;
  #outbox: Outbox | undefined;
  #attachedBefore = false;
  #sending: 'open' | 'held' = 'open';
  readonly #functions = new Map<string, number>();
  readonly #peers = new Map<number, Peer>();
  /** Nodes of calls that an earlier link left, by their instance. */
  readonly #peersBefore = new Map<string, Peer>();
  readonly #acks = new Map<number, number[]>();
  #ackTimer: Timer | undefined;
  #idle: (() => void)[] = [];
  #end: HoldfastError | undefined;
  /** Frames of attempts that are not awaited any more. */
  lateFrames = 0;
  retries = 0;

  constructor(options: CallerOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#deadlines = new Deadlines(options.clock, (call) => {
      call.error = outcome.timedOut(this.#facts(call));
      this.#machine.expire(call);
    });
  }

  readonly #machine = compile<typeof callMachine, typeof callEffects, Call>(callMachine, callEffects, {
    sendAttempt: (call) => {
      if (call.attempt !== 0) {
        if (call.node !== undefined) this.#ack(call.node.number, call.attempt);
        this.#retire(call);
        this.retries += 1;
      }
      this.#ready.push(call);
    },
    sendCancel: (call) => {
      if (this.#outbox === undefined || call.attempt === 0) return;
      this.#outbox.drop(0, call.attempt);
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
      this.#begin(name, args, options, 0, undefined, resolve, reject);
    });
  }

  stream(name: string, args: readonly unknown[], options: CallOptions = {}): AsyncIterableIterator<unknown> {
    let call: Call | undefined;
    const stream = new InboundStream({
      consumed: (bytes) => {
        if (call !== undefined && call.node !== undefined) this.#credit(call.node.number, call.attempt, bytes);
      },
      abandon: () => {
        if (call !== undefined) this.#cancel(call, 'the consumer stopped reading');
      },
    });
    call = this.#begin(name, args, options, Flag.STREAM, stream, () => stream.finish(), (error) => stream.fail(error));
    return stream;
  }

  /** Registered: ask what became of the calls, then send what waits. */
  attached(outbox: Outbox): void {
    this.#outbox = outbox;
    this.#functions.clear();
    if (this.#attachedBefore) this.#resume(outbox);
    this.#attachedBefore = true;
    this.#sending = 'open';
    this.#pump();
  }

  /** The hub takes no new calls: they wait for the next link. */
  hubDraining(): void {
    this.#sending = 'held';
  }

  detached(): void {
    this.#outbox = undefined;
    this.#acks.clear();
    this.#clearAckTimer();
    for (const call of this.#attempts.values()) {
      if (call.assembling === undefined) continue;
      this.#assembler.drop(call.node?.number ?? 0, call.attempt);
      call.assembling = undefined;
    }
    // Another hub has other numbers: a node keeps none until it is named again.
    for (const peer of this.#peers.values()) peer.number = 0;
    this.#peers.clear();
    this.#peersBefore.clear();
    for (const { node } of this.#attempts.values()) if (node !== undefined) this.#peersBefore.set(node.instance, node);
  }

  /** The link will not come back: what is in flight is lost, what is asked for now fails with `error`. */
  ended(error: HoldfastError): void {
    this.#end = error;
    for (const call of [...this.#ready.slice(this.#readyFrom), ...this.#attempts.values()]) {
      if (this.#machine.final[call.state]) continue;
      call.error = outcome.lost(this.#facts(call), call.node === undefined ? 'notStarted' : 'unknown', error.message);
      this.#machine.send(call, { type: 'link.ended', at: this.#clock.now() });
    }
    this.#ready = [];
    this.#readyFrom = 0;
    this.#deadlines.stop();
    this.#clearAckTimer();
  }

  /** A link that had ended is asked to connect again. */
  revived(): void {
    this.#end = undefined;
  }

  /** Calls `finished` when no call is in flight. */
  drained(finished: () => void): void {
    if (this.#unsettled === 0) {
      this.#flushAcks();
      finished();
    } else {
      this.#idle.push(finished);
    }
  }

  frame(type: number, flags: number, peer: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    switch (type) {
      case FrameType.ASSIGNED:
        this.#assigned(peer, id);
        return;
      case FrameType.RESULT:
      case FrameType.ITEM:
        this.#value(type, flags, peer, id, bytes, start, end);
        return;
      case FrameType.CHUNK:
        this.#chunk(flags, peer, id, bytes, start, end);
        return;
      case FrameType.FAILURE:
        this.#failure(peer, id, bytes, start, end);
        return;
      case FrameType.CREDIT:
        // Arguments wait under peer 0: they were written before a node was known.
        this.#outbox?.credit(0, id, readCredit(bytes, start, end));
        return;
      case FrameType.FATE:
        readFates(bytes, start, end, (attempt, fate) => this.#fate(peer, attempt, fate));
        return;
      case FrameType.RESUME:
        // That node is back: it is asked about the calls that we know it has.
        if (this.#outbox !== undefined) this.#resume(this.#outbox, peer);
        return;
      case FrameType.PEER: {
        const { id: node, instance } = readPeer(bytes, start, end);
        const named = this.#peersBefore.get(instance) ?? { number: peer, id: node, instance };
        named.number = peer;
        this.#peers.set(peer, named);
        return;
      }
      default:
        throw new ProtocolViolation(
          CloseCode.UNEXPECTED_TYPE,
          `frame type 0x${type.toString(16).padStart(2, '0')} does not go to a client`,
        );
    }
  }

  #begin(
    name: string,
    args: readonly unknown[],
    options: CallOptions,
    streamFlag: number,
    stream: InboundStream | undefined,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ): Call | undefined {
    const { signal, idempotent = false, deadlineMs = this.#options.executionTimeoutMs } = options;
    const now = this.#clock.now();
    const refused = this.#refusal(name, deadlineMs, signal);
    if (refused !== undefined) {
      reject(refused);
      return undefined;
    }
    let encoded: Encoded;
    try {
      encoded = encodeValue(args, this.#options.encoding);
    } catch (error) {
      reject(error);
      return undefined;
    }
    const call: Call = {
      state: 0,
      context: this.#machine.initialContext({
        idempotent: idempotent ? 1 : 0,
        attemptLimit: this.#options.maxCallAttempts,
        deadlineMs,
        startedAt: now,
      }),
      dueAt: 0,
      earlier: undefined,
      later: undefined,
      bucket: undefined,
      name,
      encoded,
      flags: streamFlag | (idempotent ? Flag.IDEMPOTENT : 0) | (this.#options.encoding === 'msgpack' ? Flag.MSGPACK : 0),
      route: routeOf(options),
      deadlineMs,
      attempt: 0,
      node: undefined,
      stream,
      resolve,
      reject,
      unlisten: undefined,
      result: undefined,
      error: undefined,
      assembling: undefined,
    };
    if (signal !== undefined) {
      const abort = () => this.#cancel(call, signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      call.unlisten = () => signal.removeEventListener('abort', abort);
    }
    this.#unsettled += 1;
    this.#machine.enter(call);
    // Every living state waits for the same moment, so the deadline is set once and not at every step.
    this.#deadlines.set(call, now + deadlineMs);
    this.#pump();
    return call;
  }

  #refusal(name: string, deadlineMs: number, signal: AbortSignal | undefined): HoldfastError | undefined {
    if (this.#end !== undefined) return this.#end;
    const facts = { name, attempt: 0, deadlineMs, node: undefined, state: 'queued' };
    if (signal?.aborted) return outcome.cancelled(facts, signal.reason);
    if (!(deadlineMs > 0 && deadlineMs <= 0xffff_ffff)) {
      return new HoldfastError(`deadlineMs is ${deadlineMs}; it must be between 1 and ${0xffff_ffff}`, {
        code: 'invalid_option',
      });
    }
    if (name.length === 0 || name.length > limits.maxNameLength) {
      return new HoldfastError(`function names have 1 to ${limits.maxNameLength} characters, not ${name.length}`, {
        code: 'invalid_argument',
      });
    }
    const waiting = this.#ready.length - this.#readyFrom;
    if (waiting < this.#options.maxQueueSize) return undefined;
    return new HoldfastError(
      `${waiting} calls wait for the link to the hub already; await some of them, or raise maxQueueSize`,
      { code: 'queue_full', retryable: true, started: 'notStarted' },
    );
  }

  /** Sends what waits, as long as the link takes it. */
  #pump(): void {
    const outbox = this.#outbox;
    if (outbox === undefined || this.#sending === 'held') return;
    while (this.#readyFrom < this.#ready.length && this.#attempts.size < limits.maxCallsPerClient) {
      const call = this.#ready[this.#readyFrom];
      this.#readyFrom += 1;
      // Ended while it waited, or queued twice by a quick retry.
      if (call === undefined || this.#machine.final[call.state] || call.attempt !== 0) continue;
      call.attempt = this.#nextAttempt;
      this.#nextAttempt = this.#nextAttempt === 0xffff_ffff ? 1 : this.#nextAttempt + 1;
      this.#attempts.set(call.attempt, call);
      const now = this.#clock.now();
      const deadlineMs = Math.max(1, Math.ceil(call.dueAt - now));
      const prefix = { fn: this.#define(outbox, call.name), deadlineMs, route: call.route };
      outbox.value(FrameType.CALL, call.flags, 0, call.attempt, prefix, call.encoded);
      this.#machine.send(call, { type: 'attempt.sent', at: now });
    }
    if (this.#readyFrom === this.#ready.length) {
      this.#ready.length = 0;
      this.#readyFrom = 0;
    }
  }

  #define(outbox: Outbox, name: string): number {
    let number = this.#functions.get(name);
    if (number === undefined) {
      number = this.#functions.size;
      if (number >= limits.maxDefinitionsPerClient) {
        throw new HoldfastError(`a client may call ${limits.maxDefinitionsPerClient} different functions`, {
          code: 'invalid_argument',
        });
      }
      this.#functions.set(name, number);
      outbox.frame(FrameType.DEFINE, 0, 0, number, encodeName(name));
    }
    return number;
  }

  #assigned(peer: number, id: number): void {
    const call = this.#attempts.get(id);
    if (call === undefined) return this.#late();
    call.node = this.#peers.get(peer);
    this.#machine.send(call, {
      type: 'attempt.assigned',
      epoch: call.context.control.epoch,
      at: this.#clock.now(),
    });
  }

  #value(type: number, flags: number, peer: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    const call = this.#attempts.get(id);
    if (call === undefined) {
      if (type === FrameType.RESULT && (flags & Flag.MORE) === 0) this.#ack(peer, id);
      return this.#late();
    }
    if ((flags & Flag.MORE) !== 0) {
      call.assembling = { type, flags };
      this.#assembler.drop(peer, id);
      this.#assembler.begin(peer, id, bytes, start, end);
      this.#credit(peer, id, this.#assembler.creditDue(peer, id));
      return;
    }
    this.#complete(call, type, flags, bytes, start, end, end - start);
  }

  #chunk(flags: number, peer: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    const call = this.#attempts.get(id);
    if (call?.assembling === undefined) {
      if ((flags & Flag.MORE) === 0) this.#ack(peer, id);
      return this.#late();
    }
    const whole = this.#assembler.append(peer, id, bytes, start, end, (flags & Flag.MORE) !== 0);
    if (whole === undefined) {
      this.#credit(peer, id, this.#assembler.creditDue(peer, id));
      return;
    }
    const { type, flags: first } = call.assembling;
    call.assembling = undefined;
    this.#complete(call, type, first, whole, 0, whole.length, this.#assembler.lastUncreditedBytes);
  }

  #complete(
    call: Call,
    type: number,
    flags: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    creditBytes: number,
  ): void {
    let value: unknown;
    try {
      value = decodeValue(bytes, start, end, (flags & Flag.MSGPACK) !== 0);
    } catch (error) {
      call.error = error;
      this.#fail(call);
      return;
    }
    if (type === FrameType.ITEM) {
      call.stream?.push(value, creditBytes);
      return;
    }
    if (call.stream !== undefined && (flags & Flag.STREAM) === 0) {
      // A plain function was asked for a stream: its result is the only item.
      call.stream.push(value, 0);
    }
    call.result = value;
    this.#machine.send(call, {
      type: 'attempt.succeeded',
      epoch: call.context.control.epoch,
      at: this.#clock.now(),
    });
  }

  #failure(peer: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    const failure = readFailure(bytes, start, end);
    const call = this.#attempts.get(id);
    if (call === undefined) {
      this.#ack(peer, id);
      return this.#late();
    }
    call.error = outcome.errorOf(this.#facts(call), failure);
    const of = { epoch: call.context.control.epoch, at: this.#clock.now() };
    if (failure.code === 'timed_out') this.#machine.send(call, { type: 'attempt.expired', ...of });
    else if (failure.code === 'unstarted') this.#unstarted(call);
    else if (failure.code === 'vanished') this.#vanished(call);
    else if (failure.code === 'queue_full' || failure.code === 'no_node') {
      this.#machine.send(call, { type: 'attempt.refused', ...of });
    } else this.#machine.send(call, { type: 'attempt.failed', ...of });
  }

  #fate(peer: number, attempt: number, fate: number): void {
    const call = this.#attempts.get(attempt);
    if (call === undefined) return this.#late();
    if (fate === Fate.UNSTARTED) {
      call.error = outcome.lost(this.#facts(call), 'notStarted', 'its node never started it');
      this.#unstarted(call);
    } else if (fate === Fate.VANISHED) {
      call.error = outcome.lost(this.#facts(call), 'unknown', 'its node is gone');
      this.#vanished(call);
    } else if (fate !== Fate.WAITING && peer !== 0) {
      // The node's number may have changed with the hub.
      call.node = this.#peers.get(peer) ?? call.node;
    }
  }

  #unstarted(call: Call): void {
    this.#machine.send(call, {
      type: 'attempt.unstarted',
      epoch: call.context.control.epoch,
      at: this.#clock.now(),
    });
    this.#pump();
  }

  #vanished(call: Call): void {
    if (call.stream !== undefined && call.stream.received > 0) {
      call.error = brokenStream(call.name, call.stream.received);
      this.#fail(call);
      return;
    }
    this.#machine.send(call, {
      type: 'attempt.vanished',
      epoch: call.context.control.epoch,
      at: this.#clock.now(),
    });
    this.#pump();
  }

  #fail(call: Call): void {
    this.#machine.send(call, { type: 'attempt.failed', epoch: call.context.control.epoch, at: this.#clock.now() });
  }

  #cancel(call: Call, cause: unknown): void {
    if (this.#machine.final[call.state]) return;
    call.error = outcome.cancelled(this.#facts(call), cause);
    this.#machine.send(call, { type: 'cancel.requested', at: this.#clock.now() });
  }

  /** The present attempt is over; whatever still comes of it is late. */
  #retire(call: Call): void {
    this.#attempts.delete(call.attempt);
    if (call.assembling !== undefined) this.#assembler.drop(call.node?.number ?? 0, call.attempt);
    call.assembling = undefined;
    call.attempt = 0;
    call.node = undefined;
  }

  #settle(call: Call): void {
    this.#deadlines.clear(call);
    call.unlisten?.();
    if (call.attempt !== 0) {
      if (call.node !== undefined) this.#ack(call.node.number, call.attempt);
      this.#retire(call);
    }
    this.#unsettled -= 1;
    if (this.#machine.states[call.state] === 'succeeded') call.resolve(call.result);
    else call.reject(call.error);
    if (this.#unsettled === 0 && this.#idle.length > 0) {
      this.#flushAcks();
      for (const finished of this.#idle.splice(0)) finished();
    }
  }

  /** What became of my calls? Without `only` the list is complete: what is not on it, the hub may forget. */
  #resume(outbox: Outbox, only = 0): void {
    const byNode = new Map<string, { id: string; instance: string; calls: ResumedCall[] }>();
    let unassigned: number[] = [];
    let listed = 0;
    const send = (more: number) => {
      outbox.json(FrameType.RESUME, more, only, 0, { nodes: [...byNode.values()], unassigned });
      byNode.clear();
      unassigned = [];
      listed = 0;
    };
    for (const call of this.#attempts.values()) {
      if (only !== 0 && call.node?.number !== only) continue;
      if (call.node === undefined) unassigned.push(call.attempt);
      else {
        const key = `${call.node.id}/${call.node.instance}`;
        const entry = byNode.get(key) ?? { id: call.node.id, instance: call.node.instance, calls: [] };
        byNode.set(key, entry);
        entry.calls.push({
          attempt: call.attempt,
          received: call.stream?.received ?? 0,
          windowBytes: limits.creditWindowBytes - (call.stream?.waitingBytes ?? 0),
          idempotent: call.context.control.idempotent === 1,
        });
      }
      listed += 1;
      if (listed === RESUME_BATCH) send(Flag.MORE);
    }
    send(0);
  }

  #credit(peer: number, id: number, bytes: number): void {
    if (bytes === 0) return;
    this.#outbox?.frame(FrameType.CREDIT, 0, peer, id, writeCredit(bytes));
  }

  /** Tells the node, soon, that it need not keep the outcome. */
  #ack(peer: number, id: number): void {
    if (this.#outbox === undefined || peer === 0) return;
    let ids = this.#acks.get(peer);
    if (ids === undefined) this.#acks.set(peer, (ids = []));
    ids.push(id);
    if (ids.length >= ACK_BATCH) this.#flushAcks();
    else this.#ackTimer ??= this.#clock.setTimer(() => this.#flushAcks(), ACK_DELAY_MS);
  }

  #flushAcks(): void {
    this.#clearAckTimer();
    for (const [peer, ids] of this.#acks) {
      if (ids.length > 0) this.#outbox?.frame(FrameType.ACK, 0, peer, 0, writeIds(ids));
      ids.length = 0;
    }
  }

  #clearAckTimer(): void {
    if (this.#ackTimer !== undefined) this.#clock.clearTimer(this.#ackTimer);
    this.#ackTimer = undefined;
  }

  #late(): void {
    this.lateFrames += 1;
  }

  #facts(call: Call): outcome.CallFacts {
    return {
      name: call.name,
      attempt: call.attempt,
      deadlineMs: call.deadlineMs,
      node: call.node?.id,
      state: this.#machine.states[call.state] ?? '',
    };
  }
}

function routeOf({ node, labels }: Target): string {
  if (node === undefined && labels === undefined) return '';
  return JSON.stringify({ node, labels });
}

const utf8 = new TextEncoder();

function encodeName(name: string): Uint8Array {
  return utf8.encode(name);
}
