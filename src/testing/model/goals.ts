// What a set of paths is to cover: states, transitions, event cases, pairs of transitions.
// Invariant: a goal is told by its words; what a step covers depends on that step and the one before it only.
import type { AnyStateMachine, AnyTransitionDefinition } from 'xstate';
import { takenBy, type Edge, type Graph } from './graph.ts';
import type { ModelState } from './stepper.ts';
import { labelOf, type Move } from './steps.ts';
import { nodeName, statesOf, transitionsOf, type NamedTransition } from './transitions.ts';
import { stateInWords } from './words.ts';

/**
 * How much the paths cover, each with all of the one before:
 * - `states`: every state of the definition, and every configuration that was found;
 * - `transitions`: every transition of the definition (`always` and delayed ones too; one into a history state for every
 *   configuration that it leads to), every case of an event and every scripted outcome;
 * - `transition-pairs`: every two transitions that can follow one another.
 */
export type CoverageCriterion = 'states' | 'transitions' | 'transition-pairs';

export type GoalKind = 'state' | 'configuration' | 'transition' | 'history' | 'case' | 'pair' | 'middle';

export interface Goal {
  readonly kind: GoalKind;
  readonly id: string;
}

export class Goals {
  readonly transitions: readonly NamedTransition[];
  readonly stateNames: readonly string[];
  readonly criterion: CoverageCriterion;
  readonly #names = new Map<AnyTransitionDefinition, string>();

  constructor(machine: AnyStateMachine, criterion: CoverageCriterion) {
    this.criterion = criterion;
    this.stateNames = statesOf(machine).map(nodeName);
    this.transitions = transitionsOf(machine);
    for (const { definition, id } of this.transitions) this.#names.set(definition, id);
  }

  namesOf(state: ModelState): string[] {
    return takenBy(state).map((definition) => this.#names.get(definition) ?? definition.eventType);
  }

  /** What the definition asks for, reachable or not. */
  ofDefinition(): Goal[] {
    const states = this.stateNames.map((id): Goal => ({ kind: 'state', id }));
    if (this.criterion === 'states') return states;
    return [...states, ...this.transitions.map(({ id }): Goal => ({ kind: 'transition', id }))];
  }

  /** What one step covers. */
  ofStep(move: Move, state: ModelState): Goal[] {
    const entered = state.visited.filter((node) => node.path.length > 0);
    const goals = entered.map((node): Goal => ({ kind: 'state', id: nodeName(node) }));
    if (this.criterion === 'states') {
      const id = stateInWords(state.snapshot);
      return this.stateNames.includes(id) ? goals : [...goals, { kind: 'configuration', id }];
    }
    if (move.kind === 'event' || move.kind === 'actor') goals.push({ kind: 'case', id: labelOf(move) });
    for (const definition of takenBy(state)) {
      const id = this.#names.get(definition) ?? definition.eventType;
      goals.push({ kind: 'transition', id });
      if (definition.target?.some((node) => node.type === 'history') ?? false)
        goals.push({ kind: 'history', id: `${id} as ${stateInWords(state.snapshot)}` });
    }
    if (this.criterion === 'transition-pairs') {
      const steps = state.microsteps.filter((taken) => taken.length > 0);
      steps.slice(1).forEach((taken, i) => goals.push(...this.#pairs(steps[i] ?? [], taken)));
    }
    return goals;
  }

  /** What two steps cover because one follows the other. */
  ofPair(before: ModelState, after: ModelState): Goal[] {
    if (this.criterion !== 'transition-pairs') return [];
    const last = before.microsteps.findLast((taken) => taken.length > 0);
    const first = after.microsteps.find((taken) => taken.length > 0);
    return last === undefined || first === undefined ? [] : this.#pairs(last, first);
  }

  /** What a step covers because it came while delays were half over: what it did to each of them. */
  ofMiddle(before: ModelState, after: ModelState): Goal[] {
    const taken = after.microsteps.find((definitions) => definitions.length > 0) ?? [];
    const names = taken.map((definition) => this.#names.get(definition) ?? definition.eventType);
    return before.delays.flatMap(({ id, name, dueMs }) => {
      const now = after.delays.find((delay) => delay.id === id);
      const what = now === undefined ? 'ends' : now.dueMs === dueMs ? 'keeps' : 'restarts';
      return names.map((of): Goal => ({ kind: 'middle', id: `${of} in the middle of ${name}: ${what} it` }));
    });
  }

  #pairs(before: readonly AnyTransitionDefinition[], after: readonly AnyTransitionDefinition[]): Goal[] {
    const name = (definition: AnyTransitionDefinition): string =>
      this.#names.get(definition) ?? definition.eventType;
    return before.flatMap((one) =>
      after.map((other): Goal => ({ kind: 'pair', id: `${name(one)}, then ${name(other)}` })),
    );
  }
}

export const goalKey = ({ kind, id }: Goal): string => `${kind} ${id}`;

/** A goal with the shortest way to it that the graph knows. */
export interface Candidate {
  readonly goal: Goal;
  readonly edges: readonly Edge[];
}

/** For each goal that can be reached, in the order in which it is found, the last one or two moves of a way to it. */
export function candidatesIn(graph: Graph, goals: Goals): Candidate[] {
  const found = new Map<string, Candidate>();
  const note = (goal: Goal, edges: readonly Edge[]): void => {
    const key = goalKey(goal);
    if (!found.has(key)) found.set(key, { goal, edges });
  };
  for (const { out } of graph.vertices) {
    for (const edge of out) for (const goal of goals.ofStep(edge.move, edge.state)) note(goal, [edge]);
  }
  if (goals.criterion !== 'transition-pairs') return [...found.values()];
  for (const { out } of graph.vertices) {
    for (const edge of out) {
      for (const next of edge.to.out)
        for (const goal of goals.ofPair(edge.state, next.state)) note(goal, [edge, next]);
    }
  }
  return [...found.values()];
}
