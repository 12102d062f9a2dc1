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

export class NodeExchange implements HttpExchange {
  readonly method: string;
  readonly target: string;
  readonly version: '1.0' | '1.1';
  readonly headers: HeaderList;
  readonly bodyLength: number | undefined;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #expects: 'nothing' | 'continue';
  #phase: 'open' | 'over' = 'open';

  constructor(request: IncomingMessage, response: ServerResponse, expects: 'nothing' | 'continue') {
    this.#request = request;
    this.#response = response;
    this.#expects = expects;
    this.method = request.method ?? '';
    this.target = request.url ?? '';
    this.version = request.httpVersion === '1.0' ? '1.0' : '1.1';
    this.headers = request.rawHeaders;
    this.bodyLength = bodyLengthOf(request.rawHeaders);
  }

  get remoteAddress(): string {
    return this.#request.socket.remoteAddress ?? '';
  }

  handle(handlers: { drained(): void; closed(): void }): void {
    // A connection that breaks says so by `close`, too.
    this.#request.on('error', () => {});
    this.#response.on('error', () => {});
    this.#response.on('drain', () => {
      if (this.#phase === 'open') handlers.drained();
    });
    this.#response.on('close', () => {
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
    return this.#response.write(bytes) ? 'more' : 'full';
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
    if (bytes === undefined) this.#response.end();
    else this.#response.end(bytes);
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
    if (this.#response.headersSent) this.#response.write(EMPTY, destroy);
    else destroy();
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
