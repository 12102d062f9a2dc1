// The system under test: how a test acts on it and looks at it.
// Invariant: an executor or an assertion that is missing is said by its name; nothing is skipped in silence.
import type { AnyMachineSnapshot } from 'xstate';
import type { Move, StepOf, TestStep } from './steps.ts';

/** Does one step to the system; throws or rejects when the system will not have it. */
export type Executor<Instance, Step extends TestStep = TestStep> = (
  instance: Instance,
  step: Step,
) => unknown;

/** Looks at the system, which should be in `state`; throws or rejects when it is not. */
export type StateAssertion<Instance> = (instance: Instance, state: AnyMachineSnapshot) => unknown;

/** A system under test. In every map `'*'` stands for whatever has no entry of its own. */
export interface Sut<Instance = unknown> {
  /** A fresh system for one path. The path is given so that its scripted outcomes can be laid out beforehand. */
  readonly create: (path: SutPath) => Instance | Promise<Instance>;
  /** By type of event. */
  readonly events: Readonly<Record<string, Executor<Instance, StepOf<'event'>>>>;
  /** By state: `editing`, `form.editing`, `#id`. All that match are asked, after every step. */
  readonly states: Readonly<Record<string, StateAssertion<Instance>>>;
  /**
   * By name of the delay (`debounce`, `300 ms`): let `step.delayMs` pass, `vi.advanceTimersByTime(step.delayMs)`. That is all
   * that is left of it, or with `timing: 'middles'` a part.
   */
  readonly waits?: Readonly<Record<string, Executor<Instance, StepOf<'wait'>>>>;
  /** By `src` or id of an invoked actor: have it do its part, `step.outcome`. */
  readonly actors?: Readonly<Record<string, Executor<Instance, StepOf<'actor'>>>>;
  readonly dispose?: (instance: Instance) => unknown;
}

/** What `create` gets to know of the path. */
export interface SutPath {
  readonly description: string;
  readonly steps: readonly TestStep[];
}

/** Executors and assertions without an instance, as `@xstate/test` has them. */
export interface TestParams {
  readonly events?: Readonly<Record<string, (step: StepOf<'event'>) => unknown>>;
  readonly states?: Readonly<Record<string, (state: AnyMachineSnapshot) => unknown>>;
  readonly waits?: Readonly<Record<string, (step: StepOf<'wait'>) => unknown>>;
  readonly actors?: Readonly<Record<string, (step: StepOf<'actor'>) => unknown>>;
}

type Bound<T> = Readonly<Record<string, (instance: undefined, it: T) => unknown>>;

function bound<T>(map: Readonly<Record<string, (it: T) => unknown>> = {}): Bound<T> {
  const entries = Object.entries(map).map(([key, fn]) => [key, (_: undefined, it: T) => fn(it)] as const);
  return Object.fromEntries(entries);
}

export function sutOf({ events, states, waits, actors }: TestParams): Sut<undefined> {
  return {
    create: () => undefined,
    events: bound(events),
    states: bound(states),
    waits: bound(waits),
    actors: bound(actors),
  };
}

export type StateMatcher = (state: AnyMachineSnapshot, key: string) => boolean;

export const matchesState: StateMatcher = (state, key) =>
  key.startsWith('#') ? state._nodes.some(({ id }) => id === key.slice(1)) : state.matches(key as never);

/** The assertions for a state, by their keys; `'*'` only where no other one matches. */
export function assertionsFor(
  states: Readonly<Record<string, unknown>>,
  state: AnyMachineSnapshot,
  matcher: StateMatcher,
): string[] {
  const matching = Object.keys(states).filter((key) => key !== '*' && matcher(state, key));
  return matching.length === 0 && '*' in states ? ['*'] : matching;
}

function own<T>(map: Readonly<Record<string, T>> | undefined, keys: readonly string[]): T | undefined {
  const key = [...keys, '*'].find((name) => map !== undefined && Object.hasOwn(map, name));
  return key === undefined ? undefined : map?.[key];
}

export function executorFor<Instance>(sut: Sut<Instance>, move: Move): Executor<Instance> | undefined {
  // Each map is asked with moves of its own kind only.
  switch (move.kind) {
    case 'start':
      return () => undefined;
    case 'event':
      return own(sut.events, [move.event.type]) as Executor<Instance> | undefined;
    case 'wait':
      return own(sut.waits, [move.delay, ...move.delay.split(' + ')]) as Executor<Instance> | undefined;
    case 'actor':
      return own(sut.actors, [move.id, move.src]) as Executor<Instance> | undefined;
  }
}

/** `events['submit']` when the system has no executor for the move; undefined when it has one. */
export function missingIn<Instance>(sut: Sut<Instance>, move: Move): string | undefined {
  if (executorFor(sut, move) !== undefined) return undefined;
  if (move.kind === 'wait') return `waits['${move.delay || '*'}']`;
  return move.kind === 'actor' ? `actors['${move.src}']` : `events['${move.event.type}']`;
}
