// The numbers of a proxy, for Prometheus.
// Invariant: a number is read when the page is asked for; nothing is counted here.
import type { EndpointStatus, MetricReading, Metrics, Page, PoolStatus, ProxyStatus } from '../index.ts';

const STATES = ['healthy', 'suspect', 'ejected', 'probing', 'rising'];

const perEndpoint: Readonly<Record<string, (endpoint: EndpointStatus) => number>> = {
  holdfast_endpoint_attempts_total: ({ totalRequests }) => totalRequests,
  holdfast_endpoint_in_flight: ({ inFlight }) => inFlight,
  holdfast_endpoint_failures_total: ({ failedRequests }) => failedRequests,
  holdfast_endpoint_client_faults_total: ({ clientFaults }) => clientFaults,
  holdfast_endpoint_credential_faults_total: ({ credentialFaults }) => credentialFaults,
  holdfast_endpoint_abandoned_total: ({ abandonedRequests }) => abandonedRequests,
  holdfast_endpoint_late_verdicts_total: ({ late }) => late,
  holdfast_endpoint_consecutive_failures: ({ consecutiveFailures }) => consecutiveFailures,
  holdfast_endpoint_ejections_total: ({ totalEjections }) => totalEjections,
  holdfast_endpoint_probes_total: ({ probes }) => probes,
  holdfast_endpoint_failed_probes_total: ({ failedProbes }) => failedProbes,
};

const perPool: Readonly<Record<string, (pool: PoolStatus) => number>> = {
  holdfast_pool_requests_total: ({ requests }) => requests,
  holdfast_pool_retries_total: ({ retries }) => retries,
  holdfast_pool_refused_total: ({ refused }) => refused,
  holdfast_pool_sessions: ({ sessions }) => sessions,
  holdfast_queue_size: ({ queue }) => queue.size,
  holdfast_queue_probing: ({ queue }) => queue.probing,
  holdfast_queue_held: ({ queue }) => queue.held,
  holdfast_queue_failed_total: ({ queue }) => queue.totalFailed,
  holdfast_queue_recovered_total: ({ queue }) => queue.totalRecovered,
  holdfast_queue_probes_total: ({ queue }) => queue.totalProbes,
  holdfast_queue_cleared_total: ({ queue }) => queue.totalCleared,
};

/** Registers a proxy's numbers, and answers what renders the page of a status: that is taken once, however many numbers there are. */
export function describeProxy(metrics: Metrics): (status: ProxyStatus) => Promise<Page> {
  let shown: ProxyStatus | undefined;
  const each = (read: (endpoint: EndpointStatus) => MetricReading[]) => () =>
    shown?.pool.endpoints.flatMap(read) ?? [];
  metrics.gauge('holdfast_proxy_requests_total', () =>
    Object.entries(shown?.outcomes ?? {}).map(([outcome, value]) => ({ labels: { outcome }, value })),
  );
  metrics.gauge('holdfast_proxy_in_flight', () => shown?.active ?? 0);
  metrics.gauge('holdfast_proxy_replay_bytes', () => shown?.replayBytes ?? 0);
  for (const [name, read] of Object.entries(perPool))
    metrics.gauge(name, () => (shown === undefined ? 0 : read(shown.pool)));
  for (const [name, read] of Object.entries(perEndpoint))
    metrics.gauge(
      name,
      each((endpoint) => [{ labels: { endpoint: endpoint.id }, value: read(endpoint) }]),
    );
  metrics.gauge(
    'holdfast_endpoint_state',
    each(({ id, state: now }) =>
      STATES.map((state) => ({ labels: { endpoint: id, state }, value: state === now ? 1 : 0 })),
    ),
  );
  metrics.gauge('holdfast_endpoint_latency_seconds', each(latencies));
  return (status) => {
    shown = status;
    return metrics.render();
  };
}

/** None before the first success. */
function latencies({ id, latency }: EndpointStatus): MetricReading[] {
  const read = (quantile: string, ms: number): MetricReading[] =>
    ms < 0 ? [] : [{ labels: { endpoint: id, quantile }, value: ms / 1_000 }];
  return [...read('0.5', latency.p50Ms), ...read('0.9', latency.p90Ms), ...read('0.99', latency.p99Ms)];
}
