// One lease, at the store that granted it: its time to live, what keeps it alive, and its end together with its keys.
// Invariant: it never ends before its time to live has passed since the last keepalive that was answered, on one clock.
import { assign, setup } from 'xstate';
import type { Context, EffectArgs } from './types.ts';

/** What survives a restart: durations only, so downtime does not count. */
export interface LeaseRecord {
  readonly ttlMs: number;
  /** How much of it was left when it was last written down. */
  readonly remainingMs: number;
}

/** Durations, in milliseconds, that a lease waits by. */
export interface LeaseTimes {
  /** What is left is written down this often, so that restarts do not make a lease live for ever. */
  readonly checkpointMs: number;
  /** Between two tries to commit its end. */
  readonly retryMs: number;
}

export interface LeaseInput extends LeaseTimes, LeaseRecord {}

interface Control {
  /** Number of the last record or commit that was asked for. */
  readonly epoch: number;
}

interface Ledger {
  readonly times: LeaseTimes;
  readonly ttlMs: number;
  /** What was left at `armedAt`: the time to live is over at `armedAt + remainingMs`. */
  readonly remainingMs: number;
  readonly armedAt: number;
  readonly keepalives: number;
  readonly retries: number;
  readonly staleEvents: number;
}

export type LeaseContext = Context<Control, Ledger>;

interface OfWrite {
  /** Number of the record or commit that it speaks of. */
  readonly epoch: number;
  readonly at: number;
}

export type LeaseEvent =
  /** Its grant is committed; the record says that all of its time is left. */
  | { type: 'lease.granted'; at: number }
  /** Read back from a record, by a store that serves from now on. */
  | { type: 'lease.restored'; at: number }
  | { type: 'keepalive.received'; at: number }
  | { type: 'revoke.requested'; at: number }
  | ({ type: 'record.saved' } & OfWrite)
  | ({ type: 'record.failed' } & OfWrite)
  | ({ type: 'commit.succeeded' } & OfWrite)
  | ({ type: 'commit.failed' } & OfWrite);

const late = {
  'record.saved': { actions: 'noteStale' },
  'record.failed': { actions: 'noteStale' },
  'commit.succeeded': { actions: 'noteStale' },
  'commit.failed': { actions: 'noteStale' },
} as const;

/** Once the end is decided, a keepalive comes too late, as for a lease that is gone. */
const ending = {
  ...late,
  'lease.granted': {},
  'lease.restored': {},
  'keepalive.received': { actions: 'refuseKeepalive' },
  'revoke.requested': {},
} as const;

