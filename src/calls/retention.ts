// Outcomes that a node keeps until their callers acknowledge them.
// Invariant: at most `maxResults` of at most `maxBytes` together; a single one may be larger, until the next comes.
import type { Execution } from './execution.ts';

export interface RetentionOptions {
  readonly maxResults: number;
  readonly maxBytes: number;
  /** Must forget it. */
  evict(execution: Execution): void;
}

export class Retention {
  readonly #options: RetentionOptions;
  /** The oldest first. */
  readonly #kept = new Set<Execution>();
  #bytes = 0;
  evicted = 0;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#kept.size;
  }

  has(execution: Execution): boolean {
    return this.#kept.has(execution);
  }

  [Symbol.iterator](): IterableIterator<Execution> {
    return this.#kept.values();
  }

  /** Keeps it, and gives up the oldest beyond the limits. */
  add(execution: Execution, bytes: number): void {
    execution.retainedBytes = bytes;
    this.#kept.add(execution);
    this.#bytes += bytes;
    if (!this.#isFull()) return;
    for (const oldest of this.#kept) {
      if (!this.#isFull() || this.#kept.size === 1) return;
      this.evicted += 1;
      oldest.client.evictedUpTo = Math.max(oldest.client.evictedUpTo, oldest.attempt);
      this.#options.evict(oldest);
    }
  }

  delete(execution: Execution): void {
    if (this.#kept.delete(execution)) this.#bytes -= execution.retainedBytes;
  }

  #isFull(): boolean {
    return this.#kept.size > this.#options.maxResults || this.#bytes > this.#options.maxBytes;
  }
}
