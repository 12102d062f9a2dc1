// What a trainer and the nodes that train for it say to each other: names, requests and answers of remote functions.
// Invariant: weights travel to a node in `sync` alone; whatever else is asked names the model that it is about.
import type { TrainingConfig, Weights } from './contract.ts';
import type { RefusalCode } from './update.ts';

export const SYNC = 'training.sync';
export const TRAIN = 'training.train';
export const EVALUATE = 'training.evaluate';
export const REFUSED = 'training.refused';

/** Which model: `model` is its hash, and `round` the one that made it, 0 for the first. */
export interface ModelName {
  /** Name of the training run. */
  readonly run: string;
  readonly round: number;
  readonly model: string;
}

/** `training.sync`: asks a node to keep a model, or, without weights, which one it has. */
export interface SyncRequest extends ModelName {
  readonly weights?: Weights | undefined;
}

/** The hash of what the node has for this run, as it computed it; '' for nothing. */
export interface SyncAnswer {
  readonly model: string;
}

/** `training.train`; answered by a TrainingUpdate, or by UnknownModel. `round` is the one that is being trained. */
export interface TrainRequest extends ModelName {
  /** Of the attempt at the round. */
  readonly epoch: number;
  readonly config: TrainingConfig;
}

/** `training.evaluate`; answered by an Evaluation, or by UnknownModel. */
export type EvaluateRequest = Omit<TrainRequest, 'epoch'>;

/** The node has another model; it has to be given this one first. */
export interface UnknownModel {
  readonly unknownModel: true;
}

/** `training.refused`: what a node answered was not used. */
export interface RefusedUpdate {
  readonly run: string;
  readonly round: number;
  readonly epoch: number;
  readonly code: RefusalCode;
  readonly message: string;
}

export function isUnknownModel(answer: unknown): answer is UnknownModel {
  return typeof answer === 'object' && answer !== null && 'unknownModel' in answer;
}
