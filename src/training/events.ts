// What a trainer tells of itself.
// Invariant: types only, nothing here runs.
import type { GateEnd } from '../../machines/gate.ts';
import type { RoundRecord } from '../protocol/training-records.ts';
import type { Weights } from './contract.ts';

/** How a committed round went. */
export type RoundReport = RoundRecord;

export type TrainingEvent =
  /** The gate changed its state; `nodes` count: they are online and have the model. */
  | {
      readonly type: 'gate';
      readonly state: 'gathering' | 'open' | 'paused' | 'terminating' | 'terminated' | 'completed';
      readonly nodes: number;
    }
  /** An attempt at a round came to nothing; the round is done again. */
  | { readonly type: 'abandoned'; readonly round: number; readonly epoch: number; readonly reason: string }
  /** What a node answered was not used: `late`, another RefusalCode, or the code of its own error. */
  | {
      readonly type: 'refused';
      readonly round: number;
      readonly epoch: number;
      readonly node: string;
      readonly code: string;
      readonly message: string;
    };

export interface TrainingResult {
  /** `completed`: all rounds; `budget_spent`: too few nodes for too long; `gather_timed_out`: never enough; `requested`: by `stop`. */
  readonly end: GateEnd;
  readonly reason: string;
  /** That was committed last; 0 for none. */
  readonly round: number;
  readonly weights: Weights;
  /** Hash of the weights. */
  readonly model: string;
}

/** A result that was delivered, or not within its time, and what the gate saw. */
export interface TrainingOutcome extends TrainingResult {
  readonly delivery: 'delivered' | 'undelivered';
  /** Of this life of the trainer. */
  readonly pauses: number;
  readonly pausedMs: number;
}

export interface TrainerStatus {
  readonly run: string;
  /** Before `start` `idle`; then that of the gate, until training has `ended`, or `failed`. */
  readonly state: string;
  /** That was committed last. */
  readonly round: number;
  readonly rounds: number;
  /** Attempts so far, of all rounds. */
  readonly epoch: number;
  readonly model: string;
  /** Nodes that count, in order. */
  readonly nodes: readonly string[];
  /** Nodes that are online and can train. */
  readonly online: number;
  /** Of this life of the trainer. */
  readonly pauses: number;
  readonly pausedMs: number;
  readonly abandoned: number;
  readonly refused: number;
  readonly late: number;
}

export interface Trainer {
  readonly run: string;
  /**
   * Takes up the run, and begins. Resolves when it listens to nodes.
   * @throws HoldfastError `invalid_option` for a checkpoint without `resume`, or of another model or strategy; of the store
   */
  start(): Promise<void>;
  /** Terminates: finishes or abandons the round, saves and delivers the model. The run can be resumed. Idempotent. */
  stop(reason?: string): Promise<TrainingOutcome>;
  status(): TrainerStatus;
  /** Of all rounds that were committed, those before a resume included. */
  history(): Promise<readonly RoundReport[]>;
  /** The present model, in memory of its own. */
  weights(): Weights;
  /** Settles when training has ended. Rejects when it cannot go on: the store is gone, or another trainer has this run. */
  readonly done: Promise<TrainingOutcome>;
  [Symbol.asyncDispose](): Promise<void>;
}
