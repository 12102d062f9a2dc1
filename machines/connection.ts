// A node's (or client's) link to its hub: dial, register, prove life, fail, back off, dial again.
// Invariant: at most one socket is owned at any time, and it is the one of `control.epoch`.
import { assign, setup } from 'xstate';
import { backoffCeilingMs, backoffDelayMs, type Context, type EffectArgs } from './types.ts';

/** Durations, in milliseconds, that the connection waits by. */
export interface ConnectionTimes {
  readonly reconnectIntervalMs: number;
  readonly reconnectMaxMs: number;
  readonly heartbeatIntervalMs: number;
  readonly heartbeatTimeoutMs: number;
  readonly healthCheckIntervalMs: number;
  readonly connectionTimeoutMs: number;
  readonly stableAfterMs: number;
  readonly drainTimeoutMs: number;
}

export interface ConnectionInput extends ConnectionTimes {
  /** Reconnect attempts in a row before `failed`; 0 = for ever. */
  readonly maxRetryAttempts: number;
  /** Seed of the jitter. */
  readonly seed: number;
}

interface Control {
  /** Number of the current dial; 0 before the first. */
  readonly epoch: number;
  /** Number of the current registration; grows with every dial and every `node.unknown`. */
  readonly registrationEpoch: number;
  /** Reconnect attempts since the link was last stable, saturating at `attemptLimit`. */
  readonly attempts: number;
  /** 0 = no limit; `attempts` then stays 0. */
  readonly attemptLimit: number;
}

interface Ledger {
  readonly times: ConnectionTimes;
  readonly seed: number;
  /** Reconnect attempts since the link was last stable, without a limit. */
  readonly failures: number;
  /** What the hub asked us to wait, for the next backoff only. */
  readonly retryAfterMs: number;
  /** How long the link had been silent when it was last measured. */
  readonly silentMs: number;
  readonly connectedAt: number;
  readonly hubLagMs: number;
  readonly staleEvents: number;
  readonly reconnects: number;
  /** Why the link was last given up, for the log. */
  readonly reason: string;
}

export type ConnectionContext = Context<Control, Ledger>;

interface OfSocket {
  readonly epoch: number;
  readonly at: number;
}
interface OfRegistration extends OfSocket {
  readonly registrationEpoch: number;
}

export type ConnectionEvent =
  | { type: 'connect.requested'; at: number }
  | { type: 'stop.requested'; at: number }
  | { type: 'drain.finished'; at: number }
  | { type: 'wake.hinted'; at: number }
  | ({ type: 'socket.opened' } & OfSocket)
  | ({ type: 'socket.closed'; reason: string } & OfSocket)
  | ({ type: 'socket.released' } & OfSocket)
  | ({ type: 'registration.accepted' } & OfRegistration)
  | ({ type: 'registration.refused'; retryAfterMs: number; reason: string } & OfRegistration)
  | ({ type: 'registration.forbidden'; reason: string } & OfRegistration)
  | ({ type: 'sync.received' } & OfRegistration)
  | ({ type: 'node.unknown' } & OfRegistration)
  | ({ type: 'node.replaced'; reason: string } & OfSocket)
  | ({ type: 'hub.draining'; retryAfterMs: number } & OfSocket)
  | ({ type: 'link.active'; silentMs: number } & OfSocket)
  | ({ type: 'link.silent'; silentMs: number } & OfSocket)
  | ({ type: 'heartbeat.overdue'; silentMs: number } & OfSocket)
  | ({ type: 'health.confirmed'; hubLagMs: number } & OfRegistration)
  | ({ type: 'health.mismatched' } & OfRegistration);

const seconds = (ms: number) => `${Number((ms / 1000).toFixed(3))} s`;

