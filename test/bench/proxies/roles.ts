// The processes of the benchmark `proxy` that run on Node: the upstream, the client, and each gateway for itself.
// Invariant: one process each, on loopback, so that what a gateway costs is what its process costs.

import { createServer } from 'node:http';
import { Server } from 'node:net';

import { Pool } from 'undici';

import { createProxy, noLog } from '../../../src/index.ts';
import { serveRoles } from '../roles.ts';
import { listening, runTraffic, startUpstream, type TrafficRequest } from './traffic.ts';

interface Config {
  readonly upstreamPort: number;
}

async function holdfast({ upstreamPort }: Config): Promise<{ info: { port: number } }> {
  const url = `http://127.0.0.1:${upstreamPort}`;
  const { port } = await createProxy({
    endpoints: [
      { id: 'a', url },
      { id: 'b', url },
    ],
    log: noLog(),
  });
  return { info: { port } };
}

const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'host']);

/** The least that one would write: no failover, no time-outs, no checks. */
async function bare({ upstreamPort }: Config): Promise<{ info: { port: number } }> {
  const pool = new Pool(`http://127.0.0.1:${upstreamPort}`);
  const server = createServer((request, response) => {
    const headers: Record<string, string | string[] | undefined> = {};
    for (const name in request.headers) if (!HOP_BY_HOP.has(name)) headers[name] = request.headers[name];
    pool
      .stream(
        { path: request.url ?? '/', method: request.method ?? 'GET', headers, body: request },
        ({ statusCode, headers: answered }) => {
          const passed: Record<string, string | string[] | undefined> = {};
          for (const name in answered) if (!HOP_BY_HOP.has(name)) passed[name] = answered[name];
          response.writeHead(statusCode, passed);
          return response;
        },
      )
      .catch(() => response.destroy());
  });
  return { info: { port: await listening(server) } };
}

/** It listens everywhere, and on a port that it is told. */
async function portkey(): Promise<{ info: { port: number } }> {
  const port = await freePort();
  const { listen } = Server.prototype;
  Server.prototype.listen = function (this: Server) {
    return listen.call(this, { port, host: '127.0.0.1' });
  } as typeof listen;
  process.argv.push('--headless', `--port=${port}`);
  // It draws while it starts, and prints each of its errors.
  console.log = console.error = () => {};
  process.stdout.write = () => true;
  // It has no types, and exports nothing.
  await import(import.meta.resolve('@portkey-ai/gateway/build/start-server.js'));
  return { info: { port } };
}

async function freePort(): Promise<number> {
  const server = new Server();
  const port = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function upstream(): Promise<{ info: { port: number } }> {
  return { info: await startUpstream() };
}

async function client({ upstreamPort }: Config): Promise<{
  commands: { run: (request: TrafficRequest) => unknown };
}> {
  return { commands: { run: (request) => runTraffic(request, upstreamPort) } };
}

await serveRoles({ upstream, client, holdfast, bare, portkey });
