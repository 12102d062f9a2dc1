// What a hub shows over HTTP: health, readiness, metrics.
// Invariant: the pages tell what is, change nothing, and tell no secret.
import { expect, test } from 'vitest';
import { eventually } from '../../chaos/eventually.ts';
import { startClient, startHub, startNode } from '../../chaos/in-process.ts';
import type { Hub } from '../../../src/index.ts';

const pageOf = (hub: Hub, path: string) => fetch(`${hub.url.replace('ws', 'http')}${path}`);

/** Value of a metric; undefined when it is not on the page. */
function valueOf(page: string, name: string): number | undefined {
  const line = page.split('\n').find((it) => it.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}

test('/healthz tells that the hub lives, and how many are there', async () => {
  const hub = await startHub();
  await startNode(hub.url, 'n1');
  const response = await pageOf(hub, '/healthz');
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toContain('application/json');
  expect(await response.json()).toMatchObject({ state: 'listening', nodes: 1, clients: 0 });
});

test('/readyz is 200 while the hub takes work, and 503 while it drains', async () => {
  const hub = await startHub({ drainTimeoutMs: 20_000 });
  const worker = await startNode(hub.url, 'n1');
  const client = await startClient(hub.url);
  expect((await pageOf(hub, '/readyz')).status).toBe(200);
  const call = client.call('hold', ['k']);
  await eventually('it runs', () => worker.events.length === 1);
  // A probe keeps its connection: a hub that drains takes no new ones.
  const stop = hub.stop();
  const response = await pageOf(hub, '/readyz').catch((error: unknown) => error);
  if (response instanceof Response) expect(response.status).toBe(503);
  else expect(response).toBeInstanceOf(Error);
  worker.release('k');
  await call;
  await stop;
});

test('/metrics is Prometheus text that follows what happens', async () => {
  const hub = await startHub({ maxQueueSize: 1, noNodeAfterMs: 50, token: 'very secret' });
  const worker = await startNode(hub.url, 'n1', { token: 'very secret', maxConcurrent: 1 });
  const client = await startClient(hub.url, { token: 'very secret' });
  for (let i = 0; i < 7; i++) await client.call('add', [1, 2]);
  await client.call('fail', ['f', 'broken']).catch(() => undefined);
  await client.call('nothing').catch(() => undefined);
  const held = client.call('hold', ['k']);
  await eventually('it runs', () => worker.events.length === 1);
  const queued = client.call('add', [1, 2]);
  await eventually('it waits', () => hub.status().waiting === 1);
  await client.call('add', [1, 2]).catch(() => undefined);

  const response = await pageOf(hub, '/metrics');
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toContain('text/plain');
  const page = await response.text();
  expect(valueOf(page, 'holdfast_nodes{state="online"}')).toBe(1);
  expect(valueOf(page, 'holdfast_nodes{state="absent"}')).toBe(0);
  expect(valueOf(page, 'holdfast_clients')).toBe(1);
  expect(valueOf(page, 'holdfast_connections')).toBe(2);
  expect(valueOf(page, 'holdfast_calls_running')).toBe(1);
  expect(valueOf(page, 'holdfast_calls_waiting')).toBe(1);
  expect(valueOf(page, 'holdfast_calls_total{outcome="result"}')).toBe(7);
  expect(valueOf(page, 'holdfast_calls_total{outcome="failure"}')).toBe(1);
  expect(valueOf(page, 'holdfast_calls_total{outcome="no_node"}')).toBe(1);
  expect(valueOf(page, 'holdfast_calls_total{outcome="queue_full"}')).toBe(1);
  expect(valueOf(page, 'holdfast_received_bytes_total')).toBeGreaterThan(100);
  expect(valueOf(page, 'holdfast_sent_bytes_total')).toBeGreaterThan(100);
  expect(valueOf(page, 'holdfast_unexpected_events_total')).toBe(0);
  expect(valueOf(page, 'holdfast_dead_letters_total')).toBe(0);
  expect(page).toContain('# TYPE holdfast_calls_total counter');
  expect(page).not.toContain('very secret');
  worker.release('k');
  await Promise.all([held, queued]);
});

test('two hubs in one process count for themselves', async () => {
  const [one, other] = [await startHub(), await startHub()];
  await startNode(one.url, 'n1');
  expect(valueOf(await (await pageOf(one, '/metrics')).text(), 'holdfast_nodes{state="online"}')).toBe(1);
  expect(valueOf(await (await pageOf(other, '/metrics')).text(), 'holdfast_nodes{state="online"}')).toBe(0);
});

test('other paths are 404, other methods 405', async () => {
  const hub = await startHub();
  expect((await pageOf(hub, '/page')).status).toBe(404);
  expect((await pageOf(hub, '/nodes')).status).toBe(404);
  expect((await fetch(`${hub.url.replace('ws', 'http')}/healthz`, { method: 'POST' })).status).toBe(405);
});
