// Metrics over prom-client, one registry a hub or proxy.
// Invariant: nothing is computed per call or per frame; a number is read when the page is asked for. Until then prom-client is
// not even loaded, which takes longer than most commands do otherwise.

import { monitorEventLoopDelay } from 'node:perf_hooks';

import type * as Prom from 'prom-client';

import type { MetricReading, Metrics } from '../ports.ts';

/** What the metrics of a hub, and of a proxy, mean; a name that is not here is exposed with its own name as help. */
const help: Readonly<Record<string, string>> = {
  holdfast_nodes: 'Nodes that the hub knows, by the state of their session.',
  holdfast_clients: 'Clients that are connected.',
  holdfast_calls_total: 'Calls that ended, by outcome.',
  holdfast_calls_queued: 'Calls that wait for a node.',
  holdfast_calls_in_flight: 'Calls that are with a node.',
  holdfast_bytes_total: 'Bytes of messages, by direction.',
  holdfast_frames_total: 'Frames, by direction.',
  holdfast_dead_letters_total: 'Events for actors that were done.',
  holdfast_unexpected_events_total: 'Events that a machine did not expect in its state: each is a defect.',
  holdfast_endpoint_attempts_total: 'Attempts that began, by endpoint.',
  holdfast_endpoint_in_flight: 'Attempts that are under way, by endpoint.',
  holdfast_endpoint_failures_total: 'Attempts that the endpoint failed.',
  holdfast_endpoint_client_faults_total: "Attempts that were refused by the client's fault (most 4xx).",
  holdfast_endpoint_credential_faults_total: 'Attempts whose credentials were refused.',
  holdfast_endpoint_abandoned_total: 'Attempts whose client went away, or was answered by another one.',
  holdfast_endpoint_late_verdicts_total: 'Verdicts of an older epoch: counted, and no more than that.',
  holdfast_endpoint_consecutive_failures: 'Failures in a row.',
  holdfast_endpoint_ejections_total: 'Times that the endpoint was put out of service.',
  holdfast_endpoint_probes_total: 'Probes that ended.',
  holdfast_endpoint_failed_probes_total: 'Probes that failed.',
  holdfast_endpoint_state: 'State of the endpoint: 1 for the present one.',
  holdfast_endpoint_latency_seconds: 'Time to the first byte of the latest successes.',
  holdfast_proxy_requests_total: 'Requests that ended, by what the client got.',
  holdfast_proxy_in_flight: 'Requests that are under way.',
  holdfast_proxy_replay_bytes: 'Bytes of bodies that are kept to be sent again.',
  holdfast_pool_requests_total: 'Requests that began.',
  holdfast_pool_retries_total: 'Attempts after the first of a request.',
  holdfast_pool_refused_total:
    'Requests that ended without an answer because a limit forbade another attempt.',
  holdfast_pool_sessions: 'Sessions that are remembered.',
  holdfast_queue_size: 'Endpoints that are in the failure queue.',
  holdfast_queue_probing: 'Endpoints that are probed.',
  holdfast_queue_held: 'Endpoints that wait for an operator.',
  holdfast_queue_failed_total: 'Endpoints that came into the failure queue.',
  holdfast_queue_recovered_total: 'Endpoints that were proven well.',
  holdfast_queue_probes_total: 'Slots for probes that were granted.',
  holdfast_queue_cleared_total: 'Endpoints that an operator put back into service.',
  holdfast_event_loop_delay_seconds: 'Delay of the event loop since the page was last read.',
};

export function createPromMetrics(): Metrics {
  const observed: Observed[] = [];
  const counted = new Map<string, Map<string, MetricReading>>();
  let registry: Prom.Registry | undefined;
  const metrics: Metrics = {
    count(name, labels = {}, by = 1) {
      let sums = counted.get(name);
      if (sums === undefined) {
        const made = (sums = new Map<string, MetricReading>());
        counted.set(name, made);
        metrics.gauge(name, () => [...made.values()]);
      }
      const key = JSON.stringify(labels);
      sums.set(key, { labels, value: (sums.get(key)?.value ?? 0) + by });
    },
    gauge(name, read) {
      observed.push({ name, read, metric: undefined });
    },
    async render() {
      const prom = await import('prom-client');
      const page = (registry ??= new prom.Registry());
      for (const each of observed) observe(each, prom, page);
      return { status: 200, contentType: page.contentType, body: await page.metrics() };
    },
  };
  metrics.gauge('holdfast_event_loop_delay_seconds', readEventLoopDelay);
  return metrics;
}

/** A number that is read for each page. */
interface Observed {
  readonly name: string;
  readonly read: () => number | readonly MetricReading[];
  /** Made at the first reading: prom-client wants to know the names of all labels in advance. */
  metric: Prom.Counter | Prom.Gauge | undefined;
}

function observe(observed: Observed, { Counter, Gauge }: typeof Prom, registry: Prom.Registry): void {
  const { name, read } = observed;
  const now = readings(read());
  const first = now[0];
  if (observed.metric === undefined) {
    // Without a reading there is nothing to show, and its labels are not known.
    if (first === undefined) return;
    const configuration = {
      name,
      help: help[name] ?? name,
      labelNames: Object.keys(first.labels),
      registers: [registry],
    };
    observed.metric = name.endsWith('_total') ? new Counter(configuration) : new Gauge(configuration);
  }
  observed.metric.reset();
  for (const { labels, value } of now) observed.metric.inc(labels, value);
}

function readings(value: number | readonly MetricReading[]): readonly MetricReading[] {
  return typeof value === 'number' ? [{ labels: {}, value }] : value;
}

/** One histogram for the process: it costs a timer, and a process has one event loop. */
let eventLoopDelay: ReturnType<typeof monitorEventLoopDelay> | undefined;

function readEventLoopDelay(): readonly MetricReading[] {
  if (eventLoopDelay === undefined) {
    eventLoopDelay = monitorEventLoopDelay({ resolution: 10 });
    eventLoopDelay.enable();
  }
  const histogram = eventLoopDelay;
  const read = (quantile: string, nanoseconds: number): MetricReading => ({
    labels: { quantile },
    value: Number.isFinite(nanoseconds) ? nanoseconds / 1e9 : 0,
  });
  const result = [
    read('0.5', histogram.percentile(50)),
    read('0.99', histogram.percentile(99)),
    read('1', histogram.max),
  ];
  histogram.reset();
  return result;
}
