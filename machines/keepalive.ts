// One lease, at its holder: keepalives sent and acknowledged, and the moment from which it no longer counts as held.
// Invariant: it is held only until the send time of the last acknowledged keepalive + TTL − margin, on one clock.
import { assign, setup } from 'xstate';
import type { Context, EffectArgs } from './types.ts';

/** Durations, in milliseconds, that a holder waits by. */
export interface KeepaliveTimes {
  /** How much earlier than the store the holder gives up: the clocks' drift, and its own slowness. */
  readonly marginMs: number;
  /** From the sending of one keepalive to the sending of the next. */
  readonly intervalMs: number;
  /** An acknowledgement that takes longer makes it send the same keepalive again, on another link if there is one. */
  readonly overdueMs: number;
}

export interface KeepaliveInput extends KeepaliveTimes {
  /** What the store granted. */
  readonly ttlMs: number;
  /** When the grant was asked for: the store cannot have counted from any earlier moment. */
  readonly sentAt: number;
  /** When the grant came. */
  readonly startedAt: number;
}

interface Control {
  /** Number of the current keepalive; sent again, it keeps its number. */
  readonly epoch: number;
}

interface Ledger {
  readonly times: KeepaliveTimes;
  readonly ttlMs: number;
  /** When the last acknowledged keepalive, or the grant, was first sent. */
  readonly renewedAt: number;
  /** When the current keepalive was first sent. */
  readonly sentAt: number;
  /** When the machine last heard of an acknowledgement. */
  readonly at: number;
  readonly resent: number;
  readonly staleEvents: number;
  readonly reason: string;
}

export type KeepaliveContext = Context<Control, Ledger>;

interface OfKeepalive {
  /** Number of the keepalive that it speaks of. */
  readonly epoch: number;
  readonly at: number;
}

export type KeepaliveEvent =
  | { type: 'release.requested'; at: number }
  /** It left for the store, for the first time or again. */
  | ({ type: 'keepalive.sent' } & OfKeepalive)
  | ({ type: 'keepalive.acknowledged'; ttlMs: number } & OfKeepalive)
  /** The store says that there is no such lease. */
  | ({ type: 'keepalive.refused' } & OfKeepalive);

const late = {
  'keepalive.sent': { actions: 'noteStale' },
  'keepalive.acknowledged': { actions: 'noteStale' },
  'keepalive.refused': { actions: 'noteStale' },
} as const;

/** Answers to the keepalive that was sent, once or more. */
const answers = {
  'keepalive.acknowledged': [
    { guard: 'current', target: '#keepalive.holding', actions: ['renew', 'announceRenewed'] },
    { actions: 'noteStale' },
  ],
  'keepalive.refused': [
    { guard: 'current', target: '#keepalive.lost', actions: 'noteGone' },
    { actions: 'noteStale' },
  ],
} as const;

