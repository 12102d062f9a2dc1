// The same machines through @xstate/test and xstate/graph, where those accept them: the same states by paths as short.
import { createTestModel as createOldModel } from '@xstate/test';
import { createMachine, type AnyEventObject, type AnyStateMachine, type EventObject } from 'xstate';
import { createTestModel as createGraphModel, getShortestPaths, getSimplePaths } from 'xstate/graph';
import { describe, expect, test } from 'vitest';
import {
  actorSut,
  contractOptions,
  createTestModel,
  type TestModelOptions,
} from '../../../../src/testing/index.ts';
import { entries, type Entry } from '../../../machines/machines.ts';
import { shortestPaths } from '../../../machines/paths.ts';
import { failures } from './broken.ts';
import { form, inline, player, wizard } from './machines.ts';

const lights = createMachine({
  id: 'lights',
  initial: 'red',
  states: {
    red: { on: { go: 'green', fail: 'dark' } },
    green: { on: { slow: 'amber', fail: 'dark' } },
    amber: { on: { stop: 'red', fail: 'dark' } },
    dark: { type: 'final' },
  },
});

type Paths = readonly {
  readonly state: { readonly value: unknown };
  readonly steps: readonly { readonly event: EventObject; readonly state: { readonly value: unknown } }[];
}[];

interface Old {
  getShortestPaths(): Paths;
}

const events = (path: { readonly steps: readonly { readonly event: EventObject }[] }): string =>
  path.steps.map(({ event }) => event.type).join(' ');

describe('a machine that they accept', () => {
  const old = createOldModel(lights as never) as unknown as Old;
  const graph = createGraphModel(lights);
  const ours = createTestModel(lights);

  test('has the same shortest paths; @xstate/test has more, since it tells states by the event before them', () => {
    const mine = ours.getShortestPaths().map(events).toSorted();
    const theirs = old.getShortestPaths().map(events);
    for (const path of mine)
      expect(theirs.some((other) => other === path || other.startsWith(`${path} `))).toBe(true);
    const keyed = graph.getShortestPaths({ serializeState: ({ value }) => JSON.stringify(value) });
    expect(keyed.map(events).toSorted()).toEqual(mine);
    const values = (model: { getShortestPaths(): Paths }): Set<unknown> =>
      new Set(model.getShortestPaths().flatMap(({ steps }) => steps.map(({ state }) => state.value)));
    expect(values(old)).toEqual(values(ours));
  });

  test('has the same simple paths', () => {
    const theirs = getSimplePaths(lights).map(events).toSorted();
    expect(ours.getSimplePaths({ allowDuplicatePaths: true }).map(events).toSorted()).toEqual(theirs);
  });

  test('is tested by the same executors and assertions', async () => {
    const record = (
      log: string[],
    ): {
      events: Record<string, (step: { event: AnyEventObject }) => void>;
      states: Record<string, () => void>;
    } => ({
      events: Object.fromEntries(
        ['go', 'slow', 'stop', 'fail'].map((type) => [type, ({ event }) => void log.push(event.type)]),
      ),
      states: Object.fromEntries(
        ['red', 'green', 'amber', 'dark'].map((key) => [key, () => void log.push(key)]),
      ),
    });
    const [mine, theirs]: [string[], string[]] = [[], []];
    const steps = [{ type: 'go' }, { type: 'slow' }, { type: 'stop' }];
    for (const path of ours.getPathsFromEvents(steps)) await path.test(record(mine));
    for (const path of graph.getPathsFromEvents(steps as never)) await path.test(record(theirs) as never);
    expect(mine).toEqual(['red', 'go', 'green', 'slow', 'amber', 'stop', 'red']);
    expect(mine).toEqual(theirs);
  });
});

describe('what they refuse, we take', () => {
  test.each([form, player, inline])('%#', (machine: AnyStateMachine) => {
    expect(() => createOldModel(machine as never)).toThrow(/on test machines are not supported/);
    expect(() => createGraphModel(machine)).toThrow(/on test machines are not supported/);
    expect(createTestModel(machine).getPaths().length).toBeGreaterThan(0);
  });

  test('what xstate/graph takes and misreads: the history of a break is lost', () => {
    // Two breaks that differ in nothing but the history are one state to it; the way back to `second` has no path.
    const lost = getSimplePaths(wizard).filter(({ state }) => state.value === 'break');
    expect(new Set(lost.map(events)).size).toBe(3);
    expect(getShortestPaths(wizard).filter(({ state }) => state.value === 'break').length).toBe(1);
    const ours = createTestModel(wizard).getShortestPaths({ allowDuplicatePaths: true });
    expect(ours.filter(({ state }) => state.value === 'break').length).toBe(3);
  });
});

