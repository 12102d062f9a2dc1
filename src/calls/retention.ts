// Outcomes that a node keeps until their callers acknowledge them.
// Invariant: at most `maxResults` of at most `maxBytes` together; a single one may be larger, until the next comes.
import type { Execution } from './execution.ts';

export interface RetentionOptions {
  readonly maxResults: number;
  readonly maxBytes: number;
  /** Must forget it. */
  evict(execution: Execution): void;
}

/** A list through the executions themselves: a Set that changes with every call would leave its outgrown tables behind. */
export class Retention {
  readonly #options: RetentionOptions;
  #oldest: Execution | undefined;
  #newest: Execution | undefined;
  #size = 0;
  #bytes = 0;
  evicted = 0;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#size;
  }

  has(execution: Execution): boolean {
    return execution.keptBytes >= 0;
  }

  /** The oldest first. */
  *[Symbol.iterator](): Generator<Execution> {
    for (let kept = this.#oldest; kept !== undefined; kept = kept.newerKept) yield kept;
  }

  /** Keeps it, and gives up the oldest beyond the limits. */
  add(execution: Execution, bytes: number): void {
    execution.keptBytes = bytes;
    execution.olderKept = this.#newest;
    if (this.#newest === undefined) this.#oldest = execution;
    else this.#newest.newerKept = execution;
    this.#newest = execution;
    this.#size += 1;
    this.#bytes += bytes;
    const { maxResults, maxBytes } = this.#options;
    while (this.#size > 1 && (this.#size > maxResults || this.#bytes > maxBytes)) {
      const oldest = this.#oldest;
      if (oldest === undefined) return;
      this.evicted += 1;
      oldest.client.evictedUpTo = Math.max(oldest.client.evictedUpTo, oldest.attempt);
      this.#options.evict(oldest);
      // Whatever `evict` did: it is not kept any more.
      this.delete(oldest);
    }
  }

  delete(execution: Execution): void {
    if (!this.has(execution)) return;
    const { olderKept, newerKept } = execution;
    if (olderKept === undefined) this.#oldest = newerKept;
    else olderKept.newerKept = newerKept;
    if (newerKept === undefined) this.#newest = olderKept;
    else newerKept.olderKept = olderKept;
    this.#size -= 1;
    this.#bytes -= execution.keptBytes;
    execution.olderKept = execution.newerKept = undefined;
    execution.keptBytes = -1;
  }
}
