// The files of the inspector's page: what is there is served under a strict policy, and nothing else is.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createSite } from '../../../src/adapters/site-files.ts';

async function site() {
  const folder = await mkdtemp(join(tmpdir(), 'site-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const root = join(folder, 'page');
  await mkdir(join(root, 'assets'), { recursive: true });
  await writeFile(join(folder, 'secret.txt'), 'not yours');
  await writeFile(join(root, 'index.html'), '<!doctype html>');
  await writeFile(join(root, 'assets', 'app-BqX81dKa.js'), 'export {}');
  return { root, page: createSite(root, 'build it') };
}

test('a page lets its scripts talk to its own origin only, and nobody frame it', async () => {
  const { page } = await site();
  const index = await page('/');
  expect(index).toMatchObject({ status: 200, contentType: 'text/html; charset=utf-8' });
  expect(String(index?.body)).toBe('<!doctype html>');
  expect(index?.headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-cache',
  });
  const policy = index?.headers?.['content-security-policy'] ?? '';
  expect(policy).toContain("default-src 'none'; script-src 'self'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toMatch(/unsafe|\*|https?:/);
});

test('files with a hash in their name are kept by browsers for good', async () => {
  const { page } = await site();
  const script = await page('/assets/app-BqX81dKa.js');
  expect(script?.contentType).toBe('text/javascript; charset=utf-8');
  expect(script?.headers?.['cache-control']).toContain('immutable');
});

test.each([
  '/../secret.txt',
  '/assets/../../secret.txt',
  '/%2e%2e/secret.txt',
  '//secret.txt',
  '/assets',
  '/x',
])('there is nothing at %s', async (path) => {
  const { page } = await site();
  expect(await page(path)).toBeUndefined();
});

test('a page that was not built says what to run, and is found once it is there', async () => {
  const { root } = await site();
  const later = join(root, 'later');
  const page = createSite(later, 'run: npm run build');
  expect(await page('/')).toMatchObject({ status: 503, body: 'run: npm run build\n' });
  await mkdir(later);
  await writeFile(join(later, 'index.html'), 'here');
  expect(await page('/')).toMatchObject({ status: 200 });
});
