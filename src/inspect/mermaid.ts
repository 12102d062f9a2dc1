// A statechart as a Mermaid state diagram, from the machine itself.
// Invariant: pure; shows every transition that changes the state, and leaves out what is only counted or ignored.
import type { AnyStateMachine, AnyStateNode } from 'xstate';

const AFTER = 'xstate.after.';

function idOf(node: AnyStateNode): string {
  return node.path.join('_');
}

function labelOf(eventType: string, guard: unknown): string {
  const event = eventType.startsWith(AFTER)
    ? `after ${eventType.slice(AFTER.length).split('.')[0] ?? ''}`
    : eventType === ''
      ? 'always'
      : eventType;
  return typeof guard === 'string' ? `${event} [${guard}]` : event;
}

function* nodesBelow(node: AnyStateNode): Generator<AnyStateNode> {
  for (const child of Object.values(node.states)) {
    yield child;
    yield* nodesBelow(child);
  }
}

function describe(node: AnyStateNode, indent: string, lines: string[]): void {
  const initial = node.type === 'parallel' ? undefined : node.initial?.target?.[0];
  if (initial !== undefined) lines.push(`${indent}[*] --> ${idOf(initial)}`);
  Object.values(node.states).forEach((child, index) => {
    if (index > 0 && node.type === 'parallel') lines.push(`${indent}--`);
    declare(child, indent, lines);
  });
}

function declare(node: AnyStateNode, indent: string, lines: string[]): void {
  const name = node.key === idOf(node) ? node.key : `"${node.key}" as ${idOf(node)}`;
  if (Object.keys(node.states).length > 0) {
    lines.push(`${indent}state ${name} {`);
    describe(node, `${indent}  `, lines);
    lines.push(`${indent}}`);
  } else {
    lines.push(`${indent}state ${name}`);
    if (node.type === 'final') lines.push(`${indent}${idOf(node)} --> [*]`);
  }
}

/**
 * Between which two states an arrow is drawn. Mermaid has no arrows across the border of a composite state, so both ends
 * are lifted to neighbours, and the label says which state inside is meant.
 */
function ends(from: AnyStateNode, to: AnyStateNode): { from: AnyStateNode; to: AnyStateNode; note: string } {
  let depth = 0;
  while (depth < from.path.length && depth < to.path.length && from.path[depth] === to.path[depth])
    depth += 1;
  if (depth === from.path.length) return { from: to, to, note: ' (anywhere)' };
  const lifted = (node: AnyStateNode): AnyStateNode => {
    let at = node;
    while (at.path.length > depth + 1 && at.parent !== undefined) at = at.parent;
    return at;
  };
  const target = lifted(to);
  return { from: lifted(from), to: target, note: target === to ? '' : ` (${to.key})` };
}

/** Transitions with a target, those between the same two states in one arrow. */
function arrows(machine: AnyStateMachine): string[] {
  const labels = new Map<string, Set<string>>();
  for (const node of nodesBelow(machine.root)) {
    for (const [eventType, transitions] of node.transitions) {
      for (const { target, guard } of transitions) {
        for (const goal of target ?? []) {
          const { from, to, note } = ends(node, goal);
          const arrow = `${idOf(from)} --> ${idOf(to)}`;
          const known = labels.get(arrow) ?? new Set();
          labels.set(arrow, known.add(labelOf(eventType, guard) + note));
        }
      }
    }
  }
  return [...labels].map(([arrow, events]) => `  ${arrow}: ${[...events].join(', ')}`);
}

/** Mermaid's `stateDiagram-v2` of a machine. */
export function toMermaid(machine: AnyStateMachine): string {
  const lines = ['stateDiagram-v2'];
  describe(machine.root, '  ', lines);
  return [...lines, ...arrows(machine)].join('\n');
}
