// The file that a store's worker thread runs.
// Invariant: nothing is here that a test's thread would have to repeat.
import { workerData } from 'node:worker_threads';
import { lineOf } from './sqlite-line.ts';
import type { WorkerStart } from './sqlite-messages.ts';
import { serveStore } from './sqlite-serve.ts';

const start = workerData as WorkerStart;
serveStore(lineOf(start.bell), start);
