// The connection machine in a foreign app: its own protocol, its own server, over `ws` and over the platform's WebSocket.
// Invariant: two sockets of one connection are never open side by side.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket as WsWebSocket, WebSocketServer } from 'ws';
import {
  connectOver,
  type ConnectOverOptions,
  type OpenConnection,
  type SocketLike,
} from '../../../src/index.ts';
import { eventually, monotonicMs } from '../../chaos/eventually.ts';

interface ChatServer {
  readonly url: string;
  readonly port: number;
  readonly said: string[];
  /** Most sockets that were open at once. */
  readonly most: number;
  readonly joins: number;
  mood: 'welcoming' | 'mute' | 'refusing';
  stop(): Promise<void>;
}

/** A foreign protocol in text: `hello NAME` is answered by `welcome`, `ping` by `pong`, all else is echoed. */
async function startChat(port = 0): Promise<ChatServer> {
  const server = new WebSocketServer({ port, host: '127.0.0.1' });
  await once(server, 'listening');
  const chat = {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    port: (server.address() as AddressInfo).port,
    said: [] as string[],
    most: 0,
    joins: 0,
    mood: 'welcoming' as ChatServer['mood'],
    async stop() {
      for (const socket of server.clients) socket.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  server.on('connection', (socket) => {
    chat.most = Math.max(chat.most, server.clients.size);
    socket.on('message', (data: Buffer) => {
      const text = data.toString();
      chat.said.push(text);
      if (chat.mood === 'mute') return;
      if (text.startsWith('hello')) {
        chat.joins += 1;
        socket.send(chat.mood === 'welcoming' ? 'welcome' : 'go away');
      } else socket.send(text === 'ping' ? 'pong' : `echo ${text}`);
    });
  });
  onTestFinished(() => chat.stop());
  return chat;
}

interface Chat {
  readonly connection: OpenConnection;
  readonly heard: string[];
  readonly states: string[];
  readonly ended: string[];
}

function chatOver(factory: () => SocketLike, options: Partial<ConnectOverOptions> = {}): Chat {
  const heard: string[] = [];
  const states: string[] = [];
  const ended: string[] = [];
  let welcomed: ((text: string) => void) | undefined;
  const connection = connectOver(factory, {
    seed: 7,
    reconnectIntervalMs: 40,
    reconnectMaxMs: 200,
    maxRetryAttempts: 0,
    heartbeatIntervalMs: 100,
    heartbeatTimeoutMs: 400,
    connectionTimeoutMs: 500,
    register: async (socket) => {
      const answer = new Promise<string>((resolve) => (welcomed = resolve));
      socket.send('hello ann');
      const text = await answer;
      if (text !== 'welcome') throw new Error(`the server said: ${text}`);
    },
    ping: (socket) => socket.send('ping'),
    onMessage: (data) => {
      heard.push(String(data));
      welcomed?.(String(data));
      welcomed = undefined;
    },
    onTransition: ({ to }) => states.push(to),
    onEnded: (state, reason) => ended.push(`${state} ${reason}`),
    ...options,
  });
  onTestFinished(() => connection.stop());
  return { connection, heard, states, ended };
}

const makers = [
  ['the package ws', (url: string) => new WsWebSocket(url) as unknown as SocketLike],
  ['the platform’s WebSocket', (url: string) => new WebSocket(url) as unknown as SocketLike],
] as const;

for (const [name, make] of makers) {
  test(`over ${name}, a foreign client is connected again after its server restarted`, async () => {
    let server = await startChat();
    const { url, port } = server;
    const chat = chatOver(() => make(url));
    await eventually('connected', () => chat.connection.state.startsWith('connected'));
    expect(chat.connection.send('first')).toBe(true);
    await eventually('echo', () => chat.heard.includes('echo first'));
    await server.stop();
    await eventually('it noticed', () => !chat.connection.state.startsWith('connected'));
    expect(chat.connection.send('into the void')).toBe(false);
    expect(chat.connection.socket).toBeUndefined();
    server = await startChat(port);
    await eventually('connected again', () => chat.connection.state.startsWith('connected'));
    expect(chat.connection.send('second')).toBe(true);
    await eventually('echo', () => chat.heard.includes('echo second'));
    expect(server.said).not.toContain('into the void');
    expect(server.most).toBe(1);
    expect(chat.states).toContain('transient_failure');
    expect(chat.states).toContain('backoff');
    expect(chat.ended).toEqual([]);
  });

  test(`over ${name}, a server that falls silent is left after heartbeatTimeoutMs, not while it answers pings`, async () => {
    const server = await startChat();
    const chat = chatOver(() => make(server.url));
    await eventually('connected', () => chat.connection.state.startsWith('connected'));
    // Several time-outs long: the pings keep it.
    await eventually('pings', () => server.said.filter((text) => text === 'ping').length >= 8);
    expect(server.joins).toBe(1);
    server.mood = 'mute';
    const from = monotonicMs();
    await eventually('it left', () => !chat.connection.state.startsWith('connected'));
    expect(monotonicMs() - from).toBeGreaterThan(250);
    expect(monotonicMs() - from).toBeLessThan(2_000);
    server.mood = 'welcoming';
    await eventually(
      'connected again',
      () => server.joins === 2 && chat.connection.state.startsWith('connected'),
    );
  });
}

test('a server that refuses the introduction is tried again after a wait, as long as attempts are left', async () => {
  const server = await startChat();
  server.mood = 'refusing';
  const chat = chatOver(() => new WsWebSocket(server.url) as unknown as SocketLike, { maxRetryAttempts: 3 });
  await eventually('it gave up', () => chat.ended.length === 1);
  expect(chat.ended).toEqual(['failed the server said: go away']);
  expect(server.joins).toBe(4);
  expect(chat.connection.state).toBe('failed');
  server.mood = 'welcoming';
  chat.connection.connect();
  await eventually('connected', () => chat.connection.state.startsWith('connected'));
});

test('a server that accepts and never answers the introduction is left after connectionTimeoutMs', async () => {
  const server = await startChat();
  server.mood = 'mute';
  const chat = chatOver(() => new WsWebSocket(server.url) as unknown as SocketLike, {
    maxRetryAttempts: 1,
    connectionTimeoutMs: 200,
  });
  const from = monotonicMs();
  await eventually('it left', () => chat.states.includes('transient_failure'));
  expect(monotonicMs() - from).toBeGreaterThanOrEqual(195);
  expect(monotonicMs() - from).toBeLessThan(1_700);
});

test('a welcome that comes too late, from a socket that was given up, changes nothing', async () => {
  let late: (() => void) | undefined;
  const server = await startChat();
  let round = 0;
  const chat = chatOver(() => new WsWebSocket(server.url) as unknown as SocketLike, {
    connectionTimeoutMs: 150,
    register: () => {
      round += 1;
      // The first introduction is accepted long after its socket is gone.
      return round === 1 ? new Promise<void>((resolve) => (late = resolve)) : undefined;
    },
  });
  await eventually('the second is connected', () => chat.connection.state.startsWith('connected'));
  const { socket } = chat.connection;
  late?.();
  await eventually('some time later', () => server.said.includes('ping'));
  expect(chat.connection.socket).toBe(socket);
  expect(chat.connection.send('still here')).toBe(true);
  await eventually('echo', () => chat.heard.includes('echo still here'));
});

test('stopping closes the socket for good and says so once', async () => {
  const server = await startChat();
  const chat = chatOver(() => new WsWebSocket(server.url) as unknown as SocketLike);
  await eventually('connected', () => chat.connection.state.startsWith('connected'));
  chat.connection.stop();
  chat.connection.stop();
  await eventually('shutdown', () => chat.connection.state === 'shutdown');
  expect(chat.connection.send('late')).toBe(false);
  chat.connection.connect();
  chat.connection.wake();
  expect(chat.connection.state).toBe('shutdown');
  expect(chat.ended.map((it) => it.split(' ')[0])).toEqual(['shutdown']);
});

test('a hint that the network is back ends the wait at once', async () => {
  let server = await startChat();
  const { url, port } = server;
  const chat = chatOver(() => new WsWebSocket(url) as unknown as SocketLike, {
    reconnectIntervalMs: 60_000,
    reconnectMaxMs: 60_000,
  });
  await eventually('connected', () => chat.connection.state.startsWith('connected'));
  await server.stop();
  await eventually('it waits', () => chat.connection.state === 'backoff');
  server = await startChat(port);
  chat.connection.wake();
  await eventually('connected again', () => chat.connection.state.startsWith('connected'), 3_000);
});

test('a factory that throws is a failed dial, not a crash', async () => {
  let dials = 0;
  const chat = chatOver(
    () => {
      dials += 1;
      throw new Error('no route');
    },
    { maxRetryAttempts: 2 },
  );
  await eventually('it gave up', () => chat.ended.length === 1);
  expect(chat.ended[0]).toContain('no route');
  expect(dials).toBe(3);
});

test('its options are checked like those of a node', () => {
  const make = () =>
    chatOver(() => new WsWebSocket('ws://127.0.0.1:1') as unknown as SocketLike, { heartbeatTimeoutMs: 50 });
  expect(make).toThrowError(/option heartbeatTimeoutMs is 50; it must exceed heartbeatIntervalMs \(100\)/);
});
