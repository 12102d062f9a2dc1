import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import { setup } from 'xstate';
import { registry, sessionMachine } from '../../machines/index.ts';
import { toTrace } from '../../src/checker/index.ts';
import { toDocument, traceRecording } from '../../src/inspect/index.ts';
import type { MachineSaid, StateValue, Step, Told } from '../../src/protocol/inspection.ts';
import { drained, explore, kept } from '../checks/systems.ts';
import { twin } from '../checks/twin.ts';
import { accessibilityFaults, builtPage, launch, openPage, screenshot, type OpenPage } from './browser.ts';
import { servePage, type PageServer } from './page-server.ts';

let browser: Browser;
beforeAll(async () => {
  builtPage();
  browser = await launch();
}, 60_000);
afterAll(() => browser.close());

const hello: readonly Told[] = [
  { kind: 'hello', version: 1, process: 'app/1', role: 'app', name: 'app', at: 1_000, may: [] },
  { kind: 'process', process: 'app/1', role: 'app', name: 'app', at: 1_000, state: 'here' },
];

const documentOf = (machine: Parameters<typeof toDocument>[0], input?: unknown): MachineSaid['document'] =>
  toDocument(machine, { input }).document as MachineSaid['document'];

/** Steps of one actor, as a stream tells them. */
class Actor {
  #seq = 0;
  #state: StateValue | null = null;
  readonly #machine: string;
  at = 1_000;

  constructor(machine: string) {
    this.#machine = machine;
  }

