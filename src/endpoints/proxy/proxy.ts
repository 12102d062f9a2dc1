// A reverse proxy over a pool of endpoints: each request goes to one that serves, and to another when that one fails.
// Invariant: requests go to the endpoints of its options and to nothing else; each has one answer, or is seen to have none.
import type {
  Clock,
  HeaderList,
  HttpListener,
  Listening,
  Log,
  Random,
  Upstream,
  WallClock,
} from '../../ports.ts';
import { isLoopback } from '../../protocol/loopback.ts';
import { createClassifier, type VerdictKind } from '../classify.ts';
import { openPool, type Pool, type PoolStatus } from '../pool.ts';
import { errorAnswer, type ProxyError } from './errors.ts';
import { httpProbe } from './health-check.ts';
import type { LiveSettings, ProxyHome, Stoppable } from './home.ts';
import {
  checkFieldValue,
  checkToken,
  checkWhole,
  invalidOption,
  resolveLimits,
  resolveTimeouts,
  type ProxyLimits,
  type ProxyOptions,
  type ProxySettings,
} from './options.ts';
import { ProxiedRequest } from './proxied-request.ts';
import type { ExchangeOutcome, ExchangeRecord } from './record.ts';
import type { ReplayRoom } from './replay-body.ts';
import { Kennel } from './watchdog.ts';
import { targetOf, type Target } from './target.ts';

export interface ProxyPorts {
  readonly clock: Clock;
  readonly wallClock: WallClock;
  readonly random: Random;
  readonly log: Log;
  readonly listener: HttpListener;
  upstream(options: { readonly maxHeaderBytes: number; readonly connectTimeoutMs: number }): Upstream;
}

export interface ProxyStatus {
  readonly state: 'serving' | 'draining' | 'stopped';
  readonly url: string;
  /** Requests that began, those under way, and how the others ended. */
  readonly requests: number;
  readonly active: number;
  readonly outcomes: Readonly<Record<ExchangeOutcome, number>>;
  /** Bytes of requests' bodies that are kept to be sent again. */
  readonly replayBytes: number;
  readonly pool: PoolStatus;
}

export interface Proxy extends AsyncDisposable {
  /** `http://127.0.0.1:4000` */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Its endpoints, their health, and the failure queue. */
  readonly pool: Pool;
  status(): ProxyStatus;
  /**
   * Changes what is named, for requests that begin from now on; what is left out stays, what is `undefined` becomes its default.
   * An endpoint whose id stays keeps its health. @throws HoldfastError `invalid_option`; nothing has changed then
   */
  update(settings: Partial<ProxySettings>): void;
  /** Takes no new connections, waits for requests under way, up to `drainTimeoutMs`, and stops. Twice is as once. */
  drain(timeoutMs?: number): Promise<void>;
  /** Ends requests under way at once: those without an answer get an error, the answers of others are cut. */
  stop(): Promise<void>;
  /** Resolves when it has stopped. */
  readonly stopped: Promise<void>;
}

/** @throws HoldfastError `invalid_option`; of the store; an error of the system when the port is taken */
export async function openProxy(options: ProxyOptions, ports: ProxyPorts): Promise<Proxy> {
  const limits = resolveLimits(options.limits);
  const settings = resolveSettings(options);
  const targets = targetsOf(options.endpoints);
  const { host = '127.0.0.1' } = options;
  checkExposure(host, options);
  const port = checkWhole('port', options.port ?? 0, 0, 65_535);
  checkWhole('drainTimeoutMs', options.drainTimeoutMs ?? DRAIN_MS, 0, 86_400_000);
  const upstream = ports.upstream({
    maxHeaderBytes: limits.headerBytes,
    connectTimeoutMs: settings.timeouts.connectMs + 1_000,
  });
  const { healthCheck, probe = healthCheck && httpProbe(healthCheck, upstream) } = options;
  const pool = await openPool({ ...options, probe, endpoints: targets }, ports);
  const proxy = new RunningProxy({ options, limits, settings, pool, upstream, ports });
  try {
    await proxy.listen(port);
  } catch (error) {
    await proxy.stop();
    throw error;
  }
  return proxy;
}

const DRAIN_MS = 30_000;

