// Active probes over HTTP: a request that only a healthy endpoint answers as told.
// Invariant: a probe resolves on the whole expected answer, and rejects on anything else; it never outlives its signal.
import type { Upstream } from '../../ports.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import type { Probe } from '../options.ts';
import { headerOf } from './headers.ts';
import { checkFieldValue, checkToken, checkWhole, invalidOption, type HealthCheck } from './options.ts';
import { pathBelow, readRequestTarget, type Target } from './target.ts';

/** What is read of an answer, in bytes: what it must contain stands before. */
const MAX_ANSWER_BYTES = 262_144;

interface Check {
  readonly path: string;
  readonly method: string;
  readonly headers: readonly string[];
  readonly body: Uint8Array | undefined;
  readonly isExpected: (status: number) => boolean;
  readonly contains: string | RegExp | undefined;
}

/** @throws HoldfastError `invalid_option` */
export function httpProbe(healthCheck: HealthCheck, upstream: Upstream): Probe {
  const check = resolve(healthCheck);
  return (endpoint, signal) => ask(check, endpoint as Target, upstream, signal);
}

function resolve({ path = '/', method, body, headers = {}, status, contains }: HealthCheck): Check {
  if ('problem' in readRequestTarget(path))
    throw invalidOption('healthCheck.path', JSON.stringify(path), 'give a path that begins with /');
  const list: string[] = [];
  for (const [name, value] of Object.entries(headers))
    list.push(checkToken('healthCheck.headers', name).toLowerCase(), checkFieldValue(name, value));
  const bytes = body === undefined ? undefined : new TextEncoder().encode(JSON.stringify(body));
  if (bytes !== undefined && headerOf(list, 'content-type') === undefined)
    list.push('content-type', 'application/json');
  if (bytes !== undefined) list.push('content-length', String(bytes.length));
  const statuses = status === undefined ? [] : [status].flat();
  for (const each of statuses) checkWhole('healthCheck.status', each, 200, 599);
  return {
    path,
    method: checkToken('healthCheck.method', method ?? (bytes === undefined ? 'GET' : 'POST')),
    headers: list,
    body: bytes,
    isExpected: (code) => (statuses.length === 0 ? code >= 200 && code < 300 : statuses.includes(code)),
    contains,
  };
}

/** The endpoint's own headers go first: those of the check stand over them. */
function headersOf(check: Check, { headers }: Target): string[] {
  const list = [...check.headers];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? '';
    if (headerOf(check.headers, name) === undefined) list.push(name, headers[i + 1] ?? '');
  }
  return list;
}

function ask(check: Check, target: Target, upstream: Upstream, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let length = 0;
    const fail = (problem: string): void =>
      reject(new HoldfastError(`endpoint ${target.id} ${problem}`, { code: 'lost', blame: 'remote' }));
    const call = upstream.call(
      {
        origin: target.origin,
        method: check.method,
        path: pathBelow(target, check.path),
        headers: headersOf(check, target),
        body: check.body,
      },
      {
        sent() {},
        informed() {},
        answered(status) {
          if (check.isExpected(status)) return;
          fail(`answers ${status} to its health check`);
          call.abort();
        },
        data(bytes) {
          length += bytes.length;
          if (length <= MAX_ANSWER_BYTES) chunks.push(bytes);
        },
        ended() {
          if (contains(chunks, check.contains)) resolve();
          else fail('does not say in its health check what it should');
        },
        failed: (error) => fail(`fails its health check: ${error.message}`),
      },
    );
    const abort = (): void => {
      call.abort();
      fail('does not answer its health check in time');
    };
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}

function contains(chunks: readonly Uint8Array[], wanted: string | RegExp | undefined): boolean {
  if (wanted === undefined) return true;
  const decoder = new TextDecoder();
  const text = chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join('');
  return typeof wanted === 'string'
    ? text.includes(wanted)
    : new RegExp(wanted, wanted.flags.replace(/[gy]/g, '')).test(text);
}
