// Reads the texts of a stream bit by bit: what one frame has no time for waits for the next.
// Invariant: messages are told in the order in which they came; one that cannot be read costs itself only.
import { toTold, type Told } from '../../src/protocol/inspection.ts';
import { later, offsetFor } from './translate.ts';

/** Text that may wait to be read; a page that is slower than its stream begins again from the present. */
const MAX_WAITING_CHARS = 32 * 1024 * 1024;

export interface Taker {
  /** Before the first message of a text. */
  begin(): void;
  /** Whether it has taken this very step before. */
  knows(told: Told): boolean;
  take(told: Told): void;
  /** After its last message: the text as it should be kept. */
  end(text: string): void;
  /** The latest moment that was told. */
  readonly at: number;
}

interface Waiting {
  readonly text: string;
  /** When it came. */
  readonly cameAt: number;
  values: readonly unknown[] | undefined;
  next: number;
  readonly told: Told[];
}

export class Intake {
  readonly #now: () => number;
  #waiting: Waiting[] = [];
  #chars = 0;
  #server: { readonly process: string; readonly offsetMs: number } | undefined;
  #lastCameAt: number | undefined;
  /** Messages that could not be read. */
  unread = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  get idle(): boolean {
    return this.#waiting.length === 0;
  }

  /** @returns whether there was room: without it all that waited is forgotten, and the stream must begin again */
  push(text: string, cameAt: number): boolean {
    this.#chars += text.length;
    if (this.#chars > MAX_WAITING_CHARS) {
      this.#waiting = [];
      this.#chars = 0;
      return false;
    }
    this.#waiting.push({ text, cameAt, values: undefined, next: 0, told: [] });
    return true;
  }

  /** Reads until the time is up or nothing waits. */
  work(taker: Taker, until: number): void {
    for (let first = this.#waiting[0]; first !== undefined && this.#now() < until; first = this.#waiting[0]) {
      if (first.values === undefined) {
        first.values = parsed(first.text);
        taker.begin();
      }
      while (first.next < first.values.length && this.#now() < until) this.#read(first, taker);
      if (first.next < first.values.length) return;
      this.#waiting.shift();
      this.#chars -= first.text.length;
      this.#lastCameAt = first.cameAt;
      if (first.told.length > 0) taker.end(this.#textOf(first));
    }
  }

  #read(waiting: Waiting, taker: Taker): void {
    const value = waiting.values?.[waiting.next];
    waiting.next += 1;
    let told: Told;
    try {
      told = toTold(value);
    } catch {
      this.unread += 1;
      return;
    }
    if (told.kind === 'hello') {
      const before = this.#server === undefined ? undefined : { ...this.#server, at: taker.at };
      const elapsedMs = waiting.cameAt - (this.#lastCameAt ?? waiting.cameAt);
      this.#server = { process: told.process, offsetMs: offsetFor(told, before, elapsedMs) };
    }
    told = later(told, this.#server?.offsetMs ?? 0);
    if (taker.knows(told)) return;
    // Answers are between the server and this page.
    if (told.kind !== 'answer') waiting.told.push(told);
    taker.take(told);
  }

  #textOf({ text, values, told }: Waiting): string {
    const asItCame = this.#server?.offsetMs === 0 && told.length === values?.length && !text.includes('\n');
    return asItCame ? text : JSON.stringify(told);
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
