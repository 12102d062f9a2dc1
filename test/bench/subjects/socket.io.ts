// socket.io: caller → server → node, each leg with `emitWithAck`.
// Invariant: WebSocket transport from the start, so that nothing is measured of long polling.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { Server } from 'socket.io';
import type { Socket as ServerSocket } from 'socket.io';
import { io } from 'socket.io-client';
import type { Socket } from 'socket.io-client';

import { runLoad } from '../load.ts';
import type { LoadRequest } from '../load.ts';
import { serveRoles } from '../roles.ts';

type Ack = (result: unknown) => void;

async function hub(): Promise<{ info: { port: number } }> {
  const http = createServer();
  const server = new Server(http, { transports: ['websocket'] });
  let node: ServerSocket | undefined;
  server.on('connection', (socket) => {
    if (socket.handshake.auth['role'] === 'node') node = socket;
    socket.on('call', (fn: string, args: unknown[], ack: Ack) => {
      void node?.emitWithAck('call', fn, args).then(ack);
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return { info: { port: (http.address() as AddressInfo).port } };
}

async function connect(port: number, role: string): Promise<Socket> {
  const socket = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], auth: { role } });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  return socket;
}

async function node({ port }: { port: number }): Promise<object> {
  const functions: Record<string, (a: number, b: number) => number> = { add: (a, b) => a + b };
  const socket = await connect(port, 'node');
  socket.on('call', (fn: string, [a, b]: [number, number], ack: Ack) => ack(functions[fn]?.(a, b)));
  return {};
}

async function caller({
  port,
}: {
  port: number;
}): Promise<{ commands: { load: (request: LoadRequest) => unknown } }> {
  const socket = await connect(port, 'caller');
  const call = (): Promise<unknown> => socket.emitWithAck('call', 'add', [1, 2]);
  return { commands: { load: (request) => runLoad(call, request) } };
}

await serveRoles({ hub, node, caller });
