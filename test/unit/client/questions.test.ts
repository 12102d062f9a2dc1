// What a client asks the hub itself, and what it tells of its own link.
// Invariant: a question changes nothing, so it is asked again on the next link, and it is settled when there will be none.
import { expect, test } from 'vitest';
import { createClient, noLog } from '../../../src/index.ts';
import { eventually } from '../../chaos/eventually.ts';
import { startClient, startHub, startNode } from '../../chaos/in-process.ts';
import { quickLink } from '../../chaos/processes.ts';
import { startTcpProxy } from '../../chaos/tcp-proxy.ts';

test('a question that is asked while there is no link is answered on the next one', async () => {
  const hub = await startHub();
  const proxy = await startTcpProxy(hub.port);
  await startNode(hub.url, 'n1');
  const client = await startClient(proxy.url);
  proxy.refuse();
  proxy.cut();
  await eventually('the link is down', () => client.status().state !== 'connected');
  const nodes = client.nodes();
  const status = client.hubStatus();
  proxy.heal();
  expect((await nodes).map(({ id }) => id)).toEqual(['n1']);
  expect(await status).toMatchObject({ instance: hub.instance });
});

test('a question whose answer is lost on the way is asked again', async () => {
  const hub = await startHub();
  const proxy = await startTcpProxy(hub.port);
  await startNode(hub.url, 'n1');
  const client = await startClient(proxy.url);
  proxy.swallow('toPeer');
  const nodes = client.nodes();
  proxy.heal();
  expect((await nodes).map(({ id }) => id)).toEqual(['n1']);
});

test('a question is settled when the client’s link has ended for good', async () => {
  const hub = await startHub();
  const proxy = await startTcpProxy(hub.port);
  const client = await startClient(proxy.url, { maxRetryAttempts: 1, reconnectIntervalMs: 10 });
  proxy.refuse();
  proxy.cut();
  await eventually('the link is down', () => client.status().state !== 'connected');
  await expect(client.nodes()).rejects.toMatchObject({ code: 'not_connected' });
});

test('a question after the end is refused like a call', async () => {
  const hub = await startHub();
  const client = await startClient(hub.url);
  await client.stop();
  await expect(client.nodes()).rejects.toMatchObject({ code: 'stopped' });
  await expect(client.hubStatus()).rejects.toMatchObject({ code: 'stopped' });
});

test('a client tells what its link does: state, attempts, reconnects, the reason, calls in flight', async () => {
  const hub = await startHub();
  const proxy = await startTcpProxy(hub.port);
  const worker = await startNode(hub.url, 'n1');
  const client = await startClient(proxy.url, { id: 'asker' });
  expect(client.status()).toMatchObject({
    id: 'asker',
    state: 'connected',
    attempt: 0,
    reconnects: 0,
    inFlight: 0,
    retries: 0,
    hub: hub.instance,
  });
  const call = client.call('hold', ['k']);
  await eventually('it runs', () => worker.events.length === 1);
  expect(client.status().inFlight).toBe(1);
  proxy.refuse();
  proxy.cut();
  await eventually('it tried', () => client.status().attempt >= 2);
  expect(client.status().reason).toMatch(/1006|ECONNRESET|socket hang up/);
  expect(client.status().inFlight).toBe(1);
  proxy.heal();
  worker.release('k');
  await call;
  expect(client.status()).toMatchObject({ state: 'connected', inFlight: 0 });
  expect(client.status().reconnects).toBeGreaterThanOrEqual(2);
});

test('attempts that are spent end in `failed`, which says what to do; connect() starts over', async () => {
  const hub = await startHub();
  const proxy = await startTcpProxy(hub.port);
  proxy.refuse();
  const ended: string[] = [];
  const client = createClient({
    ...quickLink,
    hub: proxy.url,
    log: noLog(),
    reconnectIntervalMs: 5,
    maxRetryAttempts: 3,
    onEnded: (error) => void ended.push(error.message),
  });
  await expect(client.ready()).rejects.toMatchObject({ code: 'not_connected', retryable: true });
  expect(proxy.accepted).toBe(4);
  expect(ended[0]).toMatch(
    /gave up on ws:\/\/127\.0\.0\.1:\d+ after 3 attempts: .*; raise maxRetryAttempts \(0 = for ever\) or call connect\(\) again/,
  );
  proxy.heal();
  client.connect();
  await client.ready();
  expect(client.status()).toMatchObject({ state: 'connected' });
  await client.stop();
});
