// Randomness from node:crypto.
// Invariant: ids are version 4 UUIDs, so that two processes never choose the same one.

import { randomFillSync, randomUUID } from 'node:crypto';

import type { Random } from '../ports.ts';

export function createNodeRandom(): Random {
  // Numbers are asked for once a retry or a choice of node; one call to the generator serves many of them.
  const pool = new Uint32Array(64);
  let used = pool.length;
  return {
    id: () => randomUUID(),
    uint32() {
      if (used === pool.length) {
        randomFillSync(pool);
        used = 0;
      }
      return pool[used++] ?? 0;
    },
  };
}
