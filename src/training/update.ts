// What a node answered, checked before anything is done with it: an update that can be aggregated, or a refusal with a name.
// Invariant: looks at the answer and at the model alone; what is accepted has the model's shapes and is finite throughout.
import { limits } from '../protocol/limits.ts';
import type { AcceptedUpdate, Tensor, TrainingMetrics, Weights } from './contract.ts';
import { likeData, malformedWeights, mismatch, notFinite, type WeightsFault } from './weights.ts';

/** Why an update does not count. Its node is told, with a message that says what to do. */
export type RefusalCode =
  /** No object, or its weights are no list of tensors. */
  | 'bad_answer'
  /** Neither weights nor a delta. */
  | 'no_weights'
  /** Weights and a delta. */
  | 'ambiguous_weights'
  /** More tensors, bytes of numbers or metrics than `limits` allows. */
  | 'too_large'
  | 'tensor_count_mismatch'
  | 'type_mismatch'
  | 'shape_mismatch'
  /** NaN or infinite: in what was sent, or once the delta was added to the model. */
  | 'not_finite'
  /** No whole number of samples, or none. */
  | 'bad_samples'
  /** Not all of them are finite numbers. */
  | 'bad_metrics'
  /** For a round, or an attempt of one, that has ended. */
  | 'late';

export interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
}

export type CheckedUpdate =
  | { readonly accepted: Omit<AcceptedUpdate, 'node'>; readonly refused?: undefined }
  | { readonly refused: Refusal; readonly accepted?: undefined };

/** Checks the cheap things first, each number last. @param model what the node was given */
export function checkUpdate(answer: unknown, model: Weights): CheckedUpdate {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer))
    return refuse(
      'bad_answer',
      `train answered ${kindOf(answer)}; answer { weights | delta, samples, metrics }`,
    );
  const { weights, delta, samples, metrics } = answer as Readonly<Record<string, unknown>>;
  if (weights !== undefined && delta !== undefined)
    return refuse('ambiguous_weights', 'the update has weights and a delta; answer one of them');
  const given = weights ?? delta;
  if (given === undefined)
    return refuse('no_weights', 'the update has neither weights nor a delta; answer one of them');
  if (!Number.isSafeInteger(samples) || (samples as number) < 1)
    return refuse(
      'bad_samples',
      `samples is ${shown(samples)}; answer how many were trained on, a whole number from 1`,
    );
  const badMetrics = checkMetrics(metrics);
  if (badMetrics !== undefined) return { refused: badMetrics };
  const name = weights === undefined ? 'delta' : 'weights';
  const fault = malformedWeights(given) ?? mismatch(given as Weights, model) ?? notFinite(given as Weights);
  if (fault !== undefined) return { refused: refusalOf(name, fault) };
  const rest = { samples: samples as number, metrics: { ...(metrics as TrainingMetrics | undefined) } };
  if (delta === undefined) return { accepted: { weights: given as Weights, ...rest } };
  const moved = moveBy(model, given as Weights);
  const overflow = notFinite(moved);
  if (overflow === undefined) return { accepted: { weights: moved, ...rest } };
  return { refused: refusalOf('the model moved by delta', overflow) };
}

/** The model plus the delta, in the model's types. */
function moveBy(model: Weights, delta: Weights): Weights {
  return model.map(({ shape, data }, index) => {
    const moved = likeData(data);
    const by = (delta[index] as Tensor).data;
    for (let at = 0; at < moved.length; at += 1) moved[at] = (data[at] as number) + (by[at] as number);
    return { shape, data: moved };
  });
}

function checkMetrics(metrics: unknown): Refusal | undefined {
  if (metrics === undefined) return undefined;
  if (typeof metrics !== 'object' || metrics === null || Array.isArray(metrics))
    return {
      code: 'bad_metrics',
      message: `metrics is ${kindOf(metrics)}; answer numbers by name, { loss: 0.3 }`,
    };
  const entries = Object.entries(metrics as Readonly<Record<string, unknown>>);
  if (entries.length > limits.maxUpdateMetrics)
    return {
      code: 'too_large',
      message: `${entries.length} metrics; at most ${limits.maxUpdateMetrics} are allowed`,
    };
  for (const [name, value] of entries) {
    if (name.length > limits.maxNameLength)
      return {
        code: 'too_large',
        message: `a metric's name has ${name.length} characters; at most ${limits.maxNameLength} are allowed`,
      };
    if (!Number.isFinite(value))
      return {
        code: 'bad_metrics',
        message: `metric ${name} is ${shown(value)}; answer finite numbers, and leave out what has none`,
      };
  }
  return undefined;
}

const remedies: Readonly<Record<WeightsFault['code'], string>> = {
  malformed: 'answer tensors as they were given',
  too_large: 'answer tensors as they were given',
  tensor_count_mismatch: 'answer as many tensors as were given, in their order',
  type_mismatch: 'answer tensors in the types that were given',
  shape_mismatch: 'answer tensors in the shapes and the order that were given',
  not_finite: 'training diverged: lower the learning rate, or clip gradients',
};

function refusalOf(name: string, { code, message }: WeightsFault): Refusal {
  const refusal = code === 'malformed' ? 'bad_answer' : code;
  return { code: refusal, message: `${name}: ${message}; ${remedies[code]}` };
}

function refuse(code: RefusalCode, message: string): CheckedUpdate {
  return { refused: { code, message } };
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value;
}

function shown(value: unknown): string {
  return typeof value === 'number' ? String(value) : kindOf(value);
}
