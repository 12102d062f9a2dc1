// Logs of actors that XState runs without us: they conform like those of our own system.
import { describe, expect, it } from 'vitest';
import { assign, createActor, fromPromise, setup, waitFor, type AnyStateMachine } from 'xstate';
import { inspectTransitions } from '../../../src/actors/index.ts';
import { transitionLine, type TransitionRecord } from '../../../src/engine/transition-record.ts';
import { conform } from '../../../src/testing/index.ts';

const payment = setup({
  types: {} as { context: { readonly cents: number }; input: { readonly cents: number } },
  actors: { charge: fromPromise(async ({ input }: { input: number }) => `paid ${input}`) },
}).createMachine({
  id: 'payment',
  context: ({ input }) => input,
  initial: 'charging',
  states: {
    charging: { invoke: { src: 'charge', input: ({ context }) => context.cents, onDone: 'paid' } },
    paid: { type: 'final' },
  },
});

const order = setup({
  types: {} as {
    context: { readonly cents: number };
    events: { type: 'added'; cents: number } | { type: 'closed' };
  },
  actors: { payment },
  actions: {
    add: assign({ cents: ({ context, event }) => context.cents + ('cents' in event ? event.cents : 0) }),
  },
}).createMachine({
  id: 'order',
  context: { cents: 0 },
  initial: 'open',
  states: {
    open: { on: { added: { actions: 'add' }, closed: 'paying' } },
    paying: { invoke: { id: 'payment', src: 'payment', input: ({ context }) => context, onDone: 'done' } },
    done: { type: 'final' },
  },
});

const machines: AnyStateMachine[] = [order, payment];

describe('the log of an actor that XState runs', () => {
  it('holds the machines that it invokes too, and conforms', async () => {
    const lines: string[] = [];
    let at = 0;
    const sink = (record: TransitionRecord) => void lines.push(transitionLine(record));
    const inspect = inspectTransitions(sink, { now: () => (at += 1), run: 'r1' });
    const actor = createActor(order, { id: 'order-1', inspect }).start();
    for (const cents of [250, 100]) actor.send({ type: 'added', cents });
    actor.send({ type: 'closed' });
    await waitFor(actor, ({ status }) => status === 'done');
    const records = lines.map((line) => JSON.parse(line) as TransitionRecord);
    expect(records.map(({ actor: id, seq, event, to }) => [id, seq, event.type, to])).toEqual(
      expect.arrayContaining([
        ['order-1', 1, 'xstate.init', 'open'],
        ['order-1', 3, 'added', 'open'],
        ['order-1', 4, 'closed', 'paying'],
        ['order-1/payment', 1, 'xstate.init', 'charging'],
        ['order-1/payment', 2, 'xstate.done.actor.0.payment.charging', 'paid'],
        ['order-1', 5, 'xstate.done.actor.payment', 'done'],
      ]),
    );
    expect(conform(lines, { machines })).toMatchObject({
      impossible: [],
      gaps: [],
      unreadable: [],
      checked: 7,
      actors: 2,
    });
    const forged = lines.map((line) => line.replace('"cents":100', '"cents":900'));
    expect(conform(forged, { machines }).impossible).toMatchObject([
      {
        line: 3,
        actor: 'order-1',
        what: expect.stringContaining('makes context.cents 1150, and the line says 350'),
      },
    ]);
  });

  it('says that it was stopped, and that it crashed of an actor that it invoked', async () => {
    const lines: string[] = [];
    const inspect = inspectTransitions((record) => void lines.push(transitionLine(record)), { now: () => 0 });
    createActor(order, { id: 'stopped', inspect }).start().stop();
    const charge = fromPromise<string, number>(async () => Promise.reject(new Error('no money')));
    const crashed = createActor(payment.provide({ actors: { charge } }), {
      id: 'crashed',
      inspect,
      input: { cents: 1 },
    });
    const failed = new Promise((error) => crashed.subscribe({ error }));
    crashed.start();
    await failed;
    expect(lines.map((line) => JSON.parse(line) as TransitionRecord)).toMatchObject([
      { actor: 'stopped', seq: 1, to: 'open' },
      {
        actor: 'stopped',
        seq: 2,
        event: { type: 'xstate.stop' },
        from: 'open',
        to: 'open',
        status: 'stopped',
      },
      { actor: 'crashed', seq: 1, to: 'charging', input: { cents: 1 } },
      {
        actor: 'crashed',
        seq: 2,
        event: { type: 'xstate.error.actor.0.payment.charging' },
        to: 'charging',
        status: 'error',
        error: 'Error: no money',
      },
    ]);
    expect(conform(lines, { machines })).toMatchObject({ impossible: [], checked: 4 });
  });
});
