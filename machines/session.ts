// The hub's view of one instance of a node (or client): join, sync, online, suspect, absent, expired.
// Invariant: at most one socket is attached, and it is the one of the newest (epoch, registrationEpoch) heard.
import { assign, setup } from 'xstate';
import type { Context, EffectArgs } from './types.ts';

/** Durations, in milliseconds, that a session waits by. */
export interface SessionTimes {
  /** The node's own interval; it is the node that pings. */
  readonly heartbeatIntervalMs: number;
  readonly heartbeatTimeoutMs: number;
  readonly sessionGraceMs: number;
  /** From a registration until its sync must be acknowledged. */
  readonly syncTimeoutMs: number;
}

export interface SessionInput extends SessionTimes {
  /** Carried over from earlier sessions of the same node id. */
  readonly totalTasksExecuted: number;
  readonly firstSeenAt: number;
}

interface Control {
  /** Dial of the attached socket; 0 before the first registration. */
  readonly epoch: number;
  /** Registration that is being synced, or that was acknowledged. */
  readonly registrationEpoch: number;
}

interface Ledger {
  readonly times: SessionTimes;
  readonly firstSeenAt: number;
  readonly onlineAt: number;
  readonly absentAt: number;
  readonly silentMs: number;
  readonly registrations: number;
  readonly staleEvents: number;
  readonly totalTasksExecuted: number;
  readonly reason: string;
}

export type SessionContext = Context<Control, Ledger>;

interface OfSocket {
  readonly epoch: number;
  readonly at: number;
}
interface OfRegistration extends OfSocket {
  readonly registrationEpoch: number;
}

export type SessionEvent =
  | ({ type: 'registration.received' } & OfRegistration)
  | ({ type: 'sync.prepared' } & OfRegistration)
  | ({ type: 'sync.acknowledged' } & OfRegistration)
  | ({ type: 'socket.closed'; how: 'farewell' | 'loss'; reason: string } & OfSocket)
  | ({ type: 'link.active'; silentMs: number } & OfSocket)
  | ({ type: 'link.silent'; silentMs: number } & OfSocket)
  | ({ type: 'heartbeat.overdue'; silentMs: number } & OfSocket)
  | ({ type: 'departure.announced' } & OfRegistration)
  | { type: 'drain.requested'; at: number }
  | { type: 'undrain.requested'; at: number }
  | { type: 'disconnect.requested'; at: number }
  | { type: 'session.replaced'; at: number };

/** Events of a socket or registration that is no longer ours, or that come too late to matter: counted. */
const late = {
  'sync.prepared': { actions: 'noteStale' },
  'sync.acknowledged': { actions: 'noteStale' },
  'socket.closed': { actions: 'noteStale' },
  'link.active': { actions: 'noteStale' },
  'link.silent': { actions: 'noteStale' },
  'heartbeat.overdue': { actions: 'noteStale' },
  'departure.announced': { actions: 'noteStale' },
} as const;

/** What registrations do that are not newer. Older ones lose; the same one again is answered again. */
const knownRegistrations = [
  { guard: 'currentRegistration', actions: 'sendRegistered' },
  { guard: 'olderSocket', actions: ['dismissSocket', 'noteStale'] },
  { actions: 'noteStale' },
] as const;

/** What a registration does in every state that lives, unless the node drains by order. */
const registrations = {
  'registration.received': [
    {
      guard: 'newerRegistration',
      target: '#session.joining',
      actions: ['adopt', 'attachSocket', 'sendRegistered', 'prepareSync'],
    },
    ...knownRegistrations,
  ],
} as const;

/** What everyone who has a socket can be told or asked, but for its end. */
const orders = {
  'departure.announced': [
    { guard: 'currentRegistration', target: '#session.draining.departing' },
    { actions: 'noteStale' },
  ],
  'session.replaced': '#session.superseded',
  'drain.requested': '#session.draining.ordered',
  'undrain.requested': {},
  'disconnect.requested': { target: '#session.absent', actions: 'terminateSocket' },
} as const;

/** What is said of the present socket does this; of any other it is counted. */
const ofPresent = <const T extends object>(transition: T) =>
  [{ guard: 'currentSocket', ...transition }, { actions: 'noteStale' }] as const;
