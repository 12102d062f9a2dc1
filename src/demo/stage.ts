// What every demo does around its fleet: signals, a folder that is removed, the summary, the exit status.
// Invariant: whatever way a demo ends, no process and no temporary file of it is left.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a demo claims at its end. */
export interface Verdict {
  readonly lines: readonly string[];
  /** What does not hold; empty when all is well. */
  readonly broken: readonly string[];
}

export interface Act {
  /** Undefined when it was interrupted. */
  complete(): Promise<Verdict | undefined>;
  /** Ends what is left: nothing, when all went well. */
  cleanUp(): Promise<void>;
  /** The same, for a process that ends now. */
  leaveNothing(): void;
}

export interface Stage {
  /** A folder that is removed in the end. */
  readonly scratch: string;
  /** Monotonic milliseconds, when the demo began. */
  readonly startedAt: number;
  /** Aborted by the reason `interrupted`, or `time`. */
  readonly signal: AbortSignal;
}

export interface StageOptions {
  /** The demo gives up after so many milliseconds: its summary still comes. */
  readonly giveUpMs: number;
  /** Said when all of it holds. */
  readonly applause: string;
  begin(stage: Stage): Act;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const INTERRUPTED = 130;

/** Runs it and prints its summary. Resolves with the exit status: 0 only if everything held, 130 if interrupted. */
export async function perform({ giveUpMs, applause, begin }: StageOptions): Promise<number> {
  const startedAt = performance.now();
  const stop = new AbortController();
  const giveUp = setTimeout(() => stop.abort('time'), giveUpMs);
  const interrupt = (): void => {
    if (stop.signal.reason === 'interrupted') process.exit(INTERRUPTED);
    stop.abort('interrupted');
  };
  for (const signal of SIGNALS) process.on(signal, interrupt);
  const scratch = mkdtempSync(join(tmpdir(), 'holdfast-demo-'));
  const act = begin({ scratch, startedAt, signal: stop.signal });
  const leaveNothing = (): void => {
    act.leaveNothing();
    rmSync(scratch, { recursive: true, force: true });
  };
  process.once('exit', leaveNothing);
  try {
    const verdict = await act.complete();
    if (verdict !== undefined) return print(verdict, applause);
    process.stderr.write('interrupted: the processes of the demo are ended\n');
    return INTERRUPTED;
  } finally {
    await act.cleanUp();
    leaveNothing();
    clearTimeout(giveUp);
    for (const signal of SIGNALS) process.off(signal, interrupt);
    process.off('exit', leaveNothing);
  }
}

function print({ lines, broken }: Verdict, applause: string): number {
  process.stdout.write(`\nSummary\n${lines.map((line) => `  ${line}\n`).join('')}`);
  if (broken.length === 0) {
    process.stdout.write(`${applause}\n`);
    return 0;
  }
  process.stdout.write(`\nDoes NOT hold:\n${broken.map((claim) => `  ${claim}\n`).join('')}`);
  return 1;
}
