// The table compiler refuses what it cannot run exactly as XState would, and says where and what to do instead.
import { and, assign, createMachine, enqueueActions, raise, sendTo, setup, spawnChild } from 'xstate';
import { describe, expect, it } from 'vitest';
import { connectionEffects, connectionMachine } from '../../../machines/index.ts';
import { compile } from '../../../src/engine/index.ts';

const rows = () => ({ control: { epoch: 0 }, ledger: { at: 0 } });

/** A flat machine `door`, with one part of its config replaced. */
function door(config: object, implementations: object = {}) {
  return createMachine(
    {
      id: 'door',
      context: rows,
      initial: 'open',
      states: { open: { on: { shut: 'closed' } }, closed: {} },
      ...config,
    } as never,
    implementations as never,
  );
}
const inOpen = (open: object, implementations: object = {}) =>
  door({ states: { open, closed: {} } }, implementations);

function refusal(machine: unknown, effects: object = {}, performers: object = {}): string {
  try {
    compile(machine as never, effects as never, performers as never);
  } catch (error) {
    return (error as Error).message;
  }
  return 'compiled';
}

const shut = (transition: object) => ({ on: { shut: transition } });

describe('the compiler', () => {
  it('compiles the machine that the refused ones are variants of', () => {
    expect(refusal(door({}))).toBe('compiled');
  });

  it.each<[string, unknown, string, string]>([
    ['nested states', inOpen({ initial: 'a', states: { a: {} } }), 'open', 'flatten the states'],
    ['type: parallel', inOpen({ type: 'parallel', states: { a: {}, b: {} } }), 'open', 'flatten the states'],
    [
      'type: parallel',
      door({ type: 'parallel', initial: undefined, states: { a: {}, b: {} } }),
      '(root)',
      'as an XState actor',
    ],
    [
      'type: history',
      door({ states: { open: {}, closed: {}, before: { type: 'history' } } }),
      'before',
      'flatten the states',
    ],
    ['invoke', inOpen({ invoke: { src: 'work' } }), 'open', 'name an effect that starts the work'],
    ['always', inOpen({ always: 'closed' }), 'open', 'by guards in the transitions'],
    ['wildcard *', inOpen({ on: { '*': 'closed' } }), 'open', 'name each event'],
    ['wildcard door.*', inOpen({ on: { 'door.*': 'closed' } }), 'open', 'name each event'],
    ['on', door({ on: { slam: '.closed' } }), '(root)', 'into each state'],
    ['after', door({ after: { pause: '.closed' } }), '(root)', 'into each state'],
    ['entry', door({ entry: 'ring' }), '(root)', 'as an XState actor'],
    [
      'output',
      door({ states: { open: { type: 'final', output: {} } } }),
      'open',
      'an effect of the final state',
    ],
    [
      'more than one after (pause, rest)',
      inOpen({ after: { pause: 'closed', rest: 'closed' } }),
      'open',
      'split the state',
    ],
    ['after 500 in milliseconds', inOpen({ after: { 500: 'closed' } }), 'open', 'setup({ delays })'],
    ['delay pause that does not exist', inOpen({ after: { pause: 'closed' } }), 'open', 'setup({ delays })'],
    ['inline action', inOpen({ entry: () => {} }), 'open', 'setup({ actions })'],
    ['inline action', inOpen({ exit: [assign({})] }), 'open', 'setup({ actions })'],
    ['inline action', inOpen(shut({ actions: () => {} })), 'open', 'setup({ actions })'],
    ['action with parameters', inOpen({ entry: { type: 'ring', params: {} } }), 'open', 'setup({ actions })'],
    [
      'inline guard on shut',
      inOpen(shut({ guard: () => true, target: 'closed' })),
      'open',
      'setup({ guards })',
    ],
    [
      'guard with parameters on shut',
      inOpen(shut({ guard: { type: 'may' }, target: 'closed' })),
      'open',
      'setup({ guards })',
    ],
    [
      'guard may that does not exist',
      inOpen(shut({ guard: 'may', target: 'closed' })),
      'open',
      'setup({ guards })',
    ],
    [
      'composed guard may',
      inOpen(shut({ guard: 'may' }), { guards: { may: and([]) } }),
      'open',
      'as one function',
    ],
    ['reenter on shut', inOpen(shut({ target: 'open', reenter: true })), 'open', 'through another state'],
    [
      'transitions of a final state',
      inOpen({ type: 'final', on: { shut: 'closed' } }),
      'open',
      'nothing happens after the end',
    ],
    [
      'action ring that is neither an effect nor an assign',
      inOpen({ entry: 'ring' }),
      'open',
      'add it to the effects',
    ],
    [
      'action ring of type xstate.raise',
      inOpen({ entry: 'ring' }, { actions: { ring: raise({ type: 'x' }) } }),
      'open',
      'name an effect',
    ],
    [
      'action ring of type xstate.sendTo',
      inOpen({ entry: 'ring' }, { actions: { ring: sendTo('x', { type: 'x' }) } }),
      'open',
      'name an effect',
    ],
    [
      'action ring of type xstate.spawnChild',
      inOpen({ entry: 'ring' }, { actions: { ring: spawnChild('x') } }),
      'open',
      'name an effect',
    ],
    [
      'action ring of type xstate.enqueueActions',
      inOpen({ entry: 'ring' }, { actions: { ring: enqueueActions(() => {}) } }),
      'open',
      'name an effect',
    ],
    [
      'assign note to context.extra',
      inOpen({ entry: 'note' }, { actions: { note: assign({ extra: 1 } as never) } }),
      'open',
      'in control or ledger',
    ],
  ])('refuses %s, and names machine, state and remedy', (feature, machine, state, remedy) => {
    const message = refusal(machine);
    expect(message).toContain(
      `cannot compile machine door, state ${state}: ${feature} is outside the subset; `,
    );
    expect(message.split('; ')[1]).toContain(remedy);
  });

  it('refuses a machine of our own that is not flat', () => {
    expect(refusal(connectionMachine, connectionEffects, connectionEffects)).toContain(
      'machine connection, state establishing: nested states',
    );
  });

  it('refuses an effect without a performer', () => {
    const machine = inOpen({ entry: 'ring' }, { actions: { ring: () => {} } });
    const message = refusal(machine, { ring: () => ({}) }, {});
    expect(message).toContain('effect ring without a performer');
    expect(message).toContain('give performers.ring');
  });

  it('refuses spawn in an assigner when it is called', () => {
    const note = assign(({ spawn }) => void spawn('x' as never) as never);
    const table = compile(inOpen({ entry: 'note' }, { actions: { note } }) as never, {}, {});
    expect(() => table.start(rows() as never)).toThrow(
      'machine door, state (any): spawn is outside the subset',
    );
  });

  it.each(['self', 'system'])('refuses %s in a guard when it is read', (property) => {
    const may = (args: Record<string, unknown>) => args[property] !== undefined;
    const table = compile(inOpen(shut({ guard: 'may' }), { guards: { may } }) as never, {}, {});
    const actor = table.start(rows() as never);
    expect(() => table.send(actor, { type: 'shut' } as never)).toThrow(
      `${property} is outside the subset; let a performer do it`,
    );
  });

  it('refuses a delay that reads the event: nobody keeps it', () => {
    const pause = ({ event }: { event: { type: string } }) => event.type.length;
    const table = compile(inOpen({ after: { pause: 'closed' } }, { delays: { pause } }) as never, {}, {});
    const actor = table.start(rows() as never);
    expect(() => table.delayMs(actor)).toThrow('a delay that reads the event is outside the subset');
  });

  it.each<[string, object]>([
    ['string in ledger.name', { control: {}, ledger: { name: 'x' } }],
    ['object in control.members', { control: { members: [] }, ledger: {} }],
    ['boolean in control.open', { control: { open: true }, ledger: {} }],
    ['undefined in ledger.at', { control: {}, ledger: { at: undefined } }],
    ['context.extra', { control: {}, ledger: {}, extra: 1 }],
    ['context without ledger', { control: {} }],
    ['context without control', { ledger: {} }],
  ])('refuses a context with %s when it is made', (feature, context) => {
    const table = compile(door({ context: () => context }) as never, {}, {});
    expect(() => table.initialContext(undefined as never)).toThrow(
      `state (context): ${feature} is outside the subset`,
    );
  });
});

