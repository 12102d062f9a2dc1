// One remote call, on the side that asked: queued, sent, running, and exactly one outcome.
// Invariant: it ends once; an attempt that may have been executed is sent again only when the call is idempotent.
import { assign, setup } from 'xstate';
import type { Context, EffectArgs } from './types.ts';

export interface CallInput {
  /** 1 when executing twice does no harm. */
  readonly idempotent: 0 | 1;
  /** Attempts in all, the first included; at least 1. */
  readonly attemptLimit: number;
  /** Milliseconds from the start until `timed_out`. */
  readonly deadlineMs: number;
  readonly startedAt: number;
}

interface Control {
  /** Number of the current attempt; 0 before the first. */
  readonly epoch: number;
  readonly attemptLimit: number;
  readonly idempotent: number;
}

interface Ledger {
  readonly startedAt: number;
  readonly deadlineAt: number;
  /** When the machine last changed its state by an event. */
  readonly at: number;
  readonly staleEvents: number;
}

export type CallContext = Context<Control, Ledger>;

interface OfAttempt {
  /** Number of the attempt that it speaks of. */
  readonly epoch: number;
  readonly at: number;
}

export type CallEvent =
  | { type: 'attempt.sent'; at: number }
  | { type: 'cancel.requested'; at: number }
  /** The caller's own end gives up: its link is rejected, failed or shut down. */
  | { type: 'link.ended'; at: number }
  | ({ type: 'attempt.assigned' } & OfAttempt)
  | ({ type: 'attempt.succeeded' } & OfAttempt)
  | ({ type: 'attempt.failed' } & OfAttempt)
  | ({ type: 'attempt.expired' } & OfAttempt)
  | ({ type: 'attempt.refused' } & OfAttempt)
  | ({ type: 'attempt.unstarted' } & OfAttempt)
  | ({ type: 'attempt.vanished' } & OfAttempt);

const late = {
  'attempt.assigned': { actions: 'noteStale' },
  'attempt.succeeded': { actions: 'noteStale' },
  'attempt.failed': { actions: 'noteStale' },
  'attempt.expired': { actions: 'noteStale' },
  'attempt.refused': { actions: 'noteStale' },
  'attempt.unstarted': { actions: 'noteStale' },
  'attempt.vanished': { actions: 'noteStale' },
} as const;

/** Outcomes of the attempt that is under way, wherever it has got to. */
const outcomes = {
  'attempt.succeeded': [{ guard: 'current', target: 'succeeded' }, { actions: 'noteStale' }],
  'attempt.failed': [{ guard: 'current', target: 'failed' }, { actions: 'noteStale' }],
  'attempt.expired': [{ guard: 'current', target: 'timed_out' }, { actions: 'noteStale' }],
  'attempt.refused': [{ guard: 'current', target: 'failed' }, { actions: 'noteStale' }],
  // It was not started: always safe to move.
  'attempt.unstarted': [
    { guard: 'mayMove', target: 'queued', actions: 'note' },
    { guard: 'current', target: 'lost' },
    { actions: 'noteStale' },
  ],
  // It may have been executed: only an idempotent call is tried again.
  'attempt.vanished': [
    { guard: 'mayRepeat', target: 'queued', actions: 'note' },
    { guard: 'current', target: 'lost' },
    { actions: 'noteStale' },
  ],
} as const;

