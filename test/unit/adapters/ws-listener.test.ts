// The listener over node:http and `ws`, against real sockets on loopback.

import { connect } from 'node:net';
import type { Socket as NetSocket } from 'node:net';

import { generate } from 'selfsigned';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';

import { createWsDialer } from '../../../src/adapters/ws-dialer.ts';
import { createWsListener } from '../../../src/adapters/ws-listener.ts';
import { SUBPROTOCOL } from '../../../src/protocol/limits.ts';
import { closed, listen, opened, received, record } from './recorder.ts';
import type { TestListener } from './recorder.ts';

const dialer = createWsDialer();

function rawConnection(hub: TestListener): NetSocket {
  const connection = connect(hub.listening.port, '127.0.0.1');
  connection.on('error', () => {});
  onTestFinished(() => {
    connection.destroy();
  });
  return connection;
}

function ended(connection: NetSocket): Promise<string> {
  let text = '';
  connection.on('data', (data) => {
    text += data.toString('latin1');
  });
  return new Promise((resolve) => connection.once('close', () => resolve(text)));
}

function upgradeRequest(protocol: string | undefined): string {
  return (
    'GET / HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
    `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${protocol === undefined ? '' : `Sec-WebSocket-Protocol: ${protocol}\r\n`}\r\n`
  );
}

describe('pages', () => {
  const page = async (path: string) => {
    if (path === '/broken') throw new Error('no idea');
    return path === '/health' ? { status: 503, contentType: 'application/json', body: '{"é":1}' } : undefined;
  };

  test('are answered with their status, type and body', async () => {
    const hub = await listen({ page });
    const response = await fetch(`http://127.0.0.1:${hub.listening.port}/health?verbose=1`);
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
      503,
      'application/json',
      '{"é":1}',
    ]);
  });

  test.each([
    ['GET', '/nothing', 404],
    ['GET', '/broken', 500],
    ['POST', '/health', 405],
  ])('%s %s is a %i', async (method, path, status) => {
    const hub = await listen({ page });
    const response = await fetch(`http://127.0.0.1:${hub.listening.port}${path}`, { method });
    await response.text();
    expect(response.status).toBe(status);
  });
});

describe('the upgrade', () => {
  test('chooses our subprotocol among those offered', async () => {
    const hub = await listen();
    const ws = new WebSocket(hub.listening.url, ['mqtt', SUBPROTOCOL]);
    await new Promise((resolve) => ws.once('open', resolve));
    expect(ws.protocol).toBe(SUBPROTOCOL);
    ws.terminate();
  });

  test('is refused with HTTP 426 when only others are offered', async () => {
    const hub = await listen();
    const connection = rawConnection(hub);
    connection.write(upgradeRequest('mqtt'));
    expect(await ended(connection)).toMatch(/^HTTP\/1\.1 426 Upgrade Required\r\n/);
    expect(hub.accepted).toHaveLength(0);
  });

  test('is made, and closed with 4426, when none is offered', async () => {
    const hub = await listen();
    const ws = new WebSocket(hub.listening.url);
    const [code, reason] = await new Promise<[number, string]>((resolve) => {
      ws.once('close', (closeCode, text) => resolve([closeCode, text.toString()]));
    });
    expect([code, reason]).toEqual([4426, `this hub speaks ${SUBPROTOCOL}`]);
    expect(hub.accepted).toHaveLength(0);
  });

  test('does not negotiate compression', async () => {
    const hub = await listen();
    const ws = new WebSocket(hub.listening.url, SUBPROTOCOL, { perMessageDeflate: true });
    await new Promise((resolve) => ws.once('open', resolve));
    expect(ws.extensions).toBe('');
    ws.terminate();
  });

  test('costs a peer that connects and never speaks its connection', async () => {
    const hub = await listen({}, { handshakeTimeoutMs: 50 });
    const connection = rawConnection(hub);
    expect(await ended(connection)).toMatch(/^HTTP\/1\.1 408/);
  });

  test('costs a peer that sends its headers drop by drop its connection', async () => {
    const hub = await listen({}, { handshakeTimeoutMs: 50 });
    const connection = rawConnection(hub);
    connection.write('GET / HTTP/1.1\r\nHost:');
    expect(await ended(connection)).toMatch(/^HTTP\/1\.1 408/);
  });

  test('is refused when its headers are too long', async () => {
    const hub = await listen();
    const connection = rawConnection(hub);
    connection.write(`GET / HTTP/1.1\r\nHost: hub\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`);
    expect(await ended(connection)).toMatch(/^HTTP\/1\.1 431/);
  });
});

describe('TLS', () => {
  const certificate = generate([{ name: 'commonName', value: 'localhost' }]);

  test('costs a peer that never shakes hands its connection', async () => {
    const { cert, private: key } = await certificate;
    const hub = await listen({ tls: { cert, key } }, { handshakeTimeoutMs: 50 });
    expect(await ended(rawConnection(hub))).toBe('');
  });

  test('does not keep a half-made handshake alive after close', async () => {
    const { cert, private: key } = await certificate;
    const hub = await listen({ tls: { cert, key } });
    const connection = rawConnection(hub);
    const gone = ended(connection);
    await new Promise((resolve) => connection.once('connect', resolve));
    await hub.listening.close();
    await gone;
  });
});

