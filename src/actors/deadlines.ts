// Deadlines of hundreds of thousands of calls and writes on one timer of the clock.
// Invariant: a deadline fires once, never early, and at most GRAIN_MS after it is due; removing one is O(1).
import type { Clock, Timer } from '../ports.ts';

const GRAIN_MS = 8;

/** What can wait here: whatever waits carries its own links, so that waiting allocates nothing. */
export interface Waiting {
  /** When it is due, in the clock's milliseconds; set by `Deadlines`. */
  dueAt: number;
  earlier: Waiting | undefined;
  later: Waiting | undefined;
  bucket: Bucket | undefined;
}

/** All that is due within the same grain. */
interface Bucket {
  readonly tick: number;
  first: Waiting | undefined;
}

export class Deadlines<W extends Waiting> {
  readonly #clock: Clock;
  readonly #expired: (waiting: W) => void;
  readonly #buckets = new Map<number, Bucket>();
  #timer: Timer | undefined;
  #timerTick = Infinity;

  constructor(clock: Clock, expired: (waiting: W) => void) {
    this.#clock = clock;
    this.#expired = expired;
  }

  /** Waits until `dueAt`; moves one that waits already. */
  set(waiting: W, dueAt: number): void {
    const tick = Math.ceil(dueAt / GRAIN_MS);
    waiting.dueAt = dueAt;
    if (waiting.bucket !== undefined) {
      if (waiting.bucket.tick === tick) return;
      this.clear(waiting);
    }
    let bucket = this.#buckets.get(tick);
    if (bucket === undefined) {
      bucket = { tick, first: undefined };
      this.#buckets.set(tick, bucket);
      if (tick < this.#timerTick) this.#arm(tick);
    }
    waiting.bucket = bucket;
    waiting.later = bucket.first;
    if (bucket.first !== undefined) bucket.first.earlier = waiting;
    bucket.first = waiting;
  }

  /** Does nothing for one that does not wait. */
  clear(waiting: W): void {
    const { bucket, earlier, later } = waiting;
    if (bucket === undefined) return;
    if (earlier === undefined) bucket.first = later;
    else earlier.later = later;
    if (later !== undefined) later.earlier = earlier;
    waiting.bucket = waiting.earlier = waiting.later = undefined;
    // The timer stays as it is: most of what waits ends long before their deadline, and re-arming for each would cost more.
    if (bucket.first === undefined) this.#buckets.delete(bucket.tick);
  }

  /** Lets go of the clock's timer; what waits is not fired. */
  stop(): void {
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#timerTick = Infinity;
  }

  #arm(tick: number): void {
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer);
    this.#timerTick = tick;
    this.#timer = this.#clock.setTimer(() => this.#fire(), Math.max(0, tick * GRAIN_MS - this.#clock.now()));
  }

  #fire(): void {
    this.#timer = undefined;
    this.#timerTick = Infinity;
    const now = Math.floor(this.#clock.now() / GRAIN_MS);
    for (const [tick, bucket] of [...this.#buckets]) {
      if (tick > now) continue;
      while (bucket.first !== undefined) {
        const waiting = bucket.first as W;
        this.clear(waiting);
        this.#expired(waiting);
      }
    }
    let next = Infinity;
    for (const tick of this.#buckets.keys()) next = Math.min(next, tick);
    if (next < this.#timerTick) this.#arm(next);
  }
}
