import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setup, type AnyStateMachine, type EventObject } from 'xstate';
import { registry } from '../../../machines/index.ts';
import type { Effects } from '../../../machines/types.ts';
import { Prng } from '../../../src/testing/index.ts';
import { isPossible, offersIn, type Choice } from '../../../visualizer/simulate/choices.ts';
import { fromLink, toLink, toSequence, toTest } from '../../../visualizer/simulate/path-text.ts';
import {
  nextDelay,
  Simulation,
  type Move,
  type Moment,
  type Simulated,
} from '../../../visualizer/simulate/simulation.ts';
import { Workshop } from '../testing/model/workshop.ts';

const subjectOf = (name: keyof typeof registry): Simulated => {
  const { machine, effects, examples, input } = registry[name];
  return {
    machine: machine as unknown as AnyStateMachine,
    effects: effects as unknown as Effects<never>,
    examples: examples as readonly EventObject[],
    input,
  };
};

const choicesFor = (subject: Simulated, now: Moment, type: string): readonly Choice[] =>
  offersIn(subject, now.snapshot, now.nowMs).find((offer) => offer.type === type)?.choices ?? [];

/** Sends the first choice of each type, as a click on its button does; a text in brackets waits for that delay. */
function walked(subject: Simulated, steps: readonly string[]): Moment[] {
  const simulation = new Simulation(subject);
  const moments = [simulation.start(subject.input)];
  for (const step of steps) {
    const now = moments.at(-1)!;
    const [choice] = choicesFor(subject, now, step);
    const move: Move = step.startsWith('(')
      ? { kind: 'wait', delay: step.slice(1, -1) }
      : { kind: 'event', event: choice!.event };
    moments.push(simulation.advance(now, move));
  }
  return moments;
}

const ROUND = [
  'connect.requested',
  'socket.opened',
  'registration.accepted',
  'socket.closed',
  'socket.released',
];
const CONNECTION = [...ROUND, '(backoffDelay)', 'socket.opened', 'registration.accepted'];

describe('a simulation', () => {
  it('walks a connection through a failure and back, with the effects and delays of each step', () => {
    const moments = walked(subjectOf('connection'), CONNECTION);
    const values = moments.map(({ snapshot }) => snapshot.value);
    const connected = { liveness: 'listening', health: 'waiting', stability: 'unproven' };
    expect(values).toEqual([
      'idle',
      { establishing: 'connecting' },
      { establishing: 'registering' },
      { connected },
      'transient_failure',
      'backoff',
      { establishing: 'reconnecting' },
      { establishing: 'registering' },
      { connected },
    ]);
    expect(moments[2]!.effects).toEqual([
      { type: 'sendRegister', payload: { epoch: 1, registrationEpoch: 1 } },
    ]);
    expect(moments[5]!.running.map(({ name }) => name)).toEqual(['backoffDelay']);
    expect(moments[6]!.nowMs).toBe(moments[5]!.running[0]!.delayMs);
    expect(moments[8]!.running.map(({ name }) => name)).toEqual([
      'silenceCheck',
      'stableAfter',
      'healthCheckInterval',
    ]);
    expect(moments.some(({ unexpected }) => unexpected)).toBe(false);
  });

  it('says why an event is impossible', () => {
    const subject = subjectOf('connection');
    const [now] = walked(subject, ['connect.requested']).slice(-1);
    const first = (type: string): Choice => choicesFor(subject, now!, type)[0]!;
    expect(first('connect.requested')).toMatchObject({
      verdict: 'ignored',
      words: 'establishing.connecting ignores it explicitly',
    });
    expect(first('socket.opened')).toMatchObject({ verdict: 'moves', words: '→ establishing.registering' });
    const guarded = setup({ guards: { never: () => false } }).createMachine({
      id: 'g',
      initial: 'a',
      states: { a: { on: { go: { guard: 'never', target: 'b' } } }, b: { on: { back: 'a' } } },
    });
    const own = { machine: guarded as AnyStateMachine, effects: {}, examples: [], input: undefined };
    const start = new Simulation(own).start(undefined);
    expect(choicesFor(own, start, 'go')).toMatchObject([
      { verdict: 'guarded', words: 'guards say no: never' },
    ]);
    expect(choicesFor(own, start, 'back')).toMatchObject([
      { verdict: 'unexpected', words: 'unexpected: a does not handle it' },
    ]);
    const after = new Simulation(own).advance(start, { kind: 'event', event: { type: 'back' } });
    expect(after.unexpected).toBe(true);
  });

  it('offers what each machine does, and nothing else, wherever a random walk leads', () => {
    for (const name of Object.keys(registry) as (keyof typeof registry)[]) {
      const subject = subjectOf(name);
      const simulation = new Simulation(subject);
      const random = new Prng(7);
      let now = simulation.start(subject.input);
      for (let step = 0; step < 30 && now.snapshot.status === 'active'; step += 1) {
        const choices = offersIn(subject, now.snapshot, now.nowMs).flatMap((offer) => offer.choices);
        for (const choice of choices) {
          const { took, unexpected } = simulation.advance(now, { kind: 'event', event: choice.event });
          const where = `${name} ${JSON.stringify([now.snapshot.value, choice])}`;
          expect(unexpected, where).toBe(choice.verdict === 'unexpected');
          if (!isPossible(choice)) expect(took[0]!.to, where).toEqual(took[0]!.from);
        }
        const possible = choices.filter((choice) => choice.verdict === 'moves');
        const delay = nextDelay(now);
        const picked = possible[Math.floor(random.fraction() * possible.length)];
        if (picked !== undefined) now = simulation.advance(now, { kind: 'event', event: picked.event });
        else if (delay !== undefined) now = simulation.advance(now, { kind: 'wait', delay });
        else break;
      }
    }
  });

  it('lets delays end in their order only, together when they are due together', () => {
    const machine = setup({}).createMachine({
      id: 'd',
      type: 'parallel',
      states: {
        x: { initial: 'a', states: { a: { after: { 100: 'b' } }, b: {} } },
        y: { initial: 'a', states: { a: { after: { 100: 'b' } }, b: { after: { 50: 'a' } } } },
        z: { initial: 'a', states: { a: { after: { 300: 'b' } }, b: {} } },
      },
    });
    const simulation = new Simulation({ machine, effects: {}, examples: [], input: undefined });
    const start = simulation.start(undefined);
    expect(nextDelay(start)).toBe('100 ms + 100 ms');
    expect(() => simulation.advance(start, { kind: 'wait', delay: '300 ms' })).toThrow(/ends first/);
    expect(() => simulation.advance(start, { kind: 'pass', delayMs: 100 })).toThrow(/100 ms are too long/);
    const half = simulation.advance(start, { kind: 'pass', delayMs: 40 });
    const both = simulation.advance(half, { kind: 'wait', delay: '100 ms + 100 ms' });
    expect([both.snapshot.value, both.nowMs, nextDelay(both)]).toEqual([
      { x: 'b', y: 'b', z: 'a' },
      100,
      '50 ms',
    ]);
  });
});