describe('the types of the compiler', () => {
  const machine = setup({
    types: {} as {
      context: { control: { epoch: number }; ledger: { at: number } };
      events: { type: 'shut' };
    },
    actions: { ring: () => {} },
  }).createMachine({ id: 'bell', context: rows, initial: 'open', states: { open: { entry: 'ring' } } });
  const effects = { ring: () => ({}) };

  it('demand a performer for every effect', () => {
    // @ts-expect-error there is no performer for `ring`
    expect(() => compile(machine, effects, {})).toThrow('effect ring without a performer');
  });

  it('demand a context of numbers', () => {
    // @ts-expect-error the connection's ledger holds text and objects
    expect(() => compile(connectionMachine, connectionEffects, connectionEffects)).toThrow('nested states');
  });

  it('know the events, and the fields that a row must have', () => {
    interface Row {
      state: number;
      context: { control: { epoch: number }; ledger: { at: number } };
      rung: number;
    }
    const table = compile(machine, effects, { ring: (row: Row) => void (row.rung += 1) });
    const row: Row = { state: 0, context: table.initialContext(undefined as never), rung: 0 };
    table.enter(row);
    expect(row.rung).toBe(1);
    expect(table.send(row, { type: 'shut' })).toBe(2);
    // @ts-expect-error no such event
    expect(table.send(row, { type: 'slam' })).toBe(2);
    // @ts-expect-error an actor without the row's own fields cannot be given to the performers
    expect(table.start(rows()).state).toBe(0);
  });
});
