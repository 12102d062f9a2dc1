// The port between the store and the place where its keyspace lives: batches of commands go there, in order.
// Invariant: types only; the outcome of a batch carries all changes that it committed, so they can be told before its answers.
import type { Command, Outcome } from './commands.ts';
import type { Change } from './keyspace.ts';

export interface BatchOutcome {
  /** Of all commands of the batch, in the order of their revisions; whole revisions. */
  readonly changes: readonly Change[];
  /** One for each command, in their order. */
  readonly outcomes: readonly Outcome[];
}

export interface Backend {
  readonly engine: 'memory' | 'file';
  /** Whether what it committed outlives the process. Then remaining times of leases are written down. */
  readonly durable: boolean;
  /** Batches that it takes before it has answered the first. */
  readonly maxBatches: number;
  /**
   * Applies a batch with `applyBatch` of `apply.ts`. Batches are applied, and their promises settle, in the order of the calls.
   *
   * @throws HoldfastError `store_failed`; its `started` says whether the batch may have been applied. `stopped` after `close`.
   */
  run(commands: readonly Command[]): Promise<BatchOutcome>;
  /** Resolves when what was committed is safe and nothing of it runs any more. Batches that run settle first. */
  close(): Promise<void>;
}
