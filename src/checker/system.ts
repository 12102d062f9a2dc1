// What a composed system is made of: actors (real machines or small models), channels, actions, budgets.
// Invariant: plain data and pure functions only; the same arguments give the same answer, or the search is void.
import type { AnyStateMachine } from 'xstate';
import type { Effect } from '../engine/step.ts';
import type { Effects } from '../../machines/types.ts';
import type { EpochFamily } from './epochs.ts';
import type { Symmetry } from './renaming.ts';

/** An event, a frame or a message: plain data. Machine actors get `at: 0` added when it lacks `at`. */
export interface Message {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** One of several things that may happen, left to the search. */
export interface Choice {
  readonly event: Message;
  /** Who gets the event. @default the actor that offers the choice */
  readonly to?: string;
  /** In plain words, for counterexamples. @default made from the event */
  readonly label?: string;
  /** It may happen, but nobody may count on it: no way out of a deadlock, no step towards a goal. @default false */
  readonly fault?: boolean;
  /** Happens only while this budget lasts, and takes one of it. @default no budget: any number of times */
  readonly budget?: string;
}

/** What an effect, a model's step or an action leads to. Parts of the same turn are told in the order of the list. */
export type Output =
  /** In the same turn, after what is already waiting in it. An actor that is stopped or done does not hear it. */
  | { readonly tell: string; readonly event: Message }
  /** Into a channel, to arrive as the channel's semantics allow. */
  | { readonly send: Message; readonly on: string }
  /**
   * An answer from the actor's own process that comes at any later time, in any order, as one of `later`; lost when
   * the actor stops. When more than `atMost` (default 1) of the same `key` wait, the oldest is forgotten.
   */
  | {
      readonly later: readonly Choice[];
      readonly key: string;
      readonly to?: string;
      readonly atMost?: number;
    }
  /** A fresh instance of a machine actor (one that runs is replaced). `input` replaces the actor's own. */
  | { readonly start: string; readonly input?: unknown }
  /** A crash: state, timers and awaited answers are lost; only `record` survives. */
  | { readonly stop: string }
  /** What is in flight on the channel is lost. */
  | { readonly clear: string };

export interface MachineActor {
  /** The object that production runs. */
  readonly machine: AnyStateMachine;
  /** Input of the first start; a function gets the record of the instance that was stopped, if there was one. */
  readonly input?: unknown;
  /** The payloads of the machine's effects. */
  readonly effects?: Effects<never>;
  /** False: not there until an output starts it. @default true */
  readonly started?: boolean;
  /**
   * The fields of the context that decide anything, for a machine that does not split its own into `control` and
   * `ledger`: they alone are compared, and properties see them alone. Whatever guards, delays, effects and `record` read
   * must be among them, or the search is void. @default `control`, or else all of the context
   */
  readonly projection?: readonly string[];
  /** What survives a stop (durable), made from the context; passed to `input` at the next start. @default nothing */
  readonly record?: (context: never) => unknown;
}

/** An actor that exists only in the model: a network, a directory, a person. State is plain data. */
export interface ModelActor<S = never> {
  readonly initial: S;
  /** Answers undefined for an event that must not come in this state: a violation. */
  readonly step: (
    state: S,
    event: Message,
  ) => { readonly state: S; readonly outputs?: readonly Output[] } | undefined;
  /** What may happen by itself in this state. @default nothing */
  readonly choices?: (state: S) => readonly Choice[];
}

export interface Channel {
  /** Ordered: only the oldest can arrive. Unordered: any. @default 'ordered' */
  readonly order?: 'ordered' | 'unordered';
  /** Any message that can arrive can also get lost; a text names the budget that each loss spends. @default false */
  readonly lossy?: boolean | string;
  /** A message can arrive and stay in flight, to arrive again; a text names the budget that each copy spends. @default false */
  readonly duplicating?: boolean | string;
  /**
   * Kept: a message that arrived stays in flight, and can arrive any number of times. An unordered channel is then a
   * set of messages that only grows, as TLA+ specifications write networks (or shrinks by losses alone).
   * @default 'taken'
   */
  readonly delivered?: 'taken' | 'kept';
  /**
   * Stays: a message does not arrive where it would change nothing and lead to nothing. It waits in flight, unordered,
   * for a state in which it matters; Stateright counts states so. @default 'taken', as every other message
   */
  readonly ignored?: 'taken' | 'stays';
  /** Most messages in flight. A channel that is lossy without a budget loses what is sent beyond it; another makes the search stop. @default 8 */
  readonly capacity?: number;
}

/** Something that the surroundings do: an operator, a client, a crash. */
export interface Action {
  readonly outputs: readonly Output[];
  /** @default no budget: any number of times */
  readonly budget?: string;
  /** False: it can be counted on, as progress. @default true */
  readonly fault?: boolean;
}

export interface SystemDefinition {
  readonly actors: Readonly<Record<string, MachineActor | ModelActor>>;
  readonly channels?: Readonly<Record<string, Channel>>;
  /** What an actor's effect leads to; [] for nothing that matters here, undefined for an effect nobody thought of (an error). */
  readonly route: (actor: string, effect: Effect) => readonly Output[] | undefined;
  /** What the arrival of a message means: one choice, or several among which the search tries all. `to` is required. */
  readonly deliver?: (channel: string, message: Message) => readonly (Choice & { readonly to: string })[];
  /** By name, in plain words. */
  readonly actions?: Readonly<Record<string, Action>>;
  /** How often each budgeted thing may happen in one run. */
  readonly budgets?: Readonly<Record<string, number>>;
  /** Which delays may run out, at any time: all of them, none, or as often as the budget allows that is named. @default all */
  readonly fires?: (actor: string, delay: string) => boolean | string;
  /** An actor or channel with more local states is taken for one that grows without bound: an error. @default 100 000 */
  readonly maxLocalStates?: number;
  /** Which epochs are compared with each other. @default all with all, which is always right but makes more states */
  readonly epochFamily?: EpochFamily;
  /**
   * Groups of names that may be exchanged with each other, so that states which differ only in who is who count as one.
   * Properties must not tell them apart. Sound by itself: what is not alike is an error that says where.
   * @default none
   */
  readonly symmetry?: Symmetry | Symmetry['groups'];
}

/** A model whose state's type is forgotten, so that it fits into a system. */
export function model<S>(definition: ModelActor<S>): ModelActor {
  // Each state that `step` gets is one that it made itself, so the type is right again inside.
  return definition as unknown as ModelActor;
}
