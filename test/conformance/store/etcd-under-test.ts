// A fresh real etcd for each test, behind our engine.
// Invariant: the server ends with the store.
import { createGrpcTransport } from '../../../src/adapters/grpc-client.ts';
import { createNodeClock } from '../../../src/adapters/node-clock.ts';
import { createNodeRandom } from '../../../src/adapters/node-random.ts';
import { noLog } from '../../../src/index.ts';
import type { Store } from '../../../src/store/contract.ts';
import { openEtcdStore, type EtcdStoreOptions } from '../../../src/store/etcd/store.ts';
import { startEtcd } from './etcd-server.ts';
import type { StoreUnderTest } from './under-test.ts';

export interface ClientOptions extends Partial<EtcdStoreOptions> {
  readonly keepaliveMs?: number;
  readonly keepaliveTimeoutMs?: number;
}

/** Our engine over these members, with waits that suit tests. */
export function etcdClient(endpoints: readonly string[], options: ClientOptions = {}): Store {
  const { keepaliveMs = 10_000, keepaliveTimeoutMs = 5_000, ...more } = options;
  return openEtcdStore(
    { endpoints, dialTimeoutMs: 1_000, ...more },
    {
      clock: createNodeClock(),
      random: createNodeRandom(),
      log: noLog(),
      transport: createGrpcTransport({ keepaliveMs, keepaliveTimeoutMs }),
    },
  );
}

export function etcdUnderTest(): StoreUnderTest {
  return {
    async open() {
      const server = await startEtcd();
      let store = etcdClient([server.endpoint]);
      return {
        store,
        async reopen() {
          await store.close();
          await server.kill();
          await server.restart();
          store = etcdClient([server.endpoint]);
          return store;
        },
        async close() {
          await store.close();
          await server.close();
        },
      };
    },
  };
}
