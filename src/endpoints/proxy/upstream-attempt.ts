// One attempt on its way through an upstream: its phases, its time-outs, and the answer's beginning, which is held back.
// Invariant: it gives its attempt one verdict; until it has won, nothing of its answer reaches the client.
import type {
  CallBlame,
  CallHandlers,
  Clock,
  HeaderList,
  OpenCall,
  Upstream,
  UpstreamCall,
} from '../../ports.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import type { TransportFault, VerdictKind } from '../classify.ts';
import type { Attempt, AttemptEnd, Verdict } from '../request.ts';
import {
  canBeAnswer,
  isCompleteStream,
  isEventStream,
  isJson,
  isWholeJson,
  type Expected,
} from './completions.ts';
import { EventStream } from './event-stream.ts';
import { readAnswerHeaders, withLocation, withoutLength, type AnswerHeaders } from './headers.ts';
import type { ProxyTimeouts } from './options.ts';
import type { AttemptRecord } from './record.ts';
import type { ReplayBody } from './replay-body.ts';
import type { Target } from './target.ts';
import { Watchdog, type Kennel } from './watchdog.ts';

/** An answer of this many bytes, or fewer, is passed on when it is whole. */
const SMALL_BYTES = 65_536;
/** What is held of a stream before its first event, and the longest event that is kept whole. */
const MAX_EVENT_BYTES = 262_144;

/**
 * - `connecting`: nothing was sent. `sending`: the body is on its way. `waiting`: for the answer's first byte.
 * - `holding`: the answer has begun, and could still be another's. `passing`: the client gets it.
 * - `kept`: it failed with a status, and another attempt is made; if none does better, the client gets this one.
 */
type Phase = 'connecting' | 'sending' | 'waiting' | 'holding' | 'passing' | 'kept' | 'over';

/** What of an answer is held: all of it, all of a JSON that must be one, up to its first byte, or up to its first event. */
type Hold = 'whole' | 'json' | 'byte' | 'event';

/** What became of a request whose attempt failed: another attempt runs, or this was the last. */
export type Succession = 'replaced' | 'last';

/** The request that attempts belong to. */
export interface AttemptOwner {
  readonly clock: Clock;
  readonly kennel: Kennel;
  /** Whether somebody wants records. */
  readonly isWatched: boolean;
  readonly timeouts: ProxyTimeouts;
  readonly deadlineAt: number;
  readonly method: string;
  classify(status: number): VerdictKind;
  /** This one is the answer: the client may have its beginning. */
  won(attempt: UpstreamAttempt): void;
  pass(bytes: Uint8Array): 'more' | 'full';
  /** The answer is complete. */
  finished(bytes: Uint8Array | undefined, trailers: HeaderList): void;
  /** The answer broke after its beginning was passed on. */
  broke(fault: TransportFault): void;
  /** Before anything was passed on: with this verdict. The owner makes another attempt, or not. */
  failed(attempt: UpstreamAttempt, verdict: Verdict): Succession;
  /** It failed without an answer, and there is no other attempt. */
  exhausted(fault: TransportFault): void;
  /** It is nobody's fault up there: the request cannot be sent, is too long, or this machine is at its end. */
  unsendable(why: 'request' | 'too_large' | 'machine', error: Error): void;
  /** The client neither sends nor takes. */
  clientStalled(): void;
  informed(status: number, headers: HeaderList): void;
}

export class UpstreamAttempt implements CallHandlers {
  readonly attempt: Attempt;
  readonly target: Target;
  #record: AttemptRecord | undefined;
  readonly #owner: AttemptOwner;
  readonly #expected: Expected;
  readonly #watchdog: Watchdog;
  readonly #startedAt: number;
  #phase: Phase = 'connecting';
  #call: OpenCall | undefined;
  #body: ReplayBody | undefined;
  #status = 0;
  #reason = '';
  #answer: AnswerHeaders | undefined;
  #hold: Hold = 'byte';
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #events: EventStream | undefined;
  #flow: 'flowing' | 'paused' = 'flowing';
  #completeness: 'partial' | 'whole' = 'partial';

  constructor(owner: AttemptOwner, attempt: Attempt, expected: Expected) {
    this.#owner = owner;
    this.#expected = expected;
    this.attempt = attempt;
    this.target = attempt.endpoint as Target;
    this.#startedAt = owner.clock.now();
    this.#watchdog = new Watchdog(owner.kennel, () => this.#late());
  }

  get status(): number {
    return this.#status;
  }

  get reason(): string {
    return this.#reason;
  }

