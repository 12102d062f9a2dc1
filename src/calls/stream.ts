// The caller's end of a streamed result: items that wait to be consumed, and the credit that consuming them earns.
// Invariant: items come out in the order in which they came in; after the end, or an error, nothing more comes.
import { HoldfastError, ProtocolViolation } from '../protocol/errors.ts';
import { CloseCode } from '../protocol/frames.ts';
import { limits } from '../protocol/limits.ts';

interface Item {
  readonly value: unknown;
  readonly bytes: number;
}

interface Taker {
  resolve(result: IteratorResult<unknown>): void;
  reject(error: unknown): void;
}

export interface StreamOwner {
  /** The consumer took `bytes` of items: the node may send as much again. */
  consumed(bytes: number): void;
  /** The consumer wants no more. */
  abandon(): void;
}

export class InboundStream implements AsyncIterableIterator<unknown> {
  /** Items received so far, consumed or not: where a resumed stream goes on. */
  received = 0;
  readonly #owner: StreamOwner;
  readonly #items: Item[] = [];
  readonly #takers: Taker[] = [];
  /** Bytes that were received and for which no credit was given back: what a resumed stream's window is short of. */
  waitingBytes = 0;
  #due = 0;
  #end: { readonly error: unknown } | 'finished' | undefined;

  constructor(owner: StreamOwner) {
    this.#owner = owner;
  }

  /**
   * `bytes` is what credit is due for once the item is consumed.
   * @throws ProtocolViolation LIMIT_EXCEEDED for items far beyond the credit that was given
   */
  push(value: unknown, bytes: number): void {
    if (this.#end !== undefined) return;
    this.received += 1;
    this.waitingBytes += bytes;
    if (this.waitingBytes > limits.maxUncreditedBytes) {
      throw new ProtocolViolation(
        CloseCode.LIMIT_EXCEEDED,
        `items of ${this.waitingBytes} bytes came without credit`,
      );
    }
    const taker = this.#takers.shift();
    if (taker === undefined) {
      this.#items.push({ value, bytes });
      return;
    }
    taker.resolve({ done: false, value });
    this.#credit(bytes);
  }

  finish(): void {
    this.#close('finished');
  }

  fail(error: unknown): void {
    this.#close({ error });
  }

  next(): Promise<IteratorResult<unknown>> {
    const item = this.#items.shift();
    if (item !== undefined) {
      this.#credit(item.bytes);
      return Promise.resolve({ done: false, value: item.value });
    }
    if (this.#end === 'finished') return Promise.resolve({ done: true, value: undefined });
    if (this.#end !== undefined) return Promise.reject(this.#end.error);
    return new Promise((resolve, reject) => this.#takers.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<unknown>> {
    if (this.#end === undefined) {
      this.#close('finished');
      this.#owner.abandon();
    }
    this.#items.length = 0;
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #credit(bytes: number): void {
    this.#due += bytes;
    if (this.#due === 0 || this.#end !== undefined) return;
    // The last item in hand: the node may be waiting for us.
    if (this.#items.length > 0 && this.#due < limits.creditWindowBytes / 4) return;
    const due = this.#due;
    this.#due = 0;
    this.waitingBytes -= due;
    this.#owner.consumed(due);
  }

  #close(end: { error: unknown } | 'finished'): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    for (const taker of this.#takers.splice(0)) {
      if (end === 'finished') taker.resolve({ done: true, value: undefined });
      else taker.reject(end.error);
    }
  }
}

/** The error of a stream that broke off after items were delivered: starting it again would deliver them twice. */
export function brokenStream(name: string, received: number): HoldfastError {
  return new HoldfastError(
    `the stream of ${name} broke off after ${received} items and cannot be resumed: its node is gone`,
    { code: 'lost', started: 'unknown', blame: 'remote' },
  );
}
