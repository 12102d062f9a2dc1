import { assign, setup } from 'xstate';
import { describe, expect, it } from 'vitest';
import {
  check,
  defineSystem,
  model,
  type Output,
  type SystemDefinition,
} from '../../../src/checker/index.ts';
import { climber, nothing, sender, ticker, type Count } from './toys.ts';

const told = (actor: string, type: string): Output[] => [{ tell: actor, event: { type } }];

describe('a machine actor', () => {
  it('is compared without its ledger', () => {
    const system = defineSystem({ actors: { ticker: { machine: ticker('count', 3) } }, route: nothing });
    // the ledger counts on, the control saturates at 3
    expect(check(system, { maxStates: 100 })).toEqual({ states: 4, generated: 4, depth: 3, complete: true });
  });

  it('fires only the delays of the state that it is in', () => {
    const traffic = setup({
      delays: { green: 1, red: 1 },
      types: {} as { events: { type: 'broken' } },
    }).createMachine({
      initial: 'green',
      states: {
        green: { after: { green: 'red' }, on: { broken: 'dark' } },
        red: { after: { red: 'green' }, on: { broken: 'dark' } },
        dark: { on: { broken: {} } },
      },
    });
    const broken = { outputs: told('traffic', 'broken') };
    const system = defineSystem({
      actors: { traffic: { machine: traffic } },
      actions: { broken },
      route: nothing,
    });
    // green: delay, broken; red: delay, broken; dark: broken
    expect(check(system)).toEqual({ states: 3, generated: 5, depth: 1, complete: true });
  });

  it('fires no delay that is switched off, and budgeted ones as often as the budget says', () => {
    const counting = (fires: SystemDefinition['fires'], budgets = {}) =>
      check(
        defineSystem({
          actors: { ticker: { machine: ticker('count') } },
          budgets,
          route: nothing,
          ...(fires === undefined ? {} : { fires }),
        }),
      );
    expect(counting(() => false)).toMatchObject({ states: 1, complete: true });
    expect(counting((actor, delay) => `${actor} ${delay}`, { 'ticker tick': 4 })).toMatchObject({
      states: 5,
      complete: true,
    });
  });

  it('loses its state, delays and awaited answers in a crash, and starts afresh', () => {
    const worker = setup({
      types: {} as { events: { type: 'finished' } },
      actions: { work: () => {} },
      delays: { boredom: 1 },
    }).createMachine({
      initial: 'working',
      states: {
        working: { entry: 'work', on: { finished: 'idle' } },
        idle: { after: { boredom: 'working' } },
      },
    });
    const system = defineSystem({
      actors: { worker: { machine: worker } },
      route: () => [{ later: [{ event: { type: 'finished' } }], key: 'work' }],
      actions: { crash: { outputs: [{ stop: 'worker' }] }, start: { outputs: [{ start: 'worker' }] } },
    });
    const seen = new Set<string>();
    const result = check(system, {
      always: {
        collect(view) {
          const { status, leaves } = view.actor('worker');
          seen.add(`${status} ${leaves.join()}`.trim());
          return true;
        },
      },
    });
    // working (with an answer to come), idle (with a delay), stopped: nothing is left over from before a crash
    expect([result.states, [...seen].toSorted()]).toEqual([3, ['active idle', 'active working', 'stopped']]);
  });

  it('starts again from its record, when it keeps one', () => {
    const saver = setup({
      types: {} as { context: Count; input: number },
      actions: {
        add: assign({
          control: ({ context }) => ({ saved: Math.min(2, (context.control['saved'] ?? 0) + 1) }),
        }),
      },
      delays: { tick: 1 },
    }).createMachine({
      context: ({ input }) => ({ control: { saved: input }, ledger: { ticks: 0 } }),
      initial: 'saving',
      states: { saving: { after: { tick: { actions: 'add', target: 'saving', reenter: true } } } },
    });
    const input = (record: unknown) => (record as number | undefined) ?? 0;
    const record = ({ control }: Count) => control['saved'];
    const actions = { crash: { outputs: [{ stop: 'saver' }] }, start: { outputs: [{ start: 'saver' }] } };
    const kept = check(
      defineSystem({
        actors: { saver: { machine: saver, input, record: record as never } },
        actions,
        route: nothing,
      }),
    );
    const lost = check(
      defineSystem({ actors: { saver: { machine: saver, input } }, actions, route: nothing }),
    );
    // saved 0, 1, 2, and as many stopped ones; without a record all stopped ones are the same
    expect([kept.states, lost.states]).toEqual([6, 4]);
  });

  it('hears nothing any more once it is done or stopped', () => {
    const mortal = setup({ types: {} as { events: { type: 'die' } } }).createMachine({
      initial: 'alive',
      states: { alive: { on: { die: 'dead' } }, dead: { type: 'final' } },
    });
    const actions = {
      die: { outputs: told('mortal', 'die') },
      unknown: { outputs: told('absent', 'unknown') },
    };
    const actors = { mortal: { machine: mortal }, absent: { machine: mortal, started: false } };
    expect(check(defineSystem({ actors, actions, route: nothing }))).toEqual({
      states: 2,
      generated: 4,
      depth: 1,
      complete: true,
    });
  });
});

