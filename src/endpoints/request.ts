// One request to a pool: which endpoints it tries, one after the other, until one answers or there is a reason to stop.
// Invariant: an attempt has one verdict; all attempts share one deadline, and retries one budget.
import { jitter } from '../../machines/types.ts';
import type { Clock, Timer, WallClock } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';
import type { TransportFault, VerdictKind } from './classify.ts';
import type { Health } from './health.ts';
import type { Member } from './member.ts';
import type { Endpoint, PoolSettings } from './options.ts';
import type { RetryBudget } from './retry-budget.ts';
import { retryAfterMs } from './retry-after.ts';
import type { Selector } from './selection.ts';
import type { Sessions } from './sessions.ts';

export interface RequestOptions {
  /** Requests of one session go to one endpoint, while it serves. @default none */
  readonly session?: string | undefined;
  /** Whether being executed twice does no harm. If not, it is tried again only when nothing was sent. @default false */
  readonly idempotent?: boolean | undefined;
  /** Over all attempts, in milliseconds. @default the pool's `deadlineMs` */
  readonly deadlineMs?: number | undefined;
  /** @default the pool's `maxAttempts` */
  readonly maxAttempts?: number | undefined;
  /** Whoever asked has gone. @default none */
  readonly signal?: AbortSignal | undefined;
}

/** How an attempt ended: with a status, or with a fault before there was one (or in spite of it). */
export interface AttemptEnd {
  readonly status?: number | undefined;
  readonly fault?: TransportFault | undefined;
  /** Headers of the answer. */
  readonly retryAfter?: string | undefined;
  readonly date?: string | undefined;
  /** Whether the endpoint may have begun with it. @default 'notStarted' for `connect_failed`, `connect_timeout` and 429 */
  readonly started?: 'notStarted' | 'unknown' | undefined;
}

export interface Verdict {
  readonly kind: VerdictKind;
  /** Whether another attempt does no harm; `next` says whether there is one. */
  readonly retryable: boolean;
}

/**
 * Why there is no further attempt.
 * - `settled`: an attempt succeeded, was the client's fault, or was abandoned.
 * - `may_have_happened`: the endpoint may have executed it, and it is not idempotent.
 * - `attempts_spent`, `deadline`, `retry_budget`: the limits of the request, and of the pool.
 * - `all_tried`: every endpoint that serves was tried.
 * - `cancelled`: whoever asked has gone. `stopped`: the pool is closed.
 */
export type RequestRefusal =
  | 'settled'
  | 'may_have_happened'
  | 'attempts_spent'
  | 'deadline'
  | 'retry_budget'
  | 'all_tried'
  | 'cancelled'
  | 'stopped';

/** What requests need of their pool. */
export interface RequestHome {
  readonly clock: Clock;
  readonly wallClock: WallClock;
  readonly settings: PoolSettings;
  readonly health: Health;
  readonly selector: Selector;
  readonly sessions: Sessions;
  readonly budget: RetryBudget;
  readonly classify: (status: number) => VerdictKind;
  readonly counts: { duplicates: number; retries: number; refused: number; requests: number };
  readonly phase: 'open' | 'closed';
}

const NOT_SENT: readonly (TransportFault | undefined)[] = ['connect_failed', 'connect_timeout'];
/** Before the same endpoint is asked again. */
const BACKOFF_MS = 100;

/** One try of one endpoint. It begins when it is made; its maker owes it a verdict. */
export class Attempt {
  /** 1 for the first of its request. */
  readonly number: number;
  /** Milliseconds to wait before it is sent: 0, unless the same endpoint is asked again. */
  readonly backoffMs: number;
  readonly #request: PoolRequest;
  readonly #home: RequestHome;
  readonly #member: Member;
  readonly #epoch: number;
  readonly #startedAt: number;
  #latencyMs = -1;
  #phase: 'open' | 'settled' = 'open';

  /** @internal: `PoolRequest.next` makes them. */
  constructor(
    request: PoolRequest,
    home: RequestHome,
    member: Member,
    number: number,
    at: number,
    backoffMs: number,
  ) {
    this.#request = request;
    this.#home = home;
    this.#member = member;
    this.number = number;
    this.#startedAt = at;
    this.backoffMs = backoffMs;
    this.#epoch = member.context.control.epoch;
    member.begun += 1;
    member.inFlight += 1;
  }