  step(event: string, to: StateValue, more: Partial<Step> = {}): Step {
    const from = this.#state;
    this.#state = to;
    this.#seq += 1;
    this.at += 100;
    const { at } = this;
    const [seq, clock, machine] = [this.#seq, this.#seq, this.#machine];
    return {
      kind: 'step',
      process: 'app/1',
      actor: 'a',
      machine,
      seq,
      at,
      clock,
      event: { type: event },
      from,
      to,
      ...more,
    };
  }
}

const laidOut = (page: Page): Promise<unknown> => page.locator('[data-laid="placed"]').waitFor();
const ACTOR = '#/machine/app%2F1/a';

/** What a person would see at once: a box on another, a label on a box or on another label, a text wider than its room. */
const COLLISIONS = `(() => {
  const seen = (selector, inner) => [...document.querySelectorAll(selector)].map((it) => ({
    name: it.getAttribute('data-box') ?? it.getAttribute('data-label'),
    box: (it.querySelector(inner) ?? it).getBoundingClientRect(),
  }));
  const overlap = (a, b) =>
    a.left < b.right - 0.5 && b.left < a.right - 0.5 && a.top < b.bottom - 0.5 && b.top < a.bottom - 0.5;
  const leaves = seen('.state-box.leaf', 'rect');
  const labels = seen('.arrow-label:not(.written)', ':scope > rect');
  const faults = [];
  for (const [some, others] of [[leaves, leaves], [labels, labels], [labels, leaves]])
    for (const a of some)
      for (const b of others) if (a.name !== b.name && overlap(a.box, b.box)) faults.push(a.name + ' lies on ' + b.name);
  for (const label of document.querySelectorAll('.arrow-label:not(.written)')) {
    const room = label.querySelector(':scope > rect').getBoundingClientRect();
    for (const text of label.querySelectorAll(':scope > text'))
      if (text.getBoundingClientRect().right > room.right + 0.5) faults.push(text.textContent + ' is wider than its label');
  }
  return faults;
})()`;

describe('a chart', () => {
  describe('of our machines', () => {
    let server: PageServer;
    let opened: OpenPage;
    beforeAll(async () => {
      server = await servePage({ folder: builtPage(), onOpen: (viewer) => viewer.send(hello) });
      opened = await openPage(browser, server.url);
    });
    afterAll(async () => {
      await opened.page.context().close();
      await server[Symbol.asyncDispose]();
    });

    it.each(Object.entries(registry))(
      '%s: nothing lies on another, and the active state is lit',
      async (name, { machine }) => {
        const { page, faults } = opened;
        await page.goto(`${server.url}#/simulate/${name}`);
        await page.locator(`[aria-label^="Chart of ${machine.id} with"]`).waitFor();
        await laidOut(page);
        await page.locator(`.state-box.active[data-box="${machine.config.initial}"]`).waitFor();
        expect(await page.locator('.state-box.leaf.active').count()).toBe(1);
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme });
          await screenshot(page, `chart-${name}-${colorScheme}`);
        }
        expect(await page.evaluate(COLLISIONS)).toEqual([]);
        expect(faults).toEqual([]);
      },
    );

    it('would be seen to collide if they did', async () => {
      const { page } = opened;
      await page.evaluate(
        "document.querySelectorAll('.state-box.leaf rect').forEach((it) => it.setAttribute('x', '40'))",
      );
      expect(await page.evaluate(COLLISIONS)).not.toEqual([]);
    });
  });

  it('shows an actor as it goes: active states, what was taken and how often, time left, context', async () => {
    const actor = new Actor('connection');
    const { machine, input } = registry.connection;
    const timers = [
      { id: 'xstate.after.backoffDelay.connection.backoff', name: 'backoffDelay', delayMs: 60_000 },
    ];
    const beginning = (): Told[] => [
      ...hello,
      { kind: 'machine', machine: 'connection', document: documentOf(machine, input) },
      actor.step('xstate.init', 'idle', { context: { control: { epoch: 0 } } }),
    ];
    await using server = await servePage({
      folder: builtPage(),
      onOpen: (viewer) => viewer.send(beginning()),
    });
    const { page, faults } = await openPage(browser, `${server.url}${ACTOR}`);
    await laidOut(page);
    const active = page.locator('.state-box.leaf.active');
    expect(await active.getAttribute('data-box')).toBe('idle');
    server.send([
      actor.step('connect.requested', { establishing: 'connecting' }, { effects: [{ name: 'openSocket' }] }),
      actor.step('socket.closed', 'transient_failure'),
      actor.step('socket.released', 'backoff', { timers, context: { control: { epoch: 7 } } }),
    ]);
    await page.locator('.state-box.active[data-box="backoff"]').waitFor();
    expect(await page.locator('.state-arrow.lit').getAttribute('data-arrow')).toBe(
      'transient_failure → backoff',
    );
    const count = page.locator('[data-label="idle → establishing"] .arrow-count');
    expect(await count.textContent()).toBe('1');
    expect(await page.locator('.state-delay.running .left').textContent()).toMatch(/^(60|59) s$/);
    expect(await page.locator('.json').textContent()).toContain('epoch: 7');
    expect(await page.getByRole('button', { name: /socket\.released/ }).textContent()).toContain('last');
    // The one that is active is in sight, though the whole would be too small to read.
    const backoff = page.locator('.state-box.active[data-box="backoff"]');
    await expect.poll(async () => (await backoff.boundingBox())!.y).toBeLessThan(600);
    await screenshot(page, 'machine-live');
    expect(await accessibilityFaults(page)).toEqual([]);
    // Back to a moment of the past.
    await page.getByRole('button', { name: /socket\.closed/ }).click();
    await page.locator('.state-box.active[data-box="transient_failure"]').waitFor();
    expect(page.url()).toContain(`at=${actor.at - 100}`);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it('is moved, zoomed and searched by the keyboard, and shows actions when asked', async () => {
    await using server = await servePage({ folder: builtPage(), onOpen: (viewer) => viewer.send(hello) });
    const { page } = await openPage(browser, `${server.url}#/simulate/gate`);
    await laidOut(page);
    const paused = page.locator('[data-box="paused"] rect').first();
    const before = await paused.boundingBox();
    await page.getByRole('application').focus();
    await page.keyboard.press('ArrowDown');
    await expect.poll(async () => Math.round((await paused.boundingBox())!.y - before!.y)).toBe(-60);
    await page.keyboard.press('+');
    await expect.poll(async () => (await paused.boundingBox())!.width / before!.width).toBeCloseTo(1.2, 1);
    await page.keyboard.press('0');
    await expect
      .poll(async () => (await page.locator('[data-box=""] rect').boundingBox())!.height)
      .toBeLessThan(540);
    await page.getByRole('searchbox', { name: 'Find a state' }).fill('term');
    expect(await page.locator('.state-box.found').count()).toBe(2);
    await page.keyboard.press('Enter');
    expect(await page.locator('.found-first').getAttribute('data-box')).toBe('terminated');
    expect(await page.locator('.drawing').textContent()).not.toContain('entry / ');
    await page.getByRole('button', { name: 'Actions' }).click();
    await page.locator('.state-deed', { hasText: 'entry / advanceEpoch, deliverModel' }).waitFor();
    expect(page.url()).toContain('details=shown');
    await page.context().close();
  });

  it('of a machine of others is drawn from what it says of itself, and every name in it is text', async () => {
    const name = '<img src=x onerror="globalThis.hacked=1">';
    const script = '"><script>globalThis.hacked=1</script>';
    const theirs = setup({ guards: { [script]: () => true } }).createMachine({
      id: script,
      initial: name,
      states: {
        [name]: { description: script, on: { [script]: { target: 'next', guard: script } } },
        next: { type: 'final' },
      },
    });
    const actor = new Actor(script);
    const beginning = (): Told[] => [
      ...hello,
      { kind: 'machine', machine: script, document: documentOf(theirs) },
      actor.step('xstate.init', name, { context: { [name]: script } }),
      actor.step(script, 'next', { status: 'done', effects: [{ name }] }),
    ];
    await using server = await servePage({
      folder: builtPage(),
      onOpen: (viewer) => viewer.send(beginning()),
    });
    const { page, faults } = await openPage(browser, `${server.url}${ACTOR}`);
    await laidOut(page);
    await page.locator('.state-name', { hasText: name }).waitFor({ state: 'attached' });
    expect(await page.locator('.label-row').allTextContents()).toEqual([script, `[${script}]`]);
    expect(await page.locator('.json').textContent()).toContain(name);
    await page.getByRole('button', { name: 'Export' }).click();
    await page.getByRole('textbox', { name: 'Stately text' }).waitFor();
    await screenshot(page, 'chart-hostile');
    expect(await page.locator('img, script:not([src])').count()).toBe(0);
    expect(await page.evaluate('typeof globalThis.hacked')).toBe('undefined');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it('that cannot be drawn says why, and the rest of the actor is shown', async () => {
    const actor = new Actor('broken');
    const document = { id: 'broken', initial: 'a', states: { a: { on: { go: 'nowhere' } } } };
    const beginning = (): Told[] => [
      ...hello,
      { kind: 'machine', machine: 'broken', document },
      actor.step('xstate.init', 'a', { context: { left: 3 } }),
    ];
    await using server = await servePage({
      folder: builtPage(),
      onOpen: (viewer) => viewer.send(beginning()),
    });
    const { page, faults } = await openPage(browser, `${server.url}${ACTOR}`);
    expect(await page.getByRole('alert').textContent()).toContain('nowhere');
    expect(await page.locator('.json').textContent()).toContain('left: 3');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it('walks through a counterexample in the words of the checker, from actor to actor', async () => {
    const session = twin(sessionMachine, ({ states }) => {
      states['draining']!.states['ordered']!.states['present']!.on['socket.closed'] = '#session.absent';
    });
    const { violation } = explore({ ...drained, session }, kept);
    const told = traceRecording(toTrace(violation!, 'fleet'));
    const story = told.filter((it): it is Step => it.kind === 'step' && it.words !== undefined);
    await using server = await servePage({ folder: builtPage(), onOpen: (viewer) => viewer.send(told) });
    const first = `#/machine/${encodeURIComponent(story[0]!.process)}/${encodeURIComponent(story[0]!.actor)}`;
    const { page, faults } = await openPage(browser, server.url + first);
    const panel = page.getByRole('region', { name: 'Counterexample' });
    await panel.getByText(`step ${story.length} of ${story.length}`).waitFor();
    await panel.getByRole('button', { name: story[0]!.words! }).click();
    const shown = new Set<string>();
    for (const [i, { at, words }] of story.entries()) {
      await panel.getByText(`step ${i + 1} of ${story.length}`).waitFor();
      // Each step opens one of the parts that it was about, at its moment.
      const parts = told.flatMap((it) => (it.kind === 'step' && it.at === at ? [it.actor] : []));
      const heading = (await page.getByRole('heading', { level: 1 }).textContent())!;
      expect(parts).toContain(heading.replace(` in ${story[0]!.process}`, ''));
      expect(await panel.locator('[aria-current="step"]').textContent()).toBe(words);
      const chart = await page.getByRole('application').getAttribute('aria-label');
      shown.add(chart!.split(' ')[2]!);
      if (i === 3) {
        await laidOut(page);
        await screenshot(page, 'counterexample');
      }
      const next = panel.getByRole('button', { name: 'Next' });
      if (i < story.length - 1) await next.click();
      else expect(await next.isDisabled()).toBe(true);
    }
    // Its parts are drawn as the machines that they are.
    expect([...shown]).toEqual(expect.arrayContaining(['connection', 'session']));
    expect(faults).toEqual([]);
    await page.context().close();
  });
});