function targetsOf(endpoints: ProxyOptions['endpoints']): Target[] {
  if (!Array.isArray(endpoints)) throw invalidOption('endpoints', endpoints, 'give a list of { id, url }');
  return endpoints.map((endpoint) => targetOf(endpoint));
}

/** Whoever can reach a proxy with keys of its own spends on them. @throws HoldfastError `invalid_option` */
function checkExposure(host: string, { endpoints, token }: ProxySettings): void {
  const keyed = endpoints.find(({ key }) => key !== undefined);
  if (keyed === undefined || token !== undefined || isLoopback(host)) return;
  const remedy = `endpoint ${keyed.id} has a key that anybody could use then; give a token, or listen on 127.0.0.1`;
  throw invalidOption('host', host, remedy);
}

/** @throws HoldfastError `invalid_option` */
function resolveSettings(given: Omit<ProxySettings, 'endpoints'>): LiveSettings {
  const { affinity, repeat = 'idempotent', hedgeAfterMs, token } = given;
  if (repeat !== 'idempotent' && repeat !== 'all')
    throw invalidOption('repeat', JSON.stringify(repeat), "choose 'idempotent' or 'all'");
  if (affinity !== undefined)
    checkToken('affinity', 'header' in affinity ? affinity.header : affinity.cookie);
  if (hedgeAfterMs !== undefined) checkWhole('hedgeAfterMs', hedgeAfterMs, 1, 86_400_000);
  if (token === '') throw invalidOption('token', 'empty', 'give the token, or leave it out');
  return {
    timeouts: resolveTimeouts(given.timeouts),
    affinity,
    repeat,
    hedgeAfterMs,
    token: token === undefined ? undefined : checkFieldValue('token', token),
  };
}

interface Given {
  readonly options: ProxyOptions;
  readonly limits: ProxyLimits;
  readonly settings: LiveSettings;
  readonly pool: Pool;
  readonly upstream: Upstream;
  readonly ports: ProxyPorts;
}

class RunningProxy implements Proxy, ProxyHome {
  readonly clock: Clock;
  readonly log: Log;
  readonly pool: Pool;
  readonly upstream: Upstream;
  readonly limits: ProxyLimits;
  readonly room: ReplayRoom;
  readonly kennel: Kennel;
  readonly pseudonym: string;
  readonly via: HeaderList;
  readonly stopped: Promise<void>;
  readonly #ports: ProxyPorts;
  readonly #onRequest: ((record: ExchangeRecord) => void) | undefined;
  readonly #classify: (status: number) => VerdictKind;
  readonly #drainTimeoutMs: number;
  readonly #active = new Set<Stoppable>();
  readonly #outcomes = { answered: 0, cut: 0, failed: 0, refused: 0, cancelled: 0 };
  #given: ProxySettings;
  #settings: LiveSettings;
  readonly #host: string;
  #listening: Listening | undefined;
  #state: 'serving' | 'draining' | 'stopped' = 'serving';
  #requests = 0;
  #records = 0;
  #idle: (() => void) | undefined;
  #stopping: Promise<void> | undefined;
  #resolveStopped: () => void = () => {};

