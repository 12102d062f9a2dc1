// The actor system: one place where machines, ours and anybody's, are spawned, addressed, supervised and stopped.
// Invariant: an id names one living actor; after `stop()` nothing of the system runs and no timer of it is left.
import type { AnyActorRef, AnyMachineSnapshot, AnyStateMachine, EventObject, InspectionEvent } from 'xstate';
import type { Effects } from '../../machines/types.ts';
import { drive } from '../engine/drive.ts';
import type { Driven, Performers } from '../engine/drive.ts';
import type { Clock, Log } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';
import { limits } from '../protocol/limits.ts';
import type { Actor, EffectOptions, SpawnOptions } from './actor.ts';
import { Dispatcher } from './dispatcher.ts';
import type {
  DetailRecord,
  InspectionRecord,
  LiveActor,
  Onlooker,
  Unnumbered,
  WatchRecord,
} from './inspection.ts';
import type { Surroundings } from './life.ts';
import { isOwnEvent } from './mailbox.ts';
import { Member } from './member.ts';
import type { Home } from './member.ts';
import { checkSupervision } from './restarts.ts';
import { statePath } from '../engine/state-path.ts';

export interface SystemOptions {
  readonly clock: Clock;
  /** @default none */
  readonly log?: Log | undefined;
  /** Gets a record of all that happens, in order. Must not throw. @default none, which costs nothing */
  readonly inspect?: ((record: InspectionRecord) => void) | undefined;
  /** Events that may wait for one actor. @default 10 000 */
  readonly maxMailboxSize?: number;
}

export interface System {
  readonly clock: Clock;
  /**
   * Starts an actor on `machine`, which may come from `drive` already, or be given with its effects and performers.
   * Its entry actions have run when this returns; a crash in them is a crash like any other.
   *
   * @throws HoldfastError `invalid_argument` when an actor of that id lives, `stopped` after `stop()`
   */
  spawn<M extends AnyStateMachine>(driven: Driven<M>, options: SpawnOptions<M>): Actor<M>;
  spawn<M extends AnyStateMachine, E extends Effects<never>>(
    machine: M,
    options: SpawnOptions<M> & EffectOptions<E>,
  ): Actor<M>;
  spawn<M extends AnyStateMachine>(
    machine: M,
    options: SpawnOptions<M> & { readonly effects?: undefined; readonly performers?: undefined },
  ): Actor<M>;
  /** The living actor of that id. */
  get(id: string): Actor | undefined;
  /** Those that live, in the order of their spawning. */
  readonly actors: ReadonlyMap<string, Actor>;
  /** Tells of all that happens from now on, in order and in detail. Nobody watching costs nothing. Returns what ends it. */
  watch(watcher: (record: WatchRecord) => void): () => void;
  /** Those that live and have a state, for who begins to watch. */
  living(): LiveActor[];
  /** Events for actors that had ended, were restarting, or had a full mailbox. */
  readonly deadLetters: number;
  /** Events that their actor, in its state, neither handled nor ignored explicitly: each is a defect. */
  readonly unexpectedEvents: number;
  /** Stops every actor. Resolves when the last has ended; twice is a no-op. */
  stop(): Promise<void>;
}

interface Given {
  readonly id: string;
  readonly input?: unknown;
  readonly supervise?: SpawnOptions<AnyStateMachine>['supervise'];
  readonly parent?: Actor;
  readonly onTransition?: SpawnOptions<AnyStateMachine>['onTransition'];
  readonly effects?: Effects<never> | undefined;
  readonly performers?: Performers<Effects<never>> | undefined;
}

/** `node-1`, or `node-1/upload` for a child that XState runs inside it. */
function pathOf(actor: InspectionEvent['actorRef']): string {
  // The inspection's type leaves out what every actor has.
  const { id, _parent: parent } = actor as AnyActorRef;
  return parent === undefined ? id : `${pathOf(parent)}/${id}`;
}

class ActorSystem implements System, Home {
  readonly clock: Clock;
  readonly log: Log | undefined;
  readonly maxMailboxSize: number;
  readonly surroundings: Surroundings;
  record: Home['record'];
  deadLetters = 0;
  unexpectedEvents = 0;
  readonly #members = new Map<string, Member>();
  readonly #inspect: SystemOptions['inspect'];
  readonly #watchers = new Set<(record: WatchRecord) => void>();
  readonly #onlooker: Onlooker = { effect: undefined, timer: undefined, sent: undefined };
  #stopped: PromiseWithResolvers<void> | undefined;
  #seq = 0;

  constructor({ clock, log, inspect, maxMailboxSize = limits.maxMailboxSize }: SystemOptions) {
    if (!Number.isSafeInteger(maxMailboxSize) || maxMailboxSize < 1) {
      throw new HoldfastError(`maxMailboxSize is ${maxMailboxSize}; give a whole number of at least 1`, {
        code: 'invalid_option',
      });
    }
    this.clock = clock;
    this.log = log;
    this.maxMailboxSize = maxMailboxSize;
    this.#inspect = inspect;
    this.#listen();
    this.surroundings = {
      clock,
      dispatcher: new Dispatcher(),
      xstateClock: {
        setTimeout: (fn, delayMs) => clock.setTimer(fn, delayMs),
        clearTimeout: (timer) => clock.clearTimer(timer),
      },
      logger: (...parts) => log?.info({}, parts.map(String).join(' ')),
      inspect: (inspected) => this.#inspected(inspected),
      onlooker: this.#onlooker,
    };
  }

  get actors(): ReadonlyMap<string, Actor> {
    return this.#members;
  }

