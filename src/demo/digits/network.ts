// A fully connected network with ReLU, trained by plain stochastic gradient descent on jax-js: its kernels are compiled
// to WebAssembly, need no native code, and are the same every time.
// Invariant: the same weights, digits and order give the same bits, in every process on one machine. (Processors with a
// fused multiply-add round differently from those without: the library uses it where it is there.)
import type * as Jax from '@jax-js/jax';
import type { Tensor, Weights } from '../../index.ts';
import { CLASSES, PIXELS, type Digits } from './digits.ts';
import { randomFrom } from './seeded.ts';

export interface NetworkOptions {
  /** Widths of the hidden layers: `[200, 200]` is the 2NN of McMahan et al. 2017. */
  readonly hidden: readonly number[];
  readonly batchSize: number;
}

export interface Training {
  /** Indices of the digits to learn from, in this order; the last batch may be smaller. */
  readonly order: ArrayLike<number>;
  readonly learningRate: number;
  readonly signal?: AbortSignal;
}

export interface Trained {
  readonly weights: Weights;
  /** Mean cross-entropy, each digit's taken before the step that learned from it. */
  readonly loss: number;
}

export interface Score {
  readonly loss: number;
  /** Share of the digits that were told right, 0 to 1. */
  readonly accuracy: number;
}

export interface Network {
  /** Uniform in ±√(6 / (inputs + outputs)) (Glorot and Bengio 2010); biases are 0. */
  initialWeights(seed: number): Weights;
  /** Rejects with the signal's reason when it is aborted. */
  train(weights: Weights, digits: Digits, training: Training): Promise<Trained>;
  score(weights: Weights, digits: Digits): Promise<Score>;
}

const SCORED_AT_ONCE = 500;
/** So that a node answers its hub while it trains. */
const BATCHES_A_TURN = 5;

/** Whether the library is installed. */
export function hasLibrary(): boolean {
  try {
    import.meta.resolve('@jax-js/jax');
    return true;
  } catch {
    return false;
  }
}

