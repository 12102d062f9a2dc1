// Of calls by the hundred thousand a viewer is shown some, each whole, and told how many there were.
import { describe, expect, it } from 'vitest';
import { callEffects, callInput, callMachine, type CallContext } from '../../../../machines/index.ts';
import { compile, type CompiledActor } from '../../../../src/engine/compile.ts';
import { Collector } from '../../../../src/inspect/stream/collector.ts';
import { TableSample } from '../../../../src/inspect/stream/table-sample.ts';
import type { Step, Told } from '../../../../src/protocol/inspection.ts';
import { createSimulation } from '../../../../src/testing/index.ts';

interface Numbered extends CompiledActor<CallContext> {
  readonly number: number;
}

function scene(stepsPerSecond: number) {
  const sim = createSimulation({ seed: 1 });
  const nothing = (): void => {};
  const table = compile<typeof callMachine, typeof callEffects, Numbered>(callMachine, callEffects, {
    sendAttempt: nothing,
    sendCancel: nothing,
    settle: nothing,
  });
  const told: Told[] = [];
  const collector = new Collector({ clock: sim.clock, process: 'client/1', role: 'client', name: 'c' });
  const sample = new TableSample<Numbered>({
    clock: sim.clock,
    machine: callMachine,
    observe: (observer) => table.observe(observer),
    key: ({ number }) => number,
    id: ({ number }) => `call/${number}`,
  });
  collector.addSampled(sample);
  collector.start((message) => told.push(message), { stepsPerSecond });
  let number = 0;
  const call = (): void => {
    number += 1;
    const context = table.initialContext(callInput);
    const actor = { state: 0, context, number };
    table.enter(actor);
    table.send(actor, { type: 'attempt.sent', at: 1 });
    table.send(actor, { type: 'attempt.assigned', epoch: 1, at: 2 });
    table.send(actor, { type: 'attempt.succeeded', epoch: 1, at: 3 });
  };
  const steps = (): Step[] => told.filter((message) => message.kind === 'step');
  return { sim, collector, sample, told, steps, call };
}

describe('a sample of calls', () => {
  it('is all of them while they are few, each from its start to its end', () => {
    const { steps, call, told, sample } = scene(1_000);
    call();
    expect(steps().map(({ seq, from, to, status }) => [seq, from, to, status])).toEqual([
      [1, null, 'queued', undefined],
      [2, 'queued', 'sent', undefined],
      [3, 'sent', 'running', undefined],
      [4, 'running', 'succeeded', 'done'],
    ]);
    expect(told.filter(({ kind }) => kind === 'machine')).toHaveLength(1);
    expect(sample.living()).toEqual([]);
  });

  it('is a part of them when they are many: each of it whole, and it is said how many there were', async () => {
    const { sim, steps, call, told } = scene(100);
    for (let second = 0; second < 5; second++) {
      for (let n = 0; n < 1_000; n++) call();
      await sim.run(1_000);
    }
    const byActor = Map.groupBy(steps(), ({ actor }) => actor);
    expect(byActor.size).toBeGreaterThan(10);
    expect(byActor.size).toBeLessThan(100);
    for (const whole of byActor.values())
      expect(whole.map(({ to }) => to)).toEqual(['queued', 'sent', 'running', 'succeeded']);
    const sampled = told.filter((message) => message.kind === 'sampled');
    expect(sampled.length).toBeGreaterThan(3);
    for (const { began } of sampled) expect(began).toBe(1_000);
  });

  it('is the same at both ends: what the busier one shows, the other shows too', () => {
    const busy = scene(20);
    const idle = scene(200);
    for (let n = 0; n < 500; n++) {
      busy.call();
      idle.call();
    }
    const shown = ({ steps }: typeof busy): Set<string> => new Set(steps().map(({ actor }) => actor));
    const late = [...shown(busy)].filter((actor) => Number(actor.slice(5)) > 100);
    for (const actor of late) expect(shown(idle)).toContain(actor);
    expect(shown(idle).size).toBeGreaterThan(shown(busy).size);
  });

  it('becomes all of them again when they are few', async () => {
    const { sim, steps, call } = scene(100);
    for (let n = 0; n < 1_000; n++) call();
    await sim.run(12_000);
    const before = steps().length;
    call();
    call();
    expect(steps()).toHaveLength(before + 8);
  });

  it('ends with the last viewer', () => {
    const { collector, steps, call } = scene(100);
    collector.stop();
    call();
    expect(steps()).toEqual([]);
  });
});
