// SIGINT and SIGTERM: the first one asks to finish, the second one ends the process at once. SIGHUP: what else it may mean.
// Invariant: a person who presses Ctrl-C twice is never made to wait.
import { closeSync, openSync } from 'node:fs';

const NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const;
export type StopSignal = keyof typeof NUMBERS;

/** The status by which a shell tells that a signal ended a process. */
export function statusOf(signal: StopSignal): number {
  return 128 + NUMBERS[signal];
}

/** Calls `stop` with the first signal. Returns what takes the handlers away again. */
export function onStopSignal(stop: (signal: StopSignal) => void): () => void {
  let phase: 'running' | 'stopping' = 'running';
  const handle = (signal: StopSignal): void => {
    if (phase === 'stopping') process.exit(statusOf(signal));
    phase = 'stopping';
    stop(signal);
  };
  process.on('SIGINT', handle);
  process.on('SIGTERM', handle);
  return () => {
    process.off('SIGINT', handle);
    process.off('SIGTERM', handle);
  };
}

/**
 * Calls `reload` with each SIGHUP, as services do. When a terminal was closed, which sends it, too, the process is asked to finish:
 * nobody could see it, or press Ctrl-C. Returns what takes the handler away again.
 */
export function onReloadSignal(reload: () => void): () => void {
  const began = terminal();
  const handle = (): void => {
    if (began === 'there' && terminal() === 'gone') process.kill(process.pid, 'SIGTERM');
    else reload();
  };
  process.on('SIGHUP', handle);
  return () => {
    process.off('SIGHUP', handle);
  };
}

/** Whether the process has a terminal that controls it. */
function terminal(): 'there' | 'gone' {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return 'there';
  } catch {
    return 'gone';
  }
}
