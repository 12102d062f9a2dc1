// Waits for the calls that run when a hub stops.
// Invariant: it ends, at the latest when the time for it is over.
import type { Router } from '../calls/router.ts';
import type { Clock } from '../ports.ts';

const LOOK_MS = 20;

/** Resolves when no call runs any more whose ends are both here, or after `timeoutMs`. */
export function callsAtRest(router: Router, clock: Clock, timeoutMs: number): Promise<void> {
  const until = clock.now() + timeoutMs;
  return new Promise((resolve) => {
    const look = (): void => {
      if (router.book.ending === 0 || clock.now() >= until) resolve();
      else clock.setTimer(look, LOOK_MS);
    };
    look();
  });
}
