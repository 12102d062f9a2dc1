// A set of the numbers that a hub gives its nodes, told in few words: they are given one after the other, so most of those
// that live lie side by side.
// Invariant: ranges are disjoint, in order, and do not touch one another.
import { limits } from './limits.ts';

interface Range {
  from: number;
  to: number;
}

export class Ordinals {
  readonly #ranges: Range[] = [];
  #size = 0;

  /** `runs`: how many numbers from 1 on are not in it, then how many are, and so on in turn. */
  static of(runs: readonly number[]): Ordinals {
    const ordinals = new Ordinals();
    let next = 1;
    for (let at = 0; at + 1 < runs.length; at += 2) {
      const from = next + (runs[at] ?? 0);
      next = from + (runs[at + 1] ?? 0);
      ordinals.add(from, next - 1);
    }
    return ordinals;
  }

  get size(): number {
    return this.#size;
  }

  /**
   * More ranges than `maxRosterRanges` are told with the smallest gaps closed: who relies on the set then waits for a few
   * that are gone, and forgets none that is not.
   */
  get runs(): number[] {
    const runs: number[] = [];
    let next = 1;
    for (const { from, to } of closeGaps(this.#ranges)) {
      runs.push(from - next, to - from + 1);
      next = to + 1;
    }
    return runs;
  }

  has(ordinal: number): boolean {
    const range = this.#ranges[this.#find(ordinal)];
    return range !== undefined && range.from <= ordinal;
  }

  /** All from `from` to `to`. */
  add(from: number, to = from): void {
    if (to < from) return;
    const first = this.#find(from - 1);
    const merged = { from, to };
    let at = first;
    for (
      let range = this.#ranges[at];
      range !== undefined && range.from <= to + 1;
      range = this.#ranges[at]
    ) {
      merged.from = Math.min(merged.from, range.from);
      merged.to = Math.max(merged.to, range.to);
      this.#size -= range.to - range.from + 1;
      at += 1;
    }
    this.#ranges.splice(first, at - first, merged);
    this.#size += merged.to - merged.from + 1;
  }

  addAll(others: Ordinals): void {
    for (const { from, to } of others.#ranges) this.add(from, to);
  }

  delete(ordinal: number): void {
    const at = this.#find(ordinal);
    const range = this.#ranges[at];
    if (range === undefined || range.from > ordinal) return;
    const { from, to } = range;
    const left = from < ordinal ? [{ from, to: ordinal - 1 }] : [];
    const right = ordinal < to ? [{ from: ordinal + 1, to }] : [];
    this.#ranges.splice(at, 1, ...left, ...right);
    this.#size -= 1;
  }

  /** Where the first range is that does not end before `ordinal`. */
  #find(ordinal: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ranges[middle]?.to ?? Infinity) < ordinal) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function closeGaps(ranges: readonly Range[]): readonly Range[] {
  const excess = ranges.length - limits.maxRosterRanges;
  if (excess <= 0) return ranges;
  const gap = (at: number): number => (ranges[at]?.from ?? 0) - (ranges[at - 1]?.to ?? 0);
  const bySize = ranges
    .map((_, at) => at)
    .slice(1)
    .sort((a, b) => gap(a) - gap(b));
  const closed = new Set(bySize.slice(0, excess));
  const kept: Range[] = [];
  ranges.forEach((range, at) => {
    const last = kept.at(-1);
    if (last !== undefined && closed.has(at)) last.to = range.to;
    else kept.push({ ...range });
  });
  return kept;
}