describe('a path', () => {
  it('leads to the same moments when it is made again from its link', () => {
    const subject = subjectOf('connection');
    const moments = walked(subject, CONNECTION);
    const moves = moments.flatMap(({ move }) => (move === undefined ? [] : [move]));
    const link = toLink([...moves, { kind: 'pass', delayMs: 5 }]);
    const again = new Simulation(subject).replay(subject.input, fromLink(link));
    expect(again.fault).toBeUndefined();
    expect(again.moments.slice(0, -1).map(({ snapshot }) => snapshot.value)).toEqual(
      moments.map(({ snapshot }) => snapshot.value),
    );
    const cut = new Simulation(subject).replay(subject.input, fromLink('["backoffDelay"]'));
    expect([cut.moments.length, cut.fault]).toEqual([
      1,
      'step 1: backoffDelay cannot end now: no delay runs',
    ]);
  });

  it.each([
    ['[', /cut off or mangled/],
    ['{}', /no list/],
    ['[{"kind":"event"}]', /step 1/],
    ['["a", {"type":"xstate.after.x"}]', /step 2/],
    ['[-5]', /step 1/],
  ])('in an address is refused when it is %s', (text, message) => {
    expect(() => fromLink(text)).toThrow(message);
  });

  it('is a sequence diagram whose statements no text can end', () => {
    const moments = walked(subjectOf('connection'), ROUND);
    const lines = toSequence('a; b', moments).trimEnd().split('\n');
    expect(lines[0]).toBe('sequenceDiagram');
    expect(lines).toContain('  participant m as a#59; b');
    expect(lines).toContain('  Note over m: establishing.registering');
    expect(lines).toContain('  m-->>o: openSocket {"epoch":1}');
    expect(lines.some((line) => line.includes(';') && !/#\d+;/.test(line))).toBe(false);
  });
});

describe('a path copied as a test', () => {
  const workshop = new Workshop();
  const names = Object.keys(registry) as (keyof typeof registry)[];

  beforeAll(() => {
    for (const name of names) {
      const subject = subjectOf(name);
      const simulation = new Simulation(subject);
      const random = new Prng(11);
      const moments = [simulation.start(subject.input)];
      for (let step = 0; step < 12; step += 1) {
        const now = moments.at(-1)!;
        const offers = offersIn(subject, now.snapshot, now.nowMs).flatMap(({ choices }) => choices);
        const possible = offers.filter(isPossible);
        const delay = nextDelay(now);
        const pick = Math.floor(random.fraction() * (possible.length + 2));
        const event = possible[pick]?.event;
        if (event !== undefined) moments.push(simulation.advance(now, { kind: 'event', event }));
        else if (delay !== undefined) moments.push(simulation.advance(now, { kind: 'wait', delay }));
        else if (now.snapshot.status === 'active')
          moments.push(simulation.advance(now, { kind: 'pass', delayMs: 3 }));
      }
      workshop.write(`${name}.test.ts`, toTest(subject.machine.id, subject.input, moments));
    }
    const broken = walked(subjectOf('connection'), CONNECTION);
    const text = toTest('connection', subjectOf('connection').input, broken);
    workshop.write('walk.test.ts', text);
    workshop.write('broken.test.ts', text.replace("'backoff']", "'failed']"));
    workshop.runTests();
  });
  afterAll(() => workshop[Symbol.dispose]());

  it.each([...names, 'walk'])('passes: %s', (name) => {
    const results = workshop.resultsOf(`${name}.test.ts`);
    expect(results.map(({ status, message }) => [status, message])).toEqual([['passed', '']]);
  });

  it('fails when a state in it is another one', () => {
    const [result] = workshop.resultsOf('broken.test.ts');
    expect(result!.message).toContain('leads to backoff, not to failed');
  });
});
