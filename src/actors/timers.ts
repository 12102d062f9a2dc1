// The delays of one actor and of the children that XState runs inside it, on our clock.
// Invariant: takes the place of XState's own scheduler, which reads Date.now and Math.random; no timer outlives `clear`.
import type { AnyActorRef, EventObject } from 'xstate';
import type { Clock, Timer } from '../ports.ts';

interface Scheduled {
  readonly source: AnyActorRef;
  readonly id: string;
  timer: Timer;
}

/** Hands an event from one of XState's actors to another. */
export type Relay = (source: AnyActorRef, target: AnyActorRef, event: EventObject) => void;

/** Has the shape of XState's `system.scheduler`. */
export class ActorTimers {
  readonly #clock: Clock;
  readonly #relay: Relay;
  // A list, not a map: nearly every actor has one or two timers, and thousands of actors pay for what is not used.
  #scheduled: Scheduled[] = [];
  #unnamed = 0;

  constructor(clock: Clock, relay: Relay) {
    this.#clock = clock;
    this.#relay = relay;
  }

  get size(): number {
    return this.#scheduled.length;
  }

  schedule(
    source: AnyActorRef,
    target: AnyActorRef,
    event: EventObject,
    delayMs: number,
    id = `unnamed.${++this.#unnamed}`,
  ): void {
    const entry: Scheduled = { source, id, timer: 0 };
    entry.timer = this.#clock.setTimer(() => {
      this.#forget(this.#scheduled.indexOf(entry));
      this.#relay(source, target, event);
    }, delayMs);
    this.#scheduled.push(entry);
  }

  /** Of several with the same id, the one that was scheduled last, as in XState. */
  cancel(source: AnyActorRef, id: string): void {
    const index = this.#scheduled.findLastIndex((entry) => entry.source === source && entry.id === id);
    const entry = this.#scheduled[index];
    if (entry === undefined) return;
    this.#clock.clearTimer(entry.timer);
    this.#forget(index);
  }

  cancelAll(source: AnyActorRef): void {
    for (let index = this.#scheduled.length - 1; index >= 0; index -= 1) {
      const entry = this.#scheduled[index];
      if (entry?.source !== source) continue;
      this.#clock.clearTimer(entry.timer);
      this.#forget(index);
    }
  }

  clear(): void {
    for (const entry of this.#scheduled) this.#clock.clearTimer(entry.timer);
    this.#scheduled = [];
  }

  #forget(index: number): void {
    if (index !== -1) this.#scheduled.splice(index, 1);
  }
}
