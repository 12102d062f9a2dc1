// A statechart as a Mermaid state diagram, from the machine itself.
// Invariant: every name is written so that Mermaid's parser takes it for text, whatever characters it has.
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { chartOf, nodesBelow, type Arrow, type Chart, type ChartOptions } from './chart.ts';

/** Words that Mermaid's grammar of state diagrams takes for its own, in lower case; `root` is its name for the diagram. */
const RESERVED = new Set(
  'accdescr acctitle as class classdef click default direction end fork hide href join left note of right root scale state style tooltip choice start'.split(
    ' ',
  ),
);

/** Mermaid's codes for what its grammar would read as more than text. */
const CODES: Readonly<Record<string, string>> = {
  '#': '#35;',
  ':': '#58;',
  ';': '#59;',
  '"': '#quot;',
  '<': '#lt;',
  '>': '#gt;',
  '&': '#amp;',
  '%': '#37;',
  '{': '#123;',
  '}': '#125;',
};

function textOf(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[#:;"<>&%{}]|-(?=-)|^\[\*\]/g, (it) => CODES[it] ?? codesOf(it));
}

function codesOf(text: string): string {
  return text.replace(/./g, (it) => `#${it.charCodeAt(0)};`);
}

/** Mermaid makes ids of its own too: `a_start` and `a_end` in a composite state `a`. */
function safeId(id: string): string {
  if (/_(start|end)$/i.test(id)) return `${id}_`;
  return RESERVED.has(id.toLowerCase()) || /^_*$|^\d/.test(id) ? `state_${id}` : id;
}

class Diagram {
  readonly #chart: Chart;
  readonly #ids = new Map<AnyStateNode, string>();

  constructor(chart: Chart) {
    this.#chart = chart;
    const taken = new Set<string>();
    for (const node of [chart.root, ...nodesBelow(chart.root)]) {
      const name = node.parent === undefined ? node.machine.id : node.path.join('_');
      const base = safeId(name.replace(/[^A-Za-z0-9_]/g, '_'));
      let id = base;
      for (let n = 2; taken.has(id); n += 1) id = `${base}_${n}`;
      taken.add(id);
      this.#ids.set(node, id);
    }
  }

  lines(separator: string): string[] {
    const { root } = this.#chart;
    // The diagram itself can have neither regions nor a note.
    const framed = root.type === 'parallel' || this.#chart.linesOf(root).length > 0;
    return [...(framed ? this.#state(root, '  ') : this.#inside(root, '  ')), ...this.#arrows(separator)];
  }

  #id(node: AnyStateNode): string {
    return this.#ids.get(node) ?? '';
  }

  #inside(node: AnyStateNode, indent: string): string[] {
    const initial = node.type === 'parallel' ? undefined : node.initial?.target?.[0];
    const start = initial === undefined ? [] : [`${indent}[*] --> ${this.#id(initial)}`];
    const children = Object.values(node.states).flatMap((child, index) => [
      ...(index > 0 && node.type === 'parallel' ? [`${indent}--`] : []),
      ...this.#state(child, indent),
    ]);
    return [...start, ...children];
  }

  #state(node: AnyStateNode, indent: string): string[] {
    const id = this.#id(node);
    const key = node.parent === undefined ? node.machine.id : node.key;
    const label = node.type !== 'history' ? key : node.history === 'deep' ? 'H*' : 'H';
    const isLeaf = Object.keys(node.states).length === 0;
    // Bare, a first line of text would take the name's place, and Mermaid 12 reads on into the next composite state.
    const name = label === id && !isLeaf ? id : `"${textOf(label)}" as ${id}`;
    if (isLeaf) {
      const end = node.type === 'final' ? [`${indent}${id} --> [*]`] : [];
      const lines = this.#chart.linesOf(node).map((line) => `${indent}${id} : ${textOf(line)}`);
      return [`${indent}state ${name}`, ...lines, ...end];
    }
    const inside = this.#inside(node, `${indent}  `);
    return [`${indent}state ${name} {`, ...inside, `${indent}}`, ...this.#note(node, indent)];
  }

  /** A composite state has no text of its own but its name, so the rest is a note beside it. */
  #note(node: AnyStateNode, indent: string): string[] {
    const lines = this.#chart.linesOf(node).map((line) => `${indent}  ${textOf(line)}`);
    return lines.length === 0
      ? []
      : [`${indent}note right of ${this.#id(node)}`, ...lines, `${indent}end note`];
  }

  /** Transitions between the same two states are one arrow. */
  #arrows(separator: string): string[] {
    const labels = new Map<string, Set<string>>();
    for (const drawn of this.#chart.arrows) {
      const { from, to, note } = ends(drawn);
      if (to.parent === undefined) continue;
      const arrow = `${this.#id(from)} --> ${this.#id(to)}`;
      const known = labels.get(arrow) ?? new Set();
      labels.set(arrow, known.add(textOf(drawn.label + note)));
    }
    return [...labels].map(([arrow, events]) => `  ${arrow}: ${[...events].join(separator)}`);
  }
}

/**
 * Between which two states an arrow is drawn. Mermaid has no arrows across the border of a composite state, so both ends
 * are lifted to neighbours, and the label says which state inside is meant.
 */
function ends({ from, to: goal }: Arrow): { from: AnyStateNode; to: AnyStateNode; note: string } {
  // Into the root is into where it starts.
  const to = goal.parent === undefined ? (Object.values(goal.states)[0] ?? goal) : goal;
  if (from === to) return { from, to, note: '' };
  let depth = 0;
  while (depth < from.path.length && depth < to.path.length && from.path[depth] === to.path[depth])
    depth += 1;
  if (depth === from.path.length) return { from: to, to, note: ' (anywhere)' };
  if (depth === to.path.length) return { from: to, to, note: ` (from ${from.key})` };
  const lifted = (node: AnyStateNode): AnyStateNode => {
    let at = node;
    while (at.path.length > depth + 1 && at.parent !== undefined) at = at.parent;
    return at;
  };
  const target = lifted(to);
  return { from: lifted(from), to: target, note: target === to ? '' : ` (${to.key})` };
}

/**
 * Mermaid's `stateDiagram-v2` of a machine. Without actions it shows every transition that changes the state, and
 * leaves out what is only counted.
 */
export function toMermaid(machine: AnyStateMachine, options: ChartOptions = {}): string {
  const diagram = new Diagram(chartOf(machine, options));
  const lines = diagram.lines(options.actions === 'hidden' ? ', ' : '<br/>');
  return `${['stateDiagram-v2', ...lines].join('\n')}\n`;
}