  get endpoint(): Endpoint {
    return this.#member.endpoint;
  }

  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  /** The first byte of the answer has come: its latency counts up to here, not up to the end of a stream. */
  answered(): void {
    if (this.#latencyMs < 0) this.#latencyMs = this.#home.clock.now() - this.#startedAt;
  }

  /** It ended well. Latency counts up to here, unless `answered` was called before. */
  succeeded(): Verdict {
    return this.#settle('success', 0, 'unknown');
  }

  /** Nobody waits for it any more: it says nothing of the endpoint. */
  abandoned(): Verdict {
    return this.#settle('abandoned', 0, 'unknown');
  }

  /**
   * It ended so. The first end is the verdict; what comes after it is counted and changes nothing.
   * A `fault` counts whatever the status was: a body that broke is a failure though it began with 200.
   */
  ended(end: AttemptEnd): Verdict {
    const { status, fault } = end;
    if (fault === 'cancelled') return this.abandoned();
    const kind = fault !== undefined || status === undefined ? 'failure' : this.#home.classify(status);
    const unsent = NOT_SENT.includes(fault) || (fault === undefined && status === 429);
    const { wallClock, settings } = this.#home;
    const waitMs = kind === 'failure' ? retryAfterMs(end, wallClock, settings.maxRetryAfterMs) : 0;
    return this.#settle(kind, waitMs, end.started ?? (unsent ? 'notStarted' : 'unknown'));
  }

  #settle(kind: VerdictKind, waitMs: number, started: 'notStarted' | 'unknown'): Verdict {
    if (this.#phase === 'settled') {
      this.#home.counts.duplicates += 1;
      return { kind: 'abandoned', retryable: false };
    }
    this.#phase = 'settled';
    if (kind === 'success') this.answered();
    this.#member.inFlight -= 1;
    this.#home.health.verdict(this.#member, this.#epoch, kind, this.#latencyMs, waitMs);
    return this.#request.settled(kind, started, waitMs);
  }
}

export class PoolRequest {
  readonly #home: RequestHome;
  readonly #options: RequestOptions;
  readonly #deadlineAt: number;
  readonly #tried: Member[] = [];
  #begun = 0;
  /** Attempts without a verdict. */
  #open = 0;
  #last: Member | undefined;
  /** Whether to ask the same endpoint once more: not if it refused the key, or asked to be left alone (`Retry-After`). */
  #again: 'useful' | 'useless' = 'useful';
  #controller: AbortController | undefined;
  #timer: Timer | undefined;
  #refusal: RequestRefusal | undefined;
  #cancel: (() => void) | undefined;

  /** @internal: `Pool.request` makes them. @throws HoldfastError `invalid_argument` for a deadline that is none */
  constructor(home: RequestHome, options: RequestOptions) {
    this.#home = home;
    this.#options = options;
    const now = home.clock.now();
    const { deadlineMs = home.settings.deadlineMs } = options;
    if (!(deadlineMs > 0) || deadlineMs === Infinity)
      throw new HoldfastError(`deadlineMs is ${deadlineMs}; give milliseconds above 0`, {
        code: 'invalid_argument',
      });
    this.#deadlineAt = now + deadlineMs;
    home.counts.requests += 1;
    home.budget.request(now);
  }

  /** Attempts that began. */
  get attempts(): number {
    return this.#begun;
  }

  /** Why the latest `next` answered undefined, or the next one will. */
  get refusal(): RequestRefusal | undefined {
    return this.#refusal;
  }

