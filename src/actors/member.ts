// An actor as its system keeps it: the address that stays while lives come and go.
// Invariant: ends once; after its end it holds no timer, no child and no listener, and its id is free.
import type { AnyMachineSnapshot, AnyStateMachine, EventObject } from 'xstate';
import type { Driven } from '../engine/drive.ts';
import type { Clock, Log, Timer } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';
import type { Actor, ActorStatus, Ending, Supervision, Transition } from './actor.ts';
import type { InspectionRecord, LiveActor, RunningTimer, Unnumbered } from './inspection.ts';
import { Life } from './life.ts';
import type { LifeOwner, Surroundings } from './life.ts';
import { isOwnEvent } from './mailbox.ts';
import { Restarts } from './restarts.ts';
import { statePath } from '../engine/state-path.ts';

/** The system, as its members see it. */
export interface Home {
  readonly clock: Clock;
  readonly log: Log | undefined;
  readonly surroundings: Surroundings;
  readonly maxMailboxSize: number;
  /** Undefined when nobody inspects, so that records are not even made. */
  readonly record: ((record: Unnumbered<InspectionRecord>) => void) | undefined;
  deadLetter(actor: string, event: EventObject): void;
  /** A crash that no actor is left to take. */
  escalated(actor: string, error: unknown): void;
  ended(member: Member): void;
}

export interface MemberOptions {
  readonly id: string;
  readonly driven: AnyStateMachine | Driven;
  readonly input: unknown;
  readonly supervise: Supervision | undefined;
  readonly parent: Member | undefined;
  readonly onTransition: ((transition: Transition) => void) | undefined;
}

export class Member implements Actor, LifeOwner, LiveActor {
  status: ActorStatus = 'active';
  restarts = 0;
  since = 0;
  readonly #home: Home;
  readonly #options: MemberOptions;
  #children: Set<Member> | undefined;
  #life: Life | undefined;
  #last: AnyMachineSnapshot | undefined;
  #stopping = false;
  #counted: Restarts | undefined;
  #restartTimer: Timer | undefined;
  #ending: Ending | undefined;
  #listeners: ((ending: Ending) => void)[] = [];

  constructor(home: Home, options: MemberOptions) {
    this.#home = home;
    this.#options = options;
    options.parent?.adopt(this);
  }

  get id(): string {
    return this.#options.id;
  }

  get parentId(): string | undefined {
    return this.#options.parent?.id;
  }

  get machine(): AnyStateMachine {
    const { driven } = this.#options;
    return 'performers' in driven ? driven.machine : driven;
  }

  timers(): readonly RunningTimer[] {
    return this.#life?.timers() ?? [];
  }

