// The dialer over the platform's WebSocket (here Node's own), against real sockets on loopback.

import { expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';

import { createWebDialer } from '../../../src/adapters/web-dialer.ts';
import { SUBPROTOCOL } from '../../../src/protocol/limits.ts';
import { closed, drained, listen, opened, received, record, tcpServer, upgradingServer } from './recorder.ts';

const dialer = createWebDialer();

test('carries bytes both ways and says how it was closed', async () => {
  const hub = await listen();
  const recorder = record();
  const socket = dialer.dial(hub.listening.url, recorder);
  await recorder.until(opened);
  const peer = await hub.connection(0);
  socket.send(Uint8Array.of(1, 2, 3));
  await peer.recorder.until(received);
  expect([...peer.recorder.messages[0]!]).toEqual([1, 2, 3]);
  peer.socket.send(Uint8Array.of(4, 5));
  await recorder.until(received);
  expect([...recorder.messages[0]!]).toEqual([4, 5]);
  peer.socket.close(4503, 'the hub drains');
  await recorder.until(closed);
  expect(recorder.closings).toEqual([{ code: 4503, reason: 'the hub drains' }]);
  // What was sent may have waited for a moment.
  expect(recorder.calls.filter((call) => call !== 'drained')).toEqual(['opened', 'message', 'closed']);
});

test('tells the hub its close code and reason', async () => {
  const hub = await listen();
  const recorder = record();
  const socket = dialer.dial(hub.listening.url, recorder);
  await recorder.until(opened);
  const peer = await hub.connection(0);
  socket.close(4400, 'x'.repeat(500));
  await Promise.all([peer.recorder.until(closed), recorder.until(closed)]);
  expect(peer.recorder.closings).toEqual([{ code: 4400, reason: 'x'.repeat(40) }]);
  expect(recorder.closings[0]!.code).toBe(4400);
});

test('closes without a code when the platform forbids it', async () => {
  const hub = await listen();
  const recorder = record();
  const socket = dialer.dial(hub.listening.url, recorder);
  await recorder.until(opened);
  const peer = await hub.connection(0);
  socket.close(1009, 'too long');
  await Promise.all([peer.recorder.until(closed), recorder.until(closed)]);
  expect(peer.recorder.closings[0]!.code).toBe(1005);
});

test.each([
  ['an address that is none', 'not an address'],
  ['a port where nobody listens', 'ws://127.0.0.1:1'],
])('is told 1006 by %s, after dial returned', async (_, url) => {
  const recorder = record();
  dialer.dial(url, recorder);
  expect(recorder.calls).toEqual([]);
  await recorder.until(closed);
  expect(recorder.closings[0]!.code).toBe(1006);
  expect(recorder.calls).toEqual(['closed']);
});

test('ends at once when it is terminated while the peer never speaks', async () => {
  const accepted = Promise.withResolvers<void>();
  const recorder = record();
  const socket = dialer.dial(await tcpServer(() => accepted.resolve()), recorder);
  await accepted.promise;
  socket.terminate();
  socket.terminate();
  expect(recorder.calls).toEqual([]);
  await recorder.until(closed);
  expect(recorder.closings).toEqual([{ code: 1006, reason: 'terminated' }]);
});

test('never opens when the server does not speak our subprotocol', async () => {
  const recorder = record();
  dialer.dial(await upgradingServer(() => 'Sec-WebSocket-Protocol: mqtt\r\n'), recorder);
  await recorder.until(closed);
  expect(recorder.calls).toEqual(['closed']);
});

test(
  'ends within a few seconds of close when the peer upgraded and is silent',
  { timeout: 8_000 },
  async () => {
    const recorder = record();
    const socket = dialer.dial(
      await upgradingServer(() => `Sec-WebSocket-Protocol: ${SUBPROTOCOL}\r\n`),
      recorder,
    );
    await recorder.until(opened);
    const startedAt = performance.now();
    socket.close(1000, 'done');
    await recorder.until(closed);
    expect(performance.now() - startedAt).toBeLessThan(4_500);
    expect(recorder.closings[0]!.code).toBe(1006);
  },
);

test('closes with 4400 when it is sent text', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => SUBPROTOCOL });
  onTestFinished(() => {
    server.close();
  });
  await new Promise((resolve) => server.once('listening', resolve));
  const peerClosed = new Promise<number>((resolve) => {
    server.on('connection', (peer) => {
      peer.on('close', resolve);
      peer.send('hello');
    });
  });
  const recorder = record();
  dialer.dial(`ws://127.0.0.1:${(server.address() as { port: number }).port}`, recorder);
  await recorder.until(closed);
  expect(recorder.closings[0]!.code).toBe(4400);
  expect(await peerClosed).toBe(4400);
});

test('counts what a paused reader does not take and reports when it is drained', async () => {
  const hub = await listen({ maxMessageBytes: 64 * 1_048_576 });
  const recorder = record();
  const socket = dialer.dial(hub.listening.url, recorder);
  const peer = await hub.connection(0);
  await recorder.until(opened);
  peer.socket.pause();
  for (let i = 0; i < 30; i += 1) socket.send(new Uint8Array(1_048_576));
  expect(socket.bufferedBytes).toBeGreaterThan(0);
  peer.socket.resume();
  await recorder.until(drained);
  expect(socket.bufferedBytes).toBe(0);
  await peer.recorder.until(({ messages }) => messages.length === 30);
});
