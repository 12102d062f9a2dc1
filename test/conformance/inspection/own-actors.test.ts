// An application shows its own actors: those of our system, and those that XState runs by itself.
import { expect, it, onTestFinished } from 'vitest';
import { createActor, fromPromise, sendTo, setup } from 'xstate';
import { createInspection, createNodeClock, createSystem, noLog } from '../../../src/index.ts';
import { eventually } from '../../chaos/eventually.ts';
import { look } from './looking.ts';

const lamp = setup({ actions: { glow: () => {} }, delays: { burning: 60_000 } }).createMachine({
  id: 'lamp',
  initial: 'off',
  states: {
    off: { on: { 'switch.pressed': { target: 'on', actions: 'glow' } } },
    on: { after: { burning: 'off' }, on: { 'switch.pressed': 'off', broke: 'dead' } },
    dead: { type: 'final' },
  },
});
const room = setup({ actors: { lamp, nap: fromPromise(() => Promise.resolve(1)) } }).createMachine({
  id: 'room',
  invoke: [
    { src: 'lamp', id: 'ceiling' },
    { src: 'nap', id: 'nap' },
  ],
  on: { entered: { actions: sendTo('ceiling', { type: 'switch.pressed' }) } },
});

async function scene() {
  const inspection = await createInspection({ name: 'home', port: 0, log: noLog() });
  onTestFinished(() => inspection.close());
  const url = inspection.url.replace(/^http/, 'ws').replace(/\/$/, '');
  return { inspection, url };
}

it('actors that XState runs are shown with what they invoke, and what they send one another', async () => {
  const { inspection, url } = await scene();
  const actor = createActor(room, { id: 'kitchen', inspect: inspection.inspect }).start();
  const other = createActor(room, { id: 'kitchen', inspect: inspection.inspect }).start();
  const viewer = await look(url);
  const actors = () => [...viewer.truth.processes.values()].flatMap((one) => [...one.actors.values()]);
  expect(actors().map((one) => [one.actor, one.parent])).toEqual([
    ['kitchen', undefined],
    ['kitchen/ceiling', 'kitchen'],
    ['kitchen#2', undefined],
    ['kitchen/ceiling#2', 'kitchen#2'],
  ]);
  actor.send({ type: 'entered' });
  await eventually('both steps are shown', () => viewer.steps.length === 2);
  const [on, entered] = viewer.steps;
  expect(entered).toMatchObject({ actor: 'kitchen', event: { type: 'entered' } });
  expect(on).toMatchObject({
    actor: 'kitchen/ceiling',
    from: 'off',
    to: 'on',
    effects: [{ name: 'glow' }],
    timers: [{ name: 'burning', delayMs: 60_000 }],
    cause: { actor: 'kitchen', clock: entered?.clock },
  });
  expect(on!.clock).toBeGreaterThan(entered!.clock);
  actor.send({ type: 'rang' });
  other.stop();
  await eventually('its end is shown', () => actors().length === 2);
  expect(viewer.steps.find(({ event }) => event.type === 'rang')).toMatchObject({ unexpected: true });
  const late = createActor(lamp, { id: 'desk', inspect: inspection.inspect }).start();
  for (const type of ['switch.pressed', 'broke'] as const) late.send({ type });
  await eventually('its life is shown', () =>
    viewer.steps.some(({ status, actor: id }) => status === 'done' && id === 'desk'),
  );
  expect(viewer.way('lamp', 'app/home').slice(-3)).toEqual(['off', 'on', 'dead']);
  actor.stop();
});

it('actors of a system are shown from the moment it is watched', async () => {
  const { inspection, url } = await scene();
  const system = createSystem({ clock: createNodeClock() });
  onTestFinished(() => system.stop());
  const desk = system.spawn(lamp, { id: 'desk' });
  const viewer = await look(url);
  expect(viewer.hello).toMatchObject({ role: 'app', name: 'home', may: [] });
  const unwatch = inspection.watch(system);
  const shown = () => [...viewer.truth.processes.values()].flatMap((one) => [...one.actors.values()]);
  await eventually('it is shown', () =>
    shown().some(({ actor, state }) => actor === 'desk' && state === 'off'),
  );
  desk.send({ type: 'switch.pressed' });
  await eventually('its step is shown', () => viewer.steps.some(({ to }) => to === 'on'));
  unwatch();
  desk.send({ type: 'switch.pressed' });
  const marker = createActor(lamp, { id: 'marker', inspect: inspection.inspect }).start();
  await eventually('what came later is shown', () => viewer.steps.some(({ actor }) => actor === 'marker'));
  expect(viewer.way('lamp', 'app/home')).toEqual(['on', 'off']);
  marker.stop();
});
