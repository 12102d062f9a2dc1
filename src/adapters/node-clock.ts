// Monotonic time on Node.js.
// Invariant: no timer depends on the wall clock. `Date.now` is read in one place, as a hint that the machine slept.
import { performance } from 'node:perf_hooks';
import type { Clock, Timer } from '../ports.ts';
import { createMonotonicClock } from './monotonic-clock.ts';

/**
 * A clock over `performance.now` and Node's timers. A timer that waits keeps the process alive, as `setTimeout` does;
 * the tick that looks for jumps runs only while somebody listens, and keeps nothing alive.
 */
export function createNodeClock(): Clock {
  return createMonotonicClock({
    now: () => performance.now(),
    wallNow: () => Date.now(),
    setTimeout: (fn, delayMs) => setTimeout(fn, delayMs),
    clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
    setTick: (fn, intervalMs): Timer => setInterval(fn, intervalMs).unref(),
    clearTick: (timer) => clearInterval(timer as NodeJS.Timeout),
    endOfTurn: (fn) => void setImmediate(fn),
  });
}
