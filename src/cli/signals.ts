// SIGINT and SIGTERM: the first one asks to finish, the second one ends the process at once.
// Invariant: a person who presses Ctrl-C twice is never made to wait.

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
