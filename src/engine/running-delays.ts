// The delays that run in one actor of a transition log: which may end, and whether one ended before its time.
// Invariant: a delay is called early only where its length is known for certain, and its start by the log's own clock.
import type { AnyStateMachine } from 'xstate';
import type { TimerChange } from './step.ts';
import type { TransitionRecord } from './transition-record.ts';

/** A delay that took longer than it should, or still runs though it should be over. */
export interface Late {
  readonly delay: string;
  readonly delayMs: number;
  readonly tookMs: number;
  readonly state: 'ended' | 'running';
}

interface Known {
  readonly name: string;
  readonly delayMs: number;
  /** No later than it started. */
  readonly fromMs: number;
  /** No earlier than it started. */
  readonly startedMs: number;
  /** The machine computes this length whenever it is asked. */
  readonly isSure: () => boolean;
}

/** A busy process ends delays late; only from here on it is worth a word. */
const LATE_MS = 1_000;
const LATE_PART = 0.1;

/** Lengths of such delays stand in the machine; the others are computed by a function. */
export function isConstant(machine: AnyStateMachine, name: string): boolean {
  return /^\d+$/.test(name) || typeof machine.implementations.delays[name] === 'number';
}

export class RunningDelays {
  /** By type of the event that ends it; undefined where only that it runs is known. */
  readonly #running = new Map<string, Known | undefined>();
  /** Those that were cleared: one that had run out just before may still arrive. */
  readonly #cleared = new Set<string>();
  /** Those that were called late already. */
  readonly #told = new WeakSet<Known>();
  readonly #toleranceMs: number;

  constructor(toleranceMs: number) {
    this.#toleranceMs = toleranceMs;
  }

  get types(): readonly string[] {
    return [...this.#running.keys()];
  }

  /** Nothing is known but which delays run. */
  reset(types: readonly string[] = []): void {
    this.#running.clear();
    this.#cleared.clear();
    for (const type of types) this.#running.set(type, undefined);
  }

  /**
   * What a line changed. `again` steps its event once more: a length that differs then (it is random, or read from a clock)
   * is not known.
   */
  change(
    changes: readonly TimerChange[],
    { at, event }: TransitionRecord,
    isKnown: (name: string) => boolean,
    again: () => readonly TimerChange[],
  ): void {
    for (const change of changes) {
      if (!('set' in change)) {
        if (this.#running.delete(change.cleared)) this.#cleared.add(change.cleared);
        continue;
      }
      const { set, name, delayMs } = change;
      // A log without times says nothing; `at` of the event is when it was sent, before anything that it led to.
      const sentAt: unknown = (event as { readonly at?: unknown }).at;
      const fromMs = typeof sentAt === 'number' && sentAt <= at ? sentAt : at;
      const isSure = (): boolean =>
        again().every((other) => !('set' in other) || other.set !== set || other.delayMs === delayMs);
      const isTold = typeof at === 'number' && isKnown(name);
      const known = isTold ? { name, delayMs, fromMs, startedMs: at, isSure } : undefined;
      this.#running.set(change.event.type, known);
    }
  }

  /** The delay of this type ended. @returns false when it did not run, a sentence when it cannot be over yet */
  end(type: string, at: number): boolean | string {
    if (!this.#running.has(type)) return this.#cleared.delete(type);
    const known = this.#running.get(type);
    this.#running.delete(type);
    if (known === undefined || typeof at !== 'number') return true;
    const { name, delayMs, fromMs, isSure } = known;
    const tookMs = at - fromMs;
    // A clock that went back is not monotonic, and says nothing.
    if (tookMs < 0 || tookMs >= delayMs - this.#toleranceMs || !isSure()) return true;
    return (
      `after ${name} came ${inWords(tookMs)} after that delay began, and by the machine it takes ${inWords(delayMs)} ` +
      `(a tolerance of ${inWords(this.#toleranceMs)} granted)`
    );
  }

  /** Delays that should have ended long before `at`, each once. `ending`: the type of the one that ends now. */
  *late(at: number, ending: string): Generator<Late> {
    for (const [type, known] of this.#running) {
      if (known === undefined || this.#told.has(known) || typeof at !== 'number') continue;
      const { name: delay, delayMs, startedMs, isSure } = known;
      const tookMs = at - startedMs;
      if (tookMs <= delayMs * (1 + LATE_PART) + LATE_MS || !isSure()) continue;
      this.#told.add(known);
      yield { delay, delayMs, tookMs, state: type === ending ? 'ended' : 'running' };
    }
  }
}

/** `300 ms`, rounded for people. */
const inWords = (ms: number): string => `${Math.round(ms * 10) / 10} ms`;
