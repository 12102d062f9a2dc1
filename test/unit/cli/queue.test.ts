// `holdfast queue` as operators use it, against the admin API over a real pool.
import { expect, onTestFinished, test } from 'vitest';
import { serveAdmin, type AdminServer } from '../../../src/adapters/admin-server.ts';
import { createPromMetrics } from '../../../src/adapters/prom-metrics.ts';
import { askAdmin, type AdminFlags } from '../../../src/cli/admin-client.ts';
import { parseUrl } from '../../../src/cli/arguments.ts';
import { adminRoutes } from '../../../src/cli/proxy-admin.ts';
import { describeProxy } from '../../../src/cli/proxy-metrics.ts';
import { formatEntries } from '../../../src/cli/queue.ts';
import { createPool, noLog, type Pool } from '../../../src/index.ts';
import { run } from './command.ts';

/** Both of `bad` and `worse` are out, in this order; nothing proves them well. */
async function ejected(token?: string): Promise<{ pool: Pool; admin: AdminServer; url: string[] }> {
  const pool = await createPool({
    endpoints: [{ id: 'good' }, { id: 'bad' }, { id: 'worse' }],
    consecutiveFailures: 1,
    maxAttempts: 1,
    ejectionMs: 3_600_000,
    maxEjectionMs: 3_600_000,
    selection: 'roundRobin',
    probe: () => Promise.reject(new Error('still ill')),
    log: noLog(),
  });
  onTestFinished(() => pool.close());
  for (let i = 0; i < 3; i++) {
    const attempt = pool.request().next();
    attempt?.ended({ status: attempt.endpoint.id === 'good' ? 200 : 503 });
  }
  const numbers = describeProxy(createPromMetrics());
  const facts = {
    url: 'http://127.0.0.1:1',
    state: 'serving',
    requests: 3,
    active: 0,
    outcomes: { answered: 1, cut: 0, failed: 2, refused: 0, cancelled: 0 },
    replayBytes: 0,
  } as const;
  const admin = await serveAdmin({
    host: '127.0.0.1',
    port: 0,
    token,
    routes: adminRoutes({
      queue: pool.queue,
      numbers: () => numbers({ ...facts, pool: pool.status() }),
      report: () => ({
        proxy: { ...facts, selection: 'roundRobin', uptimeMs: 1 },
        pool: pool.status(),
        queue: pool.queue.list(),
      }),
    }),
  });
  onTestFinished(() => admin.close());
  return { pool, admin, url: ['--admin', admin.url] };
}