export const callMachine = setup({
  types: {} as { context: CallContext; events: CallEvent; input: CallInput },
  actions: {
    // effects
    sendAttempt: () => {},
    sendCancel: () => {},
    settle: () => {},
    // assigns
    advanceEpoch: assign({
      control: ({ context: { control } }) => ({ ...control, epoch: control.epoch + 1 }),
    }),
    note: assign({ ledger: ({ context: { ledger }, event }) => ({ ...ledger, at: event.at }) }),
    noteStale: assign({
      ledger: ({ context: { ledger } }) => ({ ...ledger, staleEvents: ledger.staleEvents + 1 }),
    }),
  },
  guards: {
    current: ({ context, event }) => 'epoch' in event && event.epoch === context.control.epoch,
    mayMove: ({ context: { control }, event }) =>
      'epoch' in event && event.epoch === control.epoch && control.epoch < control.attemptLimit,
    mayRepeat: ({ context: { control }, event }) =>
      'epoch' in event &&
      event.epoch === control.epoch &&
      control.idempotent === 1 &&
      control.epoch < control.attemptLimit,
  },
  delays: {
    timeLeft: ({ context: { ledger } }) => Math.max(0, ledger.deadlineAt - ledger.at),
  },
}).createMachine({
  id: 'call',
  context: ({ input }) => ({
    control: { epoch: 0, attemptLimit: input.attemptLimit, idempotent: input.idempotent },
    ledger: {
      startedAt: input.startedAt,
      deadlineAt: input.startedAt + input.deadlineMs,
      at: input.startedAt,
      staleEvents: 0,
    },
  }),
  initial: 'queued',
  states: {
    // Wants to be sent: the link takes it when it can.
    queued: {
      entry: ['advanceEpoch', 'sendAttempt'],
      after: { timeLeft: 'timed_out' },
      on: {
        ...late,
        'attempt.sent': { target: 'sent', actions: 'note' },
        'attempt.refused': [{ guard: 'current', target: 'failed' }, { actions: 'noteStale' }],
        'cancel.requested': 'cancelled',
        'link.ended': 'lost',
      },
    },
    // The hub has it; no node does.
    sent: {
      after: { timeLeft: { target: 'timed_out', actions: 'sendCancel' } },
      on: {
        ...late,
        ...outcomes,
        'attempt.sent': {},
        'attempt.assigned': [
          { guard: 'current', target: 'running', actions: 'note' },
          { actions: 'noteStale' },
        ],
        'cancel.requested': { target: 'cancelled', actions: 'sendCancel' },
        'link.ended': 'lost',
      },
    },
    // A node has it, or is about to: it may be executing.
    running: {
      after: { timeLeft: { target: 'timed_out', actions: 'sendCancel' } },
      on: {
        ...late,
        ...outcomes,
        'attempt.sent': {},
        'attempt.assigned': {},
        'cancel.requested': { target: 'cancelled', actions: 'sendCancel' },
        'link.ended': 'lost',
      },
    },
    succeeded: { type: 'final', entry: 'settle' },
    failed: { type: 'final', entry: 'settle' },
    timed_out: { type: 'final', entry: 'settle' },
    cancelled: { type: 'final', entry: 'settle' },
    lost: { type: 'final', entry: 'settle' },
  },
});

type Args = EffectArgs<CallContext>;
const ofAttempt = ({ context: { control } }: Args) => ({ epoch: control.epoch });

export const callEffects = {
  /** Hand this attempt to the link, now or when it is connected; answer with `attempt.sent`. */
  sendAttempt: ofAttempt,
  /** Tell whoever has the attempt that nobody waits for it. */
  sendCancel: ofAttempt,
  /** Free the waiter; the state says with what. */
  settle: ofAttempt,
};

const attempt = { epoch: 1, at: 10 };

export const callExamples: readonly CallEvent[] = [
  { type: 'attempt.sent', at: 5 },
  { type: 'cancel.requested', at: 5 },
  { type: 'link.ended', at: 5 },
  { type: 'attempt.assigned', ...attempt },
  { type: 'attempt.succeeded', ...attempt },
  { type: 'attempt.failed', ...attempt },
  { type: 'attempt.expired', ...attempt },
  { type: 'attempt.refused', ...attempt },
  { type: 'attempt.unstarted', ...attempt },
  { type: 'attempt.vanished', ...attempt },
];

export const callInput: CallInput = { idempotent: 0, attemptLimit: 3, deadlineMs: 300_000, startedAt: 0 };
