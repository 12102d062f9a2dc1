// The twin of durable-nodes.test.ts: a hub that leaves every call to its client, as hubs once did.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { openStore } from '../../src/index.ts';
import { eventually } from './eventually.ts';
import { startClient, startHub, startNode } from './in-process.ts';
import { forkHub, forkNode } from './processes.ts';
import { startTcpProxy } from './tcp-proxy.ts';

vi.mock(import('../../src/calls/taken-up.ts'), () => ({ isTakenUp: () => false, takenUpAt: () => [] }));

test('such a hub takes an idempotent call out of its journal, and nobody executes it', async () => {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-durable-twin-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  const url = `file:${join(path, 'data')}`;
  const hub = await forkHub({ store: url });
  const proxy = await startTcpProxy(hub.port);
  const node = await forkNode({ hub: hub.url, ids: ['n1'] });
  const client = await startClient(proxy.url);
  void client.call('hold', ['k'], { durable: true, idempotent: true }).catch(() => undefined);
  await node.started('k');
  proxy.refuse();
  await hub.kill();
  await node.kill();
  const store = await openStore(url);
  onTestFinished(() => store.close());
  const again = await startHub({ store, failoverAfterMs: 300 });
  const heir = await startNode(again.url, 'n2');
  await eventually('the hub gives it up', () => again.status().ended['vanished'] === 1);
  const utf8 = new TextEncoder();
  const journal = { key: utf8.encode('/holdfast/calls/'), end: utf8.encode('/holdfast/calls0') };
  await eventually('the journal is empty', async () => (await store.range(journal)).entries.length === 0);
  expect(heir.counts()).toEqual({});
});
