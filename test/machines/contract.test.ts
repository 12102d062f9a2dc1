// The machine contract, for every machine of the registry: pure data, named effects, and examples of every event.
import fc from 'fast-check';
import { type AnyStateMachine, createMachine } from 'xstate';
import { describe, expect, it } from 'vitest';
import { createStepper } from '../../src/engine/index.ts';
import type {
  CallEvent,
  ConnectionEvent,
  EndpointEvent,
  ExecutionEvent,
  FailureQueueEvent,
  GateEvent,
  KeepaliveEvent,
  LeaseEvent,
  ProposalEvent,
  RoundEvent,
  SessionEvent,
  WatchEvent,
} from '../../machines/index.ts';
import { entries, type Entry, pathOf, stateNodes } from './machines.ts';
import { possible, shortestPaths } from './paths.ts';
import { Scenario } from './scenario.ts';
import { type Stride, strides, take } from './walks.ts';

/** Every event type of each machine's union; a type that is missing here, or too many, does not compile. */
const unions: Readonly<Record<string, readonly string[]>> = {
  connection: everyType<ConnectionEvent>({
    'connect.requested': 1,
    'stop.requested': 1,
    'drain.finished': 1,
    'wake.hinted': 1,
    'socket.opened': 1,
    'socket.closed': 1,
    'socket.released': 1,
    'registration.accepted': 1,
    'registration.refused': 1,
    'registration.forbidden': 1,
    'sync.received': 1,
    'node.unknown': 1,
    'node.replaced': 1,
    'hub.draining': 1,
    'link.active': 1,
    'link.silent': 1,
    'heartbeat.overdue': 1,
    'health.confirmed': 1,
    'health.mismatched': 1,
  }),
  session: everyType<SessionEvent>({
    'registration.received': 1,
    'sync.prepared': 1,
    'sync.acknowledged': 1,
    'socket.closed': 1,
    'link.active': 1,
    'link.silent': 1,
    'heartbeat.overdue': 1,
    'departure.announced': 1,
    'drain.requested': 1,
    'undrain.requested': 1,
    'disconnect.requested': 1,
    'session.replaced': 1,
  }),
  call: everyType<CallEvent>({
    'attempt.sent': 1,
    'cancel.requested': 1,
    'link.ended': 1,
    'attempt.assigned': 1,
    'attempt.succeeded': 1,
    'attempt.failed': 1,
    'attempt.expired': 1,
    'attempt.refused': 1,
    'attempt.unstarted': 1,
    'attempt.vanished': 1,
  }),
  execution: everyType<ExecutionEvent>({
    'slot.granted': 1,
    'function.returned': 1,
    'function.threw': 1,
    'cancel.requested': 1,
    'result.acknowledged': 1,
    'result.evicted': 1,
  }),
  proposal: everyType<ProposalEvent>({
    'cancel.requested': 1,
    'engine.ended': 1,
    'submission.taken': 1,
    'submission.applied': 1,
    'submission.rejected': 1,
    'submission.returned': 1,
    'submission.vanished': 1,
  }),
  watch: everyType<WatchEvent>({
    'ready.reported': 1,
    'cancel.requested': 1,
    'consumer.disconnected': 1,
    'engine.ended': 1,
    'feed.attached': 1,
    'feed.refused': 1,
    'feed.lost': 1,
    'history.advanced': 1,
    'history.joined': 1,
    'history.compacted': 1,
    'backlog.filled': 1,
    'backlog.drained': 1,
  }),
  lease: everyType<LeaseEvent>({
    'lease.granted': 1,
    'lease.restored': 1,
    'keepalive.received': 1,
    'revoke.requested': 1,
    'record.saved': 1,
    'record.failed': 1,
    'commit.succeeded': 1,
    'commit.failed': 1,
  }),
  keepalive: everyType<KeepaliveEvent>({
    'release.requested': 1,
    'keepalive.sent': 1,
    'keepalive.acknowledged': 1,
    'keepalive.refused': 1,
  }),
  gate: everyType<GateEvent>({
    'training.started': 1,
    'training.completed': 1,
    'termination.requested': 1,
    'node.joined': 1,
    'node.synced': 1,
    'node.left': 1,
    'budget.measured': 1,
    'model.delivered': 1,
    'model.failed': 1,
  }),
  round: everyType<RoundEvent>({
    'abandon.requested': 1,
    'participants.chosen': 1,
    'update.accepted': 1,
    'update.refused': 1,
    'node.lost': 1,
    'node.left': 1,
    'node.returned': 1,
    'aggregation.finished': 1,
    'aggregation.failed': 1,
    'checkpoint.written': 1,
    'checkpoint.failed': 1,
  }),
  endpoint: everyType<EndpointEvent>({
    'endpoint.opened': 1,
    'endpoint.restored': 1,
    'release.requested': 1,
    'removal.requested': 1,
    'attempt.succeeded': 1,
    'attempt.failed': 1,
    'attempt.faulted': 1,
    'attempt.denied': 1,
    'attempt.abandoned': 1,
    'rate.exceeded': 1,
    'slot.granted': 1,
    'probe.succeeded': 1,
    'probe.failed': 1,
  }),
  'failure-queue': everyType<FailureQueueEvent>({
    'queue.opened': 1,
    'endpoint.ejected': 1,
    'endpoint.recovered': 1,
    'endpoint.removed': 1,
    'time.read': 1,
    'wait.elapsed': 1,
    'retry.requested': 1,
    'clear.requested': 1,
    'stop.requested': 1,
  }),
};

