// Keeps browsers that follow other sites away from what is meant for the person at this machine.
// Invariant: a page of another origin never opens a socket here, and a name that was bent to loopback (DNS rebinding) gets
// nothing. Programs that are no browsers name no origin; they need what everybody needs.
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

const LOOPBACK_NAMES = new Set(['localhost', '127.0.0.1', '::1']);

/** `localhost:7070` → `localhost`, `[::1]:7070` → `::1`, in lower case. */
function nameOf(host: string): string {
  const bare = /^\[([^\]]*)\]/.exec(host)?.[1] ?? host.replace(/:\d*$/, '');
  return bare.toLowerCase().replace(/\.$/, '');
}

/**
 * Why the page that dials belongs to another site; undefined when it does not, or when no browser dials. With `loopback`, pages
 * of all servers of this machine are welcome.
 */
export function foreignOrigin(
  { headers }: IncomingMessage,
  welcome: 'own' | 'loopback' = 'own',
): string | undefined {
  const { origin, host } = headers;
  if (origin === undefined) return undefined;
  const named = URL.canParse(origin) ? new URL(origin).host : undefined;
  if (named !== undefined && host !== undefined && named.toLowerCase() === host.toLowerCase())
    return undefined;
  const name = named === undefined ? undefined : nameOf(named);
  if (welcome === 'loopback' && name !== undefined) {
    if (LOOPBACK_NAMES.has(name) || name.endsWith('.localhost')) return undefined;
  }
  return 'a page of another origin may not look at this fleet; open the page that this hub serves';
}

/** Why the name by which this address was found is not ours; undefined when it is. `listensOn` is the address itself. */
export function foreignHost({ headers }: IncomingMessage, listensOn: string): string | undefined {
  // Who can be reached from elsewhere has a token, and may have any name.
  const own = nameOf(listensOn);
  if (!LOOPBACK_NAMES.has(own) && !own.startsWith('127.')) return undefined;
  const name = nameOf(headers.host ?? '');
  if (LOOPBACK_NAMES.has(name) || name.endsWith('.localhost') || isIP(name) !== 0) return undefined;
  return `this hub listens on loopback and is not called ${JSON.stringify(name)}; open http://localhost`;
}
