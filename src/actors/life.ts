// One life of an actor, from its start to its crash or end: an XState root with our mailbox, our timers and our clock.
// Invariant: the only file that reaches into XState. Nothing of XState in here reads wall time, random numbers or the
// platform's timers: its scheduler and mailbox are replaced before the actor starts (a test stubs all three to throw).
import { createActor } from 'xstate';
import type { AnyActorRef, AnyMachineSnapshot, AnyStateMachine, EventObject, InspectionEvent } from 'xstate';
import { bindPerformers } from '../engine/drive.ts';
import type { Driven } from '../engine/drive.ts';
import type { Clock, Timer } from '../ports.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { Onlooker, RunningTimer } from './inspection.ts';
import { Mailbox } from './mailbox.ts';
import type { MailboxOwner } from './mailbox.ts';
import { ActorTimers } from './timers.ts';

/** What all lives of one system share. */
export interface Surroundings {
  readonly clock: Clock;
  readonly dispatcher: Dispatcher;
  /** The same clock in XState's shape. */
  readonly xstateClock: {
    setTimeout(fn: () => void, delayMs: number): Timer;
    clearTimeout(timer: Timer): void;
  };
  readonly logger: (...parts: unknown[]) => void;
  readonly inspect: (inspected: InspectionEvent) => void;
  readonly onlooker: Onlooker;
}

/** The actor whose life it is. */
export interface LifeOwner {
  readonly id: string;
  handling(life: Life, event: EventObject): void;
  handled(life: Life, event: EventObject, before: AnyMachineSnapshot): void;
  dropped(event: EventObject): void;
}

/** The parts of XState's actor that have no public type. */
interface Inside {
  mailbox: { readonly _process: (event: EventObject) => void } | Mailbox;
  readonly system: {
    scheduler: unknown;
    _relay(source: AnyActorRef, target: AnyActorRef, event: EventObject): void;
  };
}

interface Stoppable {
  _stop(): void;
}

// An observer that takes errors keeps XState from throwing them at the process: we read them from the snapshot.
const errorsAreRead = { error(): void {} };

export class Life implements MailboxOwner {
  readonly dispatcher: Dispatcher;
  readonly mailbox: Mailbox;
  readonly onlooker: Onlooker;
  readonly #owner: LifeOwner;
  readonly #clock: Clock;
  readonly #root: AnyActorRef & { start(): unknown; stop(): unknown };
  readonly #timers: ActorTimers;
  readonly #process: (event: EventObject) => void;

  constructor(owner: LifeOwner, around: Surroundings, driven: AnyStateMachine | Driven, input: unknown) {
    this.dispatcher = around.dispatcher;
    this.onlooker = around.onlooker;
    this.#owner = owner;
    this.#clock = around.clock;
    const machine = 'performers' in driven ? driven.machine : driven;
    const root = createActor(machine as AnyStateMachine, {
      id: owner.id,
      input,
      clock: around.xstateClock,
      logger: around.logger,
      inspect: around.inspect,
    });
    if ('performers' in driven) bindPerformers(root, driven, around.onlooker);
    const inside = root as unknown as Inside;
    this.#process = (inside.mailbox as { readonly _process: (event: EventObject) => void })._process;
    this.mailbox = new Mailbox(this);
    inside.mailbox = this.mailbox;
    this.#timers = new ActorTimers(around.clock, around.onlooker, inside.system._relay);
    inside.system.scheduler = this.#timers;
    root.subscribe(errorsAreRead);
    this.#root = root;
  }

  /** Runs the entry actions of the initial state. */
  start(): void {
    this.mailbox.hold(() => this.#root.start());
  }

  snapshot(): AnyMachineSnapshot {
    return this.#root.getSnapshot() as AnyMachineSnapshot;
  }

  send(event: EventObject): void {
    this.#root.send(event);
  }

  /** At once, or after the event that is being handled. */
  stop(): void {
    this.#root.stop();
  }

  /** XState leaves the children of an actor that threw alone: they end here, with every timer of this life. */
  bury(): void {
    // What could not even begin has no children, and XState keeps a place for those that it could not make.
    const children: Readonly<Record<string, unknown>> = this.snapshot().children ?? {};
    for (const child of Object.values(children)) (child as Stoppable | undefined)?._stop();
    this.#timers.clear();
  }

  timers(): RunningTimer[] {
    return this.#timers.running();
  }

  now(): number {
    return this.#clock.now();
  }

  receive(event: EventObject): void {
    const before = this.snapshot();
    this.#owner.handling(this, event);
    this.#process(event);
    this.#owner.handled(this, event, before);
  }

  dropped(event: EventObject): void {
    this.#owner.dropped(event);
  }
}
