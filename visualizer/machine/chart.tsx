// A machine's chart with its tools: details, all arrows, search, zoom, export.
// Invariant: what is shown of an actor is what it was given; the chart itself keeps only where one looks.
import { useCallback, useEffect, useMemo, useRef, useState, type ReactNode } from 'react';
import type { MachineDocument } from '../../src/inspect/document.ts';
import { leavesOf } from './active.ts';
import { Canvas, type CanvasTools } from './canvas.tsx';
import { Drawing } from './drawing.tsx';
import type { Placed } from './elk-graph.ts';
import type { Shown } from './shown.ts';
import type { Size } from './text-size.ts';
import { useLayout, useStatechart, type ChartOptions } from './use-layout.ts';
import './chart.css';

export interface ChartProps {
  readonly document: MachineDocument | undefined;
  readonly shown: Shown;
  /** In the address, so that a link shows the same. */
  readonly query: Readonly<Record<string, string>>;
  readonly onQuery: (query: Readonly<Record<string, string>>) => void;
  /** More tools, given the picture when it is there. */
  readonly children?: (placed: Placed | undefined) => ReactNode;
}

export function optionsIn(query: ChartProps['query']): ChartOptions {
  return {
    details: query['details'] === 'shown' ? 'shown' : 'hidden',
    arrows: query['arrows'] === 'all' ? 'all' : 'fewer',
  };
}

export function Chart({ document, shown, query, onQuery, children }: ChartProps) {
  const options = optionsIn(query);
  const chart = useStatechart(document, options.details);
  const [room, setRoom] = useState<Size>();
  const [latestRoom, setLatestRoom] = useState<Size>();
  const laid = useLayout(chart, options.arrows, room);
  const placed = laid.state === 'placed' ? laid.placed : undefined;
  const tools = useRef<CanvasTools>(null);
  const { found, search, onSearch, onNext } = useSearch(placed, tools.current);
  const focus = useFocus(placed, shown.active);
  useEffect(() => {
    if (focus !== undefined) tools.current?.show(focus, 'when hidden');
  }, [focus, latestRoom]);
  const onRoom = useCallback((size: Size) => {
    setRoom((known) => known ?? size);
    setLatestRoom(size);
  }, []);
  const toggle = (name: string, value: string): void => {
    const { [name]: current, ...rest } = query;
    onQuery(current === value ? rest : { ...rest, [name]: value });
  };
  const states = placed?.boxes.length ?? 0;
  return (
    <section className="chart" aria-label="Chart" data-laid={laid.state}>
      <div className="chart-tools">
        <input
          type="search"
          value={search}
          placeholder="Find a state"
          aria-label="Find a state"
          onChange={(event) => onSearch(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter') onNext();
          }}
        />
        {search !== '' && <output className="soft">{found.length} found</output>}
        <Toggle pressed={options.details === 'shown'} onPress={() => toggle('details', 'shown')}>
          Actions
        </Toggle>
        <Toggle pressed={options.arrows === 'all'} onPress={() => toggle('arrows', 'all')}>
          All arrows
        </Toggle>
        <span className="grow" />
        <button
          type="button"

          aria-label="Smaller"
          onClick={() => tools.current?.zoom(1 / 1.25)}
        >
          −
        </button>
        <button type="button" onClick={() => tools.current?.fit()}>
          Fit
        </button>
        <button
          type="button"

          aria-label="Larger"
          onClick={() => tools.current?.zoom(1.25)}
        >
          +
        </button>
        {children?.(placed)}
      </div>
      <Canvas
        label={`Chart of ${document?.id ?? 'a machine'} with ${states} states`}
        picture={placed}
        focus={focus}
        tools={tools}
        onRoom={onRoom}
      >
        {placed !== undefined && <Drawing placed={placed} found={found} {...shown} />}
      </Canvas>
      {laid.state === 'failed' && (
        <p className="chart-note" role="alert">
          This chart cannot be drawn: {laid.message}
        </p>
      )}
      {laid.state === 'loading' && document !== undefined && <p className="chart-note">Laying out…</p>}
    </section>
  );
}

interface ToggleProps {
  readonly pressed: boolean;
  readonly onPress: () => void;
  readonly children: ReactNode;
}

function Toggle({ pressed, onPress, children }: ToggleProps) {
  return (
    <button type="button" aria-pressed={pressed} onClick={onPress}>
      {children}
    </button>
  );
}

/** The innermost active box, which one wants to see; of several the first. */
function useFocus(placed: Placed | undefined, active: ReadonlySet<string>) {
  return useMemo(() => {
    if (placed === undefined) return undefined;
    const [leaf = ''] = leavesOf(placed.chart, active);
    return placed.boxes.find(({ box }) => box.id === leaf);
  }, [placed, active]);
}

const NONE: readonly string[] = [];

/** Boxes whose name holds the text; the first of them is brought into sight, the next with each Enter. */
function useSearch(placed: Placed | undefined, tools: CanvasTools | null) {
  const [search, setSearch] = useState('');
  const [turn, setTurn] = useState(0);
  const found = useMemo(() => {
    const text = search.trim().toLowerCase();
    if (placed === undefined || text === '') return NONE;
    const ids = placed.boxes
      .filter(({ box }) => box.id !== '' && box.name.toLowerCase().includes(text))
      .map(({ box }) => box.id);
    const at = ids.length === 0 ? 0 : turn % ids.length;
    return [...ids.slice(at), ...ids.slice(0, at)];
  }, [placed, search, turn]);
  const first = placed?.boxes.find(({ box }) => box.id === found[0]);
  useEffect(() => {
    if (first !== undefined) tools?.show(first, 'always');
  }, [first, tools]);
  const onSearch = (text: string): void => {
    setTurn(0);
    setSearch(text);
  };
  return { found, search, onSearch, onNext: () => setTurn((n) => n + 1) };
}
