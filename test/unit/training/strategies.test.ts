// Strategies against numbers that were computed apart from them: with 60 decimal digits, from the sums over all rounds that
// the papers' recurrences unfold to.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { fedAdam, fedAvg, fedProx, fedYogi } from '../../../src/index.ts';
import type { Aggregated, Strategy, Weights } from '../../../src/training/contract.ts';
import { aModel, bitsOf, float32, float64, like, someUpdates, update } from './models.ts';

/** For each round: samples, and by how much the node's weights differ from those that it was given. */
const rounds: readonly (readonly (readonly [samples: number, offsets: readonly number[]])[])[] = [
  [
    [3, [0.25, -0.5, 0]],
    [1, [-0.25, 0.125, 0.0009765625]],
  ],
  [
    [2, [0.0625, 1, -2]],
    [2, [0.5, 1, 2]],
    [4, [-0.125, -0.75, 0.5]],
  ],
  [[5, [1, -0.03125, -0.25]]],
];

type Make = (...values: number[]) => Weights;
const inFloat64: Make = (...values) => [float64([3], ...values)];
const inFloat32: Make = (...values) => [float32([3], ...values)];

/** Weights and state after each round. */
function train({ aggregate }: Strategy, make: Make): Aggregated[] {
  let last: Aggregated = { weights: make(0.5, -1.25, 3), state: [] };
  return rounds.map((updates, at) => {
    const { weights, state } = last;
    const answers = updates.map(([samples, offsets], k) =>
      update(`n${k}`, samples, make(...Array.from(weights[0]?.data ?? [], (x, i) => x + (offsets[i] ?? 0)))),
    );
    last = aggregate({ round: at + 1, weights, state, updates: answers });
    return last;
  });
}

function near(found: ArrayLike<number> | undefined, expected: readonly number[], relative: number): void {
  expect(found?.length).toBe(expected.length);
  for (const [at, value] of expected.entries())
    expect(Math.abs((found?.[at] ?? Number.NaN) / value - 1), `${found?.[at]} for ${value}`).toBeLessThan(
      relative,
    );
}

interface Golden {
  readonly weights: readonly (readonly number[])[];
  /** The moments after the last round. */
  readonly first: readonly number[];
  readonly second: readonly number[];
}

const first = [0.11715625, -0.01971875, -0.002480224609375];
const adam: Golden = {
  weights: [
    [0.5092322208393607, -1.2597133613252738, 3.000122358655772],
    [0.5213578549693346, -1.2646393865524677, 3.0097389426066914],
    [0.5328362236560497, -1.2699145132905738, 3.0090553198256114],
  ],
  first,
  second: [0.0102145357286875, 0.0013235494005625, 0.0012447208831851235],
};
const yogi: Golden = {
  weights: [
    [0.5092319489631876, -1.259713321419189, 3.0001220885078173],
    [0.5213163436393613, -1.264618104856311, 3.0097385342410212],
    [0.5327926268665121, -1.2698824512456963, 3.0090565818745576],
  ],
  first,
  second: [0.01021828515625, 0.001329125, 0.0012509994039535523],
};

function expectGolden(strategy: Strategy, golden: Golden): void {
  const found = train(strategy, inFloat64);
  for (const [at, { weights }] of found.entries()) near(weights[0]?.data, golden.weights[at] ?? [], 1e-15);
  const state = found.at(-1)?.state ?? [];
  expect(state).toHaveLength(2);
  near(state[0]?.data, golden.first, 1e-13);
  near(state[1]?.data, golden.second, 1e-13);
  // In float32 the same, as far as that goes.
  near(train(strategy, inFloat32).at(-1)?.weights[0]?.data, golden.weights.at(-1) ?? [], 2e-7);
}

test('FedAdam and FedYogi take the steps of algorithm 2 of Reddi et al. 2021, with its defaults', () => {
  expectGolden(fedAdam(), adam);
  expectGolden(fedYogi(), yogi);
  expectGolden(fedAdam({ learningRate: 0.01, beta1: 0.9, beta2: 0.99, tau: 0.001 }), adam);
});

const means = [0, 1, 2].map((at) => {
  const offsets = rounds.slice(0, at + 1).map((updates) => {
    const total = updates.reduce((sum, [samples]) => sum + samples, 0);
    return [0, 1, 2].map(
      (i) => updates.reduce((sum, [samples, by]) => sum + samples * (by[i] ?? 0), 0) / total,
    );
  });
  return [0.5, -1.25, 3].map((x, i) => offsets.reduce((sum, by) => sum + (by[i] ?? 0), x));
});

test('FedAvg and FedProx go to the mean of McMahan et al. 2017, weighted by samples', () => {
  for (const strategy of [fedAvg(), fedProx({ mu: 0.1 })])
    for (const [at, { weights, state }] of train(strategy, inFloat64).entries()) {
      near(weights[0]?.data, means[at] ?? [], 1e-15);
      expect(state).toEqual([]);
    }
});

