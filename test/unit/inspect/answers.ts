// What a machine answers to every event in every state, read off its resolved states; to compare two machines by.
// Invariant: knows nothing of documents or formats.
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';

export function nodesOf(machine: AnyStateMachine): AnyStateNode[] {
  const all = (node: AnyStateNode): AnyStateNode[] => [node, ...Object.values(node.states).flatMap(all)];
  return all(machine.root);
}

const pathOf = (node: AnyStateNode): string => JSON.stringify(node.path);

/** The name of an action or guard; the timers that XState adds for `after` have none. */
function nameOf(it: unknown): string {
  return typeof it === 'string' ? it : typeof it === 'function' ? '' : JSON.stringify(it);
}

function describe({ target, guard, actions, reenter }: AnyTransitionDefinition): string {
  const goals = target?.map(pathOf).join(' ') ?? 'none';
  const again = reenter && target !== undefined ? ' again' : '';
  return `${guard === undefined ? '' : `[${nameOf(guard)}] `}${goals} / ${actions.map(nameOf).join()}${again}`;
}

function matches(event: string, descriptor: string): boolean {
  if (descriptor === event || descriptor === '*') return true;
  return descriptor.endsWith('.*') && `${event}.`.startsWith(descriptor.slice(0, -1));
}

/** The transitions that are tried, from the state outwards, until one that always passes; none for an event that nothing handles. */
function answer(node: AnyStateNode, event: string): string {
  const tried: string[] = [];
  for (let at: AnyStateNode | undefined = node; at !== undefined; at = at.parent) {
    const found = [...at.transitions]
      .filter(([descriptor]) => matches(event, descriptor))
      .sort(([a], [b]) => (a === event ? -1 : b === event ? 1 : b.length - a.length))
      .flatMap(([, transitions]) => transitions);
    for (const transition of found) {
      const { target, guard, actions } = transition;
      if (target !== undefined || guard !== undefined || actions.length > 0) tried.push(describe(transition));
      // Without a guard it passes, and nothing after it is asked.
      if (guard === undefined) return tried.join(' | ');
    }
  }
  return tried.join(' | ');
}

export function eventsOf(machine: AnyStateMachine): string[] {
  return [...new Set(nodesOf(machine).flatMap((node) => [...node.transitions.keys()]))].toSorted();
}

/** State × event → what is tried; and what each state does on entry, on exit, by itself, and with which actors. */
export function answersOf(machine: AnyStateMachine, events: readonly string[]): Record<string, string> {
  const table: Record<string, string> = {};
  for (const node of nodesOf(machine)) {
    const initial = node.type === 'compound' ? node.initial.target.map(pathOf).join() : '';
    table[pathOf(node)] = [
      // A history state that does not say how deep is a shallow one.
      `${node.type} ${node.history || (node.type === 'history' ? 'shallow' : '')} ${initial}`,
      node.entry.map(nameOf).join(),
      node.exit.map(nameOf).join(),
      node.always?.map(describe).join(' | ') ?? '',
      node.invoke.map(({ src, id }) => `${JSON.stringify(src)} ${id}`).join(),
    ].join('; ');
    for (const event of events) {
      const tried = answer(node, event);
      if (tried !== '') table[`${pathOf(node)} ${event}`] = tried;
    }
  }
  return table;
}
