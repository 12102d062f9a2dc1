// What the page watches: a live stream or a recording, folded in slices so that the page never stalls.
// Invariant: listeners are told at most once a frame, and only when something has changed.
import { toTold, type Told } from '../../src/protocol/inspection.ts';
import { Fold } from './fold.ts';
import type { Model } from './model.ts';

/** What the page's platform gives. */
export interface Platform {
  /** Milliseconds, monotonic. */
  now(): number;
  /** Calls once, before the next frame is drawn, or soon when nobody looks at the page. */
  nextFrame(fn: () => void): void;
}

/** How far the connection is. `refused`: the server wants another token. `recording`: there is none. */
export interface LinkState {
  readonly state: string;
  readonly refused?: string | undefined;
}

/** Time that one frame may spend on folding. */
const SLICE_MS = 8;

interface Waiting {
  readonly text: string;
  values: readonly unknown[] | undefined;
  next: number;
}

export class Watch {
  readonly #platform: Platform;
  readonly #listeners = new Set<() => void>();
  #fold = new Fold();
  #model: Model = modelOf(this.#fold);
  #waiting: Waiting[] = [];
  #working: 'no' | 'asked' = 'no';
  #link: LinkState = { state: 'idle' };
  #unread = 0;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /** A new object after each change. */
  get model(): Model {
    return this.#model;
  }

  get link(): LinkState {
    return this.#link;
  }

  /** Messages that could not be read. */
  get unread(): number {
    return this.#unread;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  setLink(link: LinkState): void {
    this.#link = link;
    this.#changed();
  }

  /** Text of one message of the stream: one value or an array of them. */
  receive(text: string): void {
    this.#waiting.push({ text, values: undefined, next: 0 });
    this.#changed();
  }

  #changed(): void {
    if (this.#working === 'asked') return;
    this.#working = 'asked';
    this.#platform.nextFrame(() => this.#work());
  }

  #work(): void {
    this.#working = 'no';
    const until = this.#platform.now() + SLICE_MS;
    while (this.#waiting.length > 0 && this.#platform.now() < until) this.#workOn(until);
    if (this.#waiting.length > 0) this.#changed();
    if (this.#model.version !== this.#fold.version) this.#model = modelOf(this.#fold);
    for (const listener of this.#listeners) listener();
  }

  #workOn(until: number): void {
    const [first] = this.#waiting;
    if (first === undefined) return;
    first.values ??= parsed(first.text);
    while (first.next < first.values.length && this.#platform.now() < until) {
      const told = read(first.values[first.next]);
      first.next += 1;
      if (told === undefined) this.#unread += 1;
      else this.#fold.apply(told);
    }
    if (first.next >= first.values.length) this.#waiting.shift();
  }
}

function parsed(text: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [value];
  } catch {
    return [undefined];
  }
}

function read(value: unknown): Told | undefined {
  try {
    return toTold(value);
  } catch {
    return undefined;
  }
}

/** A view of the fold that is another object after each change. */
function modelOf(fold: Fold): Model {
  const { version, at, hello, processes, actors, machines, fleet, links, dropped, unexpected } = fold;
  return { version, at, hello, processes, actors, machines, fleet, links, dropped, unexpected };
}