export const leaseMachine = setup({
  types: {} as { context: LeaseContext; events: LeaseEvent; input: LeaseInput },
  actions: {
    // effects
    answerKeepalive: () => {},
    refuseKeepalive: () => {},
    saveRecord: () => {},
    commitExpiry: () => {},
    commitRevocation: () => {},
    announceExpired: () => {},
    announceRevoked: () => {},
    // assigns
    advanceEpoch: assign({
      control: ({ context: { control } }) => ({ epoch: control.epoch + 1 }),
    }),
    arm: assign({
      ledger: ({ context: { ledger }, event }) => ('at' in event ? { ...ledger, armedAt: event.at } : ledger),
    }),
    renew: assign({
      ledger: ({ context: { ledger }, event }) =>
        event.type === 'keepalive.received'
          ? {
              ...ledger,
              armedAt: event.at,
              remainingMs: ledger.ttlMs,
              keepalives: ledger.keepalives + 1,
            }
          : ledger,
    }),
    // What has passed since it was armed is gone, whatever state it goes on in.
    spend: assign({
      ledger: ({ context: { ledger }, event }) =>
        event.type === 'record.saved' || event.type === 'record.failed'
          ? {
              ...ledger,
              armedAt: event.at,
              remainingMs: Math.max(0, ledger.remainingMs - (event.at - ledger.armedAt)),
            }
          : ledger,
    }),
    spendInterval: assign({
      ledger: ({ context: { ledger } }) => ({
        ...ledger,
        armedAt: ledger.armedAt + ledger.times.checkpointMs,
        remainingMs: Math.max(0, ledger.remainingMs - ledger.times.checkpointMs),
      }),
    }),
    noteRetry: assign({
      ledger: ({ context: { ledger } }) => ({ ...ledger, retries: ledger.retries + 1 }),
    }),
    noteStale: assign({
      ledger: ({ context: { ledger } }) => ({ ...ledger, staleEvents: ledger.staleEvents + 1 }),
    }),
  },
  guards: {
    current: ({ context, event }) => 'epoch' in event && event.epoch === context.control.epoch,
  },
  delays: {
    timeToLive: ({ context }) => context.ledger.remainingMs,
    checkpointInterval: ({ context }) => context.ledger.times.checkpointMs,
    retryDelay: ({ context }) => context.ledger.times.retryMs,
  },
}).createMachine({
  id: 'lease',
  context: ({ input: { ttlMs, remainingMs, checkpointMs, retryMs } }) => ({
    control: { epoch: 0 },
    ledger: {
      times: { checkpointMs, retryMs },
      ttlMs,
      remainingMs,
      armedAt: 0,
      keepalives: 0,
      retries: 0,
      staleEvents: 0,
    },
  }),
  initial: 'starting',
  states: {
    // Its time does not run yet: the store does not serve it.
    starting: {
      on: {
        ...late,
        'lease.granted': { target: 'granted', actions: 'arm' },
        'lease.restored': { target: 'spent', actions: 'arm' },
        // The holder asks again.
        'keepalive.received': {},
        'revoke.requested': 'revoking',
      },
    },
    // Nobody has kept it alive yet; the record says that all of its time is left.
    granted: {
      after: {
        timeToLive: 'expiring',
        checkpointInterval: { target: 'spent', actions: ['spendInterval', 'advanceEpoch', 'saveRecord'] },
      },
      on: {
        ...late,
        'lease.granted': {},
        'lease.restored': {},
        'keepalive.received': { target: 'alive', actions: ['renew', 'answerKeepalive'] },
        'revoke.requested': 'revoking',
      },
    },
    // Kept alive; the record says that all of its time is left.
    alive: {
      after: {
        timeToLive: 'expiring',
        checkpointInterval: { target: 'spent', actions: ['spendInterval', 'advanceEpoch', 'saveRecord'] },
      },
      on: {
        ...late,
        'lease.granted': {},
        'lease.restored': {},
        'keepalive.received': { target: 'alive', reenter: true, actions: ['renew', 'answerKeepalive'] },
        'revoke.requested': 'revoking',
      },
    },
    // The record says that less is left than a keepalive promises.
    spent: {
      after: {
        timeToLive: 'expiring',
        checkpointInterval: {
          target: 'spent',
          reenter: true,
          actions: ['spendInterval', 'advanceEpoch', 'saveRecord'],
        },
      },
      on: {
        ...late,
        'record.saved': {},
        'record.failed': {},
        'lease.granted': {},
        'lease.restored': {},
        'keepalive.received': { target: 'renewing', actions: ['renew', 'advanceEpoch', 'saveRecord'] },
        'revoke.requested': 'revoking',
      },
    },
    // A keepalive is answered when the record can back it: a restart must not take away what was promised.
    renewing: {
      after: { timeToLive: { target: 'expiring', actions: 'refuseKeepalive' } },
      on: {
        ...late,
        'record.saved': [
          { guard: 'current', target: 'alive', actions: ['spend', 'answerKeepalive'] },
          { actions: 'noteStale' },
        ],
        // Not answered: the holder asks again.
        'record.failed': [{ guard: 'current', target: 'spent', actions: 'spend' }, { actions: 'noteStale' }],
        'lease.granted': {},
        'lease.restored': {},
        // Its answer promises all of its time from now on.
        'keepalive.received': { target: 'renewing', reenter: true, actions: 'renew' },
        'revoke.requested': { target: 'revoking', actions: 'refuseKeepalive' },
      },
    },
    expiring: {
      initial: 'committing',
      on: { ...ending },
      states: {
        committing: {
          entry: ['advanceEpoch', 'commitExpiry'],
          on: {
            'commit.succeeded': [{ guard: 'current', target: '#lease.expired' }, { actions: 'noteStale' }],
            'commit.failed': [{ guard: 'current', target: 'retrying' }, { actions: 'noteStale' }],
          },
        },
        retrying: { entry: 'noteRetry', after: { retryDelay: 'committing' } },
      },
    },
    revoking: {
      initial: 'committing',
      on: { ...ending },
      states: {
        committing: {
          entry: ['advanceEpoch', 'commitRevocation'],
          on: {
            'commit.succeeded': [{ guard: 'current', target: '#lease.revoked' }, { actions: 'noteStale' }],
            'commit.failed': [{ guard: 'current', target: 'retrying' }, { actions: 'noteStale' }],
          },
        },
        retrying: { entry: 'noteRetry', after: { retryDelay: 'committing' } },
      },
    },
    expired: { type: 'final', entry: 'announceExpired' },
    revoked: { type: 'final', entry: 'announceRevoked' },
  },
});

type Args = EffectArgs<LeaseContext>;
const ofWrite = ({ context: { control } }: Args) => ({ epoch: control.epoch });

/** What is written down of a lease. */
export const leaseRecord = ({ ledger: { ttlMs, remainingMs } }: LeaseContext): LeaseRecord => ({
  ttlMs,
  remainingMs,
});

export const leaseEffects = {
  /** Answer everyone who asked to keep it alive and has no answer yet: all of its time is left. */
  answerKeepalive: ({ context: { ledger } }: Args) => ({ ttlMs: ledger.ttlMs }),
  /** Answer them that there is no such lease. */
  refuseKeepalive: ofWrite,
  /** Write the record down, in the order in which it is asked for; answer with `record.saved` or `record.failed`. */
  saveRecord: ({ context }: Args) => ({ epoch: context.control.epoch, ...leaseRecord(context) }),
  /**
   * Delete the lease with all keys that are attached to it when that happens, in one transaction. Answer with
   * `commit.succeeded`, also when it was gone already, or with `commit.failed`, also when that is not known.
   */
  commitExpiry: ofWrite,
  /** The same, because somebody asked for it. */
  commitRevocation: ofWrite,
  /** It is gone; so is the answer to whoever still wants to revoke it. */
  announceExpired: ofWrite,
  announceRevoked: ofWrite,
};

const write = { epoch: 1, at: 10 };

export const leaseExamples: readonly LeaseEvent[] = [
  { type: 'lease.granted', at: 5 },
  { type: 'lease.restored', at: 5 },
  { type: 'keepalive.received', at: 10 },
  { type: 'revoke.requested', at: 10 },
  { type: 'record.saved', ...write },
  { type: 'record.failed', ...write },
  { type: 'commit.succeeded', ...write },
  { type: 'commit.failed', ...write },
];

export const leaseInput: LeaseInput = {
  ttlMs: 600_000,
  remainingMs: 600_000,
  checkpointMs: 60_000,
  retryMs: 1_000,
};
