// A table of any length: only the rows in sight exist.
// Invariant: all rows have one height, so that a row's place is known without looking at the others.
import { useLayoutEffect, useRef, useState, type CSSProperties, type ReactNode } from 'react';

export interface Column<K extends string> {
  readonly key: K;
  readonly label: string;
  /** Numbers stand right. */
  readonly kind?: 'number';
  readonly sortable?: boolean;
  /** `wide`: left out on a narrow screen. */
  readonly when?: 'wide';
}

export interface VirtualTableProps<K extends string> {
  readonly label: string;
  readonly columns: readonly Column<K>[];
  readonly ids: readonly string[];
  readonly rowHeight: number;
  readonly sort: { readonly key: K; readonly order: 'ascending' | 'descending' };
  onSort(key: K): void;
  /** A `<tr>`. */
  row(id: string, style: CSSProperties): ReactNode;
}

/** Rows beyond the edges, so that a quick scroll finds something. */
const SPARE_ROWS = 8;

export function VirtualTable<K extends string>(props: VirtualTableProps<K>) {
  const { label, columns, ids, rowHeight, sort, onSort, row } = props;
  const box = useRef<HTMLElement>(null);
  const [seen, setSeen] = useState({ top: 0, height: 600 });
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const look = (): void =>
      setSeen((before) => {
        const now = { top: Math.floor(element.scrollTop / rowHeight), height: element.clientHeight };
        return now.top === before.top && now.height === before.height ? before : now;
      });
    const watcher = new ResizeObserver(look);
    watcher.observe(element);
    element.addEventListener('scroll', look, { passive: true });
    look();
    return () => {
      watcher.disconnect();
      element.removeEventListener('scroll', look);
    };
  }, [rowHeight]);

  const first = Math.max(0, Math.min(seen.top, ids.length - 1) - SPARE_ROWS);
  const last = Math.min(ids.length, seen.top + Math.ceil(seen.height / rowHeight) + SPARE_ROWS);
  const style: CSSProperties = { height: rowHeight };
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable by the keyboard
    <section className="table-box" ref={box} tabIndex={0} aria-label={label}>
      <table className="table" aria-rowcount={ids.length + 1}>
        <thead>
          <tr>
            {columns.map(({ key, label: name, kind, sortable, when }) => (
              <th
                key={key}
                scope="col"
                className={classes(kind, when)}
                aria-sort={sortable !== false && sort.key === key ? sort.order : undefined}
              >
                {sortable === false ? (
                  name
                ) : (
                  <button type="button" className="sort" onClick={() => onSort(key)}>
                    {name}
                    <span aria-hidden="true" className="sort-mark">
                      {sort.key === key ? (sort.order === 'ascending' ? '▲' : '▼') : ''}
                    </span>
                  </button>
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <Space height={first * rowHeight} />
          {ids.slice(first, last).map((id) => row(id, style))}
          <Space height={Math.max(0, ids.length - last) * rowHeight} />
        </tbody>
      </table>
    </section>
  );
}

export function classes(...names: readonly (string | undefined)[]): string {
  return names.filter((name) => name !== undefined).join(' ');
}

function Space({ height }: { readonly height: number }) {
  if (height === 0) return null;
  return (
    <tr aria-hidden="true" className="space" style={{ height }}>
      <td aria-label="Rows out of sight" />
    </tr>
  );
}
