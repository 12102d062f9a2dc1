// The members of the cluster: which one is asked, and which one next when it does not serve.
// Invariant: whoever waits for a member is told of a channel that is ready, in the turn in which it is, once.
import type { Clock, Log, Random, Timer } from '../../ports.ts';
import type { Channel, Transport } from './transport.ts';

export interface MembersOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Told when nobody can be reached, once, and when somebody can again. */
  readonly log: Log;
  readonly transport: Transport;
  /** `host:port` each; at least one. */
  readonly endpoints: readonly string[];
  /** For one member to be reached; then the next one is tried. */
  readonly dialTimeoutMs: number;
}

/** Waits after every member has failed in turn: from the first to the longest, in milliseconds. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

export class Members {
  readonly endpoints: readonly string[];
  /** Why a member could not be reached, the last time. */
  lastFailure = 'none was tried yet';
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #dialTimeoutMs: number;
  readonly #channels: readonly Channel[];
  readonly #waiters = new Set<(channel: Channel) => void>();
  #at: number;
  /** Number of the present dial; outcomes of earlier ones are not heard. */
  #dial = 0;
  #seeking: 'no' | 'dialing' | 'pausing' = 'no';
  /** Members in a row that could not be reached. */
  #failures = 0;
  #timer: Timer | undefined;

  constructor({ clock, random, log, transport, endpoints, dialTimeoutMs }: MembersOptions) {
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
    this.#dialTimeoutMs = dialTimeoutMs;
    this.endpoints = endpoints;
    this.#channels = endpoints.map((endpoint) => transport.channel(endpoint));
    // Many clients of one cluster spread over its members.
    this.#at = random.uint32() % endpoints.length;
  }

  /** Calls back, now or later, with a channel that is ready. Returns the function that stops waiting. */
  reach(found: (channel: Channel) => void): () => void {
    const channel = this.#channel;
    if (channel.ready) {
      found(channel);
      return () => undefined;
    }
    this.#waiters.add(found);
    if (this.#seeking === 'no') this.#seek();
    return () => void this.#waiters.delete(found);
  }

  /** It answers, but does not serve, or its link broke: another is asked from now on, if there is one. */
  avoid(channel: Channel, why: string): void {
    if (channel !== this.#channel) return;
    this.lastFailure = `${channel.endpoint}: ${why}`;
    this.#at = (this.#at + 1) % this.#channels.length;
  }

  close(): void {
    this.#waiters.clear();
    this.#dial += 1;
    this.#stopTimer();
    for (const channel of this.#channels) channel.close();
  }

  get #channel(): Channel {
    return this.#channels[this.#at] as Channel;
  }

  #seek(): void {
    if (this.#waiters.size === 0) {
      this.#seeking = 'no';
      return;
    }
    this.#seeking = 'dialing';
    this.#dial += 1;
    const dial = this.#dial;
    const channel = this.#channel;
    this.#timer = this.#clock.setTimer(
      () => this.#failed(dial, channel, `no connection within ${this.#dialTimeoutMs} ms`),
      this.#dialTimeoutMs,
    );
    channel.dial((failure) => {
      if (failure !== undefined) this.#failed(dial, channel, failure.message);
      else if (dial === this.#dial) this.#found(channel);
    });
  }

  #found(channel: Channel): void {
    this.#stopTimer();
    this.#dial += 1;
    this.#seeking = 'no';
    if (this.#failures >= this.#channels.length)
      this.#log.info({ endpoint: channel.endpoint }, `etcd can be reached again, at ${channel.endpoint}`);
    this.#failures = 0;
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const found of waiters) found(channel);
  }

  #failed(dial: number, channel: Channel, why: string): void {
    if (dial !== this.#dial) return;
    this.#stopTimer();
    this.#dial += 1;
    this.lastFailure = `${channel.endpoint}: ${why}`;
    this.avoid(channel, why);
    this.#failures += 1;
    const rounds = Math.floor(this.#failures / this.#channels.length);
    if (this.#failures % this.#channels.length !== 0) return this.#seek();
    if (rounds === 1) {
      const { endpoints, lastFailure } = this;
      this.#log.warn({ endpoints }, `no etcd can be reached (${lastFailure}); trying on`);
    }
    this.#seeking = 'pausing';
    const ceilingMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(rounds, 10));
    this.#timer = this.#clock.setTimer(
      () => {
        this.#timer = undefined;
        this.#seek();
      },
      (this.#random.uint32() / 2 ** 32) * ceilingMs,
    );
  }

  #stopTimer(): void {
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }
}
