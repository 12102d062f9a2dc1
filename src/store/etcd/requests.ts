// Unary requests to the cluster: each is one proposal, which waits for a member, is sent once, and ends once.
// Invariant: a write is sent again only when etcd said that it refused the first one; a read whenever its answer is missing.
import { proposalEffects, proposalMachine, type ProposalContext } from '../../../machines/proposal.ts';
import { compile, type CompiledActor } from '../../engine/compile.ts';
import type { Observer } from '../../engine/table-records.ts';
import type { Clock, Timer } from '../../ports.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import type { ProposalOptions } from '../contract.ts';
import { badTimeout } from '../failure.ts';
import { failedRequest } from './failures.ts';
import type { Members } from './members.ts';
import type { Sentinel } from './sentinel.ts';
import type { Tokens } from './tokens.ts';
import type { Channel, RpcCall, RpcFailure, RpcMetadata, UnaryHandlers } from './transport.ts';

/** Waits before a request is sent once more, after the first time. */
const RETRY_MS = 25;
const LONGEST_RETRY_MS = 1_000;

/** What may be done when the answer is missing: reads may be sent again, to another member too; writes may have happened. */
export type Kind = 'read' | 'write';

/** Sends it, over a channel that is ready. */
export type Send = (channel: Channel, metadata: RpcMetadata, handlers: UnaryHandlers) => RpcCall;

interface Asked {
  readonly send: Send;
  /** In words, for errors. */
  readonly what: string;
  readonly kind: Kind;
  readonly options: ProposalOptions;
  readonly resolve: (response: object) => void;
  readonly reject: (error: HoldfastError) => void;
}

interface Request extends CompiledActor<ProposalContext>, Asked {
  timer: Timer | undefined;
  retry: Timer | undefined;
  unlisten: (() => void) | undefined;
  leaveQueue: (() => void) | undefined;
  /** Where it was sent, the last time. */
  channel: Channel | undefined;
  call: RpcCall | undefined;
  /** Whether it was taken out of the queue: then nothing of it can have happened. */
  fate: 'notStarted' | 'unknown';
  tries: number;
  response: object | undefined;
  error: HoldfastError | undefined;
}

function newRequest(
  context: ProposalContext,
  { send, what, kind, options, resolve, reject }: Asked,
): Request {
  return {
    state: 0,
    context,
    send,
    what,
    kind,
    options,
    resolve,
    reject,
    timer: undefined,
    retry: undefined,
    unlisten: undefined,
    leaveQueue: undefined,
    channel: undefined,
    call: undefined,
    fate: 'unknown',
    tries: 0,
    response: undefined,
    error: undefined,
  };
}

export interface RequestsOptions {
  readonly clock: Clock;
  readonly members: Members;
  readonly tokens: Tokens;
  readonly sentinel: Sentinel;
  /** For requests that set no times of their own. */
  readonly proposeTimeoutMs: number;
  readonly applyTimeoutMs: number;
  readonly observer?: Observer<CompiledActor<ProposalContext>> | undefined;
}

export class Requests {
  readonly #clock: Clock;
  readonly #members: Members;
  readonly #tokens: Tokens;
  readonly #sentinel: Sentinel;
  readonly #times: { readonly proposeTimeoutMs: number; readonly applyTimeoutMs: number };
  readonly #live = new Set<Request>();
  #open = true;

  constructor(options: RequestsOptions) {
    this.#clock = options.clock;
    this.#members = options.members;
    this.#tokens = options.tokens;
    this.#sentinel = options.sentinel;
    const { proposeTimeoutMs, applyTimeoutMs } = options;
    this.#times = { proposeTimeoutMs, applyTimeoutMs };
    this.#machine.observe(options.observer);
  }

