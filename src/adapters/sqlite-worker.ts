// The thread in which a store's file is written: takes batches in order, and sweeps when nobody waits.
// Invariant: nothing else in the process touches the file.
import { parentPort, workerData } from 'node:worker_threads';
import { Packer, Unpacker } from './packed.ts';
import { openDatabase } from './sqlite-database.ts';
import { storeFailure } from './sqlite-failure.ts';
import { SqliteKeyspace } from './sqlite-keyspace.ts';
import type { FromWorker, ToWorker, WorkerStart } from './sqlite-messages.ts';
import { SqliteWriter } from './sqlite-writer.ts';

/** Changes that are looked at between two batches: about a millisecond. */
const SLICE_CHANGES = 256;

const { directory, told } = workerData as WorkerStart;
const packer = new Packer();
const unpacker = new Unpacker('copy');

function post(message: FromWorker): void {
  parentPort?.postMessage(packer.pack(message));
}

function open(): SqliteKeyspace | undefined {
  try {
    return new SqliteKeyspace(openDatabase(directory), directory);
  } catch (failure) {
    post({ type: 'refused', message: storeFailure(directory, failure).message });
    parentPort?.close();
    return undefined;
  }
}

function follow(keyspace: SqliteKeyspace): void {
  try {
    if (keyspace.lags) keyspace.follow();
  } catch {
    // A full disk, most likely, which writers hear of. It is tried again after the next batch.
  }
}

function serve(keyspace: SqliteKeyspace): void {
  const writer = new SqliteWriter(keyspace, told);
  let sweeping: NodeJS.Immediate | undefined;
  /** The floor up to which it was begun. */
  let swept = -1;
  const sweep = (): void => {
    sweeping = undefined;
    try {
      if (keyspace.sweep(SLICE_CHANGES) === 'more') sweeping = setImmediate(sweep);
    } catch {
      // A full disk, most likely, which writers hear of. What is left is swept after the next compaction.
    }
  };
  parentPort?.on('message', (packed: Uint8Array<ArrayBuffer>) => {
    const message = unpacker.unpack(packed) as ToWorker;
    if (message.type === 'close') {
      clearImmediate(sweeping);
      keyspace.close();
      parentPort?.close();
      return;
    }
    const answer = writer.run(message.commands);
    post(answer);
    follow(keyspace);
    // Not before: what was not told yet must not be swept.
    if (answer.type === 'done' && swept !== keyspace.compactRevision) {
      swept = keyspace.compactRevision;
      sweeping ??= setImmediate(sweep);
    }
  });
  post({ type: 'opened', told: writer.told });
}

const keyspace = open();
if (keyspace !== undefined) serve(keyspace);
