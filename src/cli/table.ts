// Nodes as a table for people.
// Invariant: a column is as wide as its widest cell; what the hub does not say is shown as `-`.
import { stripVTControlCharacters } from 'node:util';
import type { NodeDescription } from '../index.ts';
import { formatDuration } from './report.ts';

/** Colours take no room. */
function widthOf(cell: string): number {
  return stripVTControlCharacters(cell).length;
}

/** Rows of cells, aligned; numbers to the right. */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: ReadonlySet<number>,
): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => widthOf(row[column] ?? ''))));
  return all.map((row) =>
    row
      .map((cell, column) => {
        const space = ' '.repeat((widths[column] ?? 0) - widthOf(cell));
        return right.has(column) ? space + cell : cell + space;
      })
      .join('  ')
      .trimEnd(),
  );
}

const HEAD = ['NODE', 'STATE', 'RUNNING', 'QUEUED', 'TASKS', 'LATENCY', 'HEARD', 'LABELS'];
const RIGHT = new Set([2, 3, 4, 5, 6]);

export function formatNodes(nodes: readonly NodeDescription[]): string[] {
  const sorted = nodes.toSorted((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true }));
  return formatTable(HEAD, sorted.map(cellsOf), RIGHT);
}

function cellsOf(node: NodeDescription): string[] {
  const { latencyMs, lastHeardMs, labels } = node;
  const pairs = typeof labels === 'object' && labels !== null ? Object.entries(labels) : [];
  return [
    node.id,
    node.state,
    count(node['running']),
    count(node['queued']),
    count(node['totalTasksExecuted']),
    typeof latencyMs === 'number' && latencyMs > 0 ? formatDuration(latencyMs) : '-',
    typeof lastHeardMs === 'number' ? `${(lastHeardMs / 1_000).toFixed(1)} s ago` : '-',
    pairs.map(([key, value]) => `${key}=${String(value)}`).join(' ') || '-',
  ];
}

function count(value: unknown): string {
  return typeof value === 'number' ? String(value) : '-';
}
