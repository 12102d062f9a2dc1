// Processes of the fuzz tests: a hub, and bystanders.
// Invariant: they end with the test that started them.
import { fork, type ChildProcess } from 'node:child_process';

import { onTestFinished } from 'vitest';

import type { Experience } from './bystander-process.ts';
import type { Asked, Told } from './hub-process.ts';

function start(file: string, env: Readonly<Record<string, string>>): ChildProcess {
  const child = fork(new URL(file, import.meta.url), {
    execArgv: ['--expose-gc', '--no-warnings'],
    env: { ...process.env, ...env },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

type Of<K extends Told['kind']> = Extract<Told, { kind: K }>;

export class HubProcess {
  readonly url: string;
  /** What the hub logged as an error, and exceptions that escaped. */
  readonly defects: string[] = [];
  /** What it warned of, when it was started with WARNINGS. */
  readonly warnings: string[] = [];
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
    child.on('message', (told: Told) => {
      if (told.kind === 'defect') this.defects.push(told.message);
      if (told.kind === 'warning') this.warnings.push(told.message);
    });
    child.once('exit', (code, signal) => this.defects.push(`the hub ended: ${code ?? signal}`));
  }

  static async start(env: Readonly<Record<string, string>> = {}): Promise<HubProcess> {
    const child = start('./hub-process.ts', env);
    const { url } = await heard<Of<'listening'>>(child, 'listening');
    return new HubProcess(child, url);
  }

  async memory(): Promise<Of<'memory'>> {
    return this.#ask('memory');
  }

  async status(): Promise<Of<'status'>> {
    return this.#ask('status');
  }

  async #ask<K extends Asked & Told['kind']>(kind: K): Promise<Of<K>> {
    const told = heard<Of<K>>(this.#child, kind);
    this.#child.send(kind);
    return told;
  }
}

function heard<T extends Told>(child: ChildProcess, kind: Told['kind']): Promise<T> {
  return new Promise((resolve, reject) => {
    const ended = (): void => reject(new Error(`the hub ended before it told its ${kind}`));
    const listen = (told: Told): void => {
      if (told.kind !== kind) return;
      child.off('message', listen);
      child.off('exit', ended);
      resolve(told as T);
    };
    child.on('message', listen);
    child.once('exit', ended);
  });
}

/** Bystanders that call from now on, until they are asked how it was. */
export async function startBystanders(url: string): Promise<{ experience(): Promise<Experience> }> {
  const child = start('./bystander-process.ts', { HUB_URL: url });
  const next = <T>(): Promise<T> =>
    new Promise((resolve) => child.once('message', (message) => resolve(message as T)));
  await next<'ready'>();
  return {
    experience: () => {
      const told = next<Experience>();
      child.send('stop');
      return told;
    },
  };
}
