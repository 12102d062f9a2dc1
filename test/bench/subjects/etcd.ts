// A real etcd of one member on the same disk, behind our engine and behind the npm client etcd3.
// Invariant: both clients ask the same server, one that is started and ended for each round.
import { Etcd3 } from 'etcd3';
import { noLog, openStore, type KeyRange, type Store } from '../../../src/index.ts';
import { startEtcd, type EtcdServer } from '../../conformance/store/etcd-server.ts';
import { place, type StoreSubject } from './place.ts';

/** As etcd is by default, but for a quota that a million revisions fit into, and a log that says nothing. */
const start = (): Promise<EtcdServer> =>
  startEtcd({
    folder: place,
    args: ['--heartbeat-interval=100', '--election-timeout=1000', '--quota-backend-bytes=4294967296'],
  });

export const etcd: StoreSubject = {
  name: 'etcd',
  async open() {
    const server = await start();
    const open = (): Promise<Store> => openStore(`etcd://${server.endpoint}`, { log: noLog() });
    let store = await open();
    return {
      store,
      async reopen() {
        await store.close();
        await server.kill();
        await server.restart();
        store = await open();
        return store;
      },
      async close() {
        await store.close();
        await server.close();
      },
    };
  },
};

export const etcd3: StoreSubject = {
  name: 'etcd3',
  async open() {
    const server = await start();
    const client = new Etcd3({ hosts: `http://${server.endpoint}` });
    return {
      store: overEtcd3(client),
      async close() {
        client.close();
        await server.close();
      },
    };
  },
};

function inRange({ key, end = key }: KeyRange): { start: Buffer; end: Buffer } {
  return { start: Buffer.from(key), end: Buffer.from(end) };
}

const keyValue = (kv: { key: Buffer; value: Buffer; mod_revision: string }) => ({
  key: kv.key,
  value: kv.value,
  createRevision: 0,
  modRevision: Number(kv.mod_revision),
  version: 0,
});

/** As much of the contract as the benchmark uses, each with what a user of etcd3 would write. */
function overEtcd3(client: Etcd3): Store {
  const newest = async (): Promise<number> =>
    Number((await client.get('no such key').exec()).header.revision);
  const store: Pick<Store, 'put' | 'txn' | 'range' | 'watch' | 'status'> = {
    async put({ key, value = key }) {
      const { header } = await client.put(Buffer.from(key)).value(Buffer.from(value)).exec();
      return { revision: Number(header.revision) };
    },
    async txn({ compare = [], success = [] }) {
      const [comparison, operation] = [compare[0], success[0]];
      if (comparison?.target !== 'modRevision' || operation?.type !== 'put') throw new Error('not one swap');
      const { header, succeeded } = await client
        .if(Buffer.from(comparison.key), 'Mod', '==', comparison.operand)
        .then(client.put(Buffer.from(operation.key)).value(Buffer.from(operation.value ?? [])))
        .commit();
      return { revision: Number(header.revision), succeeded, responses: [] };
    },
    async range(request) {
      const { header, kvs, more, count } = await client.getAll().inRange(inRange(request)).exec();
      return { revision: Number(header.revision), entries: kvs.map(keyValue), more, count: Number(count) };
    },
    watch(request, sink) {
      const watcher = client.watch().inRange(inRange(request)).watcher();
      watcher.on('connected', ({ header }) => sink.ready(Number(header.revision)));
      watcher.on('put', (kv) => sink.events([{ type: 'put', entry: keyValue(kv) }], Number(kv.mod_revision)));
      return {
        cancel: () => void watcher.cancel().then(() => sink.ended({ reason: 'cancelled' })),
        resume: () => undefined,
        requestProgress: () => undefined,
      };
    },
    async status() {
      return { engine: 'etcd', revision: await newest(), compactRevision: -1, sizeBytes: 0 };
    },
  };
  return store as Store;
}
