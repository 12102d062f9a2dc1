// Compiles a flat machine into a transition table over rows of numbers, for lifecycles by the hundred thousand.
// Invariant: the machine object is the one that XState runs; same events, same states, same effects in the same order.
import type { AnyStateMachine, ContextFrom, EventFrom, InputFrom } from 'xstate';
import type { Effects } from '../../machines/types.ts';
import type { AnyPerformers, AnyRow } from './operations.ts';
import { buildTable, type Verdict } from './table.ts';
import type { Observer } from './table-records.ts';

/** One actor. Whoever runs it may give it further fields (see `CompiledMachine.enter`). */
export interface CompiledActor<C> {
  /** Index into `CompiledMachine.states`. While an effect of the way in is performed, it is the state that is entered. */
  state: number;
  /** Belongs to the actor: transitions replace its two parts in place. */
  context: C;
}

/** The events that nobody sends: the start, and the expiry of a delay. */
export interface OwnEvent {
  readonly type: `xstate.${string}`;
}

/** One performer for each effect. It reads what it needs from the actor, whose context is that of the effect's place. */
export type RowPerformers<X extends Effects<never>, A, E> = {
  readonly [K in keyof X]: (actor: A, event: E | OwnEvent) => void;
};

export interface CompileOptions<A> {
  /**
   * Called after the entry actions of each state that is entered, where XState would set the state's delay: clear the
   * timer of the state before, then ask `delayMs`. @default nothing
   */
  readonly entered?: ((actor: A) => void) | undefined;
}

export interface CompiledMachine<
  C,
  E extends { readonly type: string },
  A extends CompiledActor<C> = CompiledActor<C>,
  I = unknown,
> {
  readonly id: string;
  /** Index ↔ name. */
  readonly states: readonly string[];
  /** Index ↔ type. */
  readonly events: readonly string[];
  /** By state: nothing can happen any more. */
  readonly final: readonly boolean[];
  /** -1 for an unknown state. */
  stateIndex(name: string): number;
  /** -1 for an unknown event. */
  eventIndex(type: string): number;
  /** A fresh context. @throws Error when it holds anything but numbers in `control` and `ledger` */
  initialContext(input: I): C;
  /** A new actor without fields of its own, in the initial state, whose entry actions have run. */
  start(this: CompiledMachine<C, E, CompiledActor<C>, I>, context: C): CompiledActor<C>;
  /** The same for an actor object that the caller made: sets `state`, runs the entry actions. */
  readonly enter: (actor: A) => void;
  /**
   * One event: 0 handled; 1 ignored (explicitly, or the actor is done); 2 unexpected (no transition, or none whose guard holds).
   * A performer may send to its own actor: that event is taken up (0) once the present one is done, and when it then
   * proves unexpected, the outer `send` answers 2.
   *
   * @throws what a guard, an assigner or a performer throws; the actor must not be used afterwards
   */
  readonly send: (actor: A, event: E) => Verdict;
  /** The delay of the actor's state in milliseconds, evaluated now, or -1. Delays read the context only. */
  readonly delayMs: (actor: A) => number;
  /** The delay of the actor's state is over. Answers 2 when the state has none, 1 when no guard holds. */
  readonly expire: (actor: A) => Verdict;
  /**
   * Has `observer` told of each event of each actor, after it was handled or ignored; with undefined of none. An event
   * that throws is not told.
   */
  readonly observe: (observer: Observer<A> | undefined) => void;
}

/** A context in two parts, of numbers only. */
type Row<C> = C extends { readonly control: infer Control; readonly ledger: infer Ledger }
  ? {
      readonly control: { readonly [K in keyof Control]: number };
      readonly ledger: { readonly [K in keyof Ledger]: number };
    }
  : never;
type OfRows<M extends AnyStateMachine> =
  ContextFrom<M> extends Row<ContextFrom<M>>
    ? unknown
    : { readonly 'context must be { control, ledger } of numbers': never };

/**
 * Compiles `machine`. The performers are called directly; the payload functions of `effects` are not (`recordEffects`
 * calls them, for tests).
 *
 * @throws Error that names machine, state, feature and remedy, for everything outside the subset: nested, parallel and
 *   history states, invoke, spawn, `always`, `reenter`, wildcards, root-level transitions, inline functions, parameters,
 *   more than one `after` a state, delays in digits, built-in actions other than `assign`, composed guards, an effect
 *   without a performer; and, when a context is made, anything in it but numbers
 */
export function compile<
  M extends AnyStateMachine,
  X extends Effects<never>,
  A extends CompiledActor<ContextFrom<M>> = CompiledActor<ContextFrom<M>>,
>(
  machine: M & OfRows<M>,
  effects: X,
  performers: RowPerformers<X, A, EventFrom<M>>,
  options: CompileOptions<A> = {},
): CompiledMachine<ContextFrom<M>, EventFrom<M>, A, InputFrom<M>> {
  // The table knows rows and events by their shape; the types of this one machine are taken off here and put on again.
  const table = buildTable(
    machine,
    Object.keys(effects),
    performers as unknown as AnyPerformers,
    options.entered as ((actor: AnyRow) => void) | undefined,
  );
  return table as unknown as CompiledMachine<ContextFrom<M>, EventFrom<M>, A, InputFrom<M>>;
}

/** Performers that compute each effect's payload at its place and hand it to `record`. For tests and traces. */
export function recordEffects<X extends Effects<never>, C>(
  effects: X,
  record: (type: string, payload: object, actor: CompiledActor<C>) => void,
): { readonly [K in keyof X]: (actor: CompiledActor<C>, event: { readonly type: string }) => void } {
  const performers = Object.entries(effects).map(([type, payloadOf]) => [
    type,
    (actor: CompiledActor<C>, event: { readonly type: string }) =>
      record(type, payloadOf({ context: actor.context, event } as never), actor),
  ]);
  return Object.fromEntries(performers);
}
