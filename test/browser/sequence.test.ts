// The sequence view in real Chromium: who said what to whom, filters, search, the way to a machine, very many steps.
import { createWebSocketInspector } from '@statelyai/inspect';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import { createActor, createMachine, sendTo, setup } from 'xstate';
import { eventInWords } from '../../src/engine/possible.ts';
import { createSite } from '../../src/adapters/site-files.ts';
import { startInspector } from '../conformance/inspection/inspector.ts';
import { accessibilityFaults, builtPage, launch, openPage, screenshot } from './browser.ts';
import { Conversation } from './conversation.ts';
import { servePage, type PageServer } from './page-server.ts';

let browser: Browser;
beforeAll(async () => {
  builtPage();
  browser = await launch();
}, 60_000);
afterAll(() => browser.close());

const serve = (talk: Conversation): Promise<PageServer> =>
  servePage({ folder: builtPage(), onOpen: (viewer) => viewer.send(talk.beginning()) });
const rows = (page: Page) => page.locator('.row');
const said = (page: Page) => list(page).getByRole('option');
const list = (page: Page) => page.getByRole('listbox');

it.each([
  ['light', { colours: 'light' }],
  ['dark', { colours: 'dark' }],
  ['phone', { width: 390, height: 844 }],
] as const)('shows who said what to whom, and a step whole, to everybody (%s)', async (name, options) => {
  const talk = new Conversation();
  await using server = await serve(talk);
  const { page, faults } = await openPage(browser, `${server.url}#/sequence`, options);
  await page.getByText('No steps yet').waitFor();
  await screenshot(page, `sequence-empty-${name}`);
  server.send(talk.steps(40));
  await rows(page).first().waitFor();
  await list(page).focus();
  await page.keyboard.press('Home');
  expect(await said(page).nth(1).getAttribute('aria-label')).toMatch(
    /: session\/n1 of hub\/1f3c: call\.received from caller, begins in online\.busy$/,
  );
  for (let presses = 0; presses < 4; presses += 1) await page.keyboard.press('ArrowDown');
  await page
    .getByRole('complementary', { name: 'Selected step' })
    .getByText('result.received')
    .first()
    .waitFor();
  await page.getByText('"call": "c5"').waitFor();
  await screenshot(page, `sequence-${name}`);
  expect(await accessibilityFaults(page)).toEqual([]);
  expect(faults).toEqual([]);
  await page.context().close();
});

it('puts causes before effects, however they come', async () => {
  const talk = new Conversation();
  await using server = await serve(talk);
  const { page } = await openPage(browser, `${server.url}#/sequence`);
  await page.getByText('No steps yet').waitFor();
  const steps = talk.steps(11);
  // One process tells its steps in order; of several, the effect may be heard long before its cause.
  for (const process of ['node/n1/9ab2', 'hub/1f3c', 'client/web/77'])
    for (const step of steps) if (step.process === process) server.send([step]);
  await expect.poll(() => rows(page).count()).toBe(11);
  const events = (await rows(page).locator('.row-event').allTextContents()).map((text) => text.slice(0, 10));
  expect(events).toEqual(steps.map(({ event }) => eventInWords(event.type).slice(0, 10)));
  await page.context().close();
});

it('is filtered by actor, process, event and time; a search finds the next match; the address keeps it all', async () => {
  const talk = new Conversation();
  await using server = await serve(talk);
  const { page } = await openPage(browser, `${server.url}#/sequence`);
  await page.getByText('No steps yet').waitFor();
  server.send(talk.steps(24));
  await page.getByText('24 steps').waitFor();
  await page.getByLabel('Only events of this type').fill('socket');
  await page.getByText('4 steps', { exact: true }).waitFor();
  await page.getByLabel('Only events of this type').fill('nothing like it');
  await page.getByText('No step is like that').waitFor();
  await page.getByRole('button', { name: 'Clear all filters' }).click();
  await page.getByText('24 steps').waitFor();

  await page.getByRole('button', { name: 'Actors: the busiest' }).click();
  await page.getByRole('searchbox', { name: 'Find an actor' }).fill('session');
  await page.getByRole('checkbox').first().uncheck();
  await page.getByText('18 steps').waitFor();
  await screenshot(page, 'sequence-picker');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Actors: 3' }).waitFor();

  await page.getByLabel(/^Search in steps/).fill('c7');
  await page.keyboard.press('Enter');
  await page
    .getByRole('complementary', { name: 'Selected step' })
    .getByText('socket.closed')
    .first()
    .waitFor();
  const address = page.url();
  expect(address).toContain('q=c7');
  const again = await openPage(browser, address);
  await again.page.getByRole('button', { name: 'Actors: 3' }).waitFor();

  await page.getByRole('toolbar').getByLabel('Time').selectOption('Last second');
  await page.getByRole('toolbar').getByLabel('Process').selectOption('client/web/77');
  expect(page.url()).toContain('span=1s');
  await page.context().close();
  await again.page.context().close();
});

