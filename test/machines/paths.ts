// Every configuration of a machine that its examples and delays lead to, each with a shortest path, by xstate/graph.
// Invariant: events of the past and of the present are tried in every state; only epochs are left out of the key.
import type { AnyMachineSnapshot } from 'xstate';
import { getShortestPaths } from 'xstate/graph';
import { createStepper } from '../../src/engine/index.ts';
import {
  type AnyContext,
  type AnyEvent,
  type Entry,
  inEveryAge,
  readable,
  withoutEpochs,
} from './machines.ts';

export interface Path {
  readonly state: string;
  readonly snapshot: AnyMachineSnapshot;
  readonly events: readonly AnyEvent[];
}

/** The expiry of each delay that runs in this configuration, as XState raises it. */
export function expiries(snapshot: AnyMachineSnapshot): AnyEvent[] {
  const types = snapshot._nodes.flatMap((node) => [...node.transitions.keys()]);
  return types.filter((type) => type.startsWith('xstate.after.')).map((type) => ({ type }));
}

/** What may happen in a configuration: each example in every age, and each delay. */
export function possible({ examples }: Pick<Entry, 'examples'>, snapshot: AnyMachineSnapshot): AnyEvent[] {
  if (snapshot.status === 'done') return [];
  const { control } = snapshot.context as AnyContext;
  return [...examples.flatMap((example) => inEveryAge(example, control)), ...expiries(snapshot)];
}

export function shortestPaths(entry: Pick<Entry, 'machine' | 'examples' | 'input'>): Path[] {
  const paths = getShortestPaths(entry.machine, {
    input: entry.input,
    events: (snapshot: AnyMachineSnapshot) => possible(entry, snapshot),
    serializeState: ({ value, context }: AnyMachineSnapshot) =>
      `${readable(value)} ${withoutEpochs((context as AnyContext).control)}`,
  });
  const stepper = createStepper(entry.machine);
  return paths.map(({ state, steps }) => {
    const events = steps.map(({ event }) => event as AnyEvent).filter(({ type }) => type !== 'xstate.init');
    // The graph keeps the last snapshot that it saw under a key; the path's own end is found by taking it.
    const start = stepper.start(entry.input).snapshot;
    const snapshot = events.reduce((at, event) => stepper.step(at, event).snapshot, start);
    return { state: readable(state.value), snapshot, events };
  });
}

/** One path for each configuration, in document order. */
export function configurations(entry: Pick<Entry, 'machine' | 'examples' | 'input'>): Map<string, Path> {
  const found = new Map<string, Path>();
  for (const path of shortestPaths(entry)) if (!found.has(path.state)) found.set(path.state, path);
  const place = ({ snapshot }: Path) => snapshot._nodes.map(({ order }) => order).sort((a, b) => a - b);
  const inOrder = [...found].sort(([, one], [, other]) => {
    const [ours, theirs] = [place(one), place(other)];
    const differ = ours.findIndex((order, index) => order !== theirs[index]);
    return (ours[differ] ?? -1) - (theirs[differ] ?? -1);
  });
  return new Map(inOrder);
}