test('FedProx tells nodes μ, and nothing else', () => {
  expect(fedProx({ mu: 0.01 }).configure?.(7)).toEqual({ mu: 0.01 });
  expect(fedProx({ mu: 0 }).configure?.(1)).toEqual({ mu: 0 });
  expect([fedAvg(), fedAdam(), fedYogi()].map(({ configure }) => configure)).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test('each has the name that its checkpoints bear', () => {
  const all = [fedAvg(), fedProx({ mu: 1 }), fedAdam(), fedYogi()];
  expect(all.map(({ name }) => name)).toEqual(['fed-avg', 'fed-prox', 'fed-adam', 'fed-yogi']);
});

/** What one gets wrong easily. */
const twins: Readonly<Record<string, (input: Parameters<Strategy['aggregate']>[0]) => Aggregated>> = {
  'the state is lost between rounds': (input) => fedAdam().aggregate({ ...input, state: [] }),
  'samples do not count': (input) =>
    fedAdam().aggregate({ ...input, updates: input.updates.map((one) => ({ ...one, samples: 1 })) }),
  'v begins with 0': (input) =>
    fedAdam({ tau: 0.001 }).aggregate({
      ...input,
      state: input.state.length > 0 ? input.state : [float64([3], 0, 0, 0), float64([3], 0, 0, 0)],
    }),
  'the second moment is Yogi’s': (input) => fedYogi().aggregate(input),
};

test.each(Object.entries(twins))('it is noticed when %s', (_, aggregate) => {
  expect(() => expectGolden({ name: 'twin', aggregate }, adam)).toThrow(/ for -?\d/);
});

const every = [fedAvg(), fedProx({ mu: 0.1 }), fedAdam(), fedYogi()];
const small = fc.double({ noNaN: true, min: -1e3, max: 1e3 });

test('the order of arrival changes no bit of any strategy, and what is given stays as it was', () => {
  const aCase = someUpdates.chain((updates) =>
    fc.tuple(
      fc.constant(updates),
      fc.shuffledSubarray(updates, { minLength: updates.length }),
      like(updates[0]?.weights ?? []),
    ),
  );
  fc.assert(
    fc.property(aCase, fc.constantFrom(...every), ([updates, others, weights], strategy) => {
      const before = bitsOf(weights);
      const run = (given: typeof updates): unknown => {
        try {
          const { weights: next, state } = strategy.aggregate({
            round: 1,
            weights,
            state: [],
            updates: given,
          });
          return [bitsOf(next), bitsOf(state)];
        } catch (error) {
          return String(error);
        }
      };
      expect(run(others)).toEqual(run(updates));
      expect(bitsOf(weights)).toEqual(before);
    }),
    { numRuns: 200 },
  );
});

test('with β₁ = 0 a step of FedAdam is never longer than η / √(1 − β₂)', () => {
  fc.assert(
    fc.property(small, small, fc.double({ noNaN: true, min: 0, max: 0.999 }), (x, target, beta2) => {
      const { weights } = fedAdam({ beta1: 0, beta2 }).aggregate({
        round: 1,
        weights: [float64([], x)],
        state: [],
        updates: [update('n', 1, [float64([], target)])],
      });
      const step = (weights[0]?.data[0] ?? Number.NaN) - x;
      expect(Math.abs(step)).toBeLessThanOrEqual((0.01 / Math.sqrt(1 - beta2)) * (1 + 1e-9) + 1e-12);
      expect(step * (target - x)).toBeGreaterThanOrEqual(0);
    }),
  );
});

test('a result has the types and shapes of the model, and its state twice these', () => {
  fc.assert(
    fc.property(aModel, fc.constantFrom(...every), (model, strategy) => {
      const given = { round: 1, weights: model, state: [], updates: [update('n', 1, model)] };
      const { weights, state } = strategy.aggregate(given);
      const kinds = (all: Weights): string[] =>
        all.map(({ shape, data }) => `${data.constructor.name} ${shape.join()}`);
      expect(kinds(weights)).toEqual(kinds(model));
      expect(kinds(state)).toEqual(
        strategy.name.match(/adam|yogi/) ? [...kinds(model), ...kinds(model)] : [],
      );
    }),
  );
});

test('an update whose square overflows is an error with a name, not a model that stands still', () => {
  const input = {
    round: 1,
    weights: [float32([1], 0)],
    state: [],
    updates: [update('n', 1, [float32([1], 1e25)])],
  };
  expect(() => fedAdam().aggregate(input)).toThrow(
    /fed-adam: an update is too far from the model \(tensor 1 has Infinity/,
  );
  expect(fedAvg().aggregate(input).weights[0]?.data[0]).toBe(Math.fround(1e25));
});

test('the moments of another model are refused', () => {
  const input = {
    round: 2,
    weights: [float32([1], 0)],
    state: [float32([1], 0)],
    updates: [update('n', 1, [float32([1], 1)])],
  };
  expect(() => fedYogi().aggregate(input)).toThrow(/these moments are of another model: they are 1 tensors/);
});

test.each([
  ['fed-adam learningRate is 0', () => fedAdam({ learningRate: 0 })],
  ['fed-adam learningRate is Infinity', () => fedAdam({ learningRate: Infinity })],
  ['fed-yogi beta1 is 1', () => fedYogi({ beta1: 1 })],
  ['fed-yogi beta2 is -0.1', () => fedYogi({ beta2: -0.1 })],
  ['fed-adam beta2 is NaN', () => fedAdam({ beta2: Number.NaN })],
  ['fed-adam tau is 0', () => fedAdam({ tau: 0 })],
  ['fedProx mu is -1', () => fedProx({ mu: -1 })],
  ['fedProx mu is NaN', () => fedProx({ mu: Number.NaN })],
])('%s: refused', (message, make) => {
  expect(make).toThrow(message);
});
