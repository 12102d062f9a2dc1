// How models are brought to nodes: one after the other where they are large and links are fast, and never held up by a slow one.
import { expect, test } from 'vitest';
import { createNodeClock, noLog, type Fleet, type NodeChange, type Weights } from '../../../src/index.ts';
import { Courier } from '../../../src/training/courier.ts';
import { Membership, type Trainee } from '../../../src/training/membership.ts';
import { SYNC, TRAIN } from '../../../src/training/wire.ts';

const NODES = ['a', 'b', 'c'];

/** A fleet whose nodes take a model when they are told to, and a clock that goes when it is told to. */
function setUp(numbers: number) {
  const weights: Weights = [{ shape: [numbers], data: new Float32Array(numbers) }];
  const called: string[] = [];
  const arrive = new Map<string, () => void>();
  const timers: (() => void)[] = [];
  const fleet: Fleet = {
    watch(listener) {
      for (const node of NODES) {
        const functions = [SYNC, TRAIN];
        const change: NodeChange = { node, instance: node, state: 'online', epoch: 1, functions, labels: {} };
        listener(change);
      }
      return () => {};
    },
    call(node) {
      called.push(node);
      return new Promise((resolve) => arrive.set(node, () => resolve({ model: 'hash' })));
    },
  };
  const members = new Membership();
  const trainees: Trainee[] = [];
  members.open(fleet, { joined: (trainee) => void trainees.push(trainee), left: () => {} });
  const real = createNodeClock();
  const clock = {
    ...real,
    setTimer: (run: () => void) => timers.push(run),
    clearTimer: () => {},
  } as unknown as typeof real;
  const model = { run: 'run', round: 1, model: 'hash', weights };
  const courier = new Courier({ fleet, members, clock, log: noLog(), deadlineMs: 1_000, model });
  const brought: string[] = [];
  for (const trainee of trainees) {
    courier.bring(trainee, model).then(
      () => void brought.push(trainee.node),
      () => void brought.push(`not ${trainee.node}`),
    );
  }
  return { called, arrive, timers, brought, courier };
}

/** What is under way in this turn of the event loop is through. */
const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

test('a large model begins when the one before has arrived', async () => {
  const { called, arrive, brought } = setUp(100_000);
  await settled();
  expect(called).toEqual(['a']);
  arrive.get('a')!();
  await settled();
  expect([called, brought]).toEqual([['a', 'b'], ['a']]);
  arrive.get('b')!();
  await settled();
  arrive.get('c')!();
  await settled();
  expect(brought).toEqual(NODES);
});

test('a large model that takes its time does not hold up the next', async () => {
  const { called, timers, arrive, brought } = setUp(100_000);
  await settled();
  expect([called, timers.length]).toEqual([['a'], 1]);
  timers.shift()!();
  await settled();
  expect(called).toEqual(['a', 'b']);
  timers.shift()!();
  await settled();
  expect(called).toEqual(NODES);
  for (const node of ['c', 'a', 'b']) {
    arrive.get(node)!();
    await settled();
  }
  expect(brought).toEqual(['c', 'a', 'b']);
});

test('small models begin together', async () => {
  const { called } = setUp(10);
  await settled();
  expect(called).toEqual(NODES);
});
