// The steps that a diagram is made of: the latest ones, or those around a moment of the past.
// Invariant: never more than `most` at hand; a window of the past stays as it is until another is asked for.
import type { Step } from '../../src/protocol/inspection.ts';
import { CausalOrder } from './causal-order.ts';
import type { Signal } from './timeline.ts';

/** What is recorded; the time line has it. */
export interface StepSource {
  /** The latest steps, as they came. */
  readonly recent: readonly Step[];
  /** How many steps each second had. */
  readonly perSecond: ReadonlyMap<number, number>;
  steps(from: number, to: number, signal: Signal): AsyncIterable<readonly Step[]>;
}

/** Of a window of the past, so much lies behind its moment: one wants to see what came of it. */
const BEHIND = 0.25;

export class StepWindow {
  readonly #source: StepSource;
  readonly #most: number;
  order: CausalOrder;
  /** Its last moment; `now`: it goes on. */
  #to: 'now' | number = 'now';
  #from = Number.NEGATIVE_INFINITY;
  #last: Step | undefined;
  #state: 'empty' | 'loading' | 'there' = 'empty';

  constructor(source: StepSource, most: number) {
    this.#source = source;
    this.#most = most;
    this.order = new CausalOrder(most);
  }

  get isLoading(): boolean {
    return this.#state === 'loading';
  }

  /** Whether earlier steps are recorded that are not at hand. */
  get isCut(): boolean {
    return Number.isFinite(this.#from);
  }

  /** Whether the moment lies in what is at hand. */
  shows(at: 'live' | number): boolean {
    if (this.#state === 'empty') return false;
    if (at === 'live') return this.#to === 'now';
    return at >= this.#from && (this.#to === 'now' || at <= this.#to);
  }

  /** Adds what has come meanwhile. @returns whether there was anything */
  follow(): boolean {
    if (this.#to !== 'now' || this.#state === 'empty') return false;
    const { recent } = this.#source;
    const latest = recent.at(-1);
    if (latest === undefined || latest === this.#last) return false;
    const seen = this.#last === undefined ? -1 : recent.lastIndexOf(this.#last);
    // More has come than is kept at hand: it has to be loaded.
    if (seen === -1 && this.#last !== undefined && this.#state === 'there') this.#state = 'empty';
    this.#last = latest;
    this.order.add(recent.slice(seen + 1));
    return true;
  }

  /** Begins anew with the steps up to now, or around `at`. @throws what `signal` was aborted with */
  async load(at: 'live' | number, signal: Signal, progress: () => void): Promise<void> {
    const { from, to } = this.#range(at);
    this.order = new CausalOrder(this.#most);
    this.#to = to;
    this.#from = from;
    this.#last = undefined;
    this.#state = 'loading';
    this.follow();
    try {
      for await (const steps of this.#source.steps(from, to === 'now' ? Infinity : to, signal)) {
        this.order.add(steps);
        progress();
      }
      this.#state = 'there';
    } finally {
      if (this.#state === 'loading') this.#state = 'empty';
    }
    progress();
  }

  /** Whole seconds that hold about as many steps as there is room for. */
  #range(at: 'live' | number): { from: number; to: 'now' | number } {
    const seconds = [...this.#source.perSecond].toSorted(([a], [b]) => a - b);
    const total = seconds.reduce((sum, [, count]) => sum + count, 0);
    if (total <= this.#most) return { from: -Infinity, to: 'now' };
    let room = this.#most;
    let to: 'now' | number = 'now';
    if (at !== 'live') {
      let behind = this.#most * BEHIND;
      for (const [second, count] of seconds) {
        if (second * 1_000 <= at || behind <= 0) continue;
        behind -= count;
        if (behind <= 0) to = (second + 1) * 1_000;
      }
    }
    let from = Infinity;
    for (const [second, count] of seconds.toReversed()) {
      if (to !== 'now' && second * 1_000 >= to) continue;
      room -= count;
      if (room < 0) break;
      from = second * 1_000;
    }
    return { from, to };
  }
}
