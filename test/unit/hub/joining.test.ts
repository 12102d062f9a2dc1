// Who may join a hub: join tokens, a `verify` of one's own, TLS.
// Invariant of all: who is refused for good does not come back, and nothing of it was heard by anybody.
import { generate } from 'selfsigned';
import { expect, onTestFinished, test } from 'vitest';
import { createClient, createNode, noLog, type Credentials } from '../../../src/index.ts';
import { startClient, startHub, startNode } from '../../chaos/in-process.ts';
import { eventually } from '../../chaos/eventually.ts';
import { quickLink } from '../../chaos/processes.ts';
import { startTcpProxy } from '../../chaos/tcp-proxy.ts';

test('with a join token only those who show it are let in', async () => {
  const hub = await startHub({ token: 'correct horse' });
  await startNode(hub.url, 'n1', { token: 'correct horse' });
  const client = await startClient(hub.url, { token: 'correct horse' });
  expect(await client.call('who')).toBe('n1');
});

for (const [what, token] of [
  ['a wrong token', 'wrong horse'],
  ['a token that begins like the right one', 'correct'],
  ['no token', undefined],
  ['an empty token', ''],
] as const) {
  test(`a node and a client with ${what} are refused for good, and do not come back`, async () => {
    const hub = await startHub({ token: 'correct horse' });
    const proxy = await startTcpProxy(hub.port);
    const node = createNode({ ...quickLink, hub: proxy.url, functions: {}, log: noLog(), token });
    const client = createClient({ ...quickLink, hub: proxy.url, log: noLog(), token });
    onTestFinished(async () => void (await Promise.all([node.stop(), client.stop()])));
    const call = client.call('who').catch((error: unknown) => error);
    await expect(node.ready()).rejects.toMatchObject({ code: 'registration_refused', blame: 'remote' });
    await expect(client.ready()).rejects.toThrow(/wrong token/);
    expect(await call).toMatchObject({ code: 'lost', started: 'notStarted' });
    expect(node.status().state).toBe('rejected');
    expect(client.status().state).toBe('rejected');
    expect(proxy.accepted).toBe(2);
    await eventually('they are gone', () => hub.status().connections === 0);
    expect(hub.nodes()).toEqual([]);
    await expect(client.call('who')).rejects.toMatchObject({ code: 'registration_refused' });
  });
}

test('`verify` decides instead, on all that a peer says of itself, and may take its time', async () => {
  const asked: Credentials[] = [];
  const hub = await startHub({
    verify: async (credentials) => {
      asked.push(credentials);
      await new Promise((resolve) => setTimeout(resolve, 20));
      return credentials.role === 'client' || credentials.labels['team'] === 'blue';
    },
  });
  await startNode(hub.url, 'blue', { labels: { team: 'blue' }, token: 'ticket 7' });
  const red = createNode({
    ...quickLink,
    hub: hub.url,
    id: 'red',
    functions: {},
    log: noLog(),
    labels: { team: 'red' },
  });
  onTestFinished(() => red.stop());
  await expect(red.ready()).rejects.toMatchObject({ code: 'registration_refused' });
  await startClient(hub.url);
  expect(asked[0]).toEqual({ role: 'node', id: 'blue', token: 'ticket 7', labels: { team: 'blue' } });
  expect(asked.map(({ role, id }) => `${role} ${id}`).slice(0, 2)).toEqual(['node blue', 'node red']);
});

test('a `verify` that throws lets nobody in', async () => {
  const hub = await startHub({
    verify: () => {
      throw new Error('the directory is down');
    },
  });
  const node = createNode({ ...quickLink, hub: hub.url, functions: {}, log: noLog() });
  onTestFinished(() => node.stop());
  await expect(node.ready()).rejects.toBeInstanceOf(Error);
  expect(hub.nodes()).toEqual([]);
});

test('a token that expired while a node was connected does not end it before it has to register again', async () => {
  let valid = true;
  const hub = await startHub({ verify: () => valid });
  const worker = await startNode(hub.url, 'n1');
  valid = false;
  const client = createClient({ ...quickLink, hub: hub.url, log: noLog() });
  onTestFinished(() => client.stop());
  await expect(client.ready()).rejects.toMatchObject({ code: 'registration_refused' });
  expect(worker.node.status().state).toBe('connected');
});

test('over TLS nodes and clients that trust the authority work, and others do not get in', async () => {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    keySize: 2_048,
    extensions: [
      { name: 'basicConstraints', cA: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 7, ip: '127.0.0.1' },
          { type: 2, value: 'localhost' },
        ],
      },
    ],
  } as Parameters<typeof generate>[1]);
  const hub = await startHub({ tls: { cert, key } });
  expect(hub.url).toMatch(/^wss:\/\/127\.0\.0\.1:\d+$/);
  const worker = await startNode(hub.url, 'n1', { ca: cert } as object);
  const client = await startClient(hub.url, { ca: cert } as object);
  expect(await client.call('add', [1, 2])).toBe(3);
  const big = new Uint8Array(2_000_000).fill(1);
  expect(await client.call('weigh', ['k', big])).toMatchObject({ length: big.length });
  expect(worker.countOf('k')).toBe(1);

  const stranger = createClient({ ...quickLink, maxRetryAttempts: 1, hub: hub.url, log: noLog() });
  onTestFinished(() => stranger.stop());
  await expect(stranger.ready()).rejects.toThrow(/certificate/i);
  const plain = createClient({
    ...quickLink,
    maxRetryAttempts: 1,
    hub: hub.url.replace('wss', 'ws'),
    log: noLog(),
  });
  onTestFinished(() => plain.stop());
  await expect(plain.ready()).rejects.toMatchObject({ code: 'not_connected' });
});
