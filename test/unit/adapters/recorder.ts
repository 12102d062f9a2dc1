// Sockets on loopback for the adapters' tests: what a socket told its owner, and promises for it.
// Invariant: whatever a test opened here ends with the test.

import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket as NetSocket } from 'node:net';

import { onTestFinished } from 'vitest';

import { createWsListener } from '../../../src/adapters/ws-listener.ts';
import type { Incoming, ListenOptions, Listening, Socket, SocketHandlers } from '../../../src/ports.ts';

export interface Recorder extends SocketHandlers {
  readonly messages: Uint8Array[];
  /** Names of the calls, in order. */
  readonly calls: string[];
  readonly closings: { code: number; reason: string }[];
  /** Resolves as soon as the condition holds; conditions are looked at after every call. */
  until(condition: (recorder: Recorder) => boolean): Promise<void>;
}

export function record(): Recorder {
  const waiting: { condition: (recorder: Recorder) => boolean; resolve: () => void }[] = [];
  const called = (name: string): void => {
    recorder.calls.push(name);
    for (const entry of waiting) if (entry.condition(recorder)) entry.resolve();
  };
  const recorder: Recorder = {
    messages: [],
    calls: [],
    closings: [],
    opened: () => called('opened'),
    message(bytes) {
      recorder.messages.push(bytes);
      called('message');
    },
    drained: () => called('drained'),
    closed(code, reason) {
      recorder.closings.push({ code, reason });
      called('closed');
    },
    until: (condition) =>
      condition(recorder)
        ? Promise.resolve()
        : new Promise((resolve) => {
            waiting.push({ condition, resolve });
          }),
  };
  return recorder;
}

export const opened = (recorder: Recorder): boolean => recorder.calls.includes('opened');
export const closed = (recorder: Recorder): boolean => recorder.calls.includes('closed');
export const received = (recorder: Recorder): boolean => recorder.messages.length > 0;
export const drained = (recorder: Recorder): boolean => recorder.calls.includes('drained');

export interface Accepted {
  readonly socket: Socket;
  readonly recorder: Recorder;
  readonly incoming: Incoming;
}

export interface TestListener {
  readonly listening: Listening;
  readonly accepted: readonly Accepted[];
  /** The n-th connection, counted from 0. */
  connection(index: number): Promise<Accepted>;
}

export async function listen(
  options: Partial<ListenOptions> = {},
  listenerOptions: Parameters<typeof createWsListener>[0] = {},
): Promise<TestListener> {
  const accepted: Accepted[] = [];
  const waiting: (() => void)[] = [];
  const listening = await createWsListener(listenerOptions).listen({
    host: '127.0.0.1',
    port: 0,
    maxMessageBytes: 1_048_576,
    page: async () => undefined,
    accept(incoming) {
      const recorder = record();
      incoming.handle(recorder);
      accepted.push({ socket: incoming.socket, recorder, incoming });
      for (const resolve of waiting.splice(0)) resolve();
    },
    ...options,
  });
  onTestFinished(() => listening.close());
  return {
    listening,
    accepted,
    async connection(index) {
      for (;;) {
        const found = accepted[index];
        if (found !== undefined) return found;
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
    },
  };
}

/** A TCP server that does with its connections what the test says; nothing, unless told. */
export async function tcpServer(onConnection: (connection: NetSocket) => void = () => {}): Promise<string> {
  const connections = new Set<NetSocket>();
  const server: Server = createServer((connection) => {
    connections.add(connection);
    connection.on('error', () => {});
    onConnection(connection);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    for (const connection of connections) connection.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Answers an upgrade in its own way: the test writes the response's lines after the status and Upgrade headers. */
export async function upgradingServer(
  extraHeaders: (offered: string) => string,
  onBytes: (bytes: Buffer) => void = () => {},
): Promise<string> {
  return tcpServer((connection) => {
    connection.once('data', (data) => {
      connection.on('data', onBytes);
      const request = data.toString();
      const key = /sec-websocket-key: (.*)\r/i.exec(request)?.[1] ?? '';
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      connection.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
          `Sec-WebSocket-Accept: ${accept}\r\n${extraHeaders(request)}\r\n`,
      );
    });
  });
}
