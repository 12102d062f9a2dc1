// What of a request's and an answer's headers goes on, and what ends here.
// Invariant: headers that speak of one connection never reach another; a client's credentials reach no endpoint that has its own.
import type { HeaderList } from '../../ports.ts';

/** RFC 9110, section 7.6.1, and what older peers send; `host` and `expect` are for the next server alone. */
const OF_CONNECTION = new Set([
  'connection',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);
/** Where keys stand. */
const CREDENTIALS = new Set(['authorization', 'x-api-key', 'api-key', 'x-goog-api-key']);

export const isConnectionHeader = (lowerName: string): boolean => OF_CONNECTION.has(lowerName);

/** What is read of a request's headers, once. */
export interface RequestHeaders {
  /** Names in lower case; without those of the connection and without credentials. */
  readonly forward: string[];
  readonly credentials: string[];
  /** By lower-case name, the first of each, of what the proxy looks at itself. */
  readonly authorization: string | undefined;
  readonly apiKey: string | undefined;
  readonly idempotencyKey: string | undefined;
  /** Not in `forward`. */
  readonly acceptEncoding: string | undefined;
  readonly upgrade: string | undefined;
  readonly via: string | undefined;
  /** How many there are: with two, servers do not agree on which counts. */
  readonly hosts: number;
}

/** Names that `Connection` lists are of the connection, too. */
function listedIn(value: string, listed: Set<string> | undefined): Set<string> | undefined {
  let names = listed;
  for (const each of value.split(',')) {
    const name = each.trim().toLowerCase();
    if (name === '' || name === 'keep-alive' || name === 'close') continue;
    names ??= new Set();
    names.add(name);
  }
  return names;
}

export function readRequestHeaders(headers: HeaderList): RequestHeaders {
  const forward: string[] = [];
  const credentials: string[] = [];
  let listed: Set<string> | undefined;
  let authorization: string | undefined;
  let apiKey: string | undefined;
  let idempotencyKey: string | undefined;
  let acceptEncoding: string | undefined;
  let upgrade: string | undefined;
  let via: string | undefined;
  let hosts = 0;
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] ?? '').toLowerCase();
    const value = headers[i + 1] ?? '';
    if (OF_CONNECTION.has(name)) {
      if (name === 'connection') listed = listedIn(value, listed);
      else if (name === 'host') hosts += 1;
      else if (name === 'upgrade') upgrade ??= value;
      continue;
    }
    if (CREDENTIALS.has(name)) {
      if (name === 'authorization') authorization ??= value;
      else if (name === 'x-api-key') apiKey ??= value;
      credentials.push(name, value);
      continue;
    }
    if (name === 'accept-encoding') {
      acceptEncoding = acceptEncoding === undefined ? value : `${acceptEncoding}, ${value}`;
      continue;
    }
    if (name === 'idempotency-key') idempotencyKey ??= value;
    else if (name === 'via') via = via === undefined ? value : `${via}, ${value}`;
    forward.push(name, value);
  }
  return {
    forward: listed === undefined ? forward : without(forward, listed),
    credentials: listed === undefined ? credentials : without(credentials, listed),
    authorization,
    apiKey,
    idempotencyKey,
    acceptEncoding,
    upgrade,
    via,
    hosts,
  };
}

function without(list: readonly string[], names: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i] ?? '';
    // A length is never the connection's: without it the body would have none.
    if (!names.has(name) || name === 'content-length') kept.push(name, list[i + 1] ?? '');
  }
  return kept;
}

/** Of an answer whose length may turn out to be another: an event may be added to it. */
export function withoutLength(list: readonly string[]): string[] {
  return list.filter((_, index) => list[index - (index % 2)] !== 'content-length');
}

/** What an endpoint has of its own. */
export interface OwnHeaders {
  /** Its key and its own headers. */
  readonly headers: HeaderList;
  /** Names, in lower case, of what is replaced by `headers`. */
  readonly replaced: ReadonlySet<string>;
  readonly credentials: 'own' | 'client';
}

/**
 * What goes to an endpoint: the client's headers, its credentials unless the endpoint has its own, and the endpoint's.
 * @param coding `plain`: the answer is to be looked into, so it must not be compressed
 */
export function headersFor(
  target: OwnHeaders,
  request: RequestHeaders,
  own: HeaderList,
  coding: 'any' | 'plain' = 'any',
): string[] {
  const { replaced } = target;
  const client = replaced.size === 0 ? request.forward : without(request.forward, replaced);
  const accepted = coding === 'plain' ? 'identity' : request.acceptEncoding;
  const codings =
    accepted === undefined || replaced.has('accept-encoding') ? [] : ['accept-encoding', accepted];
  if (target.credentials === 'own') return [...client, ...codings, ...target.headers, ...own];
  const credentials = replaced.size === 0 ? request.credentials : without(request.credentials, replaced);
  return [...client, ...codings, ...credentials, ...target.headers, ...own];
}

/** What the proxy reads of an answer's headers, and what of them goes on. */
export interface AnswerHeaders {
  readonly forward: string[];
  readonly contentType: string;
  readonly contentEncoding: string | undefined;
  /** Bytes; undefined when only the end of the body tells. */
  readonly contentLength: number | undefined;
  readonly retryAfter: string | undefined;
  readonly date: string | undefined;
}

export function readAnswerHeaders(headers: HeaderList): AnswerHeaders {
  const forward: string[] = [];
  let listed: Set<string> | undefined;
  let contentType = '';
  let contentEncoding: string | undefined;
  let contentLength: number | undefined;
  let retryAfter: string | undefined;
  let date: string | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? '';
    const value = headers[i + 1] ?? '';
    if (OF_CONNECTION.has(name)) {
      if (name === 'connection') listed = listedIn(value, listed);
      continue;
    }
    if (name === 'content-type') contentType = value;
    else if (name === 'content-length') contentLength = Number(value);
    else if (name === 'content-encoding' && value.toLowerCase() !== 'identity') contentEncoding = value;
    else if (name === 'retry-after') retryAfter = value;
    else if (name === 'date') date = value;
    forward.push(name, value);
  }
  return {
    forward: listed === undefined ? forward : without(forward, listed),
    contentType,
    contentEncoding,
    contentLength,
    retryAfter,
    date,
  };
}

/**
 * Where a redirect leads, as the client may follow it: an address below the endpoint's own becomes one below the proxy's. To any
 * other it is left alone.
 */
export function withLocation(
  headers: HeaderList,
  { origin, basePath }: { origin: string; basePath: string },
): HeaderList {
  const base = `${origin}${basePath}/`;
  return headers.map((value, i) =>
    headers[i - 1] === 'location' && i % 2 === 1 && value.startsWith(base)
      ? value.slice(base.length - 1)
      : value,
  );
}

export function headerOf(headers: HeaderList, lowerName: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2)
    if (headers[i]?.toLowerCase() === lowerName) return headers[i + 1];
  return undefined;
}
