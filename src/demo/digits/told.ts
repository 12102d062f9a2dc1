// What hub and nodes tell the demo of training.
// Invariant: types only.
import type { RoundReport, TrainingEvent } from '../../index.ts';

export type Told =
  /** A node begins to train. */
  | { readonly type: 'training'; readonly round: number }
  /** A node has an update, and answers. */
  | { readonly type: 'trained'; readonly round: number }
  | { readonly type: 'committed'; readonly report: RoundReport }
  | { readonly type: 'event'; readonly event: TrainingEvent }
  /** Training has ended, and the model was delivered: it lies in the file. All rounds, those under an earlier hub included. */
  | {
      readonly type: 'ended';
      readonly end: string;
      readonly reason: string;
      readonly history: readonly RoundReport[];
    };

export interface TrainerConfig {
  readonly rounds: number;
  /** Folder of the digits. */
  readonly digits: string;
  /** Folder of the store. */
  readonly store: string;
  /** Where the model is delivered. */
  readonly model: string;
}

export interface LearnerConfig {
  readonly digits: string;
}
