// The node's side of training: keeps the model that it is given, and trains and evaluates it when asked.
// Invariant: what a node acknowledges is the hash of what it has, computed by itself; it trains on no other model than asked for.
import type { Digest } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';
import type { Evaluation, TraineeOptions as Training, TrainingUpdate, Weights } from './contract.ts';
import { hashOf } from './layout.ts';
import { copyWeights, malformedWeights } from './weights.ts';
import {
  EVALUATE,
  REFUSED,
  SYNC,
  TRAIN,
  type EvaluateRequest,
  type RefusedUpdate,
  type SyncAnswer,
  type SyncRequest,
  type TrainRequest,
  type UnknownModel,
} from './wire.ts';

export interface TraineeOptions extends Training {
  /** An update of this node was not used: of which round, the refusal's name, and what to do. @default nothing */
  onRefused?(refused: RefusedUpdate): void | Promise<void>;
}

/** Runs whose model a node keeps at once: of more, the one that was not asked about for longest is forgotten. */
const MAX_RUNS = 4;

/** What a function may know of its call. */
interface Facts {
  readonly signal: AbortSignal;
}

/** Node functions that take the facts of their call first. */
export interface TraineeFunctions {
  readonly [SYNC]: (facts: Facts, request: SyncRequest) => Promise<SyncAnswer>;
  readonly [TRAIN]: (facts: Facts, request: TrainRequest) => Promise<TrainingUpdate | UnknownModel>;
  readonly [EVALUATE]?: (facts: Facts, request: EvaluateRequest) => Promise<Evaluation | UnknownModel>;
  readonly [REFUSED]: (facts: Facts, refused: RefusedUpdate) => Promise<void>;
}

interface Kept {
  readonly model: string;
  readonly weights: Weights;
}

/** @throws HoldfastError `invalid_option` */
export function createTrainee(options: TraineeOptions, digest: Digest): TraineeFunctions {
  check(options);
  const { train, evaluate, onRefused } = options;
  const models = new Map<string, Kept>();

  const find = (run: string): Kept | undefined => {
    const kept = models.get(run);
    if (kept === undefined) return undefined;
    // Those that were asked about last stand last.
    models.delete(run);
    models.set(run, kept);
    return kept;
  };

  /** Its own copy: the function may write into it. */
  const weightsFor = ({ run, model }: TrainRequest | EvaluateRequest): Weights | undefined => {
    const kept = find(run);
    return kept?.model === model ? copyWeights(kept.weights) : undefined;
  };

  const evaluating = {
    [EVALUATE]: async ({ signal }: Facts, request: EvaluateRequest) => {
      const weights = weightsFor(request);
      if (weights === undefined || evaluate === undefined) return { unknownModel: true } as const;
      return evaluate({ round: request.round, weights, config: request.config, signal });
    },
  };

  return {
    [SYNC]: async (_facts, { run, weights }) => {
      if (weights === undefined) return { model: find(run)?.model ?? '' };
      const fault = malformedWeights(weights);
      if (fault !== undefined)
        throw new HoldfastError(`the model of run ${run} cannot be kept: ${fault.message}`, {
          code: 'invalid_argument',
          blame: 'remote',
        });
      const model = await hashOf(weights, digest);
      models.delete(run);
      models.set(run, { model, weights });
      for (const oldest of models.keys()) if (models.size > MAX_RUNS) models.delete(oldest);
      return { model };
    },
    [TRAIN]: async ({ signal }, request) => {
      const weights = weightsFor(request);
      if (weights === undefined) return { unknownModel: true };
      return train({ round: request.round, weights, config: request.config, signal });
    },
    ...(evaluate === undefined ? {} : evaluating),
    [REFUSED]: async (_facts, refused) => onRefused?.(refused),
  };
}

function check({ train, evaluate, onRefused }: TraineeOptions): void {
  const optional = { evaluate, onRefused };
  const wrong = (name: string, value: unknown): HoldfastError =>
    new HoldfastError(`option ${name} is ${value === null ? 'null' : typeof value}; give a function`, {
      code: 'invalid_option',
    });
  if (typeof train !== 'function') throw wrong('train', train);
  for (const [name, value] of Object.entries(optional))
    if (value !== undefined && typeof value !== 'function') throw wrong(name, value);
}
