// Our stream in Stately's words: what the real `@statelyai/inspect` takes, and what comes back when it is watched again.
import { createBrowserReceiver, createInspector, type StatelyInspectionEvent } from '@statelyai/inspect';
import { describe, expect, test } from 'vitest';
import { createMachine } from 'xstate';
import { connectionMachine } from '../../../machines/index.ts';
import type { Step, Told } from '../../../src/protocol/inspection.ts';
import {
  createStatelyFeed,
  toDocument,
  type StatelyEvent,
  type StatelyFeedOptions,
} from '../../../src/inspect/index.ts';
import { watch } from './watched.ts';

const { document } = toDocument(connectionMachine);
const machine: Told = { kind: 'machine', machine: 'connection', document: { ...document } };
const step = (fields: Partial<Step>): Step => ({
  kind: 'step',
  process: 'node/n1/aa',
  actor: 'connection',
  machine: 'connection',
  seq: 1,
  at: 0,
  clock: 1,
  event: { type: 'xstate.init' },
  from: null,
  to: 'idle',
  ...fields,
});
const story: Told[] = [
  machine,
  step({}),
  step({
    seq: 2,
    clock: 2,
    event: { type: 'connect.requested' },
    from: 'idle',
    to: { connecting: 'dialing' },
  }),
  step({ seq: 1, actor: 'session:n1', process: 'hub/bb', machine: 'session', clock: 3, to: 'joining' }),
  step({
    seq: 3,
    clock: 4,
    event: { type: 'socket.opened', epoch: 1 },
    from: { connecting: 'dialing' },
    to: 'registering',
    cause: { process: 'hub/bb', actor: 'session:n1', clock: 3 },
    context: { control: { attempts: 1 } },
  }),
  step({
    seq: 4,
    clock: 5,
    event: { type: 'xstate.stop' },
    from: 'registering',
    to: 'registering',
    status: 'stopped',
  }),
];

function feed(messages: readonly Told[], options: Partial<StatelyFeedOptions> = {}): StatelyEvent[] {
  const events: StatelyEvent[] = [];
  // Whoever has an inspector of the package gives its adapter to the feed.
  const { adapter } = createInspector({
    send: (event: StatelyInspectionEvent) => void events.push(event as StatelyEvent),
  });
  const { take } = createStatelyFeed({
    send: (event) => adapter.send(event as StatelyInspectionEvent),
    wallNow: () => 1_700_000_000_000.4,
    ...options,
  });
  for (const message of messages) take(message);
  return events;
}

const inShort = (event: StatelyEvent): string =>
  `${event.type.slice(8)} ${event.sessionId}${'event' in event ? `: ${event.event.type}` : ''}`;

describe('the feed', () => {
  test('registers each actor with its definition, then says its events and snapshots', () => {
    const events = feed(story);
    expect(events.map(inShort)).toEqual([
      'actor node/n1/aa/connection',
      'event node/n1/aa/connection: xstate.init',
      'snapshot node/n1/aa/connection: xstate.init',
      'event node/n1/aa/connection: connect.requested',
      'snapshot node/n1/aa/connection: connect.requested',
      'actor hub/bb/session:n1',
      'event hub/bb/session:n1: xstate.init',
      'snapshot hub/bb/session:n1: xstate.init',
      'event node/n1/aa/connection: socket.opened',
      'snapshot node/n1/aa/connection: socket.opened',
      'event node/n1/aa/connection: xstate.stop',
      'snapshot node/n1/aa/connection: xstate.stop',
    ]);
    expect(JSON.parse((events[0] as { definition: string }).definition)).toEqual(
      JSON.parse(JSON.stringify(document)),
    );
    expect(createMachine(JSON.parse((events[0] as { definition: string }).definition) as never).id).toBe(
      'connection',
    );
    expect(events[8]).toMatchObject({ sourceId: 'hub/bb/session:n1', createdAt: '1700000000000' });
    expect(events[9]).toMatchObject({
      snapshot: { status: 'active', value: 'registering', context: { control: {} } },
    });
    expect(events[11]).toMatchObject({ snapshot: { status: 'stopped' } });
  });

  test('is what the page in the browser takes for messages of the package', () => {
    const window = new EventTarget();
    Object.assign(window, { self: window, top: window, opener: null });
    const seen: unknown[] = [];
    createBrowserReceiver({ window: window as never }).subscribe((event) => void seen.push(event));
    const events = feed(story);
    for (const data of events) {
      window.dispatchEvent(
        Object.assign(new Event('message'), { data: JSON.parse(JSON.stringify(data)) as unknown }),
      );
    }
    expect(seen).toEqual(JSON.parse(JSON.stringify(events)));
    expect(seen.length).toBe(12);
  });

  test('read back by our own bridge is the same story', () => {
    const { apps, of } = watch();
    const connection = apps.connect();
    for (const event of feed(story)) expect(connection.take(JSON.stringify(event))).toBe('taken');
    const told = story.filter((message) => message.kind === 'step');
    const essence = ({ seq, event, from, to, status }: Step) => ({ seq, event, from, to, status });
    expect(of('step').map(essence)).toEqual(told.map(essence));
    const caused = of('step').find(({ event }) => event.type === 'socket.opened')!;
    expect(caused.cause!.actor).toContain('session:n1');
    expect(caused.cause!.clock).toBeLessThan(caused.clock);
  });

  test('begins in the middle with who is present, and passes over what is older', () => {
    const now = (actor: string, seq: number, state: string) =>
      ({ actor, machine: 'connection', seq, since: 0, state }) as const;
    const present = (...actors: ReturnType<typeof now>[]): Told => ({
      kind: 'present',
      process: 'node/n1/aa',
      at: 0,
      actors,
    });
    const events = feed([
      machine,
      { ...(present(now('connection', 3, 'registering')) as object), more: true } as Told,
      present(now('other', 1, 'idle')),
      step({ seq: 3, from: 'x', to: 'registering', event: { type: 'late' } }),
      step({ seq: 4, from: 'registering', to: 'connected', event: { type: 'registered' } }),
      // After a gap: one of them has moved on, the other is gone.
      present(now('connection', 9, 'backoff')),
      { kind: 'process', process: 'node/n1/aa', role: 'node', name: 'n1', at: 0, state: 'gone' },
      step({ seq: 10, from: 'backoff', to: 'idle', event: { type: 'after the end' } }),
    ]);
    expect(events.map(inShort)).toEqual([
      'actor node/n1/aa/connection',
      'actor node/n1/aa/other',
      'event node/n1/aa/connection: registered',
      'snapshot node/n1/aa/connection: registered',
      'snapshot node/n1/aa/connection: holdfast.present',
      'snapshot node/n1/aa/other: xstate.stop',
      'snapshot node/n1/aa/connection: xstate.stop',
      'actor node/n1/aa/connection',
      'event node/n1/aa/connection: after the end',
      'snapshot node/n1/aa/connection: after the end',
    ]);
    expect(events[0]).toMatchObject({ snapshot: { value: 'registering' } });
  });

  test('tells only of actors that were asked for', () => {
    const events = feed(story, { only: ({ process }) => process.startsWith('hub/') });
    expect(events.map(({ sessionId }) => sessionId)).toEqual(
      Array.from({ length: 3 }, () => 'hub/bb/session:n1'),
    );
  });

  test('puts children below their parents', () => {
    const events = feed([step({}), step({ actor: 'connection/child', parent: 'connection' })]);
    expect(events[3]).toMatchObject({ parentId: 'node/n1/aa/connection', rootId: 'node/n1/aa/connection' });
  });
});
