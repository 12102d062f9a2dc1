// README.md says what is so.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { planOfFile } from '../../src/cli/proxy-plan.ts';
import { freshReadme, README } from './readme.ts';

const text = readFileSync(README, 'utf8');

test('the picture of the connection and the table of options are those of the code (npm run docs)', () => {
  expect(freshReadme(text)).toBe(text);
});

/** Runs the example that begins so, with what a reader would choose otherwise. */
function run(
  beginning: string,
  changes: readonly (readonly [from: string, to: string])[],
): { status: number | null; stdout: string; stderr: string } {
  const found = text.split('```ts\n').find((block) => block.startsWith(beginning)) ?? '';
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-readme-'));
  const index = new URL('../../src/index.ts', import.meta.url).href;
  let example = found.slice(0, found.indexOf('```')).replace("'holdfast'", JSON.stringify(index));
  for (const [from, to] of changes) {
    expect(example).toContain(from);
    example = example.replace(from, to);
  }
  writeFileSync(join(folder, 'example.ts'), example);
  const options = { cwd: folder, encoding: 'utf8', timeout: 25_000 } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['example.ts'], options);
  rmSync(folder, { recursive: true });
  return { status, stdout, stderr };
}

test('the first example runs as it stands and prints what it says', () => {
  // A free port instead of the one that a reader would remember.
  expect(run('import { createClient', [['7070', '0']])).toEqual({ status: 0, stdout: '3\n', stderr: '' });
});

test('the example of the store runs, and hears of every change', () => {
  expect(
    run('import { holdLease', [
      ['stopWork()', '{}'],
      ['\n}\n', '\n  if (revision === 3) process.exit();\n}\n'],
    ]),
  ).toEqual({
    status: 0,
    stdout: '0 []\n3 [ 1, 2 ]\n',
    stderr: '',
  });
});

test('the example of training runs, and learns what its nodes know', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-run-'));
  try {
    const { status, stdout } = run('import { createHub, createNode, createTrainer', [
      ['7070', '0'],
      ['file:./run', `file:${folder}/run`],
    ]);
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'completed 20 2.000\n' });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the example of the proxy runs, and fails over', () => {
  const upstreams = `
    import { once } from 'node:events';
    import { createServer } from 'node:http';
    const spare = createServer((_, answer) => answer.end('from the spare one')).listen(0, '127.0.0.1');
    const gone = createServer().listen(0, '127.0.0.1');
    await Promise.all([once(spare, 'listening'), once(gone, 'listening')]);
    const url = (server) => 'http://127.0.0.1:' + server.address().port;
    const urls = [url(gone), url(spare)];
    gone.close();
    `;
  const { status, stdout } = run('import { createProxy', [
    ['import { createProxy', `${upstreams}import { createProxy`],
    ['port: 7080', 'port: 0'],
    ["'https://api.openai.com'", 'urls[0]'],
    ["'https://llm.example.com'", 'urls[1]'],
    [
      '\n});\n',
      "\n});\nconsole.log(await (await fetch(proxy.url + '/v1/models')).text());\nspare.close();\n",
    ],
  ]);
  expect({ status, stdout }).toEqual({ status: 0, stdout: 'answered spare 2\nfrom the spare one\n' });
});

test('the file of the proxy is one that it takes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-readme-'));
  try {
    const config = /```json\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
    writeFileSync(join(folder, 'proxy.json'), config);
    writeFileSync(join(folder, 'spare.key'), 'sk-spare');
    vi.stubEnv('OPENAI_API_KEY', 'sk-main');
    const { settings } = planOfFile(join(folder, 'proxy.json'));
    expect(settings.endpoints.map(({ id, key }) => [id, key])).toEqual([
      ['main', 'sk-main'],
      ['spare', 'sk-spare'],
    ]);
  } finally {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  }
});

test('the first example has at most twelve lines', () => {
  const example = /```ts\n(import \{ createClient[\s\S]*?)```/.exec(text)?.[1] ?? '';
  expect(example.trim().split('\n').length).toBeLessThanOrEqual(12);
});

test('every file that it links to exists', () => {
  const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map((match) => match[1] ?? '');
  expect(links.length).toBeGreaterThan(0);
  for (const link of links) expect(existsSync(new URL(link, README)), link).toBe(true);
});
