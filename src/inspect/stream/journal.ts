// What was told, kept for those who come later: the latest messages, and the truth that they began with.
// Invariant: whoever is told all of it knows the same as whoever was there; memory is bounded.
import type { Told } from '../../protocol/inspection.ts';
import { Truth } from './truth.ts';

/** Characters of JSON; the oldest tenth goes when there are more. */
const MOST_CHARS = 64 * 1024 * 1024;
const ROOM = 0.9;

export class Journal {
  readonly #mostChars: number;
  #told: { readonly message: Told; readonly chars: number }[] = [];
  #chars = 0;
  /** Before the first message that is kept. */
  readonly #before = new Truth();
  #beganAt: number | undefined;

  constructor(mostChars = MOST_CHARS) {
    this.#mostChars = mostChars;
  }

  tell(message: Told): void {
    const chars = JSON.stringify(message).length;
    this.#told.push({ message, chars });
    this.#chars += chars;
    if (this.#chars > this.#mostChars) this.#forget(this.#mostChars * ROOM);
  }

  *retold(): Generator<Told> {
    if (this.#beganAt !== undefined) yield* this.#before.retold(this.#beganAt);
    for (const { message } of this.#told) yield message;
  }

  #forget(chars: number): void {
    let count = 0;
    for (const { message, chars: own } of this.#told) {
      if (this.#chars <= chars) break;
      this.#before.tell(message);
      if ('at' in message) this.#beganAt = Math.max(this.#beganAt ?? message.at, message.at);
      this.#chars -= own;
      count += 1;
    }
    this.#told = this.#told.slice(count);
  }
}
