// Every actor of a stream that has no hub: an app of somebody's, a trace, a log.
// Invariant: a row leads to the actor's chart.
import { useMemo, type CSSProperties } from 'react';
import { StateBadge } from '../parts/badge.tsx';
import { useSlowly } from '../parts/moment.ts';
import { Trail } from '../parts/trail.tsx';
import { VirtualTable, type Column } from '../parts/virtual-table.tsx';
import { countText, momentText } from '../parts/words.ts';
import type { ActorView, Model } from '../stream/model.ts';
import { actorPlace, hashOf, type ViewProps } from '../view.ts';
import { naturalName } from './rows.ts';

type Key = 'actor' | 'machine' | 'process' | 'state' | 'since' | 'steps' | 'trail';

const columns: readonly Column<Key>[] = [
  { key: 'actor', label: 'Actor' },
  { key: 'machine', label: 'Machine', when: 'wide' },
  { key: 'process', label: 'Process', when: 'wide' },
  { key: 'state', label: 'State' },
  { key: 'since', label: 'Since', kind: 'number', when: 'wide' },
  { key: 'steps', label: 'Steps', kind: 'number' },
  { key: 'trail', label: 'History', sortable: false, when: 'wide' },
];
const ROW_HEIGHT = 36;
const ORDER_MS = 500;
const keys: ReadonlySet<string> = new Set(columns.map(({ key }) => key));

function valueOf(actor: ActorView, key: Key): string | number {
  if (key === 'steps') return actor.seq;
  if (key === 'since' || key === 'trail') return actor.since;
  if (key === 'state') return actor.label;
  return naturalName(actor[key]);
}

function shownKeys(model: Model, key: Key, order: 'ascending' | 'descending', text: string): string[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = [...model.actors.values()].filter(({ actor, machine, process, path }) => {
    const all = `${actor} ${machine} ${process} ${path}`.toLowerCase();
    return words.every((word) => all.includes(word));
  });
  const sign = order === 'ascending' ? 1 : -1;
  const values = new Map(shown.map((actor) => [actor.key, valueOf(actor, key)]));
  return shown
    .map((actor) => actor.key)
    .sort((a, b) => {
      const [x = '', y = ''] = [values.get(a), values.get(b)];
      if (x !== y) return x < y ? -sign : sign;
      return a < b ? -1 : 1;
    });
}

export function ActorTable({ model, at, place, go }: ViewProps) {
  const { q: text = '', sort = 'actor', desc } = place.query;
  const key = keys.has(sort) ? (sort as Key) : 'actor';
  const order = desc === '1' ? 'descending' : 'ascending';
  const slow = useSlowly(model, ORDER_MS, at);
  const ids = useMemo(() => shownKeys(slow, key, order, text), [slow, key, order, text]);
  const query = (change: Readonly<Record<string, string>>): void =>
    go({ query: { ...place.query, ...change } }, 'replace');
  const row = (id: string, style: CSSProperties) => {
    const actor = model.actors.get(id);
    if (actor === undefined) return null;
    const { process, machine, path, since, seq, trail } = actor;
    return (
      <tr key={id} style={style}>
        <th scope="row">
          <a href={hashOf({ at: place.at, ...actorPlace(process, actor.actor) })}>{actor.actor}</a>
        </th>
        <td className="wide">{machine}</td>
        <td className="wide">{process}</td>
        <td>
          <StateBadge state={path} />
        </td>
        <td className="number wide">{momentText(since, model.began)}</td>
        <td className="number">{countText(seq)}</td>
        <td className="wide">
          <Trail trail={trail} />
        </td>
      </tr>
    );
  };
  return (
    <section className="panel nodes actor-table" aria-label="Actors">
      <header className="panel-head">
        <h2>Actors</h2>
        <span className="soft count">{countText(ids.length)}</span>
        <span className="grow" />
        <input
          type="search"
          aria-label="Search actors"
          placeholder="Name, machine, state…"
          value={text}
          onChange={(event) => query({ q: event.target.value })}
        />
      </header>
      {ids.length === 0 ? (
        <p className="nothing">{text === '' ? 'No actor lives at this moment.' : 'No actor matches.'}</p>
      ) : (
        <VirtualTable
          label="All actors"
          columns={columns}
          ids={ids}
          rowHeight={ROW_HEIGHT}
          sort={{ key, order }}
          onSort={(next) => query({ sort: next, desc: next === key && order === 'ascending' ? '1' : '' })}
          row={row}
        />
      )}
    </section>
  );
}
