// The command as a real process: started, read while it runs, ended by its own process id.
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const MAIN = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
const running = new Set<ChildProcess>();

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Command {
  stdout = '';
  stderr = '';
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  #look: (() => void)[] = [];

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const inherited = { ...process.env };
    // What the person who runs the tests has set must not decide them.
    delete inherited['HOLDFAST_HUB'];
    delete inherited['HOLDFAST_TOKEN'];
    delete inherited['HOLDFAST_ADMIN'];
    delete inherited['HOLDFAST_ADMIN_TOKEN'];
    delete inherited['HOLDFAST_PROXY_TOKEN'];
    // A hub of a test keeps no files.
    inherited['HOLDFAST_STORE'] = 'memory:';
    this.#child = spawn(process.execPath, ['--no-warnings', MAIN, ...args], {
      env: { ...inherited, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(this.#child);
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString();
      this.#wake();
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
      this.#wake();
    });
    this.ended = new Promise((resolve) => {
      this.#child.once('close', (status, signal) => {
        running.delete(this.#child);
        resolve({ status, signal, stdout: this.stdout, stderr: this.stderr });
        this.#wake();
      });
    });
  }

  /** The first match in what it printed on either stream, once there is one. Rejects when it ends without. */
  async match(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
      if (found !== null) return found;
      if (!running.has(this.#child)) {
        throw new Error(`ended without ${String(pattern)}:\n${this.stdout}\n${this.stderr}`);
      }
      await new Promise<void>((resolve) => this.#look.push(resolve));
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  #wake(): void {
    for (const resolve of this.#look.splice(0)) resolve();
  }
}

/** Runs the command to its end. */
export function run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ended> {
  return new Command(args, env).ended;
}

export async function startHub(args: readonly string[] = []): Promise<{ hub: Command; url: string }> {
  const hub = new Command(['hub', '--port', '0', '--log-level', 'warn', ...args]);
  const [url] = await hub.match(/wss?:\/\/127\.0\.0\.1:\d+/);
  return { hub, url };
}

export interface StartedProxy {
  readonly proxy: Command;
  readonly url: string;
  readonly admin: string;
}

/** At free ports, with its log as JSON. */
export async function startProxy(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<StartedProxy> {
  const proxy = new Command(['proxy', '--port', '0', '--admin-port', '0', '--json', ...args], env);
  const [line] = await proxy.match(/^\{"url":.*\}$/m);
  const { url, adminUrl } = JSON.parse(line) as { url: string; adminUrl: string };
  return { proxy, url, admin: adminUrl };
}

/** Ends whatever a test left running. */
export async function endAll(): Promise<void> {
  for (const child of running) child.kill('SIGKILL');
}
