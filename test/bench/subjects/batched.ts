// The practical limit: a bare binary relay that coalesces the frames of a turn into one message and never decodes a payload.
// Invariant: 12 bytes of header a frame (`client u16 · unused u16 · id u32 · length u32`); one message a turn and peer.

import { WebSocket, WebSocketServer } from 'ws';

import { runLoad } from '../load.ts';
import type { LoadRequest } from '../load.ts';
import { serveRoles } from '../roles.ts';

const HEADER_BYTES = 12;
const PAGE_BYTES = 65_536;

/** Collects the frames of one turn for one socket. */
class Outbox {
  readonly #socket: WebSocket;
  #page = Buffer.allocUnsafeSlow(PAGE_BYTES);
  #end = 0;
  #scheduled = false;
  readonly #flush = (): void => {
    this.#scheduled = false;
    if (this.#end === 0) return;
    const message = this.#page.subarray(0, this.#end);
    this.#page = Buffer.allocUnsafeSlow(PAGE_BYTES);
    this.#end = 0;
    this.#socket.send(message);
  };

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  /** Room for a frame; answers where its payload begins. */
  frame(client: number, id: number, length: number): number {
    if (this.#end + HEADER_BYTES + length > PAGE_BYTES) this.#flush();
    const at = this.#end;
    const page = this.#page;
    page[at] = client & 0xff;
    page[at + 1] = client >> 8;
    page[at + 4] = id & 0xff;
    page[at + 5] = (id >>> 8) & 0xff;
    page[at + 6] = (id >>> 16) & 0xff;
    page[at + 7] = id >>> 24;
    page[at + 8] = length & 0xff;
    page[at + 9] = (length >>> 8) & 0xff;
    page[at + 10] = (length >>> 16) & 0xff;
    page[at + 11] = length >>> 24;
    this.#end = at + HEADER_BYTES + length;
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(this.#flush);
    }
    return at + HEADER_BYTES;
  }

  bytes(client: number, id: number, source: Buffer, start: number, end: number): void {
    let at = this.frame(client, id, end - start);
    const page = this.#page;
    for (let i = start; i < end; i += 1) {
      page[at] = source[i] ?? 0;
      at += 1;
    }
  }

  text(client: number, id: number, text: string): void {
    let at = this.frame(client, id, text.length);
    const page = this.#page;
    for (let i = 0; i < text.length; i += 1) {
      page[at] = text.charCodeAt(i);
      at += 1;
    }
  }
}

function eachFrame(
  message: Buffer,
  handle: (client: number, id: number, message: Buffer, start: number, end: number) => void,
): void {
  let at = 0;
  while (at < message.length) {
    const client = (message[at] ?? 0) | ((message[at + 1] ?? 0) << 8);
    const id = message.readUInt32LE(at + 4);
    const start = at + HEADER_BYTES;
    at = start + message.readUInt32LE(at + 8);
    handle(client, id, message, start, at);
  }
}

async function hub(): Promise<{ info: { port: number } }> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  await new Promise((resolve) => server.once('listening', resolve));
  const clients: (Outbox | undefined)[] = [undefined];
  let node: Outbox | undefined;
  server.on('connection', (socket, request) => {
    const outbox = new Outbox(socket);
    if (request.url === '/node') {
      node = outbox;
      socket.on('message', (data) =>
        eachFrame(data as Buffer, (client, id, bytes, start, end) =>
          clients[client]?.bytes(0, id, bytes, start, end),
        ),
      );
      return;
    }
    const own = clients.push(outbox) - 1;
    socket.on('message', (data) =>
      eachFrame(data as Buffer, (_, id, bytes, start, end) => node?.bytes(own, id, bytes, start, end)),
    );
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
  const add = (a: number, b: number): number => a + b;
  const socket = await connect(`ws://127.0.0.1:${port}/node`);
  const outbox = new Outbox(socket);
  socket.on('message', (data) =>
    eachFrame(data as Buffer, (client, id, bytes, start, end) => {
      const [a, b] = JSON.parse(bytes.toString('latin1', start, end)) as [number, number];
      outbox.text(client, id, JSON.stringify(add(a, b)));
    }),
  );
  return {};
}

async function caller({
  port,
}: {
  port: number;
}): Promise<{ commands: { load: (request: LoadRequest) => unknown } }> {
  const socket = await connect(`ws://127.0.0.1:${port}/caller`);
  const outbox = new Outbox(socket);
  const pending = new Map<number, (sum: unknown) => void>();
  let lastId = 0;
  socket.on('message', (data) =>
    eachFrame(data as Buffer, (_, id, bytes, start, end) => {
      const done = pending.get(id);
      pending.delete(id);
      done?.(JSON.parse(bytes.toString('latin1', start, end)));
    }),
  );
  const call = (): Promise<unknown> => {
    lastId += 1;
    const id = lastId;
    const answered = new Promise((resolve) => pending.set(id, resolve));
    outbox.text(0, id, JSON.stringify([1, 2]));
    return answered;
  };
  return { commands: { load: (request) => runLoad(call, request) } };
}

await serveRoles({ hub, node, caller });
