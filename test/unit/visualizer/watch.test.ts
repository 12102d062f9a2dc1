import { expect, it } from 'vitest';
import type { Ask } from '../../../src/protocol/inspection.ts';
import { Watch, type Platform } from '../../../visualizer/stream/watch.ts';
import { hello, node, plainPacking, present, step } from './told.ts';

/** Frames come when the test says so. */
class TestPlatform implements Platform {
  time = 0;
  readonly #frames: (() => void)[] = [];
  readonly #packing = plainPacking();
  pack = this.#packing.pack;
  unpack = this.#packing.unpack;
  breathe = this.#packing.breathe;
  now = (): number => this.time;
  nextFrame = (fn: () => void): void => void this.#frames.push(fn);

  frame(): number {
    const due = this.#frames.splice(0);
    for (const fn of due) fn();
    return due.length;
  }
}

const begun = [hello(), node('n1'), present('n1', 10, ['connection', 'connected'])];

it('folds what came once a frame, and tells its listeners once', () => {
  const platform = new TestPlatform();
  const watch = new Watch(platform);
  let told = 0;
  watch.subscribe(() => (told += 1));
  for (const message of begun) watch.receive(JSON.stringify(message));
  expect(watch.model.actors.size).toBe(0);
  platform.frame();
  expect([told, watch.model.actors.size]).toEqual([1, 1]);
  expect(platform.frame()).toBe(0);
});

it('leaves for the next frame what this one has no time for', () => {
  const platform = new TestPlatform();
  const watch = new Watch(platform);
  platform.now = () => (platform.time += 1);
  const steps = Array.from({ length: 50 }, (_, index) =>
    step('n1', 'connection', { seq: index + 2, at: 20 + index, from: 'connected', to: 'connected' }),
  );
  watch.receive(JSON.stringify([...begun, ...steps]));
  platform.frame();
  expect(watch.model.actors.get('node/n1/1 connection')?.seq ?? 0).toBeLessThan(51);
  let frames = 1;
  while (platform.frame() > 0) frames += 1;
  expect(frames).toBeGreaterThan(3);
  expect(watch.model.actors.get('node/n1/1 connection')!.seq).toBe(51);
});

it('passes over what it cannot read, counts it, and keeps the rest', async () => {
  const platform = new TestPlatform();
  const watch = new Watch(platform);
  watch.receive('no JSON');
  watch.receive(JSON.stringify([...begun, { kind: 'step', at: 'soon' }, { kind: 'unheard' }]));
  platform.frame();
  expect([watch.unread, watch.model.actors.size]).toEqual([3, 1]);
  let text = '';
  for await (const piece of watch.timeline.recording()) text += piece;
  expect(text).not.toContain('unheard');
  expect(text).toContain('connected');
});

it('goes on with its time line when another server answers, whose clock began anew', () => {
  const platform = new TestPlatform();
  const watch = new Watch(platform);
  watch.receive(JSON.stringify([hello('hub/1', 90_000), { ...node('n1'), at: 90_000 }]));
  platform.frame();
  platform.time += 5_000;
  watch.receive(JSON.stringify([hello('hub/2', 300), present('n1', 400, ['connection', 'connected'])]));
  platform.frame();
  expect(watch.model.at).toBe(95_100);
  expect(watch.model.actors.get('node/n1/1 connection')!.since).toBe(95_100);
});

it('asks, and gets the answer; without a connection, or when it is lost, it is told so', async () => {
  const platform = new TestPlatform();
  const watch = new Watch(platform);
  const unasked = await watch.ask('pause');
  expect(unasked.ok).toBe(false);

  const asked: Ask[] = [];
  watch.attach({ ask: (it) => asked.push(it) > 0, restart: () => undefined });
  const answer = watch.ask('drain', 'n1');
  watch.receive(JSON.stringify({ kind: 'answer', id: asked[0]!.id, ok: true, message: 'n1 drains' }));
  platform.frame();
  expect(await answer).toMatchObject({ ok: true, message: 'n1 drains' });
  expect(asked[0]).toMatchObject({ operation: 'drain', target: 'n1' });

  const lost = watch.ask('drain', 'n1');
  watch.setLink({ state: 'backoff' });
  expect((await lost).ok).toBe(false);
});

it('begins again from the present when it cannot keep up', () => {
  const platform = new TestPlatform();
  const watch = new Watch(platform);
  let restarts = 0;
  watch.attach({ ask: () => true, restart: () => (restarts += 1) });
  const piece = JSON.stringify([...begun, ...Array.from({ length: 4_000 }, () => hello())]);
  for (let index = 0; index < 100; index += 1) watch.receive(piece);
  expect(restarts).toBeGreaterThan(0);
  expect(watch.model.dropped).toBe(0);
  platform.frame();
  expect(watch.model.dropped).toBeGreaterThan(0);
});

it('keeps a step once, however often it is told: who dials an inspector again is told everything again', async () => {
  const platform = new TestPlatform();
  const watch = new Watch(platform);
  const steps = [2, 3, 4].map((seq) =>
    step('n1', 'connection', {
      seq,
      at: 10 * seq,
      from: seq === 3 ? 'backoff' : 'connected',
      to: seq === 3 ? 'connected' : 'backoff',
    }),
  );
  const whole = JSON.stringify([...begun, ...steps]);
  for (let times = 0; times < 3; times += 1) watch.receive(whole);
  platform.frame();
  const actor = watch.model.actors.get('node/n1/1 connection')!;
  expect(actor).toMatchObject({ path: 'backoff', seq: 4 });
  expect([...actor.taken.values()]).toEqual([2, 1]);
  expect(actor.trail.map(({ label }) => label)).toEqual(['connected', 'backoff', 'connected', 'backoff']);
  expect(watch.timeline.recent).toHaveLength(3);

  // A new actor of the same name counts anew, and is no repetition.
  watch.receive(JSON.stringify(step('n1', 'connection', { seq: 1, at: 90, from: null, to: 'idle' })));
  platform.frame();
  expect(watch.model.actors.get('node/n1/1 connection')).toMatchObject({ path: 'idle', seq: 1 });
});