it('leads to the machine at that moment, and shows what came later as later', async () => {
  const talk = new Conversation();
  await using server = await serve(talk);
  const { page } = await openPage(browser, `${server.url}#/sequence`);
  await page.getByText('No steps yet').waitFor();
  const steps = talk.steps(24);
  server.send(steps);
  await page.getByText('24 steps').waitFor();
  await list(page).focus();
  await page.keyboard.press('Home');
  for (let presses = 0; presses < 6; presses += 1) await page.keyboard.press('ArrowDown');
  await page.getByRole('button', { name: 'Go to this moment' }).click();
  await page.locator('.row.later').first().waitFor();
  expect(await page.locator('.row:not(.later) #row-6').count()).toBe(1);
  expect(await page.locator('.row.later #row-7').count()).toBe(1);
  await screenshot(page, 'sequence-moment');
  await page
    .getByRole('button', { name: 'in session/n1' })
    .or(page.getByText('from outside'))
    .first()
    .waitFor();
  await page.getByRole('button', { name: 'Show in its machine' }).click();
  await expect.poll(() => page.url()).toContain('#/machine/node%2Fn1%2F9ab2/connection');
  expect(page.url()).toContain(`at=${steps[6]!.at}`);
  await page.context().close();
});

it('keeps very many steps at hand, and draws those in sight only', async () => {
  const talk = new Conversation();
  await using server = await serve(talk);
  const { page } = await openPage(browser, `${server.url}#/sequence`);
  await page.getByText('No steps yet').waitFor();
  for (let n = 0; n < 20; n += 1) server.send(talk.steps(1_000));
  await page.getByText('20000 steps').waitFor({ timeout: 60_000 });
  expect(await rows(page).count()).toBeLessThan(60);
  await list(page).focus();
  await page.keyboard.press('Home');
  await page.locator('#row-0').waitFor();
  await page.keyboard.press('End');
  await page.locator('#row-19999').waitFor();
  await page.getByLabel(/^Search in steps/).fill('c12500');
  await page.keyboard.press('Enter');
  await page.locator('#row-12499').waitFor();
  await page.context().close();
}, 90_000);

it('watches an app that uses @statelyai/inspect, live', async () => {
  const inspector = await startInspector({ site: createSite(builtPage(), 'no page') });
  const { page, faults } = await openPage(browser, `${inspector.url}#/sequence`);
  const child = createMachine({
    id: 'lamp',
    initial: 'off',
    states: { off: { on: { toggle: 'on' } }, on: { on: { toggle: 'off' } } },
  });
  const parent = setup({ actors: { child } }).createMachine({
    id: 'room',
    initial: 'empty',
    invoke: { src: 'child', id: 'ceiling' },
    states: {
      empty: { on: { enter: { target: 'used', actions: sendTo('ceiling', { type: 'toggle' }) } } },
      used: { on: { leave: { target: 'empty', actions: sendTo('ceiling', { type: 'toggle' }) } } },
    },
  });
  const stately = createWebSocketInspector({ url: inspector.appUrl! });
  const actor = createActor(parent, { inspect: stately.inspect });
  onTestFinished(() => {
    actor.stop();
    stately.stop();
  });
  actor.start();
  for (let n = 0; n < 3; n += 1) for (const type of ['enter', 'leave'] as const) actor.send({ type });
  await page.getByText('14 steps').waitFor();
  const labels = await said(page).evaluateAll((all) =>
    all.map((row) => row.getAttribute('aria-label') ?? ''),
  );
  const spoken = labels.map((label) => label.replace(/^[^:]*:\d\d:[\d.]+: /, '').replace(/ \(x:\d+\)/g, ''));
  expect(spoken.slice(2, 4)).toEqual([
    'room of app/room/1: enter, empty to used',
    'ceiling of app/room/1: toggle from room, off to on',
  ]);
  await screenshot(page, 'sequence-stately');
  await rows(page).nth(3).dblclick();
  await expect.poll(() => page.url()).toContain('#/machine/app%2Froom%2F1/');
  await page.getByText('off').first().waitFor();
  await screenshot(page, 'machine-stately');
  expect(faults).toEqual([]);
  await page.context().close();
});
