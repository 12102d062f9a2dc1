// Durable calls whose node and hub are both killed: the next start of the hub goes on with them before their client is back.
// Invariant of all: what may be executed twice is, if need be; what may not is only placed anew when it was certainly not started.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openStore, type Store, type TxnRequest } from '../../src/index.ts';
import { eventually } from './eventually.ts';
import { startClient, startHub, startNode } from './in-process.ts';
import { forkHub, forkNode } from './processes.ts';
import { startTcpProxy } from './tcp-proxy.ts';

function fileStore(): string {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-durable-nodes-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return `file:${join(path, 'data')}`;
}

/** A durable call that runs at a node; then node and hub are killed, and the client cannot come back yet. */
async function killedBoth(idempotent: boolean, sessionGraceMs = 60_000) {
  const store = fileStore();
  const hub = await forkHub({ store });
  const proxy = await startTcpProxy(hub.port);
  const node = await forkNode({ hub: hub.url, ids: ['n1'] });
  const client = await startClient(proxy.url);
  const call = client.call('hold', ['k'], { durable: true, idempotent });
  const outcome = call.catch((error: unknown) => error);
  await node.started('k');
  proxy.refuse();
  await hub.kill();
  await node.kill();
  const again = await forkHub({ store, failoverAfterMs: 300, sessionGraceMs });
  const heir = await startNode(again.url, 'n2');
  proxy.aim(again.port);
  return { store, again, proxy, client, heir, outcome };
}

test('an idempotent one runs at another node, and its client gets that result when it is back', async () => {
  const { proxy, client, heir, outcome } = await killedBoth(true);
  await eventually('it runs', () => heir.events.length === 1);
  heir.release('k');
  await eventually('it has ended', () => heir.node.status().activeExecutions === 0);
  expect(client.status().state).not.toBe('connected');
  proxy.heal();
  expect(await outcome).toBe('k from n2');
  expect(heir.counts()).toEqual({ k: 1 });
  await eventually('its outcome was acknowledged', () => heir.node.status().retainedResults === 0);
});

test('one that may not be executed twice is lost, and says that it may have been executed', async () => {
  const { again, proxy, heir, outcome } = await killedBoth(false, 2_000);
  proxy.heal();
  expect(await outcome).toMatchObject({ code: 'lost', started: 'unknown' });
  expect((await again.status()).ended['vanished']).toBe(1);
  expect(heir.counts()).toEqual({});
});

test('an idempotent one that was placed anew is found again, and not executed again, when the hub is killed once more', async () => {
  const { store, again, proxy, heir, outcome } = await killedBoth(true);
  await eventually('it runs', () => heir.events.length === 1);
  const { port } = again;
  await again.kill();
  const third = await forkHub({ store, port, failoverAfterMs: 60_000 });
  await eventually(
    'the heir is back',
    () => heir.node.status().reconnects > 0 && heir.node.status().state === 'connected',
  );
  proxy.aim(third.port);
  heir.release('k');
  proxy.heal();
  expect(await outcome).toBe('k from n2');
  expect(heir.counts()).toEqual({ k: 1 });
});

/** A store that keeps what it is told, and answers for the record that names a node only when it is let go. */
function withHeldAnswer(store: Store) {
  const held = Promise.withResolvers<void>();
  const answers = new Proxy(store, {
    get(target, name) {
      if (name === 'txn')
        return async (request: TxnRequest) => {
          const outcome = await target.txn(request);
          const put = request.success?.find((operation) => operation.type === 'put');
          const text = new TextDecoder().decode(put?.value);
          if (text.includes('"function":"mark"') && !text.includes('"node":null')) await held.promise;
          return outcome;
        };
      const member = Reflect.get(target, name) as unknown;
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
  return { answers, letGo: () => held.resolve() };
}

test('one of which the journal names a node that never got it is placed anew, though it may not be executed twice', async () => {
  const utf8 = new TextEncoder();
  const range = { key: utf8.encode('/holdfast/'), end: utf8.encode('/holdfast0') };
  const store = await openStore('memory:');
  const copy = await openStore('memory:');
  onTestFinished(() => store.close());
  onTestFinished(() => copy.close());
  const { answers, letGo } = withHeldAnswer(store);
  const hub = await startHub({ store: answers });
  const toNode = await startTcpProxy(hub.port);
  const toClient = await startTcpProxy(hub.port);
  const worker = await startNode(toNode.url, 'n1');
  const client = await startClient(toClient.url);
  const call = client.call('mark', ['k'], { durable: true });
  await eventually('its record names the node', async () => {
    const { entries } = await store.range(range);
    return entries.some(({ value }) => /"function":"mark".*"node":\{/.test(new TextDecoder().decode(value)));
  });
  // As if the hub were killed now: the next one has what was written, and nothing else.
  for (const { key, value } of (await store.range(range)).entries) await copy.put({ key, value });
  const next = await startHub({ store: copy });
  toClient.refuse();
  toNode.aim(next.port);
  toNode.cut();
  toClient.cut();
  await eventually('it was executed', () => worker.countOf('k') === 1);
  expect(client.status().state).not.toBe('connected');
  toClient.aim(next.port);
  toClient.heal();
  expect(await call).toBe('k');
  expect(worker.countOf('k')).toBe(1);
  letGo();
});