  /**
   * @param what the request in words, for errors: `put of /a`
   * @throws HoldfastError as `Store` says
   */
  run(what: string, kind: Kind, options: ProposalOptions, send: Send): Promise<object> {
    return new Promise((resolve, reject) => {
      const { signal, proposeTimeoutMs, applyTimeoutMs } = options;
      if (!this.#open) return reject(stopped(what, 'notStarted'));
      if (signal?.aborted === true) return reject(cancelled(what, 'notStarted', signal));
      for (const [name, value] of Object.entries({ proposeTimeoutMs, applyTimeoutMs }))
        if (value !== undefined && !(value > 0)) return reject(badTimeout(name, value));
      const context = this.#machine.initialContext({
        ...this.#timesOf(options),
        startedAt: this.#clock.now(),
      });
      const request = newRequest(context, { what, kind, options, send, resolve, reject });
      this.#live.add(request);
      this.#listen(request);
      this.#machine.enter(request);
    });
  }

  /** Frees every waiter with `stopped`. */
  close(): void {
    this.#open = false;
    for (const request of this.#live) {
      request.error = undefined;
      this.#machine.send(request, { type: 'engine.ended', at: this.#clock.now() });
    }
  }

  readonly #machine = compile<typeof proposalMachine, typeof proposalEffects, Request>(
    proposalMachine,
    proposalEffects,
    {
      enqueue: (request) => this.#enqueue(request),
      withdraw: (request) => {
        request.fate = 'notStarted';
        request.leaveQueue?.();
        if (request.retry !== undefined) this.#clock.clearTimer(request.retry);
        request.retry = undefined;
      },
      abandon: (request) => this.#abandon(request),
      settle: (request) => this.#settle(request),
    },
    { entered: (request) => this.#arm(request) },
  );

  #arm(request: Request): void {
    if (request.timer !== undefined) this.#clock.clearTimer(request.timer);
    const delayMs = this.#machine.delayMs(request);
    request.timer =
      delayMs < 0
        ? undefined
        : this.#clock.setTimer(() => {
            request.timer = undefined;
            this.#machine.expire(request);
          }, delayMs);
  }

  #listen(request: Request): void {
    const { signal } = request.options;
    if (signal === undefined) return;
    const abort = (): void =>
      void this.#machine.send(request, { type: 'cancel.requested', at: this.#clock.now() });
    signal.addEventListener('abort', abort);
    request.unlisten = () => signal.removeEventListener('abort', abort);
  }

  #enqueue(request: Request): void {
    const epoch = request.context.control.epoch;
    const isWaiting = (): boolean =>
      this.#live.has(request) && request.context.control.epoch === epoch && this.#isQueued(request);
    const reach = (): void => {
      request.retry = undefined;
      request.leaveQueue = this.#members.reach((channel) =>
        this.#tokens.get(channel, (metadata, failure) => {
          if (!isWaiting()) return;
          if (metadata === undefined) this.#withoutToken(request, channel, failure);
          else this.#submit(request, channel, metadata);
        }),
      );
    };
    request.tries += 1;
    if (request.tries === 1) return reach();
    const pauseMs = Math.min(LONGEST_RETRY_MS, RETRY_MS * 2 ** Math.min(request.tries, 10));
    request.retry = this.#clock.setTimer(reach, pauseMs);
  }

  #timesOf(options: ProposalOptions): { proposeTimeoutMs: number; applyTimeoutMs: number } {
    return {
      proposeTimeoutMs: options.proposeTimeoutMs ?? this.#times.proposeTimeoutMs,
      applyTimeoutMs: options.applyTimeoutMs ?? this.#times.applyTimeoutMs,
    };
  }

  #isQueued(request: Request): boolean {
    return this.#machine.states[request.state] === 'queued';
  }

  #submit(request: Request, channel: Channel, metadata: RpcMetadata): void {
    const epoch = request.context.control.epoch;
    this.#sentinel.guard(channel);
    this.#machine.send(request, { type: 'submission.taken', epoch, at: this.#clock.now() });
    request.channel = channel;
    request.call = request.send(channel, metadata, {
      answered: (response) => {
        request.response = response;
        this.#machine.send(request, { type: 'submission.applied', epoch, at: this.#clock.now() });
      },
      failed: (failure) => this.#failed(request, channel, metadata, failure, epoch),
    });
  }

  #failed(
    request: Request,
    channel: Channel,
    metadata: RpcMetadata,
    failure: RpcFailure,
    epoch: number,
  ): void {
    const { error, remedy } = failedRequest(request.what, channel.endpoint, failure);
    const at = this.#clock.now();
    request.error = error;
    if (remedy === 'newToken') this.#tokens.refused(metadata);
    if (remedy === 'elsewhere' || remedy === 'readElsewhere') this.#members.avoid(channel, failure.message);
    const isFinal = remedy === 'none' || (remedy === 'newToken' && request.tries > 2);
    if (isFinal) this.#machine.send(request, { type: 'submission.rejected', epoch, at });
    else if (remedy === 'readElsewhere' && request.kind === 'write')
      this.#machine.send(request, { type: 'submission.vanished', epoch, at });
    else this.#machine.send(request, { type: 'submission.returned', epoch, at });
  }

  /** The password was refused for good, or the member was lost before it could be asked. */
  #withoutToken(request: Request, channel: Channel, failure: RpcFailure | undefined): void {
    if (failure === undefined) return;
    const { error, remedy } = failedRequest(request.what, channel.endpoint, failure);
    const at = this.#clock.now();
    const { epoch } = request.context.control;
    request.error = error;
    if (remedy !== 'none') this.#members.avoid(channel, failure.message);
    this.#machine.send(request, { type: 'submission.taken', epoch, at });
    const type = remedy === 'none' ? 'submission.rejected' : 'submission.returned';
    this.#machine.send(request, { type, epoch, at });
  }

  /** A member that does not answer in time is not asked next, if there is another. */
  #abandon({ call, channel, options }: Request): void {
    call?.cancel();
    if (options.signal?.aborted !== true && channel !== undefined)
      this.#members.avoid(channel, 'no answer in time');
  }

  #settle(request: Request): void {
    this.#live.delete(request);
    request.unlisten?.();
    const { what, options, error } = request;
    const started = startedOf(request);
    switch (this.#machine.states[request.state]) {
      case 'succeeded':
        return request.resolve(request.response as object);
      case 'timed_out':
        return request.reject(this.#timedOut(request, started));
      case 'cancelled':
        return request.reject(cancelled(what, started, options.signal));
      default:
        return request.reject(error ?? stopped(what, started));
    }
  }

  #timedOut({ what, options, fate }: Request, started: 'notStarted' | 'unknown'): HoldfastError {
    const { proposeTimeoutMs, applyTimeoutMs } = this.#timesOf(options);
    const { endpoints, lastFailure } = this.#members;
    const message =
      fate === 'notStarted'
        ? `${what} was not sent within ${proposeTimeoutMs} ms: none of ${endpoints.join(', ')} could be asked (${lastFailure})`
        : `${what} was sent and not answered within ${applyTimeoutMs} ms; raise applyTimeoutMs, or look at the cluster's health`;
    return new HoldfastError(message, { code: 'timed_out', retryable: true, blame: 'remote', started });
  }
}

/** Whether a write may have happened. */
function startedOf({ kind, fate }: Request): 'notStarted' | 'unknown' {
  return kind === 'read' ? 'notStarted' : fate;
}

function cancelled(
  what: string,
  started: 'notStarted' | 'unknown',
  signal: AbortSignal | undefined,
): HoldfastError {
  const happened =
    started === 'notStarted' ? 'before it was sent' : 'when it was under way; it may have happened';
  return new HoldfastError(`${what} was cancelled ${happened}`, {
    code: 'cancelled',
    started,
    cause: signal?.reason,
  });
}

function stopped(what: string, started: 'notStarted' | 'unknown'): HoldfastError {
  return new HoldfastError(`${what}: the store is closed`, { code: 'stopped', started });
}