/** Outcomes of a link that is given up, or that does not exist yet: counted, never acted upon. */
const lateRegistration = {
  'registration.accepted': { actions: 'noteStale' },
  'registration.refused': { actions: 'noteStale' },
  'registration.forbidden': { actions: 'noteStale' },
} as const;
const lateSocket = {
  'socket.opened': { actions: 'noteStale' },
  'socket.closed': { actions: 'noteStale' },
  'socket.released': { actions: 'noteStale' },
} as const;
const lateSession = {
  'sync.received': { actions: 'noteStale' },
  'node.unknown': { actions: 'noteStale' },
  'node.replaced': { actions: 'noteStale' },
  'hub.draining': { actions: 'noteStale' },
  'link.active': { actions: 'noteStale' },
  'link.silent': { actions: 'noteStale' },
  'heartbeat.overdue': { actions: 'noteStale' },
  'health.confirmed': { actions: 'noteStale' },
  'health.mismatched': { actions: 'noteStale' },
} as const;
const late = { ...lateRegistration, ...lateSocket, ...lateSession } as const;

export const connectionMachine = setup({
  types: {} as { context: ConnectionContext; events: ConnectionEvent; input: ConnectionInput },
  actions: {
    // effects: named here, done by the performers
    openSocket: () => {},
    sendRegister: () => {},
    acknowledgeSync: () => {},
    measureSilence: () => {},
    sendPing: () => {},
    sendHealthCheck: () => {},
    terminateSocket: () => {},
    closeSocket: () => {},
    settleInFlight: () => {},
    announceBackoff: () => {},
    announceFailed: () => {},
    announceRejected: () => {},
    announceDrain: () => {},
    // assigns
    advanceEpoch: assign({
      control: ({ context: { control } }) => ({ ...control, epoch: control.epoch + 1 }),
    }),
    advanceRegistration: assign({
      control: ({ context: { control } }) => ({
        ...control,
        registrationEpoch: control.registrationEpoch + 1,
      }),
    }),
    countAttempt: assign({
      control: ({ context: { control } }) => ({
        ...control,
        attempts: Math.min(control.attempts + 1, control.attemptLimit),
      }),
      ledger: ({ context: { ledger } }) => ({
        ...ledger,
        failures: ledger.failures + 1,
        reconnects: ledger.reconnects + 1,
        retryAfterMs: 0,
      }),
    }),
    forgiveAttempts: assign({
      control: ({ context: { control } }) => ({ ...control, attempts: 0 }),
      ledger: ({ context: { ledger } }) => ({ ...ledger, failures: 0 }),
    }),
    forgetRetryAfter: assign({ ledger: ({ context: { ledger } }) => ({ ...ledger, retryAfterMs: 0 }) }),
    noteConnected: assign({
      ledger: ({ context: { ledger }, event }) =>
        event.type === 'registration.accepted' ? { ...ledger, connectedAt: event.at, silentMs: 0 } : ledger,
    }),
    noteSilence: assign({
      ledger: ({ context: { ledger }, event }) =>
        event.type === 'link.active' || event.type === 'link.silent' || event.type === 'heartbeat.overdue'
          ? { ...ledger, silentMs: event.silentMs }
          : ledger,
    }),
    noteHealth: assign({
      ledger: ({ context: { ledger }, event }) =>
        event.type === 'health.confirmed' ? { ...ledger, hubLagMs: event.hubLagMs } : ledger,
    }),
    noteStale: assign({
      ledger: ({ context: { ledger } }) => ({ ...ledger, staleEvents: ledger.staleEvents + 1 }),
    }),
    noteRetryAfter: assign({
      ledger: ({ context: { ledger }, event }) =>
        event.type === 'registration.refused' || event.type === 'hub.draining'
          ? { ...ledger, retryAfterMs: event.retryAfterMs }
          : ledger,
    }),
    noteReason: assign({
      ledger: ({ context: { ledger }, event }) => {
        if (
          event.type === 'socket.closed' ||
          event.type === 'registration.refused' ||
          event.type === 'registration.forbidden' ||
          event.type === 'node.replaced'
        )
          return { ...ledger, reason: event.reason };
        if (event.type !== 'heartbeat.overdue') return ledger;
        const limit = ledger.times.heartbeatTimeoutMs;
        return { ...ledger, reason: `heartbeat timeout: ${seconds(event.silentMs)} > ${seconds(limit)}` };
      },
    }),
    noteTimeout: assign({
      ledger: ({ context: { ledger } }) => ({
        ...ledger,
        reason: `no registration within ${seconds(ledger.times.connectionTimeoutMs)} of the dial`,
      }),
    }),
    noteUnhealthy: assign({
      ledger: ({ context: { ledger } }) => ({
        ...ledger,
        reason: `no health answer within ${seconds(ledger.times.heartbeatTimeoutMs)}`,
      }),
    }),
  },
  guards: {
    currentSocket: ({ context, event }) => 'epoch' in event && event.epoch === context.control.epoch,
    currentRegistration: ({ context, event }) =>
      'registrationEpoch' in event &&
      event.epoch === context.control.epoch &&
      event.registrationEpoch === context.control.registrationEpoch,
    mayRetry: ({ context: { control }, event }) =>
      'epoch' in event &&
      event.epoch === control.epoch &&
      (control.attemptLimit === 0 || control.attempts < control.attemptLimit),
  },
  delays: {
    connectionTimeout: ({ context }) => context.ledger.times.connectionTimeoutMs,
    backoffDelay: ({ context }) => backoffOf(context).delayMs,
    silenceCheck: ({ context: { ledger } }) =>
      Math.max(1, ledger.times.heartbeatIntervalMs - ledger.silentMs),
    /** A probe is answered within an interval or asked again, and never outlasts the timeout. */
    probeCheck: ({
      context: {
        ledger: { times, silentMs },
      },
    }) => Math.max(1, Math.min(times.heartbeatIntervalMs, times.heartbeatTimeoutMs - silentMs)),
    heartbeatInterval: ({ context }) => context.ledger.times.heartbeatIntervalMs,
    healthCheckInterval: ({ context }) => context.ledger.times.healthCheckIntervalMs,
    healthCheckTimeout: ({ context }) => context.ledger.times.heartbeatTimeoutMs,
    stableAfter: ({ context }) => context.ledger.times.stableAfterMs,
    drainTimeout: ({ context }) => context.ledger.times.drainTimeoutMs,
  },
}).createMachine({
  id: 'connection',
  context: ({ input: { maxRetryAttempts, seed, ...times } }) => ({
    control: { epoch: 0, registrationEpoch: 0, attempts: 0, attemptLimit: maxRetryAttempts },
    ledger: {
      times,
      seed,
      failures: 0,
      retryAfterMs: 0,
      silentMs: 0,
      connectedAt: 0,
      hubLagMs: 0,
      staleEvents: 0,
      reconnects: 0,
      reason: '',
    },
  }),
  initial: 'idle',
  states: {
    idle: {
      on: {
        ...late,
        'connect.requested': 'establishing',
        'stop.requested': 'shutdown',
        'drain.finished': {},
        'wake.hinted': {},
      },
    },
    // One deadline over dial, handshake and registration.
    establishing: {
      initial: 'connecting',
      after: { connectionTimeout: { target: 'transient_failure', actions: 'noteTimeout' } },
      on: {
        ...late,
        'socket.closed': [
          { guard: 'currentSocket', target: 'transient_failure', actions: 'noteReason' },
          { actions: 'noteStale' },
        ],
        'node.replaced': [
          { guard: 'currentSocket', target: 'rejected', actions: 'noteReason' },
          { actions: 'noteStale' },
        ],
        'hub.draining': [{ guard: 'currentSocket', actions: 'noteRetryAfter' }, { actions: 'noteStale' }],
        'stop.requested': { target: 'shutdown', actions: 'settleInFlight' },
        'connect.requested': {},
        'drain.finished': {},
        'wake.hinted': {},
      },
      states: {
        connecting: {
          entry: ['advanceEpoch', 'openSocket'],
          on: {
            'socket.opened': [{ guard: 'currentSocket', target: 'registering' }, { actions: 'noteStale' }],
          },
        },
        reconnecting: {
          entry: ['countAttempt', 'advanceEpoch', 'openSocket'],
          on: {
            'socket.opened': [{ guard: 'currentSocket', target: 'registering' }, { actions: 'noteStale' }],
          },
        },
        registering: {
          entry: ['advanceRegistration', 'sendRegister'],
          on: {
            'registration.accepted': [
              { guard: 'currentRegistration', target: '#connection.connected', actions: 'noteConnected' },
              { actions: 'noteStale' },
            ],
            'registration.refused': [
              {
                guard: 'currentRegistration',
                target: '#connection.transient_failure',
                actions: ['noteRetryAfter', 'noteReason'],
              },
              { actions: 'noteStale' },
            ],
            'registration.forbidden': [
              { guard: 'currentRegistration', target: '#connection.rejected', actions: 'noteReason' },
              { actions: 'noteStale' },
            ],
          },
        },
      },
    },
    connected: {
      type: 'parallel',
      on: {
        ...late,
        'sync.received': [
          { guard: 'currentRegistration', actions: 'acknowledgeSync' },
          { actions: 'noteStale' },
        ],
        'socket.closed': [
          { guard: 'currentSocket', target: 'transient_failure', actions: 'noteReason' },
          { actions: 'noteStale' },
        ],
        // The hub restarted and forgot us: register again on the same socket, at once.
        'node.unknown': [
          { guard: 'currentRegistration', target: 'establishing.registering' },
          { actions: 'noteStale' },
        ],
        'node.replaced': [
          { guard: 'currentSocket', target: 'rejected', actions: 'noteReason' },
          { actions: 'noteStale' },
        ],
        'hub.draining': [{ guard: 'currentSocket', actions: 'noteRetryAfter' }, { actions: 'noteStale' }],
        'stop.requested': 'draining',
        'connect.requested': {},
        'drain.finished': {},
      },
      states: {
        liveness: {
          initial: 'listening',
          on: {
            // We may have slept: do not trust the link before it spoke again.
            'wake.hinted': '.measuring',
          },
          states: {
            listening: { after: { silenceCheck: 'measuring' } },
            measuring: {
              entry: 'measureSilence',
              on: {
                'link.active': [
                  { guard: 'currentSocket', target: 'listening', actions: 'noteSilence' },
                  { actions: 'noteStale' },
                ],
                'link.silent': [
                  { guard: 'currentSocket', target: 'probing', actions: 'noteSilence' },
                  { actions: 'noteStale' },
                ],
                'heartbeat.overdue': [
                  {
                    guard: 'currentSocket',
                    target: '#connection.transient_failure',
                    actions: ['noteSilence', 'noteReason'],
                  },
                  { actions: 'noteStale' },
                ],
              },
            },
            probing: { entry: 'sendPing', after: { probeCheck: 'measuring' } },
          },
        },
        health: {
          initial: 'waiting',
          states: {
            waiting: { after: { healthCheckInterval: 'checking' } },
            checking: {
              entry: 'sendHealthCheck',
              after: {
                healthCheckTimeout: { target: '#connection.transient_failure', actions: 'noteUnhealthy' },
              },
              on: {
                'health.confirmed': [
                  { guard: 'currentRegistration', target: 'waiting', actions: 'noteHealth' },
                  { actions: 'noteStale' },
                ],
                'health.mismatched': [
                  { guard: 'currentRegistration', target: '#connection.establishing.registering' },
                  { actions: 'noteStale' },
                ],
              },
            },
          },
        },
        stability: {
          initial: 'unproven',
          states: {
            unproven: { after: { stableAfter: { target: 'stable', actions: 'forgiveAttempts' } } },
            stable: {},
          },
        },
      },
    },
    // The link is given up. Left when the socket is gone and what was in flight is settled.
    transient_failure: {
      entry: ['terminateSocket', 'settleInFlight'],
      on: {
        ...late,
        'socket.released': [
          { guard: 'mayRetry', target: 'backoff' },
          { guard: 'currentSocket', target: 'failed' },
          { actions: 'noteStale' },
        ],
        'stop.requested': 'shutdown',
        'connect.requested': {},
        'drain.finished': {},
        'wake.hinted': {},
      },
    },
    backoff: {
      entry: 'announceBackoff',
      after: { backoffDelay: 'establishing.reconnecting' },
      on: {
        ...late,
        'wake.hinted': 'establishing.reconnecting',
        'connect.requested': 'establishing.reconnecting',
        'stop.requested': 'shutdown',
        'drain.finished': {},
      },
    },
    // Attempts are spent. Whoever asks again starts over.
    failed: {
      entry: 'announceFailed',
      on: {
        ...late,
        'connect.requested': { target: 'establishing', actions: ['forgiveAttempts', 'forgetRetryAfter'] },
        'stop.requested': 'shutdown',
        'drain.finished': {},
        'wake.hinted': {},
      },
    },
    // What still runs is finished, within one time for all of it, and over as many links as that takes.
    draining: {
      initial: 'linked',
      after: { drainTimeout: { target: 'shutdown', actions: 'settleInFlight' } },
      on: {
        ...late,
        'drain.finished': 'shutdown',
        'socket.closed': [
          { guard: 'currentSocket', target: '.broken', actions: 'noteReason' },
          { actions: 'noteStale' },
        ],
        'node.replaced': [
          { guard: 'currentSocket', target: 'shutdown', actions: ['noteReason', 'settleInFlight'] },
          { actions: 'noteStale' },
        ],
        'hub.draining': [{ guard: 'currentSocket', actions: 'noteRetryAfter' }, { actions: 'noteStale' }],
        'stop.requested': {},
        'connect.requested': {},
        'wake.hinted': {},
      },
      states: {
        linked: {
          entry: 'announceDrain',
          on: {
            // What still runs must find its way home, so a hub that forgot us gets to know us again.
            'node.unknown': [
              { guard: 'currentRegistration', target: 'establishing.registering' },
              { actions: 'noteStale' },
            ],
            'sync.received': [
              { guard: 'currentRegistration', actions: 'acknowledgeSync' },
              { actions: 'noteStale' },
            ],
          },
          initial: 'announced',
          // It may take longer than the hub is patient with a link that says nothing.
          states: {
            announced: { after: { heartbeatInterval: 'pinging' } },
            pinging: {
              entry: ['sendPing', 'measureSilence'],
              after: { heartbeatInterval: { target: 'pinging', reenter: true } },
              on: {
                'link.active': [{ guard: 'currentSocket', actions: 'noteSilence' }, { actions: 'noteStale' }],
                'link.silent': [{ guard: 'currentSocket', actions: 'noteSilence' }, { actions: 'noteStale' }],
                'heartbeat.overdue': [
                  {
                    guard: 'currentSocket',
                    target: '#connection.draining.broken',
                    actions: ['noteSilence', 'noteReason'],
                  },
                  { actions: 'noteStale' },
                ],
              },
            },
          },
        },
        broken: {
          entry: ['terminateSocket', 'settleInFlight'],
          on: {
            'socket.closed': { actions: 'noteStale' },
            'socket.released': [
              { guard: 'mayRetry', target: 'waiting' },
              { guard: 'currentSocket', target: '#connection.shutdown' },
              { actions: 'noteStale' },
            ],
          },
        },
        waiting: {
          entry: 'announceBackoff',
          after: { backoffDelay: 'establishing' },
          on: {
            'socket.closed': { actions: 'noteStale' },
            'wake.hinted': 'establishing',
            'connect.requested': 'establishing',
          },
        },
        establishing: {
          initial: 'reconnecting',
          after: { connectionTimeout: { target: 'broken', actions: 'noteTimeout' } },
          states: {
            reconnecting: {
              entry: ['countAttempt', 'advanceEpoch', 'openSocket'],
              on: {
                'socket.opened': [
                  { guard: 'currentSocket', target: 'registering' },
                  { actions: 'noteStale' },
                ],
              },
            },
            registering: {
              entry: ['advanceRegistration', 'sendRegister'],
              on: {
                'registration.accepted': [
                  {
                    guard: 'currentRegistration',
                    target: '#connection.draining.linked',
                    actions: 'noteConnected',
                  },
                  { actions: 'noteStale' },
                ],
                'registration.refused': [
                  {
                    guard: 'currentRegistration',
                    target: '#connection.draining.broken',
                    actions: ['noteRetryAfter', 'noteReason'],
                  },
                  { actions: 'noteStale' },
                ],
                'registration.forbidden': [
                  {
                    guard: 'currentRegistration',
                    target: '#connection.shutdown',
                    actions: ['noteReason', 'settleInFlight'],
                  },
                  { actions: 'noteStale' },
                ],
              },
            },
          },
        },
      },
    },
    rejected: { type: 'final', entry: ['terminateSocket', 'settleInFlight', 'announceRejected'] },
    shutdown: { type: 'final', entry: 'closeSocket' },
  },
});