  /** Milliseconds until the deadline. */
  get remainingMs(): number {
    return Math.max(0, this.#deadlineAt - this.#home.clock.now());
  }

  /** Aborted at the deadline, and when the caller's signal is. It keeps a timer until `close`. */
  get signal(): AbortSignal {
    return (this.#controller ??= this.#watch()).signal;
  }

  /**
   * The next attempt: on an endpoint that this request has not tried, or once more on the last one that serves. Undefined when
   * there is none; `refusal` says why.
   *
   * While another attempt has no verdict yet, it is a hedge: for idempotent requests only, and never on an endpoint that was
   * tried. Undefined then means only that there is no hedge. The first success is the answer; abandon the others.
   */
  next(): Attempt | undefined {
    const home = this.#home;
    const now = home.clock.now();
    this.#refusal ??= this.#refuse(now);
    if (this.#refusal !== undefined) return undefined;
    if (this.#open > 0 && this.#options.idempotent !== true) return undefined;
    const member = this.#choose(now);
    if (this.#open > 0 && (member === undefined || this.#tried.includes(member))) return undefined;
    const isUseless = this.#again === 'useless' && member !== undefined && this.#tried.includes(member);
    if (member === undefined || isUseless) return this.#refused('all_tried');
    if (this.#begun > 0) {
      if (home.budget.retry(now) === 'spent')
        return this.#open > 0 ? undefined : this.#refused('retry_budget');
      home.counts.retries += 1;
    }
    const { session } = this.#options;
    if (session !== undefined) home.sessions.bind(session, member, now);
    const backoffMs = this.#tried.includes(member) ? this.#backoffMs(member) : 0;
    if (backoffMs === 0) this.#tried.push(member);
    this.#begun += 1;
    this.#open += 1;
    this.#last = member;
    return new Attempt(this, home, member, this.#begun, now, backoffMs);
  }

  /** Lets go of its timer and of the caller's signal. Attempts that are open still owe their verdict. Twice is as once. */
  close(): void {
    if (this.#timer !== undefined) this.#home.clock.clearTimer(this.#timer);
    this.#timer = undefined;
    if (this.#cancel !== undefined) this.#options.signal?.removeEventListener('abort', this.#cancel);
    this.#cancel = undefined;
    this.#refusal ??= 'settled';
  }

  /** @internal */
  settled(kind: VerdictKind, started: 'notStarted' | 'unknown', waitMs: number): Verdict {
    this.#open -= 1;
    this.#again = kind === 'credentials' || waitMs > 0 ? 'useless' : 'useful';
    const failed = kind === 'failure' || kind === 'credentials';
    // Refused credentials mean that nothing was done.
    const isSafe = this.#options.idempotent === true || started === 'notStarted' || kind === 'credentials';
    // Another attempt may still answer.
    if (kind === 'abandoned' && this.#open > 0) return { kind, retryable: false };
    if (!failed) this.close();
    else if (!isSafe) this.#refusal ??= 'may_have_happened';
    return { kind, retryable: failed && isSafe };
  }

  /** In words, for an error. */
  explain(): string {
    const { maxAttempts = this.#home.settings.maxAttempts } = this.#options;
    const where = this.#last === undefined ? '' : `, last ${this.#last.id}`;
    const why: Readonly<Record<RequestRefusal, string>> = {
      settled: 'it has ended',
      may_have_happened:
        'the endpoint may have executed it, and it is not idempotent; say `idempotent: true` if repeating it does no harm',
      attempts_spent: `maxAttempts is ${maxAttempts}`,
      deadline: 'its deadline has passed',
      retry_budget: 'the retry budget of the pool is spent: too many requests fail; see retryBudget',
      all_tried: 'every endpoint that serves was tried',
      cancelled: 'it was cancelled',
      stopped: 'the pool is closed',
    };
    return `${this.#begun} attempts failed${where}; ${why[this.#refusal ?? 'settled']}`;
  }

  #refused(refusal: RequestRefusal): undefined {
    this.#refusal = refusal;
    this.#home.counts.refused += 1;
    return undefined;
  }

  #refuse(now: number): RequestRefusal | undefined {
    const { settings, phase } = this.#home;
    const { signal, maxAttempts = settings.maxAttempts } = this.#options;
    if (phase === 'closed') return 'stopped';
    if (signal?.aborted === true) return 'cancelled';
    if (now >= this.#deadlineAt) return 'deadline';
    return this.#begun >= maxAttempts ? 'attempts_spent' : undefined;
  }

  #choose(now: number): Member | undefined {
    const { selector, sessions } = this.#home;
    const { session } = this.#options;
    if (session !== undefined && this.#begun === 0) {
      const bound = sessions.get(session, now);
      if (bound !== undefined && selector.isUsable(bound, now)) return bound;
    }
    const member = selector.pick(now, this.#tried);
    if (member !== undefined) return member;
    const { serving } = selector;
    if (serving.length > 1) return undefined;
    // None serves: the best of them is better than nothing. One does: it is the last.
    return serving[0] ?? selector.pickOutOfService(this.#tried) ?? selector.pickOutOfService([]);
  }

  #backoffMs(member: Member): number {
    const most = Math.min(5_000, BACKOFF_MS * 2 ** Math.min(this.#begun, 10));
    return 1 + Math.round(jitter(member.context.ledger.seed, member.begun) * most);
  }

  #watch(): AbortController {
    const controller = new AbortController();
    const { signal } = this.#options;
    if (signal?.aborted === true) controller.abort(signal.reason);
    else if (signal !== undefined) {
      this.#cancel = () => controller.abort(signal.reason);
      signal.addEventListener('abort', this.#cancel, { once: true });
    }
    // Of a request that is over nothing is waited for.
    if (this.#refusal !== undefined) return controller;
    this.#timer = this.#home.clock.setTimer(() => {
      this.#timer = undefined;
      controller.abort(new HoldfastError('the deadline of the request has passed', { code: 'timed_out' }));
    }, this.remainingMs);
    return controller;
  }
}
