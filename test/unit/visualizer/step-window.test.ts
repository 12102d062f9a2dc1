// The steps at hand for a diagram: the latest, what comes, and those around a moment of the past.
import { expect, test } from 'vitest';
import type { Step } from '../../../src/protocol/inspection.ts';
import { StepWindow, type StepSource } from '../../../visualizer/stream/step-window.ts';

const never = { throwIfAborted: () => {} };
const quiet = (): void => {};
const step = (n: number): Step => ({
  kind: 'step',
  process: 'p',
  actor: 'a',
  machine: 'm',
  seq: n,
  at: n * 100,
  clock: n,
  event: { type: 'e' },
  from: 'x',
  to: 'x',
});

/** Ten steps a second; `at hand` are the latest 20. */
class Recorded implements StepSource {
  readonly all: Step[] = [];
  readonly perSecond = new Map<number, number>();
  readonly asked: [from: number, to: number][] = [];

  grow(count: number): this {
    for (let n = 0; n < count; n += 1) {
      const one = step(this.all.length);
      this.all.push(one);
      const second = Math.floor(one.at / 1_000);
      this.perSecond.set(second, (this.perSecond.get(second) ?? 0) + 1);
    }
    return this;
  }
  get recent(): readonly Step[] {
    return this.all.slice(-20);
  }
  async *steps(from: number, to: number): AsyncGenerator<readonly Step[]> {
    this.asked.push([from, to]);
    // As the time line does: read again from what is kept, in pieces.
    for (let n = 0; n < this.all.length; n += 7)
      yield this.all
        .slice(n, n + 7)
        .filter(({ at }) => at >= from && at <= to)
        .map((one) => ({ ...one }));
  }
}

const span = ({ order }: StepWindow): [number, number, number] => [
  order.steps[0]?.step.seq ?? -1,
  order.steps.at(-1)?.step.seq ?? -1,
  order.steps.length,
];

test('all there is fits: it is loaded once, and what comes is added', async () => {
  const source = new Recorded().grow(50);
  const window = new StepWindow(source, 1_000);
  expect(window.shows('live')).toBe(false);
  await window.load('live', never, quiet);
  expect(span(window)).toEqual([0, 49, 50]);
  expect(window.follow()).toBe(false);
  source.grow(5);
  expect(window.follow()).toBe(true);
  expect(span(window)).toEqual([0, 54, 55]);
  expect([window.shows('live'), window.shows(10), window.isCut]).toEqual([true, true, false]);
});

test('of more than there is room for the latest are at hand, in whole seconds', async () => {
  const source = new Recorded().grow(205);
  const window = new StepWindow(source, 100);
  await window.load('live', never, quiet);
  expect(span(window)).toEqual([110, 204, 95]);
  expect([window.shows('live'), window.shows(12_000), window.shows(5_000), window.isCut]).toEqual([
    true,
    true,
    false,
    true,
  ]);
});

test('around a moment of the past there is more before it than behind, and it stays as it is', async () => {
  const source = new Recorded().grow(400);
  const window = new StepWindow(source, 100);
  await window.load(20_000, never, quiet);
  const [first, last, count] = span(window);
  expect(first).toBeLessThan(150);
  expect(last).toBeGreaterThanOrEqual(225);
  expect(last).toBeLessThan(250);
  expect(count).toBeLessThanOrEqual(100);
  source.grow(5);
  expect(window.follow()).toBe(false);
  expect([window.shows(20_000), window.shows('live'), window.shows(39_000)]).toEqual([true, false, false]);
  await window.load('live', never, quiet);
  expect(window.order.steps.at(-1)!.step.seq).toBe(404);
});

test('when more has come than is at hand, it loads again instead of leaving a gap', async () => {
  const source = new Recorded().grow(30);
  const window = new StepWindow(source, 1_000);
  await window.load('live', never, quiet);
  source.grow(100);
  expect(window.follow()).toBe(true);
  expect(window.shows('live')).toBe(false);
  await window.load('live', never, quiet);
  expect(span(window)).toEqual([0, 129, 130]);
});

test('a load that is given up leaves nothing half done', async () => {
  const window = new StepWindow(new Recorded().grow(50), 1_000);
  const halted = {
    throwIfAborted: () => {
      throw new Error('given up');
    },
  };
  const source = window.load('live', halted, () => halted.throwIfAborted());
  await expect(source).rejects.toThrow('given up');
  expect([window.shows('live'), window.isLoading]).toEqual([false, false]);
  await window.load('live', never, quiet);
  expect(span(window)).toEqual([0, 49, 50]);
});