  get(id: string): Actor | undefined {
    return this.#members.get(id);
  }

  spawn<M extends AnyStateMachine>(machine: M | Driven<M>, options: SpawnOptions<M>): Actor<M> {
    const { id, input, supervise, parent, onTransition, effects, performers } = options as unknown as Given;
    if (this.#stopped)
      throw new HoldfastError(`cannot spawn ${id}: the system has stopped`, { code: 'stopped' });
    if (id === '' || this.#members.has(id)) {
      throw new HoldfastError(
        id === ''
          ? 'an actor needs an id'
          : `an actor ${id} lives already; stop it first, or choose another id`,
        { code: 'invalid_argument' },
      );
    }
    if (parent !== undefined && this.#members.get(parent.id) !== parent) {
      throw new HoldfastError(`cannot spawn ${id}: its parent ${parent.id} does not live in this system`, {
        code: 'invalid_argument',
      });
    }
    if (supervise !== undefined) checkSupervision(id, supervise);
    const driven =
      effects === undefined || performers === undefined || 'performers' in machine
        ? machine
        : drive(machine, effects, performers);
    const member = new Member(this, {
      id,
      driven,
      input,
      supervise,
      parent: parent as Member | undefined,
      onTransition,
    });
    this.#members.set(id, member);
    member.begin();
    // A member is not generic: it hands events and snapshots on without looking into them.
    return member as unknown as Actor<M>;
  }

  stop(): Promise<void> {
    if (this.#stopped === undefined) {
      this.#stopped = Promise.withResolvers<void>();
      for (const member of [...this.#members.values()].reverse()) member.stop();
      if (this.#members.size === 0) this.#stopped.resolve();
    }
    return this.#stopped.promise;
  }

  watch(watcher: (record: WatchRecord) => void): () => void {
    const own = (record: WatchRecord): void => watcher(record);
    this.#watchers.add(own);
    this.#listen();
    return () => {
      this.#watchers.delete(own);
      this.#listen();
    };
  }

  living(): LiveActor[] {
    return [...this.#members.values()].filter(({ status }) => status === 'active');
  }

  deadLetter(actor: string, event: EventObject): void {
    this.deadLetters += 1;
    this.log?.debug({ actor, event: event.type }, `dead letter: ${event.type} to ${actor}`);
    this.record?.({ kind: 'dead_letter', actor, event });
  }

  escalated(actor: string, error: unknown): void {
    this.log?.error({ actor, err: error }, `the crash of ${actor} stops the whole system`);
    void this.stop();
  }

  ended(member: Member): void {
    this.#members.delete(member.id);
    if (this.#members.size === 0) this.#stopped?.resolve();
  }

  /** Somebody looks on, or nobody: then not even records are made. */
  #listen(): void {
    const isWatched = this.#watchers.size > 0;
    const isTold = isWatched || this.#inspect !== undefined;
    this.record = isTold ? (record) => this.#tell(record) : undefined;
    const onlooker = this.#onlooker;
    onlooker.effect = isTold
      ? (actor, effect, payload) => this.#tell({ kind: 'effect', actor, effect, payload })
      : undefined;
    onlooker.timer = isWatched
      ? (source, timer) => this.#tellWatchers({ kind: 'timer', actor: pathOf(source), timer })
      : undefined;
    onlooker.sent = isWatched ? (event) => this.#tellWatchers({ kind: 'sent', event }) : undefined;
  }

  #tell(record: Unnumbered<InspectionRecord>): void {
    this.#seq += 1;
    const numbered: InspectionRecord = { seq: this.#seq, at: this.clock.now(), ...record };
    if (this.#inspect !== undefined) this.#give(this.#inspect, numbered);
    this.#tellWatchers(numbered);
  }

  #tellWatchers(record: WatchRecord): void {
    for (const watcher of this.#watchers) this.#give(watcher, record);
  }

  #give<R>(listener: (record: R) => void, record: R): void {
    try {
      listener(record);
    } catch (error) {
      this.log?.error({ err: error }, 'the inspector threw');
    }
  }

  #inspected(inspected: InspectionEvent): void {
    if (inspected.type === '@xstate.microstep') {
      if (this.#watchers.size > 0) this.#microstep(inspected);
      if (inspected._transitions.length !== 0 || isOwnEvent(inspected.event)) return;
      this.#unexpected(pathOf(inspected.actorRef), inspected.snapshot as AnyMachineSnapshot, inspected.event);
    } else if (inspected.type === '@xstate.action' && this.record !== undefined) {
      const { type, params } = inspected.action;
      const actor = pathOf(inspected.actorRef);
      // A driven actor's performers tell by themselves, with the payload.
      if (type.startsWith('xstate.') || this.#members.get(actor)?.performs(type)) return;
      this.record({ kind: 'effect', actor, effect: type, payload: params });
    }
  }

  #microstep({ actorRef, snapshot }: Extract<InspectionEvent, { type: '@xstate.microstep' }>): void {
    const record: DetailRecord = {
      kind: 'microstep',
      actor: pathOf(actorRef),
      snapshot: snapshot as AnyMachineSnapshot,
    };
    this.#tellWatchers(record);
  }

  #unexpected(actor: string, snapshot: AnyMachineSnapshot, event: EventObject): void {
    const state = statePath(snapshot.value);
    this.unexpectedEvents += 1;
    this.log?.warn(
      { actor, state, event: event.type },
      `unexpected event ${event.type} in ${actor}, state ${state}`,
    );
    this.record?.({ kind: 'unexpected', actor, event, state });
  }
}

export function createSystem(options: SystemOptions): System {
  return new ActorSystem(options);
}
