// A request's body on its way up: what has passed is kept, as long as it is little, so that another endpoint can have it, too.
// Invariant: each reader gets the body from its first byte, or none at all; no more is kept than the limits allow.
import { HoldfastError } from '../../protocol/errors.ts';

/** Bytes that all bodies together may still keep. */
export interface ReplayRoom {
  left: number;
}

export interface ReplayLimits {
  /** A longer body is refused. */
  readonly bodyBytes: number;
  readonly replayBytes: number;
  readonly room: ReplayRoom;
}

/** Who holds a body up, when nothing moves: the client, which has not sent more, or the upstream, which takes no more. */
export type Holder = 'client' | 'upstream';

export class ReplayBody {
  readonly #limits: ReplayLimits;
  readonly #source: AsyncIterator<Uint8Array>;
  /** In order; once the body is too long to be kept, those that were read are let go. */
  readonly #chunks: (Uint8Array | undefined)[] = [];
  #keeping: 'all' | 'unread' = 'all';
  #keptBytes = 0;
  #bytes = 0;
  #reading: Promise<void> | undefined;
  #end: 'open' | 'ended' | 'closed' = 'open';
  /** Readers so far: only the newest reads on, and `#at` is its place. */
  #readers = 0;
  #at = 0;
  #holder: Holder = 'client';

  constructor(source: AsyncIterable<Uint8Array>, limits: ReplayLimits) {
    this.#source = source[Symbol.asyncIterator]();
    this.#limits = limits;
  }

  /** Whether another attempt can have it from its first byte. */
  get isRepeatable(): boolean {
    return this.#end !== 'closed' && (this.#keeping === 'all' || this.#chunks[0] !== undefined);
  }

  get holder(): Holder {
    return this.#holder;
  }

  /**
   * For one attempt; an earlier one gets nothing any more. `progressed` is called for each chunk, `ended` when all were taken.
   * The reader is thrown a HoldfastError, `value_too_large`, when the body is longer than allowed.
   */
  read(told: { progressed(): void; ended(): void }): AsyncIterable<Uint8Array> {
    const isWhole = this.isRepeatable;
    this.#readers += 1;
    this.#at = 0;
    return this.#read(isWhole ? this.#readers : -1, told);
  }

  /** Nobody needs it any more: what it kept is let go. Twice is as once. */
  close(): void {
    if (this.#end === 'open') this.#end = 'closed';
    this.#at = this.#chunks.length;
    this.#forget();
  }

  async *#read(
    reader: number,
    told: { progressed(): void; ended(): void },
  ): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      if (reader !== this.#readers || this.#end === 'closed')
        throw new HoldfastError('this attempt cannot have the body any more', { code: 'cancelled' });
      const chunk = this.#chunks[this.#at];
      if (chunk !== undefined) {
        if (this.#keeping === 'unread') this.#chunks[this.#at] = undefined;
        this.#at += 1;
        this.#holder = 'upstream';
        yield chunk;
        told.progressed();
      } else if (this.#end === 'ended') break;
      else {
        this.#holder = 'client';
        // An attempt that ended may have left its question open: then this one takes the answer.
        await (this.#reading ??= this.#pull());
      }
    }
    told.ended();
  }

  async #pull(): Promise<void> {
    try {
      const { done, value } = await this.#source.next();
      if (done === true) {
        if (this.#end === 'open') this.#end = 'ended';
      } else this.#keep(value);
    } catch (error) {
      // A source that failed once says that it has ended when it is asked again.
      this.#end = 'closed';
      throw error;
    } finally {
      this.#reading = undefined;
    }
  }

  #keep(chunk: Uint8Array): void {
    const { bodyBytes, replayBytes, room } = this.#limits;
    this.#bytes += chunk.length;
    if (this.#bytes > bodyBytes)
      throw new HoldfastError(`the body is longer than ${bodyBytes} bytes`, { code: 'value_too_large' });
    if (this.#end === 'closed') return;
    this.#chunks.push(chunk);
    if (this.#keeping === 'unread') return;
    if (this.#bytes > replayBytes || chunk.length > room.left) this.#forget();
    else {
      this.#keptBytes += chunk.length;
      room.left -= chunk.length;
    }
  }

  /** Lets go of what was read; what was not is still owed to the reader. */
  #forget(): void {
    this.#keeping = 'unread';
    this.#limits.room.left += this.#keptBytes;
    this.#keptBytes = 0;
    this.#chunks.fill(undefined, 0, this.#at);
  }
}
