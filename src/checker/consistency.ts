// What it means that a history fits a sequential specification: the specification, the verdict, and the reasons in words.
// Invariant: specifications are pure; equal states have equal keys, and equal results equal texts.
import { canonical } from './epochs.ts';
import { eventsOf, historyActor, type HistoryCall, type History, type HistoryEvent } from './history.ts';
import type { ModelActor } from './system.ts';
import type { View } from './view.ts';

/** What an operation leads to when nothing else happens at the same time. */
export interface SequentialResult<S, R> {
  readonly state: S;
  readonly result: R;
}

/** An object as it is when it is used by one process at a time. Pure. */
export interface SequentialSpec<S, O, R> {
  readonly initial: S;
  /** Several results mean that any of them is right. */
  readonly apply: (state: S, operation: O) => SequentialResult<S, R> | readonly SequentialResult<S, R>[];
  /**
   * Independent parts of the object, such as the keys of a store, are judged apart, which is much faster and says the
   * same (linearizability is local). Each part starts as `initial`. @default one part
   */
  readonly partition?: (operation: O) => string | number;
  /** A text that is equal for equal states. @default made from plain data */
  readonly key?: (state: S) => string;
  /** An operation in words, for explanations. @default made from plain data */
  readonly inWords?: (operation: O) => string;
}

/** Why there is no order. */
export interface HistoryViolation<O, R> {
  /** So many first events have no order, and all shorter prefixes have one. The whole history where prefixes say nothing. */
  readonly prefix: number;
  /** Operations that cannot be ordered: those since the last moment when nothing of this part was open. */
  readonly calls: readonly HistoryCall<O, R>[];
  /** All of it, to print. */
  readonly text: string;
}

export type Verdict<O, R> =
  /** One order for each part that explains all results. */
  | { readonly consistent: true; readonly orders: readonly (readonly HistoryCall<O, R>[])[] }
  | { readonly consistent: false; readonly violation: HistoryViolation<O, R> };

export interface ConsistencyTester<O, R> {
  /** Judges a recorded history. @throws Error that names the event when the history is malformed */
  check(events: readonly HistoryEvent<O, R>[]): Verdict<O, R>;
  /** Judges the state of a history actor; the answer for one state is worked out once. */
  holds(history: History<O, R>): boolean;
  /** A model actor whose state is the history: tell it `HistoryEvent`s. */
  readonly history: ModelActor;
  /** A property for `always`: the history that the model actor `name` keeps is consistent. */
  always(name: string): (view: View) => boolean;
}

/** The part of a tester that is the same for all kinds of consistency. */
export function consistencyTester<O, R>(
  check: (events: readonly HistoryEvent<O, R>[]) => Verdict<O, R>,
): ConsistencyTester<O, R> {
  const known = new WeakMap<History<O, R>, boolean>();
  const holds = (history: History<O, R>) => {
    const before = known.get(history);
    if (before !== undefined) return before;
    const { consistent } = check(eventsOf(history));
    known.set(history, consistent);
    return consistent;
  };
  return {
    check,
    holds,
    history: historyActor(),
    always: (name) => (view) => holds(view.model<History<O, R>>(name)),
  };
}

/** The object's states as small numbers, with what operations lead to. */
export class SeenStates<S, O, R> {
  readonly spec: SequentialSpec<S, O, R>;
  readonly states: S[] = [];
  readonly #ids = new Map<string, number>();

  constructor(spec: SequentialSpec<S, O, R>) {
    this.spec = spec;
    this.intern(spec.initial);
  }

  intern(state: S): number {
    const key = this.spec.key?.(state) ?? canonical(state, 'the state of the object');
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    this.#ids.set(key, this.states.length);
    return this.states.push(state) - 1;
  }

  results(state: number, operation: O): readonly SequentialResult<S, R>[] {
    const found = this.spec.apply(this.states[state] as S, operation);
    return Array.isArray(found)
      ? (found as readonly SequentialResult<S, R>[])
      : [found as SequentialResult<S, R>];
  }

  /** The states that `operation` may lead to when it returns `expected`, or whatever it returns. */
  after(state: number, operation: O, expected: { readonly text: string } | undefined): number[] {
    return this.results(state, operation)
      .filter(({ result }) => expected === undefined || canonical(result) === expected.text)
      .map((outcome) => this.intern(outcome.state));
  }
}

/** A place where the search had to turn back. */
export interface DeadEnd<O, R> {
  readonly order: () => readonly HistoryCall<O, R>[];
  readonly state: number;
  /** The operation that would have to return now, and cannot. */
  readonly call: HistoryCall<O, R>;
}

/** Explanations show so many. */
export const MOST_DEAD_ENDS = 3;

/** Says why the first `prefix` events have no order. `deadEnds` are the places where the search turned back at last. */
export function explainHistory<S, O, R>(
  kind: string,
  object: SeenStates<S, O, R>,
  calls: readonly HistoryCall<O, R>[],
  prefix: number,
  deadEnds: readonly DeadEnd<O, R>[],
): HistoryViolation<O, R> {
  const asked = ({ process, operation }: HistoryCall<O, R>) =>
    `${process}: ${object.spec.inWords?.(operation) ?? canonical(operation)}`;
  const isOpen = ({ returnedAt }: HistoryCall) => returnedAt === undefined || returnedAt >= prefix;
  const inWords = (call: HistoryCall<O, R>) =>
    isOpen(call) ? `${asked(call)}, open` : `${asked(call)} → ${canonical(call.result)}`;
  const since = stretch(calls, prefix);
  const last = since.find((call) => call.returnedAt === prefix - 1);
  const lines = [
    kind === 'linearizable' && last !== undefined
      ? `not linearizable: the first ${prefix} events have no order, because of event ${prefix - 1}, ${inWords(last)}`
      : `not ${kind}: no order of its operations explains their results`,
    'these cannot be ordered (from event to event):',
    ...since.map((call) => `  ${call.invokedAt}–${isOpen(call) ? '…' : call.returnedAt}  ${inWords(call)}`),
  ];
  for (const { order, state, call } of deadEnds) {
    const late = order()
      .filter((one) => since.includes(one))
      .map(asked);
    const would = object.results(state, call.operation).map(({ result }) => canonical(result));
    lines.push(
      `after ${late.length === 0 ? 'what came before' : late.join(', then ')} the state is ${canonical(object.states[state])}: ` +
        `${asked(call)} would return ${would.join(' or ')}, not ${canonical(call.result)}`,
    );
  }
  return { prefix, calls: since, text: lines.join('\n') };
}

/** The calls of the first `prefix` events since the last moment when nothing was open that returned within them. */
function stretch<O, R>(calls: readonly HistoryCall<O, R>[], prefix: number): HistoryCall<O, R>[] {
  const within = calls.filter((call) => call.invokedAt < prefix);
  const ends = ({ returnedAt = prefix }: HistoryCall) => returnedAt;
  let quietAt = prefix - 1;
  for (const call of within.toSorted((a, b) => ends(b) - ends(a)))
    if (ends(call) < prefix && ends(call) >= quietAt) quietAt = Math.min(quietAt, call.invokedAt);
  return within.filter((call) => ends(call) >= quietAt);
}