const heard = ofPresent({ target: 'listening', actions: 'noteSilence' });
/** Both lead to a state in which the node is not here. */
const closed = (absent: string) => ofPresent({ target: absent, actions: 'noteAbsent' });
const overdue = (absent: string) =>
  ofPresent({ target: absent, actions: ['noteSilence', 'noteAbsent', 'terminateSocket'] });

/** A draining node that is here: only its silence is watched. One that is overdue is in `absent` from then on. */
const watched = (absent: `#session.draining.${string}`) =>
  ({
    listening: { after: { heartbeatDeadline: 'measuring' } },
    measuring: {
      entry: 'measureSilence',
      on: { 'link.active': heard, 'link.silent': heard, 'heartbeat.overdue': overdue(absent) },
    },
  }) as const;

export const sessionMachine = setup({
  types: {} as { context: SessionContext; events: SessionEvent; input: SessionInput },
  actions: {
    // effects
    attachSocket: () => {},
    dismissSocket: () => {},
    sendRegistered: () => {},
    prepareSync: () => {},
    sendSync: () => {},
    announceOnline: () => {},
    announceSuspect: () => {},
    announceAbsent: () => {},
    announceDraining: () => {},
    announceExpired: () => {},
    measureSilence: () => {},
    terminateSocket: () => {},
    sendDrain: () => {},
    sendReplaced: () => {},
    // assigns
    adopt: assign({
      control: ({ context: { control }, event }) =>
        event.type === 'registration.received'
          ? { epoch: event.epoch, registrationEpoch: event.registrationEpoch }
          : control,
      ledger: ({ context: { ledger } }) => ({
        ...ledger,
        registrations: ledger.registrations + 1,
        silentMs: 0,
      }),
    }),
    noteOnline: assign({
      ledger: ({ context: { ledger }, event }) =>
        event.type === 'sync.acknowledged' ? { ...ledger, onlineAt: event.at } : ledger,
    }),
    noteSilence: assign({
      ledger: ({ context: { ledger }, event }) =>
        event.type === 'link.active' || event.type === 'link.silent' || event.type === 'heartbeat.overdue'
          ? { ...ledger, silentMs: event.silentMs }
          : ledger,
    }),
    noteAbsent: assign({
      ledger: ({ context: { ledger }, event }) => {
        if (event.type === 'socket.closed') return { ...ledger, absentAt: event.at, reason: event.reason };
        if (event.type !== 'heartbeat.overdue') return ledger;
        return { ...ledger, absentAt: event.at, reason: `silent for ${Math.round(event.silentMs)} ms` };
      },
    }),
    noteUnsynced: assign({
      ledger: ({ context: { ledger } }) => ({
        ...ledger,
        reason: `sync not acknowledged within ${ledger.times.syncTimeoutMs} ms`,
      }),
    }),
    noteStale: assign({
      ledger: ({ context: { ledger } }) => ({ ...ledger, staleEvents: ledger.staleEvents + 1 }),
    }),
  },
  guards: {
    currentSocket: ({ context, event }) => 'epoch' in event && event.epoch === context.control.epoch,
    currentRegistration: ({ context, event }) =>
      'registrationEpoch' in event &&
      event.epoch === context.control.epoch &&
      event.registrationEpoch === context.control.registrationEpoch,
    newerRegistration: ({ context: { control }, event }) =>
      event.type === 'registration.received' &&
      (event.epoch > control.epoch ||
        (event.epoch === control.epoch && event.registrationEpoch > control.registrationEpoch)),
    /** It ended its socket as one does who does not come back. */
    saidFarewell: ({ context, event }) =>
      event.type === 'socket.closed' && event.epoch === context.control.epoch && event.how === 'farewell',
    olderSocket: ({ context, event }) => 'epoch' in event && event.epoch < context.control.epoch,
  },
  delays: {
    syncTimeout: ({ context }) => context.ledger.times.syncTimeoutMs,
    sessionGrace: ({ context }) => context.ledger.times.sessionGraceMs,
    // The node pings after one silent interval; two say that something is wrong.
    suspicion: ({ context: { ledger } }) =>
      Math.max(
        1,
        Math.min(2 * ledger.times.heartbeatIntervalMs, ledger.times.heartbeatTimeoutMs) - ledger.silentMs,
      ),
    heartbeatDeadline: ({ context: { ledger } }) =>
      Math.max(1, ledger.times.heartbeatTimeoutMs - ledger.silentMs),
  },
}).createMachine({
  id: 'session',
  context: ({ input: { totalTasksExecuted, firstSeenAt, ...times } }) => ({
    control: { epoch: 0, registrationEpoch: 0 },
    ledger: {
      times,
      firstSeenAt,
      onlineAt: 0,
      absentAt: 0,
      silentMs: 0,
      registrations: 0,
      staleEvents: 0,
      totalTasksExecuted,
      reason: '',
    },
  }),
  initial: 'joining',
  states: {
    // Registered (or about to be); the application prepares what joiners must know.
    joining: {
      after: { syncTimeout: { target: 'absent', actions: ['noteUnsynced', 'terminateSocket'] } },
      on: {
        ...late,
        ...registrations,
        ...orders,
        'sync.prepared': [{ guard: 'currentRegistration', target: 'syncing' }, { actions: 'noteStale' }],
        'socket.closed': closed('absent'),
      },
    },
    syncing: {
      entry: 'sendSync',
      after: { syncTimeout: { target: 'absent', actions: ['noteUnsynced', 'terminateSocket'] } },
      on: {
        ...late,
        ...registrations,
        ...orders,
        'sync.acknowledged': [
          { guard: 'currentRegistration', target: 'online', actions: 'noteOnline' },
          { actions: 'noteStale' },
        ],
        'socket.closed': closed('absent'),
      },
    },
    // Synced and heard from: work may go there.
    online: {
      entry: 'announceOnline',
      initial: 'listening',
      on: {
        ...late,
        ...registrations,
        ...orders,
        'socket.closed': closed('absent'),
      },
      states: {
        listening: { after: { suspicion: 'measuring' } },
        measuring: {
          entry: 'measureSilence',
          on: {
            'link.active': heard,
            'link.silent': ofPresent({ target: '#session.suspect', actions: 'noteSilence' }),
            'heartbeat.overdue': overdue('#session.absent'),
          },
        },
      },
    },
    // Silent for two heartbeat intervals: no new work, but nothing is given up yet.
    suspect: {
      entry: 'announceSuspect',
      initial: 'listening',
      on: {
        ...late,
        ...registrations,
        ...orders,
        'link.active': ofPresent({ target: 'online', actions: 'noteSilence' }),
        'socket.closed': closed('absent'),
      },
      states: {
        listening: { after: { heartbeatDeadline: 'measuring' } },
        measuring: {
          entry: 'measureSilence',
          on: {
            'link.silent': heard,
            'heartbeat.overdue': overdue('#session.absent'),
          },
        },
      },
    },
    // The link is gone, the node may not be: it has `sessionGraceMs` to come back to its calls.
    absent: {
      entry: 'announceAbsent',
      after: { sessionGrace: 'expired' },
      on: {
        ...late,
        ...registrations,
        'session.replaced': 'superseded',
        'drain.requested': 'draining.ordered.absent',
        'undrain.requested': {},
        'disconnect.requested': {},
      },
    },
    // No new work; what runs may finish, and a node that lost its link may come back to it.
    draining: {
      on: { ...late, 'session.replaced': 'superseded', 'drain.requested': {} },
      initial: 'ordered',
      states: {
        // The hub's side said so. It stays so over links until it is let in again.
        ordered: {
          initial: 'present',
          on: {
            'registration.received': [
              {
                guard: 'newerRegistration',
                target: '.present',
                actions: ['adopt', 'attachSocket', 'sendRegistered'],
              },
              ...knownRegistrations,
            ],
          },
          states: {
            present: {
              entry: ['sendDrain', 'announceDraining'],
              initial: 'listening',
              states: watched('#session.draining.ordered.absent'),
              on: {
                'socket.closed': closed('absent'),
                'departure.announced': orders['departure.announced'],
                // What joiners must know may have changed meanwhile.
                'undrain.requested': { target: '#session.joining', actions: 'prepareSync' },
                'disconnect.requested': { target: 'absent', actions: 'terminateSocket' },
              },
            },
            absent: {
              entry: 'announceAbsent',
              after: { sessionGrace: '#session.expired' },
              on: { 'undrain.requested': '#session.absent', 'disconnect.requested': {} },
            },
          },
        },
        // The node said goodbye. It says so again when it had to register anew, or it changed its mind.
        departing: {
          initial: 'present',
          on: { ...registrations, 'departure.announced': {}, 'undrain.requested': {} },
          states: {
            present: {
              entry: 'announceDraining',
              initial: 'listening',
              states: watched('#session.draining.departing.absent'),
              on: {
                'socket.closed': [
                  { guard: 'saidFarewell', target: '#session.expired', actions: 'noteAbsent' },
                  { guard: 'currentSocket', target: 'absent', actions: 'noteAbsent' },
                  { actions: 'noteStale' },
                ],
                'disconnect.requested': { target: 'absent', actions: 'terminateSocket' },
              },
            },
            absent: {
              entry: 'announceAbsent',
              after: { sessionGrace: '#session.expired' },
              on: { 'disconnect.requested': {} },
            },
          },
        },
      },
    },
    expired: { type: 'final', entry: 'announceExpired' },
    // Another instance of the same node id is online: this one is told so, and must not come back.
    superseded: { type: 'final', entry: ['sendReplaced', 'announceExpired'] },
  },
});

