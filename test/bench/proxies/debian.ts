// nginx and HAProxy as Debian has them, each with one worker, as forwarders that pass every byte on at once.
// Invariant: they keep to loopback and to a folder of their own, and are ended by their own process ids.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { listening } from './traffic.ts';

export interface Gateway {
  readonly port: number;
  /** Of the processes whose work counts. */
  pids(): number[];
  kill(): Promise<void>;
}

const nginxConfig = (folder: string, port: number, upstreamPort: number): string => `
daemon off;
worker_processes 1;
pid ${folder}/pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  keepalive_requests 100000000;
  upstream up { server 127.0.0.1:${upstreamPort}; keepalive 256; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://up;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }
  }
}
`;

const haproxyConfig = (_folder: string, port: number, upstreamPort: number): string => `
global
  nbthread 1
  maxconn 1024
defaults
  mode http
  option http-no-delay
  http-reuse always
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:${port}
  default_backend back
backend back
  server up 127.0.0.1:${upstreamPort}
`;

export const debianGateways = ['nginx', 'haproxy'] as const;
export type DebianGateway = (typeof debianGateways)[number];

/** What is missing, in words; undefined when it can run. */
export function missing(name: DebianGateway): string | undefined {
  const { error } = spawnSync(name, ['-v'], { stdio: 'ignore' });
  return error === undefined ? undefined : `${name} is not installed (apt-get install ${name}): left out`;
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export async function startDebian(name: DebianGateway, upstreamPort: number): Promise<Gateway> {
  const folder = mkdtempSync(join(tmpdir(), `bench-${name}-`));
  const port = await freePort();
  const file = join(folder, 'config');
  writeFileSync(file, (name === 'nginx' ? nginxConfig : haproxyConfig)(folder, port, upstreamPort));
  const flags = name === 'nginx' ? ['-c', file, '-p', folder, '-e', 'stderr'] : ['-f', file];
  const child = spawn(name, flags, { stdio: ['ignore', 2, 2] });
  running.add(child);
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await accepting(port, child);
  const pid = child.pid ?? -1;
  return {
    port,
    pids: () => [pid, ...childrenOf(pid)],
    async kill() {
      // Asked to end, a master ends its worker.
      child.kill('SIGTERM');
      await gone;
      running.delete(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = new Server();
  const port = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function accepting(port: number, child: ChildProcess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended with ${child.exitCode}`);
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

const TICKS_A_SECOND = 100;

/** Processor time of these processes so far, in seconds; not a number where the system does not tell. */
export function processorSeconds(pids: readonly number[]): number {
  try {
    let ticks = 0;
    for (const pid of pids) {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // After the name, which may hold anything but a closing parenthesis that is not its last.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      ticks += Number(fields[11]) + Number(fields[12]);
    }
    return ticks / TICKS_A_SECOND;
  } catch {
    return Number.NaN;
  }
}
