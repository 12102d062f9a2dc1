// What `holdfast train` shows: a line a round on standard output; on standard error what happens between them and, in a
// terminal, a bar.
// Invariant: a round is printed once, when it is committed.
import type { RoundReport, TrainerStatus, TrainingEvent } from '../index.ts';
import { Screen } from '../demo/screen.ts';
import { formatDuration, printLine } from './report.ts';

const BAR_WIDTH = 30;
const REDRAW_MS = 250;

/** `0.9312`, `1.2e-7`, or `-` for what nobody measured. */
function formatMetric(value: number | undefined): string {
  if (value === undefined) return '-';
  const isPlain = value === 0 || (Math.abs(value) >= 0.001 && Math.abs(value) < 10_000);
  return isPlain ? value.toFixed(4) : value.toExponential(2);
}

export function formatRound(report: RoundReport, rounds: number): string {
  const { round, metrics, evaluation, asked, answered, late, lost, refused, abandoned, durationMs } = report;
  const width = String(rounds).length;
  const of = (name: string): string => formatMetric(evaluation[name] ?? metrics[name]);
  const redone = abandoned === 0 ? '' : `, after ${abandoned} in vain`;
  return (
    `round ${String(round).padStart(width)}/${rounds}  loss ${of('loss')}  accuracy ${of('accuracy')}  ` +
    `asked ${asked}  answered ${answered}  late ${late}  lost ${lost}  refused ${refused}  ` +
    `in ${formatDuration(durationMs)}${redone}`
  );
}

export function formatEvent(event: TrainingEvent): string | undefined {
  if (event.type === 'abandoned') return `round ${event.round} is done again: ${event.reason}`;
  // The log says it.
  if (event.type === 'refused') return undefined;
  return `gate ${event.state}: ${event.nodes} nodes`;
}

export function formatBar({ round, rounds, state, nodes }: TrainerStatus): string {
  const full = Math.round((BAR_WIDTH * round) / rounds);
  const bar = '█'.repeat(full) + '░'.repeat(BAR_WIDTH - full);
  return `${bar} ${round}/${rounds} rounds  ${state}, ${nodes.length} nodes`;
}

export class TrainView {
  readonly #status: () => TrainerStatus;
  /** Undefined where there is no terminal, and when it is over. */
  #screen: Screen | undefined;
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(status: () => TrainerStatus) {
    this.#status = status;
    if (!process.stderr.isTTY) return;
    this.#screen = new Screen(process.stderr);
    this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
    this.#timer.unref();
  }

  /** A line of standard output. */
  print(line: string): void {
    // On one terminal both streams are one picture.
    if (this.#screen !== undefined && process.stdout.isTTY) this.#screen.print(line);
    else printLine(line);
    this.#draw();
  }

  round(report: RoundReport, rounds: number): void {
    this.print(formatRound(report, rounds));
  }

  event(event: TrainingEvent): void {
    const line = formatEvent(event);
    if (line === undefined) return;
    if (this.#screen === undefined) process.stderr.write(`${line}\n`);
    else this.#screen.print(line);
    this.#draw();
  }

  /** The bar stays as it is. Twice is as once. */
  close(): void {
    clearInterval(this.#timer);
    this.#draw();
    this.#screen?.close();
    this.#screen = undefined;
  }

  #draw(): void {
    this.#screen?.draw([formatBar(this.#status())]);
  }
}