export const keepaliveMachine = setup({
  types: {} as { context: KeepaliveContext; events: KeepaliveEvent; input: KeepaliveInput },
  actions: {
    // effects
    sendKeepalive: () => {},
    announceRenewed: () => {},
    announceLost: () => {},
    announceReleased: () => {},
    sendRevoke: () => {},
    // assigns
    advanceEpoch: assign({
      control: ({ context: { control } }) => ({ epoch: control.epoch + 1 }),
    }),
    noteSent: assign({
      ledger: ({ context: { ledger }, event }) =>
        event.type === 'keepalive.sent' ? { ...ledger, sentAt: event.at } : ledger,
    }),
    noteResent: assign({
      ledger: ({ context: { ledger } }) => ({ ...ledger, resent: ledger.resent + 1 }),
    }),
    renew: assign({
      ledger: ({ context: { ledger }, event }) =>
        event.type === 'keepalive.acknowledged'
          ? { ...ledger, ttlMs: event.ttlMs, renewedAt: ledger.sentAt, at: event.at }
          : ledger,
    }),
    noteOverdue: assign({
      ledger: ({ context: { ledger } }) => ({
        ...ledger,
        reason: `no keepalive was acknowledged within ${ledger.ttlMs - ledger.times.marginMs} ms of its sending`,
      }),
    }),
    noteGone: assign({
      ledger: ({ context: { ledger } }) => ({ ...ledger, reason: 'the store has no such lease' }),
    }),
    noteStale: assign({
      ledger: ({ context: { ledger } }) => ({ ...ledger, staleEvents: ledger.staleEvents + 1 }),
    }),
  },
  guards: {
    current: ({ context, event }) => 'epoch' in event && event.epoch === context.control.epoch,
  },
  delays: {
    fence: ({ context: { ledger } }) => Math.max(0, heldUntil(ledger) - ledger.at),
    interval: ({ context: { ledger } }) =>
      Math.max(0, ledger.renewedAt + ledger.times.intervalMs - ledger.at),
    overdue: ({ context }) => context.ledger.times.overdueMs,
  },
}).createMachine({
  id: 'keepalive',
  context: ({ input: { ttlMs, sentAt, startedAt, ...times } }) => ({
    control: { epoch: 0 },
    ledger: {
      times,
      ttlMs,
      renewedAt: sentAt,
      sentAt,
      at: startedAt,
      resent: 0,
      staleEvents: 0,
      reason: '',
    },
  }),
  initial: 'holding',
  states: {
    // Entered anew with every acknowledgement, so the fence always counts from the newest.
    holding: {
      initial: 'renewed',
      after: { fence: { target: 'lost', actions: 'noteOverdue' } },
      on: { ...late, 'release.requested': 'released' },
      states: {
        renewed: { after: { interval: 'sending' } },
        // It is to leave; while there is no link it waits.
        sending: {
          entry: ['advanceEpoch', 'sendKeepalive'],
          on: {
            'keepalive.sent': [
              { guard: 'current', target: 'sent', actions: 'noteSent' },
              { actions: 'noteStale' },
            ],
          },
        },
        sent: {
          after: { overdue: 'overdue' },
          on: { ...answers, 'keepalive.sent': [{ guard: 'current' }, { actions: 'noteStale' }] },
        },
        // Any of them may be the one that is acknowledged, so the time of the first counts.
        overdue: {
          entry: ['noteResent', 'sendKeepalive'],
          after: { overdue: { target: 'overdue', reenter: true } },
          on: { ...answers, 'keepalive.sent': [{ guard: 'current' }, { actions: 'noteStale' }] },
        },
      },
    },
    lost: { type: 'final', entry: 'announceLost' },
    released: { type: 'final', entry: ['announceReleased', 'sendRevoke'] },
  },
});

/** From this moment on the lease does not count as held, whatever timers have run. */
export function heldUntil({ renewedAt, ttlMs, times }: KeepaliveContext['ledger']): number {
  return renewedAt + ttlMs - times.marginMs;
}

type Args = EffectArgs<KeepaliveContext>;
const ofKeepalive = ({ context: { control } }: Args) => ({ epoch: control.epoch });

export const keepaliveEffects = {
  /** Send it, now or when there is a link; answer with `keepalive.sent` when it leaves. */
  sendKeepalive: ofKeepalive,
  announceRenewed: ({ context: { control, ledger } }: Args) => ({
    epoch: control.epoch,
    heldUntil: heldUntil(ledger),
  }),
  /** Stop whatever the lease gave the right to, in this turn. */
  announceLost: ({ context: { control, ledger } }: Args) => ({
    epoch: control.epoch,
    reason: ledger.reason,
  }),
  /** The same; then `sendRevoke` gives it back. */
  announceReleased: ofKeepalive,
  sendRevoke: ofKeepalive,
};

const keepalive = { epoch: 1, at: 10 };

export const keepaliveExamples: readonly KeepaliveEvent[] = [
  { type: 'release.requested', at: 5 },
  { type: 'keepalive.sent', ...keepalive },
  { type: 'keepalive.acknowledged', ...keepalive, ttlMs: 10_000 },
  { type: 'keepalive.refused', ...keepalive },
];

export const keepaliveInput: KeepaliveInput = {
  ttlMs: 10_000,
  marginMs: 500,
  intervalMs: 3_000,
  overdueMs: 2_000,
  sentAt: 0,
  startedAt: 0,
};
