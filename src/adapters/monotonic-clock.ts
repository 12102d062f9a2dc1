// The Clock port over a platform's timers: long delays, no early firing, and the hint that the machine slept.
// Invariant: every decision about a timer compares monotonic times only.
import type { Clock, Timer } from '../ports.ts';

/** What a platform has to offer. Times are milliseconds. */
export interface Platform {
  /** Monotonic, with fractions. */
  now(): number;
  /** The wall clock; used for nothing but the hint below. */
  wallNow(): number;
  setTimeout(fn: () => void, delayMs: number): Timer;
  clearTimeout(timer: Timer): void;
  /** A repeating timer that does not keep the process alive. */
  setTick(fn: () => void, intervalMs: number): Timer;
  clearTick(timer: Timer): void;
  endOfTurn(fn: () => void): void;
}

/** Timers of browsers and Node take 32 bits: a longer delay fires at once. Longer ones are set in steps of this. */
export const LONGEST_STEP_MS = 2 ** 31 - 1;
export const TICK_MS = 1_000;
/** A tick that is later than this tells of a process that was stopped or a machine that slept. */
export const JUMP_MS = 3_000;

interface Waiting {
  handle: Timer;
}

class MonotonicClock implements Clock {
  readonly #platform: Platform;
  readonly #listeners = new Set<(jumpMs: number) => void>();
  #tick: Timer | undefined;
  #lastTick = 0;
  #lastWallTick = 0;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  now(): number {
    return this.#platform.now();
  }

  setTimer(fn: () => void, delayMs: number): Timer {
    const platform = this.#platform;
    const dueAt = platform.now() + Math.max(0, delayMs);
    const waiting: Waiting = { handle: 0 };
    const arm = (remainingMs: number): void => {
      // Rounded up: platforms cut fractions off, and would fire early.
      waiting.handle = platform.setTimeout(look, Math.min(LONGEST_STEP_MS, Math.ceil(remainingMs)));
    };
    const look = (): void => {
      // Node's timers count whole milliseconds and may come up to one early by `performance.now`.
      const remainingMs = dueAt - platform.now();
      if (remainingMs > 0) arm(remainingMs);
      else fn();
    };
    arm(Math.max(0, delayMs));
    return waiting;
  }

  clearTimer(timer: Timer): void {
    this.#platform.clearTimeout((timer as Waiting).handle);
  }

  endOfTurn(fn: () => void): void {
    this.#platform.endOfTurn(fn);
  }

  onJump(fn: (jumpMs: number) => void): () => void {
    // A listener of its own for each call, so that the same function may listen twice.
    const listener = (jumpMs: number): void => fn(jumpMs);
    this.#listeners.add(listener);
    if (this.#tick === undefined) this.#startTicking();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0 || this.#tick === undefined) return;
      this.#platform.clearTick(this.#tick);
      this.#tick = undefined;
    };
  }

  #startTicking(): void {
    this.#lastTick = this.#platform.now();
    this.#lastWallTick = this.#platform.wallNow();
    this.#tick = this.#platform.setTick(() => this.#look(), TICK_MS);
  }

  #look(): void {
    const now = this.#platform.now();
    const wallNow = this.#platform.wallNow();
    const elapsedMs = now - this.#lastTick;
    // Linux stops CLOCK_MONOTONIC while it is suspended; the wall clock goes on. A wall clock that leaps ahead is
    // therefore told as a jump too, also when somebody merely set it: a listener dials once more than needed, no
    // timer moves. One that is set back tells nothing.
    const asleepMs = Math.max(elapsedMs, wallNow - this.#lastWallTick) - TICK_MS;
    this.#lastTick = now;
    this.#lastWallTick = wallNow;
    if (asleepMs < JUMP_MS) return;
    for (const listener of [...this.#listeners]) listener(asleepMs);
  }
}

export function createMonotonicClock(platform: Platform): Clock {
  return new MonotonicClock(platform);
}
