// What a store's thread does: opens the file, takes batches in order, and sweeps and lets the index follow when it has answered.
// Invariant: nothing else in the process touches the file; each message is answered before the next is looked at.
import { openDatabase } from './sqlite-database.ts';
import { storeFailure } from './sqlite-failure.ts';
import { SqliteKeyspace } from './sqlite-keyspace.ts';
import type { Line } from './sqlite-line.ts';
import type { WorkerStart } from './sqlite-messages.ts';
import { SqliteWriter } from './sqlite-writer.ts';

/** Returns when the store was closed, or could not be opened. @throws what leaves the file in an unknown state */
export function serveStore(line: Line, { directory, told }: WorkerStart): void {
  const keyspace = open(line, directory);
  if (keyspace !== undefined) serve(line, keyspace, new SqliteWriter(keyspace, told));
  line.close();
}

function open(line: Line, directory: string): SqliteKeyspace | undefined {
  try {
    return new SqliteKeyspace(openDatabase(directory), directory);
  } catch (failure) {
    line.answer({ type: 'refused', message: storeFailure(directory, failure).message });
    return undefined;
  }
}

function serve(line: Line, keyspace: SqliteKeyspace, writer: SqliteWriter): void {
  line.answer({ type: 'opened', told: writer.told });
  let sweeping: 'more' | 'done' = 'done';
  /** The floor up to which it was begun. */
  let swept = -1;
  for (;;) {
    const message = line.next();
    if (message?.type === 'close') return keyspace.close();
    if (message !== undefined) {
      const answer = writer.run(message.commands);
      line.answer(answer);
      // Not before: what was not told yet must not be swept.
      if (answer.type === 'done' && swept !== keyspace.compactRevision) {
        swept = keyspace.compactRevision;
        sweeping = 'more';
      }
      attempt(() => keyspace.lags && keyspace.follow());
    }
    // A slice after each batch too, so that writers without a pause do not keep the sweep away.
    if (sweeping === 'more') sweeping = attempt(() => keyspace.sweep()) ?? 'done';
    else if (message === undefined) line.sleep();
  }
}

/** What fails by a full disk, most likely, which writers hear of. What is left is done when there is occasion again. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
