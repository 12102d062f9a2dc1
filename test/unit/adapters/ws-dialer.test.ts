// The dialer over `ws`, against real sockets on loopback.

import { generate } from 'selfsigned';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';

import { createWsDialer } from '../../../src/adapters/ws-dialer.ts';
import { SUBPROTOCOL } from '../../../src/protocol/limits.ts';
import { closed, drained, listen, opened, received, record, tcpServer, upgradingServer } from './recorder.ts';

const dialer = createWsDialer();

describe('a dialled socket', () => {
  test('carries bytes both ways and says how it was closed', async () => {
    const hub = await listen();
    const recorder = record();
    const socket = dialer.dial(hub.listening.url, recorder);
    await recorder.until(opened);
    const peer = await hub.connection(0);
    expect(peer.incoming.remoteAddress).toBe('127.0.0.1');
    socket.send(Uint8Array.of(1, 2, 3));
    await peer.recorder.until(received);
    expect([...peer.recorder.messages[0]!]).toEqual([1, 2, 3]);
    peer.socket.send(Uint8Array.of(4, 5));
    await recorder.until(received);
    expect([...recorder.messages[0]!]).toEqual([4, 5]);
    peer.socket.close(4503, 'the hub drains');
    await Promise.all([recorder.until(closed), peer.recorder.until(closed)]);
    expect(recorder.closings).toEqual([{ code: 4503, reason: 'the hub drains' }]);
    expect(peer.recorder.closings).toEqual([{ code: 4503, reason: 'the hub drains' }]);
    expect(recorder.calls).toEqual(['opened', 'message', 'closed']);
  });

  test('is told 1006 by an address where nobody listens', async () => {
    const hub = await listen();
    await hub.listening.close();
    const recorder = record();
    dialer.dial(hub.listening.url, recorder);
    await recorder.until(closed);
    expect(recorder.closings).toEqual([{ code: 1006, reason: expect.stringContaining('ECONNREFUSED') }]);
    expect(recorder.calls).toEqual(['closed']);
  });

  test('is told 1006 by an address that is none, after dial returned', async () => {
    const recorder = record();
    const socket = dialer.dial('http//nowhere', recorder);
    socket.send(Uint8Array.of(1));
    socket.close(1000, '');
    expect(recorder.calls).toEqual([]);
    await recorder.until(closed);
    expect(recorder.closings).toEqual([
      { code: 1006, reason: expect.stringContaining('cannot dial http//nowhere') },
    ]);
  });

  test('waits for a peer that accepts TCP and never speaks until it is terminated', async () => {
    const accepted = Promise.withResolvers<void>();
    const url = await tcpServer(() => accepted.resolve());
    const recorder = record();
    const socket = dialer.dial(url, recorder);
    await accepted.promise;
    expect(recorder.calls).toEqual([]);
    socket.terminate();
    await recorder.until(closed);
    expect(recorder.calls).toEqual(['closed']);
    expect(recorder.closings[0]!.code).toBe(1006);
  });

  test('says in words what HTTP status the server gave instead of an upgrade', async () => {
    const url = await tcpServer((connection) => {
      connection.once('data', () => connection.end('HTTP/1.1 503 Whatever\r\nContent-Length: 0\r\n\r\n'));
    });
    const recorder = record();
    dialer.dial(url, recorder);
    await recorder.until(closed);
    expect(recorder.closings).toEqual([
      { code: 1006, reason: 'the server answered 503 Service Unavailable to the upgrade' },
    ]);
  });

  test.each([
    ['names no subprotocol', () => ''],
    ['names another subprotocol', () => 'Sec-WebSocket-Protocol: mqtt\r\n'],
  ])('is told 4426 by a server that %s', async (_, headers) => {
    const recorder = record();
    dialer.dial(await upgradingServer(headers), recorder);
    await recorder.until(closed);
    expect(recorder.closings[0]!.code).toBe(4426);
    expect(recorder.closings[0]!.reason).toContain(SUBPROTOCOL);
    expect(recorder.calls).toEqual(['closed']);
  });

  test('is told 4426 by a server that answers 426', async () => {
    const url = await tcpServer((connection) => {
      connection.once('data', () =>
        connection.end('HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n'),
      );
    });
    const recorder = record();
    dialer.dial(url, recorder);
    await recorder.until(closed);
    expect(recorder.closings[0]!.code).toBe(4426);
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
      const tookMs = performance.now() - startedAt;
      expect(tookMs).toBeGreaterThan(2_500);
      expect(tookMs).toBeLessThan(4_500);
      expect(recorder.closings).toEqual([{ code: 1006, reason: '' }]);
    },
  );

  test('ends at once when terminated, though the peer is silent, and says nothing after that', async () => {
    const hub = await listen();
    const recorder = record();
    const socket = dialer.dial(hub.listening.url, recorder);
    const peer = await hub.connection(0);
    await recorder.until(opened);
    for (let i = 0; i < 50; i += 1) peer.socket.send(new Uint8Array(1_000));
    const startedAt = performance.now();
    socket.terminate();
    socket.terminate();
    socket.close(1000, 'too late');
    socket.send(Uint8Array.of(1));
    await recorder.until(closed);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    await peer.recorder.until(closed);
    expect(peer.recorder.closings).toEqual([{ code: 1006, reason: expect.any(String) }]);
    expect(recorder.calls.filter((call) => call === 'closed')).toHaveLength(1);
    expect(recorder.calls.at(-1)).toBe('closed');
    expect(peer.recorder.messages).toEqual([]);
  });

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
    expect(recorder.messages).toEqual([]);
  });

  test('closes with 1009 when a message is longer than it takes', async () => {
    const hub = await listen();
    const recorder = record();
    createWsDialer({ maxMessageBytes: 1_000 }).dial(hub.listening.url, recorder);
    await recorder.until(opened);
    const peer = await hub.connection(0);
    peer.socket.send(new Uint8Array(1_000));
    peer.socket.send(new Uint8Array(1_001));
    await Promise.all([recorder.until(closed), peer.recorder.until(closed)]);
    expect(recorder.messages.map((message) => message.length)).toEqual([1_000]);
    expect(recorder.closings[0]!.code).toBe(1009);
    expect(peer.recorder.closings[0]!.code).toBe(1009);
  });

  test('counts what a paused reader does not take and reports when it is drained', async () => {
    const hub = await listen({ maxMessageBytes: 64 * 1_048_576 });
    const recorder = record();
    const socket = dialer.dial(hub.listening.url, recorder);
    const peer = await hub.connection(0);
    await recorder.until(opened);
    peer.socket.pause();
    let sent = 0;
    // The kernel's buffers swallow the first megabytes.
    while (socket.bufferedBytes === 0 && sent < 500) {
      socket.send(new Uint8Array(1_048_576));
      sent += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(socket.bufferedBytes).toBeGreaterThan(0);
    expect(recorder.calls).toEqual(['opened']);
    peer.socket.resume();
    await recorder.until(drained);
    expect(socket.bufferedBytes).toBe(0);
    await peer.recorder.until((peerRecorder) => peerRecorder.messages.length === sent);
    expect(recorder.calls).toEqual(['opened', 'drained']);
  });

  test('reports drained for a buffer that is smaller than the stream’s own mark', async () => {
    const hub = await listen({ maxMessageBytes: 64 * 1_048_576 });
    const recorder = record();
    const socket = dialer.dial(hub.listening.url, recorder);
    const peer = await hub.connection(0);
    await recorder.until(opened);
    peer.socket.pause();
    while (socket.bufferedBytes === 0) {
      socket.send(new Uint8Array(8_192));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(socket.bufferedBytes).toBeLessThan(16_384);
    peer.socket.resume();
    await recorder.until(drained);
    expect(recorder.calls).toEqual(['opened', 'drained']);
  });

  test('delivers nothing while it is paused, and everything in order after that', async () => {
    const hub = await listen();
    const recorder = record();
    const socket = dialer.dial(hub.listening.url, recorder);
    const peer = await hub.connection(0);
    await recorder.until(opened);
    socket.pause();
    for (let i = 0; i < 3; i += 1) peer.socket.send(Uint8Array.of(i));
    // A message in the other direction arrives later than those three were sent.
    socket.send(Uint8Array.of(9));
    await peer.recorder.until(received);
    await new Promise((resolve) => setImmediate(resolve));
    expect(recorder.messages).toEqual([]);
    socket.resume();
    await recorder.until(({ messages }) => messages.length === 3);
    expect(recorder.messages.map((message) => message[0])).toEqual([0, 1, 2]);
  });

  test('shortens a reason that does not fit into a close frame, at a character', async () => {
    const hub = await listen();
    const recorder = record();
    const socket = dialer.dial(hub.listening.url, recorder);
    const peer = await hub.connection(0);
    await recorder.until(opened);
    socket.close(4400, 'é'.repeat(200));
    await peer.recorder.until(closed);
    expect(peer.recorder.closings).toEqual([{ code: 4400, reason: `${'é'.repeat(60)}...` }]);
  });
});

