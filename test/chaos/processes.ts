// Role processes of one test: forked, asked, killed, paused, and ended with the test.
// Invariant: only processes that were forked here are signalled, by their own pid.
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type { HubOptions, HubStatus, NodeStatus, PeerStatus } from '../../src/index.ts';
import { eventually, within } from './eventually.ts';
import type { Answer, Told } from './roles/role.ts';
import type { NodeRoleOptions } from './roles/node.ts';

export interface ForkOptions {
  readonly execPath?: string;
  readonly execArgv?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

export interface Role {
  readonly pid: number;
  /** All that it told, in order. */
  readonly told: Told[];
  ask<T>(question: string, ...args: readonly unknown[]): Promise<T>;
  /** The first thing told that fits, now or later. */
  hears(what: string, fits: (told: Told) => boolean, withinMs?: number): Promise<Told>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** SIGSTOP and SIGCONT. */
  pause(): void;
  resume(): void;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null; output: string }>;
}

export function forkRole(file: string, options: object, forkOptions: ForkOptions = {}): Role {
  const path = fileURLToPath(new URL(`./roles/${file}`, import.meta.url));
  const { execPath = process.execPath, execArgv = [], env = process.env } = forkOptions;
  const child = fork(path, [JSON.stringify(options)], {
    execPath,
    execArgv: [...execArgv],
    env,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    serialization: 'advanced',
  });
  const role = wrap(file, child);
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await role.exited;
  });
  return role;
}

function wrap(file: string, child: ChildProcess): Role {
  const told: Told[] = [];
  const asked = new Map<number, { resolve(answer: unknown): void; reject(error: Error): void }>();
  let next = 1;
  let output = '';
  child.stdout?.on('data', (text: Buffer) => (output += text.toString()));
  child.stderr?.on('data', (text: Buffer) => (output += text.toString()));
  child.on('error', () => undefined);
  child.on('message', (message: Told | Answer) => {
    if ('event' in message) {
      told.push(message);
      return;
    }
    const waiting = asked.get(message.question);
    asked.delete(message.question);
    if (message.error === undefined) waiting?.resolve(message.answer);
    else waiting?.reject(new Error(message.error));
  });
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null; output: string }>(
    (resolve) => {
      child.once('close', (code, signal) => {
        for (const { reject } of asked.values()) reject(new Error(`${file} is gone: ${output}`));
        resolve({ code, signal, output });
      });
    },
  );
  const pid = child.pid ?? 0;
  return {
    pid,
    told,
    exited,
    ask<T>(question: string, ...args: readonly unknown[]): Promise<T> {
      const number = next;
      next += 1;
      const answer = new Promise<T>((resolve, reject) => {
        asked.set(number, { resolve: resolve as (answer: unknown) => void, reject });
      });
      child.send({ question: number, ask: question, args });
      return within(`${file} answers ${question}`, answer, 20_000);
    },
    hears: (what, fits, withinMs = 20_000) =>
      eventually(
        `${file}: ${what}`,
        () => {
          if (child.exitCode !== null && told.find(fits) === undefined) {
            throw new Error(`${file} ended with ${child.exitCode} before: ${what}\n${output}`);
          }
          return told.find(fits);
        },
        withinMs,
      ),
    async kill() {
      process.kill(pid, 'SIGKILL');
      await exited;
    },
    pause: () => void process.kill(pid, 'SIGSTOP'),
    resume: () => void process.kill(pid, 'SIGCONT'),
  };
}

export interface HubProcess extends Role {
  readonly url: string;
  readonly port: number;
  readonly instance: string;
  status(): Promise<HubStatus>;
  nodes(): Promise<PeerStatus[]>;
}

/** Options that let faults be found quickly. */
export const quickHub = {
  heartbeatIntervalMs: 300,
  heartbeatTimeoutMs: 1_500,
  connectionTimeoutMs: 3_000,
  retryAfterMs: 100,
} as const satisfies HubOptions;

/** For nodes and clients: they come back quickly and for ever. */
export const quickLink = {
  reconnectIntervalMs: 100,
  reconnectMaxMs: 500,
  maxRetryAttempts: 0,
  heartbeatIntervalMs: 300,
  heartbeatTimeoutMs: 1_500,
  connectionTimeoutMs: 3_000,
  healthCheckIntervalMs: 1_000,
} as const;

export async function forkHub(options: HubOptions = {}, forkOptions: ForkOptions = {}): Promise<HubProcess> {
  const role = forkRole('hub.ts', { ...quickHub, port: 0, ...options }, forkOptions);
  const ready = await role.hears('it listens', (told) => told.event === 'ready');
  return Object.assign(role, {
    url: String(ready['url']),
    port: Number(ready['port']),
    instance: String(ready['instance']),
    status: () => role.ask<HubStatus>('status'),
    nodes: () => role.ask<PeerStatus[]>('nodes'),
  });
}

export interface NodeProcess extends Role {
  statuses(): Promise<NodeStatus[]>;
  /** How often each key was executed, by all nodes of the process. */
  counts(): Promise<Record<string, number>>;
  started(key: string, withinMs?: number): Promise<Told>;
  release(key: string): Promise<void>;
}

export async function forkNode(
  options: NodeRoleOptions,
  forkOptions: ForkOptions = {},
): Promise<NodeProcess> {
  const role = forkRole('node.ts', { ...quickLink, ...options }, forkOptions);
  await role.hears('its nodes are ready', (told) => told.event === 'ready');
  return Object.assign(role, {
    statuses: () => role.ask<NodeStatus[]>('statuses'),
    counts: async () => total(await role.ask<Record<string, number>[]>('counts')),
    started: (key: string, withinMs?: number) =>
      role.hears(`${key} starts`, (told) => told.event === 'started' && told['key'] === key, withinMs),
    release: (key: string) => role.ask<void>('release', key),
  });
}

/** Adds up counters of several nodes. */
export function total(counts: readonly Record<string, number>[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const of of counts) for (const [key, count] of Object.entries(of)) sum[key] = (sum[key] ?? 0) + count;
  return sum;
}
