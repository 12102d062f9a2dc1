// What a store and its worker thread say to each other, in packed messages.
// Invariant: types only; each `run` is answered once, by `done` or `failed`, in order.
import type { BatchOutcome } from '../store/backend.ts';
import type { Command } from '../store/commands.ts';
import type { Revision } from '../store/contract.ts';

/** How a thread starts. */
export interface WorkerStart {
  readonly directory: string;
  /** Changes up to this revision were told; undefined for the first thread of a store. */
  readonly told: Revision | undefined;
  /** In shared memory; is rung after each message. */
  readonly bell: Int32Array;
}

export type ToWorker =
  | { readonly type: 'run'; readonly commands: readonly Command[] }
  | { readonly type: 'close' };

export type Done = BatchOutcome & {
  readonly type: 'done';
  /** Changes up to this revision have been told now. */
  readonly told: Revision;
};

export interface Failed {
  readonly type: 'failed';
  readonly message: string;
  /** Whether the batch may have been applied. */
  readonly started: 'notStarted' | 'unknown';
}

export type FromWorker =
  | { readonly type: 'opened'; readonly told: Revision }
  /** Instead of `opened`, and last. */
  | { readonly type: 'refused'; readonly message: string }
  | Done
  | Failed;