  constructor({ options, limits, settings, pool, upstream, ports }: Given) {
    this.clock = ports.clock;
    this.log = ports.log;
    this.pool = pool;
    this.upstream = upstream;
    this.limits = limits;
    this.room = { left: limits.totalReplayBytes };
    this.kennel = new Kennel(ports.clock);
    this.pseudonym = `holdfast-${ports.random.id().slice(0, 8)}`;
    this.via = ['via', `1.1 ${this.pseudonym}`];
    this.#ports = ports;
    this.#onRequest = options.onRequest;
    this.#classify = createClassifier(options.classification);
    this.#drainTimeoutMs = options.drainTimeoutMs ?? DRAIN_MS;
    this.#given = options;
    this.#host = options.host ?? '127.0.0.1';
    this.#settings = settings;
    this.stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve;
    });
  }

  async listen(port: number): Promise<void> {
    const { timeouts } = this.#settings;
    this.#listening = await this.#ports.listener.listen({
      host: this.#host,
      port,
      maxHeaderBytes: this.limits.headerBytes,
      maxConnections: this.limits.connections,
      headersTimeoutMs: timeouts.headersMs,
      keepAliveMs: timeouts.keepAliveMs,
      exchange: (exchange) => {
        this.#requests += 1;
        const request = new ProxiedRequest(this, exchange);
        this.#active.add(request);
        request.begin();
      },
      refuse: (problem) => {
        this.#requests += 1;
        this.#outcomes.refused += 1;
        return errorAnswer(REFUSALS[problem]);
      },
    });
  }

  get url(): string {
    return this.#listening?.url ?? '';
  }

  get host(): string {
    return this.#listening?.host ?? '';
  }

  get port(): number {
    return this.#listening?.port ?? 0;
  }

  get settings(): LiveSettings {
    return this.#settings;
  }

  get isServing(): boolean {
    return this.#state === 'serving';
  }

  get isWatched(): boolean {
    return this.#onRequest !== undefined;
  }

  status(): ProxyStatus {
    return {
      state: this.#state,
      url: this.url,
      requests: this.#requests,
      active: this.#active.size,
      outcomes: { ...this.#outcomes },
      replayBytes: this.limits.totalReplayBytes - this.room.left,
      pool: this.pool.status(),
    };
  }

  update(settings: Partial<ProxySettings>): void {
    const { endpoints = this.#given.endpoints } = settings;
    const given = { ...this.#given, ...settings, endpoints };
    const resolved = resolveSettings(given);
    const targets = targetsOf(endpoints);
    checkExposure(this.#host, given);
    if (settings.endpoints !== undefined) {
      this.pool.update(targets);
      this.upstream.keepOnly(new Set(targets.map(({ origin }) => origin)));
    }
    this.#given = given;
    this.#settings = resolved;
  }

  async drain(timeoutMs = this.#drainTimeoutMs): Promise<void> {
    checkWhole('timeoutMs', timeoutMs, 0, 86_400_000);
    if (this.#state !== 'serving') return this.stopped;
    this.#state = 'draining';
    this.#listening?.stopAccepting();
    if (this.#active.size > 0) {
      this.log.info(
        { active: this.#active.size },
        `the proxy waits for ${this.#active.size} requests, then stops`,
      );
      await new Promise<void>((resolve) => {
        const timer = this.clock.setTimer(resolve, timeoutMs);
        this.#idle = () => {
          this.clock.clearTimer(timer);
          resolve();
        };
      });
    }
    return this.stop();
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  classify(status: number): VerdictKind {
    return this.#classify(status);
  }

  nextId(): string {
    this.#records += 1;
    return `${this.pseudonym.slice(-8)}-${this.#records}`;
  }

  over(request: Stoppable, outcome: ExchangeOutcome, record: (() => ExchangeRecord) | undefined): void {
    if (!this.#active.delete(request)) return;
    this.#outcomes[outcome] += 1;
    if (record !== undefined) this.#tell(record());
    if (this.#active.size === 0) this.#idle?.();
  }

  /** Whoever listens may fail; the request has its answer all the same. */
  #tell(record: ExchangeRecord): void {
    try {
      this.#onRequest?.(record);
    } catch (error) {
      this.log.error({ error: String(error) }, `onRequest failed: ${String(error)}`);
    }
  }

  async #stop(): Promise<void> {
    this.#state = 'draining';
    this.#listening?.stopAccepting();
    for (const request of [...this.#active]) request.stop();
    this.#idle?.();
    this.kennel.close();
    await this.#listening?.close();
    await this.upstream.close();
    await this.pool.close();
    this.#state = 'stopped';
    this.#resolveStopped();
  }
}

const REFUSALS: Readonly<Record<'malformed' | 'headers_too_large' | 'too_slow' | 'tunnel', ProxyError>> = {
  malformed: {
    code: 'malformed_request',
    message: 'this is no HTTP/1.1 request that can be read in one way only',
  },
  headers_too_large: {
    code: 'headers_too_large',
    message: 'the headers are too long; see limits.headerBytes',
  },
  too_slow: { code: 'request_too_slow', message: 'the headers did not come in time; see timeouts.headersMs' },
  tunnel: { code: 'tunnel_refused', message: 'this is a reverse proxy: it opens no tunnels' },
};
