// Apps that use the real `@statelyai/inspect` are watched: their actors, their order, their reconnects, their mistakes.
import { createInspector } from '@statelyai/inspect';
import { describe, expect, test } from 'vitest';
import { createMachine, fromPromise, sendParent, sendTo, setup } from 'xstate';
import type { Step } from '../../../src/protocol/inspection.ts';
import { messagesOf, takeAll, watch } from './watched.ts';

const child = createMachine({
  id: 'child',
  initial: 'idle',
  states: {
    idle: { on: { ask: { target: 'busy', actions: sendParent({ type: 'answered', by: 'child' }) } } },
    busy: { after: { 1_000: 'idle' } },
  },
});
const parent = setup({ actors: { child } }).createMachine({
  id: 'parent',
  initial: 'calm',
  context: { asked: 0 },
  invoke: { src: 'child', id: 'helper' },
  states: {
    calm: { on: { go: { target: 'waiting', actions: sendTo('helper', { type: 'ask' }) } } },
    waiting: { on: { answered: 'calm', halt: 'over' } },
    over: { type: 'final' },
  },
});
const go = (actor: { send(event: { type: string }): void }): void => actor.send({ type: 'go' });
const inShort = ({ event, from, to }: Step): string => `${event.type}: ${String(from)} → ${String(to)}`;

