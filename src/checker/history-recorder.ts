// Records what the clients of a real object ask for and get, to be judged afterwards.
// Invariant: an invoke is recorded before the operation can begin, and a return after it ended; so two operations that
// overlap in the record may not have done so in truth, but never the other way round.
import type { HistoryEvent } from './history.ts';

export interface HistoryRecorderOptions {
  /** True for an error after which the operation certainly did not take place. @default none: its fate is unknown */
  readonly isFailure?: (error: unknown) => boolean;
}

export interface HistoryRecorder<O, R> {
  /** What happened so far; grows. */
  readonly events: readonly HistoryEvent<O, R>[];
  /**
   * Performs one operation of `process` and records it. A process that still waits, or whose operation ended in an
   * error that leaves its fate open, goes on under a new name (`a`, then `a#2`), as such histories are always read.
   *
   * @throws what `perform` throws
   */
  run(process: string | number, operation: O, perform: () => Promise<R> | R): Promise<R>;
}

/** A recorder for operations `O` with results `R`, both plain data. */
export function recordHistory<O, R>(options: HistoryRecorderOptions = {}): HistoryRecorder<O, R> {
  const { isFailure = () => false } = options;
  const events: HistoryEvent<O, R>[] = [];
  const waiting = new Set<string>();
  return {
    events,
    async run(client, operation, perform) {
      let process = String(client);
      for (let times = 2; waiting.has(process); times++) process = `${client}#${times}`;
      waiting.add(process);
      events.push({ type: 'invoke', process, operation });
      try {
        const result = await perform();
        events.push({ type: 'return', process, result });
        waiting.delete(process);
        return result;
      } catch (error) {
        if (isFailure(error)) {
          events.push({ type: 'fail', process });
          waiting.delete(process);
        }
        throw error;
      }
    },
  };
}
