// Durable calls while the hub is killed: journaled before they are sent, taken up by the next start, executed once.
// Invariant of all: what the journal says and what nodes executed agree, and nothing stays in it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openStore, type Store, type TxnRequest } from '../../src/index.ts';
import { eventually } from './eventually.ts';
import { startClient, startHub, startNode } from './in-process.ts';
import { forkHub } from './processes.ts';
import { startTcpProxy } from './tcp-proxy.ts';

function fileStore(): string {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-calls-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return `file:${join(path, 'data')}`;
}

async function openMemory(): Promise<Store> {
  const store = await openStore('memory:');
  onTestFinished(() => store.close());
  return store;
}

async function journalOf(store: Store): Promise<Record<string, unknown>[]> {
  const utf8 = new TextEncoder();
  const { entries } = await store.range({
    key: utf8.encode('/holdfast/calls/'),
    end: utf8.encode('/holdfast/calls0'),
  });
  return entries.map(({ value }) => JSON.parse(new TextDecoder().decode(value)) as Record<string, unknown>);
}

test('a durable call stands in the journal with its node while it runs, and is gone when it was answered', async () => {
  const store = await openMemory();
  const hub = await startHub({ store });
  const worker = await startNode(hub.url, 'n1');
  const client = await startClient(hub.url);
  const call = client.call('hold', ['k'], { durable: true, labels: {} });
  await eventually('it runs', () => worker.events.length === 1);
  expect(await journalOf(store)).toMatchObject([
    { function: 'hold', node: { id: 'n1' }, attempt: 1, deadlineMs: expect.any(Number) as number },
  ]);
  worker.release('k');
  await call;
  await eventually('it is forgotten', async () => (await journalOf(store)).length === 0);
});

test('a call that waits for a node is journaled without one, and a cancelled one leaves nothing', async () => {
  const store = await openMemory();
  const hub = await startHub({ store });
  const client = await startClient(hub.url);
  const abort = new AbortController();
  const call = client
    .call('nobody', ['k'], { durable: true, signal: abort.signal })
    .catch((error: unknown) => error);
  await eventually('it is journaled', async () => (await journalOf(store)).length === 1);
  expect(await journalOf(store)).toMatchObject([{ function: 'nobody', node: null }]);
  abort.abort();
  expect(await call).toMatchObject({ code: 'cancelled' });
  await eventually('it is forgotten', async () => (await journalOf(store)).length === 0);
});

test('a hub without a store refuses durable calls, and says what to do', async () => {
  const hub = await startHub();
  await startNode(hub.url, 'n1');
  const client = await startClient(hub.url);
  await expect(client.call('who', [], { durable: true })).rejects.toMatchObject({
    code: 'invalid_argument',
    message: expect.stringMatching(/start the hub with a store/) as string,
  });
});

test('arguments beyond 512 KiB are refused, and those below travel in chunks and are journaled whole', async () => {
  const store = await openMemory();
  const hub = await startHub({ store });
  await startNode(hub.url, 'n1', { functions: { size: (text: string) => text.length } });
  const client = await startClient(hub.url);
  expect(await client.call('size', ['x'.repeat(400_000)], { durable: true })).toBe(400_000);
  await expect(client.call('size', ['x'.repeat(600_000)], { durable: true })).rejects.toMatchObject({
    code: 'value_too_large',
  });
});

test('a hub that is killed while durable calls wait executes them at its next start, before their client is back', async () => {
  const store = fileStore();
  const hub = await forkHub({ store });
  const proxy = await startTcpProxy(hub.port);
  const client = await startClient(proxy.url);
  const calls = [1, 2, 3].map((n) => client.call('later', [n], { durable: true }));
  await eventually('they wait', async () => (await hub.status()).waiting === 3);
  proxy.refuse();
  await hub.kill();
  const again = await forkHub({ store });
  const ran: number[] = [];
  await startNode(again.url, 'n1', {
    functions: {
      later: (n: number) => {
        ran.push(n);
        return n * 10;
      },
    },
  });
  await eventually('they were executed', () => ran.length === 3);
  expect(client.status().state).not.toBe('connected');
  proxy.aim(again.port);
  proxy.heal();
  expect(await Promise.all(calls)).toEqual([10, 20, 30]);
  expect(ran.toSorted((one, other) => one - other)).toEqual([1, 2, 3]);
});

test('a node is not handed a durable call before the journal knows that it is going to be', async () => {
  const store = await openMemory();
  const seen: unknown[] = [];
  let release: (() => void) | undefined;
  const slow = new Proxy(store, {
    get(target, name) {
      if (name === 'txn')
        return async (request: TxnRequest) => {
          const put = request.success?.find((operation) => operation.type === 'put');
          const text = new TextDecoder().decode(put?.value);
          // The write that says which node has it is held back.
          if (text.includes('"function":"who"') && !text.includes('"node":null'))
            await new Promise<void>((resolve) => (release = resolve));
          return target.txn(request);
        };
      const member = Reflect.get(target, name) as unknown;
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
  const hub = await startHub({ store: slow });
  await startNode(hub.url, 'n1', { functions: { who: () => seen.push('executed') } });
  const client = await startClient(hub.url);
  const call = client.call('who', [], { durable: true });
  await eventually('the journal is asked', () => release !== undefined);
  // Another call goes all the way meanwhile: what was sent before it would have come before it.
  await client.call('who', []);
  expect(seen).toHaveLength(1);
  expect(await journalOf(store)).toMatchObject([{ function: 'who', node: null }]);
  release?.();
  await call;
  expect(seen).toHaveLength(2);
});

test('a hub that is killed while a durable call runs finds it again at its node, and does not execute it twice', async () => {
  const store = fileStore();
  const hub = await forkHub({ store });
  const worker = await startNode(hub.url, 'n1');
  await startNode(hub.url, 'n2');
  const client = await startClient(hub.url);
  const call = client.call('hold', ['k'], { durable: true, node: 'n1' });
  await eventually('it runs', () => worker.events.length === 1);
  await hub.kill();
  await forkHub({ store, port: hub.port });
  await eventually('the node is back', () => worker.node.status().state.startsWith('connected'));
  worker.release('k');
  await call;
  expect(worker.events.filter(({ event }) => event === 'started')).toHaveLength(1);
});

test('durable calls whose client does not come back are given up, and leave the journal', async () => {
  const store = await openMemory();
  const hub = await startHub({ store });
  const client = await startClient(hub.url);
  void client.call('nobody', [], { durable: true }).catch(() => undefined);
  await eventually('it is journaled', async () => (await journalOf(store)).length === 1);
  // As if killed: what it had in the journal stays.
  const kept = await store.range({
    key: new TextEncoder().encode('/holdfast/calls/'),
    end: new TextEncoder().encode('/holdfast/calls0'),
  });
  await Promise.all([client.stop(), hub.stop()]);
  for (const { key, value } of kept.entries) await store.put({ key, value });
  await startHub({ store, sessionGraceMs: 300 });
  expect(await journalOf(store)).toHaveLength(1);
  await eventually('it is given up', async () => (await journalOf(store)).length === 0);
});
