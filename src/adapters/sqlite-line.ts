// The thread's end of the line to its store. The thread sleeps on a bell in shared memory and not in its event loop, which
// wakes half as fast.
// Invariant: messages come in order and whole; what was posted before the bell was rung is found after it.
import { availableParallelism } from 'node:os';
import { parentPort, receiveMessageOnPort } from 'node:worker_threads';
import { Packer, Unpacker } from './packed.ts';
import type { FromWorker, ToWorker } from './sqlite-messages.ts';

/**
 * How long a thread that has answered looks out for more before it sleeps, in milliseconds. A lone writer comes back sooner
 * than a sleeping thread is woken: both ends awake make 6 k durable puts/s where sleeping ones make 3.5 k (two cores).
 */
const LOOK_MS = 0.1;
/** Times that it sleeps at once after it looked out for nothing. */
const RESTS = 16;

/** On one core, looking out would keep the other end from its work. */
export const mayLook = availableParallelism() > 1;

export interface Line {
  /** What was asked next; undefined when nothing is there. */
  next(): ToWorker | undefined;
  /** Returns when something may be there since `next` was called last. Nothing else of the thread runs meanwhile. */
  sleep(): void;
  answer(message: FromWorker): void;
  close(): void;
}

/** Tells the thread at the other end that it was sent something. */
export function ring(bell: Int32Array): void {
  Atomics.add(bell, 0, 1);
  Atomics.notify(bell, 0);
}

function isRungSoon(bell: Int32Array, rung: number): boolean {
  const until = performance.now() + LOOK_MS;
  do if (Atomics.load(bell, 0) !== rung) return true;
  while (performance.now() < until);
  return false;
}

/** The line of this thread. @throws Error outside of a worker thread */
export function lineOf(bell: Int32Array): Line {
  if (parentPort === null) throw new Error('a store is served by a worker thread');
  const port = parentPort;
  const packer = new Packer();
  const unpacker = new Unpacker();
  let rung = 0;
  let rests = mayLook ? 0 : Infinity;
  return {
    next() {
      // Before it is looked, so that what comes later rings again.
      rung = Atomics.load(bell, 0);
      const received = receiveMessageOnPort(port) as
        | { readonly message: Uint8Array<ArrayBuffer> }
        | undefined;
      return received === undefined ? undefined : (unpacker.unpack(received.message) as ToWorker);
    },
    sleep() {
      if (rests > 0) rests -= 1;
      else if (isRungSoon(bell, rung)) return;
      else rests = RESTS;
      Atomics.wait(bell, 0, rung);
    },
    answer: (message) => port.postMessage(packer.pack(message)),
    close: () => port.close(),
  };
}