type Args = EffectArgs<ConnectionContext>;
const ofSocket = ({ context: { control } }: Args) => ({ epoch: control.epoch });
const ofRegistration = ({ context: { control } }: Args) => ({
  epoch: control.epoch,
  registrationEpoch: control.registrationEpoch,
});

/** How long `backoff` lasts, and what a person needs to judge it. */
export function backoffOf({ control, ledger }: ConnectionContext) {
  const backoff = {
    baseMs: ledger.times.reconnectIntervalMs,
    maxMs: ledger.times.reconnectMaxMs,
    failures: ledger.failures,
    retryAfterMs: ledger.retryAfterMs,
    seed: ledger.seed,
    epoch: control.epoch,
  };
  return {
    delayMs: backoffDelayMs(backoff),
    ceilingMs: backoffCeilingMs(backoff) + ledger.retryAfterMs,
    attempt: ledger.failures + 1,
    attemptLimit: control.attemptLimit,
  };
}

export const connectionEffects = {
  /** Dial; answer with `socket.opened` or `socket.closed` of the same epoch. */
  openSocket: ofSocket,
  /** Register on the open socket; answer with `registration.accepted`, `.refused` or `.forbidden`. */
  sendRegister: ofRegistration,
  /** Hand the sync to the application, then acknowledge it to the hub. */
  acknowledgeSync: ofRegistration,
  /** Once the input at hand is read: `link.active`, `link.silent` or `heartbeat.overdue`. */
  measureSilence: ofSocket,
  sendPing: ofRegistration,
  sendHealthCheck: ofRegistration,
  /** End the socket at once, never gracefully; answer with `socket.released`, also when there is none. */
  terminateSocket: ofSocket,
  closeSocket: ofSocket,
  /** Keep or settle the calls in flight, by their policy. */
  settleInFlight: ofSocket,
  announceBackoff: ({ context }: Args) => backoffOf(context),
  announceFailed: ({ context: { ledger } }: Args) => ({ attempts: ledger.failures, reason: ledger.reason }),
  announceRejected: ({ context: { ledger } }: Args) => ({ reason: ledger.reason }),
  /** Say goodbye to the hub; answer with `drain.finished` when nothing is in flight. */
  announceDrain: ofRegistration,
};

