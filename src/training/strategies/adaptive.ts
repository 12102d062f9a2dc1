// What adaptive server optimizers share: two moments of the updates, and a step whose length they set for each number.
// Invariant: the moments are the strategy's whole state, in the model's types; nothing that is not finite leaves it.
import { HoldfastError } from '../../protocol/errors.ts';
import { eachMean } from '../aggregate.ts';
import type { Aggregated, Strategy, Tensor, Weights } from '../contract.ts';
import { sliced } from '../slices.ts';
import { likeData, mismatch, notFinite } from '../weights.ts';

/** The paper's defaults, but for the learning rate, which depends on the task: there the best ones lie around 0.01. */
export interface AdaptiveOptions {
  /** η, above 0: about how far a number moves in a round. @default 0.01 */
  readonly learningRate?: number;
  /** β₁, decay of the first moment, in [0, 1). @default 0.9 */
  readonly beta1?: number;
  /** β₂, decay of the second moment, in [0, 1). @default 0.99 */
  readonly beta2?: number;
  /** Degree of adaptivity τ, above 0: below it, differences count less. @default 0.001 */
  readonly tau?: number;
}

/** vₜ from vₜ₋₁ and Δₜ². */
type SecondMoment = (before: number, square: number, beta2: number) => number;

/** The model and its moments: of one tensor, or of a stretch of it. */
interface Moving {
  readonly x: Tensor['data'];
  readonly m: Tensor['data'];
  readonly v: Tensor['data'];
}

/**
 * Reddi, Charles, Zaheer, Garrett, Rush, Konečný, Kumar, McMahan: "Adaptive Federated Optimization", ICLR 2021, algorithm 2,
 * with Δₜ weighted by samples: mₜ = β₁·mₜ₋₁ + (1 − β₁)·Δₜ, then vₜ, then xₜ₊₁ = xₜ + η·mₜ / (√vₜ + τ). It begins with
 * m₋₁ = 0 and v₋₁ = τ², and corrects no bias.
 *
 * @throws HoldfastError `invalid_option`
 */
export function adaptive(name: string, options: AdaptiveOptions, secondMoment: SecondMoment): Strategy {
  const settings = resolve(name, options);
  return {
    name,
    aggregate: sliced(function* ({ weights, state, updates }) {
      const before = takeUp(name, weights, state, settings.tau);
      const after = weights.map(({ data }) => ({ x: likeData(data), m: likeData(data), v: likeData(data) }));
      yield* eachMean(updates, (tensor, start, means) => {
        const end = start + means.length;
        const from = stretch(before[tensor] as Moving, start, end);
        step(settings, secondMoment, means, from, stretch(after[tensor] as Moving, start, end));
      });
      const tensors = (part: keyof Moving): Weights =>
        weights.map(({ shape }, index) => ({ shape, data: (after[index] as Moving)[part] }));
      return finite(name, { weights: tensors('x'), state: [...tensors('m'), ...tensors('v')] });
    }),
  };
}

function step(
  { learningRate, beta1, beta2, tau }: Required<AdaptiveOptions>,
  secondMoment: SecondMoment,
  means: Float64Array,
  before: Moving,
  after: Moving,
): void {
  for (let at = 0; at < means.length; at += 1) {
    const x = before.x[at] as number;
    const delta = (means[at] as number) - x;
    const m = beta1 * (before.m[at] as number) + (1 - beta1) * delta;
    const v = secondMoment(before.v[at] as number, delta * delta, beta2);
    after.m[at] = m;
    after.v[at] = v;
    after.x[at] = x + (learningRate * m) / (Math.sqrt(v) + tau);
  }
}

function stretch({ x, m, v }: Moving, start: number, end: number): Moving {
  return { x: x.subarray(start, end), m: m.subarray(start, end), v: v.subarray(start, end) };
}

/** The state is all first moments, then all second ones. @throws HoldfastError `invalid_argument` for the state of another model */
function takeUp(name: string, weights: Weights, state: Weights, tau: number): readonly Moving[] {
  if (state.length === 0)
    return weights.map(({ data }) => ({ x: data, m: likeData(data), v: likeData(data).fill(tau * tau) }));
  const fault = mismatch(state, [...weights, ...weights]);
  if (fault !== undefined)
    throw new HoldfastError(`${name}: these moments are of another model: ${fault.message}`, {
      code: 'invalid_argument',
    });
  const dataAt = (index: number): Tensor['data'] => (state[index] as Tensor).data;
  return weights.map(({ data }, at) => ({ x: data, m: dataAt(at), v: dataAt(weights.length + at) }));
}

/** Squares may overflow where the updates themselves do not. */
function finite(name: string, aggregated: Aggregated): Aggregated {
  const fault = notFinite(aggregated.weights) ?? notFinite(aggregated.state);
  if (fault === undefined) return aggregated;
  throw new HoldfastError(
    `${name}: an update is too far from the model (${fault.message} of the result); lower the learning rates`,
    { code: 'invalid_argument', blame: 'remote' },
  );
}

function resolve(name: string, options: AdaptiveOptions): Required<AdaptiveOptions> {
  const { learningRate = 0.01, beta1 = 0.9, beta2 = 0.99, tau = 0.001 } = options;
  for (const [option, value] of Object.entries({ learningRate, tau }))
    if (!(Number.isFinite(value) && value > 0)) throw invalid(name, option, value, 'above 0');
  for (const [option, value] of Object.entries({ beta1, beta2 }))
    if (!(value >= 0 && value < 1)) throw invalid(name, option, value, 'from 0 to below 1');
  return { learningRate, beta1, beta2, tau };
}

function invalid(name: string, option: string, value: number, range: string): HoldfastError {
  return new HoldfastError(`${name} ${option} is ${value}; give a number ${range}`, {
    code: 'invalid_option',
  });
}
