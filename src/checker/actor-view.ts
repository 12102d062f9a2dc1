// What properties see of a machine actor, made of its snapshot.
// Invariant: the same for all snapshots that the checker takes for equal.
import type { AnyMachineSnapshot } from 'xstate';

/** What properties see of a machine actor. */
export interface ActorView {
  readonly status: 'stopped' | 'active' | 'done';
  /** The leaf states, such as `connected.health.waiting`; empty while stopped. */
  readonly leaves: readonly string[];
  /** True for a state and for every state that is around it. */
  readonly in: (path: string) => boolean;
  readonly control: Readonly<Record<string, unknown>>;
}

function leavesOf(value: unknown, prefix = ''): string[] {
  if (typeof value === 'string') return [prefix + value];
  return Object.entries(value as object).flatMap(([name, inner]: [string, unknown]) => {
    const below = leavesOf(inner, `${prefix}${name}.`);
    return below.length === 0 ? [prefix + name] : below;
  });
}

const STOPPED: ActorView = { status: 'stopped', leaves: [], in: () => false, control: {} };

/** `control` picks of a context what is compared. */
export function viewOf(
  snapshot: AnyMachineSnapshot | undefined,
  control: (context: unknown) => unknown,
): ActorView {
  if (snapshot === undefined) return STOPPED;
  const leaves = leavesOf(snapshot.value);
  const around = new Set(
    leaves.flatMap((leaf) => leaf.split('.').map((_, i, names) => names.slice(0, i + 1).join('.'))),
  );
  return {
    status: snapshot.status === 'done' ? 'done' : 'active',
    leaves,
    in: (path) => around.has(path),
    control: control(snapshot.context) as ActorView['control'],
  };
}
