// Which nodes are shown, in which order.
// Invariant: pure; names sort as people count: n2 before n10.
import type { Model } from '../stream/model.ts';

export type SortKey =
  | 'node'
  | 'link'
  | 'session'
  | 'calls'
  | 'running'
  | 'waiting'
  | 'executed'
  | 'heard'
  | 'trail';

export interface Order {
  readonly key: SortKey;
  readonly order: 'ascending' | 'descending';
}

/** Orders as people count by plain comparison, which is far quicker than a collator for thousands of names. */
export function naturalName(id: string): string {
  return id.toLowerCase().replaceAll(/\d+/g, (digits) => digits.padStart(12, '0'));
}

/** State of the connection machine of a node's process, or a word for why nobody knows. */
export function linkOf({ links, actors, processes, fleet }: Model, id: string): string {
  const actor = actors.get(links.get(id) ?? '');
  if (actor === undefined) return 'unseen';
  if (processes.get(actor.process)?.state === 'gone') return 'gone';
  // The hub lost it, and its process has said nothing since: it will tell what happened when it is back, if it is.
  const session = fleet.nodes.get(id)?.state ?? '';
  const lost = session === 'absent' || session === 'expired';
  return lost && actor.label === 'connected' ? 'unheard' : actor.label;
}

function valueOf(model: Model, key: SortKey, id: string): string | number {
  const row = model.fleet.nodes.get(id);
  switch (key) {
    case 'link':
      return linkOf(model, id);
    case 'session':
      return row?.state ?? '';
    case 'calls':
      return row?.callsPerSecond ?? 0;
    case 'running':
      return row?.running ?? 0;
    case 'waiting':
      return row?.waiting ?? 0;
    case 'executed':
      return row?.executed ?? 0;
    case 'heard':
      return -(row?.lastInboundAt ?? 0);
    case 'trail':
      return model.actors.get(model.links.get(id) ?? '')?.seq ?? 0;
    case 'node':
      return naturalName(id);
  }
}

export function shownIds(
  model: Model,
  { key, order }: Order,
  { text, state }: { readonly text: string; readonly state: string },
): string[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const ids = [...model.fleet.nodes.keys()].filter((id) => matches(model, id, words, state));
  const values = new Map(ids.map((id) => [id, valueOf(model, key, id)]));
  const names = new Map(ids.map((id) => [id, naturalName(id)]));
  const sign = order === 'ascending' ? 1 : -1;
  return ids.sort((a, b) => {
    const [x = '', y = ''] = [values.get(a), values.get(b)];
    if (x !== y) return x < y ? -sign : sign;
    return (names.get(a) ?? a) < (names.get(b) ?? b) ? -1 : 1;
  });
}

function matches(model: Model, id: string, words: readonly string[], state: string): boolean {
  const row = model.fleet.nodes.get(id);
  if (row === undefined) return false;
  const link = linkOf(model, id);
  if (state !== '' && row.state !== state && link !== state) return false;
  if (words.length === 0) return true;
  const labels = Object.entries(row.labels ?? {}).map(([name, value]) => `${name}=${value}`);
  const text = [id, row.state, link, row.address ?? '', ...labels].join(' ').toLowerCase();
  return words.every((word) => text.includes(word));
}

/** The states that nodes are in, of sessions and of connections, with how many there are. */
export function statesOf(model: Model): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { id, state } of model.fleet.nodes.values())
    for (const it of new Set([state, linkOf(model, id)])) counts.set(it, (counts.get(it) ?? 0) + 1);
  return counts;
}