describe('an app', () => {
  test('is told as a process, with its machines as documents, and each step of each actor once', () => {
    const { apps, of, stepsOf } = watch();
    takeAll(apps.connect(), messagesOf(parent, go));
    expect(of('process')).toMatchObject([{ process: 'app/parent/1', role: 'app', state: 'here' }]);
    expect(of('machine').map(({ machine, process }) => [machine, process])).toEqual([
      ['parent', 'app/parent/1'],
      ['child', 'app/parent/1'],
    ]);
    expect(createMachine(of('machine')[1]!.document as never).config.states).toHaveProperty('busy');
    expect(stepsOf('parent').map(inShort)).toEqual([
      'xstate.init: null → calm',
      'go: calm → waiting',
      'answered: waiting → calm',
    ]);
    expect(stepsOf('helper').map(inShort)).toEqual([
      'xstate.init: null → idle',
      'ask: idle → busy',
      'xstate.after.1000.child.busy: busy → idle',
    ]);
    expect(stepsOf('helper').map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(stepsOf('helper')[0]).toMatchObject({ parent: 'parent (x:0)' });
    expect(stepsOf('parent')[0]).toMatchObject({ context: { asked: 0 } });
  });

  test('tells of a child before its parent, and the clocks put the cause first all the same', () => {
    const { apps, of } = watch();
    takeAll(apps.connect(), messagesOf(parent, go));
    const steps = of('step');
    const index = (name: string) => steps.findIndex(({ event }) => event.type === name);
    expect(index('ask')).toBeLessThan(index('go'));
    const clockOf = new Map(steps.map((step) => [`${step.actor}@${step.clock}`, step]));
    const caused = steps.filter(({ cause }) => cause !== undefined);
    expect(caused).toHaveLength(4);
    for (const { cause, clock } of caused) {
      const source = clockOf.get(`${cause!.actor}@${cause!.clock}`);
      expect(source!.clock).toBeLessThan(clock);
    }
    expect(clockOf.get(`parent (x:0)@${steps[index('ask')]!.cause!.clock}`)!.event.type).toBe('go');
    expect(steps[index('answered')]!.cause!.actor).toBe('helper (x:1)');
  });

  test('dates its steps, and nothing is told for the future or before what was told already', () => {
    let now = 100_000;
    const ats: number[] = [];
    const { apps } = watch({
      now: () => now,
      wallNow: () => now + 5e12,
      tell: (m) => 'at' in m && ats.push(m.at),
    });
    const dated = (ms: number) =>
      JSON.stringify({ ...JSON.parse(messagesOf(child, () => {})[2]!), createdAt: String(5e12 + ms) });
    const app = apps.connect();
    takeAll(app, [dated(99_000), dated(99_500), dated(10), dated(7e12)]);
    now = 100_050;
    app.take(dated(Number.NaN));
    expect(ats).toEqual([99_000, 99_000, 99_500, 99_500, 100_000, 100_050]);
  });

  test('with actors that are no machines shows whether they are done', () => {
    const work = fromPromise(() => Promise.resolve(7));
    const { apps, of, stepsOf } = watch();
    const machine = createMachine({
      id: 'boss',
      invoke: { src: work, id: 'work' },
      initial: 'a',
      states: { a: {} },
    });
    const texts = messagesOf(machine, () => {});
    const done = {
      type: '@xstate.snapshot',
      sessionId: 'x:1',
      rootId: 'x:0',
      createdAt: '0',
      id: null,
      _version: '',
    };
    const settled = {
      ...done,
      event: { type: 'xstate.promise.resolve' },
      snapshot: { status: 'done', output: 7 },
    };
    takeAll(apps.connect(), [...texts, JSON.stringify(settled)]);
    expect(of('machine').map(({ machine: name }) => name)).toEqual(['boss', 'actor']);
    expect(stepsOf('work').at(-1)).toMatchObject({
      from: 'active',
      to: 'done',
      status: 'done',
      context: { output: 7 },
    });
  });

  test('without XState, which calls its inspector by hand, is shown as it says', () => {
    const { apps, stepsOf, of } = watch();
    const app = apps.connect();
    const inspector = createInspector({ send: (event) => void app.take(JSON.stringify(event)) });
    inspector.actor('lamp', { status: 'active', value: 'off', context: { watts: 4 } });
    inspector.actor('switch');
    inspector.event('lamp', 'press', { source: 'switch' });
    inspector.snapshot('lamp', { status: 'active', value: { on: 'bright' } });
    inspector.snapshot('lamp', { status: 'done', value: 'off' });
    expect(stepsOf('lamp').map(({ event, from, to }) => [event.type, from, to])).toEqual([
      ['xstate.init', null, 'off'],
      ['press', 'off', 'off'],
      ['snapshot', 'off', { on: 'bright' }],
      ['snapshot', { on: 'bright' }, 'off'],
    ]);
    expect(stepsOf('lamp')[1]!.cause).toEqual({ process: 'app/lamp/1', actor: 'switch', clock: 2 });
    // Nobody defined the lamp: its document grows with what is seen.
    const lamps = of('machine').filter(({ machine }) => machine === 'lamp');
    expect(lamps.at(-1)!.document).toMatchObject({
      initial: 'off',
      states: { off: {}, on: { initial: 'bright', states: { bright: {} } } },
    });
  });

  test('that begins to be watched late has actors that nobody registered', () => {
    const { apps, stepsOf, of } = watch();
    const texts = messagesOf(parent, go).filter((text) => !text.includes('@xstate.actor'));
    takeAll(apps.connect(), texts.slice(4));
    expect(of('process')).toMatchObject([{ name: 'app' }]);
    expect(stepsOf('x:0').map(inShort)).toEqual(['go: null → waiting', 'answered: waiting → calm']);
    expect(of('machine').findLast(({ machine }) => machine === 'x:0')!.document).toMatchObject({
      states: { waiting: {}, calm: {} },
    });
  });
});

describe('several apps', () => {
  test('have actors of the same session ids and machines of the same id, and are kept apart', () => {
    const { apps, of, stepsOf } = watch();
    const other = createMachine({ id: 'parent', initial: 'x', states: { x: { on: { go: 'y' } }, y: {} } });
    const [one, two] = [apps.connect(), apps.connect()];
    const ones = messagesOf(parent, go);
    const twos = messagesOf(other, go);
    for (let i = 0; i < ones.length; i += 1) {
      one.take(ones[i]!);
      if (twos[i] !== undefined) two.take(twos[i]!);
    }
    expect(of('process').map(({ process }) => process)).toEqual(['app/parent/1', 'app/parent/2']);
    expect(stepsOf('parent', 'app/parent/1').map(({ to }) => to)).toEqual(['calm', 'waiting', 'calm']);
    expect(stepsOf('parent', 'app/parent/2').map(({ to }) => to)).toEqual(['x', 'y']);
    for (const { machine, process, document } of of('machine').filter(
      ({ machine: name }) => name === 'parent',
    )) {
      expect(Object.keys(document['states'] as object)).toContain(process === 'app/parent/1' ? 'calm' : 'x');
      expect(machine).toBe('parent');
    }
  });

  test('two machines of one id in one app are told under two names', () => {
    const { apps, of, stepsOf } = watch();
    const machine = (state: string) => createMachine({ id: 'm', initial: state, states: { [state]: {} } });
    const renumbered = messagesOf(machine('b'), () => {}).map((text) => text.replaceAll('x:0', 'x:7'));
    takeAll(apps.connect(), [...messagesOf(machine('a'), () => {}), ...renumbered]);
    expect(of('machine').map(({ machine: name }) => name)).toEqual(['m', 'm 2']);
    expect(stepsOf('m').map((step) => [step.machine, step.to])).toEqual([
      ['m', 'a'],
      ['m 2', 'b'],
    ]);
  });
});

describe('a connection that is lost', () => {
  const texts = messagesOf(parent, (actor) => {
    go(actor);
    go(actor);
  });

  test('ends the process, and its return repeats no step, though the package repeats its messages', () => {
    const { apps, of, told } = watch();
    const first = apps.connect();
    takeAll(first, texts.slice(0, 10));
    first.close();
    expect(of('process').at(-1)).toMatchObject({ process: 'app/parent/1', state: 'gone' });
    const steps = of('step').length;
    const second = apps.connect();
    expect(takeAll(second, texts.slice(0, 10))).toEqual(Array.from({ length: 10 }, () => 'repeated'));
    expect(of('step')).toHaveLength(steps);
    const back = told.slice(-2);
    expect(back[0]).toMatchObject({ kind: 'process', process: 'app/parent/1', state: 'here' });
    expect(back[1]).toMatchObject({ kind: 'present', process: 'app/parent/1' });
    expect(back[1]).toMatchObject({ actors: [{ seq: 2, state: 'busy' }, { seq: 1 }].toReversed() });
    expect(takeAll(second, texts.slice(10)).every((taken) => taken === 'taken')).toBe(true);
    expect(of('step').map(({ seq }) => seq)).toEqual(watchedAtOnce().map(({ seq }) => seq));
  });

  const watchedAtOnce = (): Step[] => {
    const { apps, of } = watch();
    takeAll(apps.connect(), texts);
    return of('step');
  };

  test('that took the oldest messages with it still shows whose it was', () => {
    const { apps, of } = watch();
    const first = apps.connect();
    takeAll(first, texts);
    first.close();
    takeAll(apps.connect(), texts.slice(5));
    expect(of('step')).toEqual(watchedAtOnce().map((step) => ({ ...step, at: expect.any(Number) })));
    expect(new Set(of('process').map(({ process }) => process)).size).toBe(1);
  });

  test('messages that are the same in every letter both count when nothing is repeated', () => {
    const { apps, stepsOf } = watch();
    const twins = messagesOf(createMachine({ id: 'deaf', initial: 'a', states: { a: {} } }), (actor) => {
      for (let i = 0; i < 3; i += 1) actor.send({ type: 'knock' });
    });
    expect(twins[3]).toBe(twins[5]);
    const app = apps.connect();
    takeAll(app, twins);
    expect(stepsOf('deaf').map(({ event }) => event.type)).toEqual([
      'xstate.init',
      'knock',
      'knock',
      'knock',
    ]);
    // An adapter that is started twice repeats itself on one connection.
    expect(new Set(takeAll(app, twins))).toEqual(new Set(['repeated']));
    expect(stepsOf('deaf')).toHaveLength(4);
  });

  test('a new run of the same app is a new process', () => {
    const { apps, of } = watch();
    const first = apps.connect();
    takeAll(first, texts);
    first.close();
    const later = texts.map((text) => text.replaceAll(/"createdAt":"\d+"/g, '"createdAt":"1"'));
    takeAll(apps.connect(), later);
    expect(of('process').map(({ process, state }) => [process, state])).toEqual([
      ['app/parent/1', 'here'],
      ['app/parent/1', 'gone'],
      ['app/parent/2', 'here'],
    ]);
  });
});

describe('garbage', () => {
  const good = messagesOf(child, () => {});
  const said = JSON.parse(good[2]!) as Record<string, unknown>;
  const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  const bad: [text: string, why: string][] = [
    ['', 'it is not JSON'],
    ['null', 'it is not an object'],
    ['[]', 'it is not an object'],
    ['{}', 'its type is none of'],
    [JSON.stringify({ ...said, type: '@xstate.microstep' }), 'its type is none of'],
    [JSON.stringify({ ...said, sessionId: 7 }), 'sessionId'],
    [JSON.stringify({ ...said, sessionId: 'x'.repeat(300) }), 'sessionId'],
    [JSON.stringify({ ...said, event: 'go' }), 'event'],
    [JSON.stringify({ ...said, snapshot: [] }), 'snapshot'],
    [`{"type":"@xstate.actor","sessionId":"x:0","name":"n","snapshot":${nested(200)}}`, 'nests too deep'],
    [nested(20_000), 'it is not an object'],
    [`{"type":"@xstate.actor","__proto__":{"a":1}}`, 'names a property of prototypes'],
    [JSON.stringify({ ...JSON.parse(good[0]!), definition: {} }), 'definition'],
  ];

  test.each(bad.map(([text, why]) => [why, text] as const))(
    'is refused (%s), and its connection goes on',
    (why, text) => {
      const { apps, of } = watch();
      const app = apps.connect();
      expect(app.take(text)).toEqual({ refused: expect.stringContaining(why), then: 'go on' });
      takeAll(app, good);
      expect(of('step')).toHaveLength(1);
    },
  );

  test('a hundred times on end ends its connection, and no other', () => {
    const { apps, of } = watch();
    const [broken, sound] = [apps.connect(), apps.connect()];
    const answers = Array.from({ length: 100 }, () => broken.take('?'));
    expect(answers.slice(0, -1).every((answer) => (answer as { then: string }).then === 'go on')).toBe(true);
    expect(answers.at(-1)).toMatchObject({ then: 'end' });
    broken.close();
    takeAll(sound, good);
    expect(of('process')).toHaveLength(1);
  });

  test('in a definition is left out, and what remains is a document', () => {
    const { apps, of } = watch();
    const config = {
      id: 7,
      initial: ['x'],
      on: { a: 'b', c: 7, d: [{ target: 3 }, 'b'], e: null },
      states: { b: { entry: [{ type: '' }, 4], states: '[Object]' }, c: '[Object]', d: 7 },
    };
    const registration = { ...JSON.parse(good[0]!), definition: JSON.stringify(config) };
    takeAll(apps.connect(), [JSON.stringify(registration), ...good.slice(1)]);
    expect(of('machine')[0]!.document).toEqual({
      id: 'child',
      on: { a: [{ target: 'b' }], d: [{}, { target: 'b' }] },
      states: { b: { entry: ['inline'] }, c: {}, d: {} },
    });
  });

  test('in a context is not shown, nor is more of it than a page can keep', () => {
    const { apps, stepsOf } = watch();
    const snapshot = { status: 'active', value: 'idle', context: { long: 'x'.repeat(100_000) } };
    takeAll(apps.connect(), [
      good[0]!,
      good[1]!,
      JSON.stringify({ ...said, event: { type: 'xstate.init', input: 'y'.repeat(100_000) }, snapshot }),
    ]);
    const [step] = stepsOf('child');
    expect(step).toMatchObject({ context: '…', event: { type: 'xstate.init', payload: '…' } });
  });

  test('of too many actors is refused, and those that ended make room', () => {
    const { apps, of } = watch();
    const app = apps.connect();
    const actor = (n: number, status = 'active') => {
      const inspector = createInspector({ send: (event) => (answers[n] = app.take(JSON.stringify(event))) });
      inspector.actor(`a${n}`, { status: status as 'active', value: 's' });
    };
    const answers: unknown[] = [];
    actor(0, 'done');
    for (let n = 1; n <= 10_000; n += 1) actor(n);
    expect(new Set(answers)).toEqual(new Set(['taken']));
    actor(10_001);
    expect(answers[10_001]).toMatchObject({ refused: expect.stringMatching(/too many|more than/) });
    expect(of('step')).toHaveLength(10_001);
  });
});
