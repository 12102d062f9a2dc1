// Scripted upstreams: real servers on loopback that answer as OpenAI and Anthropic do, or fail in one particular way.
// Invariant: each answer carries a nonce of its own, and each upstream has counted exactly what reached it.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export type Api = 'openai' | 'anthropic';

/** One request that reached an upstream, and what it may answer. */
export interface Exchange {
  readonly api: Api;
  readonly mode: 'stream' | 'json';
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** In every answer to it, and in no other. */
  readonly nonce: string;
  readonly answer: Answer;
  readonly response: ServerResponse;
  readonly socket: Socket;
  /** Resolves when a client has said that it saw something of the answer (`Upstream.seen`). */
  readonly seen: Promise<void>;
  /** Resolves when whoever asked has gone before the answer was whole. */
  readonly left: Promise<void>;
}

export type Behaviour = (exchange: Exchange) => void | Promise<void>;

export interface Upstream extends AsyncDisposable {
  readonly id: string;
  readonly url: string;
  /** Well-formed requests, in order. */
  readonly requests: readonly Exchange[];
  /** Connections that it took, those that are open, and those that sent something that is no request. */
  readonly connections: number;
  readonly open: number;
  readonly malformed: number;
  /** Everything that came in over all its connections. */
  readonly bytes: () => string;
  /** What it does with the requests to come. */
  behave(behaviour: Behaviour): void;
  /** A client has seen something of an answer: those that wait for that go on. */
  seen(): void;
  /** Resets its connections, and refuses others until `rise`. */
  fall(): Promise<void>;
  rise(): Promise<void>;
}

export interface Answer {
  /** What a client must have read in the end. */
  readonly text: string;
  readonly json: string;
  /** Whole server-sent events; the last one says that it was the last. */
  readonly events: readonly string[];
}

const WORDS = ['one', 'two', 'three', 'four', 'five', 'six'];

/** Whether this is the whole text of one answer, and of no other. */
export function nonceOf(text: string): string | undefined {
  return /^(\S+) begins one two three four five six and ends \1$/.exec(text)?.[1];
}

function openaiAnswer(nonce: string, parts: readonly string[]): Answer {
  const base = { id: nonce, created: 1, model: 'm' };
  const chunk = (delta: object, reason: string | null) =>
    `data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: reason }] })}\n\n`;
  const text = parts.join('');
  const message = { role: 'assistant', content: text };
  return {
    text,
    json: JSON.stringify({
      ...base,
      object: 'chat.completion',
      choices: [{ index: 0, message, finish_reason: 'stop' }],
    }),
    events: [...parts.map((content) => chunk({ content }, null)), chunk({}, 'stop'), 'data: [DONE]\n\n'],
  };
}

function anthropicAnswer(nonce: string, parts: readonly string[]): Answer {
  const event = (body: { type: string }) => `event: ${body.type}\ndata: ${JSON.stringify(body)}\n\n`;
  const text = parts.join('');
  const usage = { input_tokens: 1, output_tokens: 1 };
  const message = { id: nonce, type: 'message', role: 'assistant', model: 'm', usage };
  const delta = (part: string) => ({
    ...{ type: 'content_block_delta', index: 0 },
    delta: { type: 'text_delta', text: part },
  });
  const start = { ...message, content: [], stop_reason: null };
  const block = { type: 'text', text: '' };
  return {
    text,
    json: JSON.stringify({ ...message, content: [{ type: 'text', text }], stop_reason: 'end_turn' }),
    events: [
      event({ type: 'message_start', message: start } as { type: string }),
      event({ type: 'content_block_start', index: 0, content_block: block } as { type: string }),
      event({ type: 'ping' }),
      ...parts.map((part) => event(delta(part))),
      event({ type: 'content_block_stop', index: 0 } as { type: string }),
      event({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage } as { type: string }),
      event({ type: 'message_stop' }),
    ],
  };
}

export function answerOf(api: Api, nonce: string, words = WORDS): Answer {
  const parts = [`${nonce} begins`, ...words.map((word) => ` ${word}`), ` and ends ${nonce}`];
  return api === 'openai' ? openaiAnswer(nonce, parts) : anthropicAnswer(nonce, parts);
}

export const STREAM_HEADERS = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' };

/** As it should be: the whole answer, in the form that was asked for. */
export const healthy: Behaviour = ({ response, mode, answer }) => {
  if (mode === 'json') {
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(answer.json),
    });
    return void response.end(answer.json);
  }
  response.writeHead(200, STREAM_HEADERS);
  for (const event of answer.events) response.write(event);
  response.end();
};

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function asksForStream(body: string): boolean {
  try {
    return (JSON.parse(body) as { stream?: boolean }).stream === true;
  } catch {
    return false;
  }
}

let upstreams = 0;

/** @param behaviour what it does with each request; `'silent'` takes connections and says nothing, not even that it heard. */
export async function startUpstream(behaviour: Behaviour = healthy, id = 'up'): Promise<Upstream> {
  const tag = `${id}.${(upstreams += 1)}`;
  const requests: Exchange[] = [];
  const sockets = new Set<Socket>();
  const heard: Buffer[] = [];
  const counts = { connections: 0, malformed: 0 };
  let behave = behaviour;
  let gate = Promise.withResolvers<void>();

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const gone = Promise.withResolvers<void>();
    response.once('close', () => (response.writableFinished ? undefined : gone.resolve()));
    response.on('error', () => undefined);
    // Whoever goes in the middle of a request has asked nothing.
    const body = await readBody(request).catch(() => undefined);
    if (body === undefined) return;
    const { method = '', url = '', headers, socket } = request;
    const nonce = `${tag}-${requests.length + 1}`;
    const api = url.startsWith('/v1/messages') ? 'anthropic' : 'openai';
    const exchange: Exchange = {
      ...{ api, method, target: url, headers, body, nonce, response, socket },
      mode: asksForStream(body) ? 'stream' : 'json',
      answer: answerOf(api, nonce),
      seen: gate.promise,
      left: gone.promise,
    };
    requests.push(exchange);
    await behave(exchange);
  };
  const start = async (port: number): Promise<Server> => {
    const server = createServer((request, response) => void serve(request, response));
    server.on('connection', (socket) => {
      counts.connections += 1;
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', (bytes: Buffer) => heard.push(bytes));
      socket.once('close', () => sockets.delete(socket));
    });
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      // A connection that was reset said nothing wrong.
      if (error.code?.startsWith('HPE_') === true) counts.malformed += 1;
      socket.destroy();
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return server;
  };
  const stop = async (server: Server): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.resetAndDestroy();
    await closed;
  };
  let server = await start(0);
  const { port } = server.address() as AddressInfo;
  return {
    id,
    url: `http://127.0.0.1:${port}`,
    requests,
    get connections() {
      return counts.connections;
    },
    get open() {
      return sockets.size;
    },
    get malformed() {
      return counts.malformed;
    },
    bytes: () => Buffer.concat(heard).toString('latin1'),
    behave: (other) => void (behave = other),
    seen() {
      gate.resolve();
      gate = Promise.withResolvers<void>();
    },
    fall: () => stop(server),
    async rise() {
      if (!server.listening) server = await start(port);
    },
    [Symbol.asyncDispose]: () => stop(server),
  };
}
