// Monotonic time in browsers, Deno and Bun.
// Invariant: no timer depends on the wall clock. `Date.now` is read in one place, as a hint that the machine slept.
import type { Clock } from '../ports.ts';
import { createMonotonicClock } from './monotonic-clock.ts';

/**
 * A clock over `performance.now` and the platform's timers. Browsers slow the timers of hidden pages down to one a second
 * and slower; that shows as late timers and, beyond three seconds, as a jump.
 */
export function createWebClock(): Clock {
  let due: (() => void)[] = [];
  // A message to oneself comes after the input at hand, and is not held back for 4 ms as a nested timer is.
  const channel = new MessageChannel();
  channel.port1.onmessage = () => {
    const now = due;
    due = [];
    for (const fn of now) fn();
  };
  // Deno and Bun keep the process alive for an open port.
  const unref = (target: object) => (target as { unref?(): void }).unref?.();
  unref(channel.port1);
  return createMonotonicClock({
    now: () => performance.now(),
    wallNow: () => Date.now(),
    setTimeout: (fn, delayMs) => setTimeout(fn, delayMs),
    clearTimeout: (timer) => clearTimeout(timer as number),
    setTick: (fn, intervalMs) => {
      const timer: unknown = setInterval(fn, intervalMs);
      if (typeof timer === 'object' && timer !== null) unref(timer);
      return timer as number;
    },
    clearTick: (timer) => clearInterval(timer as number),
    endOfTurn: (fn) => {
      due.push(fn);
      if (due.length === 1) channel.port2.postMessage(0);
    },
  });
}
