// What could happen next: every event that the machine knows, with what it would lead to, or why it would not.
// Invariant: asks the machine itself; an offered event does what its words say.
import type { AnyMachineSnapshot, AnyStateNode, AnyTransitionDefinition, EventObject } from 'xstate';
import { namesOf, nodesBelow } from '../../src/inspect/chart.ts';
import { statePath } from '../../src/engine/state-path.ts';
import type { Simulated } from './simulation.ts';

export type Verdict =
  /** It changes the state, or something in it. */
  | 'moves'
  | 'stays'
  /** Every guard says no. */
  | 'guarded'
  /** The state says explicitly that it does nothing. */
  | 'ignored'
  /** Nobody thought of it: a defect. */
  | 'unexpected'
  | 'ended';

export type Payload = EventObject & Readonly<Record<string, unknown>>;

export interface Choice {
  readonly event: Payload;
  readonly verdict: Verdict;
  /** Where it leads, what it does, or why nothing happens. */
  readonly words: string;
}

/** An event of the machine, with one choice for each outcome that its examples lead to, the one that does most first. */
export interface Offer {
  readonly type: string;
  readonly choices: readonly [Choice, ...Choice[]];
}

const RANK: Readonly<Record<Verdict, number>> = {
  moves: 0,
  stays: 1,
  guarded: 2,
  ignored: 3,
  unexpected: 4,
  ended: 5,
};

/** Whether something happens. */
export const isPossible = ({ verdict }: Choice): boolean => verdict === 'moves' || verdict === 'stays';

const allNodes = ({ machine }: Simulated): AnyStateNode[] => {
  const root = machine.root as AnyStateNode;
  return [root, ...nodesBelow(root)];
};

/** Every event that the machine or its examples name, those that change most first. `nowMs` is what `at` gets. */
export function offersIn(subject: Simulated, snapshot: AnyMachineSnapshot, nowMs: number): Offer[] {
  const types = new Set(subject.examples.map(({ type }) => type));
  for (const node of allNodes(subject))
    for (const type of node.transitions.keys()) if (!/^xstate\.|\*$|^$/.test(type)) types.add(type);
  const offers = [...types].map((type): Offer => {
    const examples = subject.examples.filter((example) => example.type === type);
    const payloads = (examples.length === 0 ? [{ type }] : examples).flatMap((example) =>
      inEveryAge(example, snapshot, nowMs),
    );
    const outcomes = new Map<string, Choice>();
    for (const event of payloads) {
      const choice = judge(subject, snapshot, event);
      const key = `${choice.verdict} ${choice.words}`;
      if (!outcomes.has(key)) outcomes.set(key, choice);
    }
    const choices = [...outcomes.values()].toSorted((a, b) => RANK[a.verdict] - RANK[b.verdict]);
    return { type, choices: choices as [Choice, ...Choice[]] };
  });
  return offers.toSorted((a, b) => RANK[a.choices[0].verdict] - RANK[b.choices[0].verdict]);
}

/** An example as of now, as it stands, of the past and of the future: epochs fence. */
function inEveryAge(example: EventObject, { context }: AnyMachineSnapshot, nowMs: number): Payload[] {
  const control = (context as { control?: Readonly<Record<string, unknown>> } | undefined)?.control ?? {};
  const stamped: Payload = { ...example, ...('at' in example ? { at: nowMs } : {}) };
  const epochs = Object.keys(example).filter(
    (name) => (name === 'epoch' || name.endsWith('Epoch')) && typeof control[name] === 'number',
  );
  if (epochs.length === 0) return [stamped];
  const aged = (shift: number): Payload => ({
    ...stamped,
    ...Object.fromEntries(epochs.map((name) => [name, Number(control[name]) + shift])),
  });
  return [aged(0), stamped, aged(-1), aged(1)];
}

/** What one event would lead to. */
export function judge({ machine }: Simulated, snapshot: AnyMachineSnapshot, event: Payload): Choice {
  if (snapshot.status !== 'active') return { event, verdict: 'ended', words: 'the machine has ended' };
  let taken: readonly AnyTransitionDefinition[];
  try {
    taken = machine.getTransitionData(snapshot as never, event) as readonly AnyTransitionDefinition[];
  } catch (error) {
    return { event, verdict: 'guarded', words: `a guard fails: ${String(error)}` };
  }
  if (taken.length === 0) return untaken(snapshot, event);
  const goals = taken.flatMap(({ target }) => (target ?? []) as readonly AnyStateNode[]);
  const deeds = taken.flatMap(({ actions }) => namesOf(actions));
  if (goals.length > 0) {
    const names = goals.map(({ path, id }) => path.join('.') || id);
    return { event, verdict: 'moves', words: `→ ${names.join(', ')}` };
  }
  if (deeds.length > 0) return { event, verdict: 'stays', words: `stays · ${deeds.join(', ')}` };
  return { event, verdict: 'ignored', words: `${where(snapshot)} ignores it explicitly` };
}

function untaken(snapshot: AnyMachineSnapshot, event: Payload): Choice {
  const ways = snapshot._nodes.flatMap((node) => node.transitions.get(event.type) ?? []);
  if (ways.length === 0)
    return { event, verdict: 'unexpected', words: `unexpected: ${where(snapshot)} does not handle it` };
  const guards = [...new Set(ways.flatMap(({ guard }) => (guard === undefined ? [] : namesOf([guard]))))];
  return { event, verdict: 'guarded', words: `guards say no: ${guards.join(', ') || 'unnamed'}` };
}

const where = (snapshot: AnyMachineSnapshot): string =>
  statePath(snapshot.value as Parameters<typeof statePath>[0]) || snapshot.machine.id;
