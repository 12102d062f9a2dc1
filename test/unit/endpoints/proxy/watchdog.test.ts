// A watchdog barks when nothing put it off.
import { expect, it } from 'vitest';
import { Watchdog } from '../../../../src/endpoints/proxy/watchdog.ts';
import { createSimulation } from '../../../../src/testing/index.ts';

it('barks at the time that was set last, however often it was put off, and once', async () => {
  const simulation = createSimulation({ seed: 1 });
  const { clock } = simulation;
  const barks: number[] = [];
  const start = clock.now();
  const watchdog = new Watchdog(clock, () => barks.push(clock.now() - start));
  watchdog.set(start + 100);
  for (let i = 1; i <= 50; i++) {
    await simulation.run(10);
    watchdog.set(clock.now() + 100);
  }
  await simulation.run(1_000);
  expect(barks).toEqual([600]);
  // Sooner than before, and stopped.
  watchdog.set(clock.now() + 500);
  watchdog.set(clock.now() + 5);
  await simulation.run(5);
  expect(barks).toHaveLength(2);
  watchdog.set(clock.now() + 5);
  watchdog.stop();
  await simulation.run(1_000);
  expect(barks).toHaveLength(2);
});
