// One process of the fleet, as its demo holds it: start, signals, what it reports.
// Invariant: signals go to the process id of a child that has not been waited for yet, so they never hit a stranger.
import { fork, type ChildProcess } from 'node:child_process';
import type { Report, Ward } from './role.ts';

/** `gone`: the process has ended and was waited for. */
export type Life = 'running' | 'stopped' | 'gone';

export interface MemberOptions {
  /** The role's module. */
  readonly file: string;
  readonly name: string;
  readonly config: object;
  /** Folder where the first process leaves what it compiled, for those after it: they start in half the time. */
  readonly cache: string;
}

export class Member {
  readonly name: string;
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  #life: Life = 'running';
  /** Whether somebody asked for its end. */
  #end: 'unasked' | 'asked' = 'unasked';
  #errors = '';

  constructor(
    { file, name, config, cache }: MemberOptions,
    heard: (report: Report, member: Member) => void,
    died: (member: Member, how: string) => void,
  ) {
    this.name = name;
    this.#child = fork(file, [JSON.stringify(config)], {
      execArgv: ['--disable-warning=ExperimentalWarning'],
      env: { ...process.env, NODE_COMPILE_CACHE: cache },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.pid = this.#child.pid ?? 0;
    this.#child.on('message', (message) => heard(message as Report, this));
    this.#child.stderr?.on(
      'data',
      (chunk: Buffer) => void (this.#errors = `${this.#errors}${chunk}`.slice(-4_000)),
    );
    this.#exited = new Promise((resolve) => {
      const ended = (how: string): void => {
        if (this.#life === 'gone') return;
        this.#life = 'gone';
        if (this.#end === 'unasked')
          died(this, `${how}${this.#errors === '' ? '' : `: ${this.#errors.trim()}`}`);
        resolve();
      };
      this.#child.once('error', (error) => ended(error.message));
      this.#child.once('exit', (code, signal) => ended(signal ?? `status ${code}`));
    });
  }

  get life(): Life {
    return this.#life;
  }

  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void> {
    this.#end = 'asked';
    this.#signal('SIGKILL');
    return this.#exited;
  }

  /** SIGSTOP: it keeps its sockets and does nothing. */
  pause(): void {
    this.#signal('SIGSTOP');
    if (this.#life === 'running') this.#life = 'stopped';
  }

  /** Tells the process whom to continue if the demo is killed; undefined for nobody. */
  guard(stopped: Member | undefined): void {
    // A hub that is just dying is no news here: its end is.
    if (this.#life === 'running') this.#child.send({ stopped: stopped?.pid } satisfies Ward, () => undefined);
  }

  /** SIGCONT. */
  resume(): void {
    this.#signal('SIGCONT');
    if (this.#life === 'stopped') this.#life = 'running';
  }

  /** SIGTERM, and SIGKILL when it takes longer than `withinMs` milliseconds. */
  async end(withinMs: number): Promise<'drained' | 'killed'> {
    this.#end = 'asked';
    this.#signal('SIGTERM');
    let how: 'drained' | 'killed' = 'drained';
    const timer = setTimeout(() => {
      how = 'killed';
      this.#signal('SIGKILL');
    }, withinMs);
    await this.#exited;
    clearTimeout(timer);
    return how;
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#life !== 'gone') this.#child.kill(signal);
  }
}
