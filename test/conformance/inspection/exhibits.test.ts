// What else viewers of a hub see: training and pools of its process, and what operators may do to them.
import { onTestFinished, expect, it } from 'vitest';
import {
  createNode,
  createPool,
  createTrainer,
  noLog,
  openStore,
  poolExhibit,
  trainable,
} from '../../../src/index.ts';
import { eventually } from '../../chaos/eventually.ts';
import { startHub } from '../fleet.ts';
import { look } from './looking.ts';

const fleets = (viewer: Awaited<ReturnType<typeof look>>) =>
  viewer.told.filter((message) => message.kind === 'fleet');

it('a pool is shown without its keys; operators retry an endpoint and clear its queue', async () => {
  const hub = await startHub({ inspect: { operatorToken: 'may act' } });
  const url = 'http://me:pass@a.example/v1?key=abc';
  const pool = await createPool({
    name: 'api',
    endpoints: [{ id: 'a', url }, { id: 'b' }],
    consecutiveFailures: 1,
    log: noLog(),
  });
  onTestFinished(() => pool.close());
  const hide = hub.inspection!.show(poolExhibit(pool));
  const viewer = await look(hub.url, { open: { kind: 'open', operatorToken: 'may act' } });
  expect(viewer.hello?.may).toEqual(['drain', 'undrain', 'disconnect', 'retry', 'clear']);
  const shown = fleets(viewer)[0]?.pools?.[0];
  expect(shown).toMatchObject({
    name: 'api',
    endpoints: [{ id: 'a', url: 'http://a.example/v1' }, { id: 'b' }],
  });
  expect(
    viewer.told.some((message) => message.kind === 'machine' && message.machine === 'failure-queue'),
  ).toBe(true);
  const fail = () =>
    pool.run((attempt) =>
      Promise.reject(Object.assign(new Error('down'), { status: 500, id: attempt.endpoint.id })),
    );
  while (pool.queue.status().size === 0) await fail().catch(() => undefined);
  const [entry] = pool.queue.list();
  await eventually('its ejection is shown', () =>
    fleets(viewer).some(({ pools }) => pools?.[0]?.waiting?.length),
  );
  expect(await viewer.ask('retry', 'nobody')).toMatchObject({ ok: false });
  expect(await viewer.ask('retry', entry!.endpoint)).toMatchObject({ ok: true });
  expect(await viewer.ask('clear', 'api')).toMatchObject({ ok: true });
  expect(pool.queue.status().size).toBe(0);
  hide();
  expect((await viewer.ask('clear', 'api')).ok).toBe(false);
});

it('training is shown: the gate, the round, and the curve', async () => {
  const hub = await startHub();
  const store = await openStore('memory:');
  onTestFinished(() => store.close());
  const model = [{ shape: [2], data: Float32Array.of(1, 2) }];
  const trainer = createTrainer({ hub, store, model, rounds: 3, gate: { minNodes: 1 }, log: noLog() });
  const viewer = await look(hub.url);
  expect(fleets(viewer)[0]?.training).toBeUndefined();
  await trainer.start();
  await eventually('the gate gathers', () =>
    fleets(viewer).some(({ training }) => training?.gate.state === 'gathering'),
  );
  const process = viewer.hello!.process;
  const gate = () =>
    [...viewer.truth.processes.get(process)!.actors.values()].some(({ machine }) => machine === 'gate');
  await eventually('its actor is shown', gate);
  const functions = trainable({
    train: (task) =>
      Promise.resolve({ weights: task.weights, samples: 1, metrics: { loss: 0.5, accuracy: 0.75 } }),
  });
  const node = createNode({ hub: hub.url, functions, id: 'n1', log: noLog() });
  onTestFinished(() => node.stop());
  await trainer.done;
  await eventually('every round is shown', () =>
    [1, 2, 3].every((round) => viewer.steps.some(({ actor }) => actor.startsWith(`round/default/${round}/`))),
  );
  await eventually('it is over', () => fleets(viewer).at(-1)?.training === undefined);
  expect(
    viewer
      .way('gate', process)
      .map((state) => JSON.stringify(state))
      .join(),
  ).toMatch(/open/);
});
