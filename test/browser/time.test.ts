import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import { readRecording } from '../../src/protocol/recording.ts';
import { builtPage, launch, openPage, screenshot } from './browser.ts';
import { servePage } from './page-server.ts';
import { SyntheticFleet } from './synthetic-fleet.ts';

let browser: Browser;
const folder = mkdtempSync(join(tmpdir(), 'holdfast-recording-'));
beforeAll(async () => {
  builtPage();
  browser = await launch();
}, 60_000);
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await browser.close();
});

const stateOf = (page: Page, id: string) => page.locator(`[data-node="${id}"] td`).first().textContent();
const shown = (page: Page, id: string, state: string) =>
  page.locator(`[data-node="${id}"] td:first-of-type`, { hasText: state }).waitFor();

/** A fleet whose nodes lost their hub at `lostAt`, and were back within a second and a half. */
function eventful(fleet: SyntheticFleet): {
  readonly lostAt: number;
  messages(): ReturnType<SyntheticFleet['beginning']>;
} {
  const messages = fleet.beginning();
  messages.push(...fleet.steps(50, 3_000));
  const lostAt = fleet.at;
  messages.push(...fleet.outage(), ...fleet.steps(50, 3_000), fleet.fleet('whole'));
  return { lostAt, messages: () => messages };
}

it('shows the fleet as it was, at any moment, and goes back to the present', async () => {
  const fleet = new SyntheticFleet({ nodes: 6 });
  const { lostAt, messages } = eventful(fleet);
  await using server = await servePage({ folder: builtPage(), onOpen: (viewer) => viewer.send(messages()) });
  const { page, faults } = await openPage(browser, server.url);
  await shown(page, 'n1', 'connected');
  await page.goto(`${server.url}#/fleet?at=${lostAt + 500}`);
  await shown(page, 'n1', 'backoff');
  expect(await stateOf(page, 'n6')).toBe('backoff');
  expect(await page.locator('.machines').textContent()).toContain('backoff 6');
  await screenshot(page, 'time-travel');
  // Back to before they lost it.
  await page.goto(`${server.url}#/fleet?at=${lostAt - 10}`);
  await shown(page, 'n1', 'connected');
  // A step forth, then another: the first node fails, then the second.
  await page.getByRole('button', { name: 'Step after' }).click();
  await shown(page, 'n1', 'transient_failure');
  // The slider answers to the keyboard.
  await page.getByRole('slider', { name: 'Moment' }).focus();
  await page.keyboard.press('Home');
  await shown(page, 'n1', 'connected');
  expect(Number(new URLSearchParams(page.url().split('?')[1]).get('at'))).toBe(1_000);
  await page.getByRole('button', { name: 'Live' }).click();
  await shown(page, 'n1', 'connected');
  expect(page.url()).not.toContain('at=');
  // What happens now is shown now.
  server.send(fleet.outage(['n2']).slice(0, 2));
  await shown(page, 'n2', 'backoff');
  expect(faults).toEqual([]);
  await page.context().close();
});

it('saves a recording, and opens it again without a server', async () => {
  const fleet = new SyntheticFleet({ nodes: 6 });
  const { lostAt, messages } = eventful(fleet);
  const server = await servePage({ folder: builtPage(), onOpen: (viewer) => viewer.send(messages()) });
  const { page, faults } = await openPage(browser, server.url);
  await shown(page, 'n1', 'connected');
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Save' }).click(),
  ]);
  expect(download.suggestedFilename()).toBe('hub.ndjson');
  const file = join(folder, 'hub.ndjson');
  await download.saveAs(file);
  expect(readRecording(readFileSync(file, 'utf8')).unread).toBe(0);
  await server[Symbol.asyncDispose]();

  await page.getByLabel('A recording').setInputFiles(file);
  await page.getByText('hub.ndjson').waitFor();
  await shown(page, 'n6', 'connected');
  await page.evaluate(`location.assign('#/fleet?at=${lostAt + 500}')`);
  await shown(page, 'n6', 'backoff');
  await screenshot(page, 'recording');
  expect(faults.filter((it) => !it.includes('WebSocket'))).toEqual([]);
  await page.context().close();
});

it('says what is wrong with a file that is no recording, and goes on as before', async () => {
  await using server = await servePage({
    folder: builtPage(),
    onOpen: (viewer) => viewer.send(new SyntheticFleet({ nodes: 3 }).beginning()),
  });
  const { page } = await openPage(browser, server.url);
  await shown(page, 'n1', 'connected');
  const file = join(folder, 'holiday.jpg');
  writeFileSync(file, 'JFIF');
  await page.getByLabel('A recording').setInputFiles(file);
  await page.getByText('holiday.jpg is no recording').waitFor();
  await shown(page, 'n1', 'connected');
  await page.context().close();
});

it('dials again by itself when its server was killed, and keeps the past', async () => {
  const fleet = new SyntheticFleet({ nodes: 4 });
  const options = {
    folder: builtPage(),
    onOpen: (viewer: { send(messages: ReturnType<SyntheticFleet['beginning']>): void }) =>
      viewer.send(fleet.beginning()),
  };
  const server = await servePage(options);
  const { page } = await openPage(browser, server.url);
  await shown(page, 'n1', 'connected');
  server.send(fleet.steps(20, 1_000));
  await server[Symbol.asyncDispose]();
  await page.locator('.page[data-link="backoff"]').waitFor();
  await screenshot(page, 'server-gone');
  fleet.at += 10_000;
  await using again = await servePage({ ...options, port: server.port });
  await page.locator('.page[data-link^="connected"]').waitFor();
  again.send(fleet.outage(['n2']).slice(0, 2));
  await shown(page, 'n2', 'backoff');
  await page.getByRole('slider', { name: 'Moment' }).focus();
  await page.keyboard.press('Home');
  await shown(page, 'n2', 'connected');
  await page.context().close();
});
