// The node's end of a streamed result: pulls items from the function as credit allows, keeps what was not consumed.
// Invariant: an item is kept until credit covers it, so that a caller who comes back misses none and gets none twice.
import { Flag, FrameType } from '../protocol/frames.ts';
import { limits } from '../protocol/limits.ts';
import type { Outbox } from '../protocol/outbox.ts';
import { encodedBytes, encodeItem, type Encoded, type Encoding } from '../protocol/values.ts';

/** A way to the caller: an outbox, and the numbers under which it knows the call. */
export interface Route {
  readonly outbox: Outbox;
  readonly peer: number;
  readonly attempt: number;
}

interface Kept {
  readonly encoded: Encoded;
  readonly bytes: number;
}

export class OutboundStream {
  readonly #encoding: Encoding;
  readonly #iterator: AsyncIterator<unknown>;
  readonly #kept: Kept[] = [];
  #keptBytes = 0;
  /** Number of the first item that is kept. */
  #first = 0;
  /** Credit that covers no whole item yet. */
  #creditBytes = 0;
  /** Credit that is still to come for items which an earlier link delivered. */
  #debtBytes = 0;
  #route: Route | undefined;
  #room: (() => void) | undefined;

  constructor(iterator: AsyncIterator<unknown>, encoding: Encoding, route: Route | undefined) {
    this.#iterator = iterator;
    this.#encoding = encoding;
    if (route !== undefined) this.#open(route, limits.creditWindowBytes);
  }

  /** Bytes kept for the caller. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** Pulls until the function ends. Resolves with its return value; rejects with what it threw. */
  async run(signal: AbortSignal): Promise<unknown> {
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    aborted.catch(() => undefined);
    try {
      for (;;) {
        if (this.#keptBytes >= limits.creditWindowBytes) {
          await Promise.race([new Promise<void>((room) => (this.#room = room)), aborted]);
        }
        const next = await Promise.race([this.#iterator.next(), aborted]);
        if (next.done === true) return next.value;
        this.#push(encodeItem(next.value, this.#encoding));
      }
    } catch (error) {
      // Lets a generator run its `finally`; it may be in the middle of an await, so it is not waited for.
      if (signal.aborted) void Promise.resolve(this.#iterator.return?.(undefined)).catch(() => undefined);
      throw error;
    }
  }

  /** The caller consumed `bytes` more. */
  credit(bytes: number): void {
    const paid = Math.min(bytes, this.#debtBytes);
    this.#debtBytes -= paid;
    this.#creditBytes += bytes - paid;
    for (
      let kept = this.#kept[0];
      kept !== undefined && kept.bytes <= this.#creditBytes;
      kept = this.#kept[0]
    ) {
      this.#creditBytes -= kept.bytes;
      this.#forget();
    }
    this.#route?.outbox.credit(this.#route.peer, this.#route.attempt, bytes);
    this.#wake();
  }

  detach(): void {
    this.#route = undefined;
  }

  /** The caller is back, has the first `received` items, and takes `windowBytes` before it gives credit again. */
  resume(route: Route, received: number, windowBytes: number): void {
    while (this.#first < received && this.#kept.length > 0) this.#forget();
    this.#creditBytes = 0;
    this.#debtBytes = limits.creditWindowBytes - windowBytes;
    this.#open(route, windowBytes);
    for (const kept of this.#kept) this.#send(kept.encoded);
    this.#wake();
  }

  #open(route: Route, windowBytes: number): void {
    this.#route = route;
    route.outbox.drop(route.peer, route.attempt);
    route.outbox.openFlow(route.peer, route.attempt, () => undefined, windowBytes);
  }

  #push(encoded: Encoded): void {
    // What the receiver counts: the payload of its frames, with the length that goes before chunks.
    const size = encodedBytes(encoded);
    const bytes = size > limits.maxChunkBytes ? size + 4 : size;
    this.#kept.push({ encoded, bytes });
    this.#keptBytes += bytes;
    this.#send(encoded);
  }

  #send(encoded: Encoded): void {
    const flags = this.#encoding === 'msgpack' ? Flag.MSGPACK : 0;
    this.#route?.outbox.value(
      FrameType.ITEM,
      flags,
      this.#route.peer,
      this.#route.attempt,
      undefined,
      encoded,
    );
  }

  #forget(): void {
    const kept = this.#kept.shift();
    if (kept === undefined) return;
    this.#keptBytes -= kept.bytes;
    this.#first += 1;
  }

  #wake(): void {
    if (this.#keptBytes >= limits.creditWindowBytes) return;
    this.#room?.();
    this.#room = undefined;
  }
}