type Args = EffectArgs<SessionContext>;
const ofSocket = ({ context: { control } }: Args) => ({ epoch: control.epoch });
const ofRegistration = ({ context: { control } }: Args) => ({
  epoch: control.epoch,
  registrationEpoch: control.registrationEpoch,
});
const withReason = ({ context: { control, ledger } }: Args) => ({
  epoch: control.epoch,
  reason: ledger.reason,
});

export const sessionEffects = {
  /** Make this socket the session's; terminate the one before it, in the same turn. */
  attachSocket: ofSocket,
  /** End the socket of an older dial that registered late. */
  dismissSocket: ({ event }: Args) => ({ epoch: 'epoch' in event ? Number(event.epoch) : 0 }),
  sendRegistered: ofRegistration,
  /** Ask the application what joiners must know; answer with `sync.prepared`. */
  prepareSync: ofRegistration,
  sendSync: ofRegistration,
  /** Route work here, and replace other instances of the same node id. */
  announceOnline: ofRegistration,
  announceSuspect: ({ context: { control, ledger } }: Args) => ({
    epoch: control.epoch,
    silentMs: ledger.silentMs,
  }),
  announceAbsent: withReason,
  announceDraining: ofSocket,
  /** Settle what this session had in flight, and forget it. */
  announceExpired: withReason,
  measureSilence: ofSocket,
  terminateSocket: ofSocket,
  sendDrain: ofSocket,
  /** Tell the node, in terms that it must take as final, that another instance took over; then end the socket. */
  sendReplaced: ofSocket,
};

