// A value as a tree to open and close.
// Invariant: everything is text; a value of any size costs only what is open.
import { useState } from 'react';

/** Entries of one object that are shown before someone asks for more. */
const PAGE = 100;
const OPEN_DEPTH = 2;
const LONGEST = 2_000;

export function JsonTree({ value, name }: { readonly value: unknown; readonly name?: string }) {
  return (
    <div className="json">
      <Node name={name} value={value} depth={0} />
    </div>
  );
}

interface NodeProps {
  readonly name: string | undefined;
  readonly value: unknown;
  readonly depth: number;
}

function Node({ name, value, depth }: NodeProps) {
  const [limit, setLimit] = useState(PAGE);
  const [state, setState] = useState<'open' | 'closed'>(depth < OPEN_DEPTH ? 'open' : 'closed');
  const label = name === undefined ? null : <span className="json-key">{name}: </span>;
  if (typeof value !== 'object' || value === null) {
    const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
    return (
      <div className="json-leaf">
        {label}
        <span className={`json-${value === null ? 'null' : typeof value}`}>{text.slice(0, LONGEST)}</span>
      </div>
    );
  }
  const entries = Object.entries(value);
  const kind = Array.isArray(value) ? `[${entries.length}]` : `{${entries.length}}`;
  if (entries.length === 0)
    return (
      <div className="json-leaf">
        {label}
        <span className="soft">{Array.isArray(value) ? '[]' : '{}'}</span>
      </div>
    );
  return (
    <details
      open={state === 'open'}
      onToggle={(event) => setState(event.currentTarget.open ? 'open' : 'closed')}
    >
      <summary>
        {label}
        <span className="soft">{kind}</span>
      </summary>
      {state === 'open' &&
        entries
          .slice(0, limit)
          .map(([key, inner]) => <Node key={key} name={key} value={inner} depth={depth + 1} />)}
      {state === 'open' && entries.length > limit && (
        <button type="button" onClick={() => setLimit(limit + 10 * PAGE)}>
          {entries.length - limit} more
        </button>
      )}
    </details>
  );
}
