// The suite over etcd's API as we serve it: our client of etcd, our server, a store in memory behind it.
// Invariant: every test has a server and a store of its own.
import { describe } from 'vitest';
import { openStore, serveEtcd } from '../../../src/index.ts';
import { etcdClient } from './etcd-under-test.ts';
import { describeStore } from './suite.ts';

describe('store memory: behind the etcd API', () => {
  describeStore({
    async open() {
      const behind = await openStore('memory:');
      let server = await serveEtcd({ store: behind, port: 0 });
      let store = etcdClient([`127.0.0.1:${server.port}`]);
      return {
        store,
        // It is the server that starts again: what is behind it forgets when it is closed.
        async reopen() {
          await store.close();
          await server.close();
          server = await serveEtcd({ store: behind, port: server.port });
          return (store = etcdClient([`127.0.0.1:${server.port}`]));
        },
        async close() {
          await store.close();
          await server.close();
          await behind.close();
        },
      };
    },
  });
});