const socket = { epoch: 1, at: 10 };
const registration = { ...socket, registrationEpoch: 1 };

export const sessionExamples: readonly SessionEvent[] = [
  { type: 'registration.received', ...registration },
  { type: 'registration.received', epoch: 2, registrationEpoch: 2, at: 20 },
  { type: 'sync.prepared', ...registration },
  { type: 'sync.acknowledged', ...registration },
  { type: 'socket.closed', ...socket, how: 'loss', reason: 'link lost' },
  { type: 'socket.closed', ...socket, how: 'farewell', reason: 'stopped' },
  { type: 'link.active', ...socket, silentMs: 100 },
  { type: 'link.silent', ...socket, silentMs: 10_000 },
  { type: 'heartbeat.overdue', ...socket, silentMs: 15_000 },
  { type: 'departure.announced', ...registration },
  { type: 'drain.requested', at: 1 },
  { type: 'undrain.requested', at: 1 },
  { type: 'disconnect.requested', at: 1 },
  { type: 'session.replaced', at: 1 },
];

export const sessionInput: SessionInput = {
  heartbeatIntervalMs: 5_000,
  heartbeatTimeoutMs: 15_000,
  sessionGraceMs: 60_000,
  syncTimeoutMs: 10_000,
  totalTasksExecuted: 0,
  firstSeenAt: 0,
};
