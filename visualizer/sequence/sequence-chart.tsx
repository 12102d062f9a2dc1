// The diagram: lifelines that stay in sight, and the rows that are.
// Invariant: only rows in sight exist; the selected row is always one of them when the keyboard moves.
import { useEffect, useLayoutEffect, useRef, useState, type KeyboardEvent } from 'react';
import type { Placed } from '../stream/causal-order.ts';
import type { ActorKey } from '../stream/model.ts';
import { columnsFor, fitted, HEAD, ROW, rowsIn, type Columns } from './geometry.ts';
import { SequenceRow } from './sequence-row.tsx';

export interface Lifeline {
  readonly key: ActorKey;
  readonly actor: string;
  readonly process: string;
}

export interface SequenceChartProps {
  readonly rows: readonly Placed[];
  readonly lifelines: readonly Lifeline[];
  /** Index of the selected row; -1 for none. */
  readonly selected: number;
  /** Rows from here on come after the moment that is shown; their number when there is none. */
  readonly cursor: number;
  /** Whether new rows are scrolled to. */
  readonly follows: boolean;
  timeOf(placed: Placed): string;
  isFound(placed: Placed): boolean;
  onSelect(index: number): void;
  onOpen(placed: Placed): void;
  onFollow(follows: boolean): void;
}

export function SequenceChart(props: SequenceChartProps) {
  const { rows, lifelines, selected, cursor, follows, onFollow } = props;
  const box = useRef<HTMLDivElement>(null);
  const seen = useSeen(box, onFollow);
  const columns = columnsFor(lifelines.length, seen.width);
  useLayoutEffect(() => {
    const element = box.current;
    if (follows && element !== null) element.scrollTop = element.scrollHeight;
  }, [follows, rows, seen.height]);
  useEffect(() => {
    reveal(box.current, selected);
  }, [selected]);
  useEffect(() => {
    if (cursor < rows.length) reveal(box.current, Math.max(0, cursor - 1));
    // Only when the moment changes: rows that come must not scroll.
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, [cursor]);
  const { first, last } = rowsIn(seen, rows.length);
  const places = new Map(lifelines.map(({ key }, index) => [key, index]));
  const height = Math.max(rows.length * ROW, seen.height - HEAD);
  return (
    <div
      className="chart"
      ref={box}
      role="listbox"
      tabIndex={0}
      aria-label="Steps in causal order"
      aria-activedescendant={selected >= first && selected < last ? `row-${selected}` : undefined}
      onKeyDown={(event) => onKey(event, props, seen.height)}
    >
      <Heads lifelines={lifelines} columns={columns} />
      <svg width={columns.total} height={height} role="presentation">
        {lifelines.map(({ key }, index) => (
          <path
            key={key}
            className="lifeline"
            d={`M${columns.x(index)} ${first * ROW}V${Math.min(height, last * ROW + seen.height)}`}
          />
        ))}
        {rows.slice(first, last).map((placed, offset) => {
          const index = first + offset;
          return (
            <SequenceRow
              key={placed.key}
              placed={placed}
              index={index}
              columns={columns}
              to={places.get(placed.actor) ?? 0}
              from={placed.cause === undefined ? undefined : places.get(placed.cause.actor)}
              time={props.timeOf(placed)}
              look={index === selected ? 'selected' : props.isFound(placed) ? 'found' : 'plain'}
              isLater={index >= cursor}
              onSelect={props.onSelect}
              onOpen={props.onOpen}
            />
          );
        })}
        {cursor < rows.length && <path className="cursor" d={`M0 ${cursor * ROW}H${columns.total}`} />}
      </svg>
    </div>
  );
}

function Heads({
  lifelines,
  columns,
}: {
  readonly lifelines: readonly Lifeline[];
  readonly columns: Columns;
}) {
  return (
    <svg className="heads" width={columns.total} height={HEAD} aria-hidden="true">
      <rect className="heads-ground" width={columns.total} height={HEAD} />
      {lifelines.map(({ key, actor, process }, index) => {
        const wide = Math.min(columns.width - 12, 280);
        return (
          <g key={key} transform={`translate(${columns.x(index)} 0)`}>
            <title>{`${actor} of ${process}`}</title>
            <rect className="head" x={-wide / 2} y={8} width={wide} height={HEAD - 16} rx={6} />
            <text className="head-actor" y={29}>
              {fitted(actor, wide - 16)}
            </text>
            <text className="head-process" y={46}>
              {fitted(process, wide - 16)}
            </text>
          </g>
        );
      })}
      <path className="heads-line" d={`M0 ${HEAD - 0.5}H${columns.total}`} />
    </svg>
  );
}

/** What of the diagram is in sight; tells whether its end is. */
function useSeen(box: { readonly current: HTMLDivElement | null }, onFollow: (follows: boolean) => void) {
  const [seen, setSeen] = useState({ top: 0, height: 600, width: 1_000 });
  const tell = useRef(onFollow);
  useEffect(() => {
    tell.current = onFollow;
  });
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    let lastTop = element.scrollTop;
    const look = (): void =>
      setSeen((before) => {
        // Whole rows: between two of them nothing has to be drawn anew.
        const now = {
          top: Math.floor(element.scrollTop / ROW) * ROW,
          height: element.clientHeight,
          width: element.clientWidth,
        };
        return now.top === before.top && now.height === before.height && now.width === before.width
          ? before
          : now;
      });
    const scrolled = (): void => {
      const { scrollTop, scrollHeight, clientHeight } = element;
      const isAtEnd = scrollTop + clientHeight >= scrollHeight - 2;
      if (isAtEnd) tell.current(true);
      else if (scrollTop < lastTop) tell.current(false);
      lastTop = scrollTop;
      look();
    };
    const watcher = new ResizeObserver(look);
    watcher.observe(element);
    element.addEventListener('scroll', scrolled, { passive: true });
    look();
    return () => {
      watcher.disconnect();
      element.removeEventListener('scroll', scrolled);
    };
  }, [box]);
  return seen;
}

/** Scrolls as little as needed. */
function reveal(box: HTMLDivElement | null, index: number): void {
  if (box === null || index < 0) return;
  const top = index * ROW;
  const room = box.clientHeight - HEAD;
  if (top < box.scrollTop) box.scrollTop = top;
  else if (top + ROW > box.scrollTop + room) box.scrollTop = top + ROW - room;
}

function onKey(event: KeyboardEvent, props: SequenceChartProps, height: number): void {
  const { rows, selected, onSelect, onOpen } = props;
  const page = Math.max(1, Math.floor((height - HEAD) / ROW) - 1);
  const last = rows.length - 1;
  const here = selected < 0 ? last : selected;
  const targets: Readonly<Record<string, number>> = {
    ArrowDown: selected < 0 ? last : here + 1,
    ArrowUp: selected < 0 ? last : here - 1,
    PageDown: here + page,
    PageUp: here - page,
    Home: 0,
    End: last,
  };
  const target = targets[event.key];
  const placed = rows[selected];
  if (target !== undefined && last >= 0) onSelect(Math.min(last, Math.max(0, target)));
  else if (event.key === 'Enter' && placed !== undefined) onOpen(placed);
  else return;
  event.preventDefault();
}
