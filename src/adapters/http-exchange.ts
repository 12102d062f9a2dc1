// One request of node:http's server and the answer to it, as the port HttpExchange has it.
// Invariant: an answer is either ended or cut, once; after that nothing is written and nobody is called.
import {
  validateHeaderName,
  validateHeaderValue,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';

import type { HeaderList, HttpExchange } from '../ports.ts';

/** How long a client that is cut may take what was written before, and one that is answered may go on with its body. */
export const LINGER_MS = 2_000;

const EMPTY = Buffer.alloc(0);
/** What is gathered within a turn before the upstream is held back, as Node does it. */
const HIGH_WATER_BYTES = 65_536;

export class NodeExchange implements HttpExchange {
  readonly method: string;
  readonly target: string;
  readonly version: '1.0' | '1.1';
  readonly headers: HeaderList;
  readonly bodyLength: number | undefined;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly remoteAddress: string;
  readonly #connection: { busy: number };
  #expects: 'nothing' | 'continue';
  #phase: 'open' | 'over' = 'open';
  /** Written in this turn: it leaves at its end, in one chunk. An upstream's small chunks come many at a time. */
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  #handlers: { drained(): void } | undefined;
  /** Whether `drain` is listened to: most answers never fill a buffer. */
  #listening: 'no' | 'yes' = 'no';

  /** @param connection counts the exchanges that are under way on it; this one is among them */
  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    expects: 'nothing' | 'continue',
    connection: { busy: number },
  ) {
    this.#request = request;
    this.#response = response;
    this.#expects = expects;
    this.#connection = connection;
    this.method = request.method ?? '';
    this.target = request.url ?? '';
    this.version = request.httpVersion === '1.0' ? '1.0' : '1.1';
    this.headers = request.rawHeaders;
    this.remoteAddress = request.socket.remoteAddress ?? '';
    this.bodyLength = bodyLengthOf(request.rawHeaders);
  }

  handle(handlers: { drained(): void; closed(): void }): void {
    this.#handlers = handlers;
    // A connection that breaks says so by `close`, too.
    this.#response.on('error', ignore);
    this.#response.on('close', () => {
      this.#connection.busy -= 1;
      if (this.#phase === 'over') return;
      this.#phase = 'over';
      handlers.closed();
    });
  }

  readWhole(done: (bytes: Uint8Array) => void): void {
    this.#invite();
    const chunks: Uint8Array[] = [];
    this.#request.on('data', (chunk: Uint8Array) => chunks.push(chunk));
    this.#request.once('end', () => {
      const [first = EMPTY] = chunks;
      if (this.#phase === 'open') done(chunks.length > 1 ? Buffer.concat(chunks) : first);
    });
  }

  body(): AsyncIterable<Uint8Array> {
    this.#invite();
    // Whoever stops reading still wants to answer.
    return { [Symbol.asyncIterator]: () => this.#request.iterator({ destroyOnReturn: false }) };
  }

  inform(status: number, headers: HeaderList): void {
    if (this.#phase === 'over' || this.#response.headersSent || this.version === '1.0') return;
    if (status === 102) this.#response.writeProcessing();
    if (status !== 103) return;
    const links: string[] = [];
    for (let i = 0; i < headers.length; i += 2) {
      const value = headers[i + 1];
      if (headers[i] === 'link' && value !== undefined) links.push(value);
    }
    try {
      if (links.length > 0) this.#response.writeEarlyHints({ link: links });
    } catch {
      // A link that Node takes for none: a hint less.
    }
  }

  start(status: number, reason: string, headers: HeaderList): void {
    if (this.#phase === 'over') return;
    const response = this.#response;
    try {
      if (reason === '') response.writeHead(status, headers as string[]);
      else response.writeHead(status, reason, headers as string[]);
    } catch {
      // An upstream may say what must not be said; the rest of its answer is as good as any.
      response.writeHead(status, passable(headers));
    }
  }

  write(bytes: Uint8Array): 'more' | 'full' {
    if (this.#phase === 'over') return 'more';
    if (this.#gathered.length === 0) process.nextTick(() => this.#leave());
    this.#gathered.push(bytes);
    this.#gatheredBytes += bytes.length;
    if (!this.#response.writableNeedDrain && this.#gatheredBytes <= HIGH_WATER_BYTES) return 'more';
    if (this.#listening === 'no') this.#response.on('drain', () => this.#drained());
    this.#listening = 'yes';
    return 'full';
  }

  end(bytes?: Uint8Array, trailers: HeaderList = []): void {
    if (this.#phase === 'over') return;
    this.#phase = 'over';
    if (trailers.length > 0) {
      const pairs: [string, string][] = [];
      const list = passable(trailers);
      for (let i = 0; i < list.length; i += 2) pairs.push([list[i] ?? '', list[i + 1] ?? '']);
      this.#response.addTrailers(pairs);
    }
    const last = this.#gather(bytes);
    if (last === undefined) this.#response.end();
    else this.#response.end(last);
    if (!this.#request.complete) this.#linger();
  }

  cut(): void {
    if (this.#phase === 'over') return;
    this.#phase = 'over';
    const { socket } = this.#request;
    // To HTTP/1.0 the end of the connection may be the end of the answer: only a reset says that it is not.
    const destroy = (): void => {
      clearTimeout(timer);
      if (this.version === '1.0') socket.resetAndDestroy();
      else socket.destroy();
    };
    const timer = setTimeout(destroy, LINGER_MS).unref();
    if (this.#response.headersSent) this.#response.write(this.#gather() ?? EMPTY, destroy);
    else destroy();
  }

  /** All that was gathered, and this. */
  #gather(bytes?: Uint8Array): Uint8Array | undefined {
    const all = this.#gathered;
    if (all.length === 0) return bytes;
    if (bytes !== undefined) all.push(bytes);
    this.#gathered = [];
    this.#gatheredBytes = 0;
    return all.length === 1 ? all[0] : Buffer.concat(all);
  }

  #drained(): void {
    if (this.#phase === 'open') this.#handlers?.drained();
  }

  #leave(): void {
    const isMuch = this.#gatheredBytes > HIGH_WATER_BYTES;
    const bytes = this.#phase === 'open' ? this.#gather() : undefined;
    // It was called full, and is not: nothing else would say so.
    if (bytes !== undefined && this.#response.write(bytes) && isMuch) this.#drained();
  }

  /** The client may send its body: it waited to be asked. */
  #invite(): void {
    if (this.#expects === 'continue') this.#response.writeContinue();
    this.#expects = 'nothing';
  }

  /** The client is still sending: were the connection ended now, it might never read its answer. */
  #linger(): void {
    const request = this.#request;
    const timer = setTimeout(() => request.socket.destroy(), LINGER_MS).unref();
    request.once('close', () => clearTimeout(timer));
    // Whoever read it reads no more, and would keep it from flowing.
    request.removeAllListeners('readable');
    request.removeAllListeners('data');
    request.resume();
  }
}

function ignore(): void {}

/** Without the headers that node:http refuses to send. */
function passable(headers: HeaderList): string[] {
  const list: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const [name = '', value = ''] = [headers[i], headers[i + 1]];
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
      list.push(name, value);
    } catch {
      // Left out.
    }
  }
  return list;
}

/** The parser has made sure that there is one length at most, and none beside `Transfer-Encoding`. */
function bodyLengthOf(headers: readonly string[]): number | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? '';
    if (name.length === 14 && name.toLowerCase() === 'content-length') return Number(headers[i + 1]);
    if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') return undefined;
  }
  return 0;
}
