// The records that tell an onlooker what happens in an actor system.
// Invariant: types only; a record is never read by the system itself, so nobody's looking changes a run.
import type { AnyActorRef, AnyMachineSnapshot, AnyStateMachine, EventObject } from 'xstate';
import type { Ending } from './actor.ts';

interface Recorded {
  /** Counts the records of one system, from 1. */
  readonly seq: number;
  /** Monotonic milliseconds of the system's clock. */
  readonly at: number;
  readonly actor: string;
}

export type InspectionRecord = Recorded &
  (
    | {
        readonly kind: 'created';
        readonly machine: AnyStateMachine;
        readonly input: unknown;
        readonly parent: string | undefined;
        /** 0 for the first life, then one more for each restart. */
        readonly restarts: number;
      }
    /** The entry actions of the initial state have run. */
    | { readonly kind: 'started'; readonly state: string; readonly snapshot: AnyMachineSnapshot }
    | { readonly kind: 'event'; readonly event: EventObject }
    /** The event is done, whether it changed anything or not. */
    | { readonly kind: 'handled'; readonly event: EventObject; readonly snapshot: AnyMachineSnapshot }
    | {
        readonly kind: 'transition';
        readonly event: EventObject;
        readonly from: string;
        readonly to: string;
        readonly snapshot: AnyMachineSnapshot;
      }
    /** An effect or another named action, about to be performed. */
    | { readonly kind: 'effect'; readonly effect: string; readonly payload: unknown }
    | { readonly kind: 'unexpected'; readonly event: EventObject; readonly state: string }
    | { readonly kind: 'dead_letter'; readonly event: EventObject }
    | { readonly kind: 'crashed'; readonly error: unknown; readonly then: 'restart' | 'stop' | 'escalate' }
    | { readonly kind: 'ended'; readonly ending: Ending }
  );

/** A delay that began, or ended: it ran out, or was cleared. */
export type TimerRecord =
  | { readonly id: string; readonly name: string; readonly delayMs: number }
  | { readonly cleared: string };

/** A delay that runs. */
export interface RunningTimer {
  readonly id: string;
  readonly name: string;
  readonly delayMs: number;
  readonly startedAt: number;
}

/** What those who watch a system get beyond the records: what happens inside one event. */
export type DetailRecord =
  /** One of the steps that an event led through. */
  | { readonly kind: 'microstep'; readonly actor: string; readonly snapshot: AnyMachineSnapshot }
  | { readonly kind: 'timer'; readonly actor: string; readonly timer: TimerRecord }
  /** The event waits for its actor from now on: the same object is handled later. */
  | { readonly kind: 'sent'; readonly event: EventObject };

export type WatchRecord = InspectionRecord | DetailRecord;

/** An actor, as those find it who begin to watch. */
export interface LiveActor {
  readonly id: string;
  readonly machine: AnyStateMachine;
  readonly parentId: string | undefined;
  /** When it entered its state, in the system's milliseconds. */
  readonly since: number;
  snapshot(): AnyMachineSnapshot;
  timers(): readonly RunningTimer[];
}

/** Who hears what the insides of actors tell. Undefined while nobody watches, so that nothing is even put together. */
export interface Onlooker {
  effect: ((actor: string, effect: string, payload: unknown) => void) | undefined;
  timer: ((source: AnyActorRef, timer: TimerRecord) => void) | undefined;
  sent: ((event: EventObject) => void) | undefined;
}

/** A record before the system numbers it. */
export type Unnumbered<R = InspectionRecord> = R extends Recorded ? Omit<R, 'seq' | 'at'> : never;