describe('an awaited answer', () => {
  const asking = (atMost: number) => {
    const curious = setup({
      types: {} as { events: { type: 'again' } | { type: 'yes' } | { type: 'no' } },
      actions: { ask: () => {} },
    }).createMachine({ on: { again: { actions: 'ask' }, yes: {}, no: {} } });
    const answers = [{ event: { type: 'yes' } }, { event: { type: 'no' } }];
    return check(
      defineSystem({
        actors: { curious: { machine: curious } },
        actions: { again: { outputs: told('curious', 'again') } },
        route: () => [{ later: answers, key: 'ask', atMost }],
      }),
    );
  };

  it('comes as each of its choices', () => {
    // no question or one; from none: again; from one: again, yes, no
    expect(asking(1)).toEqual({ states: 2, generated: 4, depth: 1, complete: true });
  });

  it('waits with at most as many of its key as allowed', () => {
    expect(asking(3)).toMatchObject({ states: 4, complete: true });
  });
});

describe('one turn', () => {
  it('tells parts in the order in which it was asked to, before anything else happens', () => {
    const heard = model<readonly string[]>({
      initial: [],
      step: (all, { type }) => ({ state: [...all, type].slice(-4) }),
    });
    const echo = model<number>({
      initial: 0,
      step: (n, { type }) => ({
        state: n,
        outputs: type === 'a' ? [...told('heard', 'a1'), ...told('heard', 'a2')] : told('heard', 'b1'),
      }),
    });
    const both = {
      outputs: [...told('echo', 'a'), ...told('heard', 'direct'), ...told('echo', 'b')],
      budget: 'once',
    };
    const system = defineSystem({
      actors: { heard, echo },
      actions: { both },
      budgets: { once: 1 },
      route: nothing,
    });
    const { violation } = check(system, {
      always: { order: (view) => view.model<string[]>('heard').length === 0 },
    });
    expect(violation?.steps[0]?.changes).toEqual([
      { part: 'heard', before: '[]', after: '["direct","a1","a2","b1"]' },
    ]);
  });

  it('that does not end is an error', () => {
    const echo = (to: string) =>
      model<number>({ initial: 0, step: (n) => ({ state: n, outputs: told(to, 'ping') }) });
    const actors = { one: echo('other'), other: echo('one') };
    const system = defineSystem({
      actors,
      actions: { start: { outputs: told('one', 'ping') } },
      route: nothing,
    });
    expect(() => check(system)).toThrow(/a turn does not end/);
  });
});

describe('a mistake in a system', () => {
  it('is named: an effect that nobody routes', () => {
    const system = defineSystem({ actors: { sender: { machine: sender } }, route: () => undefined });
    expect(() => check(system)).toThrow(/nobody routes effect 'sendFirst' of sender \(machine sender\)/);
  });

  it('is named: a part that does not exist', () => {
    const system = defineSystem({
      actors: { sender: { machine: sender } },
      route: () => told('nobody', 'hello'),
    });
    expect(() => check(system)).toThrow(/sender speaks to 'nobody', which is no actor and no channel/);
  });

  it('is named: a context that cannot be compared', () => {
    const machine = setup({ types: {} as { context: { control: object; ledger: object } } }).createMachine({
      context: { control: { later: Promise.resolve() }, ledger: {} },
    });
    const system = defineSystem({ actors: { promising: { machine } }, route: nothing });
    expect(() => check(system)).toThrow(/the context of promising\.later is not plain data/);
  });

  it('is named: a guard that throws', () => {
    const machine = setup({
      types: {} as { events: { type: 'go' } },
      guards: {
        broken: () => {
          throw new Error('out of order');
        },
      },
    }).createMachine({ id: 'gate', on: { go: { guard: 'broken' } } });
    const actions = { go: { outputs: told('gate', 'go') } };
    expect(() => check(defineSystem({ actors: { gate: { machine } }, actions, route: nothing }))).toThrow(
      /machine gate of gate failed on go/,
    );
  });

  it('is named: one name for two parts, channels that nobody reads, nobody at all', () => {
    const actors = { wire: climber(1, 1) };
    expect(() => defineSystem({ actors, channels: { wire: {} }, route: nothing })).toThrow(
      /'wire' names both an actor and a channel/,
    );
    expect(() => defineSystem({ actors, channels: { line: {} }, route: nothing })).toThrow(/needs `deliver`/);
    expect(() => defineSystem({ actors: {}, route: nothing })).toThrow(/at least one actor/);
  });
});
