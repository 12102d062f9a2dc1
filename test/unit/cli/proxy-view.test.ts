// The table of `holdfast proxy --watch`: what an operator must see at a glance.
import { expect, test } from 'vitest';
import type { ProxyReport } from '../../../src/cli/admin-client.ts';
import { formatProxy, rates, sparkline, type Paint } from '../../../src/cli/proxy-view.ts';
import type { EndpointStatus } from '../../../src/index.ts';

function endpoint(id: string, facts: Partial<EndpointStatus> = {}): EndpointStatus {
  return {
    id,
    url: `https://${id}.example`,
    state: 'healthy',
    credentials: 'accepted',
    totalRequests: 0,
    inFlight: 0,
    failedRequests: 0,
    clientFaults: 0,
    credentialFaults: 0,
    abandonedRequests: 0,
    late: 0,
    consecutiveFailures: 0,
    totalEjections: 0,
    ejections: 0,
    probes: 0,
    failedProbes: 0,
    latency: { ewmaMs: -1, p50Ms: -1, p90Ms: -1, p99Ms: -1 },
    ...facts,
  };
}

function report(uptimeMs: number, endpoints: readonly EndpointStatus[], requests = 0): ProxyReport {
  return {
    proxy: {
      url: 'http://127.0.0.1:7080',
      state: 'serving',
      selection: 'weighted',
      uptimeMs,
      requests,
      active: 3,
      outcomes: { answered: requests - 13, cut: 1, failed: 2, refused: 0, cancelled: 7 },
      replayBytes: 0,
    },
    pool: {
      name: 'default',
      endpoints,
      queue: {
        size: 2,
        probing: 0,
        held: 1,
        totalFailed: 5,
        totalRecovered: 3,
        totalProbes: 9,
        totalCleared: 0,
      },
      requests,
      retries: 12,
      refused: 1,
      duplicates: 0,
      sessions: 0,
    },
    queue: [
      { endpoint: 'c', phase: 'waiting', remainingMs: 24_000, verifications: 0, ejections: 2 },
      { endpoint: 'd', phase: 'held', remainingMs: 0, verifications: 3, ejections: 3 },
    ],
  };
}

const before = report(
  10_000,
  [endpoint('a', { totalRequests: 100 }), endpoint('b', { totalRequests: 40 })],
  130,
);
const now = report(
  12_000,
  [
    endpoint('a', {
      totalRequests: 12_345,
      inFlight: 3,
      latency: { ewmaMs: 3, p50Ms: 2.5, p90Ms: 20, p99Ms: 180 },
    }),
    endpoint('b', { totalRequests: 41, state: 'suspect', consecutiveFailures: 3, failedRequests: 3 }),
    endpoint('c', { state: 'ejected', ejections: 2, credentials: 'refused' }),
    endpoint('d', { state: 'ejected', ejections: 3 }),
  ],
  12_376,
);

test('it shows state, in flight, rate, failures, latencies, and when an ejected endpoint is probed', () => {
  expect(formatProxy({ report: now, before })).toEqual([
    'holdfast proxy http://127.0.0.1:7080  ● serving  weighted, up 12.0 s',
    '6 123 req/s  3 in flight  12 363 answered  1 cut  2 failed  0 refused  7 cancelled  12 retries',
    'queue 1 waiting  0 probed  1 held  ever 5 failed  3 recovered  9 probes  0 cleared',
    '',
    'ENDPOINT  STATE                              OUT FOR  IN FLIGHT  REQ/S  REQUESTS  FAILED      P50     P99  URL',
    'a         ● healthy                                           3  6 123    12 345       0  2.50 ms  180 ms  https://a.example',
    'b         ◐ suspect 3 failed in a row                         0    0.5        41       3        -       -  https://b.example',
    'c         ○ ejected #1, 2 times key refused   24.0 s          0    0.0         0       0        -       -  https://c.example',
    'd         ○ ejected #2, 3 times                 held          0    0.0         0       0        -       -  https://d.example',
  ]);
});

test('colours change no column, and there are none where nobody asked for them', () => {
  const paint: Paint = (_colour, text) => `\x1b[1m${text}\x1b[22m`;
  const coloured = formatProxy({ report: now, before, paint });
  // oxlint-disable-next-line no-control-regex -- it is what colours begin with
  expect(coloured.map((line) => line.replaceAll(/\x1b\[\d+m/g, ''))).toEqual(
    formatProxy({ report: now, before }),
  );
  expect(coloured.join('')).toContain('\x1b[');
  expect(formatProxy({ report: now, before }).join('')).not.toContain('\x1b');
});

test('a proxy that was restarted, or is seen for the first time, has no rates yet', () => {
  expect(rates(now, undefined).size).toBe(0);
  expect(rates(before, now).size).toBe(0);
  expect(formatProxy({ report: now })[1]).toMatch(/^- req\/s {2}3 in flight/);
  // One that was added since counts from nothing.
  expect(rates(now, before).get('c')).toBe(0);
});

test('bars grow with the numbers', () => {
  expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7, 8])).toBe('▁▁▂▃▄▅▆▇█');
  expect(sparkline([0, 0])).toBe('▁▁');
  expect(sparkline([1_000])).toBe('█');
});