function everyType<E extends { type: string }>(types: Readonly<Record<E['type'], 1>>): string[] {
  return Object.keys(types);
}

/** The paths of all functions in `value`, and of all keys named `key`. */
function findIn(value: unknown, matches: (key: string, value: unknown) => boolean, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [
    ...(matches(key, inner) ? [`${path}.${key}`] : []),
    ...findIn(inner, matches, `${path}.${key}`),
  ]);
}

const list = (value: unknown): unknown[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value];
const transitionsOf = (machine: AnyStateMachine) =>
  stateNodes(machine).flatMap((node) => [...node.transitions.values()].flat());

function actionNames(machine: AnyStateMachine): unknown[] {
  const ofStates = stateNodes(machine).flatMap(({ config }) => [...list(config.entry), ...list(config.exit)]);
  return [...ofStates, ...transitionsOf(machine).flatMap(({ actions }) => actions)];
}

function implementationKind(machine: AnyStateMachine, action: string): string {
  const implementation = machine.implementations.actions[action] as
    | { type?: string; resolve?: unknown }
    | undefined;
  if (implementation === undefined) return 'missing';
  return 'resolve' in implementation ? String(implementation.type) : 'function';
}

/** A walk's every step as plain data: state, context, effects, delays, verdict. */
function walked(entry: Entry, machine: AnyStateMachine, walk: readonly Stride[]): object[] {
  const scenario = new Scenario({ machine, effects: entry.effects }, entry.input);
  const trace: object[] = [];
  const note = () => {
    const { state, context, effects, unexpected } = scenario;
    trace.push({ state, context, effects, unexpected, delays: [...scenario.delays.values()] });
  };
  take(scenario, entry, walk, note);
  note();
  return trace;
}

