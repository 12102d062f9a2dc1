// The mean of updates, weighted by their samples: what every strategy here begins with.
// Invariant: computed in Float64 in the order of node ids, whatever the order in which they came; the mean of finite numbers
// is finite.
import { HoldfastError } from '../protocol/errors.ts';
import type { AcceptedUpdate, Tensor, Weights } from './contract.ts';
import { compareIds } from './participants.ts';
import { likeData } from './weights.ts';

type TensorData = Tensor['data'];

/** Numbers that are summed up at a time: sums (16 KiB) and what is added to them stay in the processor's nearest cache. */
const TILE = 2_048;

/** By node id, in the order of code units. @throws HoldfastError `invalid_argument` for none, and for two of one node */
export function inOrder(updates: readonly AcceptedUpdate[]): readonly AcceptedUpdate[] {
  if (updates.length === 0)
    throw new HoldfastError('no updates: a round needs at least one', { code: 'invalid_argument' });
  const sorted = [...updates].sort((one, other) => compareIds(one.node, other.node));
  for (let at = 1; at < sorted.length; at += 1)
    if (sorted[at]?.node === sorted[at - 1]?.node)
      throw new HoldfastError(`two updates of node ${sorted[at]?.node}; one counts`, {
        code: 'invalid_argument',
      });
  return sorted;
}

/**
 * Σ nₖ·wₖ / Σ nₖ over updates of the same shapes, in the types of these. Products of a float32 with fewer than 2^29 samples are
 * exact, so the mean of equal float32 numbers is that number.
 */
export function weightedMean(updates: readonly AcceptedUpdate[]): Weights {
  return means(updates, likeData, ({ shape }, data) => ({ shape, data }));
}

/** The same before it is rounded to a tensor's type, for strategies that go on from it: the numbers of each tensor. */
export function weightedMeans(updates: readonly AcceptedUpdate[]): Float64Array[] {
  return means(
    updates,
    ({ length }) => new Float64Array(length),
    (_, data) => data,
  );
}

function means<D extends TensorData, R>(
  updates: readonly AcceptedUpdate[],
  room: (data: TensorData) => D,
  result: (tensor: Tensor, data: D) => R,
): R[] {
  const ordered = inOrder(updates);
  const samples = ordered.map((update) => update.samples);
  const [first] = ordered as readonly [AcceptedUpdate];
  const sums = new Float64Array(TILE);
  return first.weights.map((tensor, index) => {
    const sources = ordered.map(({ weights }) => (weights[index] as Tensor).data);
    const mean = room(tensor.data);
    meanOf(sources, samples, mean, sums);
    return result(tensor, mean);
  });
}

/**
 * Shares are scaled by a power of two, which rounds nothing, so that they sum up to at most 1: no sum of finite float64
 * overflows on the way.
 */
function meanOf(
  sources: readonly TensorData[],
  samples: readonly number[],
  mean: TensorData,
  sums: Float64Array,
): void {
  const total = samples.reduce((sum, count) => sum + count, 0);
  let scale = 1;
  while (scale < total) scale *= 2;
  const whole = total / scale;
  for (let start = 0; start < mean.length; start += TILE) {
    const end = Math.min(start + TILE, mean.length);
    const tile = (index: number): TensorData => (sources[index] as TensorData).subarray(start, end);
    const share = (index: number): number => (samples[index] as number) / scale;
    sums.fill(0);
    let at = 0;
    for (; at + 4 <= sources.length; at += 4) {
      addFour(
        sums,
        tile(at),
        share(at),
        tile(at + 1),
        share(at + 1),
        tile(at + 2),
        share(at + 2),
        tile(at + 3),
        share(at + 3),
      );
    }
    for (; at < sources.length; at += 1) addOne(sums, tile(at), share(at));
    divide(sums, whole, mean.subarray(start, end));
  }
}

/** As four times `addOne`, bit for bit, with a fourth of the traffic. */
function addFour(
  sums: Float64Array,
  a: TensorData,
  shareOfA: number,
  b: TensorData,
  shareOfB: number,
  c: TensorData,
  shareOfC: number,
  d: TensorData,
  shareOfD: number,
): void {
  for (let at = 0; at < a.length; at += 1)
    sums[at] =
      (sums[at] as number) +
      shareOfA * (a[at] as number) +
      shareOfB * (b[at] as number) +
      shareOfC * (c[at] as number) +
      shareOfD * (d[at] as number);
}

function addOne(sums: Float64Array, source: TensorData, share: number): void {
  for (let at = 0; at < source.length; at += 1)
    sums[at] = (sums[at] as number) + share * (source[at] as number);
}

function divide(sums: Float64Array, whole: number, mean: TensorData): void {
  for (let at = 0; at < mean.length; at += 1) mean[at] = (sums[at] as number) / whole;
  if (mean instanceof Float32Array) return;
  // Rounding may lead a hair beyond the largest float64, but not further.
  for (let at = 0; at < mean.length; at += 1)
    mean[at] = Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, mean[at] as number));
}
