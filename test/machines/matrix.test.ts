// Every machine answers every event in every state, and how is written down where a reviewer reads it.
import { getShortestPaths } from 'xstate/graph';
import { describe, expect, it } from 'vitest';
import { createStepper } from '../../src/engine/index.ts';
import { entries, pathOf, readable, stateNodes } from './machines.ts';
import { cellOf, matrix } from './matrix.ts';
import { configurations, possible, shortestPaths } from './paths.ts';
import { Scenario } from './scenario.ts';

describe.each(entries)('the machine $id', (entry) => {
  const { id, machine, effects, examples } = entry;

  it('answers as its golden matrix says', async () => {
    await expect(matrix(entry)).toMatchFileSnapshot(`./golden/${id}.txt`);
  });

  it('is total: no event of its union is unexpected in any state that is not final', () => {
    for (const path of configurations(entry).values()) {
      if (path.snapshot.status === 'done') continue;
      for (const { type } of examples) {
        expect(cellOf(path, machine.root, type).kind, `${type} in ${path.state}`).not.toBe('unexpected');
      }
    }
  });

  it('takes every event in every age, and every expiry, in every state without a surprise', () => {
    const stepper = createStepper(machine, effects);
    for (const { snapshot, state } of shortestPaths(entry)) {
      for (const event of possible(entry, snapshot)) {
        expect(stepper.step(snapshot, event).unexpected, `${JSON.stringify(event)} in ${state}`).toBe(false);
      }
    }
  });

  it('has no state that its events and delays do not reach', () => {
    const reached = new Set(shortestPaths(entry).flatMap(({ snapshot }) => snapshot._nodes.map(pathOf)));
    expect(
      stateNodes(machine)
        .map(pathOf)
        .filter((path) => !reached.has(path)),
    ).toEqual([]);
  });

  it('ends every path where the graph says', () => {
    for (const { events, state, snapshot } of shortestPaths(entry)) {
      const scenario = new Scenario(entry, entry.input);
      for (const event of events) {
        const running = [...scenario.delays.values()].find((delay) => delay.event.type === event.type);
        if (running) scenario.expire(running.name);
        else scenario.send(event);
        expect(scenario.unexpected, `${event.type} before ${state}`).toBe(false);
      }
      expect(scenario.state).toBe(state);
      expect(scenario.context).toEqual(snapshot.context);
    }
  });

  it('can always come to an end: from every state some path leads to a final one', () => {
    for (const { snapshot, state } of configurations(entry).values()) {
      const ends = getShortestPaths(machine, {
        fromState: snapshot,
        events: (at: typeof snapshot) => possible(entry, at),
        serializeState: (at: typeof snapshot) => readable(at.value),
        toState: (at: typeof snapshot) => at.status === 'done',
      });
      expect(ends.length, state).toBeGreaterThan(0);
    }
  });
});
