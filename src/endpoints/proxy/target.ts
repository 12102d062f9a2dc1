// Where requests go: an endpoint's URL, and the path below it.
// Invariant: the origin comes from the endpoint alone, and no path leaves the endpoint's own.
import type { Endpoint } from '../options.ts';
import { isConnectionHeader, type OwnHeaders } from './headers.ts';
import { checkFieldValue, checkToken, invalidOption, type ProxyEndpoint } from './options.ts';

/** An endpoint as the pool has it, and all that is sent there. */
export interface Target extends Endpoint, OwnHeaders {
  readonly url: string;
  readonly origin: string;
  /** Without a slash at its end: '' or '/v1'. */
  readonly basePath: string;
  readonly credentials: 'own' | 'client';
}

/** @throws HoldfastError `invalid_option` */
export function targetOf(endpoint: ProxyEndpoint): Target {
  const { id, url, weight, priority, key, keyHeader = 'authorization', headers = {} } = endpoint;
  const { origin, pathname } = checkUrl(id, url);
  const own: string[] = [];
  if (key !== undefined) {
    if (key === '') throw invalidOption(`key of ${id}`, 'empty', 'give the key, or leave it out');
    const name = checkName(`keyHeader of ${id}`, keyHeader);
    const value = checkFieldValue(`key of ${id}`, key);
    own.push(name, name === 'authorization' ? `Bearer ${value}` : value);
  }
  for (const [name, value] of Object.entries(headers))
    own.push(checkName(`headers of ${id}`, name), checkFieldValue(`headers of ${id}: ${name}`, value));
  return {
    id,
    url,
    weight,
    priority,
    origin,
    basePath: pathname.replace(/\/+$/, ''),
    headers: own,
    replaced: new Set(own.filter((_, index) => index % 2 === 0)),
    credentials: key === undefined ? 'client' : 'own',
  };
}

function checkName(option: string, name: string): string {
  const lower = checkToken(option, name).toLowerCase();
  if (isConnectionHeader(lower) || lower === 'content-length')
    throw invalidOption(option, JSON.stringify(name), 'the proxy sets this header itself; leave it out');
  return lower;
}

function checkUrl(id: string, text: string): URL {
  const name = `url of ${id}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw invalidOption(name, JSON.stringify(text), 'give http://HOST[:PORT][/PATH] or https://…');
  // Neither is shown: they may hold a key.
  if (url.username !== '' || url.password !== '')
    throw invalidOption(name, `one with a user on ${url.host}`, 'give its key as `key`');
  if (url.search !== '' || url.hash !== '')
    throw invalidOption(name, `one with a query on ${url.host}`, 'end it with the path');
  return url;
}

/** What browsers and servers might take for a step upwards, in any of its spellings. */
const DOTS = /^(?:\.|%(?:25)*2e){1,2}$/i;
const STEPS = /[/\\]|%(?:25)*(?:2f|5c)/i;
/** What comes after a semicolon are parameters of the step: some servers cut them off before they resolve it. */
const PARAMETERS = /(?:;|%(?:25)*3b).*$/is;
/** Visible ASCII: what else there is must be percent-encoded (RFC 3986, section 2). */
const VISIBLE = /^[\x21-\x7e]+$/;

export type RequestTarget =
  | { readonly path: string }
  | { readonly problem: 'absolute' | 'asterisk' | 'characters' | 'fragment' | 'dots' };

/**
 * Reads the target of a request: a path, with its query. A target that names a host is refused, lest somebody takes this for a
 * forward proxy and sends others' credentials here. So is a path that steps upwards, however the dots are encoded: the next
 * server might resolve it. Backslashes count as slashes, since to some they are.
 */
export function readRequestTarget(target: string): RequestTarget {
  if (target === '*') return { problem: 'asterisk' };
  if (!target.startsWith('/')) return { problem: 'absolute' };
  if (!VISIBLE.test(target)) return { problem: 'characters' };
  if (target.includes('#')) return { problem: 'fragment' };
  const query = target.indexOf('?');
  const path = query < 0 ? target : target.slice(0, query);
  // A look before the work: nearly all paths have neither.
  if (path.includes('.') || path.includes('%'))
    for (const step of path.split(STEPS))
      if (DOTS.test(step.replace(PARAMETERS, ''))) return { problem: 'dots' };
  return { path: target };
}

/** `//host/x` after an origin would still be a path there; the base path keeps it one everywhere. */
export function pathBelow(target: Target, path: string): string {
  return target.basePath === '' ? path : `${target.basePath}${path}`;
}
