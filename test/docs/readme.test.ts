// README.md says what is so.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshReadme, README } from './readme.ts';

const text = readFileSync(README, 'utf8');

test('the picture of the connection and the table of options are those of the code (npm run docs)', () => {
  expect(freshReadme(text)).toBe(text);
});

test('the first example runs as it stands and prints what it says', () => {
  const example = /```ts\n(import \{ createClient[\s\S]*?)```/.exec(text)?.[1] ?? '';
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-readme-'));
  const file = join(folder, 'example.ts');
  const index = new URL('../../src/index.ts', import.meta.url).href;
  // A free port instead of the one that a reader would remember.
  writeFileSync(file, example.replace("'holdfast'", JSON.stringify(index)).replace('7070', '0'));
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], {
    encoding: 'utf8',
    timeout: 25_000,
  });
  rmSync(folder, { recursive: true });
  expect(stderr).toBe('');
  expect(stdout).toBe('3\n');
  expect(status).toBe(0);
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
