// What the end of an attempt says: of the endpoint, of the client, or of the credentials.
// Invariant: every end has exactly one kind; only `failure` speaks against the endpoint.
import { HoldfastError } from '../protocol/errors.ts';

/**
 * - `success`: it answered as it should.
 * - `failure`: the endpoint's fault; it counts towards its ejection.
 * - `client`: the request's fault: any endpoint would refuse it.
 * - `credentials`: the key was refused; another endpoint may have a better one.
 * - `abandoned`: nobody waited for the end, so it says nothing.
 */
export type VerdictKind = 'success' | 'failure' | 'client' | 'credentials' | 'abandoned';

/** Ends without a status. All but `cancelled` are failures of the endpoint. */
export type TransportFault =
  | 'connect_failed'
  | 'connect_timeout'
  | 'first_byte_timeout'
  | 'idle_timeout'
  | 'total_timeout'
  | 'broken_body'
  | 'unexpected_answer'
  | 'failed_stream'
  | 'failed'
  | 'cancelled';

/** Statuses by class (`5xx`) or one by one; what names a status alone goes before what names its class. */
export type StatusRule = number | `${1 | 2 | 3 | 4 | 5}xx`;

export interface ClassificationOptions {
  /** @default ['5xx', 408, 429] */
  readonly failure?: readonly StatusRule[] | undefined;
  /** @default ['4xx'] */
  readonly client?: readonly StatusRule[] | undefined;
  /** @default [401, 403] */
  readonly credentials?: readonly StatusRule[] | undefined;
  /** @default ['1xx', '2xx', '3xx'] */
  readonly success?: readonly StatusRule[] | undefined;
}

const defaultRules = {
  success: ['1xx', '2xx', '3xx'],
  client: ['4xx'],
  failure: ['5xx', 408, 429],
  credentials: [401, 403],
} as const satisfies ClassificationOptions;

type Answered = Exclude<VerdictKind, 'abandoned'>;

const KINDS: readonly Answered[] = ['success', 'client', 'failure', 'credentials'];

/** @throws HoldfastError `invalid_option` for what is no status, and for a status with two kinds */
export function createClassifier(options: ClassificationOptions = {}): (status: number) => Answered {
  const classes = new Map<number, Answered>();
  const single = new Map<number, Answered>();
  for (const rules of [defaultRules, options]) {
    const own = new Map<StatusRule, Answered>();
    for (const kind of KINDS)
      for (const rule of rules[kind] ?? []) {
        const before = own.get(rule);
        if (before !== undefined) throw invalid(rule, `is a ${before} and a ${kind}; choose one`);
        own.set(rule, kind);
        if (typeof rule === 'string') classes.set(classOf(rule), kind);
        else if (Number.isInteger(rule) && rule >= 100 && rule <= 599) single.set(rule, kind);
        else throw invalid(rule, 'is no status; give 100 to 599, or a class such as 5xx');
        // Whoever names a class means all of it, whatever the defaults say of some.
        if (rules === options && typeof rule === 'string')
          for (const status of single.keys())
            if (!own.has(status) && Math.floor(status / 100) === classOf(rule)) single.delete(status);
      }
  }
  // A status that HTTP does not know is no answer.
  return (status) => single.get(status) ?? classes.get(Math.floor(status / 100)) ?? 'failure';
}

function classOf(rule: string): number {
  if (!/^[1-5]xx$/.test(rule)) throw invalid(rule, 'is no class of statuses; give 1xx to 5xx');
  return Number(rule[0]);
}

function invalid(rule: number | string, problem: string): HoldfastError {
  return new HoldfastError(`classification: ${rule} ${problem}`, { code: 'invalid_option' });
}
