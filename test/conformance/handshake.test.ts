// PROTOCOL.md, handshake: which connections become links.
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';

import { CloseCode, FrameType } from '../../src/protocol/frames.ts';
import { limits, SUBPROTOCOL } from '../../src/protocol/limits.ts';
import { dial, join, registration, startHub } from './fleet.ts';
import { concat, frame, RawPeer } from './raw.ts';

/** The first line of the answer to an HTTP request that is written as it is. */
function statusLine(port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(request));
    let text = '';
    socket.on('data', (data) => (text += data.toString()));
    socket.on('close', () => resolve(text.split('\r\n')[0] ?? ''));
    socket.on('error', reject);
    onTestFinished(() => void socket.destroy());
  });
}

it('A hub chooses the subprotocol holdfast.v1 among those that are offered', async () => {
  const hub = await startHub();
  const ws = new WebSocket(hub.url, ['other.v9', SUBPROTOCOL]);
  onTestFinished(() => ws.terminate());
  await new Promise((resolve) => ws.once('open', resolve));
  expect(ws.protocol).toBe(SUBPROTOCOL);
});

it('A WebSocket that offers no subprotocol is closed with 4426', async () => {
  const hub = await startHub();
  const ws = new WebSocket(hub.url);
  const peer = new RawPeer(ws);
  expect(await peer.closed).toEqual({ code: CloseCode.SUBPROTOCOL, reason: 'this hub speaks holdfast.v1' });
  expect(peer.inbox).toEqual([]);
});

it('An upgrade that offers other subprotocols only is answered by HTTP 426', async () => {
  const hub = await startHub();
  const ws = new WebSocket(hub.url, ['holdfast.v2', 'mqtt']);
  const status = await new Promise((resolve) => {
    ws.once('unexpected-response', (request, response) => {
      resolve(response.statusCode);
      request.destroy();
    });
    ws.on('error', () => {});
  });
  expect(status).toBe(426);
});

