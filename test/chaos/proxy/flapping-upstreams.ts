// Upstreams for a load: they answer completions, remember numbers only, and two of them come and go.
// Invariant: each answer names the request that it answers, and carries a number that no other answer of its upstream has.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** Events of an answer, and the time between two of them. */
export const EVENTS = 5;
const GAP_MS = 1;

export interface LoadUpstream extends AsyncDisposable {
  readonly id: string;
  readonly url: string;
  /** Requests for completions that came in whole. */
  readonly heard: number;
  /** Answers that had begun when it fell. */
  readonly cut: number;
  readonly falls: number;
  /** Goes down with all of its connections, or comes back at the same place. */
  fall(): Promise<void>;
  rise(): Promise<void>;
}

async function numberOf(request: IncomingMessage): Promise<{ request: number; stream: boolean }> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return JSON.parse(text) as { request: number; stream: boolean };
}

export async function startLoadUpstream(id: string): Promise<LoadUpstream> {
  const sockets = new Set<Socket>();
  const counts = { heard: 0, cut: 0, falls: 0 };
  /** Answers under way of which something has been sent. */
  const begun = new Set<ServerResponse>();

  const answer = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (incoming.url === '/health') return void response.end('well');
    const { request, stream } = await numberOf(incoming);
    counts.heard += 1;
    const nonce = `${id}-${counts.heard}`;
    response.once('close', () => begun.delete(response));
    if (!stream) {
      await pause(GAP_MS * EVENTS);
      return void response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ request, nonce }));
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let event = 0; event < EVENTS; event++) {
      await pause(GAP_MS);
      if (response.destroyed) return undefined;
      begun.add(response);
      response.write(
        `data: ${JSON.stringify({ object: 'chat.completion.chunk', request, nonce, event })}\n\n`,
      );
    }
    return void response.end('data: [DONE]\n\n');
  };

  const start = async (port: number): Promise<Server> => {
    const server = createServer(
      (incoming, response) => void answer(incoming, response).catch(() => undefined),
    );
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => sockets.delete(socket));
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return server;
  };
  let server = await start(0);
  const { port } = server.address() as AddressInfo;
  const fall = async (): Promise<void> => {
    if (!server.listening) return;
    counts.falls += 1;
    counts.cut += begun.size;
    begun.clear();
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.resetAndDestroy();
    await closed;
  };
  return {
    id,
    url: `http://127.0.0.1:${port}`,
    get heard() {
      return counts.heard;
    },
    get cut() {
      return counts.cut;
    },
    get falls() {
      return counts.falls;
    },
    fall,
    async rise() {
      if (!server.listening) server = await start(port);
    },
    [Symbol.asyncDispose]: fall,
  };
}
