// How often and how fast an actor that crashes is started again.
// Invariant: pure bookkeeping over times that it is given; no clock, no timers.
import { HoldfastError } from '../protocol/errors.ts';
import type { Supervision } from './actor.ts';

/** @throws HoldfastError `invalid_option` for a number that makes no sense */
export function checkSupervision(actor: string, supervise: Supervision): void {
  for (const name of ['maxRestarts', 'withinMs', 'backoffMs', 'maxBackoffMs'] as const) {
    const value = supervise[name];
    if (value === undefined || value >= 0) continue;
    throw new HoldfastError(`${name} of actor ${actor} is ${value}; give a number of at least 0`, {
      code: 'invalid_option',
    });
  }
}

export class Restarts {
  readonly #supervision: Supervision;
  // Times of the restarts that count, oldest first; never more than the limit.
  #times: number[] = [];

  constructor(supervision: Supervision) {
    this.#supervision = supervision;
  }

  /** Milliseconds to wait before the restart after a crash at `now`, or undefined when there have been too many. */
  next(now: number): number | undefined {
    const { maxRestarts = 5, withinMs = 60_000, backoffMs = 100, maxBackoffMs = 10_000 } = this.#supervision;
    this.#times = this.#times.filter((time) => now - time < withinMs);
    const recent = this.#times.length;
    if (recent >= maxRestarts) return undefined;
    this.#times.push(now);
    return Math.min(maxBackoffMs, backoffMs * 2 ** Math.min(recent, 30));
  }
}
