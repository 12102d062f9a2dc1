// A pool of endpoints: it chooses one for each attempt, judges them by what comes back, and keeps those that failed in a queue.
// Invariant: it knows no transport; whoever sends tells it how each attempt ended.
//
// Who owns what: an endpoint's machine owns its health (breaker, probes, verdicts, counters, and how long it is out); the queue's
// machine owns who is in, in what order, how many there were, and who is probed. An endpoint tells the queue that it was ejected
// or has recovered, with its epoch; the queue tells it when it may be probed. Requests own what they have tried; the rest is
// measured here (latencies, rates, what is under way) and decides nothing by itself.
import { recordTransitions } from '../actors/transition-records.ts';
import { createSystem, type System } from '../actors/system.ts';
import { endpointMachine } from '../../machines/endpoint.ts';
import { observeTable } from '../engine/table-records.ts';
import type { Clock, Log, Random, WallClock } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';
import { createClassifier, type VerdictKind } from './classify.ts';
import { Health } from './health.ts';
import type { Member } from './member.ts';
import {
  checkEndpoints,
  checkSelection,
  resolveSettings,
  type Endpoint,
  type PoolOptions,
  type PoolSettings,
} from './options.ts';
import { FailureQueue, type QueueEntry, type QueueStatus } from './queue.ts';
import { noKeeper, openQueueKeeper, type QueueKeeper } from './queue-store.ts';
import { PoolRequest, type Attempt, type RequestHome, type RequestOptions } from './request.ts';
import { RetryBudget } from './retry-budget.ts';
import { runRequest } from './run.ts';
import { Selector } from './selection.ts';
import { Sessions } from './sessions.ts';
import { endpointStatus, type EndpointStatus } from './status.ts';

export interface PoolPorts {
  readonly clock: Clock;
  readonly wallClock: WallClock;
  readonly random: Random;
  readonly log: Log;
}

export interface PoolStatus {
  readonly name: string;
  /** In the order in which they were given. */
  readonly endpoints: readonly EndpointStatus[];
  readonly queue: QueueStatus;
  /** Requests that began, and attempts after the first that they made. */
  readonly requests: number;
  readonly retries: number;
  /** Requests that ended without an answer because a limit forbade another attempt. */
  readonly refused: number;
  /** Ends of attempts that had a verdict already. */
  readonly duplicates: number;
  readonly sessions: number;
}

/** What operators do with the endpoints that failed. */
export interface PoolQueue {
  status(): QueueStatus;
  list(): QueueEntry[];
  /** Has it probed as soon as a slot is free. @throws HoldfastError `invalid_argument` when it is not in the queue */
  retry(endpoint: string): void;
  /** Puts all of them back into service, unproven. */
  clear(): void;
}

export interface Pool extends AsyncDisposable {
  readonly name: string;
  readonly system: System;
  readonly queue: PoolQueue;
  /**
   * Begins a request: ask it for attempts, one at a time, and tell each how it ended.
   *
   * ```ts
   * const request = pool.request({ idempotent: true, session: user });
   * for (let attempt = request.next(); attempt !== undefined; attempt = request.next()) {
   *   const answer = await send(attempt.endpoint.url, request.signal); // { status } or { fault }
   *   const { kind } = attempt.ended(answer);
   *   if (kind === 'success' || kind === 'client') return answer;
   * }
   * throw new Error(request.explain()); // request.refusal says why in a word
   * ```
   *
   * @throws HoldfastError `invalid_argument` for a deadline that is none
   */
  request(options?: RequestOptions): PoolRequest;
  /**
   * The same for a function that resolves with the answer or throws. What it throws is judged by its `status`, when it is a
   * number, and is the endpoint's failure otherwise; an attempt that it ends by itself is left as it is.
   *
   * @throws what the function threw last; HoldfastError `cancelled`, `timed_out` or `stopped` when it was not called
   */
  run<T>(fn: (attempt: Attempt, signal: AbortSignal) => Promise<T>, options?: RequestOptions): Promise<T>;
  status(): PoolStatus;
  /**
   * Another list of endpoints. One whose id stays keeps its health and its counters; requests under way go on.
   * @throws HoldfastError `invalid_option`; nothing has changed then
   */
  update(endpoints: readonly Endpoint[]): void;
  /** No attempt begins any more; the queue is kept once more. Twice is as once. */
  close(): Promise<void>;
}

/** @throws HoldfastError `invalid_option`; of the store, which holds the queue */
export async function openPool(options: PoolOptions, ports: PoolPorts): Promise<Pool> {
  const settings = resolveSettings(options);
  checkEndpoints(options.endpoints);
  checkSelection(options.selection);
  const classify = createClassifier(options.classification);
  const name = options.name ?? 'default';
  if (!/^[\w.-]{1,256}$/.test(name))
    throw new HoldfastError(`option name is ${JSON.stringify(name)}; give letters, digits, . _ and -`, {
      code: 'invalid_option',
    });
  const keeper = options.store === undefined ? noKeeper : await openQueueKeeper(options.store, name, ports);
  return new EndpointPool({ options, settings, classify, name, keeper, ports });
}

