// The baseline: a bare relay over `ws`. It parses JSON and sends one message a frame.
// Invariant: nothing but what such a relay needs; no batching, no retries, no deadlines.

import { WebSocket, WebSocketServer } from 'ws';

import { runLoad } from '../load.ts';
import type { LoadRequest } from '../load.ts';
import { serveRoles } from '../roles.ts';

interface Message {
  readonly id: number;
  readonly client?: number;
  readonly fn?: string;
  readonly args?: [number, number];
  readonly result?: number;
}

const parse = (data: unknown): Message => JSON.parse(String(data)) as Message;

async function hub(): Promise<{ info: { port: number } }> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  await new Promise((resolve) => server.once('listening', resolve));
  const clients = new Map<number, WebSocket>();
  let node: WebSocket | undefined;
  let lastClient = 0;
  server.on('connection', (socket, request) => {
    if (request.url === '/node') {
      node = socket;
      socket.on('message', (data) => {
        const { id, client, result } = parse(data);
        clients.get(client ?? -1)?.send(JSON.stringify({ id, result }));
      });
      return;
    }
    lastClient += 1;
    const client = lastClient;
    clients.set(client, socket);
    socket.on('close', () => clients.delete(client));
    socket.on('message', (data) => {
      const { id, fn, args } = parse(data);
      node?.send(JSON.stringify({ id, client, fn, args }));
    });
  });
  return { info: { port: (server.address() as { port: number }).port } };
}

async function connect(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  return socket;
}

async function node({ port }: { port: number }): Promise<object> {
  const functions: Record<string, (a: number, b: number) => number> = { add: (a, b) => a + b };
  const socket = await connect(`ws://127.0.0.1:${port}/node`);
  socket.on('message', (data) => {
    const { id, client, fn, args } = parse(data);
    const [a, b] = args ?? [0, 0];
    socket.send(JSON.stringify({ id, client, result: functions[fn ?? '']?.(a, b) }));
  });
  return {};
}

async function caller({
  port,
}: {
  port: number;
}): Promise<{ commands: { load: (request: LoadRequest) => unknown } }> {
  const socket = await connect(`ws://127.0.0.1:${port}/caller`);
  const pending = new Map<number, (sum: unknown) => void>();
  let lastId = 0;
  socket.on('message', (data) => {
    const { id, result } = parse(data);
    const done = pending.get(id);
    pending.delete(id);
    done?.(result);
  });
  const call = (): Promise<unknown> => {
    lastId += 1;
    const id = lastId;
    const answered = new Promise((resolve) => pending.set(id, resolve));
    socket.send(JSON.stringify({ id, fn: 'add', args: [1, 2] }));
    return answered;
  };
  return { commands: { load: (request) => runLoad(call, request) } };
}

await serveRoles({ hub, node, caller });
