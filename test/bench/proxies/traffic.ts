// The traffic of the benchmark `proxy`: a chat completion, whole (1 KiB of JSON) or as a stream of 200 events.
// Invariant: bytes on sockets, no HTTP library on either end: what is measured is the proxy between them.

import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export type Kind = 'json' | 'stream';

export const EVENTS = 200;
/** Events that leave in one turn of the upstream's loop: a model is never that fast, its network may be. */
const EVENTS_A_TURN = 10;

const text = 'x'.repeat(700);
const answer = JSON.stringify({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'bench',
  choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
}).replace(text, (found) => found.padEnd(1_024 - 245, 'x'));
const wholeAnswer = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${answer.length}\r\n\r\n${answer}`,
);

const chunked = (data: string): string => `${data.length.toString(16)}\r\n${data}\r\n`;
const event = (content: string): string =>
  chunked(
    `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'bench', choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`,
  );
const streamHead = Buffer.from(
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n',
);
const oneEvent = Buffer.from(event(' token'));
const streamEnd = Buffer.from(`${chunked('data: [DONE]\n\n')}0\r\n\r\n`);

/** An upstream: it looks for nothing in a request but its end, and whether a stream is asked for. */
export async function startUpstream(): Promise<{ port: number }> {
  const server = createServer({ noDelay: true }, (socket) => {
    let pending = '';
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      pending += bytes.toString('latin1');
      const end = pending.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(/content-length: *(\d+)/i.exec(pending)?.[1] ?? 0);
      if (pending.length < end + 4 + length) return;
      const isStream = pending.includes('"stream":true', end);
      pending = '';
      if (isStream) stream(socket);
      else socket.write(wholeAnswer);
    });
  });
  return { port: await listening(server) };
}

function stream(socket: Socket): void {
  socket.write(streamHead);
  let left = EVENTS;
  const turn = (): void => {
    if (socket.destroyed) return;
    for (let i = 0; i < EVENTS_A_TURN; i += 1) socket.write(oneEvent);
    left -= EVENTS_A_TURN;
    if (left > 0) setImmediate(turn);
    else socket.write(streamEnd);
  };
  turn();
}

export async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

export interface TrafficRequest {
  readonly port: number;
  readonly kind: Kind;
  /** Connections, each with one request at a time. */
  readonly connections: number;
  readonly warmUpMs: number;
  readonly durationMs: number;
}

export interface TrafficResult {
  readonly answers: number;
  readonly elapsedMs: number;
  /** One sample an answer, in µs. */
  readonly latenciesUs: Float64Array;
}

const MAX_SAMPLES = 500_000;

/** Headers beyond the usual are for those gateways that must be told where to go. */
function requestOf(kind: Kind, upstreamPort: number): Buffer {
  const body = JSON.stringify({
    model: 'bench',
    messages: [{ role: 'user', content: 'Say something.' }],
    ...(kind === 'stream' ? { stream: true } : {}),
  });
  const head = [
    'POST /v1/chat/completions HTTP/1.1',
    'Host: 127.0.0.1',
    'Content-Type: application/json',
    'Authorization: Bearer bench',
    'Accept: application/json',
    'User-Agent: bench',
    'X-Portkey-Provider: openai',
    `X-Portkey-Custom-Host: http://127.0.0.1:${upstreamPort}/v1`,
    `Content-Length: ${body.length}`,
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** Where an answer ends, if it is here as a whole; it must be the right one. */
function isComplete(kind: Kind, received: string): boolean {
  if (kind === 'stream') return received.endsWith('0\r\n\r\n');
  const head = received.indexOf('\r\n\r\n');
  if (head < 0) return false;
  if (/\r\ntransfer-encoding: *chunked/i.test(received.slice(0, head))) return received.endsWith('0\r\n\r\n');
  return received.length >= head + 4 + Number(/\r\ncontent-length: *(\d+)/i.exec(received)?.[1] ?? Infinity);
}

function check(kind: Kind, received: string): void {
  const events = kind === 'stream' ? unchunked(received).split('"content":" token"').length - 1 : 0;
  const isRight = received.startsWith('HTTP/1.1 200') && (kind === 'json' || events === EVENTS);
  if (!isRight) throw new Error(`a wrong answer, with ${events} events: ${received.slice(0, 300)}`);
}

/** A gateway may cut chunks anew. */
function unchunked(received: string): string {
  let at = received.indexOf('\r\n\r\n') + 4;
  let body = '';
  for (;;) {
    const end = received.indexOf('\r\n', at);
    const length = Number.parseInt(received.slice(at, end), 16);
    if (!(length > 0)) return body;
    body += received.slice(end + 2, end + 2 + length);
    at = end + 4 + length;
  }
}

/** Keeps all connections busy, and counts. */
export async function runTraffic(request: TrafficRequest, upstreamPort: number): Promise<TrafficResult> {
  const { port, kind, connections, warmUpMs, durationMs } = request;
  const bytes = requestOf(kind, upstreamPort);
  const samples = new Float64Array(MAX_SAMPLES);
  const startedAt = performance.now();
  let sampled = 0;
  let answers = 0;
  const worker = async (): Promise<void> => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    try {
      await new Promise<void>((resolve, reject) => {
        let received = '';
        let sentAt = 0;
        const send = (): void => {
          sentAt = performance.now();
          socket.write(bytes);
        };
        socket.on('connect', send).on('error', reject);
        socket.on('close', () =>
          reject(new Error(`the connection ended after ${JSON.stringify(received.slice(0, 300))}`)),
        );
        socket.on('data', (chunk) => {
          received += chunk.toString('latin1');
          if (!isComplete(kind, received)) return;
          const now = performance.now();
          try {
            check(kind, received);
          } catch (error) {
            reject(error as Error);
          }
          received = '';
          if (now - startedAt > warmUpMs) {
            answers += 1;
            if (sampled < MAX_SAMPLES) samples[sampled++] = (now - sentAt) * 1_000;
          }
          if (now - startedAt > warmUpMs + durationMs) resolve();
          else send();
        });
      });
    } finally {
      socket.destroy();
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
  return {
    answers,
    elapsedMs: performance.now() - startedAt - warmUpMs,
    latenciesUs: samples.slice(0, sampled),
  };
}
