// The stores that the benchmark `store` compares: whatever keeps the contract, opened empty for each round.
// Invariant: the same client code drives all; nothing here is measured.
import { noLog, openStore } from '../../../src/index.ts';
import { fileUnderTest } from '../../conformance/store/file-under-test.ts';
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

const file: StoreSubject = { name: 'file', ...fileUnderTest(place) };

export const subjects: readonly StoreSubject[] = [memory, file, etcdApi, etcd, etcd3];
