// What the paths of a model cover, and of the rest: why not.
// Invariant: every goal of the definition is either covered or listed with a reason that a person can act on.
import { goalKey, type Goal, type Goals } from './goals.ts';
import { placeInWords, type Graph } from './graph.ts';
import { living, scriptOf } from './moves.ts';
import type { Scripts } from './scripts.ts';
import { actorEvent, nodeName, type NamedTransition } from './transitions.ts';
import { inWords } from './words.ts';

export interface Uncovered extends Goal {
  readonly reason: string;
}

export interface Coverage {
  /** How many states of the definition are covered, of how many. */
  readonly states: { readonly covered: number; readonly total: number };
  /** How many transitions of the definition are covered, of how many; 0 of 0 when only states are asked for. */
  readonly transitions: { readonly covered: number; readonly total: number };
  readonly uncovered: readonly Uncovered[];
  /** One line, then one for each goal that is not covered, with its reason. */
  readonly text: string;
}

export interface Facts {
  readonly goals: Goals;
  readonly graph: Graph;
  readonly covered: ReadonlySet<string>;
  /** Keys of goals that some state of the graph reaches. */
  readonly reachable: ReadonlySet<string>;
  readonly leftOut: ReadonlySet<string>;
  readonly maxPaths: number;
  readonly scripts: Scripts;
}

/** Why nothing further was found. */
function limitsOf({ graph }: Facts): string {
  const limits = [
    graph.bound === undefined ? '' : `the search ended at ${graph.bound}`,
    graph.blocked.size === 0 ? '' : `no executor for ${[...graph.blocked].join(', ')}`,
    graph.faults.length === 0 ? '' : `the machine's own code threw: ${faultsOf(graph)}`,
  ].filter((limit) => limit !== '');
  return limits.length === 0 ? 'with the given events and scripts' : `within reach: ${limits.join('; ')}`;
}

function faultsOf({ faults }: Graph): string {
  const texts = new Set(faults.map((fault) => `${placeInWords(fault)}: ${String(fault.error)}`));
  return [...texts].slice(0, 3).join('; ');
}

function whyNoState(id: string, facts: Facts): string {
  if (facts.reachable.has(goalKey({ kind: 'state', id }))) return 'no tested path enters it';
  return `never entered ${limitsOf(facts)}`;
}

/** The executor that would take the transition, in words. */
function executorOf({ definition, event }: NamedTransition): string {
  const { eventType } = definition;
  if (event.startsWith('after ')) return `waits['${event.slice('after '.length)}']`;
  const { id } = actorEvent(eventType) ?? {};
  return id === undefined ? `events['${eventType}']` : `actors['${event.slice(0, event.lastIndexOf(' '))}']`;
}

function whyNoTransition(transition: NamedTransition, facts: Facts): string {
  const { graph, covered, scripts } = facts;
  const { definition, source, guard } = transition;
  const { eventType } = definition;
  if (source.path.length > 0 && !facts.reachable.has(goalKey({ kind: 'state', id: nodeName(source) })))
    return `${nodeName(source)} is never entered`;
  if (facts.reachable.has(goalKey({ kind: 'transition', id: transition.id })))
    return 'no tested path takes it';
  const faults = graph.faults.filter(({ move }) => move.event.type === eventType);
  if (faults.length > 0) return `the machine's own code threw: ${faultsOf({ ...graph, faults })}`;
  if (graph.blocked.has(executorOf(transition))) return `no executor: ${executorOf(transition)}`;
  const { kind, id } = actorEvent(eventType) ?? {};
  if (kind !== undefined && id !== undefined) {
    const child = graph.vertices.flatMap(({ state }) => living(state)).find((of) => of[0] === id);
    const given = child === undefined ? undefined : scriptOf(scripts, id, child[1]);
    const wanted = kind === 'done.actor' ? 'output' : kind === 'error.actor' ? 'error' : 'snapshot';
    if (kind === 'snapshot' || given !== undefined) {
      if (!(given ?? []).some((outcome) => wanted in outcome))
        return `no script of ${child?.[1] ?? id} has { ${wanted} }`;
    }
  }
  if (eventType.startsWith('xstate.after.') && guard === undefined)
    return `${nodeName(source)} is left, or another delay ends, before this one does (a serializeState that leaves out remaining time can hide it)`;
  if (guard !== undefined) return `guard ${guard} was never true${triedCases(transition, facts)}`;
  const rivals = facts.goals.transitions.filter(
    (other) =>
      other !== transition &&
      other.event === transition.event &&
      related(other, transition) &&
      covered.has(goalKey({ kind: 'transition', id: other.id })),
  );
  if (rivals.length > 0)
    return `another transition always comes first: ${rivals.map((other) => other.id).join('; ')}`;
  return `never taken ${limitsOf(facts)}`;
}

/** One state is the other, or inside it. */
function related({ source: a }: NamedTransition, { source: b }: NamedTransition): boolean {
  return a.path.every((key, i) => i >= b.path.length || b.path[i] === key);
}

function triedCases({ definition }: NamedTransition, { graph }: Facts): string {
  const sent = graph.vertices.flatMap(({ out }) => out.map(({ move }) => move));
  const cases = [...sent, ...graph.unmoved.map(({ move }) => move)]
    .filter(({ kind, event }) => kind !== 'wait' && event.type === definition.eventType)
    .map(({ event: { type: _, ...fields } }) => inWords(fields));
  const distinct = [...new Set(cases)];
  return distinct.length === 0 ? '' : ` with the cases ${distinct.slice(0, 5).join(', ')}`;
}

function reasonFor(goal: Goal, facts: Facts): string {
  if (facts.leftOut.has(goalKey(goal))) return `left out by maxPaths ${facts.maxPaths}`;
  if (goal.kind === 'state') return whyNoState(goal.id, facts);
  const transition = facts.goals.transitions.find(({ id }) => id === goal.id);
  if (goal.kind === 'transition' && transition !== undefined) return whyNoTransition(transition, facts);
  return 'no tested path has it';
}

/** `7 of 7 states, 9 of 10 transitions` */
export function inShort({ states, transitions }: Pick<Coverage, 'states' | 'transitions'>): string {
  const of = ({ covered, total }: Coverage['states'], what: string): string[] =>
    total === 0 ? [] : [`${covered} of ${total} ${what}`];
  const counts = [...of(states, 'states'), ...of(transitions, 'transitions')];
  return counts.length === 0 ? 'a machine without states and transitions' : counts.join(', ');
}

export function coverageOf(facts: Facts, found: readonly Goal[]): Coverage {
  const asked = new Map([...facts.goals.ofDefinition(), ...found].map((goal) => [goalKey(goal), goal]));
  const uncovered = [...asked]
    .filter(([key]) => !facts.covered.has(key))
    .map(([, goal]): Uncovered => ({ ...goal, reason: reasonFor(goal, facts) }));
  const count = (kind: Goal['kind']): { covered: number; total: number } => {
    const of = [...asked].filter(([, goal]) => goal.kind === kind);
    return { covered: of.filter(([key]) => facts.covered.has(key)).length, total: of.length };
  };
  const states = count('state');
  const transitions = count('transition');
  const line = inShort({ states, transitions });
  const rest = uncovered.map(({ kind, id, reason }) => `not covered: ${kind} ${id}: ${reason}`);
  return { states, transitions, uncovered, text: [line, ...rest].join('\n') };
}
