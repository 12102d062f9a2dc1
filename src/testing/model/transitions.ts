// The states and transitions that a machine's definition has, by names that people can read.
// Invariant: every transition of the definition has exactly one name, and the same machine gives the same names.
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';

export interface NamedTransition {
  /** `editing: submit [valid] → saving` */
  readonly id: string;
  readonly definition: AnyTransitionDefinition;
  readonly source: AnyStateNode;
  /** The event in words: `submit`, `after debounce`, `loadUser done`, `always`. */
  readonly event: string;
  readonly guard: string | undefined;
}

export const nodeName = (node: AnyStateNode): string =>
  node.path.length === 0 ? '(root)' : node.path.join('.');

/** All states below the root that a machine can be in, in document order. */
export function statesOf(machine: AnyStateMachine): AnyStateNode[] {
  const below = (node: AnyStateNode): AnyStateNode[] =>
    Object.values(node.states).flatMap((child: AnyStateNode) => [child, ...below(child)]);
  return below(machine.root).filter(({ type }) => type !== 'history');
}

/** What an event says of an actor, when it is about one. */
export function actorEvent(type: string): { kind: string; id: string } | undefined {
  const [, kind, id] = /^xstate\.(done\.actor|error\.actor|snapshot)\.(.*)$/.exec(type) ?? [];
  return kind === undefined || id === undefined ? undefined : { kind, id };
}

/** XState's type of an event as a person would say it. */
function eventName(type: string, source: AnyStateNode): string {
  if (type === '') return 'always';
  const after = /^xstate\.after\.([^.]+)\./.exec(type)?.[1];
  if (after !== undefined) return `after ${/^\d+$/.test(after) ? `${after} ms` : after}`;
  const { kind, id = '' } = actorEvent(type) ?? {};
  const src = source.invoke.find((invoked) => invoked.id === id)?.src;
  const name = typeof src === 'string' ? src : id;
  if (kind === 'done.actor') return `${name} done`;
  if (kind === 'error.actor') return `${name} failed`;
  if (kind === 'snapshot') return `${name} reported`;
  return type.startsWith('xstate.done.state.') ? 'all done' : type;
}

function guardName(guard: unknown): string | undefined {
  if (guard === undefined) return undefined;
  if (typeof guard === 'string') return guard;
  if (typeof guard === 'function') {
    const { guards, name } = guard as { guards?: readonly unknown[]; name: string };
    if (guards !== undefined && /^(and|or|not)$/.test(name))
      return `${name}(${guards.map((inner) => guardName(inner) ?? '').join(', ')})`;
    return name === '' || name === 'guard' ? 'inline guard' : name;
  }
  const { type } = guard as { type?: unknown };
  return typeof type === 'string' ? type : 'inline guard';
}

function describe(source: AnyStateNode, definition: AnyTransitionDefinition): NamedTransition {
  const event = eventName(definition.eventType, source);
  const guard = guardName(definition.guard);
  const targets = definition.target?.map((node) => nodeName(node as AnyStateNode)).join(', ');
  const id = `${nodeName(source)}: ${event}${guard === undefined ? '' : ` [${guard}]`}${targets === undefined ? '' : ` → ${targets}`}`;
  return { id, definition, source, event, guard };
}

export function transitionsOf(machine: AnyStateMachine): NamedTransition[] {
  const all = [machine.root as AnyStateNode, ...statesOf(machine)].flatMap((source) =>
    [...[...source.transitions.values()].flat(), ...(source.always ?? [])].map((definition) =>
      describe(source, definition as AnyTransitionDefinition),
    ),
  );
  const seen = new Map<string, number>();
  return all.map((transition) => {
    const times = (seen.get(transition.id) ?? 0) + 1;
    seen.set(transition.id, times);
    return times === 1 ? transition : { ...transition, id: `${transition.id} (${times})` };
  });
}
