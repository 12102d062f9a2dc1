// The options of a pool of endpoints, their defaults, and what makes them invalid.
// Invariant: options are checked once, when the pool is made, by an error that names option, value and remedy.
import type { TransitionSink } from '../engine/transition-record.ts';
import { HoldfastError } from '../protocol/errors.ts';
import type { Log } from '../ports.ts';
import type { Store } from '../store/contract.ts';
import type { ClassificationOptions } from './classify.ts';

/** One endpoint, as its owner describes it. */
export interface Endpoint {
  /** Unique in its pool. Its place in the failure queue is kept under it. */
  readonly id: string;
  /** Handed through to whoever sends: a pool does not look at it. */
  readonly url?: string | undefined;
  /** Its share under `weighted`. @default 1 */
  readonly weight?: number | undefined;
  /** Under `priority`: the lowest number that serves gets all. @default 0 */
  readonly priority?: number | undefined;
  /**
   * Whose key requests carry. Refused credentials of the endpoint's own make it the last choice for `credentialRetryMs`;
   * those of clients never do, or one client with a wrong key could move all the others. @default 'client'
   */
  readonly credentials?: 'own' | 'client' | undefined;
}

/**
 * - `priority`: the endpoint with the lowest priority number, in turn where several have it; back to it as soon as it serves.
 * - `weighted`: in turn, each by its weight (earliest virtual deadline first).
 * - `roundRobin`: in turn.
 * - `leastInFlight`: the one with the fewest attempts under way.
 * - `latency`: the one that answers soonest, by its moving average and what it has under way.
 * - `random`: any.
 */
export type Selection = 'priority' | 'weighted' | 'roundRobin' | 'leastInFlight' | 'latency' | 'random';

export const selections = [
  'priority',
  'weighted',
  'roundRobin',
  'leastInFlight',
  'latency',
  'random',
] as const satisfies readonly Selection[];

/** All durations are milliseconds. */
export interface PoolSettings {
  /** Failures in a row that eject an endpoint. @default 5 */
  readonly consecutiveFailures: number;
  /** Part of the attempts within `failureWindowMs` that must fail to eject it. @default 0.5 */
  readonly failureRate: number;
  /** @default 60000 */
  readonly failureWindowMs: number;
  /** Attempts within the window below which the rate says nothing. @default 20 */
  readonly minimumVolume: number;
  /** Out of service after the n-th ejection: n times this. @default 30000 */
  readonly ejectionMs: number;
  /** No ejection is longer, except one that `Retry-After` asks for; one is forgiven for each such time in service. @default 300000 */
  readonly maxEjectionMs: number;
  /** No `Retry-After` is taken for longer. @default 3600000 */
  readonly maxRetryAfterMs: number;
  /** Endpoints that may be out at a time; at least one may, unless it is 0. @default 100 */
  readonly maxEjectedPercent: number;
  /** @default 10000 */
  readonly probeTimeoutMs: number;
  /** Between two probes of which each must succeed. @default 1000 */
  readonly probeIntervalMs: number;
  /** Probes in a row that must succeed before an endpoint serves again. @default 2 */
  readonly rise: number;
  /** Endpoints that are probed at a time; each of them has one probe at a time. @default 4 */
  readonly maxProbes: number;
  /** Verifications that may fail before an endpoint stays in the queue until an operator decides; 0 = any number. @default 0 */
  readonly maxVerifications: number;
  /** @default 60000 */
  readonly credentialRetryMs: number;
  /** A session stays with its endpoint for so long after its last request. @default 18000000 (5 h) */
  readonly sessionTtlMs: number;
  /** Sessions that are remembered; the one that was longest without a request goes first. @default 100000 */
  readonly maxSessions: number;
  /** Attempts of one request, the first included. @default 3 */
  readonly maxAttempts: number;
  /** Over all attempts of one request. @default 300000 */
  readonly deadlineMs: number;
  /** Part of the requests of the last ten seconds that may be retried. @default 0.2 */
  readonly retryBudget: number;
  /** Retries in each second that are allowed in any case. @default 3 */
  readonly minRetriesPerSecond: number;
}

const defaultSettings: PoolSettings = {
  consecutiveFailures: 5,
  failureRate: 0.5,
  failureWindowMs: 60_000,
  minimumVolume: 20,
  ejectionMs: 30_000,
  maxEjectionMs: 300_000,
  maxRetryAfterMs: 3_600_000,
  maxEjectedPercent: 100,
  probeTimeoutMs: 10_000,
  probeIntervalMs: 1_000,
  rise: 2,
  maxProbes: 4,
  maxVerifications: 0,
  credentialRetryMs: 60_000,
  sessionTtlMs: 5 * 3_600_000,
  maxSessions: 100_000,
  maxAttempts: 3,
  deadlineMs: 300_000,
  retryBudget: 0.2,
  minRetriesPerSecond: 3,
};

