// A small flat machine that uses all of the compiler's subset: exits, guarded delays, both kinds of assign, ends.
// Invariant: an effect stands on either side of an assign, so that a payload of the wrong place shows.
import { assign, setup } from 'xstate';

export interface Counter {
  control: { epoch: number };
  ledger: { at: number };
}
export type CounterEvent = { type: 'go' | 'back' | 'stay' | 'end' } | { type: 'note'; at: number };

export const counterMachine = setup({
  types: {} as { context: Counter; events: CounterEvent; input: { at: number } },
  actions: {
    leave: () => {},
    pass: () => {},
    arrive: () => {},
    finish: () => {},
    advance: assign({ control: ({ context: { control } }) => ({ epoch: control.epoch + 1 }) }),
    both: assign(({ context: { control } }) => ({ control: { epoch: 10 }, ledger: { at: control.epoch } })),
    swap: assign({
      control: ({ context }) => ({ epoch: context.ledger.at }),
      ledger: ({ context }) => ({ at: context.control.epoch }),
    }),
    note: assign({ ledger: ({ event }) => ({ at: event.type === 'note' ? event.at : -1 }) }),
  },
  guards: { early: ({ context }) => context.control.epoch < 2 },
  delays: { pause: ({ context }) => 100 * context.control.epoch },
}).createMachine({
  id: 'counter',
  context: ({ input }) => ({ control: { epoch: 0 }, ledger: { at: input.at } }),
  initial: 'here',
  states: {
    here: {
      exit: ['leave', 'advance'],
      on: {
        go: { target: 'there', actions: ['pass', 'advance', 'pass'] },
        note: { actions: 'note' },
        stay: {},
        end: { guard: 'early', target: 'over' },
      },
    },
    there: {
      entry: ['advance', 'arrive'],
      after: {
        pause: [
          { guard: 'early', actions: 'pass' },
          { target: 'here', actions: 'both' },
        ],
      },
      on: { back: { target: 'here', actions: 'swap' }, end: 'over' },
    },
    over: { type: 'final', entry: 'finish', exit: 'leave' },
  },
});
export const counterEffects = {
  leave: ({ context }: { context: Counter }) => ({ epoch: context.control.epoch }),
  pass: ({ context }: { context: Counter }) => ({ epoch: context.control.epoch }),
  arrive: ({ context }: { context: Counter }) => ({ epoch: context.control.epoch }),
  finish: () => ({}),
};

export const counterExamples: readonly CounterEvent[] = [
  { type: 'go' },
  { type: 'back' },
  { type: 'stay' },
  { type: 'end' },
  { type: 'note', at: 3 },
];
