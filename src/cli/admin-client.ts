// How commands reach the admin API of a running proxy.
// Invariant: a command that could not reach it says which address it tried, what came of it, and what to do.
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { request as requestOverTls } from 'node:https';
import { Option, type Command } from 'commander';
import {
  HoldfastError,
  type PoolStatus,
  type ProxyStatus,
  type QueueEntry,
  type QueueStatus,
} from '../index.ts';
import { parseUrl } from './arguments.ts';

export const ADMIN_PORT = 7_081;

export interface AdminFlags {
  readonly admin: string;
  readonly adminToken?: string;
}

export function adminTokenFlag(): Option {
  return new Option('--admin-token <secret>', 'secret that the admin API asks for').env(
    'HOLDFAST_ADMIN_TOKEN',
  );
}

export function adminFlag(): Option {
  return new Option('--admin <url>', "address of a running proxy's admin API")
    .env('HOLDFAST_ADMIN')
    .argParser(parseUrl)
    .default(`http://127.0.0.1:${ADMIN_PORT}`);
}

export function addAdminFlags(command: Command): Command {
  return command.addOption(adminFlag()).addOption(adminTokenFlag());
}

/** What `/queue` answers. */
export interface QueueReport {
  readonly status: QueueStatus;
  readonly entries: readonly QueueEntry[];
}

/** What `/status` answers. */
export interface ProxyReport {
  readonly proxy: Omit<ProxyStatus, 'pool'> & { readonly selection: string; readonly uptimeMs: number };
  readonly pool: PoolStatus;
  readonly queue: readonly QueueEntry[];
}

const ANSWER_TIMEOUT_MS = 5_000;
const MAX_ANSWER_BYTES = 64 * 2 ** 20;

/** Reads a page, or, with a body, gives a command. @throws HoldfastError `not_connected`, or what the proxy answers */
export async function askAdmin<T>(flags: AdminFlags, path: string, body?: object): Promise<T> {
  const { admin } = flags;
  const { status, text } = await exchange(flags, path, body).catch((error: unknown) => {
    throw notReached(admin, error as Error);
  });
  const answer = parsed(text);
  if (status === 200 && answer !== undefined) return answer as T;
  const { message } = (answer ?? {}) as { message?: unknown };
  if (typeof message !== 'string')
    throw notReached(admin, new Error(`it answers ${status} without JSON, so it is another server`));
  throw new HoldfastError(message, { code: 'invalid_argument', blame: 'remote' });
}

/** Over node:http: `fetch` refuses ports that an admin API may well have. Redirects are not followed: the token is for this address. */
async function exchange(
  { admin, adminToken }: AdminFlags,
  path: string,
  body: object | undefined,
): Promise<{ status: number; text: string }> {
  const url = new URL(path, admin);
  const asked = (url.protocol === 'https:' ? requestOverTls : request)(url, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(adminToken === undefined ? {} : { authorization: `Bearer ${adminToken}` }),
    },
    agent: false,
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  });
  asked.end(body === undefined ? undefined : JSON.stringify(body));
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > MAX_ANSWER_BYTES) throw new Error('its answer does not end');
    parts.push(part);
  }
  return { status: answer.statusCode ?? 0, text: Buffer.concat(parts).toString() };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function notReached(admin: string, error: Error): HoldfastError {
  const why =
    error.name === 'AbortError' || error.name === 'TimeoutError'
      ? `no answer within ${ANSWER_TIMEOUT_MS / 1_000} s`
      : // What failed at several addresses of one name has only a code.
        error.message || String((error as { code?: unknown }).code);
  return new HoldfastError(
    `no proxy's admin API at ${admin}: ${why}; start one with \`holdfast proxy\`, or name another with --admin or HOLDFAST_ADMIN`,
    { code: 'not_connected', retryable: true, blame: 'remote', cause: error },
  );
}
