// The thread of a store in a file, which fails when a file beside the store's directory says so, by its name.
// Invariant: each fault happens once, at the first message after its file appeared; one that holds the thread up (`stall`, `linger`)
// lasts while its file is there.
import { existsSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { WorkerStart } from '../../../src/adapters/sqlite-messages.ts';

const faults = dirname((workerData as WorkerStart).directory);
const sleeper = new Int32Array(new SharedArrayBuffer(4));

function happens(fault: string): boolean {
  const file = join(faults, fault);
  if (!existsSync(file)) return false;
  rmSync(file);
  return true;
}

function heldUp(fault: string): void {
  while (existsSync(join(faults, fault))) Atomics.wait(sleeper, 0, 0, 5);
}

const port = parentPort;
if (port === null) throw new Error('this runs as a worker');
// Before the store's own listener, so that a message is not yet acted upon.
port.on('message', () => {
  if (happens('die-before')) process.exit(1);
  heldUp('stall');
});
const close = port.close.bind(port);
port.close = () => {
  heldUp('linger');
  close();
};
const post = port.postMessage.bind(port);
port.postMessage = (message: unknown) => {
  if (happens('die-after')) process.exit(1);
  if (happens('throw')) throw new Error('thrown in the thread');
  post(message);
};
await import('../../../src/adapters/sqlite-worker.ts');
