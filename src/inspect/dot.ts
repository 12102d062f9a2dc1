// A statechart as a Graphviz graph: states are boxes, composite states clusters, regions of parallel states dashed.
// Invariant: every name is a quoted string, so that Graphviz takes any character for text.
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { chartOf, type Chart, type ChartOptions } from './chart.ts';

/** Graphviz knows `\` as an escape and HTML's entities in labels. */
function quoted(text: string): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('&', '&amp;');
  return `"${escaped.replaceAll(/\r?\n/g, '\\n')}"`;
}

/** A name that no other state has: the keys of the path, with the dots inside them doubled. */
function idOf(node: AnyStateNode): string {
  return quoted(node.path.map((key) => key.replaceAll('.', '..')).join('.'));
}

function clusterOf(node: AnyStateNode): string {
  return `"cluster ${idOf(node).slice(1)}`;
}

function isComposite(node: AnyStateNode): boolean {
  return Object.keys(node.states).length > 0;
}

/** The name, and under it line by line, from the left, what the state does. */
function labelOf(name: string, lines: readonly string[]): string {
  if (lines.length === 0) return quoted(name);
  return `"${[name, ...lines].map((line, i) => `${quoted(line).slice(1, -1)}${i === 0 ? '\\n' : '\\l'}`).join('')}"`;
}

function state(node: AnyStateNode, chart: Chart, indent: string): string[] {
  if (isComposite(node)) return composite(node, chart, indent);
  if (node.type === 'history')
    return [`${indent}${idOf(node)} [shape=circle, label="${node.history === 'deep' ? 'H*' : 'H'}"];`];
  const ending = node.type === 'final' ? ', peripheries=2' : '';
  return [`${indent}${idOf(node)} [label=${labelOf(node.key, chart.linesOf(node))}${ending}];`];
}

function composite(node: AnyStateNode, chart: Chart, indent: string): string[] {
  const inner = `${indent}  `;
  const style = node.parent?.type === 'parallel' ? '"rounded,dashed"' : '"rounded"';
  return [
    `${indent}subgraph ${clusterOf(node)} {`,
    `${inner}label=${labelOf(node.key, chart.linesOf(node))};`,
    `${inner}style=${style};`,
    // Graphviz draws edges between nodes only; this one stands for the cluster.
    `${inner}${idOf(node)} [shape=point, style=invis];`,
    ...inside(node, chart, inner),
    `${indent}}`,
  ];
}

function inside(node: AnyStateNode, chart: Chart, indent: string): string[] {
  const children = Object.values(node.states).flatMap((child) => state(child, chart, indent));
  const initial = node.type === 'parallel' ? undefined : node.initial?.target?.[0];
  if (initial === undefined) return children;
  const start = `"start ${idOf(node).slice(1)}`;
  return [
    ...children,
    `${indent}${start} [shape=point, width=0.12];`,
    `${indent}${start} -> ${idOf(initial)}${attributes(isComposite(initial) ? [`lhead=${clusterOf(initial)}`] : [])};`,
  ];
}

function attributes(list: readonly string[]): string {
  return list.length === 0 ? '' : ` [${list.join(', ')}]`;
}

/** Graphviz's DOT text of a machine; `dot -Tsvg` draws it. */
export function toDot(machine: AnyStateMachine, options: ChartOptions = {}): string {
  const chart = chartOf(machine, options);
  const { root } = chart;
  const edges = chart.arrows.map(({ from, to, label }) => {
    const ends = [
      ...(isComposite(from) ? [`ltail=${clusterOf(from)}`] : []),
      ...(isComposite(to) && from !== to ? [`lhead=${clusterOf(to)}`] : []),
    ];
    return `    ${idOf(from)} -> ${idOf(to)}${attributes([`label=${quoted(label)}`, ...ends])};`;
  });
  const body = isComposite(root)
    ? composite(root, chart, '  ')
    : [`  ${idOf(root)} [label=${labelOf(root.key, chart.linesOf(root))}];`];
  return [
    `digraph ${quoted(root.machine.id)} {`,
    '  compound=true;',
    '  node [shape=box, style=rounded, fontname="Helvetica", fontsize=11];',
    '  edge [fontname="Helvetica", fontsize=9];',
    '  graph [fontname="Helvetica", fontsize=11];',
    ...body,
    ...edges.map((edge) => edge.slice(2)),
    '}',
    '',
  ].join('\n');
}
