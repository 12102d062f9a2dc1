// The demo of training: what it makes of what it is told, and that what must fail a run fails it.
import { expect, test } from 'vitest';
import { scheduleOf } from '../../../src/demo/digits/faults.ts';
import { plot } from '../../../src/demo/digits/plot.ts';
import { Progress } from '../../../src/demo/digits/progress.ts';
import { judge, type Evidence } from '../../../src/demo/digits/verdict.ts';
import type { RoundReport } from '../../../src/index.ts';

const ROUNDS = 20;
const { hubIn } = scheduleOf(ROUNDS);

function reportOf(round: number, participants: readonly string[], accuracy = 0.96): RoundReport {
  return {
    round,
    epoch: round,
    abandoned: 0,
    asked: participants.length,
    answered: participants.length,
    refused: 0,
    late: 0,
    lost: 0,
    durationMs: 1_000,
    samples: 100,
    participants: [...participants],
    model: `model ${round}`,
    metrics: { loss: 0.1 },
    evaluation: { accuracy, loss: 0.2 },
  };
}

class Story {
  now = 0;
  readonly said: string[] = [];
  readonly progress = new Progress({
    elapsedMs: () => this.now,
    say: (message) => void this.said.push(message),
  });
  readonly history: RoundReport[] = [];

  train(round: number, ...nodes: string[]): this {
    for (const node of nodes) {
      this.progress.heard({ type: 'training', round }, node);
      this.progress.heard({ type: 'trained', round }, node);
    }
    return this;
  }

  commit(report: RoundReport): this {
    this.history.push(report);
    this.progress.heard({ type: 'committed', report }, 'hub');
    return this;
  }

  gate(state: 'open' | 'paused' | 'completed', nodes: number, at: number): this {
    this.now = at;
    this.progress.heard({ type: 'event', event: { type: 'gate', state, nodes } }, 'hub');
    return this;
  }

  end(): this {
    const { history } = this;
    this.progress.heard({ type: 'ended', end: 'completed', reason: 'all rounds', history }, 'hub');
    return this;
  }
}

/** A run in which all went as it should. */
function goodRun(change: (round: number, story: Story) => void = () => undefined): Story {
  const story = new Story().gate('open', 8, 1);
  for (let round = 1; round <= ROUNDS; round += 1) {
    if (round === 5) story.gate('paused', 5, 5_000).gate('open', 7, 7_500);
    if (round === hubIn) {
      story.train(round, 'a');
      story.progress.hubKilled();
      story.gate('paused', 0, 9_000).gate('open', 7, 9_100);
    }
    story.train(round, 'a', 'b');
    change(round, story);
    story.commit(reportOf(round, ['a', 'b']));
  }
  return story.gate('completed', 8, 30_000).end();
}

function evidenceOf(story: Story, change: Partial<Evidence> = {}): Evidence {
  return {
    progress: story.progress,
    rounds: ROUNDS,
    faults: { killedIn: hubIn, missing: [] },
    delivered: Uint8Array.of(1, 2, 3, 4),
    replayed: Uint8Array.of(1, 2, 3, 4),
    unexpectedEvents: 0,
    mishaps: [],
    tookMs: 40_000,
    limitMs: 120_000,
    replayMs: 10_000,
    hash: () => '0123456789abcdef0123',
    ...change,
  };
}

test('a run in which everything held says so, with its curve, its pauses and its updates', () => {
  const { lines, broken } = judge(evidenceOf(goodRun()));
  expect(broken).toEqual([]);
  const text = lines.join('\n');
  expect(text).toContain('accuracy        96.00 % of 10 000 digits that no node has, after 20 of 20 rounds');
  expect(text).toContain('pauses          2.5 s (5.0 s to 7.5 s); 0.1 s (9.0 s to 9.1 s)');
  expect(text).toContain(`rounds redone   ${hubIn} (the hub was killed)`);
  expect(text).toContain('updates         41: 40 in the model, 1 of an attempt that was redone');
  expect(text).toContain('updates lost    0');
  expect(text).toContain('replay          equal, bit for bit');
  expect(lines.some((line) => /^ +P +H$/.test(line))).toBe(true);
});

