// What a viewer and a server say to each other: read strictly, and read back from a recording.
import { describe, expect, it } from 'vitest';
import {
  INSPECT_PATH,
  INSPECT_SUBPROTOCOL,
  INSPECT_VERSION,
  readTold,
  readViewerSaid,
  toTold,
} from '../../../src/protocol/inspection.ts';
import type {
  ActorNow,
  Answer,
  Ask,
  Dropped,
  FleetSaid,
  Hello,
  HubSaid,
  MachineSaid,
  NodeRow,
  Open,
  Operation,
  PoolSaid,
  Present,
  ProcessSaid,
  Role,
  Sampled,
  Step,
  TimerNow,
  Told,
  TrainingSaid,
} from '../../../src/protocol/inspection.ts';
import { readRecording, recordingLine } from '../../../src/protocol/recording.ts';

const may: Operation[] = ['drain'];
const hello: Hello = {
  kind: 'hello',
  version: INSPECT_VERSION,
  process: 'hub/1f3c09ab',
  role: 'hub',
  name: 'hub',
  at: 12.5,
  may,
};
const step: Step = {
  kind: 'step',
  process: 'node/n1/9ab2c04d',
  actor: 'connection',
  machine: 'connection',
  seq: 3,
  at: 20,
  clock: 17,
  event: { type: 'socket.opened', epoch: 1 },
  from: 'connecting',
  to: { joined: 'registering' },
  effects: [{ name: 'sendRegister', payload: { epoch: 1 } }],
  timers: [{ cleared: 'a' }, { id: 'b', name: 'deadline', delayMs: 10_000 }],
  cause: { process: 'hub/1f3c09ab', actor: 'session/node/n1/1', clock: 16 },
};

const role: Role = 'node';
const came: ProcessSaid = { kind: 'process', process: step.process, role, name: 'n1', at: 13, state: 'here' };
const document = { id: 'connection', initial: 'idle', states: { idle: {} } };
const machine: MachineSaid = { kind: 'machine', machine: 'connection', document };
const timer: TimerNow = { id: 'b', name: 'deadline', delayMs: 10_000, startedAt: 19 };
const actor: ActorNow = {
  actor: 'connection',
  machine: 'connection',
  seq: 2,
  since: 19,
  state: 'connecting',
  timers: [timer],
};
const present: Present = { kind: 'present', process: step.process, at: 20, actors: [actor], more: true };
const dropped: Dropped = { kind: 'dropped', process: step.process, steps: 812, at: 21 };
const sampled: Sampled = {
  kind: 'sampled',
  process: step.process,
  machine: 'call',
  at: 21,
  began: 900,
  shown: 9,
};
const row: NodeRow = {
  id: 'n1',
  state: 'online',
  callsPerSecond: 12.5,
  running: 1,
  waiting: 0,
  executed: 4,
  lastInboundAt: 20,
};
const hub: HubSaid = {
  instance: '1f3c09ab',
  url: 'ws://127.0.0.1:7070',
  state: 'listening',
  uptimeMs: 20,
  lagMs: 0.1,
  nodes: 1,
  clients: 0,
  connections: 1,
  waiting: 0,
  running: 1,
  ended: { succeeded: 4 },
  unexpectedEvents: 0,
  deadLetters: 0,
};
const training: TrainingSaid = {
  gate: { state: 'open', online: 1, minNodes: 1, budgetUsedMs: 0, budgetMs: 300_000 },
  round: { number: 2, state: 'training', asked: 1, answered: 0 },
  history: [{ round: 1, loss: 0.4, accuracy: 0.8 }],
};
const pool: PoolSaid = {
  name: 'api',
  endpoints: [
    {
      id: 'a',
      state: 'ejected',
      inFlight: 0,
      totalRequests: 9,
      failedRequests: 5,
      ejections: 1,
      url: 'http://a',
    },
  ],
  queue: { size: 1, probing: 0, held: 0 },
  requests: 9,
  retries: 5,
};
const fleet: FleetSaid = {
  kind: 'fleet',
  at: 22,
  whole: true,
  hub,
  nodes: [row],
  gone: [],
  training,
  pools: [pool],
};
const answer: Answer = { kind: 'answer', id: 1, ok: true, message: 'n1 drains' };

describe('messages of an inspection stream', () => {
  it('are spoken where viewers of every version look for them', () => {
    expect([INSPECT_PATH, INSPECT_SUBPROTOCOL]).toEqual(['/inspect', 'holdfast.inspect.v1']);
  });

  it.each<Told>([hello, came, machine, present, step, dropped, sampled, fleet, answer])(
    'of kind $kind are read as they were written',
    (message) => expect(toTold(JSON.parse(JSON.stringify(message)))).toEqual(message),
  );

  it('are read as they were written, alone and in arrays', () => {
    expect(readTold(JSON.stringify(step))).toEqual([step]);
    expect(readTold(JSON.stringify([hello, step]))).toEqual([hello, step]);
  });

  it.each<[string, object]>([
    ['a kind that nobody knows', { kind: 'secret' }],
    ['a state that is a number', { ...step, to: 7 }],
    ['a state that is a list', { ...step, to: ['online'] }],
    ['a clock that is not whole', { ...step, clock: 1.5 }],
    ['an event without a type', { ...step, event: { epoch: 1 } }],
    ['an actor without a name', { ...step, actor: '' }],
    ['a time that is a text', { ...hello, at: 'now' }],
    ['what answers for a prototype', JSON.parse('{"kind":"process","__proto__":{}}') as object],
  ])('are refused with %s', (_, message) => {
    expect(() => toTold(message)).toThrow(/inspection: /);
  });

  it('may nest as machines do, and no deeper', () => {
    const nested = (levels: number): object => (levels === 0 ? {} : { states: { a: nested(levels - 1) } });
    const deep = (levels: number): object => ({ ...machine, document: { id: 'm', ...nested(levels) } });
    expect(toTold(deep(40))).toEqual(deep(40));
    expect(() => toTold(deep(60))).toThrow(/nests too deep/);
  });

  it('of a viewer open and ask, and nothing else', () => {
    const ask: Ask = { kind: 'ask', id: 1, operation: 'drain', target: 'n1' };
    expect(readViewerSaid(JSON.stringify(ask))).toEqual(ask);
    const open: Open = { kind: 'open', contexts: true };
    expect(readViewerSaid(JSON.stringify(open))).toEqual(open);
    expect(() => readViewerSaid('{"kind":"ask","id":1,"operation":"format"}')).toThrow(/viewer: operation/);
    expect(() => readViewerSaid('open')).toThrow(/no JSON/);
  });
});

describe('a recording', () => {
  const text = [hello, step].map(recordingLine).join('');

  it('is read back', () => {
    expect(readRecording(text)).toEqual({ messages: [hello, step], unread: 0, why: undefined });
  });

  it('loses only the lines that cannot be read, and says so', () => {
    const { messages, unread, why } = readRecording(text.replace('\n', '\n{"kind":"step"}\n'));
    expect([messages, unread]).toEqual([[hello, step], 1]);
    expect(why).toMatch(/^line 2: inspection: /);
  });

  it('may end in the middle of a line', () => {
    expect(readRecording(text.slice(0, -10))).toEqual({ messages: [hello], unread: 0, why: undefined });
  });

  it('begins with a hello', () => {
    expect(() => readRecording(recordingLine(step))).toThrow(/first line is no hello/);
    expect(() => readRecording('PNG')).toThrow(/no recording of an inspection stream: line 1/);
  });
});
