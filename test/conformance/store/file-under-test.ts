// A store in a file, each time in a directory of its own: for the suite, and for the benchmark.
// Invariant: what it made is gone when it is closed.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { noLog, openStore, type Store } from '../../../src/index.ts';

/** `place`: how the paths of the directories begin. */
export function fileUnderTest(place: string): {
  open(): Promise<{ store: Store; reopen(): Promise<Store>; close(): Promise<void> }>;
} {
  return {
    async open() {
      const directory = mkdtempSync(place);
      const open = (): Promise<Store> => openStore(`file:${join(directory, 'store')}`, { log: noLog() });
      let store = await open();
      return {
        store,
        async reopen() {
          await store.close();
          store = await open();
          return store;
        },
        async close() {
          await store.close();
          rmSync(directory, { recursive: true });
        },
      };
    },
  };
}
