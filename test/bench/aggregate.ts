// Aggregation: how fast updates are checked and averaged, beside a plain loop and the speed of memory; and how long the fleet
// waits between the last upload of a round and the next model.
// Invariant: every result is checked; what is compared is measured in the same rounds. Rates are of the thread's own time, which
// on a machine without other work is the time that passes; the rest is time that passes.
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fedAdam, fedAvg, type Weights } from '../../src/index.ts';
import type { AcceptedUpdate, Strategy } from '../../src/training/contract.ts';
import { checkUpdate } from '../../src/training/update.ts';
import { weightsBytes } from '../../src/training/weights.ts';
import { median, rotated, type BenchOptions, type Row } from './rows.ts';
import { timeTraining } from './subjects/training.ts';

const MEGABYTE = 1e6;
/** Layers, of which the model is made. */
const TENSORS = 8;

interface Size {
  readonly nodes: readonly number[];
  readonly bytes: number;
  /** Rounds of training that are measured. */
  readonly trained: number;
  /** The same with a real fleet, by its nodes. */
  readonly fleets: ReadonlyMap<number, number>;
}

const full: Size = {
  nodes: [10, 100],
  bytes: 10 * MEGABYTE,
  trained: 7,
  // A round of a hundred moves 2 GB, and takes seconds.
  fleets: new Map([
    [10, 7],
    [100, 3],
  ]),
};
const quick: Size = { nodes: [2, 5], bytes: MEGABYTE, trained: 2, fleets: new Map([[2, 2]]) };

function modelOf(bytes: number, seed: number): Weights {
  const length = bytes / 4 / TENSORS;
  return Array.from({ length: TENSORS }, (_, tensor) => ({
    shape: [length],
    data: new Float32Array(length).map(
      (_zero, at) => (Math.imul(at + tensor + seed, 0x9e3779b1) >> 8) / 2 ** 24,
    ),
  }));
}

/** What anyone would write: number by number, and for each the nodes. */
function plainMean(updates: readonly AcceptedUpdate[]): Weights {
  const samples = updates.map((update) => update.samples);
  const total = samples.reduce((sum, count) => sum + count, 0);
  return (updates[0]?.weights ?? []).map(({ shape, data }, tensor) => {
    const sources = updates.map(({ weights }) => weights[tensor]?.data ?? data);
    const mean = new Float32Array(data.length);
    for (let at = 0; at < mean.length; at += 1) {
      let sum = 0;
      for (let k = 0; k < sources.length; k += 1)
        sum += (samples[k] as number) * ((sources[k] as Float32Array)[at] as number);
      mean[at] = sum / total;
    }
    return { shape, data: mean };
  });
}

/** Each number is read once and written once: no mean can be faster by much. */
function copy(updates: readonly AcceptedUpdate[]): Weights {
  const into = (updates[0]?.weights ?? []).map(({ shape, data }) => ({
    shape,
    data: new Float32Array(data.length),
  }));
  for (const { weights } of updates) for (const [at, { data }] of weights.entries()) into[at]?.data.set(data);
  return into;
}

const aggregateWith =
  ({ aggregate }: Strategy) =>
  (updates: readonly AcceptedUpdate[]): Weights =>
    aggregate({ round: 1, weights: updates[0]?.weights ?? [], state: [], updates }).weights;

function checkAll(updates: readonly AcceptedUpdate[]): Weights {
  const model = updates[0]?.weights ?? [];
  for (const { weights, samples } of updates) {
    const { refused } = checkUpdate({ weights, samples }, model);
    if (refused !== undefined) throw new Error(refused.message);
  }
  return model;
}

const subjects = {
  memcpy: copy,
  'plain-loop': plainMean,
  'fed-avg': aggregateWith(fedAvg()),
  'fed-adam': aggregateWith(fedAdam()),
  check: checkAll,
} as const;

type Add = (row: string, unit: string, value: number) => void;

function updatesOf(nodes: number, bytes: number): AcceptedUpdate[] {
  return Array.from({ length: nodes }, (_, k) => ({
    node: `n${k}`,
    samples: 600 + k,
    weights: modelOf(bytes, k),
    metrics: {},
  }));
}

