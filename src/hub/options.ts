// The options of a hub, their defaults, and what makes them invalid.
// Invariant: checked once, when the hub is made.
import { checkBalance, type Balance } from '../calls/balance.ts';
import type { TransitionSink } from '../engine/transition-record.ts';
import type { Payloads } from '../inspect/stream/redact.ts';
import { presets, resolveTimes, wholeNumber, type LinkTimes, type Preset } from '../links/options.ts';
import type { Clock, Listener, Log, Metrics, Page, Random } from '../ports.ts';
import type { Store } from '../store/contract.ts';
import { HoldfastError } from '../protocol/errors.ts';
import { defaults, limits } from '../protocol/limits.ts';
import { isLoopback } from '../protocol/loopback.ts';
import type { Encoding } from '../protocol/values.ts';

/** Who asks to be let in. */
export interface Credentials {
  readonly role: 'node' | 'client';
  readonly id: string;
  readonly token: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

/** Whom the application may tell something when it joins. */
export interface Joiner {
  readonly role: 'node' | 'client';
  readonly id: string;
  readonly instance: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface InspectOptions {
  /** Lets viewers that show it drain and disconnect nodes, pause training, retry endpoints. @default none: nobody acts */
  readonly operatorToken?: string | undefined;
  /** What viewers see of events, effects and contexts. @default 'redacted': numbers, and texts that look like ids */
  readonly payloads?: Payloads | undefined;
  /** Steps of each process that are shown in a second; of more, some are left out. @default 1000 */
  readonly stepsPerSecond?: number | undefined;
}

export interface HubOptions {
  /** Stays the same when this hub restarts; hubs that share a store have different ones. @default 'hub' */
  readonly id?: string | undefined;
  /**
   * Where it keeps its nodes, their history and the calls that are to be durable: a URL for `openStore` (`file:./data`), or a
   * store of yours, which you close. @default none: a restart forgets them, and peers tell what they know
   */
  readonly store?: Store | string | undefined;
  /** @default '127.0.0.1' */
  readonly host?: string | undefined;
  /** 0 chooses a free one. @default 7070 */
  readonly port?: number | undefined;
  /** Shared secret that nodes and clients must show. Without it, or `verify`, the hub listens on loopback only. @default none */
  readonly token?: string | undefined;
  /** Decides instead of `token`. @default none */
  readonly verify?: ((credentials: Credentials) => boolean | Promise<boolean>) | undefined;
  /** PEM texts. @default none */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  /** Which node gets a call. @default 'leastLoaded' */
  readonly balance?: Balance | undefined;
  /** Defaults for the kind of network. @default none */
  readonly preset?: Preset | undefined;
  /** @default 5000 */
  readonly heartbeatIntervalMs?: number | undefined;
  /** Silence after which a peer is given up. A peer that asked for more gets it. @default 15000 */
  readonly heartbeatTimeoutMs?: number | undefined;
  /** For a connection to become a WebSocket, for a peer to register, and for it to acknowledge its sync: each. @default 10000 */
  readonly connectionTimeoutMs?: number | undefined;
  /** How long a peer that lost its link may take to come back to its calls. @default 60000 */
  readonly sessionGraceMs?: number | undefined;
  /** Calls that may wait for one node. @default 1000 */
  readonly maxQueueSize?: number | undefined;
  /** An idempotent call leaves a node that is away for this long. @default 3000 */
  readonly failoverAfterMs?: number | undefined;
  /** How long a call waits for a node that offers its function. @default 10000 */
  readonly noNodeAfterMs?: number | undefined;
  /** How long `stop` waits for calls that run. @default 30000 */
  readonly drainTimeoutMs?: number | undefined;
  /** When peers may come back after a drain; jitter comes on top; at most 300000. @default 1000 */
  readonly retryAfterMs?: number | undefined;
  /** What a joiner must know before it counts as online: a value, sent as JSON. @default undefined for all */
  readonly onSync?: ((joiner: Joiner) => unknown) | undefined;
  /** Encoding offered to peers. @default 'json' */
  readonly encoding?: Encoding | undefined;
  /** @default a log on standard error */
  readonly log?: Log | undefined;
  /**
   * Lets viewers look at its machines, live: at `/inspect`, with the page at `/` of the same port. They need the hub's token,
   * where it has one. Costs nothing while nobody looks. @default on, unless only `verify` guards a hub off loopback
   */
  readonly inspect?: boolean | InspectOptions | undefined;
  /**
   * Gets a record of each event that an actor of it took; it must read the record at once. `createTransitionFile` keeps
   * them, and `holdfast conform` checks them. @default none, which costs nothing
   */
  readonly transitions?: TransitionSink | undefined;
}

export interface HubPorts {
  readonly clock: Clock;
  readonly listener: Listener;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** The date in ISO 8601, for people who look at its machines. @default none */
  readonly date?: (() => string) | undefined;
  /** The files of the inspector's page, by path. @default none */
  readonly site?: ((path: string) => Promise<Page | undefined>) | undefined;
  /** Where it keeps what it knows across restarts. @default undefined: nowhere */
  readonly store?: Store | undefined;
  /** When it has stopped. @default nothing: the store is somebody else's */
  closeStore?(): Promise<void> | undefined;
}

export type ResolvedHubOptions = Required<
  Pick<
    HubOptions,
    | 'host'
    | 'port'
    | 'balance'
    | 'heartbeatIntervalMs'
    | 'heartbeatTimeoutMs'
    | 'connectionTimeoutMs'
    | 'sessionGraceMs'
    | 'maxQueueSize'
    | 'failoverAfterMs'
    | 'noNodeAfterMs'
    | 'drainTimeoutMs'
    | 'retryAfterMs'
    | 'encoding'
  >
> & { readonly hubId: string; readonly inspect: InspectOptions | 'off' };

/** @throws HoldfastError `invalid_option` */
export function resolveHubOptions(options: HubOptions): {
  [K in keyof ResolvedHubOptions]: NonNullable<ResolvedHubOptions[K]>;
} {
  const given: Partial<LinkTimes> = {};
  for (const name of [
    'heartbeatIntervalMs',
    'heartbeatTimeoutMs',
    'connectionTimeoutMs',
    'drainTimeoutMs',
  ] as const) {
    const value = options[name];
    if (value !== undefined) given[name] = value;
  }
  const times = resolveTimes(given, options.preset);
  const ofPreset = options.preset === undefined ? {} : presets[options.preset];
  const host = options.host ?? '127.0.0.1';
  if (!isLoopback(host) && options.token === undefined && options.verify === undefined) {
    throw new HoldfastError(
      `option host is ${host}, which others can reach, and there is neither token nor verify; ` +
        'pass a token, or listen on 127.0.0.1',
      { code: 'invalid_option' },
    );
  }
  if (options.token === '')
    throw new HoldfastError('option token is empty; leave it out or give a secret', {
      code: 'invalid_option',
    });
  return {
    hubId: options.id ?? 'hub',
    host,
    port: wholeNumber('port', options.port ?? 7_070, 0, 65_535),
    balance: checkBalance(options.balance ?? 'leastLoaded'),
    heartbeatIntervalMs: times.heartbeatIntervalMs,
    heartbeatTimeoutMs: times.heartbeatTimeoutMs,
    connectionTimeoutMs: times.connectionTimeoutMs,
    drainTimeoutMs: times.drainTimeoutMs,
    sessionGraceMs: wholeNumber(
      'sessionGraceMs',
      options.sessionGraceMs ?? ofPreset.sessionGraceMs ?? defaults.sessionGraceMs,
      1,
    ),
    maxQueueSize: wholeNumber('maxQueueSize', options.maxQueueSize ?? defaults.maxQueueSize, 0),
    failoverAfterMs: wholeNumber('failoverAfterMs', options.failoverAfterMs ?? defaults.failoverAfterMs, 0),
    noNodeAfterMs: wholeNumber('noNodeAfterMs', options.noNodeAfterMs ?? defaults.noNodeAfterMs, 0),
    retryAfterMs: wholeNumber('retryAfterMs', options.retryAfterMs ?? 1_000, 0, limits.maxRetryAfterMs),
    encoding: options.encoding ?? 'json',
    inspect: resolveInspect(options, host),
  };
}

function resolveInspect({ inspect, token, verify }: HubOptions, host: string): InspectOptions | 'off' {
  if (inspect === false) return 'off';
  if (inspect === undefined && !isLoopback(host) && token === undefined && verify !== undefined) return 'off';
  const options = inspect === undefined || inspect === true ? {} : inspect;
  if (options.operatorToken === '')
    throw new HoldfastError('option inspect.operatorToken is empty; leave it out or give a secret', {
      code: 'invalid_option',
    });
  if (options.stepsPerSecond !== undefined)
    wholeNumber('inspect.stepsPerSecond', options.stepsPerSecond, 1, 100_000);
  return options;
}
