// A real etcd on loopback, for one test or one file: its data in a folder of its own, its ports free ones.
// Invariant: only processes that were started here are signalled, by their own id; their folders go with them.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const etcdMissing =
  'etcd is not installed: run `npm run setup:system` (Debian), or install etcd 3.4 or newer';

export interface EtcdServer {
  /** `127.0.0.1:port`, for clients. */
  readonly endpoint: string;
  readonly port: number;
  readonly name: string;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same data and ports, after `kill`. */
  restart(): Promise<void>;
  /** SIGSTOP and SIGCONT. */
  pause(): void;
  resume(): void;
  /** Ends it and deletes its data. */
  close(): Promise<void>;
}

export interface EtcdServerOptions {
  readonly args?: readonly string[];
  /** Its data lies in a new folder whose path begins so. @default one in memory, where there is a place for that */
  readonly folder?: string | undefined;
  /** Clients must use TLS then. PEM text. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
}

/** Ports that were free a moment ago. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  for (const server of servers) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

interface Member {
  readonly name: string;
  readonly port: number;
  readonly peerPort: number;
}

/** One member elects itself at once; several must not take a busy machine for a dead leader. */
const alone = ['--heartbeat-interval=10', '--election-timeout=50'];
const together = ['--heartbeat-interval=100', '--election-timeout=1000'];

const common = [
  '--quota-backend-bytes=67108864',
  '--logger=zap',
  '--log-outputs=stderr',
  '--log-level=error',
];

/** A file system in memory keeps what a killed process wrote, and spares the disk's fsyncs. */
const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

class Server implements EtcdServer {
  readonly endpoint: string;
  readonly port: number;
  readonly name: string;
  readonly #folder: string;
  readonly #args: readonly string[];
  #process: ChildProcess | undefined;
  #output = '';

  constructor(
    { name, port, peerPort }: Member,
    cluster: string,
    { args = [], tls, folder = join(base, 'holdfast-etcd-') }: EtcdServerOptions,
  ) {
    this.name = name;
    this.port = port;
    this.endpoint = `127.0.0.1:${port}`;
    this.#folder = mkdtempSync(folder);
    const client = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
    const tlsArgs = Object.entries(tls ?? {}).map(([part, pem]) => {
      const path = join(this.#folder, `${part}.pem`);
      writeFileSync(path, pem);
      return `--${part}-file=${path}`;
    });
    const peer = `http://127.0.0.1:${peerPort}`;
    this.#args = [
      `--name=${name}`,
      `--data-dir=${join(this.#folder, 'data')}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=${cluster}`,
      '--initial-cluster-token=holdfast-test',
      '--initial-cluster-state=new',
      ...common,
      ...tlsArgs,
      ...args,
    ];
  }

  async start(): Promise<void> {
    const child = spawn('etcd', this.#args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    this.#output = '';
    let missing: Error | undefined;
    child.on('error', (error) => (missing = error));
    const keep = (text: Buffer): void =>
      void (this.#output = (this.#output + text.toString()).slice(-20_000));
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    while (!(await accepts(this.port))) {
      if (missing !== undefined) throw new Error(etcdMissing, { cause: missing });
      if (child.exitCode !== null)
        throw new Error(`etcd ended with ${child.exitCode} before it listened:\n${this.#output}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  restart(): Promise<void> {
    return this.start();
  }

  pause(): void {
    this.#process?.kill('SIGSTOP');
  }

  resume(): void {
    this.#process?.kill('SIGCONT');
  }

  async close(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Whether somebody listens there. etcd listens for clients when it can serve them. */
function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/**
 * Starts the members of a new cluster; each is closed by its starter.
 * @throws Error that says how to install etcd where it is missing
 */
export async function startEtcdCluster(
  size: number,
  { args = [], ...options }: EtcdServerOptions = {},
): Promise<EtcdServer[]> {
  const ports = await freePorts(size * 2);
  const members = Array.from({ length: size }, (_, i) => ({
    name: `m${i}`,
    port: ports[2 * i] as number,
    peerPort: ports[2 * i + 1] as number,
  }));
  const cluster = members.map(({ name, peerPort }) => `${name}=http://127.0.0.1:${peerPort}`).join(',');
  const times = size === 1 ? alone : together;
  const servers = members.map(
    (member) => new Server(member, cluster, { ...options, args: [...times, ...args] }),
  );
  try {
    await Promise.all(servers.map((server) => server.start()));
  } catch (error) {
    await Promise.all(servers.map((server) => server.close()));
    throw error;
  }
  return servers;
}

export async function startEtcd(options: EtcdServerOptions = {}): Promise<EtcdServer> {
  const [server] = await startEtcdCluster(1, options);
  return server as EtcdServer;
}
