import { expect, it } from 'vitest';
import type { Told } from '../../../src/protocol/inspection.ts';
import { readRecording } from '../../../src/protocol/recording.ts';
import { Fold } from '../../../visualizer/stream/fold.ts';
import { Timeline, timelineLimits, type TimelineLimits } from '../../../visualizer/stream/timeline.ts';
import { SyntheticFleet } from '../../browser/synthetic-fleet.ts';
import { folded, plainPacking } from './told.ts';

const signal = new AbortController().signal;
const small: TimelineLimits = { ...timelineLimits, chunkChars: 4_000, maxCheckpoints: 6 };

interface Recorded {
  readonly timeline: Timeline;
  readonly messages: readonly Told[];
}

/** A fleet with an outage in the middle, whose steps are told only after the fleet's present at its end. */
async function record(limits: TimelineLimits, rounds = 40): Promise<Recorded> {
  const fleet = new SyntheticFleet({ nodes: 5 });
  const timeline = new Timeline(plainPacking(), limits);
  const fold = new Fold();
  const messages: Told[] = [];
  const tell = (batch: readonly Told[]): void => {
    timeline.begin(fold);
    for (const told of batch) {
      fold.apply(told);
      timeline.note(told);
      messages.push(told);
    }
    timeline.keep(JSON.stringify(batch));
  };
  tell(fleet.beginning());
  for (let round = 0; round < rounds; round += 1) {
    if (round === rounds / 2) {
      const steps = fleet.outage();
      const after = fleet.steps(3, 50);
      tell([fleet.fleet('whole'), ...after]);
      tell(steps);
    }
    tell([...fleet.steps(20, 400), fleet.fleet('changed')]);
  }
  await timeline.settled;
  return { timeline, messages };
}

const summary = (fold: Fold) => ({
  states: Object.fromEntries(
    [...fold.machines].map(([machine, { states }]) => [machine, Object.fromEntries(states)]),
  ),
  actors: Object.fromEntries([...fold.actors.values()].map(({ key, path, seq }) => [key, [path, seq]])),
  rows: [...fold.fleet.nodes.values()].map(({ id, executed }) => [id, executed]),
});

it('shows every moment as it was: all that had happened by then, and nothing later', async () => {
  const { timeline, messages } = await record(small);
  expect(timeline.checkpoints).toBeGreaterThan(2);
  for (let share = 0; share <= 1; share += 0.05) {
    const at = timeline.from + (timeline.to - timeline.from) * share;
    const expected = folded(messages.filter((told) => !('at' in told) || told.at <= at));
    expect(summary(await timeline.moment(at, signal))).toEqual(summary(expected));
  }
});

it('shows what was told late when it happened', async () => {
  const { timeline, messages } = await record(small);
  const failed = messages.find((told) => told.kind === 'step' && told.to === 'backoff');
  const at = (failed as { at: number }).at + 100;
  const then = await timeline.moment(at, signal);
  expect([...then.machines.get('connection')!.states]).toEqual([['backoff', 5]]);
  // Who goes by what had been told when the clock said so sees nobody fail.
  const told = messages.slice(
    0,
    messages.findIndex((it) => 'at' in it && it.at > at),
  );
  expect([...folded(told).machines.get('connection')!.states]).toEqual([['connected', 5]]);
});

it('holds memory within its limits, and forgets the oldest', async () => {
  const limits = { ...small, maxBytes: 40_000 };
  const { timeline } = await record(limits, 200);
  expect(timeline.checkpoints).toBeLessThanOrEqual(limits.maxCheckpoints);
  expect(timeline.weight).toBeLessThan(limits.maxBytes + 2 * limits.chunkChars);
  const unbounded = await record({ ...small, maxBytes: Infinity }, 200);
  expect(unbounded.timeline.weight).toBeGreaterThan(5 * limits.maxBytes);
  expect(timeline.from).toBeGreaterThan(unbounded.timeline.from);
  expect(timeline.to).toBe(unbounded.timeline.to);
  // The first moment that is left can be shown, although what led there is gone.
  expect((await timeline.moment(timeline.from, signal)).actors.size).toBe(10);
});

it('is saved as a recording that gives the same moments when it is read', async () => {
  const { timeline } = await record({ ...small, maxBytes: 40_000 }, 100);
  let text = '';
  for await (const piece of timeline.recording()) text += piece;
  const { messages, unread } = readRecording(text);
  expect(unread).toBe(0);
  for (const share of [0, 0.3, 0.9]) {
    const at = timeline.from + (timeline.to - timeline.from) * share;
    const expected = folded(messages.filter((told) => !('at' in told) || told.at <= at));
    expect(summary(await timeline.moment(at, signal))).toEqual(summary(expected));
  }
});

it('finds all steps between two moments', async () => {
  const { timeline, messages } = await record(small);
  const [from, to] = [timeline.from + 1_000, timeline.from + 3_000];
  const found = new Set<number>();
  for await (const steps of timeline.steps(from, to, signal)) for (const { clock } of steps) found.add(clock);
  const expected = messages.filter((it) => it.kind === 'step' && it.at >= from && it.at <= to);
  expect(found).toEqual(new Set(expected.map((it) => (it as { clock: number }).clock)));
  expect(found.size).toBeGreaterThan(50);
});

it('stops looking for a moment when nobody wants it any more', async () => {
  const { timeline } = await record(small);
  const end = new AbortController();
  end.abort(new Error('no longer wanted'));
  await expect(collect(timeline, end.signal)).rejects.toThrow('no longer wanted');
});

async function collect(timeline: Timeline, end: AbortSignal): Promise<void> {
  for await (const _ of timeline.steps(-Infinity, Infinity, end));
}
