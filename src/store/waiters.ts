// Those who wait for one event of a lease, each with a time-out and an AbortSignal.
// Invariant: each is freed once, and leaves no timer and no listener behind.
import type { System } from '../actors/system.ts';
import type { HoldfastError } from '../protocol/errors.ts';
import type { ProposalOptions } from './contract.ts';
import * as failure from './failure.ts';

interface WaitersHome {
  readonly system: System;
  readonly proposeTimeoutMs: number;
  readonly applyTimeoutMs: number;
}

interface Waiter<T> {
  readonly resolve: (answer: T) => void;
  readonly reject: (error: HoldfastError) => void;
  free(): void;
}

export class Waiters<T> {
  readonly #home: WaitersHome;
  #waiters = new Set<Waiter<T>>();

  constructor(home: WaitersHome) {
    this.#home = home;
  }

  /** @throws HoldfastError `timed_out`, `cancelled`, and what they are rejected with */
  wait(options: ProposalOptions = {}): Promise<T> {
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(failure.cancelled(signal.reason, true));
    return new Promise<T>((resolve, reject) => {
      const { clock } = this.#home.system;
      const timeoutMs =
        (options.proposeTimeoutMs ?? this.#home.proposeTimeoutMs) +
        (options.applyTimeoutMs ?? this.#home.applyTimeoutMs);
      const giveUp = (error: HoldfastError): void => {
        this.#waiters.delete(waiter);
        waiter.free();
        reject(error);
      };
      const abort = (): void => giveUp(failure.cancelled(signal?.reason, false));
      const timer = clock.setTimer(() => giveUp(failure.timedOut(timeoutMs, false)), timeoutMs);
      const waiter: Waiter<T> = {
        resolve,
        reject,
        free: () => {
          clock.clearTimer(timer);
          signal?.removeEventListener('abort', abort);
        },
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiters.add(waiter);
    });
  }

  resolve(answer: T): void {
    for (const waiter of this.#take()) waiter.resolve(answer);
  }

  reject(error: HoldfastError): void {
    for (const waiter of this.#take()) waiter.reject(error);
  }

  #take(): Iterable<Waiter<T>> {
    const waiters = this.#waiters;
    this.#waiters = new Set();
    for (const waiter of waiters) waiter.free();
    return waiters;
  }
}
