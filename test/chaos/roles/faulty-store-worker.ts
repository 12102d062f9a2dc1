// The thread of a store in a file, which fails when a file beside the store's directory says so, by its name.
// Invariant: each fault happens once, at the first message after its file appeared; one that holds the thread up (`stall`, `linger`)
// lasts while its file is there.
import { existsSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { workerData } from 'node:worker_threads';
import { lineOf, type Line } from '../../../src/adapters/sqlite-line.ts';
import type { WorkerStart } from '../../../src/adapters/sqlite-messages.ts';
import { serveStore } from '../../../src/adapters/sqlite-serve.ts';

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

const start = workerData as WorkerStart;
const line = lineOf(start.bell);
const faulty: Line = {
  ...line,
  next() {
    const message = line.next();
    if (message === undefined) return undefined;
    if (happens('die-before')) process.exit(1);
    heldUp('stall');
    return message;
  },
  answer(message) {
    if (happens('die-after')) process.exit(1);
    if (happens('throw')) throw new Error('thrown in the thread');
    line.answer(message);
  },
  close() {
    heldUp('linger');
    line.close();
  },
};
serveStore(faulty, start);
