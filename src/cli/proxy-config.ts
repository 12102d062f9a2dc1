// What the file of `holdfast proxy --config` may say, and what its `--endpoint` flags say in the same words.
// Invariant: nothing that the schema does not name is accepted, and no key stands in the file.
import { z } from 'zod';
import { selections, type PoolSettings, type ProxyLimits, type ProxyTimeouts } from '../index.ts';
import type { Misplaced } from './config-file.ts';

const text = (remedy: string): z.ZodString => z.string(remedy).min(1, remedy);
const number = (): z.ZodOptional<z.ZodNumber> => z.number('it must be a number').optional();
const ms = (): z.ZodOptional<z.ZodNumber> => z.number('it must be a number of milliseconds').optional();
const texts = z.record(
  z.string(),
  z.string('it must be a text'),
  'it must be an object, such as { "x-team": "search" }',
);

const NO_ENDPOINT =
  'it must be a list, such as [{ "url": "https://api.example.com", "keyEnv": "EXAMPLE_KEY" }]';

function urlProblem(value: string): string | undefined {
  const address = URL.canParse(value) ? new URL(value) : undefined;
  if (address === undefined || !/^https?:$/.test(address.protocol))
    return 'it must begin with https:// or http://, such as https://api.example.com';
  if (address.username !== '' || address.password !== '')
    return 'leave out user and password; a key comes from the environment ("keyEnv") or from a file ("keyFile")';
  if (address.search !== '' || address.hash !== '')
    return 'leave out what begins with ? or #: requests bring their own';
  return undefined;
}

const endpoint = z.strictObject(
  {
    id: text('give it a name that no other endpoint has').optional(),
    url: text('give the address of the API, such as https://api.example.com').superRefine(
      (value, context) => {
        const message = urlProblem(value);
        if (message !== undefined) context.addIssue({ code: 'custom', message });
      },
    ),
    weight: z.number('it must be a number above 0').positive('it must be a number above 0').optional(),
    priority: z.int('it must be a whole number; the lowest serves first').optional(),
    keyEnv: text('name the environment variable that holds the key').optional(),
    keyFile: text('name the file that holds the key').optional(),
    keyHeader: text('name the header that carries the key, such as x-api-key').optional(),
    headers: texts.optional(),
  },
  'it must be an object, such as { "url": "https://api.example.com" }',
);

const settings = {
  consecutiveFailures: number(),
  failureRate: number(),
  failureWindowMs: ms(),
  minimumVolume: number(),
  ejectionMs: ms(),
  maxEjectionMs: ms(),
  maxRetryAfterMs: ms(),
  maxEjectedPercent: number(),
  probeTimeoutMs: ms(),
  probeIntervalMs: ms(),
  rise: number(),
  maxProbes: number(),
  maxVerifications: number(),
  credentialRetryMs: ms(),
  sessionTtlMs: ms(),
  maxSessions: number(),
  maxAttempts: number(),
  retryBudget: number(),
  minRetriesPerSecond: number(),
} as const satisfies Record<Exclude<keyof PoolSettings, 'deadlineMs'>, z.ZodType>;

const timeouts = {
  connectMs: ms(),
  firstByteMs: ms(),
  idleMs: ms(),
  totalMs: ms(),
  headersMs: ms(),
  keepAliveMs: ms(),
} as const satisfies Record<keyof ProxyTimeouts, z.ZodType>;

const limits = {
  headerBytes: number(),
  bodyBytes: number(),
  replayBytes: number(),
  totalReplayBytes: number(),
  connections: number(),
} as const satisfies Record<keyof ProxyLimits, z.ZodType>;

const AFFINITY = 'say what tells a session: { "header": "x-session" } or { "cookie": "session" }';
const affinity = z.union(
  [z.strictObject({ header: text(AFFINITY) }), z.strictObject({ cookie: text(AFFINITY) })],
  AFFINITY,
);

const STATUS = 'give statuses, such as 200 or [200, 204]';
const healthCheck = z.strictObject(
  {
    path: text('give a path below the endpoint’s address, such as /health').optional(),
    method: text('name a method, such as GET').optional(),
    body: z.unknown().optional(),
    headers: texts.optional(),
    status: z.union([z.int(), z.array(z.int())], STATUS).optional(),
    contains: text('give a text that the answer must contain').optional(),
  },
  'it must be an object, such as { "path": "/health" }',
);

const RULES = 'give a list of statuses and classes, such as [429, "5xx"]';
const rules = z
  .array(z.union([z.int(), z.enum(['1xx', '2xx', '3xx', '4xx', '5xx'])], RULES), RULES)
  .optional();

export const proxyConfig = z.strictObject(
  {
    endpoints: z.array(endpoint, NO_ENDPOINT).min(1, NO_ENDPOINT),
    name: text('give the failure queue a name').optional(),
    selection: z.enum(selections, `choose one of ${selections.join(', ')}`).optional(),
    affinity: affinity.optional(),
    repeat: z.enum(['idempotent', 'all'], 'choose idempotent or all').optional(),
    hedgeAfterMs: ms(),
    timeouts: z.strictObject(timeouts, 'it must be an object, such as { "idleMs": 30000 }').optional(),
    limits: z.strictObject(limits, 'it must be an object, such as { "bodyBytes": 1048576 }').optional(),
    healthCheck: healthCheck.optional(),
    classification: z
      .strictObject(
        { success: rules, client: rules, failure: rules, credentials: rules },
        'it must be an object, such as { "failure": ["5xx", 429] }',
      )
      .optional(),
    ...settings,
  },
  'the file must hold an object, such as { "endpoints": [{ "url": "https://api.example.com" }] }',
);

export type ProxyConfig = z.infer<typeof proxyConfig>;
export type EndpointConfig = ProxyConfig['endpoints'][number];

const KEY = 'keys do not stand here: name an environment variable with "keyEnv", or a file with "keyFile"';

/** What people look for in the file, and where it is. */
export const misplaced: Misplaced = {
  key: KEY,
  apiKey: KEY,
  host: 'it is the flag --host',
  port: 'it is the flag --port',
  store: 'it is the flag --store, or HOLDFAST_STORE',
  token: 'it is the flag --token, or HOLDFAST_PROXY_TOKEN',
  deadlineMs: 'a request’s time in all is "totalMs" of "timeouts"',
  drainTimeoutMs: 'it is the flag --drain-timeout',
};
