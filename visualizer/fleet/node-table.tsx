// Every node: its connection, its session, what it does, when it was heard last, how it came here.
// Invariant: a row is drawn again only when what it shows has changed.
import { memo, useCallback, useMemo, type CSSProperties } from 'react';
import { StateBadge } from '../parts/badge.tsx';
import { useSlowly } from '../parts/moment.ts';
import { Spark } from '../parts/spark.tsx';
import { Trail } from '../parts/trail.tsx';
import { VirtualTable, type Column } from '../parts/virtual-table.tsx';
import { countText, durationText, rateText } from '../parts/words.ts';
import type { NodeRow } from '../../src/protocol/inspection.ts';
import type { ActorView } from '../stream/model.ts';
import type { Series } from '../stream/trends.ts';
import type { ViewProps } from '../view.ts';
import { linkOf, shownIds, statesOf, type Order, type SortKey } from './rows.ts';

const columns: readonly Column<SortKey>[] = [
  { key: 'node', label: 'Node' },
  { key: 'link', label: 'Connection' },
  { key: 'session', label: 'Session' },
  { key: 'calls', label: 'Calls/s', kind: 'number' },
  { key: 'running', label: 'Running', kind: 'number', when: 'wide' },
  { key: 'waiting', label: 'Queue', kind: 'number', when: 'wide' },
  { key: 'executed', label: 'Done', kind: 'number', when: 'wide' },
  { key: 'heard', label: 'Heard', kind: 'number', when: 'wide' },
  { key: 'trail', label: 'History', when: 'wide' },
];
const ROW_HEIGHT = 36;
/** How often the order is made anew. */
const ORDER_MS = 500;

const orders: ReadonlySet<string> = new Set(columns.map(({ key }) => key));

export function orderOf({ sort = 'node', desc }: Readonly<Record<string, string>>): Order {
  const key = orders.has(sort) ? (sort as SortKey) : 'node';
  return { key, order: desc === '1' ? 'descending' : 'ascending' };
}

export function NodeTable({ model, at, place, watch, go }: ViewProps) {
  const { q: text = '', state = '', node: chosen } = place.query;
  const { key, order } = orderOf(place.query);
  const slow = useSlowly(model, ORDER_MS, at);
  const ids = useMemo(() => shownIds(slow, { key, order }, { text, state }), [slow, key, order, text, state]);
  const query = (change: Readonly<Record<string, string>>): void =>
    go({ query: { ...place.query, ...change } }, 'replace');

  const onSort = (next: SortKey): void => {
    // Of numbers the largest are wanted first.
    const numeric = columns.find((it) => it.key === next)?.kind === 'number' || next === 'trail';
    const flipped = order === 'ascending' ? '1' : '';
    query({ sort: next, desc: next === key ? flipped : numeric ? '1' : '' });
  };
  const choose = useCallback((id: string) => go({ query: { ...place.query, node: id } }), [go, place.query]);
  const row = (id: string, style: CSSProperties) => {
    const link = model.actors.get(model.links.get(id) ?? '');
    const fact = model.fleet.nodes.get(id);
    return fact === undefined ? null : (
      <Row
        key={id}
        row={fact}
        link={link}
        state={linkOf(model, id)}
        heardMs={Math.max(0, Math.floor((model.at - fact.lastInboundAt) / 1_000)) * 1_000}
        series={watch.trends.node(id, model.at)}
        chosen={chosen === id ? 'chosen' : 'other'}
        style={style}
        onChoose={choose}
      />
    );
  };
  return (
    <section className="panel nodes" aria-label="Nodes">
      <header className="panel-head">
        <h2>Nodes</h2>
        <span className="soft count">
          {ids.length === model.fleet.nodes.size
            ? countText(ids.length)
            : `${countText(ids.length)} of ${countText(model.fleet.nodes.size)}`}
        </span>
        <span className="grow" />
        <input
          type="search"
          aria-label="Search nodes"
          placeholder="Name, state, label…"
          value={text}
          onChange={(event) => query({ q: event.target.value })}
        />
        <StateFilter model={slow} state={state} onChoose={(it) => query({ state: it })} />
      </header>
      {model.fleet.nodes.size === 0 ? (
        <p className="nothing">
          No node has registered yet. Start one with <code>holdfast node</code>.
        </p>
      ) : ids.length === 0 ? (
        <p className="nothing">
          No node matches.{' '}
          <button type="button" onClick={() => query({ q: '', state: '' })}>
            Show all
          </button>
        </p>
      ) : (
        <VirtualTable
          label="All nodes"
          columns={columns}
          ids={ids}
          rowHeight={ROW_HEIGHT}
          sort={{ key, order }}
          onSort={onSort}
          row={row}
        />
      )}
    </section>
  );
}

function StateFilter(
  props: Pick<ViewProps, 'model'> & { readonly state: string; onChoose(state: string): void },
) {
  const { model, state, onChoose } = props;
  const states = [...statesOf(model)].toSorted(([a], [b]) => a.localeCompare(b));
  const missing = state !== '' && !states.some(([name]) => name === state);
  return (
    <select aria-label="Only in state" value={state} onChange={(event) => onChoose(event.target.value)}>
      <option value="">All states</option>
      {missing && <option value={state}>{state} (0)</option>}
      {states.map(([name, count]) => (
        <option key={name} value={name}>
          {name} ({count})
        </option>
      ))}
    </select>
  );
}

interface RowProps {
  readonly row: NodeRow;
  readonly link: ActorView | undefined;
  readonly state: string;
  readonly heardMs: number;
  readonly series: Series;
  readonly chosen: 'chosen' | 'other';
  readonly style: CSSProperties;
  onChoose(id: string): void;
}

const Row = memo(
  ({ row, link, state, heardMs, series, chosen, style, onChoose }: RowProps) => (
    <tr style={style} data-node={row.id} className={chosen} onClick={() => onChoose(row.id)}>
      <th scope="row">
        <button type="button" className="name" aria-pressed={chosen === 'chosen'} title={row.id}>
          {row.id}
        </button>
      </th>
      <td>
        <StateBadge state={state} />
      </td>
      <td>
        <StateBadge state={row.state} />
      </td>
      <td className="number">
        <span className="with-spark">
          <Spark series={series} width={48} height={18} />
          <span className="rate">{rateText(row.callsPerSecond)}</span>
        </span>
      </td>
      <td className="number wide">{countText(row.running)}</td>
      <td className="number wide">{countText(row.waiting)}</td>
      <td className="number wide">{countText(row.executed)}</td>
      <td className="number wide">{heardMs < 1_000 ? 'now' : durationText(heardMs)}</td>
      <td className="wide">
        <Trail trail={link?.trail ?? []} />
      </td>
    </tr>
  ),
  (a, b) =>
    a.row === b.row &&
    a.onChoose === b.onChoose &&
    a.link === b.link &&
    a.state === b.state &&
    a.heardMs === b.heardMs &&
    a.chosen === b.chosen &&
    a.series.at.length === b.series.at.length &&
    a.series.at.at(-1) === b.series.at.at(-1),
);
