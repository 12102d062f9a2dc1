// Our server of etcd's API over a file, in a process of its own as etcd is, behind our client of etcd.
// Invariant: the command that users start, with nothing set but where it listens and keeps its data.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { noLog, openStore, type Store } from '../../../src/index.ts';
import { place, type StoreSubject } from './place.ts';

const MAIN = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));

interface Serving {
  readonly endpoint: string;
  close(): Promise<void>;
}

async function serve(directory: string): Promise<Serving> {
  const args = [
    'store',
    '--store',
    `file:${directory}`,
    '--listen',
    '127.0.0.1:0',
    '--json',
    '--log-level',
    'warn',
  ];
  const child = spawn(process.execPath, ['--no-warnings', MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { port } = JSON.parse(await firstLine(child)) as { port: number };
  return {
    endpoint: `127.0.0.1:${port}`,
    async close() {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}

async function firstLine(child: ChildProcess): Promise<string> {
  let text = '';
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk);
    if (text.includes('\n')) return text;
  }
  throw new Error(`holdfast store ended before it listened: ${text}`);
}

export const etcdApi: StoreSubject = {
  name: 'facade over file',
  async open() {
    const directory = mkdtempSync(place);
    let serving = await serve(directory);
    const open = (): Promise<Store> => openStore(`etcd://${serving.endpoint}`, { log: noLog() });
    let store = await open();
    return {
      store,
      async reopen() {
        await store.close();
        await serving.close();
        serving = await serve(directory);
        store = await open();
        return store;
      },
      async close() {
        await store.close();
        await serving.close();
        rmSync(directory, { recursive: true });
      },
    };
  },
};
