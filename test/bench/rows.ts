// What every benchmark answers: rows, and the little arithmetic behind them.
// Invariant: a row's value is a median of rounds, never a mean of percentiles.

import { cpus } from 'node:os';

export interface Row {
  /** `<subject>@<load>`. */
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Against the bare baseline at the same load; null where there is none. */
  readonly ratio: number | null;
}

export interface BenchOptions {
  /** Rounds, each with every subject once. */
  readonly rounds: number;
  /** Short runs and small loads, to see that everything works. Its numbers are worth nothing. */
  readonly quick: boolean;
  /** The subjects to run; undefined runs all. A ratio needs its baseline in the run. */
  readonly only?: readonly string[] | undefined;
  /** Says what goes on, on standard error. */
  say(line: string): void;
}

export type Bench = (options: BenchOptions) => Promise<Row[]>;

export function percentile(values: readonly number[] | Float64Array, quantile: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))] ?? Number.NaN;
}

export function median(values: readonly number[] | Float64Array): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The order of one round: everybody goes first once. */
export function rotated<T>(items: readonly T[], round: number): T[] {
  const start = round % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

export function machine(): { cpu: string; cores: number; node: string; os: string } {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
    node: process.version,
    os: `${process.platform} ${process.arch}`,
  };
}

export function round(value: number): number {
  if (!Number.isFinite(value) || value === 0) return value;
  const digits = Math.max(0, 3 - Math.floor(Math.log10(Math.abs(value))));
  return Number(value.toFixed(Math.min(6, digits)));
}
