import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Browser } from 'playwright-core';
import type { Ask, Open } from '../../src/protocol/inspection.ts';
import { accessibilityFaults, builtPage, launch, openPage, screenshot } from './browser.ts';
import { servePage, type PageServer } from './page-server.ts';
import { SyntheticFleet } from './synthetic-fleet.ts';

let browser: Browser;
beforeAll(async () => {
  builtPage();
  browser = await launch();
}, 60_000);
afterAll(() => browser.close());

async function serve(
  fleet: SyntheticFleet,
  more: Partial<Parameters<typeof servePage>[0]> = {},
): Promise<PageServer> {
  return servePage({ folder: builtPage(), onOpen: (viewer) => viewer.send(fleet.beginning()), ...more });
}

it.each([
  ['light', { colours: 'light' }],
  ['dark', { colours: 'dark' }],
  ['phone', { width: 390, height: 844 }],
] as const)('shows every node, machine and endpoint, for everybody (%s)', async (name, options) => {
  const fleet = new SyntheticFleet({ nodes: 60 });
  await using server = await serve(fleet);
  const { page, faults } = await openPage(browser, server.url, options);
  await page
    .getByRole('button', { name: 'n60' })
    .or(page.getByRole('button', { name: 'n10' }))
    .first()
    .waitFor();
  for (let round = 0; round < 8; round += 1) server.send([...fleet.steps(40, 500), fleet.fleet('changed')]);
  server.send([...fleet.outage(fleet.ids.slice(0, 9)), fleet.fleet('whole')]);
  await page
    .locator('[data-node="n1"] .trail title', { hasText: 'registering' })
    .waitFor({ state: 'attached' });
  const words = await page.locator('[data-node="n1"] .trail').getAttribute('aria-label');
  expect(words).toBe('connected → transient_failure → backoff → reconnecting → registering → connected');
  expect(await page.getByText('gpu-3:8000').first().isVisible()).toBe(true);
  expect(await page.locator('.machines').textContent()).toContain('session');
  await page.locator('.u-over').waitFor({ state: 'attached' });
  await screenshot(page, `fleet-${name}`);
  expect(await accessibilityFaults(page)).toEqual([]);
  expect(faults).toEqual([]);
  await page.context().close();
});

it('finds nodes by what they are called and labelled, by state, and sorts them', async () => {
  const fleet = new SyntheticFleet({ nodes: 5_000 });
  await using server = await serve(fleet);
  const { page } = await openPage(browser, server.url);
  await page.locator('[data-node="n2"]').waitFor();
  // Of thousands only those in sight exist.
  expect(await page.locator('[data-node]').count()).toBeLessThan(60);
  await page.getByRole('searchbox').fill('n4999');
  await page.locator('[data-node="n4999"]').waitFor();
  expect(await page.locator('[data-node]').count()).toBe(1);
  await page.getByRole('searchbox').fill('zone=nowhere');
  await page.getByText('No node matches').waitFor();
  await page.getByRole('button', { name: 'Show all' }).click();
  await page.getByRole('button', { name: 'Node', exact: true }).click();
  await page.locator('[data-node="n5000"]').waitFor();
  // The address says what is shown: a link to it shows the same.
  expect(page.url()).toContain('desc=1');
  await page.getByLabel('Only in state').selectOption('suspect');
  await page.locator('[data-node]').first().waitFor();
  const states = await page.locator('[data-node] td:nth-of-type(2)').allTextContents();
  expect(new Set(states)).toEqual(new Set(['suspect']));
  await page.context().close();
});

it('is used by the keyboard alone', async () => {
  await using server = await serve(new SyntheticFleet({ nodes: 5 }));
  const { page } = await openPage(browser, server.url);
  const name = page.getByRole('button', { name: 'n3', exact: true });
  await name.waitFor();
  for (let presses = 0; presses < 40 && !(await name.evaluate((it) => it.matches(':focus'))); presses += 1)
    await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('list', { name: 'States of the connection' }).waitFor();
  expect(await page.getByRole('link', { name: 'session/n3' }).getAttribute('href')).toBe(
    '#/machine/hub%2F1f3c/session%2Fn3',
  );
  await page.context().close();
});

