import { describe, expect, it } from 'vitest';
import { sessionMachine } from '../../../machines/session.ts';
import { toTrace } from '../../../src/checker/index.ts';
import { traceRecording, type MachineDocument } from '../../../src/inspect/index.ts';
import type { Step } from '../../../src/protocol/inspection.ts';
import { activeIn } from '../../../visualizer/machine/active.ts';
import { litByStep } from '../../../visualizer/machine/actor-shown.ts';
import { knownChart } from '../../../visualizer/machine/known-chart.ts';
import { statechartOf } from '../../../visualizer/machine/statechart.ts';
import { drained, explore, kept } from '../../checks/systems.ts';
import { twin } from '../../checks/twin.ts';

const session = twin(sessionMachine, ({ states }) => {
  states['draining']!.states['ordered']!.states['present']!.on['socket.closed'] = '#session.absent';
});

describe('a counterexample of a broken twin of ours', () => {
  const { violation } = explore({ ...drained, session }, kept);
  const told = traceRecording(toTrace(violation!, 'fleet'));
  const documents = new Map(
    told.flatMap((it) =>
      it.kind === 'machine' ? [[it.machine, it.document as unknown as MachineDocument]] : [],
    ),
  );
  const steps = told.filter((it): it is Step => it.kind === 'step');
  const charts = new Map([...documents].map(([part, seen]) => [part, statechartOf(knownChart(seen))]));

  it('is told in the words of the checker, step by step, with what each part knew', () => {
    const words = steps.flatMap((step) => step.words ?? []);
    expect(words).toHaveLength(violation!.steps.length);
    expect(words.at(-1)).toContain('a node that was drained is not online before it is let in again');
    const contexts = steps.flatMap(({ context }) => (context === undefined ? [] : [context]));
    expect(contexts).toContainEqual(expect.objectContaining({ epoch: expect.any(Number) as number }));
  });

  it('is drawn into the charts of connection and session, though it names neither', () => {
    const machines = [...charts.values()].map(({ id }) => id);
    expect(machines).toContain('connection');
    expect(machines).toContain('session');
    for (const { actor, to } of steps) {
      const chart = charts.get(actor)!;
      const missing = to === 'stopped' ? [] : [...activeIn(to)].filter((id) => !chart.boxes.has(id));
      expect(missing, actor).toEqual([]);
    }
  });

  it('lights the arrow of each step of the connection', () => {
    const [part] = [...charts].find(([, { id }]) => id === 'connection')!;
    const moved = steps.filter(
      ({ actor, from, to }) => actor === part && from !== null && JSON.stringify(from) !== JSON.stringify(to),
    );
    expect(moved.length).toBeGreaterThan(2);
    const dark = moved.filter((step) => litByStep(charts.get(part)!, step)!.arrows.size === 0);
    expect(dark.map(({ event, from, to }) => [event.type, from, to])).toEqual([]);
  });

  it('keeps the chart of its states when no registered machine has all of them', () => {
    const seen: MachineDocument = { id: 'lamp', initial: 'off', states: { off: {}, on: {} } };
    expect(knownChart(seen)).toBe(seen);
    // Of these states there are several machines: none is guessed.
    const both: MachineDocument = { id: 'x', initial: 'starting', states: { starting: {} } };
    expect(knownChart(both)).toBe(both);
  });
});
