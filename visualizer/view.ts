// What every view is given, and the place that it shows: the page's address, after the `#`.
// Invariant: placeOf(hashOf(place)) is the same place; a hash that names no view is the fleet.
import type { Model } from './stream/model.ts';
import type { Watch } from './stream/watch.ts';

export type ViewName = 'fleet' | 'machine' | 'sequence' | 'simulate';

/** `#/machine/node%2Fn3%2F9ab2/connection?at=1200&zoom=2`: parts and values are percent-encoded. */
export interface Place {
  readonly view: ViewName;
  /** What follows the view's name: process and actor, or a machine. */
  readonly path: readonly string[];
  /** Milliseconds of the stream's clock that the whole page shows. Live without it. */
  readonly at?: number | undefined;
  /** What a view keeps in the address, so that a link shows the same. */
  readonly query: Readonly<Record<string, string>>;
}

export interface ViewProps {
  /**
   * The fleet as it was at `at`; a new object whenever something has changed. Read it while rendering: its maps go on
   * changing while the page is live.
   */
  readonly model: Model;
  readonly at: 'live' | number;
  readonly place: Place;
  /** The recorded stream, what the link is doing, and how to ask the server for something. */
  readonly watch: Watch;
  /** Shows another place; `replace` leaves no way back to this one (for filters that are being typed). */
  go(place: Partial<Place>, how?: 'push' | 'replace'): void;
  /** Tells the person something, for a while. */
  say(tone: 'good' | 'bad', message: string): void;
}

const views: ReadonlySet<string> = new Set<ViewName>(['fleet', 'machine', 'sequence', 'simulate']);

export function isView(name: string): name is ViewName {
  return views.has(name);
}

export function placeOf(hash: string): Place {
  const [head = '', tail = ''] = hash.replace(/^#?\/?/, '').split('?', 2);
  const [name = '', ...path] = head.split('/').map(decoded);
  const { at, ...query } = Object.fromEntries(new URLSearchParams(tail)) as Record<string, string>;
  const moment = at === undefined || at === '' ? Number.NaN : Number(at);
  return {
    view: isView(name) ? name : 'fleet',
    path: isView(name) ? path.filter((part) => part !== '') : [],
    at: Number.isFinite(moment) ? moment : undefined,
    query,
  };
}

export function hashOf({ view, path, at, query }: Place): string {
  const entries = Object.entries(query).filter(([, value]) => value !== '');
  const params = new URLSearchParams(entries);
  if (at !== undefined) params.set('at', String(at));
  const tail = params.size === 0 ? '' : `?${params.toString()}`;
  return `#/${[view, ...path].map(encodeURIComponent).join('/')}${tail}`;
}

/** The place of an actor in the machine view. */
export function actorPlace(process: string, actor: string): Pick<Place, 'view' | 'path' | 'query'> {
  return { view: 'machine', path: [process, actor], query: {} };
}

/** A link that somebody mangled is no reason to show nothing. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