const optionsFor = ({ input, examples }: Entry): TestModelOptions => contractOptions({ input, examples });

/** What the examples and this serializer do not reach. */
const uncovered: Readonly<Record<string, readonly string[]>> = {
  // The examples' calls are not idempotent and have one attempt.
  call: [
    'sent: attempt.unstarted [current] → lost',
    'sent: attempt.vanished [mayRepeat] → queued',
    'running: attempt.unstarted [current] → lost',
    'running: attempt.vanished [mayRepeat] → queued',
  ],
  watch: ['creating: after createTimeout → cancelled'],
  lease: [
    'granted: after timeToLive → expiring',
    'alive: after timeToLive → expiring',
    'spent: after timeToLive → expiring',
  ],
  // The input is that of a first start, with a limit to gathering.
  gate: ['starting: training.started [wasOpen] → paused', 'gathering: after gatherTimeout → gathering'],
  // The examples' endpoint may fail more than once.
  endpoint: ['healthy: attempt.failed [lastStraw] → ejected'],
  // The examples' queue starts with somebody in it, who comes in with one epoch and is never held.
  'failure-queue': [
    'starting: queue.opened → idle',
    'idle: endpoint.ejected → idle',
    'idle: endpoint.recovered',
    'waiting: endpoint.ejected → idle',
    'waiting: endpoint.recovered [someoneWaits] → waiting',
    'waiting: endpoint.recovered → idle',
  ],
};

describe('our own machines', () => {
  for (const entry of entries) {
    const delayed = JSON.stringify(entry.machine.config).includes('"after"');
    const options = optionsFor(entry);

    test(`${entry.id}: @xstate/test ${delayed ? 'refuses it for its delays' : 'reaches the same states'}`, () => {
      const create = (): Old =>
        createOldModel(
          entry.machine as never,
          { input: entry.input, events: entry.examples } as never,
        ) as unknown as Old;
      if (delayed) expect(create).toThrow('After events on test machines are not supported');
      else expect(create().getShortestPaths().length).toBeGreaterThan(0);
    });

    test(`${entry.id}: every configuration of xstate/graph is reached, none by a longer path where no delay is on it`, () => {
      const ours = new Map<string, number>();
      for (const { state, weight } of createTestModel(entry.machine, options).getShortestPaths({
        allowDuplicatePaths: true,
      })) {
        const key = JSON.stringify(state.value);
        ours.set(key, Math.min(weight, ours.get(key) ?? Infinity));
      }
      const theirs = new Map<string, { length: number; free: boolean }>();
      for (const { snapshot, events: path } of shortestPaths(entry)) {
        const key = JSON.stringify(snapshot.value);
        const free = path.every(({ type }) => !type.startsWith('xstate.'));
        if (!theirs.has(key)) theirs.set(key, { length: path.length, free });
      }
      for (const key of ours.keys()) expect([...theirs.keys()]).toContain(key);
      // Where its delays say which of two ends first, the other order is no path: stable long before the first health check.
      const impossible = [...theirs.keys()].filter((key) => !ours.has(key));
      for (const key of impossible) expect(key).toMatch(/"health":"checking","stability":"unproven"/);
      expect(impossible.length).toBe(entry.id === 'connection' ? 3 : 0);
      for (const [key, { length, free }] of theirs) {
        if (impossible.includes(key)) continue;
        expect(ours.get(key), key).toBeGreaterThanOrEqual(length);
        if (free) expect(ours.get(key), key).toBe(length);
      }
    });

    test(`${entry.id}: run by XState, it agrees with its model`, async () => {
      const model = createTestModel(entry.machine, options);
      const { paths, coverage } = model.plan();
      for (const path of paths) await model.testPath(path, actorSut(entry.machine, { input: entry.input }));
      expect(coverage.uncovered.filter(({ kind }) => kind === 'state')).toEqual([]);
      expect(coverage.uncovered.map(({ id }) => id)).toEqual(uncovered[entry.id] ?? []);
    });
  }

  test('one of them that is wrong is caught', async () => {
    const [connection] = entries;
    if (connection === undefined) throw new Error('there is no machine');
    const wrong = connection.machine.provide({
      guards: Object.fromEntries(
        Object.keys(connection.machine.implementations.guards).map((name) => [name, () => true]),
      ),
    } as never);
    const found = await failures(connection.machine, actorSut(wrong, { input: connection.input }), {
      ...optionsFor(connection),
      maxShrinkRuns: 20,
      maxPaths: 10,
    });
    expect(found.length).toBeGreaterThan(0);
  });
});