/** Smallest and largest value; those of parts need not be whole numbers. */
const BOUNDS: Readonly<Record<keyof PoolSettings, readonly [least: number, most: number]>> = {
  consecutiveFailures: [1, 1_000],
  failureRate: [0, 1],
  failureWindowMs: [10, 86_400_000],
  minimumVolume: [1, 1_000_000_000],
  ejectionMs: [1, 86_400_000],
  maxEjectionMs: [1, 86_400_000],
  maxRetryAfterMs: [0, 86_400_000],
  maxEjectedPercent: [0, 100],
  probeTimeoutMs: [1, 3_600_000],
  probeIntervalMs: [0, 3_600_000],
  rise: [1, 100],
  maxProbes: [1, 1_000],
  maxVerifications: [0, 1_000],
  credentialRetryMs: [0, 86_400_000],
  sessionTtlMs: [1, 30 * 86_400_000],
  maxSessions: [1, 10_000_000],
  maxAttempts: [1, 100],
  deadlineMs: [1, 86_400_000],
  retryBudget: [0, 1],
  minRetriesPerSecond: [0, 1_000_000],
};
const PARTS: readonly (keyof PoolSettings)[] = ['failureRate', 'retryBudget'];

/** Resolves when the endpoint is healthy, rejects when it is not. `signal` is aborted at the probe's deadline. */
export type Probe = (endpoint: Endpoint, signal: AbortSignal) => Promise<void>;

export interface PoolOptions extends Partial<PoolSettings> {
  /** At least one; at most 4096. */
  readonly endpoints: readonly Endpoint[];
  /** Under which its failure queue is kept in the store. @default 'default' */
  readonly name?: string | undefined;
  /** @default 'priority' */
  readonly selection?: Selection | undefined;
  /** @default none: an endpoint serves again when its time is over */
  readonly probe?: Probe | undefined;
  /** Which statuses are whose fault. */
  readonly classification?: ClassificationOptions | undefined;
  /** Keeps the failure queue across restarts. One process has a pool of one name at a time. @default none: it starts empty */
  readonly store?: Store | undefined;
  /** Is given every transition of every machine, for `holdfast conform`. @default none */
  readonly transitions?: TransitionSink | undefined;
  /** @default warnings and errors, on standard error */
  readonly log?: Log | undefined;
}

export const MAX_ENDPOINTS = 4_096;
const MAX_ID_LENGTH = 1_024;

function invalid(name: string, value: unknown, remedy: string): HoldfastError {
  return new HoldfastError(`option ${name} is ${String(value)}; ${remedy}`, { code: 'invalid_option' });
}

/** Defaults, then what was given. @throws HoldfastError `invalid_option` */
export function resolveSettings(options: Partial<PoolSettings>): PoolSettings {
  const resolved = { ...defaultSettings } as Record<keyof PoolSettings, number>;
  for (const name of Object.keys(defaultSettings) as (keyof PoolSettings)[]) {
    const value = options[name] ?? defaultSettings[name];
    const [least, most] = BOUNDS[name];
    const isWhole = PARTS.includes(name);
    const what = isWhole ? 'a number' : 'a whole number';
    if (!(isWhole ? Number.isFinite(value) : Number.isInteger(value)) || value < least || value > most)
      throw invalid(name, value, `it must be ${what} from ${least} to ${most}`);
    resolved[name] = value;
  }
  if (resolved.maxEjectionMs < resolved.ejectionMs)
    throw invalid(
      'maxEjectionMs',
      resolved.maxEjectionMs,
      `it must be at least ejectionMs (${resolved.ejectionMs})`,
    );
  return resolved;
}

/** @throws HoldfastError `invalid_option` */
export function checkSelection(selection: Selection = 'priority'): Selection {
  if (selections.includes(selection)) return selection;
  throw invalid('selection', JSON.stringify(selection), `choose one of ${selections.join(', ')}`);
}

/** @throws HoldfastError `invalid_option` */
export function checkEndpoints(endpoints: readonly Endpoint[]): void {
  if (endpoints.length < 1 || endpoints.length > MAX_ENDPOINTS)
    throw invalid('endpoints', `a list of ${endpoints.length}`, `give 1 to ${MAX_ENDPOINTS} of them`);
  const ids = new Set<string>();
  for (const { id, weight = 1, priority = 0, credentials = 'client' } of endpoints) {
    if (typeof id !== 'string' || id === '' || id.length > MAX_ID_LENGTH)
      throw invalid('endpoints: id', JSON.stringify(id), `give a text of 1 to ${MAX_ID_LENGTH} characters`);
    if (ids.has(id)) throw invalid('endpoints: id', JSON.stringify(id), 'another endpoint has it already');
    ids.add(id);
    if (!Number.isFinite(weight) || weight <= 0 || weight > 1_000_000)
      throw invalid(`weight of ${id}`, weight, 'it must be a number above 0, up to 1000000');
    if (!Number.isSafeInteger(priority))
      throw invalid(`priority of ${id}`, priority, 'it must be a whole number');
    if (credentials !== 'own' && credentials !== 'client')
      throw invalid(`credentials of ${id}`, JSON.stringify(credentials), "choose 'own' or 'client'");
  }
}
