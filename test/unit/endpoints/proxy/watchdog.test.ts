// A watchdog barks when nothing put it off.
import { expect, it } from 'vitest';
import { Kennel, Watchdog } from '../../../../src/endpoints/proxy/watchdog.ts';
import { createSimulation } from '../../../../src/testing/index.ts';

it('barks at the time that was set last, however often it was put off, and once', async () => {
  const simulation = createSimulation({ seed: 1 });
  const { clock } = simulation;
  const barks: number[] = [];
  const start = clock.now();
  const watchdog = new Watchdog(new Kennel(clock), () => barks.push(clock.now() - start));
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

it('is one of many that share a timer, and each barks in its time, whatever the others do', async () => {
  const simulation = createSimulation({ seed: 1 });
  const { clock } = simulation;
  const kennel = new Kennel(clock);
  const barks: string[] = [];
  const start = clock.now();
  const bark = (name: string) => () => barks.push(`${name} at ${clock.now() - start}`);
  const [late, early] = [new Watchdog(kennel, bark('late')), new Watchdog(kennel, bark('early'))];
  const again: Watchdog = new Watchdog(kennel, () => {
    bark('again')();
    early.stop();
    if (barks.length < 3) again.set(clock.now() + 7);
  });
  late.set(start + 300);
  early.set(start + 20);
  again.set(start + 20);
  late.set(start + 100);
  await simulation.run(1_000);
  expect(barks).toEqual(['early at 20', 'again at 20', 'again at 27', 'late at 100']);
  late.set(clock.now() + 10);
  kennel.close();
  await simulation.run(1_000);
  expect(barks).toHaveLength(4);
});
