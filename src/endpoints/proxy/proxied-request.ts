// One client's request, from its head to the end of the answer: attempt after attempt, until one is the answer.
// Invariant: the client gets one answer, whole; or one error; or an answer that is seen to be cut. Never two, never a part.
import type { Clock, HeaderList, HttpExchange, Timer } from '../../ports.ts';
import type { TransportFault, VerdictKind } from '../classify.ts';
import type { Attempt, PoolRequest, Verdict } from '../request.ts';
import { expectedOf } from './completions.ts';
import { codeOf, errorAnswer, errorEvent, faultInWords, type ProxyError } from './errors.ts';
import { headersFor, readRequestHeaders, type RequestHeaders } from './headers.ts';
import type { ProxyHome } from './home.ts';
import { mayRepeat, refusalOf, sessionOf, tooLarge, withoutToken } from './intake.ts';
import type { ProxyTimeouts } from './options.ts';
import { redactTarget, type AttemptRecord, type ExchangeOutcome, type ExchangeRecord } from './record.ts';
import { ReplayBody } from './replay-body.ts';
import { pathBelow, type Target } from './target.ts';
import { UpstreamAttempt, type AttemptOwner, type Succession } from './upstream-attempt.ts';
import { Watchdog, type Kennel } from './watchdog.ts';

/** A body of this many bytes, or fewer, is sent when it is here as a whole. */
const SMALL_BYTES = 65_536;

export class ProxiedRequest implements AttemptOwner {
  readonly clock: Clock;
  readonly kennel: Kennel;
  readonly isWatched: boolean;
  readonly timeouts: ProxyTimeouts;
  readonly deadlineAt: number;
  readonly method: string;
  readonly #home: ProxyHome;
  readonly #exchange: HttpExchange;
  readonly #startedAt: number;
  #headers: RequestHeaders | undefined;
  #body: Uint8Array | ReplayBody | undefined;
  #request: PoolRequest | undefined;
  /** Attempts that may still become the answer. */
  #open = 0;
  /** All that were made, for the record, and to let go of at the end. */
  readonly #attempts: UpstreamAttempt[] = [];
  #winner: UpstreamAttempt | undefined;
  /** The newest that failed with something that a client can understand. */
  #kept: UpstreamAttempt | undefined;
  /** For a body that does not come, or a second attempt that is to begin. */
  readonly #watchdog: Watchdog;
  #waiting: 'body' | 'hedge' | 'nothing' = 'nothing';
  /** An attempt that has begun, and is not sent yet: it asks the same endpoint again. */
  #backoff: { readonly timer: Timer; readonly attempt: Attempt } | undefined;
  #phase: 'open' | 'answering' | 'over' = 'open';
  #firstByteAt = -1;
  #status: number | undefined;
  #bytes = 0;

  constructor(home: ProxyHome, exchange: HttpExchange) {
    this.#home = home;
    this.#exchange = exchange;
    this.clock = home.clock;
    this.kennel = home.kennel;
    this.isWatched = home.isWatched;
    this.timeouts = home.settings.timeouts;
    this.method = exchange.method;
    this.#startedAt = home.clock.now();
    this.deadlineAt = this.#startedAt + this.timeouts.totalMs;
    this.#watchdog = new Watchdog(home.kennel, () => this.#late());
  }

