// Training by the public API: a hub, nodes and a trainer over real sockets.
// Invariant of all: what is started ends with the test.
import { expect, onTestFinished, test } from 'vitest';
import {
  createTrainer,
  noLog,
  openStore,
  trainable,
  transitionLine,
  withCall,
  type Aggregated,
  type AggregationInput,
  type Store,
  type TrainerOptions,
  type TransitionRecord,
  type Weights,
} from '../../../src/index.ts';
import { registry } from '../../../machines/index.ts';
import { atOnce } from '../../../src/training/slices.ts';
import { conform } from '../../../src/testing/index.ts';
import { eventually } from '../../chaos/eventually.ts';
import { startHub, startNode, type Hub } from '../../chaos/in-process.ts';

const model: Weights = [{ shape: [3], data: new Float32Array([1, 2, 3]) }];

/** Pulls the model towards its own number. */
const towards = (goal: number) =>
  trainable({
    train: ({ weights, config }) => ({
      delta: weights.map(({ shape, data }) => ({
        shape,
        data: data.map((value) => (goal - value) * Number(config['rate'])),
      })),
      samples: 10,
    }),
  });

async function memory(): Promise<Store> {
  const store = await openStore('memory:', { log: noLog() });
  onTestFinished(() => store.close());
  return store;
}

async function trainer(hub: Hub, options: Partial<TrainerOptions> = {}) {
  const store = options.store ?? (await memory());
  const made = createTrainer({
    hub,
    store,
    model,
    rounds: 30,
    log: noLog(),
    config: { rate: 0.5 },
    ...options,
  });
  onTestFinished(() => made[Symbol.asyncDispose]());
  return made;
}

test('nodes train a model together, behind a token', async () => {
  const hub = await startHub({ token: 'secret' });
  for (const [id, goal] of [
    ['a', 1],
    ['b', 2],
    ['c', 6],
  ] as const)
    await startNode(hub.url, id, { token: 'secret', functions: towards(goal) });
  const run = await trainer(hub, { gate: { minNodes: 3 } });
  expect(run.status()).toMatchObject({ state: 'idle', round: 0, rounds: 30 });
  await run.start();
  const { end, round, weights } = await run.done;
  expect([end, round]).toEqual(['completed', 30]);
  expect([...(weights[0]?.data ?? [])]).toEqual([3, 3, 3]);
  expect(run.status()).toMatchObject({ state: 'ended', round: 30 });
  await eventually('its client is gone', () => hub.clients().length === 0);
});

test('a run that was stopped goes on where it was left, and only if it is asked to', async () => {
  const hub = await startHub();
  const store = await memory();
  await startNode(hub.url, 'a', { functions: towards(3) });
  const stopped = await trainer(hub, {
    store,
    rounds: 1_000,
    onRound: ({ round }) => void (round === 3 && stopped.stop('enough for today')),
  });
  await stopped.start();
  const first = await stopped.done;
  expect(first).toMatchObject({ end: 'requested', reason: 'enough for today', delivery: 'delivered' });
  const fresh = await trainer(hub, { store });
  await expect(fresh.start()).rejects.toMatchObject({ code: 'invalid_option' });
  const second = await trainer(hub, { store, rounds: first.round + 2, resume: true });
  await second.start();
  expect(second.status()).toMatchObject({ round: first.round, model: first.model });
  expect((await second.done).round).toBe(first.round + 2);
  expect((await second.history()).map(({ round }) => round)).toEqual(
    Array.from({ length: first.round + 2 }, (_, at) => at + 1),
  );
});

test('a hundred that join at once, in the middle of a round, are given the model once each', async () => {
  // On a busy machine so many links need their time.
  const patient = { heartbeatIntervalMs: 5_000, heartbeatTimeoutMs: 20_000, connectionTimeoutMs: 20_000 };
  const hub = await startHub(patient);
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const halve = async ({ weights }: { weights: Weights }) => {
    await held;
    return {
      weights: weights.map(({ shape, data }) => ({ shape, data: data.map((x) => x / 2) })),
      samples: 1,
    };
  };
  /** Of each node the rounds whose models it was sent. A node whose link broke is only asked whether it has its model. */
  const sent: number[][] = [];
  const counting = () => {
    const functions = trainable({ train: halve });
    const rounds: number[] = [];
    sent.push(rounds);
    type Request = { readonly round: number; readonly weights?: Weights };
    const sync = functions['training.sync'] as (facts: unknown, request: Request) => unknown;
    const noted = withCall((facts, request: Request) => {
      if (request.weights !== undefined) rounds.push(request.round);
      return sync(facts, request);
    });
    return { ...functions, 'training.sync': noted };
  };
  await startNode(hub.url, 'first', { functions: counting(), ...patient });
  const run = await trainer(hub, { rounds: 2, stragglerGraceMs: 60_000 });
  await run.start();
  await eventually('a round runs', () => run.status().epoch === 1);
  const ids = Array.from({ length: 100 }, (_, n) => `n${n}`);
  await Promise.all(ids.map((id) => startNode(hub.url, id, { functions: counting(), ...patient })));
  await eventually('all count', () => run.status().nodes.length === 101);
  expect(sent).toEqual(Array.from({ length: 101 }, () => [0]));
  release();
  expect((await run.done).round).toBe(2);
  const answered = (await run.history()).map((report) => report.answered);
  expect(answered).toEqual([1, 101]);
  expect(sent).toEqual(Array.from({ length: 101 }, () => [0, 1]));
});

