// A real etcd behind proxies that can be cut and made silent, and clients of ours on both sides of them.
// Invariant: all that a test starts here ends with the test.
import { onTestFinished } from 'vitest';
import { createGrpcTransport } from '../../../src/adapters/grpc-client.ts';
import type { Store } from '../../../src/store/contract.ts';
import { startEtcd, startEtcdCluster, type EtcdServer } from '../../conformance/store/etcd-server.ts';
import { etcdClient, type ClientOptions } from '../../conformance/store/etcd-under-test.ts';
import { eventually } from '../eventually.ts';
import { startTcpProxy, type TcpProxy } from '../tcp-proxy.ts';

/** The server takes frequent pings, so that a silent link is found out within a second. */
const args = ['--grpc-keepalive-min-time=100ms'];

export const impatient = { keepaliveMs: 400, keepaliveTimeoutMs: 200, dialTimeoutMs: 400 } as const;

export async function etcd(): Promise<EtcdServer> {
  const server = await startEtcd({ args });
  onTestFinished(() => server.close());
  return server;
}

export async function etcdCluster(size: number): Promise<EtcdServer[]> {
  const servers = await startEtcdCluster(size, { args });
  onTestFinished(async () => void (await Promise.all(servers.map((server) => server.close()))));
  return servers;
}

export function client(endpoints: readonly string[], options: ClientOptions = {}): Store {
  const store = etcdClient(endpoints, { ...impatient, ...options });
  onTestFinished(() => store.close());
  return store;
}

export interface Proxied extends TcpProxy {
  readonly endpoint: string;
}

export async function proxyTo({ port }: EtcdServer): Promise<Proxied> {
  const proxy = await startTcpProxy(port);
  return Object.assign(proxy, { endpoint: new URL(proxy.url).host });
}

/** The member that leads the cluster, as that member says itself. */
export function leaderOf(servers: readonly EtcdServer[]): Promise<EtcdServer> {
  return eventually('a member leads', async () => {
    const leading = await Promise.all(servers.map((server) => leads(server)));
    return servers[leading.indexOf('yes')];
  });
}

function leads({ endpoint }: EtcdServer): Promise<'yes' | 'no'> {
  const channel = createGrpcTransport({ keepaliveMs: 10_000, keepaliveTimeoutMs: 5_000 }).channel(endpoint);
  const answer = new Promise<'yes' | 'no'>((resolve) => {
    channel.dial((failure) => {
      if (failure !== undefined) return resolve('no');
      channel.unary(
        'Maintenance.Status',
        {},
        {},
        {
          failed: () => resolve('no'),
          answered: (status) => {
            const { header, leader } = status as { header: { member_id: object }; leader: object };
            resolve(String(header.member_id) === String(leader) ? 'yes' : 'no');
          },
        },
      );
    });
  });
  return answer.finally(() => channel.close());
}
