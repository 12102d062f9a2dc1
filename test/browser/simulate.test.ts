import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import { connectionInput, gateInput, gateMachine } from '../../machines/index.ts';
import { toDot, toJson, toMermaid, toScxml, toStately } from '../../src/inspect/index.ts';
import { Workshop } from '../unit/testing/model/workshop.ts';
import { accessibilityFaults, builtPage, launch, openPage, screenshot, type OpenPage } from './browser.ts';
import { servePage, type PageServer } from './page-server.ts';

let browser: Browser;
let server: PageServer;
beforeAll(async () => {
  server = await servePage({ folder: builtPage(), onOpen: () => {} });
  browser = await launch();
}, 60_000);
afterAll(async () => {
  await browser.close();
  await server[Symbol.asyncDispose]();
});

async function simulate(name: string): Promise<OpenPage> {
  const opened = await openPage(browser, `${server.url}#/simulate/${name}`);
  await opened.page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await opened.page.locator('[data-laid="placed"]').waitFor();
  return opened;
}

const press = (page: Page, name: string): Promise<void> =>
  page.getByRole('button', { name, exact: true }).click();
const state = (page: Page): Promise<string | null> => page.locator('.simulate-tools .badge').textContent();

async function copy(page: Page, label: string): Promise<string> {
  await page.evaluate("navigator.clipboard.writeText('')");
  await press(page, label);
  const read = (): Promise<string> => page.evaluate('navigator.clipboard.readText()');
  await expect.poll(read).not.toBe('');
  return read();
}

/** To connected, out of it by a broken link, and back. */
const WALK = [
  'connect.requested → establishing',
  'socket.opened → establishing.registering',
  'registration.accepted → connected',
  'socket.closed → transient_failure',
  'socket.released → backoff',
  'Let backoffDelay end',
  'socket.opened → establishing.registering',
  'registration.accepted → connected',
];

it('walks the connection to connected, and back through transient_failure, by its buttons', async () => {
  const { page, faults } = await simulate('connection');
  const seen: (string | null)[] = [];
  for (const step of WALK) {
    await press(page, step);
    seen.push(await page.locator('.log .step.now .soft').first().textContent());
  }
  expect(seen.map((text) => text!.replace('→ ', '').split(/[.,]/).slice(0, 2).join('.'))).toEqual([
    'establishing.connecting',
    'establishing.registering',
    'connected.liveness',
    'transient_failure',
    'backoff',
    'establishing.reconnecting',
    'establishing.registering',
    'connected.liveness',
  ]);
  const log = (await page.locator('.log .steps').textContent())!;
  for (const effect of ['openSocket {"epoch":1}', 'terminateSocket {"epoch":1}', 'openSocket {"epoch":2}'])
    expect(log).toContain(effect);
  expect(await page.locator('.state-box.leaf.active').count()).toBe(3);
  expect(
    await page.locator('[data-label="backoff → establishing/reconnecting"] .arrow-count').textContent(),
  ).toBe('1');
  // Its delays run on the clock of the simulation.
  expect(await page.locator('.events').textContent()).toContain('silenceCheck5.0 s of 5.0 s');
  expect(await page.getByRole('button', { name: 'Let stableAfter end' }).isDisabled()).toBe(true);
  await screenshot(page, 'simulate-connected');
  expect(await accessibilityFaults(page)).toEqual([]);

  // What was walked is a test that runs, a diagram, and a link.
  using workshop = new Workshop();
  workshop.write('walk.test.ts', await copy(page, 'Copy as test'));
  workshop.runTests();
  expect(workshop.resultsOf('walk.test.ts').map(({ status, message }) => [status, message])).toEqual([
    ['passed', ''],
  ]);
  expect(await copy(page, 'Copy as Mermaid')).toContain('Note over m: transient_failure');
  const link = await copy(page, 'Copy link');
  const other = await openPage(browser, link);
  await other.page.locator('.log .step.now').waitFor();
  expect(await other.page.locator('.log .step').count()).toBe(9);
  expect(other.faults).toEqual([]);
  await other.page.context().close();

  await press(page, 'Undo');
  expect(await state(page)).toBe('establishing.registering');
  await press(page, 'Redo');
  expect(await page.locator('.log .step').count()).toBe(9);
  await press(page, 'Back to step 4');
  expect(await state(page)).toBe('transient_failure');
  await press(page, 'Reset');
  expect(await state(page)).toBe('idle');
  expect(faults).toEqual([]);
  await page.context().close();
}, 60_000);

