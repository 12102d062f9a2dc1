// The delays of one actor and of the children that XState runs inside it, on our clock.
// Invariant: takes the place of XState's own scheduler, which reads Date.now and Math.random; no timer outlives `clear`.
import type { AnyActorRef, EventObject } from 'xstate';
import { delayName } from '../engine/step.ts';
import type { Clock, Timer } from '../ports.ts';
import type { Onlooker, RunningTimer } from './inspection.ts';

interface Scheduled {
  readonly source: AnyActorRef;
  readonly id: string;
  readonly delayMs: number;
  readonly startedAt: number;
  timer: Timer;
}

/** Hands an event from one of XState's actors to another. */
export type Relay = (source: AnyActorRef, target: AnyActorRef, event: EventObject) => void;

/** Has the shape of XState's `system.scheduler`. */
export class ActorTimers {
  readonly #clock: Clock;
  readonly #onlooker: Onlooker;
  readonly #relay: Relay;
  // A list, not a map: nearly every actor has one or two timers, and thousands of actors pay for what is not used.
  #scheduled: Scheduled[] = [];
  #unnamed = 0;

  constructor(clock: Clock, onlooker: Onlooker, relay: Relay) {
    this.#clock = clock;
    this.#onlooker = onlooker;
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
    const entry: Scheduled = { source, id, delayMs, startedAt: this.#clock.now(), timer: 0 };
    entry.timer = this.#clock.setTimer(() => {
      this.#forget(this.#scheduled.indexOf(entry));
      this.#onlooker.timer?.(source, { cleared: id });
      this.#relay(source, target, event);
    }, delayMs);
    this.#scheduled.push(entry);
    this.#onlooker.timer?.(source, { id, name: delayName(id), delayMs });
  }

  /** Of several with the same id, the one that was scheduled last, as in XState. */
  cancel(source: AnyActorRef, id: string): void {
    const index = this.#scheduled.findLastIndex((entry) => entry.source === source && entry.id === id);
    const entry = this.#scheduled[index];
    if (entry === undefined) return;
    this.#clock.clearTimer(entry.timer);
    this.#forget(index);
    this.#onlooker.timer?.(source, { cleared: id });
  }

  cancelAll(source: AnyActorRef): void {
    for (let index = this.#scheduled.length - 1; index >= 0; index -= 1) {
      const entry = this.#scheduled[index];
      if (entry?.source !== source) continue;
      this.#clock.clearTimer(entry.timer);
      this.#forget(index);
    }
  }

  /** Those of the actor itself and of the children inside it. */
  running(): RunningTimer[] {
    return this.#scheduled.map(({ id, delayMs, startedAt }) => ({
      id,
      name: delayName(id),
      delayMs,
      startedAt,
    }));
  }

  clear(): void {
    for (const entry of this.#scheduled) this.#clock.clearTimer(entry.timer);
    this.#scheduled = [];
  }

  #forget(index: number): void {
    if (index !== -1) this.#scheduled.splice(index, 1);
  }
}
