// What a machine could do in a configuration, in words.
// Invariant: reads the machine's own transitions; nothing here steps it.
import type { AnyMachineSnapshot, AnyStateMachine, AnyStateNode, EventObject } from 'xstate';

const AFTER = 'xstate.after.';

interface Way {
  readonly target?: readonly AnyStateNode[] | undefined;
  readonly guard?: unknown;
  readonly actions: readonly unknown[];
}

/** `xstate.after.backoffDelay.connection.backoff` → `after backoffDelay`; other events as they are. */
export function eventInWords(type: string): string {
  if (type === '') return 'always';
  return type.startsWith(AFTER) ? `after ${type.slice(AFTER.length).split('.')[0]}` : type;
}

function guardInWords(guard: unknown): string {
  if (guard === undefined) return '';
  if (typeof guard === 'string') return ` [${guard}]`;
  const { type, name } = guard as { type?: unknown; name?: unknown };
  return ` [${typeof type === 'string' ? type : typeof name === 'string' && name !== '' ? name : 'guard'}]`;
}

const actionInWords = (action: unknown): string =>
  typeof action === 'string' ? action : ((action as { type?: string }).type ?? 'an action');

/** `socket.closed [currentSocket] → transient_failure`, `link.active → stays (noteStale)`. */
function wayInWords(event: string, { guard, target, actions }: Way): string {
  const goal =
    target !== undefined && target.length > 0
      ? target.map((node) => node.path.join('.') || node.id).join(', ')
      : actions.length > 0
        ? `stays (${actions.map(actionInWords).join(', ')})`
        : 'ignored';
  return `${eventInWords(event)}${guardInWords(guard)} → ${goal}`;
}

/** Active state nodes, the innermost first: the order in which XState asks them. */
function active(snapshot: AnyMachineSnapshot): AnyStateNode[] {
  return [...snapshot._nodes].sort((a, b) => b.path.length - a.path.length || a.order - b.order);
}

/** Every way for `event` in this configuration, innermost first; a mark says which its guards choose. */
export function waysFor(
  machine: AnyStateMachine,
  snapshot: AnyMachineSnapshot,
  event: EventObject,
): string[] {
  let taken: readonly unknown[] = [];
  try {
    taken = machine.getTransitionData(snapshot as never, event);
  } catch {
    // A guard throws: what it leads to is unknown, what there is can still be said.
  }
  return active(snapshot).flatMap((node) =>
    [...node.transitions]
      .filter(([type]) => type === event.type)
      .flatMap(([type, ways]) => {
        const inWords = (way: Way): string =>
          `${wayInWords(type, way)}${taken.includes(way) ? '  (its guard holds)' : ''}`;
        return ways.map(inWords);
      }),
  );
}

/** Everything that can change something in this configuration, each once. */
export function possibleIn(snapshot: AnyMachineSnapshot): string[] {
  const ways = active(snapshot).flatMap((node) =>
    [...node.transitions].flatMap(([type, some]) =>
      some
        .filter(({ target, actions }) => (target?.length ?? 0) > 0 || actions.length > 0)
        .map((way) => wayInWords(type, way)),
    ),
  );
  return [...new Set(ways)];
}

/** Ids of the delays that run while these states are active, as far as the states alone tell. */
export function delaysOf(snapshot: AnyMachineSnapshot): string[] {
  return active(snapshot).flatMap((node) =>
    [...node.transitions.keys()].filter((type) => type.startsWith(AFTER)),
  );
}
