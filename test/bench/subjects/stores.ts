// The stores that the benchmark `store` compares: whatever keeps the contract, opened empty for each round.
// Invariant: the same client code drives all; nothing here is measured.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { noLog, openStore, type Store } from '../../../src/index.ts';

export interface OpenSubject {
  readonly store: Store;
  /** Closes it and opens what it left behind; absent where nothing is left. */
  reopen?(): Promise<Store>;
  /** Closes it and removes what it left behind. */
  close(): Promise<void>;
}

export interface StoreSubject {
  readonly name: string;
  open(): Promise<OpenSubject>;
}

/** Beside the sources and not in /tmp, which may be memory: a flush must cost what a disk takes. */
const place = join(import.meta.dirname, '../../..', '.store-');

const memory: StoreSubject = {
  name: 'memory',
  async open() {
    const store = await openStore('memory:', { log: noLog() });
    return { store, close: () => store.close() };
  },
};

const file: StoreSubject = {
  name: 'file',
  async open() {
    const directory = mkdtempSync(place);
    const open = (): Promise<Store> => openStore(`file:${directory}`, { log: noLog() });
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

export const subjects: readonly StoreSubject[] = [memory, file];
