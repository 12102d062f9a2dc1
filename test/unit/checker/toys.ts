// Tiny machines and systems whose states can be counted by hand.
// Invariant: each says in its comment what it does, so that a count can be checked by reading.
import { assign, setup } from 'xstate';
import {
  defineSystem,
  model,
  type Channel,
  type CheckOptions,
  type Message,
  type SystemDefinition,
} from '../../../src/checker/index.ts';

/** Sends `first` and `second` when it starts, then does nothing. */
export const sender = setup({ actions: { sendFirst: () => {}, sendSecond: () => {} } }).createMachine({
  id: 'sender',
  entry: ['sendFirst', 'sendSecond'],
  initial: 'idle',
  states: { idle: {} },
});

/** Keeps what it hears, in order. */
export const listener = model<readonly string[]>({
  initial: [],
  step: (heard, { type }) => ({ state: [...heard, type] }),
});

/** `sender` → channel `wire` → `listener`. */
export const twoMessages = (wire: Channel, budgets: Record<string, number> = {}): SystemDefinition =>
  defineSystem({
    actors: { sender: { machine: sender }, listener },
    channels: { wire },
    budgets,
    route: (_, { type }) => [{ send: { type: type === 'sendFirst' ? 'first' : 'second' }, on: 'wire' }],
    deliver: (_, message) => [{ to: 'listener', event: message }],
  });

/** Asks, and waits for the answer; with `patience` it asks again whenever that runs out. */
export const asker = (patience: 'patient' | 'for ever') =>
  setup({
    types: {} as { events: { type: 'answer' } },
    actions: { ask: () => {} },
    delays: { patience: 10 },
  }).createMachine({
    id: 'asker',
    initial: 'asking',
    states: {
      asking: {
        entry: 'ask',
        on: { answer: 'done' },
        ...(patience === 'patient' ? { after: { patience: { target: 'asking', reenter: true } } } : {}),
      },
      done: { type: 'final' },
    },
  });

/** Answers every question. */
export const answerer = setup({
  types: {} as { events: { type: 'question' } },
  actions: { answer: () => {} },
}).createMachine({ id: 'answerer', on: { question: { actions: 'answer' } } });

/** `asker` and `answerer` over one channel each way. */
export const dialogue = (patience: 'patient' | 'for ever', channel: Channel): SystemDefinition =>
  defineSystem({
    actors: { asker: { machine: asker(patience) }, answerer: { machine: answerer } },
    channels: { there: channel, back: channel },
    route: (actor) =>
      actor === 'asker'
        ? [{ send: { type: 'question' }, on: 'there' }]
        : [{ send: { type: 'answer' }, on: 'back' }],
    deliver: (channel_, message) => [{ to: channel_ === 'there' ? 'answerer' : 'asker', event: message }],
  });

export interface Count {
  readonly control: Readonly<Record<string, number>>;
  readonly ledger: { readonly ticks: number };
}

/** Counts its own ticks in `control`, under the name `field`, and in the ledger. */
export const ticker = (field: string, limit = Infinity) =>
  setup({
    types: {} as { context: Count },
    actions: {
      advance: assign({
        control: ({ context }) => ({ [field]: Math.min(limit, (context.control[field] ?? 0) + 1) }),
        ledger: ({ context }) => ({ ticks: context.ledger.ticks + 1 }),
      }),
      announce: () => {},
    },
    delays: { tick: 1 },
  }).createMachine({
    id: 'ticker',
    context: { control: { [field]: 0 }, ledger: { ticks: 0 } },
    initial: 'ticking',
    states: {
      ticking: { after: { tick: { target: 'ticking', reenter: true, actions: ['advance', 'announce'] } } },
    },
  });

/** The effect `announce` of `ticker`, with the count. */
export const announced = { announce: ({ context }: { context: Count }) => ({ ...context.control }) };

export const nothing: SystemDefinition['route'] = () => [];

/** A model that goes from 0 to `top` by ones or, once, by a jump of `leap`. */
export const climber = (top: number, leap: number) =>
  model<number>({
    initial: 0,
    step: (height, event: Message) => ({ state: height + (event['by'] as number) }),
    choices: (height) =>
      [1, leap]
        .filter((by) => height + by <= top)
        .map((by) => ({ event: { type: 'climb', by }, label: `climb ${by}` })),
  });

/** Of `names` one holds a token. It passes it on; `others`: what those without it may do by themselves. */
export const tokenRing = (names: readonly string[], others: 'finish' | 'nothing') => {
  const actor = (name: string) =>
    model<'holds' | 'waits' | 'done'>({
      initial: name === names[0] ? 'holds' : 'waits',
      step: (state, { type }) => {
        if (type === 'finish') return { state: 'done' };
        if (type === 'take') return { state: state === 'done' ? 'done' : 'holds' };
        return { state: 'waits' };
      },
      choices(state) {
        if (state === 'waits') return others === 'finish' ? [{ event: { type: 'finish' } }] : [];
        if (state === 'done') return [];
        const rest = names.filter((other) => other !== name);
        return rest.map((to) => ({ to: 'hand', event: { type: 'pass', from: name, to } }));
      },
    });
  const hand = model<0>({
    initial: 0,
    step: (state, { from, to }) => ({
      state,
      outputs: [
        { tell: from as string, event: { type: 'give' } },
        { tell: to as string, event: { type: 'take' } },
      ],
    }),
  });
  return defineSystem({
    actors: { ...Object.fromEntries(names.map((name) => [name, actor(name)])), hand },
    route: nothing,
    symmetry: [names],
  });
};
export const someoneIsDone = (names: readonly string[]): CheckOptions => ({
  eventually: { 'someone is done': (view) => names.some((name) => view.model(name) === 'done') },
});