it('says why an event is impossible, and lets any payload be tried', async () => {
  const { page, faults } = await simulate('connection');
  await press(page, WALK[0]!);
  const ignored = page.getByRole('button', {
    name: 'connect.requested: establishing.connecting ignores it explicitly',
  });
  expect(await ignored.isDisabled()).toBe(true);
  await press(page, 'Edit the payload of socket.closed');
  const payload = page.getByRole('textbox', { name: 'Payload of socket.closed' });
  const send = page.getByRole('button', { name: 'Send' });
  await payload.fill('{');
  expect(await send.isDisabled()).toBe(true);
  await payload.fill('{ "epoch": 0, "at": 5, "reason": "<b>late</b>" }');
  await page.getByText('stays · noteStale').last().waitFor();
  await send.click();
  expect(await state(page)).toBe('establishing.connecting');
  expect(await page.locator('.log .json').textContent()).toContain('staleEvents: 1');
  expect(page.url()).toContain('late');
  // Another input, another machine.
  await page.locator('summary', { hasText: 'Input' }).click();
  await page
    .getByRole('textbox', { name: 'Input of the machine' })
    .fill(JSON.stringify({ ...connectionInput, connectionTimeoutMs: 77 }));
  await press(page, 'Start with this');
  await press(page, WALK[0]!);
  expect(await page.locator('.events').textContent()).toContain('connectionTimeout0.1 s of 0.1 s');
  await page.goto(`${server.url}#/simulate/connection?path=${encodeURIComponent('["backoffDelay"]')}`);
  expect(await page.getByRole('alert').textContent()).toContain('no delay runs');
  await page.goto(`${server.url}#/simulate/nothing`);
  expect(await page.getByRole('alert').textContent()).toContain('no registered machine nothing');
  await page.getByRole('combobox').selectOption('round');
  await page.locator('[aria-label^="Chart of round with"]').waitFor();
  expect(faults).toEqual([]);
  await page.context().close();
});

it('exports a machine as every text, and its chart as an image that needs nothing else', async () => {
  const { page, faults } = await simulate('gate');
  await press(page, 'Export');
  await screenshot(page, 'export');
  expect(await accessibilityFaults(page)).toEqual([]);
  const texts = { Stately: toStately, Mermaid: toMermaid, SCXML: toScxml, DOT: toDot, JSON: toJson };
  for (const [name, write] of Object.entries(texts)) {
    await press(page, name);
    const text = await page.getByRole('textbox', { name: `${name} text` }).inputValue();
    expect(text, name).toBe(write(gateMachine, { input: gateInput }));
  }
  expect(await copy(page, 'Copy JSON')).toBe(toJson(gateMachine, { input: gateInput }));

  const save = async (name: string): Promise<string> => {
    const [download] = await Promise.all([page.waitForEvent('download'), press(page, name)]);
    expect(download.suggestedFilename()).toBe(`gate.${name.toLowerCase()}`);
    return download.path();
  };
  const png = readFileSync(await save('PNG'));
  expect(png.subarray(1, 4).toString()).toBe('PNG');
  expect([png.readUInt32BE(16) > 1_000, png.readUInt32BE(20) > 1_000]).toEqual([true, true]);
  const svg = readFileSync(await save('SVG'), 'utf8');
  expect(svg).not.toMatch(/class=|style=|var\(|<script|href=|url\((?!['"]?#)/);

  // Alone, in a page without our style sheets, it looks as it did.
  const context = await browser.newContext({ viewport: { width: 900, height: 1_300 } });
  const alone = await context.newPage();
  await alone.goto(`data:image/svg+xml,${encodeURIComponent(svg)}`);
  await alone.screenshot({ path: 'screenshots/export-alone.png' });
  const look = (within: string) => `(() => {
    const text = [...document.querySelectorAll('${within}text')].find((it) => it.textContent.endsWith('starting'));
    const { fill, fontSize, fontWeight } = getComputedStyle(text);
    return { fill, fontSize, fontWeight, shapes: document.querySelectorAll('${within}rect, ${within}path').length };
  })()`;
  const shown = (await page.evaluate(look('.drawing '))) as { readonly shapes: number };
  // Beside what the page shows it has a ground of its own.
  expect(await alone.evaluate(look(''))).toEqual({ ...shown, shapes: shown.shapes + 1 });
  expect(faults).toEqual([]);
  await context.close();
  await page.context().close();
});
