// The twins of draining.test.ts: a session, and a connection, that end with the link of a node that drains, as they once did.
import { expect, test, vi } from 'vitest';
import { twin } from '../checks/twin.ts';
import { eventually } from './eventually.ts';
import { startClient, startHub, startNode } from './in-process.ts';
import { startTcpProxy } from './tcp-proxy.ts';

vi.mock(import('../../machines/session.ts'), async (original) => {
  const production = await original();
  const sessionMachine = twin(production.sessionMachine, ({ states }) => {
    states['draining']!.states['ordered']!.states['present']!.on['socket.closed'] = '#session.expired';
  });
  return { ...production, sessionMachine: sessionMachine as typeof production.sessionMachine };
});

vi.mock(import('../../machines/connection.ts'), async (original) => {
  const production = await original();
  const connectionMachine = twin(production.connectionMachine, ({ states }) => {
    states['draining']!.on['socket.closed'] = { target: 'shutdown', actions: 'settleInFlight' };
  });
  return { ...production, connectionMachine: connectionMachine as typeof production.connectionMachine };
});

test('such a node does not come back to what it runs, and its call is lost when its grace is over', async () => {
  const hub = await startHub({ sessionGraceMs: 200 });
  const proxy = await startTcpProxy(hub.port);
  const worker = await startNode(proxy.url, 'n1', { drainTimeoutMs: 20_000 });
  const client = await startClient(hub.url);
  const call = client.call('hold', ['k']).catch((error: unknown) => error);
  await eventually('it runs', () => worker.events.length === 1);
  const stop = worker.node.stop();
  await eventually('the hub knows', () => hub.nodes()[0]?.state === 'draining');
  proxy.cut();
  await stop;
  expect(await call).toMatchObject({ code: 'lost', started: 'unknown' });
});

test('such a session calls a call lost whose node lives, and finishes it', async () => {
  const hub = await startHub();
  const proxy = await startTcpProxy(hub.port);
  const worker = await startNode(proxy.url, 'n1', { reconnectIntervalMs: 10, reconnectMaxMs: 20 });
  const client = await startClient(hub.url);
  const call = client.call('hold', ['k']).catch((error: unknown) => error);
  await eventually('it runs', () => worker.events.length === 1);
  hub.drain('n1');
  proxy.cut();
  expect(await call).toMatchObject({ code: 'lost', started: 'unknown' });
  worker.release('k');
  await eventually('it is finished', () => worker.node.status().activeExecutions === 0);
  expect(worker.counts()).toEqual({ k: 1 });
});
