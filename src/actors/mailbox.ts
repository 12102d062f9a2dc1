// What waits for one actor: events of senders, of its own timers, and of the children that XState runs inside it.
// Invariant: every event that reaches an actor passes here, and is stamped with the time of its arrival.
import type { EventObject } from 'xstate';
import type { Dispatcher } from './dispatcher.ts';
import { Fifo } from './fifo.ts';
import type { Onlooker } from './inspection.ts';

/** The life of an actor that a mailbox belongs to. */
export interface MailboxOwner {
  readonly dispatcher: Dispatcher;
  readonly onlooker: Onlooker;
  now(): number;
  /** Handles one event to its end. Must not throw. */
  receive(event: EventObject): void;
  /** Gets the events that waited when the mailbox was cleared. */
  dropped(event: EventObject): void;
}

/** XState's own events (`after`, done, stop, …) carry no time: no assign that they reach may read it. */
export function isOwnEvent(event: EventObject): boolean {
  return event.type.startsWith('xstate.');
}

/** Has the shape of XState's own mailbox, which has no limit and knows of one actor only. */
export class Mailbox {
  readonly #owner: MailboxOwner;
  #events: Fifo<EventObject> | undefined;
  #handling = false;

  constructor(owner: MailboxOwner) {
    this.#owner = owner;
  }

  /** Events that wait, the one that is being handled not counted. */
  get size(): number {
    return this.#events?.size ?? 0;
  }

  /** XState calls this when the actor has started; turns are given out by the dispatcher, so there is nothing to do. */
  start(): void {}

  enqueue(event: EventObject): void {
    const { dispatcher, onlooker } = this.#owner;
    const stamped = isOwnEvent(event) || 'at' in event ? event : { ...event, at: this.#owner.now() };
    onlooker.sent?.(stamped);
    if (dispatcher.idle) {
      dispatcher.run(() => this.#handle(stamped));
    } else if (event.type === 'xstate.stop' && !this.#handling) {
      // A stop is obeyed at once: it has no business waiting behind the events of others.
      this.#handle(stamped);
    } else {
      this.#events ??= new Fifo();
      this.#events.push(stamped);
      dispatcher.queue(this);
    }
  }

  handleNext(): void {
    // Nothing is there when the mailbox was cleared after the turn was given out.
    const event = this.#events?.shift();
    if (event !== undefined) this.#handle(event);
  }

  /** Runs `fn` as if it were the handling of an event: a stop that comes meanwhile waits for its end. */
  hold(fn: () => void): void {
    this.#handling = true;
    try {
      fn();
    } finally {
      this.#handling = false;
    }
  }

  clear(): void {
    for (const event of this.#events?.take() ?? []) this.#owner.dropped(event);
  }

  #handle(event: EventObject): void {
    this.hold(() => this.#owner.receive(event));
  }
}
