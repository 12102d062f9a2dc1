// The time-outs of attempts: they follow each other, so one at a time is due for each; and one timer serves all.
// Invariant: a watchdog barks once, not before the time that was set last.
import type { Clock, Timer } from '../../ports.ts';

/**
 * A time that is put off is only noted: the timer looks when it fires, and sets itself anew for what is due first then. So a byte
 * that comes costs an assignment, and a request that is over in time no timer of its own.
 */
export class Kennel {
  readonly clock: Clock;
  readonly #awake = new Set<Watchdog>();
  #timer: Timer | undefined;
  #firesAt = Infinity;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** @internal */
  wake(watchdog: Watchdog): void {
    this.#awake.add(watchdog);
    if (watchdog.dueAt < this.#firesAt) this.#arm(watchdog.dueAt);
  }

  /** @internal */
  sleep(watchdog: Watchdog): void {
    this.#awake.delete(watchdog);
  }

  /** None barks any more. */
  close(): void {
    this.#awake.clear();
    if (this.#timer !== undefined) this.clock.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#firesAt = Infinity;
  }

  #arm(dueAt: number): void {
    if (this.#timer !== undefined) this.clock.clearTimer(this.#timer);
    this.#firesAt = dueAt;
    this.#timer = this.clock.setTimer(() => this.#look(), dueAt - this.clock.now());
  }

  #look(): void {
    this.#timer = undefined;
    this.#firesAt = Infinity;
    const now = this.clock.now();
    const late = [...this.#awake].filter(({ dueAt }) => dueAt <= now);
    // One may put another to sleep, or to another time.
    for (const watchdog of late) if (watchdog.dueAt <= now) watchdog.bark();
    let next = this.#firesAt;
    for (const { dueAt } of this.#awake) if (dueAt < next) next = dueAt;
    if (next < this.#firesAt) this.#arm(next);
  }
}

export class Watchdog {
  /** Infinity while it sleeps. */
  dueAt = Infinity;
  readonly #kennel: Kennel;
  readonly #bark: () => void;

  constructor(kennel: Kennel, bark: () => void) {
    this.#kennel = kennel;
    this.#bark = bark;
  }

  /** In place of what was set before. */
  set(dueAt: number): void {
    const isAwake = this.dueAt !== Infinity;
    const isSooner = dueAt < this.dueAt;
    this.dueAt = dueAt;
    if (!isAwake || isSooner) this.#kennel.wake(this);
  }

  stop(): void {
    if (this.dueAt === Infinity) return;
    this.dueAt = Infinity;
    this.#kennel.sleep(this);
  }

  /** @internal */
  bark(): void {
    this.stop();
    this.#bark();
  }
}