describe('the mask', () => {
  /** The first client message as it stands on the wire. */
  async function firstFrame(options: Parameters<typeof createWsDialer>[0], host: string): Promise<Buffer> {
    const frame = Promise.withResolvers<Buffer>();
    const server = await upgradingServer(
      () => `Sec-WebSocket-Protocol: ${SUBPROTOCOL}\r\n`,
      (data) => frame.resolve(data),
    );
    const recorder = record();
    const socket = createWsDialer(options).dial(server.replace('127.0.0.1', host), recorder);
    await recorder.until(opened);
    socket.send(Uint8Array.of(1, 2, 3));
    return frame.promise;
  }

  test('is 0 on loopback, where nobody stands between', async () => {
    expect([...(await firstFrame({}, '127.0.0.1'))]).toEqual([0x82, 0x83, 0, 0, 0, 0, 1, 2, 3]);
  });

  test.each([
    ['always, when that is asked for', { mask: 'always' } as const, '127.0.0.1'],
    // Names this machine too, but does not look like loopback.
    ['on a way where others could read along', {}, '0.0.0.0'],
  ])('is random %s', async (_, options, host) => {
    const frames = [await firstFrame(options, host), await firstFrame(options, host)];
    const [first, second] = frames.map((frame) => frame.subarray(2, 6));
    // Both are 0, or the same, once in 10^9 runs.
    expect(first).not.toEqual(second);
    expect(frames[0]!.subarray(6).map((byte, index) => byte ^ first![index]!)).toEqual(
      Buffer.from([1, 2, 3]),
    );
  });
});

describe('TLS', () => {
  test('a certificate that was given as authority is trusted, an unknown one is not unless told so', async () => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
    });
    const hub = await listen({ tls: { cert, key } });
    expect(hub.listening.url).toMatch(/^wss:/);
    const trusting = record();
    createWsDialer({ ca: cert }).dial(hub.listening.url, trusting);
    await trusting.until(opened);
    const distrusting = record();
    dialer.dial(hub.listening.url, distrusting);
    await distrusting.until(closed);
    expect(distrusting.closings[0]!.reason).toMatch(/self-signed/);
    const careless = record();
    createWsDialer({ rejectUnauthorized: false }).dial(hub.listening.url, careless);
    await careless.until(opened);
  });
});
