// Which steps are shown: by event, process and time; and what is searched for in them.
// Invariant: every filter is in the address.
import type { KeyboardEvent } from 'react';
import { useFollowed } from './use-followed.ts';

export interface FilterQuery {
  readonly event: string;
  readonly process: string;
  readonly span: string;
  /** What is searched for: it hides nothing. */
  readonly q: string;
}

export interface FiltersProps {
  readonly filters: FilterQuery;
  readonly processes: readonly string[];
  onChange(change: Partial<Record<keyof FilterQuery, string>>): void;
  onFind(side: 1 | -1, text: string): void;
}

const spans = [
  { span: '', label: 'All the time' },
  { span: '1s', label: 'Last second' },
  { span: '10s', label: 'Last 10 seconds' },
  { span: '1m', label: 'Last minute' },
  { span: '10m', label: 'Last 10 minutes' },
] as const;
const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000 };

/** `10s` in milliseconds; undefined for no limit. */
export function spanOf(span: string): number | undefined {
  const [, count, unit] = /^(\d{1,6})([sm])$/.exec(span) ?? [];
  const factor = unit === undefined ? undefined : UNITS[unit];
  return count === undefined || factor === undefined ? undefined : Number(count) * factor;
}

export function Filters({ filters, processes, onChange, onFind }: FiltersProps) {
  const { process, span } = filters;
  const [event, setEvent] = useFollowed(filters.event);
  const [q, setSought] = useFollowed(filters.q);
  const onKeyDown = (pressed: KeyboardEvent): void => {
    if (pressed.key !== 'Enter') return;
    pressed.preventDefault();
    onFind(pressed.shiftKey ? -1 : 1, q);
  };
  return (
    <>
      <select
        aria-label="Process"
        value={process}
        onChange={({ target }) => onChange({ process: target.value })}
      >
        <option value="">All processes</option>
        {processes.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
      <select aria-label="Time" value={span} onChange={({ target }) => onChange({ span: target.value })}>
        {spans.map((one) => (
          <option key={one.span} value={one.span}>
            {one.label}
          </option>
        ))}
      </select>
      <input
        type="search"
        aria-label="Only events of this type"
        placeholder="Event type"
        value={event}
        onChange={({ target }) => {
          setEvent(target.value);
          onChange({ event: target.value });
        }}
      />
      <span className="search">
        <input
          type="search"
          aria-label="Search in steps; Enter finds the next one"
          placeholder="Search"
          value={q}
          onChange={({ target }) => {
            setSought(target.value);
            onChange({ q: target.value });
          }}
          onKeyDown={onKeyDown}
        />
        <button type="button" aria-label="Previous match" disabled={q === ''} onClick={() => onFind(-1, q)}>
          ↑
        </button>
        <button type="button" aria-label="Next match" disabled={q === ''} onClick={() => onFind(1, q)}>
          ↓
        </button>
      </span>
    </>
  );
}
