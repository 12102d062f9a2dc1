// How long answers took: percentiles of the latest, in fixed memory.
// Invariant: a percentile is the upper end of the step that holds it, so it is never too low, and at most 1/32 too high.

/** Steps within each doubling. */
const STEPS = 32;
/** From 2^-4 ms (62.5 µs) to 2^20 ms (17 minutes); what lies beyond counts as the last step. */
const LOWEST = -4;
const DOUBLINGS = 24;
/** Answers of one generation; percentiles are over two. */
const GENERATION = 10_000;

const SIZE = STEPS * DOUBLINGS;

function stepOf(ms: number): number {
  if (!(ms > 2 ** LOWEST)) return 0;
  const exponent = Math.floor(Math.log2(ms));
  const step = (exponent - LOWEST) * STEPS + Math.floor((ms / 2 ** exponent - 1) * STEPS);
  return Math.min(SIZE - 1, step);
}

function upperEnd(step: number): number {
  return 2 ** (LOWEST + Math.floor(step / STEPS)) * (1 + ((step % STEPS) + 1) / STEPS);
}

/** Log-linear buckets, as in Tene's HdrHistogram. The 10 000 to 20 000 latest answers count. */
export class Latencies {
  #present = new Uint32Array(SIZE);
  #past = new Uint32Array(SIZE);
  #inPresent = 0;
  #inPast = 0;

  add(ms: number): void {
    if (this.#inPresent === GENERATION) this.#turn();
    const step = stepOf(ms);
    this.#present[step] = (this.#present[step] ?? 0) + 1;
    this.#inPresent += 1;
  }

  get size(): number {
    return this.#inPresent + this.#inPast;
  }

  /** Milliseconds within which this part of the answers came; −1 when there were none. `part` is in (0, 1]. */
  percentileMs(part: number): number {
    const wanted = Math.ceil(this.size * part);
    if (wanted === 0) return -1;
    let seen = 0;
    for (let step = 0; step < SIZE; step++) {
      seen += (this.#present[step] ?? 0) + (this.#past[step] ?? 0);
      if (seen >= wanted) return upperEnd(step);
    }
    return upperEnd(SIZE - 1);
  }

  #turn(): void {
    const oldest = this.#past;
    this.#past = this.#present;
    this.#inPast = this.#inPresent;
    oldest.fill(0);
    this.#present = oldest;
    this.#inPresent = 0;
  }
}
