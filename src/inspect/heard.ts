// Which messages of an app were heard before: `@statelyai/inspect` keeps what it could not send, and sends all of it again
// whenever it has connected (0.7.2, src/webSocket.ts).
// Invariant: memory is bounded; of two messages that are the same in every letter, both count unless they come in a repetition.

/** What can be repeated stands at the begin of a connection; the package keeps 200 messages unless told otherwise. */
const MOST_HEARD = 5_000;
/** Over all connections of an app; the oldest are forgotten. */
const MOST_REMEMBERED = 20_000;

export class Heard {
  /** How often each message came, by its hash. */
  readonly #times = new Map<number, number>();
  /** What may come again, while a repetition goes on. */
  #owed = new Map<number, number>();
  /** Messages of this connection that are not yet remembered. */
  #room = MOST_HEARD;

  knows(text: string): boolean {
    return this.#times.has(hashOf(text));
  }

  /** A connection begins, maybe with a repetition. */
  begin(): void {
    this.#owed = new Map(this.#times);
    this.#room = MOST_HEARD;
  }

  /** Whether this message was heard before. An actor is registered once: a second time begins a repetition. */
  isRepeated(text: string, isRegistration: boolean): boolean {
    if (this.#room === 0 && this.#owed.size === 0 && !isRegistration) return false;
    const hash = hashOf(text);
    if (isRegistration && this.#owed.size === 0 && this.#times.has(hash)) this.#owed = new Map(this.#times);
    const owed = this.#owed.get(hash) ?? 0;
    if (owed > 0) {
      this.#owed.set(hash, owed - 1);
      return true;
    }
    // What was kept is told in the old order, and before anything new.
    this.#owed = new Map();
    if (this.#room > 0) {
      this.#room -= 1;
      this.#times.set(hash, (this.#times.get(hash) ?? 0) + 1);
      const [oldest] = this.#times.keys();
      if (this.#times.size > MOST_REMEMBERED && oldest !== undefined) this.#times.delete(oldest);
    }
    return false;
  }
}

/** 53 bits: FNV-1a (Fowler, Noll, Vo) of 32 bits, and 21 bits of the same walk with another factor. */
function hashOf(text: string): number {
  let low = 0x811c9dc5;
  let high = 0x9e3779b9;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ code, 0x85ebca6b);
  }
  return (high >>> 11) * 2 ** 32 + (low >>> 0);
}
