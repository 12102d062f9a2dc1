// The options of a proxy, their defaults, and what makes them invalid.
// Invariant: options are checked before anything listens, by an error that names option, value and remedy.
import { HoldfastError } from '../../protocol/errors.ts';
import type { Endpoint, PoolOptions } from '../options.ts';
import type { ExchangeRecord } from './record.ts';

/** An upstream: what pools know of endpoints, and where and how it is spoken to. */
export interface ProxyEndpoint extends Omit<Endpoint, 'url' | 'credentials'> {
  /** `https://api.example.com/v1`: requests for `/chat` go to `/v1/chat`. No user, query or fragment. */
  readonly url: string;
  /** Its own key. Then no credentials of clients reach it. @default none: it gets those of the client */
  readonly key?: string | undefined;
  /** The header that carries `key`: in `authorization` it follows the word Bearer. @default 'authorization' */
  readonly keyHeader?: string | undefined;
  /** Set on each request, instead of what the client sent under these names. @default none */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** All are milliseconds. */
export interface ProxyTimeouts {
  /** Until there is a connection. @default 5000 */
  readonly connectMs: number;
  /** From the request's last byte to the answer's first. @default 60000 */
  readonly firstByteMs: number;
  /** Between two bytes of an answer, or of a request. @default 60000 */
  readonly idleMs: number;
  /** Over all attempts, up to the last byte: the request's deadline. @default 600000 */
  readonly totalMs: number;
  /** For a client to send its headers. @default 10000 */
  readonly headersMs: number;
  /** A client's connection without a request is closed after this. @default 65000 */
  readonly keepAliveMs: number;
}

/** All but `connections` are bytes. */
export interface ProxyLimits {
  /** Of a request, and of an answer. @default 16384 */
  readonly headerBytes: number;
  /** Of a request. @default 67108864 */
  readonly bodyBytes: number;
  /** Of one request's body, kept to send it again; of a longer one only an attempt that sent nothing is repeated. @default 1048576 */
  readonly replayBytes: number;
  /** Of all bodies that are kept. @default 268435456 */
  readonly totalReplayBytes: number;
  /** Of clients, at a time. @default 4096 */
  readonly connections: number;
}

/** What tells the session of a request, which stays with its endpoint (`sessionTtlMs`). */
export type Affinity = { readonly header: string } | { readonly cookie: string };

/** What `update` may change while the proxy runs. */
export interface ProxySettings {
  /** At least one. Requests go to these and nowhere else. */
  readonly endpoints: readonly ProxyEndpoint[];
  /** @default see each */
  readonly timeouts?: Partial<ProxyTimeouts> | undefined;
  /** @default none: each request for itself */
  readonly affinity?: Affinity | undefined;
  /**
   * Which requests may reach upstreams twice: `idempotent`, those whose method is (RFC 9110: GET, HEAD, OPTIONS, PUT, DELETE) and
   * those with an `idempotency-key`; `all`, any: right where repeating costs no more than money, as with completions.
   * @default 'idempotent'
   */
  readonly repeat?: 'idempotent' | 'all' | undefined;
  /** A request that may be repeated, and has no answer after this, is sent to a second endpoint, too. @default never */
  readonly hedgeAfterMs?: number | undefined;
  /** Clients must show it: as `Authorization: Bearer`, or as `x-api-key`. Upstreams never see it. @default none is asked for */
  readonly token?: string | undefined;
}

export interface ProxyOptions
  extends ProxySettings, Omit<PoolOptions, 'endpoints' | 'deadlineMs' | keyof ProxySettings> {
  /** @default '127.0.0.1' */
  readonly host?: string | undefined;
  /** 0 chooses a free one. @default 0 */
  readonly port?: number | undefined;
  /** @default see each */
  readonly limits?: Partial<ProxyLimits> | undefined;
  /** How endpoints out of service are proven healthy over HTTP, unless `probe` does it. @default none */
  readonly healthCheck?: HealthCheck | undefined;
  /** Is told of each request when it is over. It holds no header, no body and no key. @default none */
  readonly onRequest?: ((record: ExchangeRecord) => void) | undefined;
  /** How long `drain` waits for requests under way, in milliseconds. @default 30000 */
  readonly drainTimeoutMs?: number | undefined;
}

/** A request that a healthy endpoint answers as told. */
export interface HealthCheck {
  /** Below the endpoint's URL, with its query. @default '/' */
  readonly path?: string | undefined;
  /** @default 'GET', and 'POST' with a body */
  readonly method?: string | undefined;
  /** Sent as JSON: a tiny completion proves more than a page. @default none */
  readonly body?: unknown;
  /** Further headers, over those of the endpoint. @default none */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** @default any from 200 to 299 */
  readonly status?: number | readonly number[] | undefined;
  /** What the body must contain: a text, or anything that the expression matches. @default anything */
  readonly contains?: string | RegExp | undefined;
}

const defaultTimeouts: ProxyTimeouts = {
  connectMs: 5_000,
  firstByteMs: 60_000,
  idleMs: 60_000,
  totalMs: 600_000,
  headersMs: 10_000,
  keepAliveMs: 65_000,
};

const defaultLimits: ProxyLimits = {
  headerBytes: 16_384,
  bodyBytes: 67_108_864,
  replayBytes: 1_048_576,
  totalReplayBytes: 268_435_456,
  connections: 4_096,
};

const MAX_MS = 86_400_000;
const LIMIT_BOUNDS: Readonly<Record<keyof ProxyLimits, readonly [least: number, most: number]>> = {
  headerBytes: [1_024, 1_048_576],
  bodyBytes: [0, 2 ** 40],
  replayBytes: [0, 2 ** 32],
  totalReplayBytes: [0, 2 ** 40],
  connections: [1, 1_000_000],
};
/** A name of a header, a cookie or a method (RFC 9110, section 5.6.2). */
export const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** What may stand in a header's value. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

export function invalidOption(name: string, value: unknown, remedy: string): HoldfastError {
  return new HoldfastError(`option ${name} is ${String(value)}; ${remedy}`, { code: 'invalid_option' });
}

export function checkWhole(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw invalidOption(name, value, `it must be a whole number from ${least} to ${most}`);
}

/** @throws HoldfastError `invalid_option` */
export function checkToken(name: string, value: unknown): string {
  if (typeof value === 'string' && TOKEN.test(value)) return value;
  throw invalidOption(name, JSON.stringify(value), 'give a name of letters, digits and -');
}

/** Its value is not told: it may be a key. @throws HoldfastError `invalid_option` */
export function checkFieldValue(name: string, value: unknown): string {
  if (typeof value === 'string' && FIELD_VALUE.test(value)) return value;
  throw new HoldfastError(`option ${name} has characters that no header may have; look for line ends`, {
    code: 'invalid_option',
  });
}

/** @throws HoldfastError `invalid_option` */
export function resolveTimeouts(given: Partial<ProxyTimeouts> = {}): ProxyTimeouts {
  const resolved = { ...defaultTimeouts } as Record<keyof ProxyTimeouts, number>;
  for (const name of Object.keys(defaultTimeouts) as (keyof ProxyTimeouts)[])
    resolved[name] = checkWhole(`timeouts.${name}`, given[name] ?? defaultTimeouts[name], 1, MAX_MS);
  return resolved;
}

/** @throws HoldfastError `invalid_option` */
export function resolveLimits(given: Partial<ProxyLimits> = {}): ProxyLimits {
  const resolved = { ...defaultLimits } as Record<keyof ProxyLimits, number>;
  for (const name of Object.keys(defaultLimits) as (keyof ProxyLimits)[])
    resolved[name] = checkWhole(`limits.${name}`, given[name] ?? defaultLimits[name], ...LIMIT_BOUNDS[name]);
  return resolved;
}
