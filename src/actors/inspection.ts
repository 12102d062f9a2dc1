// The records that tell an onlooker what happens in an actor system.
// Invariant: types only; a record is never read by the system itself, so nobody's looking changes a run.
import type { AnyMachineSnapshot, AnyStateMachine, EventObject } from 'xstate';
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

/** A record before the system numbers it. */
export type Unnumbered<R = InspectionRecord> = R extends Recorded ? Omit<R, 'seq' | 'at'> : never;
