// A machine as something to draw: its states, and what is written on them and on the arrows between them.
// Invariant: made from the document of the machine, so everything has a name, and ignores are in it only when asked for.
import { createMachine, type AnyStateMachine, type AnyStateNode, type AnyTransitionDefinition } from 'xstate';
import { toDocument, type DocumentOptions, type MachineDocument } from './document.ts';

export interface ChartOptions extends DocumentOptions {
  /** Actions on arrows; and in states what they do on entry, on exit, within, and which actors they invoke. @default 'shown' */
  readonly actions?: 'hidden' | 'shown' | undefined;
}

export interface Arrow {
  readonly from: AnyStateNode;
  readonly to: AnyStateNode;
  readonly label: string;
}

export interface Chart {
  readonly root: AnyStateNode;
  readonly arrows: readonly Arrow[];
  /** What is written in a state under its name. */
  linesOf(node: AnyStateNode): string[];
}

/** A machine made from a document: only names, so it has structure and no behaviour. */
export function bareMachine(document: MachineDocument): AnyStateMachine {
  return createMachine(document as never) as unknown as AnyStateMachine;
}

export function chartOf(machine: AnyStateMachine, options: ChartOptions = {}): Chart {
  const { root } = bareMachine(toDocument(machine, options).document);
  const actions = options.actions ?? 'shown';
  return {
    root,
    arrows: [root, ...nodesBelow(root)].flatMap((node) => arrowsFrom(node, actions)),
    linesOf: (node) => [
      ...(node.description === undefined ? [] : node.description.split('\n')),
      ...(actions === 'shown' ? doings(node) : []),
      ...(options.ignores === 'shown' ? ignored(node) : []),
    ],
  };
}

export function* nodesBelow(node: AnyStateNode): Generator<AnyStateNode> {
  for (const child of Object.values(node.states)) {
    yield child;
    yield* nodesBelow(child);
  }
}

/** Names of actions as they stand in a document; the timers that XState adds for `after` have none. */
export function namesOf(actions: readonly unknown[]): string[] {
  return actions.flatMap((action) => {
    if (typeof action === 'string') return [action];
    return typeof action === 'function' ? [] : [(action as { type: string }).type];
  });
}

/** All transitions of a state in the order in which they are written, `always` last. */
export function transitionsOf(node: AnyStateNode): AnyTransitionDefinition[] {
  return [...[...node.transitions.values()].flat(), ...(node.always ?? [])];
}

function arrowsFrom(node: AnyStateNode, actions: 'hidden' | 'shown'): Arrow[] {
  return transitionsOf(node).flatMap((transition) =>
    (transition.target ?? []).map((to) => ({ from: node, to, label: labelOf(node, transition, actions) })),
  );
}

function labelOf(
  node: AnyStateNode,
  transition: AnyTransitionDefinition,
  actions: 'hidden' | 'shown',
): string {
  const done = actions === 'shown' ? namesOf(transition.actions) : [];
  return `${eventOf(node, transition.eventType)}${conditionOf(transition)}${done.length === 0 ? '' : ` / ${done.join(', ')}`}`;
}

function conditionOf({ guard }: AnyTransitionDefinition): string {
  const [name] = guard === undefined ? [] : namesOf([guard]);
  return name === undefined ? '' : ` [${name}]`;
}

/** An event as a person says it: `after 1000 ms`, `always`, `done`, `load failed`. */
export function eventOf(node: AnyStateNode, eventType: string): string {
  if (eventType === '') return 'always';
  const timer = node.after.find((it) => it.eventType === eventType);
  if (timer !== undefined)
    return `after ${String(timer.delay)}${typeof timer.delay === 'number' ? ' ms' : ''}`;
  if (eventType === `xstate.done.state.${node.id}`) return 'done';
  for (const { id, src } of node.invoke) {
    const actor = String(src);
    if (eventType === `xstate.done.actor.${id}`) return `${actor} done`;
    if (eventType === `xstate.error.actor.${id}`) return `${actor} failed`;
    if (eventType === `xstate.snapshot.${id}`) return `${actor} changed`;
  }
  return eventType === 'xstate.route' ? 'route' : eventType;
}

/** Entry, exit, actors, and transitions that leave the state as it is; those that do the same in one line. */
function doings(node: AnyStateNode): string[] {
  const [entry, exit] = [namesOf(node.entry), namesOf(node.exit)];
  const within = new Map<string, string[]>();
  for (const transition of transitionsOf(node)) {
    const done = namesOf(transition.actions);
    if (transition.target !== undefined || done.length === 0) continue;
    const deed = `${conditionOf(transition)} / ${done.join(', ')}`;
    within.set(deed, [...(within.get(deed) ?? []), eventOf(node, transition.eventType)]);
  }
  return [
    ...(entry.length === 0 ? [] : [`entry / ${entry.join(', ')}`]),
    ...(exit.length === 0 ? [] : [`exit / ${exit.join(', ')}`]),
    ...node.invoke.map(({ src }) => `invoke ${String(src)}`),
    ...[...within].map(([deed, events]) => few(events) + deed),
  ];
}

/** A line that names a dozen events hides the picture. */
function few(events: readonly string[]): string {
  return events.length > 4 ? `${events.length} events` : events.join(', ');
}

function ignored(node: AnyStateNode): string[] {
  const events = [...node.transitions].filter(([, transitions]) =>
    transitions.every(({ target, guard, actions }) => !target && !guard && actions.length === 0),
  );
  return events.length === 0 ? [] : [`ignores ${events.map(([type]) => eventOf(node, type)).join(', ')}`];
}