  /** Begins a life. A crash in its entry actions is a crash like any other. */
  begin(): void {
    const { driven, input } = this.#options;
    const { surroundings } = this.#home;
    this.since = this.#home.clock.now();
    this.#home.record?.({
      kind: 'created',
      actor: this.id,
      machine: this.machine,
      input,
      parent: this.parentId,
      restarts: this.restarts,
    });
    surroundings.dispatcher.run(() => {
      const life = new Life(this, surroundings, driven, input);
      this.#life = life;
      this.status = 'active';
      life.start();
      if (life !== this.#life) return;
      const snapshot = life.snapshot();
      if (snapshot.status !== 'error') {
        this.#home.record?.({ kind: 'started', actor: this.id, state: statePath(snapshot.value), snapshot });
      }
      this.#judge(life);
    });
  }

  /** Whether `effect` is carried out by a performer of this actor. */
  performs(effect: string): boolean {
    const { driven } = this.#options;
    return 'performers' in driven && Object.hasOwn(driven.performers, effect);
  }

  send(event: { readonly type: string }): void {
    const life = this.#life;
    if (life === undefined || this.status !== 'active' || this.#stopping) {
      this.#home.deadLetter(this.id, event);
      return;
    }
    if (life.mailbox.size >= this.#home.maxMailboxSize) {
      this.#home.deadLetter(this.id, event);
      throw new HoldfastError(
        `actor ${this.id} has ${life.mailbox.size} events waiting and takes no more (${event.type}); ` +
          'send less from inside its effects, or raise maxMailboxSize',
        { code: 'queue_full', retryable: true },
      );
    }
    life.send(event);
  }

  snapshot(): AnyMachineSnapshot {
    const snapshot = this.#life?.snapshot() ?? this.#last;
    if (snapshot === undefined)
      throw new HoldfastError(`actor ${this.id} never started`, { code: 'stopped' });
    return snapshot;
  }

  onDone(fn: (ending: Ending) => void): () => void {
    if (this.#ending !== undefined) {
      fn(this.#ending);
      return () => {};
    }
    this.#listeners.push(fn);
    return () => {
      this.#listeners = this.#listeners.filter((listener) => listener !== fn);
    };
  }

  stop(): void {
    if (this.#ending !== undefined || this.#stopping) return;
    this.#stopping = true;
    this.#stopChildren();
    if (this.#life === undefined) this.#end({ status: 'stopped' });
    else this.#life.stop();
  }

  handling(life: Life, event: EventObject): void {
    if (life === this.#life && event.type !== 'xstate.stop')
      this.#home.record?.({ kind: 'event', actor: this.id, event });
  }

  handled(life: Life, event: EventObject, before: AnyMachineSnapshot): void {
    if (life !== this.#life) return;
    const snapshot = life.snapshot();
    const { record } = this.#home;
    if (snapshot.value !== before.value) this.since = this.#home.clock.now();
    if (snapshot.status !== 'error' && event.type !== 'xstate.stop')
      record?.({ kind: 'handled', actor: this.id, event, snapshot });
    if (snapshot.status !== 'error' && snapshot !== before) this.#tellTransition(event, before, snapshot);
    if (life === this.#life) this.#judge(life);
  }

  dropped(event: EventObject): void {
    if (!isOwnEvent(event)) this.#home.deadLetter(this.id, event);
  }

  adopt(child: Member): void {
    this.#children ??= new Set();
    this.#children.add(child);
  }

  /** Ends the present life as if the actor had thrown `error`. */
  crash(error: unknown): void {
    if (this.#ending !== undefined || this.status === 'restarting') return;
    const { supervise, parent } = this.#options;
    const strategy = this.#stopping ? 'stop' : (supervise?.strategy ?? 'stop');
    const waitMs = strategy === 'restart' ? this.#waitMs(supervise) : undefined;
    const then = strategy === 'restart' && waitMs === undefined ? (supervise?.whenSpent ?? 'stop') : strategy;
    this.#home.log?.error({ actor: this.id, err: error, then, waitMs }, `actor ${this.id} crashed`);
    this.#home.record?.({ kind: 'crashed', actor: this.id, error, then });
    if (waitMs !== undefined) {
      this.#leave('restarting');
      this.#restartTimer = this.#home.clock.setTimer(() => {
        this.#restartTimer = undefined;
        this.restarts += 1;
        this.begin();
      }, waitMs);
      return;
    }
    this.#end({ status: 'error', error });
    if (then !== 'escalate') return;
    if (parent === undefined) this.#home.escalated(this.id, error);
    else parent.crash(error);
  }

  #waitMs(supervise: Supervision | undefined): number | undefined {
    this.#counted ??= new Restarts(supervise ?? { strategy: 'restart' });
    return this.#counted.next(this.#home.clock.now());
  }

  #judge(life: Life): void {
    const snapshot = life.snapshot();
    if (snapshot.status === 'error') this.crash(snapshot.error);
    else if (snapshot.status === 'stopped') this.#end({ status: 'stopped' });
    else if (snapshot.status === 'done') this.#end({ status: 'done', output: snapshot.output as never });
  }

  #tellTransition(event: EventObject, before: AnyMachineSnapshot, snapshot: AnyMachineSnapshot): void {
    const { record, log } = this.#home;
    const { onTransition } = this.#options;
    if ((record === undefined && onTransition === undefined) || before.value === snapshot.value) return;
    const from = statePath(before.value);
    const to = statePath(snapshot.value);
    if (from === to) return;
    record?.({ kind: 'transition', actor: this.id, event, from, to, snapshot });
    try {
      onTransition?.({ actor: this, event, from, to, snapshot });
    } catch (error) {
      log?.error({ actor: this.id, err: error }, `the onTransition listener of actor ${this.id} threw`);
    }
  }

  /** The life is over: what it held goes. */
  #leave(status: ActorStatus): void {
    const life = this.#life;
    this.status = status;
    this.#stopChildren();
    if (life === undefined) return;
    this.#last = life.snapshot();
    // From here on nothing that the old life still says is heard.
    this.#life = undefined;
    if (this.#last.status === 'active') life.stop();
    life.bury();
  }

  #end(ending: Ending): void {
    if (this.#ending !== undefined) return;
    this.#ending = ending;
    this.#leave(ending.status);
    if (this.#restartTimer !== undefined) this.#home.clock.clearTimer(this.#restartTimer);
    this.#restartTimer = undefined;
    this.#options.parent?.release(this);
    this.#home.ended(this);
    this.#home.record?.({ kind: 'ended', actor: this.id, ending });
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) {
      try {
        listener(ending);
      } catch (error) {
        this.#home.log?.error({ actor: this.id, err: error }, `an onDone listener of actor ${this.id} threw`);
      }
    }
  }

  release(child: Member): void {
    this.#children?.delete(child);
  }

  #stopChildren(): void {
    for (const child of [...(this.#children ?? [])].reverse()) child.stop();
  }
}
