// Proxies that are wrong on purpose, each in one way, and otherwise forward and fail over as one does in twenty lines.
// Invariant: a test of the real proxy must fail on at least one of them.
import { once } from 'node:events';
import { createServer, request as requestOf, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * - `truncates`: when an upstream breaks off in the middle, its answer ends as if it were whole.
 * - `restarts`: the next upstream goes on in its place, from the beginning.
 * - `givesUp`: there is one attempt.
 * - `waits`: nobody tells an upstream that its client has gone.
 * - `lenient`: requests of which nobody knows where they end are read somehow.
 * - `open`: whoever names a host gets to it.
 */
export type Wrong = 'truncates' | 'restarts' | 'givesUp' | 'waits' | 'lenient' | 'open';

export interface Front extends AsyncDisposable {
  readonly url: string;
}

export async function startNaiveProxy(upstreams: readonly string[], wrong: Wrong): Promise<Front> {
  const forward = (request: IncomingMessage, body: Buffer, response: ServerResponse, tried: number): void => {
    const base = upstreams[tried];
    if (base === undefined && response.headersSent) return void response.destroy();
    if (base === undefined) return void response.writeHead(502).end('{"error":{"message":"none is left"}}');
    const again = () => {
      if (wrong === 'givesUp') return void response.destroy();
      forward(request, body, response, tried + 1);
    };
    const { method, headers, url = '/' } = request;
    const target = wrong === 'open' ? new URL(url, base) : new URL(base + url);
    const outgoing = requestOf(target, { method, headers: { ...headers, host: target.host }, agent: false });
    outgoing.setTimeout(1_000, () => outgoing.destroy());
    outgoing.on('error', () => (response.headersSent ? undefined : again()));
    outgoing.on('response', (answer) => {
      const { statusCode = 502 } = answer;
      if (statusCode >= 500 || statusCode === 429 || statusCode === 408) return again();
      const { 'content-type': type, 'content-encoding': encoding = 'identity' } = answer.headers;
      if (!response.headersSent)
        response.writeHead(statusCode, { 'content-type': type, 'content-encoding': encoding });
      answer.on('data', (bytes: Buffer) => response.write(bytes));
      answer.on('end', () => response.end());
      answer.on('error', () => (wrong === 'restarts' ? again() : response.end()));
    });
    if (wrong !== 'waits') response.once('close', () => outgoing.destroy());
    outgoing.end(body);
  };
  const server = createServer({ insecureHTTPParser: wrong === 'lenient' }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => forward(request, Buffer.concat(chunks), response, 0));
    request.on('error', () => undefined);
    response.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
