// The thread's end of the line to its store. The thread sleeps on a bell in shared memory and not in its event loop, which
// wakes half as fast.
// Invariant: messages come in order and whole; what was posted before the bell was rung is found after it.
import { parentPort, receiveMessageOnPort } from 'node:worker_threads';
import { Packer, Unpacker } from './packed.ts';
import type { FromWorker, ToWorker } from './sqlite-messages.ts';

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

/** The line of this thread. @throws Error outside of a worker thread */
export function lineOf(bell: Int32Array): Line {
  if (parentPort === null) throw new Error('a store is served by a worker thread');
  const port = parentPort;
  const packer = new Packer();
  const unpacker = new Unpacker();
  let rung = 0;
  return {
    next() {
      // Before it is looked, so that what comes later rings again.
      rung = Atomics.load(bell, 0);
      const received = receiveMessageOnPort(port) as
        | { readonly message: Uint8Array<ArrayBuffer> }
        | undefined;
      return received === undefined ? undefined : (unpacker.unpack(received.message) as ToWorker);
    },
    sleep: () => void Atomics.wait(bell, 0, rung),
    answer: (message) => port.postMessage(packer.pack(message)),
    close: () => port.close(),
  };
}
