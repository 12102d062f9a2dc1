// Every way in which an upstream fails here, and what a client behind a proxy may see of it.
// Invariant: a fault is decided by what the upstream sends, and by nothing that depends on time.
import { gzipSync } from 'node:zlib';
import { healthy, STREAM_HEADERS, type Behaviour, type Exchange } from './upstreams.ts';

/**
 * What a client may see when another upstream is healthy.
 * - `answer`: the right answer; the failure came before anything was passed on.
 * - `error`: an error, since part of the answer was passed on.
 * - `either`: one of both. Never anything else: part of an answer as if it were whole, or two answers.
 */
export type Seen = 'answer' | 'error' | 'either';

export interface Fault {
  /** `refuses`: nobody listens there. */
  readonly behaviour: Behaviour | 'refuses';
  readonly stream: Seen;
  readonly json: Seen;
  /** Only a time-out ends it. */
  readonly ends?: 'never';
}

type Ending = 'FIN' | 'RST' | 'silence';

function cut({ socket }: Exchange, ending: Ending): void {
  if (ending === 'FIN') socket.end();
  if (ending === 'RST') socket.resetAndDestroy();
}

/** When bytes that were written have left: a reset takes what has not. */
const written = (exchange: Exchange, bytes: string | Buffer) =>
  new Promise<void>((resolve) => exchange.socket.write(bytes, () => resolve()));

const headOf = ({ mode, answer }: Exchange, extra = ''): string =>
  mode === 'stream'
    ? `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n${extra || 'transfer-encoding: chunked\r\n'}\r\n`
    : `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${extra || `content-length: ${Buffer.byteLength(answer.json)}\r\n`}\r\n`;

const chunk = (bytes: string): string => `${Buffer.byteLength(bytes).toString(16)}\r\n${bytes}\r\n`;

const status =
  (code: number, headers: Readonly<Record<string, string>> = {}): Behaviour =>
  ({ response, api, nonce }) => {
    const error = { type: 'overloaded_error', message: `${nonce} is out of order`, code: 'overloaded' };
    response.writeHead(code, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(api === 'openai' ? { error } : { type: 'error', error }));
  };

/** The head, and then nothing but an end. */
const afterHead =
  (ending: Ending): Behaviour =>
  async (exchange) => {
    await written(exchange, headOf(exchange));
    cut(exchange, ending);
  };

/** Half of the answer, of which a client of a stream has seen something. */
const inTheMiddle =
  (ending: Ending): Behaviour =>
  async (exchange) => {
    const { mode, answer, seen } = exchange;
    const half =
      mode === 'json'
        ? answer.json.slice(0, answer.json.length / 2)
        : answer.events.slice(0, 6).map(chunk).join('');
    await written(exchange, headOf(exchange) + half);
    if (mode === 'stream') await seen;
    cut(exchange, ending);
  };

const failedEvent = (api: Exchange['api']): string =>
  api === 'openai'
    ? 'data: {"error":{"message":"the model is on fire","type":"server_error","code":null}}\n\n'
    : 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n';

/** A stream of these events of the answer (and others), each when a client has seen what came before. */
function stream({ response }: Exchange, events: readonly string[]): void {
  response.writeHead(200, STREAM_HEADERS);
  for (const event of events) response.write(event);
  response.end();
}

const withLength =
  (difference: number): Behaviour =>
  async (exchange) => {
    const { mode, answer } = exchange;
    const body = mode === 'json' ? answer.json : answer.events.join('');
    const length = Buffer.byteLength(body) + difference;
    await written(exchange, headOf(exchange, `content-length: ${length}\r\n`) + body);
    exchange.socket.end();
  };

/** Compressed, as the client allowed; `spoil` makes something else of the bytes. */
export const zipped =
  (spoil: (bytes: Buffer) => Buffer = (bytes) => bytes): Behaviour =>
  ({ response, mode, answer, headers }) => {
    const plain = Buffer.from(mode === 'json' ? answer.json : answer.events.join(''));
    // A proxy that did not offer it gets none.
    const offered = /\bgzip\b/.test(String(headers['accept-encoding']));
    const bytes = offered ? spoil(gzipSync(plain)) : plain;
    const type = mode === 'json' ? 'application/json' : 'text/event-stream';
    response.writeHead(200, { 'content-type': type, ...(offered ? { 'content-encoding': 'gzip' } : {}) });
    response.end(bytes);
  };

/** A few bytes at a time, in packets of their own if the platform pleases. */
export const dripping: Behaviour = async (exchange) => {
  const { mode, answer, response } = exchange;
  const bytes = Buffer.from(mode === 'json' ? answer.json : answer.events.join(''));
  response.writeHead(200, { 'content-type': mode === 'json' ? 'application/json' : 'text/event-stream' });
  for (let at = 0; at < bytes.length && !response.destroyed; at += 3) {
    response.write(bytes.subarray(at, at + 3));
    await new Promise((resolve) => setImmediate(resolve));
  }
  response.end();
};

/** Lines end in CRLF, comments stand between events, and the text begins with a byte order mark. */
export const ornate: Behaviour = (exchange) => {
  if (exchange.mode === 'json') return healthy(exchange);
  const events = exchange.answer.events.map((event) => `: still here\n\n${event}`);
  stream(
    exchange,
    [`\uFEFF${events[0]}`, ...events.slice(1)].map((event) => event.replaceAll('\n', '\r\n')),
  );
};

const HTML = '<html><body><h1>It works!</h1></body></html>';

