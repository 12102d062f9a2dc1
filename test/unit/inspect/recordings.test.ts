// What is not a recording yet becomes one: traces of the checker, transition logs.
import { describe, expect, test } from 'vitest';
import { connectionMachine } from '../../../machines/index.ts';
import { logRecording, toDocument, traceRecording } from '../../../src/inspect/index.ts';
import { toTold, type Step, type Told } from '../../../src/protocol/inspection.ts';

const stepsOf = (messages: readonly Told[]): Step[] => messages.filter((message) => message.kind === 'step');
/** Every message must be one that a viewer takes. */
const strictly = (messages: readonly Told[]): Told[] =>
  messages.map((message) => toTold(JSON.parse(JSON.stringify(message))));

describe('a trace', () => {
  const trace = {
    system: 'pair',
    kind: 'always',
    property: 'not dim',
    parts: [
      { name: 'lamp', state: 'off (control {"n":1})' },
      { name: 'wire', state: '[]' },
    ],
    steps: [
      {
        label: 'press',
        exchanges: [
          { to: 'wire', what: 'takes press' },
          { from: 'wire', to: 'lamp', what: 'press' },
          { to: 'lamp', what: 'noise', unexpected: true as const },
        ],
        changes: [
          {
            part: 'lamp',
            before: 'off (control {"n":1})',
            after: 'on.bright (control {"n":2}) awaiting 1000',
          },
          { part: 'world', before: 'calm', after: 'loud, really' },
        ],
      },
      {
        label: '1000 of lamp runs out',
        exchanges: [],
        changes: [{ part: 'lamp', before: '', after: 'on.dim' }],
      },
    ],
    cycle: 2,
  };
  const messages = strictly(traceRecording(trace));

  test('is told step by step, in its words, each with a moment of its own', () => {
    expect(messages.slice(0, 2)).toMatchObject([
      { kind: 'hello', process: 'checker/pair', role: 'checker', may: [] },
      { kind: 'process', process: 'checker/pair', state: 'here' },
    ]);
    const inShort = ({ at, actor, event, from, to }: Step) => [at, actor, event.type, from, to];
    expect(stepsOf(messages).map(inShort)).toEqual([
      [0, 'lamp', 'xstate.init', null, 'off'],
      [0, 'wire', 'xstate.init', null, '[]'],
      [1_000, 'wire', 'takes press', '[]', '[]'],
      [1_000, 'lamp', 'press', 'off', 'off'],
      [1_000, 'lamp', 'noise', 'off', { on: 'bright' }],
      [1_000, 'world', 'changes', '?', 'loud, really'],
      [2_000, 'lamp', 'changes', { on: 'bright' }, { on: 'dim' }],
    ]);
    expect(stepsOf(messages).flatMap(({ words }) => words ?? [])).toEqual([
      '1. press',
      '2. 1000 of lamp runs out (from here on it repeats for ever); violated (always): not dim',
    ]);
  });

  test('keeps who said what, what was unexpected, and what a machine knew', () => {
    const steps = stepsOf(messages);
    expect(steps[3]).toMatchObject({ cause: { actor: 'wire', clock: 3 }, clock: 4 });
    expect(steps[4]).toMatchObject({ unexpected: true, context: { control: { n: 2 } } });
    expect(steps.map(({ clock }) => clock)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  test('has a chart for each part, of the states that it shows', () => {
    const charts = messages.filter((message) => message.kind === 'machine');
    expect(charts.map(({ machine }) => machine)).toEqual(['lamp', 'wire', 'world']);
    expect(charts[0]!.document).toEqual({
      id: 'lamp',
      initial: 'off',
      states: { off: {}, on: { initial: 'bright', states: { bright: {}, dim: {} } } },
    });
  });
});

describe('a transition log', () => {
  const line = (fields: object): string =>
    JSON.stringify({ actor: 'a', machine: 'connection', seq: 1, at: 3, event: { type: 'e' }, ...fields });
  const log = [
    line({ event: { type: 'xstate.init' }, from: null, to: 'idle', context: { n: 1 } }),
    'garbage',
    line({ seq: 2, at: 9, from: 'idle', to: { establishing: 'connecting' } }),
    line({ machine: 'mine', actor: 'b', run: 'r2', at: 1, from: 'x', to: 'y', status: 'done' }),
    line({ machine: 'mine', actor: 'b', run: 'r2', at: undefined, seq: 2, from: 'y', to: { z: 'deep' } }),
    '',
  ].join('\n');
  const documentOf = (id: string) =>
    id === 'connection' ? toDocument(connectionMachine).document : undefined;
  const recording = logRecording(log, { name: 'hub.ndjson', documentOf });
  const messages = strictly(recording.messages);

  test('is told as it was written, with a process for each run', () => {
    expect(messages[0]).toMatchObject({ kind: 'hello', at: 1, name: 'hub.ndjson' });
    const processes = messages.filter((message) => message.kind === 'process');
    expect(processes.map(({ process }) => process)).toEqual(['log/hub.ndjson', 'log/hub.ndjson/r2']);
    expect(stepsOf(messages).map(({ actor, seq, at, to }) => [actor, seq, at, to])).toEqual([
      ['a', 1, 3, 'idle'],
      ['a', 2, 9, { establishing: 'connecting' }],
      ['b', 1, 1, 'y'],
      ['b', 2, 1, { z: 'deep' }],
    ]);
    expect(stepsOf(messages)[2]).toMatchObject({ status: 'done' });
    expect([recording.unread, recording.why]).toEqual([1, 'line 2: it is not JSON']);
  });

  test('brings the charts of machines that are known, and draws the others from what they did', () => {
    const charts = messages.filter((message) => message.kind === 'machine');
    expect(charts.map(({ machine }) => machine)).toEqual(['connection', 'mine']);
    expect(charts[0]!.document).toHaveProperty('states.backoff');
    expect(charts[1]!.document).toMatchObject({ states: { x: {}, y: {}, z: { states: { deep: {} } } } });
  });

  test('that is none is refused with what is wrong', () => {
    const read = (text: string) => () => logRecording(text, { name: 'x', documentOf });
    expect(read('{}')).toThrow(/no transition log: line 1: actor must be a text/);
    expect(read('')).toThrow(/no transition log: it is empty/);
  });
});
