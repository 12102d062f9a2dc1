// The mean of updates, weighted by their samples: what every strategy here begins with.
// Invariant: computed in Float64 in the order of node ids, whatever the order in which they came; the mean of finite numbers
// is finite.
import { HoldfastError } from '../protocol/errors.ts';
import type { AcceptedUpdate, Tensor, Weights } from './contract.ts';
import { compareIds } from './participants.ts';
import { atOnce, SLICE_NUMBERS, type Slices } from './slices.ts';
import { likeData } from './weights.ts';

type TensorData = Tensor['data'];

/** Numbers that are summed up at a time: sums (32 KiB) and what is added to them stay in the processor's nearest cache. */
const TILE = 4_096;

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
  return atOnce(weightedMeanInSlices(updates));
}

export function* weightedMeanInSlices(updates: readonly AcceptedUpdate[]): Slices<Weights> {
  const mean = (updates[0]?.weights ?? []).map(({ shape, data }) => ({ shape, data: likeData(data) }));
  yield* eachMean(updates, (tensor, start, means) => mean[tensor]?.data.set(means, start));
  return mean;
}

/** Gets a stretch of the means of one tensor, from `start` on; they are there until it returns. */
export type TakeMeans = (tensor: number, start: number, means: Float64Array) => void;

/** As `weightedMean`, before the means are rounded to the tensors' types: stretch by stretch, so that they stay in the cache. */
export function* eachMean(updates: readonly AcceptedUpdate[], take: TakeMeans): Slices<void> {
  const ordered = inOrder(updates);
  const samples = ordered.map((update) => update.samples);
  const sums = new Float64Array(TILE);
  const [first] = ordered as readonly [AcceptedUpdate];
  let read = 0;
  for (const [index, { data }] of first.weights.entries()) {
    const sources = ordered.map(({ weights }) => (weights[index] as Tensor).data);
    for (let start = 0; start < data.length; start += TILE) {
      const end = Math.min(start + TILE, data.length);
      const tiles = sources.map((source) => source.subarray(start, end));
      const means = sums.subarray(0, end - start);
      meansOf(tiles, samples, means);
      if (data instanceof Float64Array) clamp(means);
      take(index, start, means);
      read += means.length * tiles.length;
      if (read < SLICE_NUMBERS) continue;
      read = 0;
      yield;
    }
  }
}

/**
 * Shares are scaled by a power of two, which rounds nothing, so that they sum up to at most 1: no sum of finite float64
 * overflows on the way.
 */
function meansOf(tiles: readonly TensorData[], samples: readonly number[], sums: Float64Array): void {
  const total = samples.reduce((sum, count) => sum + count, 0);
  let scale = 1;
  while (scale < total) scale *= 2;
  const tile = (index: number): TensorData => tiles[index] as TensorData;
  const share = (index: number): number => (samples[index] as number) / scale;
  sums.fill(0);
  let at = 0;
  for (; at + 4 <= tiles.length; at += 4) {
    const [b, c, d] = [at + 1, at + 2, at + 3];
    addFour(sums, tile(at), share(at), tile(b), share(b), tile(c), share(c), tile(d), share(d));
  }
  for (; at < tiles.length; at += 1) addOne(sums, tile(at), share(at));
  const whole = total / scale;
  for (at = 0; at < sums.length; at += 1) sums[at] = (sums[at] as number) / whole;
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

/** Rounding may lead a hair beyond the largest float64, but not further. */
function clamp(means: Float64Array): void {
  for (let at = 0; at < means.length; at += 1)
    means[at] = Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, means[at] as number));
}
