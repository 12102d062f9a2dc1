// What a user of the actor system sees: an actor, its options, its transitions and its end.
// Invariant: types only, nothing here runs.
import type { AnyStateMachine, EventFrom, InputFrom, OutputFrom, SnapshotFrom } from 'xstate';
import type { Effects, Unstamped } from '../../machines/types.ts';
import type { Performers } from '../engine/drive.ts';

/**
 * - `active`: it takes events.
 * - `restarting`: it crashed and waits for its restart; events to it are dead letters.
 * - `done`, `error`, `stopped`: it ended; its id is free again.
 */
export type ActorStatus = 'active' | 'restarting' | 'done' | 'error' | 'stopped';

/** How an actor ended. */
export type Ending<M extends AnyStateMachine = AnyStateMachine> =
  | { readonly status: 'done'; readonly output: OutputFrom<M> | undefined }
  | { readonly status: 'error'; readonly error: unknown }
  | { readonly status: 'stopped' };

/** The address of one actor. It stays the same when the actor is restarted. */
export interface Actor<M extends AnyStateMachine = AnyStateMachine> {
  readonly id: string;
  readonly status: ActorStatus;
  /** How often it was restarted after a crash. */
  readonly restarts: number;
  /**
   * Gives the actor an event; its mailbox adds `at`, the clock's monotonic milliseconds, when it is missing. The event
   * is handled before `send` returns, except inside a performer or a listener of the same system: there it waits until the
   * present event is finished. An actor that ended or is restarting makes it a dead letter.
   *
   * @throws HoldfastError `queue_full` when `maxMailboxSize` events wait; the event counts as a dead letter
   */
  send(event: Unstamped<EventFrom<M>>): void;
  /** The latest snapshot; of an actor that ended, the last one. */
  snapshot(): SnapshotFrom<M>;
  /** Calls `fn` once when the actor ends, or at once when it has ended. Returns the function that takes it back. */
  onDone(fn: (ending: Ending<M>) => void): () => void;
  /** Stops the actor and those spawned with it as `parent`. Twice is a no-op. */
  stop(): void;
}

/** One change of state. */
export interface Transition<M extends AnyStateMachine = AnyStateMachine> {
  readonly actor: Actor<M>;
  readonly event: EventFrom<M>;
  /** Readable path of the state, such as `establishing.registering`; parallel regions are joined by `, `. */
  readonly from: string;
  readonly to: string;
  readonly snapshot: SnapshotFrom<M>;
}

/** What happens when an actor crashes: when a guard, an assign, a performer or an invoked promise throws. */
export interface Supervision {
  /**
   * - `restart`: start it again from its input, after a wait that doubles with each restart in the window.
   * - `stop`: it ends with status `error`; nobody else notices.
   * - `escalate`: it ends, and its parent crashes by the same error; without a parent the whole system stops.
   */
  readonly strategy: 'restart' | 'stop' | 'escalate';
  /** Restarts within `withinMs` before the actor is given up. @default 5 */
  readonly maxRestarts?: number;
  /** The window in which restarts are counted, in milliseconds. @default 60 000 */
  readonly withinMs?: number;
  /** The wait before the first restart, in milliseconds. @default 100 */
  readonly backoffMs?: number;
  /** No wait is longer, in milliseconds. @default 10 000 */
  readonly maxBackoffMs?: number;
  /** What giving up means. @default 'stop' */
  readonly whenSpent?: 'stop' | 'escalate';
}

interface CommonOptions<M extends AnyStateMachine> {
  /** Unique among the actors that live in the system. */
  readonly id: string;
  /** @default { strategy: 'stop' } */
  readonly supervise?: Supervision;
  /** Ends, restarts and crashes of the parent stop this actor. @default none */
  readonly parent?: Actor;
  /** Called after each change of state, after its effects. What it throws is logged, and changes nothing. */
  onTransition?(transition: Transition<M>): void;
}

type InputOption<M extends AnyStateMachine> =
  undefined extends InputFrom<M> ? { readonly input?: InputFrom<M> } : { readonly input: InputFrom<M> };

export type SpawnOptions<M extends AnyStateMachine> = CommonOptions<M> & InputOption<M>;

/** For a machine with effects that was not joined to its performers by `drive` yet. */
export interface EffectOptions<E extends Effects<never>> {
  readonly effects: E;
  readonly performers: Performers<E>;
}