function throughput(
  chosen: readonly [name: string, work: (updates: readonly AcceptedUpdate[]) => Weights][],
  updates: readonly AcceptedUpdate[],
  expected: Weights,
  add: Add,
): void {
  const bytes = updates.length * weightsBytes(expected);
  for (const [name, work] of chosen) {
    const before = process.threadCpuUsage();
    const result = work(updates);
    const { user, system } = process.threadCpuUsage(before);
    const seconds = (user + system) / 1e6;
    if (name === 'fed-avg' && !isNear(result, expected)) throw new Error('that is not the mean');
    add(`${name}@${updates.length}`, 'MB/s', bytes / MEGABYTE / seconds);
  }
}

function isNear(one: Weights, other: Weights): boolean {
  return one.every(({ data }, tensor) =>
    data.every((value, at) => Math.abs(value - (other[tensor]?.data[at] ?? Number.NaN)) < 1e-6),
  );
}

/** What a machine does at least: the plain loop, and a file that is flushed. */
function plainTail(updates: readonly AcceptedUpdate[], directory: string): number {
  const startedAt = performance.now();
  const mean = plainMean(updates);
  const file = openSync(join(directory, 'model'), 'w');
  for (const { data } of mean) writeSync(file, new Uint8Array(data.buffer));
  fsyncSync(file);
  closeSync(file);
  return performance.now() - startedAt;
}

async function tails(nodes: number, size: Size, directory: string, add: Add): Promise<void> {
  const updates = updatesOf(nodes, size.bytes);
  for (let time = 0; time < 3; time += 1) add(`plain-tail@${nodes}`, 'ms', plainTail(updates, directory));
  const request = { nodes, rounds: size.trained, model: modelOf(size.bytes, 1), directory };
  add(`tail@${nodes}`, 'ms', (await timeTraining({ ...request, kind: 'local' })).tailMs);
  const trained = size.fleets.get(nodes);
  if (trained === undefined) return;
  const { tailMs, roundMs } = await timeTraining({ ...request, kind: 'fleet', rounds: trained });
  add(`fleet-tail@${nodes}`, 'ms', tailMs);
  add(`fleet-round@${nodes}`, 'ms', roundMs);
  // Each node is sent a model, and sends one.
  add(`fleet-moved@${nodes}`, 'MB/s', (2 * nodes * size.bytes) / MEGABYTE / (roundMs / 1_000));
}

/** What a ratio is against. */
const baselines: Readonly<Record<string, string | undefined>> = {
  tail: 'plain-tail',
  'plain-tail': 'plain-tail',
  'fleet-tail': 'plain-tail',
  'fleet-round': undefined,
  'fleet-moved': undefined,
};

export async function run({ rounds, quick: isQuick, only, say }: BenchOptions): Promise<Row[]> {
  const size = isQuick ? quick : full;
  const units = new Map<string, string>();
  const values = new Map<string, number[]>();
  const add: Add = (row, unit, value) => {
    units.set(row, unit);
    values.set(row, [...(values.get(row) ?? []), value]);
    say(`${row.padEnd(18)} ${value.toFixed(value < 100 ? 2 : 0)} ${unit}`);
  };
  const chosen = Object.entries(subjects).filter(([name]) => only?.includes(name) ?? true);
  for (const nodes of size.nodes) {
    const updates = updatesOf(nodes, size.bytes);
    const expected = plainMean(updates);
    // The first pass pays for compiling, and is thrown away.
    throughput(chosen, updates, expected, () => {});
    for (let round = 0; round < rounds; round += 1)
      throughput(rotated(chosen, round), updates, expected, add);
  }
  if (only?.includes('tail') ?? true) {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
    try {
      for (const nodes of size.nodes) await tails(nodes, size, directory, add);
    } finally {
      rmSync(directory, { recursive: true });
    }
  }

  return [...units].map(([name, unit]) => {
    const value = median(values.get(name) ?? []);
    const [subject = '', load = ''] = name.split('@');
    const baseline = values.get(`${subject in baselines ? baselines[subject] : 'memcpy'}@${load}`);
    return { name, value, unit, ratio: baseline === undefined ? null : value / median(baseline) };
  });
}
