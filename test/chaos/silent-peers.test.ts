// Peers and links that say nothing: each is found by the monotonic clock, not earlier and not much later than stated.
// Invariant of all: what is written into a silent link never counts as life.
import { connect, createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { createClient, createNode, type Log } from '../../src/index.ts';
import { CloseCode, FrameType } from '../../src/protocol/frames.ts';
import { eventually, monotonicMs } from './eventually.ts';
import { startClient, startHub, startNode } from './in-process.ts';
import { forkHub, forkNode, quickLink } from './processes.ts';
import { openPeer } from './raw-peer.ts';
import { startTcpProxy } from './tcp-proxy.ts';

/** How much later than its deadline something may be seen on a machine that has other things to do. */
const SLACK_MS = 1_500;

interface Seen {
  readonly to: string;
  readonly message: string;
  readonly at: number;
}

/** A log that keeps the transitions of a connection with their times. */
function recorder(): { log: Log; seen: Seen[]; when(to: string): Promise<Seen> } {
  const seen: Seen[] = [];
  const note = (fields: object, message: string): void => {
    const { to } = fields as { to?: string };
    if (to !== undefined) seen.push({ to, message, at: monotonicMs() });
  };
  return {
    log: { debug: () => undefined, info: note, warn: note, error: note },
    seen,
    when: (to) => eventually(`transition to ${to}`, () => seen.find((it) => it.to === to)),
  };
}

async function muteTcpServer(): Promise<string> {
  const server = createServer((socket) => socket.on('error', () => undefined));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function muteWebSocketServer(): Promise<string> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'holdfast.v1' });
  await once(server, 'listening');
  onTestFinished(() => {
    for (const peer of server.clients) peer.terminate();
    server.close();
  });
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

for (const [what, serve, through] of [
  ['accepts TCP and never speaks', muteTcpServer, 'connecting'],
  ['upgrades and never answers the registration', muteWebSocketServer, 'registering'],
] as const) {
  for (const role of ['node', 'client'] as const) {
    test(`a ${role} that dials a peer which ${what} gives it up after connectionTimeoutMs`, async () => {
      const hub = await serve();
      const { log, seen, when } = recorder();
      const options = {
        ...quickLink,
        hub,
        log,
        connectionTimeoutMs: 400,
        maxRetryAttempts: 1,
        drainTimeoutMs: 100,
      };
      const started = monotonicMs();
      const dialer = role === 'node' ? createNode({ ...options, functions: {} }) : createClient(options);
      onTestFinished(() => dialer.stop());
      const failure = dialer.ready().catch((error: unknown) => error);
      const began = await when(through);
      const ended = await when('transient_failure');
      expect(ended.message).toContain('no registration within 0.4 s of the dial');
      // One deadline from the dial on; the handshake does not start it anew.
      const dialled = seen[0]?.at ?? began.at;
      expect(ended.at - started).toBeGreaterThanOrEqual(395);
      expect(ended.at - dialled).toBeLessThan(400 + SLACK_MS);
      // It tries again, and after the last attempt it says so.
      expect(await failure).toMatchObject({ code: 'not_connected', retryable: true });
      expect(seen.map(({ to }) => to).at(-1)).toBe('failed');
    });
  }
}

test('a peer that connects to the hub and never registers is closed after connectionTimeoutMs, with a code and a reason', async () => {
  const hub = await startHub({ connectionTimeoutMs: 400 });
  const from = monotonicMs();
  const peer = await openPeer(hub.url);
  // Writing something else does not help.
  const timer = setInterval(() => peer.state === 'open' && peer.frame(FrameType.PING, 0, 0, 1), 50);
  onTestFinished(() => clearInterval(timer));
  const { code, reason } = await peer.closed;
  expect(code).toBe(CloseCode.REGISTRATION_TIMEOUT);
  expect(reason).toBe('no REGISTER within 400 ms');
  expect(monotonicMs() - from).toBeGreaterThanOrEqual(395);
  expect(monotonicMs() - from).toBeLessThan(400 + SLACK_MS);
  await eventually('the hub let go', () => hub.status().connections === 0);
});