test.each([
  ['in slices lets a node join meanwhile', 'in slices', 'completed'],
  ['at once lets nobody', 'at once', 'requested'],
] as const)('an aggregation %s', async (_, way, end) => {
  const hub = await startHub();
  await startNode(hub.url, 'a', { functions: towards(3) });
  /** Looks for a node that comes when it has begun. */
  const lookFor = (times: number) =>
    function* ({ weights }: AggregationInput): Generator<void, Aggregated, void> {
      queueMicrotask(() => void startNode(hub.url, 'b', { functions: towards(3) }).catch(() => undefined));
      for (let looks = 0; looks < times; looks += 1) {
        if (hub.nodes().some(({ id }) => id === 'b')) return { weights, state: [] };
        yield;
      }
      throw new Error('nobody had a turn');
    };
  const aggregate = Object.assign(
    (input: AggregationInput) => atOnce(lookFor(10_000)(input)),
    way === 'in slices' ? { inSlices: lookFor(10_000_000) } : {},
  );
  const run = await trainer(hub, { strategy: { name: 'patient', aggregate }, rounds: 1, maxAttempts: 1 });
  await run.start();
  expect((await run.done).end).toBe(end);
});

test('a hub that stops ends its trainer, which may be resumed', async () => {
  const hub = await startHub();
  const store = await memory();
  await startNode(hub.url, 'a', { functions: towards(3) });
  const run = await trainer(hub, { store, rounds: 100_000 });
  await run.start();
  await hub.stop();
  await expect(run.done).rejects.toMatchObject({ code: 'stopped' });
  expect(run.status().state).toBe('failed');
});

test('a trainer that takes up a run ends the one that had it', async () => {
  const hub = await startHub();
  const store = await memory();
  await startNode(hub.url, 'a', { functions: towards(3) });
  const first = await trainer(hub, { store, rounds: 1_000_000 });
  await first.start();
  await eventually('it trains', () => first.status().round > 2);
  const second = await trainer(hub, { store, rounds: 1_000_000, resume: true });
  await second.start();
  await expect(first.done).rejects.toMatchObject({ code: 'store_failed' });
  const { round } = second.status();
  await eventually('the second trains', () => second.status().round > round + 2);
  expect((await second.stop()).end).toBe('requested');
});

test('a run keeps its seed, and one that was stopped before it began does not begin', async () => {
  const hub = await startHub();
  const store = await memory();
  await startNode(hub.url, 'a', { functions: towards(3) });
  const first = await trainer(hub, { store, seed: 7, rounds: 1 });
  await first.start();
  await first.done;
  const other = await trainer(hub, { store, seed: 8, rounds: 2, resume: true });
  await expect(other.start()).rejects.toThrow('option seed is 8, and run default began with 7');
  const same = await trainer(hub, { store, rounds: 2, resume: true });
  await same.start();
  expect((await same.done).round).toBe(2);
  const idle = await trainer(hub, { store, resume: true });
  await expect(idle.stop()).rejects.toMatchObject({ code: 'stopped' });
  await expect(idle.start()).rejects.toMatchObject({ code: 'stopped' });
});

test('what the gate and the rounds did conforms to the machines', async () => {
  const hub = await startHub();
  const lines: string[] = [];
  const transitions = (record: TransitionRecord) => void lines.push(transitionLine(record).trimEnd());
  const nodes = [await startNode(hub.url, 'a', { functions: towards(3) })];
  nodes.push(await startNode(hub.url, 'b', { functions: towards(5) }));
  const run = await trainer(hub, { rounds: 1_000_000, gate: { minNodes: 2 }, transitions });
  await run.start();
  await eventually('it trains', () => run.status().round > 2);
  await nodes[1]?.node.stop();
  await eventually('it pauses', () => run.status().state === 'paused');
  await startNode(hub.url, 'b', { functions: towards(5) });
  await eventually('it goes on', () => run.status().state === 'open');
  await run.stop();
  const machines = [registry.gate.machine, registry.round.machine];
  const { impossible, checked } = conform(lines, { machines });
  expect(impossible).toEqual([]);
  expect(checked).toBeGreaterThan(20);
});

test.each([
  [{ rounds: 0 }, 'rounds is 0'],
  [{ fraction: 1.5 }, 'fraction is 1.5'],
  [{ run: 'a/b' }, 'run is a/b'],
  [{ minNodes: 4, maxNodes: 3 }, 'maxNodes is 3'],
  [{ roundQuorum: 4, minNodes: 2, maxNodes: 3 }, 'roundQuorum is 4'],
  [{ gate: { minNodes: 3, resumeNodes: 2 } }, 'gate.resumeNodes is 2'],
  [{ gate: { minNodes: 2 }, minNodes: 3 }, 'gate.minNodes is 2; give at least what a round needs, 3'],
  [{ gate: { minNodes: 2 }, roundQuorum: 3 }, 'gate.minNodes is 2'],
  [{ gate: { terminateAfterMs: 0 } }, 'gate.terminateAfterMs is 0'],
  [{ gate: { budget: 'weekly' as 'cumulative' } }, 'gate.budget is weekly'],
  [{ model: [{ shape: [2], data: new Float32Array(3) }] }, 'option model'],
  [{ deadlineMs: Number.NaN }, 'deadlineMs is NaN'],
  [{ seed: 0.5 }, 'seed is 0.5'],
] as [Partial<TrainerOptions>, string][])('the options %o are refused: %s', async (options, message) => {
  const hub = await startHub();
  const store = await memory();
  const make = () => createTrainer({ hub, store, model, rounds: 1, ...options });
  expect(make).toThrow(message);
  expect(make).toThrow(expect.objectContaining({ code: 'invalid_option' }));
});