describe.each(entries)('the machine $id', (entry) => {
  const { machine, effects, examples, input } = entry;
  const config = machine.config as { context: unknown; [key: string]: unknown };

  it('has a config of plain data: the context function is the only function in it', () => {
    expect(findIn(config, (_, value) => typeof value === 'function')).toEqual(['.context']);
    const { context: _, ...data } = config;
    expect(JSON.parse(JSON.stringify(config))).toEqual(data);
  });

  it('is the same machine after a round trip of its config through JSON', () => {
    const copied = { ...JSON.parse(JSON.stringify(config)), context: config.context };
    const copy = createMachine(copied, machine.implementations as never) as AnyStateMachine;
    expect(stateNodes(copy).map(pathOf)).toEqual(stateNodes(machine).map(pathOf));
    fc.assert(
      fc.property(strides(60), (walk) => {
        expect(walked(entry, copy, walk)).toEqual(walked(entry, machine, walk));
      }),
      { numRuns: 60 },
    );
  });

  it('names every action, guard and delay by a string', () => {
    for (const action of actionNames(machine)) expect(action).toBeTypeOf('string');
    for (const { guard } of transitionsOf(machine)) expect(['string', 'undefined']).toContain(typeof guard);
    for (const { config: state } of stateNodes(machine)) {
      for (const delay of Object.keys(state.after ?? {}))
        expect(Number.isNaN(Number(delay)), delay).toBe(true);
    }
  });

  it('implements every guard and delay that it names, and names every one that it implements', () => {
    const guards = transitionsOf(machine).flatMap(({ guard }) =>
      guard === undefined ? [] : [String(guard)],
    );
    expect([...new Set(guards)].sort()).toEqual(Object.keys(machine.implementations.guards).sort());
    const delays = stateNodes(machine).flatMap((node) => Object.keys(node.config.after ?? {}));
    expect([...new Set(delays)].sort()).toEqual(Object.keys(machine.implementations.delays).sort());
  });

  it('invokes nothing, computes no output, and has no wildcard, no always and nothing at its root', () => {
    const keys = ['invoke', 'output', 'always', 'onDone', '*'];
    expect(findIn(config, (key) => keys.includes(key))).toEqual([]);
    expect(['on', 'after', 'entry', 'exit'].filter((key) => key in config)).toEqual([]);
  });

  it('has an effect or an assign behind every action, and an action for every effect', () => {
    const named = [...new Set(actionNames(machine).map(String))];
    const effectNames = Object.keys(effects);
    expect(effectNames.filter((effect) => !named.includes(effect))).toEqual([]);
    for (const action of named) {
      const kind = effectNames.includes(action) ? 'function' : 'xstate.assign';
      expect(implementationKind(machine, action), action).toBe(kind);
    }
    expect(Object.keys(machine.implementations.actions).sort()).toEqual(named.sort());
  });

  it('has an example of every event of its union', () => {
    const types = new Set(examples.map(({ type }) => type));
    expect([...types].sort()).toEqual([...(unions[entry.id] ?? [])].sort());
  });

  it('names no event that is not in its union', () => {
    const types = stateNodes(machine).flatMap((node) => Object.keys(node.config.on ?? {}));
    expect([...new Set(types)].sort()).toEqual([...(unions[entry.id] ?? [])].sort());
  });

  it('keeps its context in two parts, control and ledger', () => {
    const { context } = new Scenario(entry, input);
    expect(Object.keys(context).sort()).toEqual(['control', 'ledger']);
    // Numbers and words, and the sets of those that take part: nothing else may be compared or renumbered.
    for (const value of Object.values(context.control))
      if (!Array.isArray(value)) expect(['number', 'string']).toContain(typeof value);
  });

  it('keeps every boolean out of its control part: a state says it', () => {
    fc.assert(
      fc.property(strides(40), (walk) => {
        for (const step of walked(entry, machine, walk)) {
          const { control } = (step as { context: { control: object } }).context;
          expect(findIn(control, (_, value) => typeof value === 'boolean')).toEqual([]);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('computes the payload of every effect as a pure function of context and event', () => {
    const seen = new Set<string>(new Scenario(entry, input).effectNames);
    const stepper = createStepper(machine, effects);
    for (const { snapshot } of shortestPaths(entry)) {
      deepFreeze(snapshot.context);
      for (const event of possible(entry, snapshot)) {
        deepFreeze(event);
        const due = stepper.step(snapshot, event).effects;
        // Frozen input, twice the same answer, and nothing in it but data.
        expect(stepper.step(snapshot, event).effects).toEqual(due);
        expect(JSON.parse(JSON.stringify(due))).toEqual(due);
        for (const { type } of due) seen.add(type);
      }
    }
    expect([...seen].sort()).toEqual(Object.keys(effects).sort());
  });
});

function deepFreeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  Object.values(value).forEach(deepFreeze);
}
