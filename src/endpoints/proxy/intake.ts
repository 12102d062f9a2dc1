// What is looked at before a request is sent anywhere: is it one that this proxy takes?
// Invariant: the decision needs the request's head only; nothing of a refused request reaches an endpoint.
import type { HeaderList, HttpExchange } from '../../ports.ts';
import type { ProxyError } from './errors.ts';
import { headerOf, type RequestHeaders } from './headers.ts';
import type { Affinity, ProxyLimits } from './options.ts';
import { readRequestTarget } from './target.ts';

/** They are for the connection, or send back what others sent. */
const REFUSED_METHODS = new Set(['CONNECT', 'TRACE']);
/** RFC 9110, section 9.2.2. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'QUERY']);

const TARGET_PROBLEMS = {
  absolute: [
    'absolute_target',
    'the request names a host: this is a reverse proxy, with upstreams of its own; ask it for a path',
  ],
  asterisk: ['malformed_request', 'the target * is for servers, not for what they serve; ask for a path'],
  characters: ['malformed_request', 'the target has characters that must be percent-encoded'],
  fragment: ['malformed_request', 'the target has a fragment (#), which is never sent; leave it out'],
  dots: ['unsafe_path', 'the path has steps of dots; resolve them before you ask'],
} as const;

export interface Intake {
  readonly limits: ProxyLimits;
  readonly settings: { readonly token: string | undefined };
  /** This proxy in `Via`. */
  readonly pseudonym: string;
}

/** Undefined when the request is taken. */
export function refusalOf(
  exchange: HttpExchange,
  headers: RequestHeaders,
  { limits, settings: { token }, pseudonym }: Intake,
): ProxyError | undefined {
  // RFC 9112, section 3.2. It names no endpoint; but the next server might read another one of two.
  if (headers.hosts > 1 || (headers.hosts === 0 && exchange.version === '1.1'))
    return { code: 'malformed_request', message: `the request has ${headers.hosts} Host headers; send one` };
  if (token !== undefined && !shows(headers, token))
    return {
      code: 'wrong_token',
      message:
        'the proxy asks for its token, as `Authorization: Bearer` or `x-api-key`; the request has none, or another',
    };
  if (REFUSED_METHODS.has(exchange.method))
    return { code: 'method_refused', message: `the proxy does not pass ${exchange.method} on` };
  const target = readRequestTarget(exchange.target);
  if ('problem' in target) {
    const [code, message] = TARGET_PROBLEMS[target.problem];
    return { code, message };
  }
  if (headers.upgrade !== undefined && /(?:^|,)\s*websocket\s*(?:,|$)/i.test(headers.upgrade))
    return { code: 'upgrade_refused', message: 'the proxy passes HTTP on, no WebSockets' };
  if (headers.via?.includes(pseudonym) === true)
    return {
      code: 'loop_detected',
      message: 'the request has come through this proxy before: an endpoint leads back here',
    };
  if (exchange.bodyLength !== undefined && exchange.bodyLength > limits.bodyBytes) return tooLarge(limits);
  return undefined;
}

export function tooLarge({ bodyBytes }: ProxyLimits): ProxyError {
  return {
    code: 'request_too_large',
    message: `the body is longer than ${bodyBytes} bytes; see limits.bodyBytes`,
  };
}

export function mayRepeat(method: string, headers: RequestHeaders, repeat: 'idempotent' | 'all'): boolean {
  return repeat === 'all' || IDEMPOTENT.has(method) || headers.idempotencyKey !== undefined;
}

const BEARER = /^bearer +/i;

function shows({ authorization, apiKey }: RequestHeaders, token: string): boolean {
  return [authorization?.replace(BEARER, ''), apiKey].some(
    (shown) => shown !== undefined && isSame(shown, token),
  );
}

/** How long it takes tells nothing of where they differ. */
function isSame(shown: string, token: string): boolean {
  let difference = shown.length ^ token.length;
  for (let i = 0; i < shown.length; i++)
    difference |= shown.charCodeAt(i) ^ token.charCodeAt(i % token.length);
  return difference === 0;
}

/** The credentials without the proxy's own token: it is no upstream's business. */
export function withoutToken(credentials: readonly string[], token: string): string[] {
  const kept: string[] = [];
  for (let i = 0; i < credentials.length; i += 2) {
    const value = credentials[i + 1] ?? '';
    if (!isSame(value.replace(BEARER, ''), token)) kept.push(credentials[i] ?? '', value);
  }
  return kept;
}

/** What stands for the client's session; undefined when the request has none. */
export function sessionOf(headers: HeaderList, affinity: Affinity | undefined): string | undefined {
  if (affinity === undefined) return undefined;
  if ('header' in affinity) return headerOf(headers, affinity.header.toLowerCase());
  for (const pair of headerOf(headers, 'cookie')?.split(';') ?? []) {
    const equals = pair.indexOf('=');
    if (equals > 0 && pair.slice(0, equals).trim() === affinity.cookie) return pair.slice(equals + 1).trim();
  }
  return undefined;
}
