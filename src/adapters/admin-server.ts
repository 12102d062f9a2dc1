// A small HTTP server for operators: pages to read, and a few commands.
// Invariant: what another site's page can make a browser send here neither reads nor does anything.
//
// Three things hold that. The Host header must name this machine, or else a name that its owner points at 127.0.0.1 would make
// this server part of his site (DNS rebinding). A request that a page of another origin sent says so (Origin, Sec-Fetch-Site),
// and is refused. A command must say that it is JSON, which no form can and no script may without a preflight.
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';
import { isLoopback } from '../protocol/loopback.ts';

/** What is at one path. A command is given its JSON body; undefined when it has none. */
export interface AdminRoute {
  readonly GET?: () => Page | Promise<Page>;
  readonly POST?: (body: unknown) => Page | Promise<Page>;
}

export interface AdminServerOptions {
  readonly host: string;
  /** 0 chooses a free one. */
  readonly port: number;
  /** Shown as `Authorization: Bearer …`. Without it the server listens on loopback only. @default none */
  readonly token?: string | undefined;
  readonly routes: Readonly<Record<string, AdminRoute>>;
}

export interface AdminServer {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  /** Ends connections, too; resolves when the port is free. Twice is as once. */
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 65_536;
const MAX_HEADER_BYTES = 8_192;
const REQUEST_TIMEOUT_MS = 10_000;

/** @throws HoldfastError `invalid_option` when others could reach it and nothing asks them who they are */
export function checkAdminReach({ host, token }: Pick<AdminServerOptions, 'host' | 'token'>): void {
  if (token === '') throw invalid('the token of the admin API is empty; leave it out, or give a secret');
  if (token !== undefined || isLoopback(host)) return;
  throw invalid(
    `the admin API at ${host} can be reached from other machines: it needs a token ` +
      '(--admin-token or HOLDFAST_ADMIN_TOKEN); or listen at 127.0.0.1',
  );
}

function invalid(message: string): HoldfastError {
  return new HoldfastError(message, { code: 'invalid_option' });
}

/** @throws HoldfastError `invalid_option`; an error of the system when the port is taken */
export async function serveAdmin(options: AdminServerOptions): Promise<AdminServer> {
  checkAdminReach(options);
  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: REQUEST_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
  });
  server.on('request', (request, response) => {
    answer(options, request)
      .catch((error: unknown) => {
        if (error instanceof Refusal) return error;
        return new Refusal(500, 'error', `this page failed: ${(error as Error).message}`);
      })
      .then((page) => send(request, response, page))
      .catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      server.off('error', reject);
      // Out of file descriptors, for example: one who asked is lost, the server goes on.
      server.on('error', () => {});
      resolve();
    });
  });
  const ended = new Promise<void>((resolve) => server.once('close', () => resolve()));
  const { address, port, family } = server.address() as AddressInfo; // not a pipe: we gave it a port
  const host = family === 'IPv6' ? `[${address}]` : address;
  return {
    host: address,
    port,
    url: `http://${host}:${port}`,
    close() {
      if (server.listening) server.close();
      server.closeAllConnections();
      return ended;
    },
  };
}

/** A request that gets no page, and why. */
class Refusal extends Error implements Page {
  readonly status: number;
  readonly contentType = 'application/json; charset=utf-8';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;

  constructor(status: number, code: string, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
    this.body = `${JSON.stringify({ code, message })}\n`;
  }
}

async function answer(options: AdminServerOptions, request: IncomingMessage): Promise<Page> {
  admit(options, request);
  const path = (request.url ?? '/').replace(/[?#].*$/s, '');
  const route = Object.hasOwn(options.routes, path) ? options.routes[path] : undefined;
  if (route === undefined) {
    const known = Object.keys(options.routes).join(', ');
    throw new Refusal(404, 'not_found', `there is nothing at ${path}; there are ${known}`);
  }
  const { GET, POST } = route;
  const { method } = request;
  if ((method === 'GET' || method === 'HEAD') && GET !== undefined) return GET();
  if (method === 'POST' && POST !== undefined) return command(POST, await readJson(request));
  const allow = [...(GET === undefined ? [] : ['GET', 'HEAD']), ...(POST === undefined ? [] : ['POST'])];
  throw new Refusal(405, 'invalid_argument', `${method} is not for ${path}; use ${allow.join(', ')}`, {
    allow: allow.join(', '),
  });
}

/** @throws Refusal of who may not ask */
function admit({ token }: AdminServerOptions, { headers }: IncomingMessage): void {
  if (token === undefined && !isLoopback((headers.host ?? '').replace(/:\d+$/, '')))
    throw new Refusal(421, 'forbidden', 'this is no name of this machine; ask 127.0.0.1 or localhost');
  const site = headers['sec-fetch-site'];
  if (headers.origin !== undefined || (site !== undefined && site !== 'none' && site !== 'same-origin'))
    throw new Refusal(403, 'forbidden', 'pages of other sites may not ask here');
  if (token !== undefined && !isSame(headers.authorization ?? '', `Bearer ${token}`))
    throw new Refusal(
      401,
      'forbidden',
      'wrong token, or none; check --admin-token, or HOLDFAST_ADMIN_TOKEN',
      {
        'www-authenticate': 'Bearer',
      },
    );
}

/** In the same time, whatever the difference is. */
function isSame(given: string, wanted: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? ''))
    throw new Refusal(
      415,
      'invalid_argument',
      'a command is JSON: send it with content-type: application/json',
    );
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > MAX_BODY_BYTES)
      throw new Refusal(413, 'value_too_large', `a command has at most ${MAX_BODY_BYTES} bytes`);
    parts.push(part);
  }
  const text = Buffer.concat(parts).toString();
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Refusal(400, 'invalid_argument', 'the body is not JSON');
  }
}

/** What the command refuses is the asker's mistake; what else goes wrong is ours. */
async function command(act: NonNullable<AdminRoute['POST']>, body: unknown): Promise<Page> {
  try {
    return await act(body);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'invalid_argument')
      throw new Refusal(400, error.code, error.message);
    throw error;
  }
}

function send(request: IncomingMessage, response: ServerResponse, page: Page): void {
  response.writeHead(page.status, {
    'content-type': page.contentType,
    'content-length': Buffer.byteLength(page.body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'same-origin',
    ...(page instanceof Refusal ? page.headers : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : page.body);
}
