// A benchmark's roles (hub, node, caller …) are child processes that take commands over IPC.
// Invariant: a child ends with its parent, and a parent ends its children by their own process ids.

import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

type Config = Readonly<Record<string, unknown>>;
type Answer = Record<string, unknown>;
type Command = (argument: never) => unknown;

/** What a role's process offers after it is set up. */
export interface RoleCommands {
  readonly [command: string]: Command;
}

export interface Role {
  readonly pid: number;
  /** What the role said when it was ready: addresses, for example. */
  readonly info: Answer;
  ask<T>(command: string, argument?: unknown): Promise<T>;
  /** Ends the process with SIGKILL and waits until it is gone. */
  kill(): Promise<void>;
}

interface Request {
  readonly id: number;
  readonly command: string;
  readonly argument: unknown;
}

interface Reply {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

const running = new Set<ChildProcess>();

export interface ProcessOptions {
  readonly execArgv?: readonly string[];
  /** Hard limit of open files that the process needs to be started with; undefined leaves it as it is. */
  readonly openFiles?: number | undefined;
}

/** Forks `file` (a URL) in the given role and waits until it is ready. */
export async function startRole(
  file: URL,
  role: string,
  config: Config = {},
  { execArgv = [], openFiles }: ProcessOptions = {},
): Promise<Role> {
  const nodeArgv = ['--no-warnings', ...execArgv];
  // A shell that raises the limit and becomes the process: its id stays the child's.
  const viaShell = ['-c', `ulimit -n ${openFiles} && exec "$0" "$@"`, process.execPath, ...nodeArgv];
  const child = fork(fileURLToPath(file), [role, JSON.stringify(config)], {
    ...(openFiles === undefined ? { execArgv: nodeArgv } : { execPath: '/bin/sh', execArgv: viaShell }),
    stdio: ['ignore', 2, 2, 'ipc'],
    serialization: 'advanced',
  });
  running.add(child);
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  const gone = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      running.delete(child);
      const error = new Error(`${role} of ${file.pathname} ended (${signal ?? code})`);
      for (const entry of waiting.values()) entry.reject(error);
      waiting.clear();
      resolve();
    });
  });
  child.on('message', (message) => {
    const reply = message as Reply;
    const entry = waiting.get(reply.id);
    waiting.delete(reply.id);
    if (reply.error !== undefined) entry?.reject(new Error(reply.error));
    else entry?.resolve(reply.value);
  });
  const expectReply = (id: number): Promise<unknown> =>
    new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  let lastId = 0;
  const info = (await expectReply(0)) as Answer;
  return {
    pid: child.pid ?? -1,
    info,
    ask<T>(command: string, argument?: unknown) {
      lastId += 1;
      const reply = expectReply(lastId) as Promise<T>;
      child.send({ id: lastId, command, argument } satisfies Request);
      return reply;
    },
    async kill() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

export async function killAll(roles: Iterable<Role>): Promise<void> {
  await Promise.all(Array.from(roles, (role) => role.kill()));
}

process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** The other side: sets up the role named on the command line and serves its commands. Does nothing in a process that is no role. */
export async function serveRoles(
  roles: Record<string, (config: never) => Promise<{ info?: Answer; commands?: RoleCommands }>>,
): Promise<void> {
  const setUp = roles[process.argv[2] ?? ''];
  const send = process.send?.bind(process);
  if (setUp === undefined || send === undefined) return;
  process.once('disconnect', () => process.exit(0));
  const answer = async (id: number, work: () => unknown): Promise<void> => {
    try {
      send({ id, value: await work() } satisfies Reply);
    } catch (error) {
      send({ id, error: (error as Error).stack ?? String(error) } satisfies Reply);
    }
  };
  let commands: RoleCommands = {};
  await answer(0, async () => {
    const ready = await setUp(JSON.parse(process.argv[3] ?? '{}') as never);
    commands = ready.commands ?? {};
    return ready.info ?? {};
  });
  process.on('message', (message) => {
    const { id, command, argument } = message as Request;
    void answer(id, () => {
      const run = commands[command];
      if (run === undefined) throw new Error(`no command ${command}`);
      return run(argument as never);
    });
  });
}
