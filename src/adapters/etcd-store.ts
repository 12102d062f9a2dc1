// A store on a real etcd, by URL.
// Invariant: what a URL or an option says wrongly is refused before anything is dialled.
import type { Store } from '../store/contract.ts';
import { openEtcdStore, type EtcdStoreOptions, type EtcdStorePorts } from '../store/etcd/store.ts';
import { parseEtcdUrl } from '../store/etcd/url.ts';
import { HoldfastError } from '../protocol/errors.ts';
import { createGrpcTransport, type GrpcTls } from './grpc-client.ts';

export interface EtcdOptions extends Omit<EtcdStoreOptions, 'endpoints' | 'user' | 'dialTimeoutMs'> {
  /** For `etcds://` URLs. @default the system's authorities, and no certificate of one's own */
  readonly tls?: GrpcTls | undefined;
  /**
   * Silence after which a link is probed, in milliseconds; the store fails over to another member when the probe is not
   * answered within half of it. etcd breaks links that are probed more often than every 5 s (`--grpc-keepalive-min-time`).
   * @default 10000
   */
  readonly keepaliveMs?: number | undefined;
  /** For one member to be reached, in milliseconds; then the next one is tried. @default 2000 */
  readonly dialTimeoutMs?: number | undefined;
}

/**
 * Opens a store on the cluster that the URL names: `etcd://user:password@host:2379,host:2379`, or `etcds://`. Dials when
 * it is first asked for something.
 *
 * @throws HoldfastError `invalid_option`
 */
export function openEtcd(url: string, options: EtcdOptions, ports: Omit<EtcdStorePorts, 'transport'>): Store {
  const { security, endpoints, user } = parseEtcdUrl(url);
  const { keepaliveMs = 10_000, dialTimeoutMs = 2_000, tls, ...times } = options;
  const { proposeTimeoutMs, applyTimeoutMs } = times;
  const all = { keepaliveMs, dialTimeoutMs, proposeTimeoutMs, applyTimeoutMs };
  for (const [name, value] of Object.entries(all))
    if (value !== undefined && !(value > 0)) throw invalid(`${name} is ${value}; give milliseconds above 0`);
  if (security === 'plain' && tls !== undefined)
    throw invalid('there are tls options for a URL without TLS; write etcds://');
  const transport = createGrpcTransport({
    keepaliveMs,
    keepaliveTimeoutMs: keepaliveMs / 2,
    tls: security === 'tls' ? (tls ?? {}) : undefined,
  });
  return openEtcdStore({ endpoints, user, dialTimeoutMs, ...times }, { ...ports, transport });
}

function invalid(message: string): HoldfastError {
  return new HoldfastError(`openStore: ${message}`, { code: 'invalid_option' });
}
