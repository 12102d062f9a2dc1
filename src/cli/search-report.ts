// What a search says: how far it is while it runs, and what it found.
// Invariant: standard output gets results only; progress goes to standard error.
import type { CheckResult, Progress } from '../testing/index.ts';
import { formatDuration } from './report.ts';

/** With spaces between thousands: `45 112`. */
export function formatCount(count: number): string {
  return Math.round(count)
    .toString()
    .replaceAll(/\B(?=(\d{3})+$)/g, ' ');
}

export function formatBytes(bytes: number): string {
  if (bytes < 1024 * 1024) return `${Math.ceil(bytes / 1024)} KiB`;
  if (bytes < 1024 ** 3) return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
  return `${(bytes / 1024 ** 3).toFixed(2)} GiB`;
}

/** One line: states, states/s, depth, queue, memory, and who has the most local states. */
export function describeProgress(name: string, progress: Progress, elapsedMs: number): string {
  const { phase, states, depth, queued, memoryBytes, largest } = progress;
  if (phase === 'judging')
    return `${name}: judging ${formatCount(states)} states, ${formatBytes(memoryBytes)}`;
  const rate = elapsedMs === 0 ? 0 : (states * 1_000) / elapsedMs;
  return (
    `${name}: ${formatCount(states)} states, ${formatCount(rate)}/s, depth ${depth}, queue ${formatCount(queued)}, ` +
    `about ${formatBytes(memoryBytes)}; ${largest.part} has ${formatCount(largest.localStates)} local states`
  );
}

/** Keeps one line of a terminal up to date; elsewhere writes a line now and then. */
export class ProgressLine {
  readonly #stream: NodeJS.WriteStream;
  readonly #intervalMs: number;
  #shownAt: number;

  constructor(stream: NodeJS.WriteStream, now: number) {
    this.#stream = stream;
    this.#intervalMs = stream.isTTY ? 200 : 5_000;
    this.#shownAt = now;
  }

  show(line: string, now: number): void {
    if (now - this.#shownAt < this.#intervalMs) return;
    this.#shownAt = now;
    const columns = this.#stream.columns || 80;
    this.#stream.write(this.#stream.isTTY ? `\r\x1b[K${line.slice(0, columns - 1)}` : `${line}\n`);
  }

  clear(): void {
    if (this.#stream.isTTY) this.#stream.write('\r\x1b[K');
  }
}

/** Of a counterexample with more steps so many of the first and of the last ones are printed. */
const FIRST_STEPS = 10;
const LAST_STEPS = 40;

/** The lines of a counterexample, without the middle of a very long one. */
function shortened(lines: readonly string[]): readonly string[] {
  const steps = lines.flatMap((line, i) => (/^ *\d+\. /.test(line) ? [i] : []));
  const left = steps.length - FIRST_STEPS - LAST_STEPS;
  const [from, to] = [steps[FIRST_STEPS], steps[FIRST_STEPS + left]];
  if (left <= 0 || from === undefined || to === undefined) return lines;
  const note = `     (${formatCount(left)} steps are left out here; --save FILE keeps all)`;
  return [...lines.slice(0, from), note, ...lines.slice(to)];
}

export type Ending = 'finished' | 'interrupted';

export function describeResult(
  name: string,
  result: CheckResult,
  ending: Ending,
  elapsedMs: number,
  { part, localStates }: Progress['largest'],
): string[] {
  const {
    states,
    generated,
    depth,
    complete,
    violation,
    bound,
    unreached = [],
    unjudged = [],
    seed,
    walks,
  } = result;
  const verdict =
    violation !== undefined
      ? `violates ${violation.kind}: ${violation.property}`
      : complete
        ? 'holds'
        : ending === 'interrupted'
          ? 'interrupted; no violation so far'
          : 'no violation found; not every state was seen';
  const rate = elapsedMs === 0 ? 0 : (states * 1_000) / elapsedMs;
  const lines = [
    `${name}: ${verdict}`,
    `  ${formatCount(states)} states, ${formatCount(generated)} generated, depth ${depth}, ` +
      `${formatDuration(elapsedMs)}, ${formatCount(rate)} states/s`,
  ];
  if (seed !== undefined)
    lines.push(
      violation === undefined
        ? `  seed ${seed}, ${formatCount(walks ?? 0)} walks`
        : `  seed ${seed}: replay it with --mode simulation --seed ${seed} --walks 1`,
    );
  if (violation !== undefined)
    return [...lines, ...shortened(violation.text.split('\n')).map((line) => `  ${line}`)];
  if (bound === 'maxStates')
    lines.push(
      `  stopped by maxStates; ${part} has the most local states, ${formatCount(localStates)}: bound what it counts or ` +
        'collects and how often things happen (budgets), or raise --max-states',
    );
  if (bound === 'maxDepth')
    lines.push('  stopped by maxDepth: raise --max-depth to see what lies farther away');
  for (const property of unreached) lines.push(`  not reached so far: ${property}`);
  for (const property of unjudged) lines.push(`  not judged, since that takes every state: ${property}`);
  return lines;
}
