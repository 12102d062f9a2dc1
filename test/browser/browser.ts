// Real Chromium for the tests of the page: one browser a test file, the page built once a run, screenshots, axe.
// Invariant: every page collects its own faults (errors, refusals of the Content-Security-Policy), and a test can demand none.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CONTENT_SECURITY_POLICY } from './page-server.ts';
import axe from 'axe-core';
import { chromium, type Browser, type Page } from 'playwright-core';

const root = fileURLToPath(new URL('../..', import.meta.url));
const screenshots = join(root, 'screenshots');

/** Debian's, or the one that CHROMIUM names. */
export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    // A page that the test itself hands to the browser counts as one from elsewhere, which may not dial this machine.
    args: [
      '--disable-features=LocalNetworkAccessChecks',
      '--no-sandbox',
      '--disable-gpu',
      '--enable-precise-memory-info',
      '--js-flags=--expose-gc',
    ],
  });
}

const cache = join(root, 'node_modules', '.cache', 'page');

/** The page, built from the sources as they are, once a run of the tests; answers its folder. */
export function builtPage(): string {
  const folder = join(cache, String(process.ppid));
  if (existsSync(join(folder, 'index.html'))) return folder;
  for (const old of existsSync(cache) ? readdirSync(cache) : [])
    if (!isAlive(Number.parseInt(old, 10))) rmSync(join(cache, old), { recursive: true, force: true });
  const fresh = join(cache, `${process.pid}-fresh`);
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js');
  const args = ['build', join(root, 'visualizer'), '--outDir', fresh, '--emptyOutDir', '--logLevel', 'warn'];
  // As users get it: the test runner's own NODE_ENV would bring the development build of React.
  const env = { ...process.env, NODE_ENV: 'production' };
  execFileSync(process.execPath, [vite, ...args], { cwd: root, env, stdio: 'pipe' });
  try {
    renameSync(fresh, folder);
  } catch {
    // Another file of this run was quicker.
    rmSync(fresh, { recursive: true, force: true });
  }
  return folder;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export interface OpenPage {
  readonly page: Page;
  /** Errors, and what the Content-Security-Policy refused. */
  readonly faults: readonly string[];
}

export interface OpenOptions {
  /** The page as it was built, where the server of `url` has none: then only its stream is the server's. */
  readonly folder?: string;
  readonly width?: number;
  readonly height?: number;
  readonly colours?: 'light' | 'dark';
}

export async function openPage(browser: Browser, url: string, options: OpenOptions = {}): Promise<OpenPage> {
  const { width = 1_280, height = 720, colours = 'light' } = options;
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: colours,
    acceptDownloads: true,
  });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  page.on('console', (message) => {
    // A hub that was killed refuses connections: the browser says so, and the page dials again.
    if (message.type() !== 'error' || message.text().includes('ERR_CONNECTION')) return;
    faults.push(`console: ${message.text()}`);
  });
  const { folder } = options;
  if (folder !== undefined)
    await page.route(/^http:/, (route) => {
      const { pathname } = new URL(route.request().url());
      const path = join(folder, pathname === '/' ? 'index.html' : pathname);
      return route.fulfill({ path, headers: { 'content-security-policy': CONTENT_SECURITY_POLICY } });
    });
  await page.goto(url);
  return { page, faults };
}

export async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync(screenshots, { recursive: true });
  await page.screenshot({ path: join(screenshots, `${name}.png`) });
}

interface AxeWindow {
  readonly axe: {
    run(): Promise<{
      violations: { id: string; impact?: string; help: string; nodes: { html: string }[] }[];
    }>;
  };
}

/** Serious and critical faults that axe-core finds, in words. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => (globalThis as unknown as AxeWindow).axe.run());
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(
      ({ id, help, nodes }) =>
        `${id}: ${help}: ${nodes
          .slice(0, 3)
          .map(({ html }) => html)
          .join(' | ')}`,
    );
}