it('asks before it acts, and only what it may', async () => {
  const fleet = new SyntheticFleet({ nodes: 5 });
  const asked: Ask[] = [];
  await using server = await serve(fleet, {
    onOpen: (viewer) => viewer.send(fleet.beginning(['drain', 'pause', 'retry'])),
    onAsk: (viewer, ask) => {
      asked.push(ask);
      viewer.send([{ kind: 'answer', id: ask.id, ok: true, message: `${ask.target} drains now` }]);
    },
  });
  const { page, faults } = await openPage(browser, `${server.url}#/fleet?node=n3`);
  await page.getByRole('button', { name: 'Drain' }).click();
  expect(await page.getByRole('button', { name: 'Disconnect' }).count()).toBe(0);
  const dialog = page.getByRole('dialog', { name: 'Drain n3?' });
  await screenshot(page, 'act');
  expect(await accessibilityFaults(page)).toEqual([]);
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  expect(asked).toEqual([]);
  await page.getByRole('button', { name: 'Drain' }).click();
  await dialog.getByRole('button', { name: 'Drain' }).click();
  await page.getByText('n3 drains now').waitFor();
  expect(asked).toMatchObject([{ operation: 'drain', target: 'n3' }]);
  // Of the past nothing can be asked.
  server.send(fleet.steps(5, 100));
  await page.getByRole('button', { name: 'Step before' }).click();
  await page.getByRole('button', { name: 'Drain' }).waitFor({ state: 'detached' });
  expect(faults).toEqual([]);
  await page.context().close();
});

it('asks for the token that the server wants, and comes in with it', async () => {
  const fleet = new SyntheticFleet({ nodes: 3 });
  const opened: Open[] = [];
  await using server = await serve(fleet, {
    onOpen: (viewer, open) => {
      opened.push(open);
      if (open.token === 'sesame') viewer.send(fleet.beginning());
      else viewer.close(4401, 'wrong or missing token');
    },
  });
  const { page } = await openPage(browser, server.url);
  await page.getByRole('dialog', { name: 'This fleet wants a token' }).waitFor();
  await screenshot(page, 'token');
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByLabel('Token of the hub').fill('sesame');
  await page.getByRole('button', { name: 'Connect' }).click();
  await page.locator('[data-node="n3"]').waitFor();
  expect(opened.map(({ token }) => token)).toEqual([undefined, 'sesame']);
  expect(page.url()).not.toContain('sesame');
  await page.context().close();
});

it('shows what strangers named as text, wherever it stands', async () => {
  const hostile = '<img src=x onerror="globalThis.hacked=1">';
  const script = '"><script>globalThis.hacked=1</script>';
  const fleet = new SyntheticFleet({ nodes: 2, names: [hostile, script], labels: { [hostile]: script } });
  await using server = await serve(fleet);
  const { page, faults } = await openPage(browser, server.url);
  await page.getByRole('button', { name: hostile }).click();
  server.send(fleet.outage([hostile]));
  await page.getByRole('heading', { name: hostile }).waitFor();
  await page.getByText(`${hostile}=${script}`).first().waitFor();
  for (const view of ['machine', 'sequence', 'simulate']) {
    await page.goto(`${server.url}#/${view}/${encodeURIComponent(hostile)}/${encodeURIComponent(script)}`);
    await page.locator(`.tab[aria-current]`).waitFor();
  }
  await page.goto(`${server.url}#/fleet`);
  await page.getByRole('button', { name: hostile }).waitFor();
  await screenshot(page, 'hostile');
  expect(await page.locator('img, script:not([src])').count()).toBe(0);
  expect(await page.evaluate('typeof globalThis.hacked')).toBe('undefined');
  expect(faults).toEqual([]);
  await page.context().close();
});

it('lists the actors of a stream that has no hub', async () => {
  const fleet = new SyntheticFleet({ nodes: 3 });
  const app = fleet.beginning().filter(({ kind }) => kind !== 'fleet');
  await using server = await serve(fleet, {
    onOpen: (viewer) =>
      viewer.send(app.map((told) => (told.kind === 'hello' ? { ...told, role: 'app' } : told))),
  });
  const { page } = await openPage(browser, server.url);
  await page.getByRole('searchbox', { name: 'Search actors' }).fill('session n2');
  const link = page.getByRole('row').getByRole('link');
  await expect.poll(() => link.allTextContents()).toEqual(['session/n2']);
  await link.click();
  await page.waitForURL((url) => url.hash === '#/machine/hub%2F1f3c/session%2Fn2');
  await page.context().close();
});