  get headers(): HeaderList {
    const { forward = [] } = this.#answer ?? {};
    if (this.#status >= 300 && this.#status < 400) return withLocation(forward, this.target);
    const isExact = this.#events === undefined || this.#answer?.contentLength === undefined;
    return isExact ? forward : withoutLength(forward);
  }

  /** How the events of its stream are written; undefined when it is none that could be read. */
  get eventForm(): 'named' | 'unnamed' | undefined {
    return this.#events?.form;
  }

  /** Set when it has its verdict. */
  get record(): AttemptRecord | undefined {
    return this.#record;
  }

  begin(
    upstream: Upstream,
    call: Omit<UpstreamCall, 'body'>,
    body: Uint8Array | ReplayBody | undefined,
  ): void {
    this.#due(this.#owner.timeouts.connectMs);
    const isWhole = body === undefined || body instanceof Uint8Array;
    this.#body = isWhole ? undefined : body;
    const open = upstream.call({ ...call, body: isWhole ? body : this.#upload(body) }, this);
    this.#call = open;
    // It may be over before the call was known.
    if (this.#phase === 'over') open.abort();
  }

  /** The client takes more again. */
  resume(): void {
    if (this.#flow === 'flowing') return;
    this.#flow = 'flowing';
    this.#due(this.#owner.timeouts.idleMs);
    this.#call?.resume();
  }

  /** Another attempt won, or the client went away. */
  abandon(): void {
    if (this.#phase === 'over') return;
    this.#over();
    if (this.attempt.isOpen) this.#note(this.attempt.abandoned(), undefined);
  }

  /** What was held back, once: when it has won, or when it failed and none did better. */
  takeHeld(): Uint8Array[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }

  /** Whether it tells the client something, although it failed: a status, or a stream that begins with an error. */
  get isAnswer(): boolean {
    return this.#phase === 'kept' || this.#events?.opening === 'error';
  }

  /** Whether all of its answer is at hand. */
  get isWhole(): boolean {
    return this.#completeness === 'whole';
  }

  sent(): void {
    this.#phase = this.#body === undefined ? 'waiting' : 'sending';
    const { idleMs, firstByteMs } = this.#owner.timeouts;
    this.#due(this.#phase === 'sending' ? idleMs : firstByteMs);
  }

  informed(status: number, headers: HeaderList): void {
    this.#owner.informed(status, headers);
  }

  answered(status: number, reason: string, headers: HeaderList): void {
    const answer = readAnswerHeaders(headers);
    this.#status = status;
    this.#reason = reason;
    this.#answer = answer;
    this.attempt.answered();
    this.#due(this.#owner.timeouts.idleMs);
    const kind = this.#owner.classify(status);
    if (kind === 'failure' || kind === 'credentials') return this.#refused(answer);
    this.#phase = 'holding';
    if (kind === 'success' && status < 300 && !canBeAnswer(this.#expected, answer.contentType))
      return this.#fail('unexpected_answer');
    this.#hold = this.#holdOf(status, answer);
    if (this.#hold === 'event') this.#events = new EventStream(MAX_EVENT_BYTES);
    return undefined;
  }

  data(bytes: Uint8Array): void {
    if (this.#flow === 'flowing') this.#due(this.#owner.timeouts.idleMs);
    if (this.#phase === 'passing') return this.#pass(bytes);
    if (this.#phase === 'kept') return this.#keep(bytes);
    const whole = this.#events === undefined ? bytes : this.#events.take(bytes);
    if (whole.length > 0) this.#held.push(whole);
    this.#heldBytes += whole.length;
    if (this.#hold === 'byte' || this.#heldBytes > MAX_EVENT_BYTES) return this.#win();
    const opening = this.#events?.opening;
    if (opening === 'event') this.#win();
    else if (opening === 'error') this.#fail('failed_stream');
    return undefined;
  }

  ended(trailers: HeaderList): void {
    this.#completeness = 'whole';
    this.#watchdog.stop();
    if (this.#phase === 'kept') return this.#over();
    const rest = this.#events?.rest ?? EMPTY;
    if (this.#phase === 'holding') {
      if (rest.length > 0) this.#held.push(rest);
      // A stream without an event is a truncated one that ends cleanly.
      if (this.#hold === 'event') return this.#fail('failed_stream', trailers);
      if (this.#hold === 'json' && !isWholeJson(this.#held)) return this.#fail('unexpected_answer');
      this.#settle({ status: this.#status });
      this.#owner.won(this);
      this.#over();
      return this.#owner.finished(undefined, trailers);
    }
    if (this.#events !== undefined && !isCompleteStream(this.#events.ending()))
      return this.#fail('broken_body');
    if (this.attempt.isOpen) this.#settle({ status: this.#status });
    this.#over();
    return this.#owner.finished(rest.length > 0 ? rest : undefined, trailers);
  }

  failed(error: Error, blame: CallBlame): void {
    if (this.#phase === 'over') return;
    if (this.#phase === 'kept') return this.#over();
    const isTooLarge = error instanceof HoldfastError && error.code === 'value_too_large';
    if (blame !== 'upstream' || isTooLarge) {
      this.abandon();
      return this.#owner.unsendable(
        isTooLarge ? 'too_large' : blame === 'machine' ? 'machine' : 'request',
        error,
      );
    }
    if (this.#phase === 'connecting') return this.#fail('connect_failed');
    return this.#fail(this.#answer === undefined ? 'failed' : 'broken_body');
  }

  /** The client's body, with the time-outs that go with it. */
  #upload(body: ReplayBody): AsyncIterable<Uint8Array> {
    const { timeouts } = this.#owner;
    return body.read({
      progressed: () => {
        if (this.#phase === 'sending') this.#due(timeouts.idleMs);
      },
      ended: () => {
        if (this.#phase !== 'sending') return;
        this.#phase = 'waiting';
        this.#due(timeouts.firstByteMs);
      },
    });
  }

  #holdOf(status: number, { contentType, contentEncoding, contentLength }: AnswerHeaders): Hold {
    if (this.#owner.method === 'HEAD' || status === 204 || status === 304) return 'whole';
    // What is compressed cannot be looked into.
    const isPlain = contentEncoding === undefined;
    if (isPlain && isEventStream(contentType)) return 'event';
    // Nobody can use a part of it.
    if (isPlain && this.#expected !== 'anything' && status < 300 && isJson(contentType)) return 'json';
    return contentLength !== undefined && contentLength <= SMALL_BYTES ? 'whole' : 'byte';
  }

  /** A status that speaks against the endpoint, or refuses its key. */
  #refused({ retryAfter, date }: AnswerHeaders): void {
    const verdict = this.#settle({ status: this.#status, retryAfter, date });
    // Before the owner answers: it may look at what is kept.
    this.#phase = 'kept';
    if (this.#owner.failed(this, verdict) === 'last') this.#win();
  }

  #keep(bytes: Uint8Array): void {
    this.#heldBytes += bytes.length;
    if (this.#heldBytes <= SMALL_BYTES) this.#held.push(bytes);
    else this.#over();
  }

  #win(): void {
    this.#phase = 'passing';
    this.#owner.won(this);
  }

  #pass(bytes: Uint8Array): void {
    const whole = this.#events === undefined ? bytes : this.#events.take(bytes);
    if (whole.length === 0 || this.#owner.pass(whole) === 'more' || this.#phase !== 'passing') return;
    this.#flow = 'paused';
    this.#call?.pause();
    this.#due(this.#owner.timeouts.idleMs);
  }

  /** Something is overdue. */
  #late(): void {
    const { clock, deadlineAt } = this.#owner;
    const isClients =
      this.#flow === 'paused' || (this.#phase === 'sending' && this.#body?.holder === 'client');
    if (this.#phase === 'kept') return this.#over();
    if (clock.now() >= deadlineAt) return this.#fail('total_timeout');
    if (isClients) return this.#owner.clientStalled();
    if (this.#phase === 'connecting') return this.#fail('connect_timeout');
    return this.#fail(this.#phase === 'waiting' ? 'first_byte_timeout' : 'idle_timeout');
  }

  #fail(fault: TransportFault, trailers: HeaderList = []): void {
    if (this.#phase === 'passing') {
      if (this.attempt.isOpen) this.#settle({ fault, status: this.#status });
      this.#over();
      return this.#owner.broke(fault);
    }
    const { retryAfter, date } = this.#answer ?? {};
    const verdict = this.#settle({
      fault,
      retryAfter,
      date,
      started: this.#phase === 'connecting' ? 'notStarted' : 'unknown',
    });
    // If there is no better one.
    const { isAnswer } = this;
    if (!isAnswer) this.#over();
    if (this.#owner.failed(this, verdict) === 'replaced') return this.#over();
    if (!isAnswer) return this.#owner.exhausted(fault);
    this.#win();
    if (!this.isWhole) return undefined;
    this.#over();
    return this.#owner.finished(undefined, trailers);
  }

  #settle(end: AttemptEnd): Verdict {
    const verdict = this.attempt.ended(end);
    this.#note(verdict, end.fault);
    return verdict;
  }

  #note({ kind }: Verdict, fault: TransportFault | undefined): void {
    if (!this.#owner.isWatched) return;
    this.#record = {
      endpoint: this.target.id,
      status: this.#status === 0 ? undefined : this.#status,
      fault,
      verdict: kind,
      durationMs: this.#owner.clock.now() - this.#startedAt,
    };
  }

  #over(): void {
    this.#phase = 'over';
    this.#watchdog.stop();
    if (!this.isWhole) this.#call?.abort();
  }

  #due(ms: number): void {
    const { clock, deadlineAt } = this.#owner;
    this.#watchdog.set(Math.min(clock.now() + ms, deadlineAt));
  }
}

const EMPTY = new Uint8Array();