const socket = { epoch: 1, at: 10 };
const registration = { ...socket, registrationEpoch: 1 };

/** One or more payloads for each event; epoch 1 is the first dial's, so both current and stale cases occur. */
export const connectionExamples: readonly ConnectionEvent[] = [
  { type: 'connect.requested', at: 1 },
  { type: 'stop.requested', at: 1 },
  { type: 'drain.finished', at: 1 },
  { type: 'wake.hinted', at: 1 },
  { type: 'socket.opened', ...socket },
  { type: 'socket.closed', ...socket, reason: 'link lost' },
  { type: 'socket.released', ...socket },
  { type: 'registration.accepted', ...registration },
  { type: 'registration.refused', ...registration, retryAfterMs: 500, reason: 'hub is full' },
  { type: 'registration.forbidden', ...registration, reason: 'wrong token' },
  { type: 'sync.received', ...registration },
  { type: 'node.unknown', ...registration },
  { type: 'node.replaced', ...socket, reason: 'another instance took over' },
  { type: 'hub.draining', ...socket, retryAfterMs: 500 },
  { type: 'link.active', ...socket, silentMs: 100 },
  { type: 'link.silent', ...socket, silentMs: 5_000 },
  { type: 'heartbeat.overdue', ...socket, silentMs: 15_000 },
  { type: 'health.confirmed', ...registration, hubLagMs: 2 },
  { type: 'health.mismatched', ...registration },
];

export const connectionInput: ConnectionInput = {
  reconnectIntervalMs: 2_000,
  reconnectMaxMs: 60_000,
  heartbeatIntervalMs: 5_000,
  heartbeatTimeoutMs: 15_000,
  healthCheckIntervalMs: 30_000,
  connectionTimeoutMs: 10_000,
  stableAfterMs: 10_000,
  drainTimeoutMs: 30_000,
  maxRetryAttempts: 3,
  seed: 1,
};
