// Monotonic time in browsers, Deno and Bun.
// Invariant: no timer depends on the wall clock. `Date.now` is read in one place, as a hint that the machine slept.
import type { Clock } from '../ports.ts';
import { createMonotonicClock } from './monotonic-clock.ts';

/** Outside browsers an open port or a timer keeps the process alive, unless it is told not to. */
function keepAlive(handle: unknown, alive: boolean): void {
  if (typeof handle !== 'object' || handle === null) return;
  const { ref, unref } = handle as { ref?(): void; unref?(): void };
  (alive ? ref : unref)?.call(handle);
}

/**
 * A clock over `performance.now` and the platform's timers. Browsers slow the timers of hidden pages down to one a second
 * and slower; that shows as late timers and, beyond three seconds, as a jump.
 */
export function createWebClock(): Clock {
  // A message to oneself comes after the input at hand, and is not held back for 4 ms as a nested timer is.
  const channel = new MessageChannel();
  const due: (() => void)[] = [];
  channel.port1.onmessage = () => {
    const fn = due.shift();
    if (due.length === 0) keepAlive(channel.port1, false);
    fn?.();
  };
  keepAlive(channel.port1, false);
  return createMonotonicClock({
    now: () => performance.now(),
    wallNow: () => Date.now(),
    setTimeout: (fn, delayMs) => setTimeout(fn, delayMs),
    clearTimeout: (timer) => clearTimeout(timer as number),
    setTick: (fn, intervalMs) => {
      const timer: unknown = setInterval(fn, intervalMs);
      keepAlive(timer, false);
      return timer as number;
    },
    clearTick: (timer) => clearInterval(timer as number),
    endOfTurn: (fn) => {
      if (due.length === 0) keepAlive(channel.port1, true);
      due.push(fn);
      // One message each, so that a function that throws does not take the others with it.
      channel.port2.postMessage(0);
    },
  });
}
