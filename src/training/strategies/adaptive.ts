// What adaptive server optimizers share: two moments of the updates, and a step whose length they set for each number.
// Invariant: the moments are the strategy's whole state, in the model's types; nothing that is not finite leaves it.
import { HoldfastError } from '../../protocol/errors.ts';
import { weightedMeans } from '../aggregate.ts';
import type { Aggregated, AggregationInput, Strategy, Tensor, Weights } from '../contract.ts';
import { likeData, mismatch, notFinite } from '../weights.ts';

/** The paper's defaults, but for the learning rate, which depends on the task: there the best ones lie around 0.01. */
export interface AdaptiveOptions {
  /** η, above 0: about how far a number moves in a round. @default 0.01 */
  readonly learningRate?: number;
  /** Decay of the first moment, in [0, 1). @default 0.9 */
  readonly beta1?: number;
  /** Decay of the second moment, in [0, 1). @default 0.99 */
  readonly beta2?: number;
  /** Degree of adaptivity τ, above 0: below it, differences count less. @default 0.001 */
  readonly tau?: number;
}

/** vₜ from vₜ₋₁ and Δₜ². */
type SecondMoment = (before: number, square: number, beta2: number) => number;

/**
 * Reddi, Charles, Zaheer, Garrett, Rush, Konečný, Kumar, McMahan: "Adaptive Federated Optimization", ICLR 2021, algorithm 2,
 * with Δₜ weighted by samples: mₜ = β₁·mₜ₋₁ + (1 − β₁)·Δₜ, then vₜ, then xₜ₊₁ = xₜ + η·mₜ / (√vₜ + τ). It begins with
 * m₋₁ = 0 and v₋₁ = τ², and corrects no bias.
 *
 * @throws HoldfastError `invalid_option`
 */
export function adaptive(name: string, options: AdaptiveOptions, secondMoment: SecondMoment): Strategy {
  const { learningRate = 0.01, beta1 = 0.9, beta2 = 0.99, tau = 0.001 } = options;
  const inRange = (option: string, value: number, isIn: boolean, range: string): void => {
    if (isIn) return;
    throw new HoldfastError(`${name} ${option} is ${value}; give a number ${range}`, {
      code: 'invalid_option',
    });
  };
  const isPositive = (value: number): boolean => Number.isFinite(value) && value > 0;
  inRange('learningRate', learningRate, isPositive(learningRate), 'above 0');
  inRange('beta1', beta1, beta1 >= 0 && beta1 < 1, 'from 0 to below 1');
  inRange('beta2', beta2, beta2 >= 0 && beta2 < 1, 'from 0 to below 1');
  inRange('tau', tau, isPositive(tau), 'above 0');
  return {
    name,
    aggregate({ weights, state, updates }: AggregationInput): Aggregated {
      const means = weightedMeans(updates);
      const [firsts, seconds] = momentsOf(name, weights, state, tau);
      const next = weights.map((tensor, index): Moved => {
        const { shape, data } = tensor;
        const mean = means[index] as Float64Array;
        const firstBefore = (firsts[index] as Tensor).data;
        const secondBefore = (seconds[index] as Tensor).data;
        const moved = { shape, data: likeData(data) };
        const first = { shape, data: likeData(data) };
        const second = { shape, data: likeData(data) };
        for (let at = 0; at < data.length; at += 1) {
          const x = data[at] as number;
          const delta = (mean[at] as number) - x;
          const m = beta1 * (firstBefore[at] as number) + (1 - beta1) * delta;
          const v = secondMoment(secondBefore[at] as number, delta * delta, beta2);
          first.data[at] = m;
          second.data[at] = v;
          moved.data[at] = x + (learningRate * m) / (Math.sqrt(v) + tau);
        }
        return { moved, first, second };
      });
      const aggregated = {
        weights: next.map(({ moved }) => moved),
        state: [...next.map(({ first }) => first), ...next.map(({ second }) => second)],
      };
      checkFinite(name, aggregated);
      return aggregated;
    },
  };
}

interface Moved {
  readonly moved: Tensor;
  readonly first: Tensor;
  readonly second: Tensor;
}

/** The state is the first moments, then the second ones. @throws HoldfastError `invalid_argument` for the state of something else */
function momentsOf(name: string, weights: Weights, state: Weights, tau: number): readonly [Weights, Weights] {
  if (state.length === 0) {
    const filled = (value: number): Weights =>
      weights.map(({ shape, data }) => ({ shape, data: likeData(data).fill(value) }));
    return [filled(0), filled(tau * tau)];
  }
  const fault = mismatch(state, [...weights, ...weights]);
  if (fault !== undefined)
    throw new HoldfastError(`${name}: these moments are of another model: ${fault.message}`, {
      code: 'invalid_argument',
    });
  return [state.slice(0, weights.length), state.slice(weights.length)];
}

/** Squares may overflow where the updates themselves do not. */
function checkFinite(name: string, { weights, state }: Aggregated): void {
  const fault = notFinite(weights) ?? notFinite(state);
  if (fault === undefined) return;
  throw new HoldfastError(
    `${name}: an update is too far from the model (${fault.message} of the result); lower the learning rates`,
    { code: 'invalid_argument', blame: 'remote' },
  );
}