interface Given {
  readonly options: PoolOptions;
  readonly settings: PoolSettings;
  readonly classify: (status: number) => VerdictKind;
  readonly name: string;
  readonly keeper: QueueKeeper;
  readonly ports: PoolPorts;
}

class EndpointPool implements Pool, RequestHome {
  readonly name: string;
  readonly clock: Clock;
  readonly wallClock: WallClock;
  readonly settings: PoolSettings;
  readonly classify: (status: number) => VerdictKind;
  readonly health: Health;
  readonly selector: Selector;
  readonly sessions: Sessions;
  readonly budget: RetryBudget;
  readonly counts = { duplicates: 0, retries: 0, refused: 0, requests: 0 };
  readonly queue: PoolQueue;
  phase: 'open' | 'closed' = 'open';
  readonly system: System;
  readonly #keeper: QueueKeeper;
  readonly #queue: FailureQueue;
  readonly #members = new Map<string, Member>();

  constructor({ options, settings, classify, name, keeper, ports }: Given) {
    const { clock, random, log, wallClock } = ports;
    this.name = name;
    this.clock = clock;
    this.wallClock = wallClock;
    this.settings = settings;
    this.classify = classify;
    this.#keeper = keeper;
    const run = random.id().slice(0, 8);
    const inspect = recordTransitions(options.transitions, run);
    this.system = createSystem({ clock, log, ...(inspect === undefined ? {} : { inspect }) });
    this.sessions = new Sessions(settings.sessionTtlMs, settings.maxSessions);
    this.budget = new RetryBudget({
      ratio: settings.retryBudget,
      minPerSecond: settings.minRetriesPerSecond,
    });
    this.selector = new Selector({
      selection: checkSelection(options.selection),
      clock,
      random,
      credentialRetryMs: settings.credentialRetryMs,
      members: () => this.#members.values(),
    });
    this.health = new Health({
      clock,
      random,
      log,
      settings,
      probe: options.probe,
      announce: {
        ejected: (id, facts) => this.#queue.ejected(id, facts),
        recovered: (id, epoch) => this.#queue.recovered(id, epoch),
        removed: (id) => this.#queue.removed(id),
      },
      changed: () => this.selector.changed(),
      observer: observeTable(options.transitions, {
        machine: endpointMachine,
        run,
        id: (member) => `endpoint/${member.id}`,
        now: () => clock.now(),
      }),
    });
    const ids = new Set(options.endpoints.map(({ id }) => id));
    const record = {
      ...keeper.record,
      entries: keeper.record.entries.filter((one) => ids.has(one.endpoint)),
    };
    this.#queue = new FailureQueue({
      system: this.system,
      settings,
      record,
      granted: (id, epoch) => this.#with(id, (member) => this.health.granted(member, epoch)),
      released: (id) => this.#with(id, (member) => this.health.release(member)),
      keep: (newest) => keeper.keep(newest),
    });
    for (const endpoint of options.endpoints) {
      const left = record.entries.find((one) => one.endpoint === endpoint.id);
      this.#members.set(endpoint.id, this.health.add(endpoint, left));
    }
    this.#queue.open();
    this.queue = {
      status: () => this.#queue.status(),
      list: () => this.#queue.list(),
      retry: (id) => this.#retry(id),
      clear: () => this.#queue.clear(),
    };
  }

  request(options: RequestOptions = {}): PoolRequest {
    return new PoolRequest(this, options);
  }

  run<T>(
    fn: (attempt: Attempt, signal: AbortSignal) => Promise<T>,
    options: RequestOptions = {},
  ): Promise<T> {
    return runRequest(this.request(options), fn, this.clock);
  }

  status(): PoolStatus {
    return {
      name: this.name,
      endpoints: [...this.#members.values()].map((member) =>
        endpointStatus(member, this.health.state(member)),
      ),
      queue: this.#queue.status(),
      ...this.counts,
      sessions: this.sessions.size,
    };
  }

  update(endpoints: readonly Endpoint[]): void {
    checkEndpoints(endpoints);
    if (this.phase === 'closed') return;
    const before = new Map(this.#members);
    this.#members.clear();
    for (const endpoint of endpoints) {
      const known = before.get(endpoint.id);
      if (known !== undefined) known.endpoint = endpoint;
      this.#members.set(endpoint.id, known ?? this.health.add(endpoint));
      before.delete(endpoint.id);
    }
    for (const gone of before.values()) this.health.remove(gone);
    this.selector.changed();
  }

  async close(): Promise<void> {
    if (this.phase === 'open') {
      this.phase = 'closed';
      this.#queue.stop();
      this.health.stop(this.#members.values());
    }
    await this.system.stop();
    await this.#keeper.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #with(id: string, act: (member: Member) => void): void {
    const member = this.#members.get(id);
    if (member !== undefined && this.phase === 'open') act(member);
  }

  #retry(id: string): void {
    if (!this.#queue.list().some(({ endpoint }) => endpoint === id))
      throw new HoldfastError(`endpoint ${JSON.stringify(id)} is not in the failure queue; see its list`, {
        code: 'invalid_argument',
      });
    this.#queue.retry(id);
  }
}