/** Nothing was passed on, so a client sees nothing of it. */
const hidden = (behaviour: Fault['behaviour']): Fault => ({ behaviour, stream: 'answer', json: 'answer' });
/** Of a stream a client may have seen all that it needs. */
const either = (behaviour: Behaviour): Fault => ({ behaviour, stream: 'either', json: 'answer' });
/** Of a stream a client has seen something; of a JSON answer it can see nothing but all. */
const shown = (behaviour: Behaviour): Fault => ({ behaviour, stream: 'error', json: 'answer' });

export const faults: Readonly<Record<string, Fault>> = {
  'refuses connections': hidden('refuses'),
  'accepts a request and says nothing': { ...hidden(() => {}), ends: 'never' },
  'resets the connection before its answer': hidden((exchange) => cut(exchange, 'RST')),
  'ends the connection before its answer': hidden((exchange) => cut(exchange, 'FIN')),
  'answers 500': hidden(status(500)),
  'answers 503': hidden(status(503)),
  'answers 529': hidden(status(529)),
  'answers 408': hidden(status(408)),
  'answers 429 with seconds in Retry-After': hidden(status(429, { 'retry-after': '1' })),
  'answers 429 with a date in Retry-After': hidden((exchange) =>
    status(429, { 'retry-after': new Date(Date.now() + 1_000).toUTCString() })(exchange),
  ),
  'sends what is not HTTP': hidden(({ socket }) => void socket.end('220 mail.example ESMTP ready\r\n')),
  'sends an answer with 200 KiB of headers': hidden(({ socket }) => {
    const many = Array.from({ length: 200 }, (_, index) => `x-${index}: ${'h'.repeat(1_024)}\r\n`).join('');
    socket.write(`HTTP/1.1 200 OK\r\n${many}\r\n`);
  }),
  'sends its head and then nothing': { ...hidden(afterHead('silence')), ends: 'never' },
  'sends its head and resets': hidden(afterHead('RST')),
  'sends its head and ends': hidden(afterHead('FIN')),
  'hangs in the middle': { ...shown(inTheMiddle('silence')), ends: 'never' },
  'resets in the middle': shown(inTheMiddle('RST')),
  'ends in the middle': shown(inTheMiddle('FIN')),
  'sends fewer bytes than it announced': either(withLength(+10)),
  'sends more bytes than it announced': either(withLength(-40)),
  'answers 200 with something that is not JSON': hidden(({ response }) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(HTML);
  }),
  'answers 200 with a page for people': hidden(({ response }) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end(HTML);
  }),
  'sends an event stream of garbage': {
    behaviour: (exchange) => {
      if (exchange.mode === 'json') return healthy(exchange);
      stream(exchange, ['\u0000\u0001garbage\n\n'.repeat(50)]);
    },
    ...{ stream: 'answer', json: 'answer' },
  },
  'sends comments and no event, and resets': {
    behaviour: async (exchange) => {
      if (exchange.mode === 'json') return healthy(exchange);
      await written(exchange, headOf(exchange) + chunk(': processing\n\n').repeat(3));
      cut(exchange, 'RST');
    },
    ...{ stream: 'answer', json: 'answer' },
  },
  'sends an empty event stream': {
    behaviour: (exchange) => (exchange.mode === 'json' ? healthy(exchange) : stream(exchange, [])),
    ...{ stream: 'answer', json: 'answer' },
  },
  'sends an error as its first event': {
    behaviour: (exchange) => {
      if (exchange.mode === 'json') return healthy(exchange);
      stream(exchange, [failedEvent(exchange.api)]);
    },
    ...{ stream: 'answer', json: 'answer' },
  },
  'sends an error event after others': {
    behaviour: async (exchange) => {
      const { mode, answer, api, response, seen } = exchange;
      if (mode === 'json') return healthy(exchange);
      response.writeHead(200, STREAM_HEADERS);
      for (const event of answer.events.slice(0, 6)) response.write(event);
      await seen;
      response.end(failedEvent(api));
    },
    ...{ stream: 'error', json: 'answer' },
  },
  'ends its stream as if it were whole, without the last events': {
    behaviour: async (exchange) => {
      const { mode, answer, response, seen } = exchange;
      if (mode === 'json') return healthy(exchange);
      response.writeHead(200, STREAM_HEADERS);
      for (const event of answer.events.slice(0, 6)) response.write(event);
      await seen;
      response.end();
    },
    ...{ stream: 'error', json: 'answer' },
  },
  'sends everything but the last chunk, and ends': either(async (exchange) => {
    const { mode, answer } = exchange;
    const body = mode === 'json' ? [answer.json] : answer.events;
    const head = headOf(exchange, 'transfer-encoding: chunked\r\n');
    await written(exchange, head + body.map(chunk).join(''));
    exchange.socket.end();
  }),
  'sends a chunk of no size in the middle': shown(async (exchange) => {
    const { mode, answer, seen } = exchange;
    if (mode === 'json')
      return written(exchange, `${headOf(exchange, 'transfer-encoding: chunked\r\n')}zz\r\n`);
    await written(exchange, headOf(exchange) + answer.events.slice(0, 6).map(chunk).join(''));
    await seen;
    exchange.socket.write('zz\r\n');
  }),
  'sends gzip that is broken': hidden(
    zipped((bytes) => Buffer.concat([bytes.subarray(0, 30), Buffer.alloc(60, 7)])),
  ),
  'sends gzip that is cut short': hidden(zipped((bytes) => bytes.subarray(0, bytes.length * 0.8))),
};
