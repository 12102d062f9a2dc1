// The baseline for large arguments: a bare binary relay over `ws`, one message a call, passed on as it came.
// Invariant: the hub touches nothing but the client's number in the header (`id u32 · client u32 · kind u32 · unused u32`).

import { WebSocket, WebSocketServer } from 'ws';

import { runBulk, runPaced, steadyBulk } from '../load.ts';
import type { BulkRequest, PacedRequest } from '../load.ts';
import { measuringCommands } from '../memory.ts';
import { serveRoles } from '../roles.ts';
import type { RoleCommands } from '../roles.ts';

const HEADER_BYTES = 16;
const KIND = { add: 0, length: 1 } as const;
const OPTIONS = { perMessageDeflate: false, maxPayload: 512 * 1_048_576 };

async function hub(): Promise<{ info: { port: number }; commands: RoleCommands }> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...OPTIONS });
  await new Promise((resolve) => server.once('listening', resolve));
  const clients: (WebSocket | undefined)[] = [];
  let node: WebSocket | undefined;
  server.on('connection', (socket, request) => {
    if (request.url === '/node') {
      node = socket;
      socket.on('message', (data: Buffer) => clients[data.readUInt32LE(4)]?.send(data));
      return;
    }
    const own = clients.push(socket) - 1;
    socket.on('message', (data: Buffer) => {
      data.writeUInt32LE(own, 4);
      node?.send(data);
    });
  });
  return { info: { port: (server.address() as { port: number }).port }, commands: measuringCommands() };
}

async function connect(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url, OPTIONS);
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  return socket;
}

async function node({ port }: { port: number }): Promise<{ commands: RoleCommands }> {
  const socket = await connect(`ws://127.0.0.1:${port}/node`);
  socket.on('message', (data: Buffer) => {
    const answer = Buffer.alloc(HEADER_BYTES + 4);
    data.copy(answer, 0, 0, HEADER_BYTES);
    if (data.readUInt32LE(8) === KIND.add) {
      const [a, b] = JSON.parse(data.toString('latin1', HEADER_BYTES)) as [number, number];
      answer.writeUInt32LE(a + b, HEADER_BYTES);
    } else {
      const aligned = data.byteOffset % 4 === 0 ? data : Buffer.from(data);
      const floats = new Float32Array(
        aligned.buffer,
        aligned.byteOffset + HEADER_BYTES,
        (data.length - HEADER_BYTES) / 4,
      );
      answer.writeUInt32LE(floats.length, HEADER_BYTES);
    }
    socket.send(answer);
  });
  let latenciesUs: number[] = [];
  let sentAt = 0;
  socket.on('pong', () => {
    if (sentAt !== 0) latenciesUs.push((performance.now() - sentAt) * 1_000);
    sentAt = 0;
  });
  setInterval(() => {
    // The answer to the last one may still be under way: it counts when it comes.
    if (sentAt !== 0) return;
    sentAt = performance.now();
    socket.ping();
  }, 20);
  return {
    commands: {
      /** Round trips of heartbeats since the last question. */
      heartbeatsUs() {
        const result = Float64Array.from(latenciesUs);
        latenciesUs = [];
        return result;
      },
    },
  };
}

async function caller({ port }: { port: number }): Promise<{ commands: RoleCommands }> {
  const socket = await connect(`ws://127.0.0.1:${port}/caller`);
  const pending = new Map<number, (result: number) => void>();
  let lastId = 0;
  socket.on('message', (data: Buffer) => {
    const id = data.readUInt32LE(0);
    pending.get(id)?.(data.readUInt32LE(HEADER_BYTES));
    pending.delete(id);
  });
  const call = (kind: number, payload: Uint8Array): Promise<number> => {
    lastId += 1;
    const id = lastId;
    const message = Buffer.allocUnsafeSlow(HEADER_BYTES + payload.length);
    message.writeUInt32LE(id, 0);
    message.writeUInt32LE(kind, 8);
    message.set(payload, HEADER_BYTES);
    socket.send(message);
    return new Promise((resolve) => pending.set(id, resolve));
  };
  const length = (argument: Float32Array): Promise<number> =>
    call(KIND.length, new Uint8Array(argument.buffer, argument.byteOffset, argument.byteLength));
  const add = (): Promise<number> => call(KIND.add, Buffer.from(JSON.stringify([1, 2])));
  return {
    commands: {
      bulk: (request: BulkRequest) => runBulk(length, request),
      ...steadyBulk(length),
      paced: (request: PacedRequest) => runPaced(add, request),
    },
  };
}

await serveRoles({ hub, node, caller });
