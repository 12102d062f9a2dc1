// etcd's own command-line client as processes: run to an end, or read while they run and ended by their own ids.
// Invariant: nothing of the caller's environment decides what it does.
import { spawn, type ChildProcess } from 'node:child_process';
import { etcdMissing } from '../store/etcd-server.ts';

export interface Printed {
  readonly status: number | null;
  readonly stdout: string;
  /** What failed, without the client's own log lines. */
  readonly error: string;
}

const running = new Set<ChildProcess>();

export class Etcdctl {
  stdout = '';
  #stderr = '';
  #wake = Promise.withResolvers<void>();
  readonly ended: Promise<Printed>;
  readonly #child: ChildProcess;

  constructor(endpoint: string, args: readonly string[], input?: string) {
    const child = spawn('etcdctl', [`--endpoints=${endpoint}`, ...args], {
      env: { PATH: process.env['PATH'], ETCDCTL_API: '3' },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child = child;
    running.add(child);
    // One that has ended reads no more.
    child.stdin.on('error', () => {});
    if (input !== undefined) child.stdin.end(input);
    child.stdout.on('data', (text: Buffer) => {
      this.stdout += text.toString();
      this.#news();
    });
    child.stderr.on('data', (text: Buffer) => (this.#stderr += text.toString()));
    this.ended = new Promise((resolve, reject) => {
      child.once('error', (error) => reject(new Error(etcdMissing, { cause: error })));
      child.once('close', (status) => {
        running.delete(child);
        const error = this.#stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
        resolve({ status, stdout: this.stdout, error: error.join('\n') });
        this.#news();
      });
    });
    this.ended.catch(() => {});
  }

  /** Resolves as soon as it has printed so many lines. Rejects when it ends before. */
  async lines(count: number): Promise<string[]> {
    for (;;) {
      const lines = this.stdout.split('\n').slice(0, -1);
      if (lines.length >= count) return lines;
      if (!running.has(this.#child)) throw new Error(`ended after ${lines.length} lines: ${this.#stderr}`);
      await this.#wake.promise;
    }
  }

  type(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  kill(signal: NodeJS.Signals = 'SIGTERM'): Promise<Printed> {
    this.#child.kill(signal);
    return this.ended;
  }

  #news(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}

/** Those that a failed test left behind. */
export async function endAll(): Promise<void> {
  const left = [...running];
  await Promise.all(
    left.map(
      (child) =>
        new Promise<void>((resolve) => {
          child.once('close', () => resolve());
          child.kill('SIGKILL');
        }),
    ),
  );
}

export function etcdctl(endpoint: string, args: readonly string[], input = ''): Promise<Printed> {
  return new Etcdctl(endpoint, args, input).ended;
}
