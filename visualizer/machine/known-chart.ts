// The chart of a part of a checked system: a counterexample tells only the states that its parts were in.
// Invariant: another chart is shown in its place only when it has every one of those states, and no other one has.
import type { AnyStateMachine } from 'xstate';
import { registry } from '../../machines/index.ts';
import { toDocument, type MachineDocument } from '../../src/inspect/index.ts';
import { boxId } from './statechart.ts';

interface States {
  readonly states?: Readonly<Record<string, States | undefined>>;
}

function* boxesOf({ states = {} }: States, path: readonly string[] = []): Generator<string> {
  for (const [key, inner] of Object.entries(states)) {
    yield boxId([...path, key]);
    yield* boxesOf(inner ?? {}, [...path, key]);
  }
}

const known = Object.values(registry).map(({ machine, input }) => {
  let document: MachineDocument | undefined;
  return {
    boxes: new Set(boxesOf(machine.config as States)),
    document: () => (document ??= toDocument(machine as unknown as AnyStateMachine, { input }).document),
  };
});

/** Where the checker says that an actor is which has not begun, or was stopped: no state of its machine. */
const STOPPED = 'stopped';

const found = new WeakMap<object, MachineDocument>();

/** The document of the one registered machine that has all states of this one; else this one. */
export function knownChart(seen: MachineDocument): MachineDocument {
  const before = found.get(seen);
  if (before !== undefined) return before;
  const states = [...boxesOf(seen as States)].filter((state) => state !== STOPPED);
  const fitting = known.filter(({ boxes }) => states.every((state) => boxes.has(state)));
  const document = fitting.length === 1 && fitting[0] !== undefined ? fitting[0].document() : seen;
  found.set(seen, document);
  return document;
}