  begin(): void {
    const exchange = this.#exchange;
    exchange.handle(this);
    const { settings } = this.#home;
    const headers = readRequestHeaders(exchange.headers);
    const refusal = this.#home.isServing
      ? refusalOf(exchange, headers, this.#home)
      : ({ code: 'proxy_stopping', message: 'the proxy is stopping', retryAfterS: 1 } as const);
    if (refusal !== undefined) return this.#answerError(refusal, 'refused');
    const { token } = settings;
    this.#headers =
      token === undefined ? headers : { ...headers, credentials: withoutToken(headers.credentials, token) };
    const { bodyLength } = exchange;
    if (bodyLength === 0) return this.#first();
    if (bodyLength === undefined || bodyLength > SMALL_BYTES) {
      const { limits, room } = this.#home;
      this.#body = new ReplayBody(exchange.body(), { ...limits, room });
      return this.#first();
    }
    this.#waiting = 'body';
    this.#watchdog.set(this.#startedAt + this.timeouts.idleMs);
    return exchange.readWhole((bytes) => {
      if (this.#phase !== 'open') return;
      this.#waiting = 'nothing';
      this.#watchdog.stop();
      this.#body = bytes;
      this.#first();
    });
  }

  /** The client takes more again. */
  drained(): void {
    this.#winner?.resume();
  }

  /** The client went away. */
  closed(): void {
    this.#cancelled('the client went away');
  }

  /** The proxy stops and waits no longer. */
  stop(): void {
    if (this.#phase === 'over') return;
    if (this.#phase === 'answering') this.#cut('the proxy stopped', 'proxy_stopping');
    else this.#answerError({ code: 'proxy_stopping', message: 'the proxy stopped' }, 'failed');
  }

  classify(status: number): VerdictKind {
    return this.#home.classify(status);
  }

  won(winner: UpstreamAttempt): void {
    if (this.#phase !== 'open') return;
    this.#phase = 'answering';
    this.#winner = winner;
    this.#stopWaiting();
    for (const attempt of this.#attempts) if (attempt !== winner) attempt.abandon();
    this.#start(winner.status, winner.reason, winner.headers);
    // A whole answer leaves in one piece with its head: see `finished`.
    if (!winner.isWhole) for (const bytes of winner.takeHeld()) this.pass(bytes);
  }

  pass(bytes: Uint8Array): 'more' | 'full' {
    this.#count(bytes);
    return this.#exchange.write(bytes);
  }

  finished(bytes: Uint8Array | undefined, trailers: HeaderList): void {
    if (this.#phase !== 'answering') return;
    const held = this.#winner?.takeHeld() ?? [];
    const last = bytes ?? held.pop();
    for (const each of held) this.pass(each);
    if (last !== undefined) this.#count(last);
    // Before the end: whoever reads the answer and asks for the status finds it counted.
    this.#over('answered', undefined);
    this.#exchange.end(last, trailers);
  }

  broke(fault: TransportFault): void {
    this.#cut(`endpoint ${this.#winner?.target.id} ${faultInWords(fault)}`, codeOf(fault));
  }

  failed(attempt: UpstreamAttempt, verdict: Verdict): Succession {
    this.#open -= 1;
    if (attempt.isAnswer) this.#kept = attempt;
    if (this.#phase !== 'open' || this.#open > 0 || this.#backoff !== undefined) return 'replaced';
    return verdict.retryable && this.#isBodyThere && this.#next() ? 'replaced' : 'last';
  }

  exhausted(fault: TransportFault): void {
    if (this.#phase !== 'open') return;
    const refusal = this.#request?.refusal;
    const kept = this.#kept;
    // It would say that nothing was done; a later attempt may have.
    if (kept?.isWhole === true && refusal !== 'may_have_happened') {
      this.won(kept);
      return this.finished(undefined, []);
    }
    if (refusal === 'stopped') return this.stop();
    const code = refusal === 'deadline' ? 'deadline_exceeded' : codeOf(fault);
    const why =
      refusal !== undefined || this.#isBodyThere
        ? (this.#request?.explain() ?? '')
        : 'its body was sent, and is too long to be kept for another attempt; see limits.replayBytes';
    this.#answerError(
      {
        code,
        message: `no endpoint answered: the last one ${faultInWords(fault)}; ${why}`,
        retryAfterS: code === 'upstream_unreachable' ? 1 : undefined,
      },
      'failed',
    );
    return undefined;
  }

  unsendable(why: 'request' | 'too_large' | 'machine', error: Error): void {
    if (this.#phase !== 'open') return this.#cut(error.message, 'upstream_failed');
    if (why === 'too_large') return this.#answerError(tooLarge(this.#home.limits), 'refused');
    if (why === 'request')
      return this.#answerError(
        { code: 'malformed_request', message: `the request cannot be sent on: ${error.message}` },
        'refused',
      );
    this.#home.log.error({ error: error.message }, `the proxy cannot dial: ${error.message}`);
    return this.#answerError(
      { code: 'proxy_overloaded', message: 'the proxy is out of connections', retryAfterS: 1 },
      'failed',
    );
  }

  clientStalled(): void {
    if (this.#phase === 'answering') {
      this.#exchange.cut();
      return this.#cancelled('the client does not take the answer');
    }
    return this.#answerError(
      { code: 'request_too_slow', message: `nothing of the body came for ${this.timeouts.idleMs} ms` },
      'refused',
    );
  }

  informed(status: number, headers: HeaderList): void {
    if (this.#phase === 'open') this.#exchange.inform(status, headers);
  }

  get #isBodyThere(): boolean {
    return !(this.#body instanceof ReplayBody) || this.#body.isRepeatable;
  }

  #first(): void {
    const { pool, settings } = this.#home;
    const headers = this.#headers;
    if (headers === undefined) return;
    const idempotent = mayRepeat(this.method, headers, settings.repeat);
    const leftMs = this.deadlineAt - this.clock.now();
    this.#request = pool.request({
      idempotent,
      session: sessionOf(this.#exchange.headers, settings.affinity),
      deadlineMs: Math.max(1, leftMs),
    });
    if (!this.#next()) return this.exhausted('connect_failed');
    const { hedgeAfterMs } = settings;
    if (hedgeAfterMs === undefined || !idempotent || this.#body instanceof ReplayBody) return;
    this.#waiting = 'hedge';
    this.#watchdog.set(this.clock.now() + hedgeAfterMs);
  }

  /** Begins another attempt. Whether there is one. */
  #next(): boolean {
    const attempt = this.#request?.next();
    if (attempt === undefined) return false;
    if (attempt.backoffMs === 0) {
      this.#launch(attempt);
      return true;
    }
    const timer = this.clock.setTimer(() => {
      this.#backoff = undefined;
      this.#launch(attempt);
    }, attempt.backoffMs);
    this.#backoff = { timer, attempt };
    return true;
  }

  #launch(attempt: Attempt): void {
    const target = attempt.endpoint as Target;
    const path = pathBelow(target, this.#exchange.target);
    const body = this.#body;
    const expected = expectedOf(this.method, path, body instanceof Uint8Array ? body : undefined);
    const made = new UpstreamAttempt(this, attempt, expected);
    this.#open += 1;
    this.#attempts.push(made);
    const coding = expected === 'anything' ? 'any' : 'plain';
    const headers = headersFor(target, this.#headers ?? NO_HEADERS, this.#home.via, coding);
    made.begin(this.#home.upstream, { origin: target.origin, method: this.method, path, headers }, body);
  }

  #late(): void {
    if (this.#waiting === 'body') return this.clientStalled();
    // It has no answer yet: `won` stops the watchdog.
    if (this.#waiting === 'hedge' && this.#open > 0) this.#next();
    this.#waiting = 'nothing';
    return undefined;
  }

  #start(status: number, reason: string, headers: HeaderList): void {
    this.#status = status;
    this.#exchange.start(
      status,
      reason,
      this.#home.isServing ? headers : [...headers, 'connection', 'close'],
    );
  }

  #count(bytes: Uint8Array): void {
    if (this.#firstByteAt < 0) this.#firstByteAt = this.clock.now();
    this.#bytes += bytes.length;
  }

  #answerError(error: ProxyError, outcome: 'failed' | 'refused'): void {
    if (this.#phase !== 'open') return;
    const { status, headers, body } = errorAnswer(error);
    const bytes = new TextEncoder().encode(body);
    this.#phase = 'answering';
    this.#start(status, '', [...headers, 'content-length', String(bytes.length)]);
    this.#over(outcome, error.message);
    this.#exchange.end(this.method === 'HEAD' ? undefined : bytes);
  }

  #cut(problem: string, code: ProxyError['code']): void {
    if (this.#phase !== 'answering') return;
    const form = this.#winner?.eventForm;
    if (form !== undefined)
      this.#exchange.write(new TextEncoder().encode(errorEvent({ code, message: problem }, form)));
    this.#over('cut', problem);
    this.#exchange.cut();
  }

  #cancelled(problem: string): void {
    if (this.#phase !== 'over') this.#over('cancelled', problem);
  }

  #stopWaiting(): void {
    this.#watchdog.stop();
    this.#waiting = 'nothing';
    if (this.#backoff === undefined) return;
    this.clock.clearTimer(this.#backoff.timer);
    // It was never sent.
    this.#backoff.attempt.abandoned();
    this.#backoff = undefined;
  }

  #over(outcome: ExchangeOutcome, problem: string | undefined): void {
    this.#phase = 'over';
    this.#stopWaiting();
    for (const attempt of this.#attempts) attempt.abandon();
    this.#request?.close();
    if (this.#body instanceof ReplayBody) this.#body.close();
    this.#home.over(this, outcome, this.isWatched ? () => this.#record(outcome, problem) : undefined);
  }

  #record(outcome: ExchangeOutcome, problem: string | undefined): ExchangeRecord {
    const now = this.clock.now();
    const records: AttemptRecord[] = [];
    for (const { record } of this.#attempts) if (record !== undefined) records.push(record);
    return {
      id: this.#home.nextId(),
      method: this.method,
      target: redactTarget(this.#exchange.target),
      remoteAddress: this.#exchange.remoteAddress,
      outcome,
      status: this.#status,
      endpoint: this.#winner?.target.id,
      attempts: records,
      refusal: this.#request?.refusal,
      problem,
      firstByteMs: this.#firstByteAt < 0 ? -1 : this.#firstByteAt - this.#startedAt,
      durationMs: now - this.#startedAt,
      bytes: this.#bytes,
    };
  }
}

const NO_HEADERS = readRequestHeaders([]);