it('Bytes that are no HTTP end the connection and nothing else', async () => {
  const hub = await startHub();
  expect(await statusLine(hub.port, '\u0001\u0002 no http\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /);
  expect(await statusLine(hub.port, 'POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')).toMatch(
    / 405 /,
  );
  await join(hub, 'node');
});

it('A peer that does not register in time is closed with 4408', async () => {
  const hub = await startHub({ connectionTimeoutMs: 60 });
  const peer = await dial(hub);
  expect(await peer.closed).toEqual({
    code: CloseCode.REGISTRATION_TIMEOUT,
    reason: 'no REGISTER within 60 ms',
  });
});

it('Frames other than REGISTER do not postpone the time for it', async () => {
  const hub = await startHub({ connectionTimeoutMs: 60 });
  const peer = await dial(hub);
  const pings = setInterval(() => peer.send(frame(FrameType.PING)), 10);
  onTestFinished(() => clearInterval(pings));
  expect(await peer.closed).toMatchObject({ code: CloseCode.REGISTRATION_TIMEOUT });
});

it('A REGISTER that is refused for its form does not stop the clock: the connection ends at once', async () => {
  const hub = await startHub({ connectionTimeoutMs: 60_000 });
  const peer = await dial(hub);
  peer.json(FrameType.REGISTER, { role: 'node' });
  expect(await peer.closed).toMatchObject({ code: CloseCode.MALFORMED });
});

it('A text message is closed with 4400', async () => {
  const hub = await startHub();
  const peer = await dial(hub);
  peer.ws.send('hello');
  expect(await peer.closed).toEqual({
    code: CloseCode.MALFORMED,
    reason: 'a text message; this protocol is binary',
  });
});

it('A text message from a registered peer is closed with 4400, whatever it says', async () => {
  const hub = await startHub();
  const { peer } = await join(hub, 'node');
  peer.ws.send(Buffer.from(frame(FrameType.PING)).toString('latin1'));
  expect(await peer.closed).toMatchObject({ code: CloseCode.MALFORMED });
});

it('A message of exactly maxMessageBytes is read, one byte more is closed with 1009', async () => {
  const hub = await startHub();
  const { peer } = await join(hub, 'client');
  const ping = frame(FrameType.PING, '', { id: 5 });
  // PING with a payload: control frames take up to maxControlBytes, and nobody reads it.
  const filler: Uint8Array[] = [];
  let left = limits.maxMessageBytes - ping.length;
  while (left > 0) {
    const size = Math.min(left, limits.maxControlBytes);
    filler.push(frame(FrameType.PING, new Uint8Array(Math.max(0, size - 12)), { id: 4 }));
    left -= Math.max(12, size);
  }
  const message = concat([...filler, ping]);
  expect(message.length).toBe(limits.maxMessageBytes);
  peer.ws.send(message);
  await peer.take(FrameType.PONG, (pong) => pong.id === 5);
  peer.ws.send(concat([message, new Uint8Array(1)]));
  expect(await peer.closed).toMatchObject({ code: CloseCode.TOO_BIG });
});

it('A message in many fragments counts as a whole', async () => {
  const hub = await startHub();
  const peer = await dial(hub);
  const half = new Uint8Array(limits.maxMessageBytes / 2 + 1);
  peer.ws.send(half, { fin: false });
  peer.ws.send(half, { fin: true });
  expect(await peer.closed).toMatchObject({ code: CloseCode.TOO_BIG });
});

it('A peer that closes with 1000 is answered with 1000', async () => {
  const hub = await startHub();
  const { peer } = await join(hub, 'node');
  expect(await peer.close()).toMatchObject({ code: CloseCode.NORMAL });
});

it('A hub that stops closes its links with 4503', async () => {
  const hub = await startHub();
  const node = await join(hub, 'node');
  const unregistered = await dial(hub);
  await hub.stop();
  expect(await node.peer.closed).toEqual({ code: CloseCode.UNAVAILABLE, reason: 'the hub stops' });
  expect(await unregistered.closed).toMatchObject({ code: CloseCode.UNAVAILABLE });
});

it('A hub that drains refuses newcomers with 4503 and says when to come back', async () => {
  const hub = await startHub({ drainTimeoutMs: 60_000, retryAfterMs: 700 });
  const peer = await dial(hub);
  const node = await join(hub, 'node');
  const client = await join(hub, 'client');
  client.peer.send(frame(FrameType.DEFINE, 'echo'), frame(FrameType.CALL, new Uint8Array(8), { id: 1 }));
  const { peer: number } = await node.peer.take(FrameType.CALL);
  const stopped = hub.stop();
  await node.peer.take(FrameType.DRAINING);
  peer.json(FrameType.REGISTER, registration('client'));
  const refused = JSON.parse(
    new TextDecoder().decode((await peer.take(FrameType.REFUSED)).payload),
  ) as object;
  expect(refused).toMatchObject({ terminal: false, retryAfterMs: 700, reason: 'the hub drains' });
  expect(await peer.closed).toMatchObject({ code: CloseCode.UNAVAILABLE });
  node.peer.send(frame(FrameType.RESULT, '1', { peer: number, id: 1 }));
  await stopped;
});

/** A WebSocket by hand, to break RFC 6455 itself with; resolves when the hub has agreed to the upgrade. */
async function upgraded(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.write(
    'GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nSec-WebSocket-Protocol: ${SUBPROTOCOL}\r\n\r\n`,
  );
  const answer = await new Promise<string>((resolve) =>
    socket.once('data', (data) => resolve(data.toString())),
  );
  expect(answer).toMatch(/^HTTP\/1.1 101 /);
  return socket;
}

it.each([
  ['a frame without a mask', [0x82, 0x01, 0x00]],
  ['an opcode that does not exist', [0x83, 0x80, 0, 0, 0, 0]],
  ['a reserved bit', [0xc2, 0x80, 0, 0, 0, 0]],
  ['a control frame in fragments', [0x09, 0x80, 0, 0, 0, 0]],
  ['a control frame of 126 bytes', [0x89, 0xfe, 0, 126, 0, 0, 0, 0]],
  ['a continuation of nothing', [0x80, 0x80, 0, 0, 0, 0]],
  ['a length beyond 2^53', [0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]],
  ['a close frame of one byte', [0x88, 0x81, 0, 0, 0, 0, 3]],
  ['a close code that does not exist', [0x88, 0x82, 0, 0, 0, 0, 0, 5]],
])('What breaks RFC 6455 (%s) is ended by a code of RFC 6455, and nobody else notices', async (_, bytes) => {
  const hub = await startHub();
  const other = await join(hub, 'node');
  const socket = await upgraded(hub.port);
  const said: Buffer[] = [];
  socket.on('data', (data: Buffer) => said.push(data));
  socket.write(Uint8Array.from(bytes));
  await new Promise((resolve) => socket.once('end', resolve));
  const close = Buffer.concat(said);
  expect(close[0]).toBe(0x88);
  expect([1002, 1009]).toContain(close.readUInt16BE(2));
  await other.peer.barrier();
});
