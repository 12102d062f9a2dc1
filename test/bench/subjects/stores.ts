// The stores that the benchmark `store` compares: whatever keeps the contract, opened empty for each round.
// Invariant: the same client code drives all; nothing here is measured.
import { mkdtempSync, rmSync } from 'node:fs';
import { noLog, openStore, type Store } from '../../../src/index.ts';
import { etcdApi } from './etcd-api.ts';
import { etcd, etcd3 } from './etcd.ts';
import { place, type StoreSubject } from './place.ts';

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

export const subjects: readonly StoreSubject[] = [memory, file, etcdApi, etcd, etcd3];