test.each<[string, Partial<Evidence>, string]>([
  ['other final weights', { replayed: Uint8Array.of(1, 2, 3, 5) }, 'bit for bit'],
  ['weights cut short', { replayed: Uint8Array.of(1, 2, 3) }, 'bit for bit'],
  ['no weights', { delivered: undefined, replayed: undefined }, 'bit for bit'],
  ['empty weights', { delivered: new Uint8Array(), replayed: new Uint8Array() }, 'bit for bit'],
  ['a fault that did not come', { faults: { killedIn: hubIn, missing: ['a pause'] } }, 'no a pause'],
  ['a hub that was not killed', { faults: { killedIn: undefined, missing: [] } }, 'done again'],
  ['a hub killed in another round', { faults: { killedIn: hubIn + 1, missing: [] } }, 'done again'],
  ['an unexpected event', { unexpectedEvents: 1 }, '1 did'],
  ['a process that did not end', { mishaps: ['node-1 did not end'] }, 'node-1 did not end'],
  ['too long a time', { tookMs: 120_001 }, 'less than 120.0 s: 120.0 s'],
  ['more rounds than were committed', { rounds: ROUNDS + 1 }, 'all 21 rounds'],
])('%s fails a run', (_, change, claim) => {
  const { broken } = judge(evidenceOf(goodRun(), change));
  expect(broken.join('\n')).toContain(claim);
});

test('a low accuracy fails a run, unless it is too short for any', () => {
  const story = goodRun();
  story.history[ROUNDS - 1] = reportOf(ROUNDS, ['a', 'b'], 0.94);
  story.end();
  expect(judge(evidenceOf(story)).broken).toEqual(['test accuracy is at least 95.00 %: 94.00 %']);
  const short = new Story().gate('paused', 5, 1).gate('open', 7, 2);
  short
    .train(1, 'a')
    .commit(reportOf(1, ['a'], 0.5))
    .train(2, 'a')
    .commit(reportOf(2, ['a'], 0.5));
  short.progress.hubKilled();
  short
    .train(3, 'a')
    .commit(reportOf(3, ['a'], 0.5))
    .end();
  const faults = { killedIn: 3, missing: [] };
  expect(judge(evidenceOf(short, { rounds: 3, faults })).broken).toEqual([]);
});

test('a pause that does not end, and none at all, fail a run', () => {
  const endless = goodRun();
  endless.progress.heard({ type: 'event', event: { type: 'gate', state: 'paused', nodes: 1 } }, 'hub');
  expect(judge(evidenceOf(endless)).broken).toEqual([
    'training pauses when nodes are missing, and goes on: 3 pauses',
  ]);
});

test('an update that a node finished and that came to nothing is lost, and fails a run', () => {
  const story = goodRun((round, it) => void (round === 3 && it.train(3, 'c')));
  expect(judge(evidenceOf(story)).broken).toEqual(['no update is lost: 1 are']);
});

test('an update that was refused, or went with its node or with its attempt, is not lost', () => {
  const refuse = { type: 'refused', epoch: 1, node: 'c', code: 'late', message: '' } as const;
  const refused = goodRun((round, it) => {
    if (round === 3) it.train(3, 'c').progress.heard({ type: 'event', event: { ...refuse, round } }, 'hub');
  });
  const killed = goodRun((round, it) => {
    if (round === 3) it.train(3, 'c').progress.nodeKilled('c');
  });
  const redone = goodRun((round, it) => {
    if (round !== 3) return;
    const abandoned = { type: 'abandoned', round, epoch: 3, reason: 'the gate paused: 5 of 7' } as const;
    it.train(3, 'c').progress.heard({ type: 'event', event: abandoned }, 'hub');
    it.train(3, 'a', 'b');
  });
  for (const [story, said] of [
    [refused, '1 refused'],
    [killed, '1 gone with its node'],
    [redone, '4 of an attempt that was redone'],
  ] as const) {
    const { lines, broken } = judge(evidenceOf(story));
    expect(broken).toEqual([]);
    expect(lines.join('\n')).toContain(said);
  }
});

test('a node trains from when it begins until it has an update, its round is redone, or it is killed', () => {
  const { progress } = new Story();
  expect(progress.trainsIn('a')).toBeUndefined();
  progress.heard({ type: 'training', round: 1 }, 'a');
  progress.heard({ type: 'training', round: 1 }, 'b');
  expect([progress.trainsIn('a'), progress.trainsIn('b')]).toEqual([1, 1]);
  progress.heard({ type: 'trained', round: 1 }, 'a');
  progress.nodeKilled('b');
  expect([progress.trainsIn('a'), progress.trainsIn('b')]).toEqual([undefined, undefined]);
  progress.heard({ type: 'training', round: 1 }, 'b');
  expect(progress.trainsIn('b')).toBe(1);
  progress.hubKilled();
  expect(progress.trainsIn('b')).toBeUndefined();
});

test('a plot has a column for each value, and takes those beyond its range to its edges', () => {
  const options = { height: 3, least: 0, most: 2, label: (value: number) => `${value}` };
  expect(plot([0, 1, 2, 3, -1], { ...options, marks: new Map([[1, 'x']]) })).toEqual([
    '2 ┤    ● ●',
    '1 ┤  ●',
    '0 ┤●       ●',
    '  └─────────',
    '     x',
  ]);
});