/** Loads the library. The first training and the first scoring compile their kernels, which takes about a second. */
export async function openNetwork({ hidden, batchSize }: NetworkOptions): Promise<Network> {
  const { blockUntilReady, init, numpy: np, nn, jit, valueAndGrad } = await import('@jax-js/jax');
  await init('wasm');
  const widths = [PIXELS, ...hidden, CLASSES];
  const shapes = widths.slice(1).flatMap((outputs, i) => [[widths[i] ?? 0, outputs], [outputs]]);

  // Every use of an array consumes it; `ref` keeps it for one more.
  const forward = (model: readonly Jax.Array[], pixels: Jax.Array): Jax.Array => {
    let layer = pixels;
    for (let i = 0; i < model.length; i += 2) {
      const [matrix, bias] = [model[i], model[i + 1]];
      if (matrix === undefined || bias === undefined) throw new Error('a layer has a matrix and a bias');
      layer = np.matmul(i === 0 ? layer : nn.relu(layer), matrix).add(bias);
    }
    return layer;
  };
  /** Sum over the digits of a batch. A row without a label adds nothing: it only fills the batch. */
  const lossOf = (model: Jax.Array[], pixels: Jax.Array, labels: Jax.Array): Jax.Array =>
    nn.logSoftmax(forward(model, pixels)).mul(labels).sum().neg();
  const step = jit((model: Jax.Array[], pixels: Jax.Array, labels: Jax.Array, rate: Jax.Array) => {
    const [loss, gradients] = valueAndGrad(lossOf)(
      model.map((array) => array.ref),
      pixels,
      labels,
    ) as [Jax.Array, Jax.Array[]];
    const next = model.map((array, i) => {
      const gradient = gradients[i];
      if (gradient === undefined) throw new Error('every array has a gradient');
      return array.sub(gradient.mul(rate.ref));
    });
    rate.dispose();
    return [loss, ...next];
  });
  const logitsOf = jit(forward);

  const load = (weights: Weights): Jax.Array[] =>
    weights.map(({ shape, data }) => np.array(new Float32Array(data)).reshape([...shape]));

  return {
    initialWeights: (seed) => initialWeights(shapes, seed),
    async train(weights, digits, { order, learningRate, signal }) {
      let model = load(weights);
      let total = np.array(0);
      const batch = new Batch(batchSize);
      for (let from = 0; from < order.length; from += batchSize) {
        if (from % (BATCHES_A_TURN * batchSize) === 0) await turn();
        if (signal?.aborted === true) {
          for (const array of [total, ...model]) array.dispose();
          throw signal.reason;
        }
        const size = Math.min(batchSize, order.length - from);
        batch.fill(digits, order, from, size);
        const [loss, ...next] = step(
          model,
          np.array(batch.pixels).reshape([batchSize, PIXELS]),
          np.array(batch.labels).reshape([batchSize, CLASSES]),
          np.array(learningRate / size),
        );
        if (loss === undefined) throw new Error('a step has a loss');
        total = total.add(loss);
        model = next;
        // The library collects what is to be done, and takes ever longer to look through it.
        await blockUntilReady([total, ...model]);
      }
      const data: Float32Array[] = [];
      for (const array of model) data.push((await array.data()) as Float32Array);
      const sum = (await total.data())[0] ?? NaN;
      return {
        weights: data.map((array, i): Tensor => ({ shape: shapes[i] ?? [], data: new Float32Array(array) })),
        loss: sum / order.length,
      };
    },
    async score(weights, digits) {
      const model = load(weights);
      const all = Uint32Array.from({ length: digits.count }, (_, i) => i);
      const batch = new Batch(SCORED_AT_ONCE);
      let [loss, right] = [0, 0];
      for (let from = 0; from < digits.count; from += SCORED_AT_ONCE) {
        const size = Math.min(SCORED_AT_ONCE, digits.count - from);
        batch.fill(digits, all, from, size);
        const arrays = model.map((array) => array.ref);
        const logits = await logitsOf(
          arrays,
          np.array(batch.pixels).reshape([SCORED_AT_ONCE, PIXELS]),
        ).data();
        for (let i = 0; i < size; i += 1) {
          const row = logits.subarray(i * CLASSES, (i + 1) * CLASSES) as Float32Array;
          const label = digits.labels[from + i] ?? 0;
          loss += crossEntropy(row, label);
          if (row.indexOf(Math.max(...row)) === label) right += 1;
        }
        await turn();
      }
      for (const array of model) array.dispose();
      return { loss: loss / digits.count, accuracy: right / digits.count };
    },
  };
}

function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

function initialWeights(shapes: readonly (readonly number[])[], seed: number): Weights {
  const random = randomFrom(seed);
  return shapes.map((shape): Tensor => {
    const [inputs = 0, outputs] = shape;
    if (outputs === undefined) return { shape, data: new Float32Array(inputs) };
    const limit = Math.sqrt(6 / (inputs + outputs));
    return { shape, data: Float32Array.from({ length: inputs * outputs }, () => (2 * random() - 1) * limit) };
  });
}

/** Memory for the digits of a batch: the library copies what it is given. */
class Batch {
  readonly pixels: Float32Array<ArrayBuffer>;
  readonly labels: Float32Array<ArrayBuffer>;

  constructor(size: number) {
    this.pixels = new Float32Array(size * PIXELS);
    this.labels = new Float32Array(size * CLASSES);
  }

  /** Pixels from 0 to 1, and of each label a row with a 1 in its place; rows that are left are all 0. */
  fill(digits: Digits, order: ArrayLike<number>, from: number, size: number): void {
    const { pixels, labels } = this;
    labels.fill(0);
    pixels.fill(0, size * PIXELS);
    for (let i = 0; i < size; i += 1) {
      const index = order[from + i] ?? 0;
      for (let j = 0; j < PIXELS; j += 1)
        pixels[i * PIXELS + j] = (digits.pixels[index * PIXELS + j] ?? 0) / 255;
      labels[i * CLASSES + (digits.labels[index] ?? 0)] = 1;
    }
  }
}

function crossEntropy(logits: Float32Array, label: number): number {
  const most = Math.max(...logits);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - most), 0);
  return Math.log(sum) + most - (logits[label] ?? 0);
}
