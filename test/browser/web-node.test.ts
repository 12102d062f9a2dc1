// A node that runs in a page of a real browser, by `holdfast/web`, and serves calls while its hub is killed and restarted.
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { build, type Rolldown } from 'vite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startClient } from '../chaos/in-process.ts';
import { forkHub, quickLink } from '../chaos/processes.ts';
import { launch } from './browser.ts';

const entry = fileURLToPath(new URL('../../src/web.ts', import.meta.url));

/** What an application writes. `slow` waits for the test, `title` needs a browser. */
const application = (hub: string): string => `
import { createNode } from './web.js';
const started = {};
const release = {};
const slow = (key) => {
  started[key] = (started[key] ?? 0) + 1;
  return new Promise((resolve) => { release[key] = () => resolve(key + ' from the page'); });
};
const title = () => document.title;
const node = createNode({ ...${JSON.stringify(quickLink)}, hub: '${hub}', id: 'page', functions: { slow, title } });
Object.assign(globalThis, { node, started, release });
`;

let browser: Browser;
let web: string;
beforeAll(async () => {
  const built = (await build({
    configFile: false,
    logLevel: 'warn',
    build: { write: false, lib: { entry, formats: ['es'], fileName: 'web' } },
  })) as Rolldown.RolldownOutput[];
  const [{ code }] = built[0]!.output;
  web = code;
  browser = await launch();
}, 60_000);
afterAll(() => browser.close());

async function open(hub: string, port: number): Promise<{ page: Page; faults: string[] }> {
  const page = await browser.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  const at = `http://127.0.0.1:${port}/app/`;
  const files: Record<string, readonly [type: string, body: string]> = {
    '': ['text/html', '<!doctype html><title>a page</title><script type="module" src="app.js"></script>'],
    'app.js': ['text/javascript', application(hub)],
    'web.js': ['text/javascript', web],
  };
  await page.route(`${at}**`, (route) => {
    const [contentType, body] = files[route.request().url().slice(at.length)] ?? ['text/plain', ''];
    return route.fulfill({ contentType, body });
  });
  await page.goto(at);
  return { page, faults };
}

it('serves calls from a page, through a hub that is killed and restarted, and executes each once', async () => {
  const hub = await forkHub();
  const { page, faults } = await open(hub.url, hub.port);
  const client = await startClient(hub.url);
  expect(await client.call('title', [])).toBe('a page');

  const during = client.call('slow', ['a']);
  const after = client.call('slow', ['b']);
  await page.waitForFunction('started.a === 1 && started.b === 1');
  await hub.kill();
  await page.waitForFunction(`node.status().state !== 'connected'`);
  // One ends while there is no hub, the other when there is one again.
  await page.evaluate('release.a()');
  await forkHub({ port: hub.port });
  expect(await during).toBe('a from the page');
  await page.evaluate('release.b()');
  expect(await after).toBe('b from the page');
  expect(await client.call('title', [])).toBe('a page');
  expect(await page.evaluate('started')).toEqual({ a: 1, b: 1 });
  expect(faults).toEqual([]);
}, 60_000);
