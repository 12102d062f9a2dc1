// A machine as a document: the same machine when it is read back, whatever its parts are.
import fc from 'fast-check';
import { and, assign, createActor, createMachine, fromCallback, not, raise, setup } from 'xstate';
import type { AnyStateMachine } from 'xstate';
import { describe, expect, test } from 'vitest';
import { registry } from '../../../machines/index.ts';
import { toDocument, toJson, type DocumentOptions } from '../../../src/inspect/index.ts';
import { answersOf, eventsOf } from './answers.ts';
import { machines } from './arbitrary.ts';
import { ours } from './ours.ts';

function readBack(machine: AnyStateMachine, options?: DocumentOptions): AnyStateMachine {
  const config = JSON.parse(toJson(machine, options)) as never;
  return createMachine(config).provide(
    toDocument(machine).implementations as never,
  ) as unknown as AnyStateMachine;
}

describe('JSON', () => {
  test.each(ours)('of $name reads back as the same machine, in every state and for every event', (entry) => {
    const events = [...new Set([...entry.examples.map(({ type }) => type), ...eventsOf(entry.machine)])];
    const expected = answersOf(entry.machine, events);
    expect(Object.keys(expected).length).toBeGreaterThan(20);
    for (const ignores of ['hidden', 'shown'] as const) {
      expect(answersOf(readBack(entry.machine, { ignores }), events)).toEqual(expected);
    }
  });

  test.each(ours)('of $name takes the same steps to the same context', ({ machine, examples, input }) => {
    const again = readBack(machine, { input });
    const numbers = fc.array(fc.nat({ max: examples.length - 1 }), { maxLength: 12 });
    fc.assert(
      fc.property(numbers, (walk) => {
        const actors = [createActor(machine, { input }), createActor(again)];
        const [one, other] = actors.map((actor) => {
          actor.start();
          for (const n of walk) {
            if (actor.getSnapshot().status === 'active') actor.send(examples[n] as { type: string });
          }
          const { value, context } = actor.getSnapshot();
          actor.stop();
          return { value, context };
        });
        expect(other).toEqual(one);
      }),
      { numRuns: 50 },
    );
  });

  test('of random machines reads back as the same machine', () => {
    fc.assert(
      fc.property(machines, fc.constantFrom('hidden' as const, 'shown' as const), (machine, ignores) => {
        const events = [...eventsOf(machine), 'a.x', 'other'];
        expect(answersOf(readBack(machine, { ignores }), events)).toEqual(answersOf(machine, events));
      }),
      { numRuns: 300 },
    );
  });

  test('is the same text each time, its fields in one order', () => {
    const { machine, input } = registry.session;
    const text = toJson(machine, { input });
    expect(toJson(machine, { input })).toBe(text);
    expect(Object.keys(JSON.parse(text) as object)).toEqual(['id', 'context', 'initial', 'states']);
  });
});

