// What the hub shows over HTTP: health, readiness, metrics.
// Invariant: nothing here changes anything, and nothing here tells a secret.
import type { Router } from '../calls/router.ts';
import type { Metrics, Page } from '../ports.ts';
import type { HubStatus } from './status.ts';

interface Facts {
  readonly status: HubStatus;
  /** Session states of the nodes. */
  readonly nodes: readonly string[];
  readonly bytesIn: number;
  readonly bytesOut: number;
}

const STATES = ['joining', 'syncing', 'online', 'suspect', 'absent', 'draining'];

/** Registers the hub's numbers; each is read when the page is asked for. */
export function describeMetrics(metrics: Metrics, router: Router, facts: () => Facts): void {
  metrics.gauge('holdfast_nodes', () => {
    const states = facts().nodes;
    return STATES.map((state) => ({ labels: { state }, value: states.filter((it) => it === state).length }));
  });
  metrics.gauge('holdfast_clients', () => facts().status.clients);
  metrics.gauge('holdfast_connections', () => facts().status.connections);
  metrics.gauge('holdfast_calls_waiting', () => router.book.waiting);
  metrics.gauge('holdfast_calls_running', () => router.book.running);
  metrics.gauge('holdfast_calls_total', () =>
    Object.entries(router.book.ended).map(([outcome, value]) => ({ labels: { outcome }, value })),
  );
  metrics.gauge('holdfast_received_bytes_total', () => facts().bytesIn);
  metrics.gauge('holdfast_sent_bytes_total', () => facts().bytesOut);
  metrics.gauge('holdfast_event_loop_lag_ms', () => facts().status.lagMs);
  metrics.gauge('holdfast_function_names', () => router.book.functionNames);
  metrics.gauge('holdfast_late_frames_total', () => router.lateFrames);
  metrics.gauge('holdfast_dead_letters_total', () => facts().status.deadLetters);
  metrics.gauge('holdfast_unexpected_events_total', () => facts().status.unexpectedEvents);
}

function json(status: number, body: object): Page {
  return { status, contentType: 'application/json; charset=utf-8', body: `${JSON.stringify(body)}\n` };
}

/** `/healthz` answers while the process lives; `/readyz` while it takes work; `/metrics` for Prometheus. */
export async function pageOf(
  path: string,
  metrics: Metrics,
  status: () => HubStatus,
): Promise<Page | undefined> {
  if (path === '/metrics') return metrics.render();
  const { state, uptimeMs, nodes, clients, lagMs } = status();
  if (path === '/healthz') return json(200, { state, uptimeMs, nodes, clients, lagMs });
  if (path === '/readyz') return json(state === 'listening' ? 200 : 503, { state });
  return undefined;
}
