// A machine as something to lay out and draw: boxes with their text, and arrows with what is written on them.
// Invariant: made from the document alone, so the machines of others are drawn as ours are; every text stays text.
import type { AnyStateNode, AnyTransitionDefinition } from 'xstate';
import {
  bareMachine,
  chartOf,
  eventOf,
  namesOf,
  nodesBelow,
  transitionsOf,
} from '../../src/inspect/chart.ts';
import type { MachineDocument } from '../../src/inspect/document.ts';

/** Actions: what a state does on entry, on exit and within. Without them a chart is half as large. */
export type Details = 'hidden' | 'shown';

export interface Box {
  /** The way to it through the keys, so that it is known in every state value. The root's is empty. */
  readonly id: string;
  readonly name: string;
  readonly kind: 'atomic' | 'compound' | 'parallel' | 'final' | 'history';
  /** A region of a parallel state: its border is dashed. */
  readonly place: 'region' | 'inside';
  readonly parent?: string;
  readonly children: readonly string[];
  /** Where it starts, for one that has an inside. */
  readonly initial?: string;
  /** Delays that run while it is active. */
  readonly delays: readonly Delay[];
  readonly lines: readonly string[];
  readonly description?: string;
}

export interface Delay {
  /** As timers have it; the event at its end is of this type. */
  readonly id: string;
  readonly name: string;
}

/** One transition. An arrow has one line for each. */
export interface Line {
  readonly id: string;
  /** The type of the event as the machine gets it; '' for `always`. */
  readonly eventType: string;
  /** In words: `after backoffDelay`. */
  readonly event: string;
  /** The guard's name; `else` for what is left when the guards before it said no. */
  readonly guard?: string;
  readonly actions: readonly string[];
}

export interface Arrow {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly lines: readonly Line[];
}

export interface Statechart {
  readonly id: string;
  readonly boxes: ReadonlyMap<string, Box>;
  readonly arrows: readonly Arrow[];
  /** Transitions that change no state, which are drawn only as details. By their box. */
  readonly within: ReadonlyMap<string, readonly Line[]>;
}

/** A box by the keys that lead to it. */
export const boxId = (path: readonly string[]): string => path.map(encodeURIComponent).join('/');

/** @throws Error when the document is no machine: a target that is not there, a name that is taken twice */
export function statechartOf(document: MachineDocument, details: Details = 'hidden'): Statechart {
  const { root, linesOf } = chartOf(bareMachine(document), { actions: details });
  const nodes = [root, ...nodesBelow(root)];
  const boxes = nodes.map((node) => boxOf(node, details === 'shown' ? linesOf(node) : invoked(node)));
  const arrows = new Map<string, { from: string; to: string; lines: Line[] }>();
  const within = new Map<string, Line[]>();
  for (const node of nodes) {
    const from = boxId(node.path);
    for (const [transition, line] of linesFrom(node)) {
      const targets = transition.target ?? [];
      if (targets.length === 0 && line.actions.length > 0)
        within.set(from, [...(within.get(from) ?? []), line]);
      for (const target of targets) {
        const to = boxId(target.path);
        const id = `${from} → ${to}`;
        const arrow = arrows.get(id) ?? { from, to, lines: [] };
        arrows.set(id, arrow);
        arrow.lines.push(line);
      }
    }
  }
  return {
    id: root.machine.id,
    boxes: new Map(boxes.map((box) => [box.id, box])),
    arrows: [...arrows].map(([id, arrow]) => ({ id, ...arrow })),
    within,
  };
}

function boxOf(node: AnyStateNode, lines: readonly string[]): Box {
  const { parent, description } = node;
  const initial = node.type === 'parallel' ? undefined : node.initial?.target?.[0];
  const deep = node.type === 'history' && node.history === 'deep';
  return {
    id: boxId(node.path),
    name: parent === undefined ? node.machine.id : node.type === 'history' ? (deep ? 'H*' : 'H') : node.key,
    kind: node.type,
    place: parent?.type === 'parallel' ? 'region' : 'inside',
    ...(parent === undefined ? {} : { parent: boxId(parent.path) }),
    children: Object.values(node.states).map(({ path }) => boxId(path)),
    ...(initial === undefined ? {} : { initial: boxId(initial.path) }),
    delays: [...new Map(node.after.map(({ delay, eventType }) => [eventType, String(delay)]))].map(
      ([id, name]) => ({ id, name: /^\d+$/.test(name) ? `${name} ms` : name }),
    ),
    lines,
    ...(description === undefined ? {} : { description }),
  };
}

const invoked = (node: AnyStateNode): string[] => node.invoke.map(({ src }) => `invoke ${String(src)}`);

function* linesFrom(node: AnyStateNode): Generator<[AnyTransitionDefinition, Line]> {
  const guarded = new Set<string>();
  for (const [nth, transition] of transitionsOf(node).entries()) {
    const { eventType, guard } = transition;
    const [name] = guard === undefined ? [] : namesOf([guard]);
    const shown = name ?? (guarded.has(eventType) ? 'else' : undefined);
    if (name !== undefined) guarded.add(eventType);
    const line = {
      id: `${boxId(node.path)}#${nth}`,
      eventType,
      event: eventOf(node, eventType),
      ...(shown === undefined ? {} : { guard: shown }),
      actions: namesOf(transition.actions),
    };
    yield [transition, line];
  }
}