describe('explicit ignores', () => {
  const door = createMachine({
    id: 'door',
    initial: 'open',
    on: { slam: '.open', 'sun.*': '.open' },
    states: {
      open: { on: { knock: {}, slam: {}, 'sun.rises': {}, rain: undefined, hail: [] } },
      quiet: {
        initial: 'a',
        on: { knock: {} },
        states: { a: { on: { knock: {} } }, b: { on: { '*': {} } } },
      },
      picky: { on: { '*': { actions: 'shout' }, knock: {} } },
    },
  }) as unknown as AnyStateMachine;
  const on = (ignores: 'hidden' | 'shown', state: string): unknown =>
    toDocument(door, { ignores }).document.states?.[state]?.on;

  test('are hidden unless asked for, except where they keep an outer state or a wildcard from the event', () => {
    expect(on('hidden', 'open')).toEqual({ slam: {}, 'sun.rises': {}, hail: [] });
    expect(on('shown', 'open')).toEqual({ knock: {}, slam: {}, 'sun.rises': {}, rain: {}, hail: [] });
    expect(on('hidden', 'quiet')).toBe(undefined);
    expect(on('hidden', 'picky')).toEqual({ '*': { actions: 'shout' }, knock: {} });
    const { states } = toDocument(door).document;
    expect(states?.['quiet']?.states).toEqual({ a: {}, b: { on: { '*': {} } } });
  });

  test('of any event stay where an outer state waits for a timer or an actor', () => {
    const waiting = createMachine({
      initial: 'a',
      states: { a: { after: { 1000: 'b' }, initial: 'c', states: { c: { on: { '*': {} } } } }, b: {} },
    }) as unknown as AnyStateMachine;
    expect(toDocument(waiting).document.states?.['a']?.states).toEqual({ c: { on: { '*': {} } } });
    const events = eventsOf(waiting);
    expect(answersOf(readBack(waiting), events)).toEqual(answersOf(waiting, events));
  });

  test('that are dropped everywhere change the machine, and the comparison sees it', () => {
    const broken = JSON.parse(toJson(door)) as { states: { open: { on: Record<string, unknown> } } };
    delete broken.states.open.on['slam'];
    const again = createMachine(broken as never) as unknown as AnyStateMachine;
    expect(answersOf(again, ['slam'])).not.toEqual(answersOf(door, ['slam']));
    expect(answersOf(readBack(door), ['slam'])).toEqual(answersOf(door, ['slam']));
  });
});

describe('what has no name', () => {
  const isRich = ({ context }: { context: { coins: number } }) => context.coins > 2;
  const shop = setup({
    types: { context: {} as { coins: number }, events: {} as { type: 'coin' } | { type: 'buy' } },
    actions: { pay: (_, _params: { price: number }) => {} },
    guards: {
      isOpen: () => true,
      has: ({ context }, params: { coins: number }) => context.coins >= params.coins,
    },
  }).createMachine({
    id: 'shop',
    context: ({ input }) => ({ coins: (input as { coins: number }).coins }),
    initial: 'idle',
    states: {
      idle: {
        on: {
          coin: [
            {
              guard: and(['isOpen', not(isRich)]),
              actions: assign({ coins: ({ context }) => context.coins + 1 }),
            },
            { guard: isRich, actions: [raise({ type: 'buy' }), () => {}, () => {}] },
          ],
          buy: {
            guard: { type: 'has', params: { coins: 1 } },
            target: 'sold',
            actions: { type: 'pay', params: ({ context }) => ({ price: context.coins }) },
          },
        },
      },
      sold: {
        invoke: {
          id: 'till',
          src: fromCallback(() => {}),
          input: ({ context }: { context: unknown }) => context,
        } as never,
      },
    },
  }) as unknown as AnyStateMachine;

  test('gets a name that says what and where it is', () => {
    const idle = toDocument(shop, { input: { coins: 1 } }).document.states?.['idle'];
    expect(idle?.on).toEqual({
      coin: [
        { guard: 'and(isOpen, not(isRich))', actions: 'assign in idle' },
        { guard: 'isRich', actions: ['raise buy', 'inline in idle', 'inline in idle (2)'] },
      ],
      buy: { target: 'sold', guard: { type: 'has', params: { coins: 1 } }, actions: 'pay in idle' },
    });
  });

  test('is what it was when the document is read back with its implementations', () => {
    const actor = createActor(readBack(shop, { input: { coins: 1 } })).start();
    actor.send({ type: 'coin' });
    actor.send({ type: 'coin' });
    expect(actor.getSnapshot()).toMatchObject({ value: 'idle', context: { coins: 3 } });
    actor.send({ type: 'coin' });
    expect(actor.getSnapshot().value).toBe('sold');
    actor.stop();
  });

  test('and no value either is left out, and said', () => {
    expect(toDocument(shop, { input: { coins: 1 } }).leftOut).toEqual([
      'the input of actor in sold in sold (a function computes it)',
    ]);
    expect(toDocument(shop).leftOut[0]).toMatch(/^the context at the start \(it needs another input: /);
    expect(toDocument(shop).document).not.toHaveProperty('context');
  });
});