describe('an accepted socket', () => {
  test('takes a message of the longest length and closes with 1009 beyond it', async () => {
    const hub = await listen({ maxMessageBytes: 1_000 });
    const recorder = record();
    const socket = dialer.dial(hub.listening.url, recorder);
    await recorder.until(opened);
    const peer = await hub.connection(0);
    socket.send(new Uint8Array(1_000));
    socket.send(new Uint8Array(1_001));
    await Promise.all([recorder.until(closed), peer.recorder.until(closed)]);
    expect(peer.recorder.messages.map((message) => message.length)).toEqual([1_000]);
    expect(peer.recorder.closings[0]!.code).toBe(1009);
    expect(recorder.closings[0]!.code).toBe(1009);
  });

  test('closes with 4400 when it is sent text', async () => {
    const hub = await listen();
    const ws = new WebSocket(hub.listening.url, SUBPROTOCOL);
    ws.once('open', () => ws.send('hello'));
    const code = await new Promise((resolve) => ws.once('close', resolve));
    expect(code).toBe(4400);
    const peer = await hub.connection(0);
    await peer.recorder.until(closed);
    expect(peer.recorder.calls).toEqual(['closed']);
    expect(peer.recorder.closings[0]!.code).toBe(4400);
  });

  test('hears 1006 and the reason when the peer breaks the rules of WebSocket', async () => {
    const hub = await listen();
    const connection = rawConnection(hub);
    connection.write(upgradeRequest(SUBPROTOCOL));
    const peer = await hub.connection(0);
    connection.end(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    await peer.recorder.until(closed);
    expect(peer.recorder.closings).toEqual([
      { code: 1006, reason: expect.stringContaining('Invalid WebSocket frame') },
    ]);
  });

  test('hears all messages of one packet in one turn', async () => {
    let turns = 0;
    let messages = 0;
    const both = Promise.withResolvers<void>();
    const hub = await listen({
      accept: (incoming) =>
        incoming.handle({
          message() {
            if (messages === 0) setImmediate(() => (turns += 1));
            messages += 1;
            if (messages === 100) both.resolve();
          },
          drained() {},
          closed() {},
        }),
    });
    const connection = rawConnection(hub);
    // A masked binary message of one byte, with the mask 0.
    const message = Buffer.from([0x82, 0x81, 0, 0, 0, 0, 7]);
    connection.write(upgradeRequest(SUBPROTOCOL));
    await new Promise((resolve) => connection.once('data', resolve));
    connection.write(Buffer.concat(Array.from({ length: 100 }, () => message)));
    await both.promise;
    expect([messages, turns]).toEqual([100, 0]);
  });

  test('hears 1006 when the peer is gone without a close frame', async () => {
    const hub = await listen();
    const recorder = record();
    const socket = dialer.dial(hub.listening.url, recorder);
    await recorder.until(opened);
    socket.send(Uint8Array.of(1));
    const peer = await hub.connection(0);
    await peer.recorder.until(received);
    socket.terminate();
    await peer.recorder.until(closed);
    expect(peer.recorder.calls).toEqual(['message', 'closed']);
    expect(peer.recorder.closings[0]!.code).toBe(1006);
  });
});

describe('the end', () => {
  test('stopAccepting refuses newcomers and keeps who is there', async () => {
    const hub = await listen();
    const recorder = record();
    const socket = dialer.dial(hub.listening.url, recorder);
    await recorder.until(opened);
    hub.listening.stopAccepting();
    hub.listening.stopAccepting();
    const late = record();
    dialer.dial(hub.listening.url, late);
    await late.until(closed);
    expect(late.closings[0]!.reason).toContain('ECONNREFUSED');
    socket.send(Uint8Array.of(1));
    await (await hub.connection(0)).recorder.until(received);
    expect(recorder.calls).toEqual(['opened']);
  });

  test('close ends sockets, half-made connections and pages, and frees the port', async () => {
    const hub = await listen({ page: () => new Promise(() => {}) });
    const recorder = record();
    dialer.dial(hub.listening.url, recorder);
    await recorder.until(opened);
    const silent = rawConnection(hub);
    const waiting = rawConnection(hub);
    const bothEnded = Promise.all([ended(silent), ended(waiting)]);
    await new Promise((resolve) => silent.once('connect', resolve));
    waiting.write('GET /slow HTTP/1.1\r\nHost: hub\r\n\r\n');
    await hub.listening.close();
    await hub.listening.close();
    await Promise.all([recorder.until(closed), bothEnded]);
    expect((await hub.connection(0)).recorder.calls).toEqual(['closed']);
    const again = await listen({ port: hub.listening.port });
    expect(again.listening.port).toBe(hub.listening.port);
  });

  test('listen fails when the port is taken', async () => {
    const hub = await listen();
    await expect(
      createWsListener().listen({
        host: '127.0.0.1',
        port: hub.listening.port,
        maxMessageBytes: 1,
        accept() {},
        page: async () => undefined,
      }),
    ).rejects.toThrow('EADDRINUSE');
  });
});