for (const [what, bytes] of [
  ['says nothing', ''],
  ['never ends its headers', 'GET / HTTP/1.1\r\nHost: hub\r\n'],
] as const) {
  test(`a peer that connects to the hub by TCP and ${what} is cut off after connectionTimeoutMs`, async () => {
    const hub = await startHub({ connectionTimeoutMs: 400 });
    const socket = connect(hub.port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    await once(socket, 'connect');
    const from = monotonicMs();
    socket.on('error', () => undefined);
    socket.resume();
    if (bytes !== '') socket.write(bytes);
    await once(socket, 'close');
    expect(monotonicMs() - from).toBeGreaterThanOrEqual(395);
    // The listener looks through its connections as often as the deadline is long.
    expect(monotonicMs() - from).toBeLessThan(2 * 400 + SLACK_MS);
  });
}

test('a peer that registers and never acknowledges its sync does not come online and is cut off after connectionTimeoutMs', async () => {
  const hub = await startHub({ connectionTimeoutMs: 400 });
  const peer = await openPeer(hub.url);
  peer.register({ role: 'node', id: 'n1', instance: 'one' });
  await peer.hears(FrameType.SYNC);
  const from = monotonicMs();
  await peer.closed;
  expect(monotonicMs() - from).toBeGreaterThanOrEqual(300);
  expect(monotonicMs() - from).toBeLessThan(400 + SLACK_MS);
  expect(hub.nodes()[0]).toMatchObject({ state: 'absent', reason: 'sync not acknowledged within 400 ms' });
});

for (const direction of ['both', 'toPeer'] as const) {
  test(`a link that swallows what goes ${direction === 'both' ? 'either way' : 'to the node'} is given up by the node within heartbeatTimeoutMs of the last inbound byte`, async () => {
    const hub = await startHub({ heartbeatTimeoutMs: 5_000 });
    const proxy = await startTcpProxy(hub.port);
    const { log, when } = recorder();
    const worker = await startNode(proxy.url, 'n1', {
      log,
      heartbeatIntervalMs: 200,
      heartbeatTimeoutMs: 800,
    });
    const client = await startClient(hub.url);
    await client.call('add', [1, 2]);
    proxy.swallow(direction);
    // Busy work does not keep it alive: results are written into the void all the while.
    const timer = setInterval(
      () => void client.call('add', [1, 2], { deadlineMs: 50 }).catch(() => undefined),
      20,
    );
    onTestFinished(() => clearInterval(timer));
    const { at, message } = await when('transient_failure');
    const silentMs = at - proxy.lastToPeerAt;
    expect(message).toMatch(
      /connected → transient_failure: heartbeat timeout: 0\.\d+ s > 0\.8 s|heartbeat timeout: [1-9]/,
    );
    expect(silentMs).toBeGreaterThanOrEqual(795);
    expect(silentMs).toBeLessThan(800 + SLACK_MS);
    clearInterval(timer);
    proxy.heal();
    await eventually('it is back', () => worker.node.status().state === 'connected');
  });
}

test('a link that swallows what goes to the hub is given up by the hub within heartbeatTimeoutMs, though it writes all the while', async () => {
  const hub = await startHub({ heartbeatIntervalMs: 200, heartbeatTimeoutMs: 800 });
  const proxy = await startTcpProxy(hub.port);
  await startNode(proxy.url, 'n1', { heartbeatIntervalMs: 200, heartbeatTimeoutMs: 800 });
  const client = await startClient(hub.url);
  await client.call('add', [1, 2]);
  proxy.swallow('toHub');
  const timer = setInterval(
    () => void client.call('add', [1, 2], { deadlineMs: 50 }).catch(() => undefined),
    20,
  );
  onTestFinished(() => clearInterval(timer));
  await eventually('it is suspected', () => hub.nodes()[0]?.state === 'suspect');
  const suspectedMs = monotonicMs() - proxy.lastToHubAt;
  await eventually('it is given up', () => hub.nodes()[0]?.state === 'absent');
  const silentMs = monotonicMs() - proxy.lastToHubAt;
  clearInterval(timer);
  expect(suspectedMs).toBeGreaterThanOrEqual(395);
  expect(silentMs).toBeGreaterThanOrEqual(795);
  expect(silentMs).toBeLessThan(800 + SLACK_MS);
  expect(hub.nodes()[0]?.reason).toMatch(/^silent for \d+ ms$/);
});

test('a suspected node gets no new work, and is trusted again when it speaks', async () => {
  const hub = await startHub({ heartbeatIntervalMs: 200, heartbeatTimeoutMs: 5_000 });
  const quiet = await openPeer(hub.url);
  quiet.json(FrameType.REGISTER, {
    role: 'node',
    id: 'quiet',
    instance: 'one',
    epoch: 1,
    registrationEpoch: 1,
    functions: ['who'],
    labels: {},
    maxConcurrent: 1,
    encodings: ['json'],
    version: 'holdfast.v1',
    heartbeatIntervalMs: 200,
    heartbeatTimeoutMs: 5_000,
  });
  quiet.synced(await quiet.hears(FrameType.SYNC));
  await eventually('it is suspected', () => hub.nodes()[0]?.state === 'suspect');
  const client = await startClient(hub.url);
  const call = client.call('who').catch((error: unknown) => error);
  await eventually('the call waits', () => hub.status().waiting === 1);
  quiet.frame(FrameType.PING, 0, 0, 1);
  const frame = await quiet.hears(FrameType.CALL);
  quiet.frame(FrameType.RESULT, 0, frame.peer, frame.id, new TextEncoder().encode('"quiet"'));
  expect(await call).toBe('quiet');
});

test('a hub that is paused is found by its nodes and clients within heartbeatTimeoutMs, and calls go on when it continues', async () => {
  const hub = await forkHub({ heartbeatTimeoutMs: 5_000 });
  const { log, when } = recorder();
  const worker = await startNode(hub.url, 'n1', { log, heartbeatIntervalMs: 200, heartbeatTimeoutMs: 800 });
  const client = await startClient(hub.url, { heartbeatIntervalMs: 200, heartbeatTimeoutMs: 800 });
  const call = client.call('hold', ['k']);
  await eventually('it runs', () => worker.events.length === 1);
  const from = monotonicMs();
  hub.pause();
  const { at } = await when('transient_failure');
  // It may have been heard up to one interval before it was paused.
  expect(at - from).toBeGreaterThanOrEqual(795 - 250);
  expect(at - from).toBeLessThan(800 + SLACK_MS);
  await eventually('the client knows', () => client.status().state !== 'connected');
  hub.resume();
  worker.release('k');
  expect(await call).toBe('k from n1');
  expect(worker.countOf('k')).toBe(1);
});

test('a process that was stopped for a while does not wait out its backoff: it dials at once when it continues', async () => {
  const hub = await startHub();
  const proxy = await startTcpProxy(hub.port);
  const waits = { reconnectIntervalMs: 600_000, reconnectMaxMs: 600_000, heartbeatTimeoutMs: 60_000 };
  const node = await forkNode({ ...waits, hub: proxy.url, ids: ['n1'] });
  proxy.cut();
  await node.hears('it waits', (told) => String(told['message']).includes('→ backoff'));
  node.pause();
  // As a laptop that sleeps: long enough for its clock to tell.
  const from = monotonicMs();
  await eventually('it slept', () => monotonicMs() - from > 4_500);
  node.resume();
  await eventually('it is back', () => hub.nodes()[0]?.state === 'online', 5_000);
});

test('a socket that a swallowing link left behind cannot harm its successor', async () => {
  const hub = await startHub({ heartbeatIntervalMs: 200, heartbeatTimeoutMs: 1_000 });
  const proxy = await startTcpProxy(hub.port);
  const worker = await startNode(proxy.url, 'n1', { heartbeatIntervalMs: 200, heartbeatTimeoutMs: 600 });
  const client = await startClient(hub.url);
  const call = client.call('hold', ['k']);
  await eventually('it runs', () => worker.events.length === 1);
  // The hub still believes in the old socket when the new one registers; later the old one's time-outs come due.
  proxy.swallow('both');
  await eventually('the node gave up', () => worker.node.status().reconnects > 0);
  proxy.heal();
  await eventually('it is back', () => worker.node.status().state === 'connected');
  const { reconnects } = worker.node.status();
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  expect(worker.node.status()).toMatchObject({ state: 'connected', reconnects });
  expect(hub.nodes()).toMatchObject([{ state: 'online' }]);
  worker.release('k');
  expect(await call).toBe('k from n1');
});

test('a hub that does not confirm the session any more is left after heartbeatTimeoutMs, though it answers heartbeats', async () => {
  // Something between the two answers pings and loses all else.
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'holdfast.v1' });
  await once(server, 'listening');
  onTestFinished(() => {
    for (const peer of server.clients) peer.terminate();
    server.close();
  });
  server.on('connection', (peer: WebSocket) => {
    peer.on('message', (data: Buffer) => {
      const type = data[0];
      if (type === FrameType.PING) peer.send(frame(FrameType.PONG, data.readUInt32LE(4)));
      if (type !== FrameType.REGISTER) return;
      const { epoch, registrationEpoch } = JSON.parse(data.subarray(12).toString()) as {
        epoch: number;
        registrationEpoch: number;
      };
      const body = {
        hub: 'h',
        session: 1,
        epoch,
        registrationEpoch,
        resumed: false,
        encoding: 'json',
        heartbeatTimeoutMs: 1_000,
        sessionGraceMs: 1_000,
      };
      peer.send(frame(FrameType.REGISTERED, 0, JSON.stringify(body)));
    });
  });
  const { log, when } = recorder();
  const node = createNode({
    ...quickLink,
    hub: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    functions: {},
    log,
    heartbeatIntervalMs: 100,
    heartbeatTimeoutMs: 500,
    healthCheckIntervalMs: 300,
    drainTimeoutMs: 100,
  });
  onTestFinished(() => node.stop());
  const { at: connectedAt } = await when('connected');
  const { at, message } = await when('transient_failure');
  expect(message).toContain('no health answer within 0.5 s');
  expect(at - connectedAt).toBeGreaterThanOrEqual(795);
  expect(at - connectedAt).toBeLessThan(800 + SLACK_MS);
});

function frame(type: number, id: number, payload = ''): Buffer {
  const bytes = Buffer.alloc(12 + Buffer.byteLength(payload));
  bytes.writeUInt8(type, 0);
  bytes.writeUInt32LE(id, 4);
  bytes.writeUInt32LE(Buffer.byteLength(payload), 8);
  bytes.write(payload, 12);
  return bytes;
}
