// One write on its way into the store: queued for the engine, submitted to it, and exactly one outcome.
// Invariant: it ends once; a write that was withdrawn from the queue is never applied.
import { assign, setup } from 'xstate';
import type { Context, EffectArgs } from './types.ts';

export interface ProposalInput {
  /** Milliseconds from the start within which the engine must take it: getting in. */
  readonly proposeTimeoutMs: number;
  /** Milliseconds within which the engine must answer once it has it: getting done. */
  readonly applyTimeoutMs: number;
  readonly startedAt: number;
}

interface Control {
  /** Number of the current submission; each time that the engine gives it back there is another. */
  readonly epoch: number;
}

interface Ledger {
  readonly startedAt: number;
  readonly proposeDeadlineAt: number;
  readonly applyTimeoutMs: number;
  /** When the machine last changed its state by an event. */
  readonly at: number;
  readonly staleEvents: number;
}

export type ProposalContext = Context<Control, Ledger>;

interface OfSubmission {
  /** Number of the submission that it speaks of. */
  readonly epoch: number;
  readonly at: number;
}

export type ProposalEvent =
  | { type: 'cancel.requested'; at: number }
  /** The engine was stopped or has failed: it takes nothing more, and answers nothing more. */
  | { type: 'engine.ended'; at: number }
  | ({ type: 'submission.taken' } & OfSubmission)
  | ({ type: 'submission.applied' } & OfSubmission)
  /** The engine refused it, for good: nothing of it was applied. */
  | ({ type: 'submission.rejected' } & OfSubmission)
  /** The engine could not begin it: nothing of it was applied, and it may be tried again. */
  | ({ type: 'submission.returned' } & OfSubmission)
  /** The engine does not know what became of it. */
  | ({ type: 'submission.vanished' } & OfSubmission);

const late = {
  'submission.taken': { actions: 'noteStale' },
  'submission.applied': { actions: 'noteStale' },
  'submission.rejected': { actions: 'noteStale' },
  'submission.returned': { actions: 'noteStale' },
  'submission.vanished': { actions: 'noteStale' },
} as const;

export const proposalMachine = setup({
  types: {} as { context: ProposalContext; events: ProposalEvent; input: ProposalInput },
  actions: {
    // effects
    enqueue: () => {},
    withdraw: () => {},
    abandon: () => {},
    settle: () => {},
    // assigns
    advanceEpoch: assign({
      control: ({ context: { control } }) => ({ epoch: control.epoch + 1 }),
    }),
    note: assign({ ledger: ({ context: { ledger }, event }) => ({ ...ledger, at: event.at }) }),
    noteStale: assign({
      ledger: ({ context: { ledger } }) => ({ ...ledger, staleEvents: ledger.staleEvents + 1 }),
    }),
  },
  guards: {
    current: ({ context, event }) => 'epoch' in event && event.epoch === context.control.epoch,
  },
  delays: {
    proposeTimeLeft: ({ context: { ledger } }) => Math.max(0, ledger.proposeDeadlineAt - ledger.at),
    applyTimeout: ({ context: { ledger } }) => ledger.applyTimeoutMs,
  },
}).createMachine({
  id: 'proposal',
  context: ({ input }) => ({
    control: { epoch: 0 },
    ledger: {
      startedAt: input.startedAt,
      proposeDeadlineAt: input.startedAt + input.proposeTimeoutMs,
      applyTimeoutMs: input.applyTimeoutMs,
      at: input.startedAt,
      staleEvents: 0,
    },
  }),
  initial: 'queued',
  states: {
    // The engine does not have it. Whatever ends it here takes it out of the queue first, so it was not started.
    queued: {
      entry: ['advanceEpoch', 'enqueue'],
      after: { proposeTimeLeft: { target: 'timed_out', actions: 'withdraw' } },
      on: {
        ...late,
        'submission.taken': [
          { guard: 'current', target: 'submitted', actions: 'note' },
          { actions: 'noteStale' },
        ],
        'cancel.requested': { target: 'cancelled', actions: 'withdraw' },
        'engine.ended': { target: 'lost', actions: 'withdraw' },
      },
    },
    // The engine has it. Whatever but an answer ends it here leaves unknown whether it was, or will be, applied.
    submitted: {
      after: { applyTimeout: { target: 'timed_out', actions: 'abandon' } },
      on: {
        ...late,
        'submission.applied': [{ guard: 'current', target: 'succeeded' }, { actions: 'noteStale' }],
        'submission.rejected': [{ guard: 'current', target: 'failed' }, { actions: 'noteStale' }],
        'submission.returned': [
          { guard: 'current', target: 'queued', actions: 'note' },
          { actions: 'noteStale' },
        ],
        'submission.vanished': [{ guard: 'current', target: 'lost' }, { actions: 'noteStale' }],
        'cancel.requested': { target: 'cancelled', actions: 'abandon' },
        'engine.ended': 'lost',
      },
    },
    succeeded: { type: 'final', entry: 'settle' },
    failed: { type: 'final', entry: 'settle' },
    timed_out: { type: 'final', entry: 'settle' },
    cancelled: { type: 'final', entry: 'settle' },
    lost: { type: 'final', entry: 'settle' },
  },
});

type Args = EffectArgs<ProposalContext>;
const ofSubmission = ({ context: { control } }: Args) => ({ epoch: control.epoch });

export const proposalEffects = {
  /** Queue it; when the engine takes it, say so with `submission.taken`, in the turn in which the engine gets it. */
  enqueue: ofSubmission,
  /** Take it out of the queue: the engine must never get it. Then its outcome is `notStarted`. */
  withdraw: ofSubmission,
  /** Tell the engine that nobody waits; it may still be applied. */
  abandon: ofSubmission,
  /**
   * Free the waiter; the state says with what. Unless it succeeded or failed, it was `notStarted` after `withdraw` and
   * is `unknown` otherwise.
   */
  settle: ofSubmission,
};

const submission = { epoch: 1, at: 10 };

export const proposalExamples: readonly ProposalEvent[] = [
  { type: 'cancel.requested', at: 5 },
  { type: 'engine.ended', at: 5 },
  { type: 'submission.taken', ...submission },
  { type: 'submission.applied', ...submission },
  { type: 'submission.rejected', ...submission },
  { type: 'submission.returned', ...submission },
  { type: 'submission.vanished', ...submission },
];

export const proposalInput: ProposalInput = {
  proposeTimeoutMs: 30_000,
  applyTimeoutMs: 30_000,
  startedAt: 0,
};
