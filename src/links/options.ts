// The options of a link, their defaults and presets, and what makes them invalid.
// Invariant: options are checked once, when a thing is made, by an error that names option, value and remedy.
import { HoldfastError } from '../protocol/errors.ts';
import { defaults, limits } from '../protocol/limits.ts';

export type Preset = 'development' | 'highAvailability' | 'unstableNetwork' | 'production';

/** How a link proves life, fails and comes back. All durations are milliseconds. */
export interface LinkTimes {
  /** Upper end of the first wait before a reconnect; doubles with each failure. @default 2000 */
  reconnectIntervalMs: number;
  /** No wait is longer, unless the hub asks for more. @default 60000 */
  reconnectMaxMs: number;
  /** Reconnects in a row before the link is `failed`; 0 = for ever. @default 10 */
  maxRetryAttempts: number;
  /** Silence after which the hub is asked for a sign of life. @default 5000 */
  heartbeatIntervalMs: number;
  /** Silence after which the link is given up. @default 15000 */
  heartbeatTimeoutMs: number;
  /** Between two confirmations of session and function registry. @default 30000 */
  healthCheckIntervalMs: number;
  /** For dial, handshake and registration together. @default 10000 */
  connectionTimeoutMs: number;
  /** Connected for this long, the count of attempts starts over. @default 10000 */
  stableAfterMs: number;
  /** How long a stop waits for what is in flight. @default 30000 */
  drainTimeoutMs: number;
}

/** Times for a call on a node. */
export interface ExecutionTimes {
  /** A call without a deadline of its own may take this long. @default 300000 */
  executionTimeoutMs: number;
}

export const presets: Readonly<
  Record<Preset, Partial<LinkTimes & ExecutionTimes & { sessionGraceMs: number }>>
> = {
  development: {
    reconnectIntervalMs: 1_000,
    maxRetryAttempts: 5,
    heartbeatIntervalMs: 3_000,
    heartbeatTimeoutMs: 10_000,
  },
  highAvailability: {
    reconnectIntervalMs: 1_000,
    maxRetryAttempts: 20,
    heartbeatIntervalMs: 2_000,
    heartbeatTimeoutMs: 8_000,
    healthCheckIntervalMs: 10_000,
    connectionTimeoutMs: 5_000,
    executionTimeoutMs: 120_000,
  },
  unstableNetwork: {
    reconnectIntervalMs: 5_000,
    maxRetryAttempts: 50,
    heartbeatIntervalMs: 10_000,
    heartbeatTimeoutMs: 30_000,
    healthCheckIntervalMs: 60_000,
    connectionTimeoutMs: 20_000,
    stableAfterMs: 30_000,
    sessionGraceMs: 300_000,
  },
  production: {
    reconnectIntervalMs: 5_000,
    maxRetryAttempts: 20,
    heartbeatIntervalMs: 10_000,
    heartbeatTimeoutMs: 30_000,
    healthCheckIntervalMs: 60_000,
  },
};

const linkDefaults: LinkTimes & ExecutionTimes = {
  reconnectIntervalMs: defaults.reconnectIntervalMs,
  reconnectMaxMs: defaults.reconnectMaxMs,
  maxRetryAttempts: defaults.maxRetryAttempts,
  heartbeatIntervalMs: defaults.heartbeatIntervalMs,
  heartbeatTimeoutMs: defaults.heartbeatTimeoutMs,
  healthCheckIntervalMs: defaults.healthCheckIntervalMs,
  connectionTimeoutMs: defaults.connectionTimeoutMs,
  stableAfterMs: defaults.stableAfterMs,
  drainTimeoutMs: defaults.drainTimeoutMs,
  executionTimeoutMs: defaults.executionTimeoutMs,
};

function invalid(name: string, value: unknown, remedy: string): HoldfastError {
  return new HoldfastError(`option ${name} is ${String(value)}; ${remedy}`, { code: 'invalid_option' });
}

/** @throws HoldfastError `invalid_option` unless `value` is a whole number of at least `least` */
export function wholeNumber(
  name: string,
  value: number,
  least: number,
  most = Number.MAX_SAFE_INTEGER,
): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw invalid(name, value, `it must be a whole number from ${least} to ${most}`);
}

/** Defaults, then the preset, then what was given. @throws HoldfastError `invalid_option` */
export function resolveTimes(
  given: Partial<LinkTimes & ExecutionTimes>,
  preset?: Preset,
): LinkTimes & ExecutionTimes {
  if (preset !== undefined && !Object.hasOwn(presets, preset)) {
    throw invalid('preset', preset, `choose one of ${Object.keys(presets).join(', ')}`);
  }
  const base: Partial<LinkTimes & ExecutionTimes> = preset === undefined ? {} : presets[preset];
  const resolved = { ...linkDefaults };
  for (const name of Object.keys(linkDefaults) as (keyof typeof linkDefaults)[]) {
    const value = given[name] ?? base[name] ?? linkDefaults[name];
    const most = name.startsWith('heartbeat') ? limits.maxHeartbeatMs : undefined;
    resolved[name] = wholeNumber(name, value, name === 'maxRetryAttempts' ? 0 : 1, most);
  }
  if (resolved.heartbeatTimeoutMs <= resolved.heartbeatIntervalMs) {
    throw invalid(
      'heartbeatTimeoutMs',
      resolved.heartbeatTimeoutMs,
      `it must exceed heartbeatIntervalMs (${resolved.heartbeatIntervalMs}): a link is asked before it is given up`,
    );
  }
  if (resolved.reconnectMaxMs < resolved.reconnectIntervalMs) {
    throw invalid(
      'reconnectMaxMs',
      resolved.reconnectMaxMs,
      `it must be at least reconnectIntervalMs (${resolved.reconnectIntervalMs})`,
    );
  }
  return resolved;
}

/** @throws HoldfastError `invalid_option` unless `url` is a ws: or wss: URL */
export function checkUrl(name: string, url: string): string {
  const ok = /^wss?:\/\/[^\s/]+/.test(url);
  if (!ok) throw invalid(name, JSON.stringify(url), 'it must look like ws://host:port or wss://host:port');
  return url;
}
