// What every machine shares: the shape of its context, of its effects, and the arithmetic of waiting.
// Invariant: pure functions of their arguments; no clock, no randomness, no I/O.

/**
 * The two parts of a machine's context. `control` is small and finite, and is all that guards and the choice
 * of effects may read. `ledger` holds times, counters, options and labels; nothing branches on it.
 */
export interface Context<Control, Ledger> {
  readonly control: Control;
  readonly ledger: Ledger;
}

/** What an effect's payload is computed from: the context at the action's place, and the event that led there. */
export interface EffectArgs<C> {
  readonly context: C;
  readonly event: { readonly type: string };
}

/** For each effect name of a machine, the pure function that computes its payload. */
export type Effects<C> = Readonly<Record<string, (args: EffectArgs<C>) => object>>;

/** An event as senders write it: the mailbox of the receiving actor adds `at`. */
export type Unstamped<E> = E extends { at: number } ? Omit<E, 'at'> : E;

/**
 * A number in [0, 1) that depends on `seed` and `epoch` alone, so that a run with the same seed has the same delays.
 * The mixing steps are those of MurmurHash3's 32-bit finalizer (Appleby, 2011).
 */
export function jitter(seed: number, epoch: number): number {
  let h = (seed ^ Math.imul(epoch + 1, 0x9e3779b9)) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 0x1_0000_0000;
}

/** What a wait before the next dial depends on. */
export interface Backoff {
  /** Upper end of the first wait, in milliseconds. */
  readonly baseMs: number;
  /** No wait is longer than this, in milliseconds, except one that the hub asks for. */
  readonly maxMs: number;
  /** Failures in a row before this one; 0 for the first retry. */
  readonly failures: number;
  /** The wait that the hub asked for, in milliseconds; 0 for none. */
  readonly retryAfterMs: number;
  readonly seed: number;
  readonly epoch: number;
}

/** The longest that `backoffDelayMs` may answer for the same failures: `min(maxMs, baseMs · 2^failures)`. */
export function backoffCeilingMs({
  baseMs,
  maxMs,
  failures,
}: Pick<Backoff, 'baseMs' | 'maxMs' | 'failures'>): number {
  return Math.min(maxMs, baseMs * 2 ** Math.min(failures, 30));
}

/**
 * Exponential backoff with full jitter, the first retry included (Brooker, "Exponential Backoff and Jitter", AWS
 * Architecture Blog, 2015). A wait that the hub asked for comes first, the jitter on top of it, so that a thousand
 * nodes that were told the same number do not return in one burst.
 */
export function backoffDelayMs(backoff: Backoff): number {
  return Math.round(backoff.retryAfterMs + jitter(backoff.seed, backoff.epoch) * backoffCeilingMs(backoff));
}
