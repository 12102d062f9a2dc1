// One call, on the node that runs it: queued, running, and one outcome that is kept until it is acknowledged.
// Invariant: the function is started at most once, and the outcome never changes.
import { assign, setup } from 'xstate';
import type { Context, EffectArgs } from './types.ts';

export interface ExecutionInput {
  /** Milliseconds that were left of the caller's deadline when the call arrived. */
  readonly deadlineMs: number;
  readonly acceptedAt: number;
}

// Nothing that guards read: a call is executed once, so there is nothing to fence.
type Control = Readonly<Record<string, never>>;

interface Ledger {
  readonly acceptedAt: number;
  readonly deadlineAt: number;
  readonly at: number;
}

export type ExecutionContext = Context<Control, Ledger>;

export type ExecutionEvent =
  | { type: 'slot.granted'; at: number }
  | { type: 'function.returned'; at: number }
  | { type: 'function.threw'; at: number }
  | { type: 'cancel.requested'; at: number }
  | { type: 'result.acknowledged'; at: number }
  /** The hub session or the memory for results ran out. */
  | { type: 'result.evicted'; at: number };

export const executionMachine = setup({
  types: {} as { context: ExecutionContext; events: ExecutionEvent; input: ExecutionInput },
  actions: {
    // effects
    startFunction: () => {},
    abortFunction: () => {},
    sendOutcome: () => {},
    forget: () => {},
    // assigns
    note: assign({ ledger: ({ context: { ledger }, event }) => ({ ...ledger, at: event.at }) }),
  },
  delays: {
    timeLeft: ({ context: { ledger } }) => Math.max(0, ledger.deadlineAt - ledger.at),
  },
}).createMachine({
  id: 'execution',
  context: ({ input }) => ({
    control: {},
    ledger: {
      acceptedAt: input.acceptedAt,
      deadlineAt: input.acceptedAt + input.deadlineMs,
      at: input.acceptedAt,
    },
  }),
  initial: 'queued',
  states: {
    queued: {
      after: { timeLeft: 'timed_out' },
      on: {
        'slot.granted': { target: 'running', actions: 'note' },
        'cancel.requested': 'cancelled',
        'function.returned': {},
        'function.threw': {},
        'result.acknowledged': 'forgotten',
        'result.evicted': 'forgotten',
      },
    },
    running: {
      entry: 'startFunction',
      after: { timeLeft: { target: 'timed_out', actions: 'abortFunction' } },
      on: {
        'slot.granted': {},
        'function.returned': { target: 'succeeded', actions: 'note' },
        'function.threw': { target: 'failed', actions: 'note' },
        'cancel.requested': { target: 'cancelled', actions: 'abortFunction' },
        // Nobody waits any more.
        'result.acknowledged': { target: 'forgotten', actions: 'abortFunction' },
        'result.evicted': { target: 'forgotten', actions: 'abortFunction' },
      },
    },
    succeeded: {
      entry: 'sendOutcome',
      on: {
        'slot.granted': {},
        'function.returned': {},
        'function.threw': {},
        'cancel.requested': {},
        'result.acknowledged': 'forgotten',
        'result.evicted': 'forgotten',
      },
    },
    failed: {
      entry: 'sendOutcome',
      on: {
        'slot.granted': {},
        'function.returned': {},
        'function.threw': {},
        'cancel.requested': {},
        'result.acknowledged': 'forgotten',
        'result.evicted': 'forgotten',
      },
    },
    timed_out: {
      entry: 'sendOutcome',
      on: {
        'slot.granted': {},
        'function.returned': {},
        'function.threw': {},
        'cancel.requested': {},
        'result.acknowledged': 'forgotten',
        'result.evicted': 'forgotten',
      },
    },
    cancelled: {
      entry: 'sendOutcome',
      on: {
        'slot.granted': {},
        'function.returned': {},
        'function.threw': {},
        'cancel.requested': {},
        'result.acknowledged': 'forgotten',
        'result.evicted': 'forgotten',
      },
    },
    forgotten: { type: 'final', entry: 'forget' },
  },
});

type Args = EffectArgs<ExecutionContext>;
const nothing = (_: Args) => ({});

export const executionEffects = {
  /** Call the function; answer with `function.returned` or `function.threw`. */
  startFunction: nothing,
  /** Abort its signal. What it answers afterwards is dropped. */
  abortFunction: nothing,
  /** Send the outcome (the state says which) and keep it for those who ask again. */
  sendOutcome: nothing,
  forget: nothing,
};

export const executionExamples: readonly ExecutionEvent[] = [
  { type: 'slot.granted', at: 5 },
  { type: 'function.returned', at: 10 },
  { type: 'function.threw', at: 10 },
  { type: 'cancel.requested', at: 10 },
  { type: 'result.acknowledged', at: 20 },
  { type: 'result.evicted', at: 20 },
];

export const executionInput: ExecutionInput = { deadlineMs: 300_000, acceptedAt: 0 };