test('tells who is in the queue and how many there were, for people and for scripts', async () => {
  const { admin, url } = await ejected();
  const [status, list, asJson] = await Promise.all([
    run(['queue', 'status', ...url]),
    run(['queue', 'list'], { HOLDFAST_ADMIN: admin.url }),
    run(['queue', 'list', '--json', ...url]),
  ]);
  expect(status).toMatchObject({ status: 0, stderr: '' });
  expect(status.stdout).toBe(
    '2 in the queue: 2 waiting, 0 probed, 0 held;  ever: 2 failed, 0 recovered, 0 probes, 0 cleared\n',
  );
  expect(list.stdout).toMatch(/^# +ENDPOINT +PHASE +OUT FOR/);
  expect(list.stdout).toMatch(/^1 +bad +waiting +\d+ min \d+ s +1 +0$/m);
  expect(list.stdout).toMatch(/^2 +worse +waiting/m);
  expect(JSON.parse(asJson.stdout)).toMatchObject([
    { endpoint: 'bad', phase: 'waiting' },
    { endpoint: 'worse' },
  ]);
});

test('an operator has endpoints probed, one or all, and puts them back', async () => {
  const { pool, url } = await ejected();
  expect(await run(['queue', 'retry', 'worse', ...url])).toMatchObject({
    status: 0,
    stdout: 'no longer waiting: worse\n',
  });
  expect(pool.queue.status()).toMatchObject({ size: 2, totalProbes: 1 });
  expect((await run(['queue', 'retry', ...url])).stdout).toMatch(
    /^no longer waiting: (bad, worse|worse, bad)\n$/,
  );
  expect((await run(['queue', 'clear', ...url])).stdout).toMatch(
    /^back in service, unproven: (bad, worse|worse, bad)\n$/,
  );
  expect(pool.queue.status()).toMatchObject({ size: 0, totalCleared: 2 });
  const again = await run(['queue', 'clear', '--json', ...url]);
  expect(JSON.parse(again.stdout)).toMatchObject({ cleared: [], entries: [], status: { size: 0 } });
  expect(formatEntries([])).toEqual(['the queue is empty: no endpoint is out of service']);
});

test('says what is wrong: an unknown endpoint, no proxy, another server, a wrong token', async () => {
  const { url } = await ejected();
  const { admin } = await ejected('s3cret');
  const other = await serveAdmin({
    host: '127.0.0.1',
    port: 0,
    routes: { '/queue': { GET: () => ({ status: 404, contentType: 'text/html', body: '<p>nothing' }) } },
  });
  onTestFinished(() => other.close());
  expect(await run(['queue', 'retry', 'nobody', ...url])).toMatchObject({
    status: 1,
    stdout: '',
    stderr: 'holdfast: endpoint "nobody" is not in the failure queue; see its list [invalid_argument]\n',
  });
  const ask = (flags: AdminFlags): Promise<unknown> => askAdmin(flags, '/queue');
  await expect(ask({ admin: 'http://127.0.0.1:1' })).rejects.toMatchObject({
    code: 'not_connected',
    message: expect.stringMatching(
      /^no proxy's admin API at http:\/\/127\.0\.0\.1:1: .*ECONNREFUSED.*--admin/,
    ) as string,
  });
  await expect(ask({ admin: other.url })).rejects.toThrow(
    'it answers 404 without JSON, so it is another server',
  );
  await expect(ask({ admin: admin.url })).rejects.toThrow(/wrong token, or none/);
  await expect(ask({ admin: admin.url, adminToken: 'guess' })).rejects.toThrow(/wrong token, or none/);
  expect(await ask({ admin: admin.url, adminToken: 's3cret' })).toMatchObject({ status: { size: 2 } });
  expect(() => parseUrl('localhost:7081')).toThrow('Addresses look like http://127.0.0.1:7081.');
});

test('the numbers for Prometheus are those of the pool', async () => {
  const { admin } = await ejected();
  const text = await (await fetch(`${admin.url}/metrics`)).text();
  for (const line of [
    'holdfast_endpoint_attempts_total{endpoint="bad"} 1',
    'holdfast_endpoint_failures_total{endpoint="bad"} 1',
    'holdfast_endpoint_failures_total{endpoint="good"} 0',
    'holdfast_endpoint_state{endpoint="bad",state="ejected"} 1',
    'holdfast_endpoint_state{endpoint="bad",state="healthy"} 0',
    'holdfast_pool_requests_total 3',
    'holdfast_proxy_requests_total{outcome="failed"} 2',
    'holdfast_queue_size 2',
  ])
    expect(text.split('\n')).toContain(line);
  expect(text).toMatch(/^holdfast_endpoint_latency_seconds\{endpoint="good",quantile="0\.99"\} [\d.e-]+$/m);
  // Nobody measured those that never succeeded.
  expect(text).not.toMatch(/latency_seconds\{endpoint="bad"/);
  expect(text).toMatch(/^# HELP holdfast_queue_size Endpoints that are in the failure queue\.$/m);
});

test('a command that cannot be meant changes nothing', async () => {
  const { pool, admin } = await ejected();
  for (const [path, body] of [
    ['/queue/retry', { endpoint: 7 }],
    ['/queue/retry', { endpiont: 'bad' }],
    ['/queue/retry', []],
    ['/queue/clear', { endpoint: 'bad' }],
    ['/queue/clear', 'all'],
  ] as const) {
    const answer = await fetch(`${admin.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      message: expect.stringMatching(/^this command wants \{/) as string,
    });
  }
  expect(pool.queue.status()).toMatchObject({ size: 2, totalProbes: 0, totalCleared: 0 });
});
