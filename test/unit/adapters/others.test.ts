// The adapters without sockets: randomness, logs, metrics.

import { describe, expect, test } from 'vitest';

import { createNodeRandom } from '../../../src/adapters/node-random.ts';
import { createPinoLog } from '../../../src/adapters/pino-log.ts';
import { createPromMetrics } from '../../../src/adapters/prom-metrics.ts';
import { createWebRandom } from '../../../src/adapters/web-random.ts';

describe.each([
  ['node', createNodeRandom],
  ['web', createWebRandom],
])('randomness of %s', (_, create) => {
  test('gives ids that are version 4 UUIDs and differ', () => {
    const random = create();
    const ids = Array.from({ length: 1_000 }, () => random.id());
    for (const id of ids)
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(new Set(ids).size).toBe(1_000);
  });

  test('gives unsigned 32-bit numbers that fill their range', () => {
    const random = create();
    const numbers = Array.from({ length: 4_000 }, () => random.uint32());
    for (const number of numbers) {
      expect(Number.isInteger(number)).toBe(true);
      expect(number).toBeGreaterThanOrEqual(0);
      expect(number).toBeLessThan(2 ** 32);
    }
    // The mean of 4 000 is off by more than 5 % of the range once in 10^27 runs.
    const mean = numbers.reduce((sum, number) => sum + number / 4_000, 0);
    expect(Math.abs(mean / 2 ** 32 - 0.5)).toBeLessThan(0.05);
    expect(new Set(numbers).size).toBeGreaterThan(3_990);
  });
});

describe('the log', () => {
  function lines(options: Parameters<typeof createPinoLog>[0]): {
    log: ReturnType<typeof createPinoLog>;
    text: string[];
  } {
    const text: string[] = [];
    return { log: createPinoLog({ stream: { write: (line) => void text.push(line) }, ...options }), text };
  }

  test('writes one JSON object a line with fields and sentence, before the call returns', () => {
    const { log, text } = lines({ pretty: false, fields: { node: 'n1' } });
    log.info({ state: 'connected', tookMs: 12 }, 'registered after 12 ms');
    expect(text).toHaveLength(1);
    expect(text[0]).toMatch(/\n$/);
    expect(JSON.parse(text[0]!)).toEqual({
      level: 30,
      time: expect.any(Number),
      node: 'n1',
      state: 'connected',
      tookMs: 12,
      msg: 'registered after 12 ms',
    });
  });

  test('writes nothing below its level', () => {
    const { log, text } = lines({ pretty: false, level: 'warn' });
    log.debug({}, 'a');
    log.info({}, 'b');
    log.warn({}, 'c');
    log.error({}, 'd');
    expect(text.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['c', 'd']);
  });

  test('is a readable line on a terminal, without the fields', () => {
    const { log, text } = lines({ pretty: true });
    log.warn({ node: 'n1' }, 'heartbeat timeout: 16.2 s > 15 s');
    expect(text).toHaveLength(1);
    expect(text[0]).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] .*WARN.*: .*heartbeat timeout: 16\.2 s > 15 s.*\n$/);
    expect(text[0]).not.toContain('n1');
  });

  test('shows the error itself with an error, on a terminal too', () => {
    const { log, text } = lines({ pretty: true });
    log.error({ err: new Error('no disk') }, 'the journal failed');
    expect(text.join('')).toContain('others.test.ts');
  });

  test('shows the fields in the same line at level debug', () => {
    const { log, text } = lines({ pretty: true, level: 'debug' });
    log.debug({ node: 'n1' }, 'ping');
    expect(text).toHaveLength(1);
    expect(text[0]).toContain('"n1"');
    expect(text[0]!.trimEnd()).not.toContain('\n');
  });
});

describe('the metrics page', () => {
  test('shows counters by their labels', async () => {
    const metrics = createPromMetrics();
    metrics.count('holdfast_calls_total', { outcome: 'succeeded' });
    metrics.count('holdfast_calls_total', { outcome: 'succeeded' }, 4);
    metrics.count('holdfast_calls_total', { outcome: 'failed' });
    metrics.count('plain_total');
    const page = await metrics.render();
    expect(page.status).toBe(200);
    expect(page.contentType).toContain('text/plain; version=0.0.4');
    expect(page.body).toContain('# TYPE holdfast_calls_total counter');
    expect(page.body).toContain('holdfast_calls_total{outcome="succeeded"} 5');
    expect(page.body).toContain('holdfast_calls_total{outcome="failed"} 1');
    expect(page.body).toContain('plain_total 1');
  });

  test('reads gauges when it is asked for, and forgets labels that are gone', async () => {
    const metrics = createPromMetrics();
    let readings = [
      { labels: { state: 'online' }, value: 3 },
      { labels: { state: 'absent' }, value: 1 },
    ];
    let queued = 7;
    metrics.gauge('holdfast_nodes', () => readings);
    metrics.gauge('holdfast_calls_queued', () => queued);
    const first = (await metrics.render()).body;
    expect(first).toContain('holdfast_nodes{state="online"} 3');
    expect(first).toContain('holdfast_nodes{state="absent"} 1');
    expect(first).toContain('holdfast_calls_queued 7');
    readings = [{ labels: { state: 'online' }, value: 4 }];
    queued = 0;
    const second = (await metrics.render()).body;
    expect(second).toContain('holdfast_nodes{state="online"} 4');
    expect(second).not.toContain('absent');
    expect(second).toContain('holdfast_calls_queued 0');
  });

  test('exposes a reading whose name ends in _total as a counter', async () => {
    const metrics = createPromMetrics();
    metrics.gauge('holdfast_bytes_total', () => [{ labels: { direction: 'in' }, value: 10 }]);
    const { body } = await metrics.render();
    expect(body).toContain('# TYPE holdfast_bytes_total counter');
    expect(body).not.toMatch(/^holdfast_bytes_total \d/m);
    expect(body).toContain('holdfast_bytes_total{direction="in"} 10');
  });

  test('keeps two hubs of one process apart and measures the event loop', async () => {
    const [first, second] = [createPromMetrics(), createPromMetrics()];
    first.count('holdfast_calls_total', { outcome: 'failed' });
    expect((await second.render()).body).not.toContain('holdfast_calls_total');
    expect((await first.render()).body).toMatch(/holdfast_event_loop_delay_seconds\{quantile="0\.99"\} \d/);
  });
});
