// What `holdfast proxy --watch` shows: one status of a proxy as lines, with rates since the one before.
// Invariant: it only says what the statuses say; a rate without an earlier status is `-`.
import type { EndpointStatus, QueueEntry } from '../index.ts';
import type { ProxyReport } from './admin-client.ts';
import { formatDuration } from './report.ts';
import { formatTable } from './table.ts';

export type Colour = 'green' | 'yellow' | 'red' | 'cyan' | 'dim' | 'bold';
/** Colours a text, or leaves it. */
export type Paint = (colour: Colour, text: string) => string;

export const plain: Paint = (_colour, text) => text;

const MARKS: Readonly<Record<string, readonly [mark: string, colour: Colour]>> = {
  healthy: ['●', 'green'],
  suspect: ['◐', 'yellow'],
  ejected: ['○', 'red'],
  probing: ['◌', 'cyan'],
  rising: ['◔', 'cyan'],
};

/** Requests a second between two statuses of one life of a proxy. */
export function rates(report: ProxyReport, before: ProxyReport | undefined): Map<string, number> {
  const result = new Map<string, number>();
  const seconds = (report.proxy.uptimeMs - (before?.proxy.uptimeMs ?? Infinity)) / 1_000;
  if (before === undefined || seconds <= 0) return result;
  const earlier = new Map(before.pool.endpoints.map((endpoint) => [endpoint.id, endpoint.totalRequests]));
  for (const { id, totalRequests } of report.pool.endpoints)
    result.set(id, Math.max(0, totalRequests - (earlier.get(id) ?? 0)) / seconds);
  result.set('', Math.max(0, report.proxy.requests - before.proxy.requests) / seconds);
  return result;
}

const BARS = '▁▂▃▄▅▆▇█';

/** The latest numbers as bars; the highest is full. */
export function sparkline(values: readonly number[]): string {
  const most = Math.max(...values, 0);
  return values
    .map((value) => BARS[most === 0 ? 0 : Math.min(7, Math.ceil((value / most) * 8) - 1)] ?? BARS[0])
    .join('');
}

const HEAD = [
  'ENDPOINT',
  'STATE',
  'OUT FOR',
  'IN FLIGHT',
  'REQ/S',
  'REQUESTS',
  'FAILED',
  'P50',
  'P99',
  'URL',
];
const RIGHT = new Set([2, 3, 4, 5, 6, 7, 8]);

export interface View {
  readonly report: ProxyReport;
  readonly before?: ProxyReport | undefined;
  /** Requests a second of the latest refreshes, the newest last. */
  readonly history?: readonly number[];
  readonly paint?: Paint;
}

export function formatProxy({ report, before, history = [], paint = plain }: View): string[] {
  const { proxy, pool, queue } = report;
  const perSecond = rates(report, before);
  const places = new Map(queue.map((entry, place) => [entry.endpoint, { entry, place: place + 1 }]));
  const [mark, colour] = proxy.state === 'serving' ? (['●', 'green'] as const) : (['◐', 'yellow'] as const);
  const head =
    `${paint('bold', 'holdfast proxy')} ${proxy.url}  ${paint(colour, `${mark} ${proxy.state}`)}  ` +
    paint('dim', `${proxy.selection}, up ${formatDuration(proxy.uptimeMs)}`);
  const bars = history.length < 2 ? '' : ` ${paint('cyan', sparkline(history))}`;
  const numbers = [
    `${formatRate(perSecond.get(''))} req/s${bars}`,
    `${proxy.active} in flight`,
    ...Object.entries(proxy.outcomes).map(([outcome, count]) => {
      const text = `${grouped(count)} ${outcome}`;
      return count > 0 && (outcome === 'failed' || outcome === 'cut') ? paint('red', text) : text;
    }),
    pool.retries === 1 ? '1 retry' : `${grouped(pool.retries)} retries`,
  ].join('  ');
  const rows = pool.endpoints.map((endpoint) => cells(endpoint, places.get(endpoint.id), perSecond, paint));
  const [titles = '', ...lines] = formatTable(HEAD, rows, RIGHT);
  // The table is last: a screen that is too small cuts it.
  return [head, numbers, formatQueue(report, paint), '', paint('dim', titles), ...lines];
}

interface Place {
  readonly entry: QueueEntry;
  /** 1 for the first in the queue. */
  readonly place: number;
}

function cells(
  endpoint: EndpointStatus,
  queued: Place | undefined,
  perSecond: ReadonlyMap<string, number>,
  paint: Paint,
): string[] {
  const { id, url, inFlight, totalRequests, failedRequests, latency } = endpoint;
  return [
    id,
    describeState(endpoint, queued, paint),
    queued === undefined ? '' : outFor(queued.entry),
    String(inFlight),
    formatRate(perSecond.get(id)),
    grouped(totalRequests),
    failedRequests === 0 ? '0' : paint('red', grouped(failedRequests)),
    formatLatency(latency.p50Ms),
    formatLatency(latency.p99Ms),
    paint('dim', url ?? '-'),
  ];
}

function describeState(endpoint: EndpointStatus, queued: Place | undefined, paint: Paint): string {
  const { state, consecutiveFailures, ejections, credentials } = endpoint;
  const [mark, colour] = MARKS[state] ?? ['?', 'dim'];
  const parts = [
    state === 'suspect' ? `${consecutiveFailures} failed in a row` : '',
    queued === undefined ? '' : `#${queued.place}`,
    queued !== undefined && ejections > 1 ? `${ejections} times` : '',
  ].filter((part) => part !== '');
  const refused = credentials === 'refused' ? ` ${paint('yellow', 'key refused')}` : '';
  return `${paint(colour, `${mark} ${state}`)}${parts.length === 0 ? '' : ` ${parts.join(', ')}`}${refused}`;
}

function outFor({ phase, remainingMs }: QueueEntry): string {
  if (phase !== 'waiting') return phase;
  return remainingMs > 0 ? formatDuration(remainingMs) : 'due';
}

function formatQueue({ pool: { queue } }: ProxyReport, paint: Paint): string {
  const { size, probing, held, totalFailed, totalRecovered, totalProbes, totalCleared } = queue;
  const now = size === 0 ? 'empty' : `${size - probing - held} waiting  ${probing} probed  ${held} held`;
  const ever = `ever ${totalFailed} failed  ${totalRecovered} recovered  ${totalProbes} probes  ${totalCleared} cleared`;
  const what = held > 0 ? paint('red', now) : size > 0 ? paint('yellow', now) : now;
  return `${paint('bold', 'queue')} ${what}  ${paint('dim', ever)}`;
}

function formatRate(perSecond: number | undefined): string {
  if (perSecond === undefined) return '-';
  return perSecond < 100 ? perSecond.toFixed(1) : grouped(Math.round(perSecond));
}

function formatLatency(ms: number): string {
  return ms < 0 ? '-' : formatDuration(ms);
}

/** `12 345`, as the README writes numbers. */
function grouped(value: number): string {
  return value.toLocaleString('en-US').replaceAll(',', ' ');
}
