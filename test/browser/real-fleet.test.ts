// A real hub with a trainer, real nodes, and the page in a real browser; the hub is killed and restarted.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import { createNode, noLog, trainable, type FleetNode } from '../../src/index.ts';
import { forkRole, quickLink, type Role } from '../chaos/processes.ts';
import type { TrainerRoleOptions } from '../chaos/roles/trainer.ts';
import { builtPage, launch, openPage, screenshot } from './browser.ts';

let browser: Browser;
beforeAll(async () => {
  builtPage();
  browser = await launch();
}, 60_000);
afterAll(() => browser.close());

/** Rounds that last a moment, so that there is always one to look at. */
const functions = trainable({
  train: async ({ weights }) => {
    await new Promise((resolve) => setTimeout(resolve, 200));
    return { weights, samples: 1 };
  },
});

class RealFleet {
  readonly #options: Omit<TrainerRoleOptions, 'port'>;
  readonly #nodes = new Map<string, FleetNode>();
  #port = 0;
  #role: Role | undefined;

  constructor() {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-page-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const gate = { minNodes: 3, terminateAfterMs: 600_000 };
    this.#options = { directory, rounds: 1_000_000, gate, killAt: 0, moments: 'checkpoint' };
  }

  get page(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  async startHub(): Promise<void> {
    this.#role = forkRole('trainer.ts', { ...this.#options, port: this.#port });
    const { port } = await this.#role.hears('it listens', ({ event }) => event === 'listens');
    this.#port = Number(port);
  }

  async killHub(): Promise<void> {
    await this.#role?.kill();
  }

  join(id: string): void {
    const hub = `ws://127.0.0.1:${this.#port}`;
    const node = createNode({ ...quickLink, hub, id, log: noLog(), drainTimeoutMs: 10, functions });
    this.#nodes.set(id, node);
    onTestFinished(() => this.leave(id));
  }

  async leave(id: string): Promise<void> {
    const node = this.#nodes.get(id);
    this.#nodes.delete(id);
    await node?.stop();
  }
}

const ids = ['alpha', 'beta', 'gamma'] as const;
const stateOf = (page: Page, id: string, state: string) =>
  page.locator(`[data-node="${id}"] td:first-of-type`, { hasText: state }).waitFor({ timeout: 20_000 });

async function fleetOnPage(): Promise<{ fleet: RealFleet; page: Page; faults: readonly string[] }> {
  const fleet = new RealFleet();
  await fleet.startHub();
  const { page, faults } = await openPage(browser, fleet.page, { folder: builtPage() });
  for (const id of ids) fleet.join(id);
  for (const id of ids) await stateOf(page, id, 'connected');
  return { fleet, page, faults };
}

it('comes back by itself after the hub was killed, and shows how each node came back, and the time before', async () => {
  const { fleet, page, faults } = await fleetOnPage();
  const slider = page.getByRole('slider', { name: 'Moment' });
  const before = Number(await slider.getAttribute('max'));
  await fleet.killHub();
  await page.locator('.outage').waitFor();
  await screenshot(page, 'hub-killed');
  await fleet.startHub();
  await page.locator('.page[data-link^="connected"]').waitFor({ timeout: 20_000 });
  for (const id of ids) {
    const whole = 'transient_failure → backoff → reconnecting → registering → connected';
    await page
      .locator(`[data-node="${id}"] title`, { hasText: whole })
      .waitFor({ state: 'attached', timeout: 20_000 });
  }
  await screenshot(page, 'hub-restarted');

  await page.evaluate(`location.assign('#/fleet?at=${before}')`);
  await page.locator('.page[data-busy="found"]').waitFor();
  for (const id of ids) {
    await stateOf(page, id, 'connected');
    expect(await page.locator(`[data-node="${id}"] .trail`).getAttribute('aria-label')).not.toContain(
      'failure',
    );
  }
  // What a node went through while nobody could hear it is shown when it happened.
  await page.getByRole('button', { name: 'Live' }).click();
  await page.getByRole('button', { name: 'beta' }).click();
  const stays = page.getByRole('list', { name: 'States of the connection' }).getByRole('listitem');
  for (const state of ['transient_failure', 'backoff']) {
    await stays.filter({ hasText: state }).first().getByRole('link').click();
    await page.locator('.page[data-busy="found"]').waitFor();
    await stateOf(page, 'beta', state);
  }
  await screenshot(page, 'hub-away');
  expect(faults).toEqual([]);
  await page.context().close();
}, 60_000);

it('shows the gate pausing when a node leaves, and resuming when it is back', async () => {
  const { fleet, page, faults } = await fleetOnPage();
  const gate = (state: string) =>
    page
      .locator('.tile', { hasText: 'Training gate' })
      .locator('.badge', { hasText: state })
      .waitFor({ timeout: 20_000 });
  await gate('open');
  await fleet.leave('gamma');
  await gate('paused');
  await page.getByRole('meter').waitFor();
  await screenshot(page, 'gate-paused');
  fleet.join('gamma');
  await gate('open');
  expect(faults).toEqual([]);
  await page.context().close();
}, 60_000);
