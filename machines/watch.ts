// One watch stream: attached to the engine's feed before it is called ready, caught up from history, then live.
// Invariant: nothing is delivered but from history in `catching_up` and from the attached feed in `live`, in that order.
import { assign, setup } from 'xstate';
import { backoffDelayMs, type Context, type EffectArgs } from './types.ts';

/** Durations, in milliseconds, that a watch waits by. */
export interface WatchTimes {
  /** From the start until the watch must be ready. */
  readonly createTimeoutMs: number;
  /** From the wish to attach until the engine must have answered; then it is tried again. */
  readonly attachTimeoutMs: number;
  /** Upper end of the first wait before the feed is attached again. */
  readonly resumeIntervalMs: number;
  readonly resumeMaxMs: number;
}

export interface WatchInput extends WatchTimes {
  /** Seed of the jitter. */
  readonly seed: number;
}

interface Control {
  /** Number of the current attachment to the feed, with all that is read from history for it. */
  readonly epoch: number;
}

interface Ledger {
  readonly times: WatchTimes;
  readonly seed: number;
  /** Attachments in a row that failed, or were lost before history had joined them. */
  readonly failures: number;
  readonly readyAt: number;
  readonly resumes: number;
  /** How often the consumer was too slow for the feed. */
  readonly lags: number;
  readonly staleEvents: number;
  /** Why it was cancelled. */
  readonly reason: string;
  /** When history was compacted away under it: the oldest revision that can still be read; else 0. */
  readonly floor: number;
}

export type WatchContext = Context<Control, Ledger>;

interface OfFeed {
  /** Number of the attachment that it speaks of. */
  readonly epoch: number;
  readonly at: number;
}

export type WatchEvent =
  /** The consumer was told that the watch is ready: from here on it may be sent events. */
  | { type: 'ready.reported'; at: number }
  | { type: 'cancel.requested'; at: number; reason: string }
  | { type: 'consumer.disconnected'; at: number }
  | { type: 'engine.ended'; at: number; reason: string }
  | ({ type: 'feed.attached' } & OfFeed)
  /** The engine will never have it: the range is not allowed, say. */
  | ({ type: 'feed.refused'; reason: string } & OfFeed)
  | ({ type: 'feed.lost' } & OfFeed)
  /** A page of history was handed over, and there is more. */
  | ({ type: 'history.advanced' } & OfFeed)
  /** History was handed over up to where the feed went on: nothing lies between them. */
  | ({ type: 'history.joined' } & OfFeed)
  /** What is needed next was compacted away. */
  | ({ type: 'history.compacted'; floor: number } & OfFeed)
  /** What waits for the consumer has reached its bound. */
  | ({ type: 'backlog.filled' } & OfFeed)
  | ({ type: 'backlog.drained' } & OfFeed);

const late = {
  'feed.attached': { actions: 'noteStale' },
  'feed.refused': { actions: 'noteStale' },
  'feed.lost': { actions: 'noteStale' },
  'history.advanced': { actions: 'noteStale' },
  'history.joined': { actions: 'noteStale' },
  'history.compacted': { actions: 'noteStale' },
  'backlog.filled': { actions: 'noteStale' },
  'backlog.drained': { actions: 'noteStale' },
} as const;

const end = [
  { guard: 'current', target: '#watch.cancelled', actions: 'noteReason' },
  { actions: 'noteStale' },
] as const;

/** What ends a watch in every state that lives. */
const ends = {
  'feed.refused': end,
  'history.compacted': end,
  'cancel.requested': { target: '#watch.cancelled', actions: 'noteReason' },
  'consumer.disconnected': { target: '#watch.cancelled', actions: 'noteReason' },
  'engine.ended': { target: '#watch.cancelled', actions: 'noteReason' },
} as const;

export const watchMachine = setup({
  types: {} as { context: WatchContext; events: WatchEvent; input: WatchInput },
  actions: {
    // effects
    attachFeed: () => {},
    detachFeed: () => {},
    announceReady: () => {},
    readHistory: () => {},
    goLive: () => {},
    awaitDrain: () => {},
    announceCancelled: () => {},
    // assigns
    advanceEpoch: assign({
      control: ({ context: { control } }) => ({ epoch: control.epoch + 1 }),
    }),
    noteJoined: assign({ ledger: ({ context: { ledger } }) => ({ ...ledger, failures: 0 }) }),
    noteFailure: assign({
      ledger: ({ context: { ledger } }) => ({ ...ledger, failures: ledger.failures + 1 }),
    }),
    noteResume: assign({
      ledger: ({ context: { ledger } }) => ({ ...ledger, resumes: ledger.resumes + 1 }),
    }),
    noteLag: assign({ ledger: ({ context: { ledger } }) => ({ ...ledger, lags: ledger.lags + 1 }) }),
    noteReady: assign({
      ledger: ({ context: { ledger }, event }) =>
        event.type === 'ready.reported' ? { ...ledger, readyAt: event.at } : ledger,
    }),
    noteReason: assign({
      ledger: ({ context: { ledger }, event }) => {
        if (event.type === 'history.compacted')
          return { ...ledger, reason: `compacted up to revision ${event.floor}`, floor: event.floor };
        if (event.type === 'consumer.disconnected') return { ...ledger, reason: 'the consumer disconnected' };
        return 'reason' in event ? { ...ledger, reason: event.reason } : ledger;
      },
    }),
    noteUncreated: assign({
      ledger: ({ context: { ledger } }) => ({
        ...ledger,
        reason: `not created within ${ledger.times.createTimeoutMs} ms`,
      }),
    }),
    noteStale: assign({
      ledger: ({ context: { ledger } }) => ({ ...ledger, staleEvents: ledger.staleEvents + 1 }),
    }),
  },
  guards: {
    current: ({ context, event }) => 'epoch' in event && event.epoch === context.control.epoch,
  },
  delays: {
    createTimeout: ({ context }) => context.ledger.times.createTimeoutMs,
    attachTimeout: ({ context }) => context.ledger.times.attachTimeoutMs,
    resumeDelay: ({ context: { control, ledger } }) =>
      backoffDelayMs({
        baseMs: ledger.times.resumeIntervalMs,
        maxMs: ledger.times.resumeMaxMs,
        failures: Math.max(0, ledger.failures - 1),
        retryAfterMs: 0,
        seed: ledger.seed,
        epoch: control.epoch,
      }),
  },
}).createMachine({
  id: 'watch',
  context: ({ input: { seed, ...times } }) => ({
    control: { epoch: 0 },
    ledger: {
      times,
      seed,
      failures: 0,
      readyAt: 0,
      resumes: 0,
      lags: 0,
      staleEvents: 0,
      reason: '',
      floor: 0,
    },
  }),
  initial: 'creating',
  states: {
    // Nobody was promised anything yet.
    creating: {
      initial: 'attaching',
      after: { createTimeout: { target: 'cancelled', actions: 'noteUncreated' } },
      on: { ...late, ...ends, 'ready.reported': {} },
      states: {
        attaching: {
          entry: ['advanceEpoch', 'attachFeed'],
          after: { attachTimeout: { target: 'backing_off', actions: ['noteFailure', 'detachFeed'] } },
          on: {
            'feed.attached': [{ guard: 'current', target: '#watch.ready' }, { actions: 'noteStale' }],
            'feed.lost': [
              { guard: 'current', target: 'backing_off', actions: 'noteFailure' },
              { actions: 'noteStale' },
            ],
          },
        },
        backing_off: { after: { resumeDelay: 'attaching' } },
      },
    },
    // The feed has it, so nothing can be missed; the consumer is being told.
    ready: {
      entry: 'announceReady',
      initial: 'attached',
      on: { ...late, ...ends },
      states: {
        attached: {
          on: {
            'ready.reported': { target: '#watch.streaming', actions: 'noteReady' },
            'feed.lost': [
              { guard: 'current', target: 'detached', actions: 'noteFailure' },
              { actions: 'noteStale' },
            ],
          },
        },
        detached: { on: { 'ready.reported': { target: '#watch.streaming.resuming', actions: 'noteReady' } } },
      },
    },
    streaming: {
      initial: 'catching_up',
      on: { ...late, ...ends, 'ready.reported': {} },
      states: {
        // From the next revision that the consumer needs up to where the feed goes on.
        catching_up: {
          initial: 'reading',
          on: {
            'feed.lost': [
              { guard: 'current', target: 'resuming', actions: 'noteFailure' },
              { actions: 'noteStale' },
            ],
          },
          states: {
            reading: {
              entry: 'readHistory',
              on: {
                'history.advanced': [{ guard: 'current', actions: 'readHistory' }, { actions: 'noteStale' }],
                'history.joined': [
                  { guard: 'current', target: '#watch.streaming.live', actions: 'noteJoined' },
                  { actions: 'noteStale' },
                ],
                'backlog.filled': [{ guard: 'current', target: 'waiting' }, { actions: 'noteStale' }],
              },
            },
            waiting: {
              entry: 'awaitDrain',
              on: {
                'backlog.drained': [{ guard: 'current', target: 'reading' }, { actions: 'noteStale' }],
              },
            },
          },
        },
        live: {
          entry: 'goLive',
          on: {
            'feed.lost': [
              { guard: 'current', target: 'resuming', actions: 'noteFailure' },
              { actions: 'noteStale' },
            ],
            'backlog.filled': [
              { guard: 'current', target: 'lagging', actions: 'noteLag' },
              { actions: 'noteStale' },
            ],
          },
        },
        // Too slow for the feed: off it, so that nothing piles up, until there is room to catch up from history.
        lagging: {
          entry: ['detachFeed', 'awaitDrain'],
          on: {
            'backlog.drained': [{ guard: 'current', target: 'resuming.attaching' }, { actions: 'noteStale' }],
          },
        },
        // The feed is to go on from the next revision that the consumer needs.
        resuming: {
          initial: 'backing_off',
          states: {
            backing_off: { after: { resumeDelay: 'attaching' } },
            attaching: {
              entry: ['advanceEpoch', 'attachFeed'],
              after: { attachTimeout: { target: 'backing_off', actions: ['noteFailure', 'detachFeed'] } },
              on: {
                'feed.attached': [
                  {
                    guard: 'current',
                    target: '#watch.streaming.catching_up',
                    actions: 'noteResume',
                  },
                  { actions: 'noteStale' },
                ],
                'feed.lost': [
                  { guard: 'current', target: 'backing_off', actions: 'noteFailure' },
                  { actions: 'noteStale' },
                ],
              },
            },
          },
        },
      },
    },
    cancelled: { type: 'final', entry: ['detachFeed', 'announceCancelled'] },
  },
});

type Args = EffectArgs<WatchContext>;
const ofFeed = ({ context: { control } }: Args) => ({ epoch: control.epoch });

export const watchEffects = {
  /**
   * Register with the engine's feed, now or as soon as the engine can, from the next revision that the consumer needs
   * (the first time: from where it asked, or from now). Answer with `feed.attached` when no later change can be missed,
   * with `feed.lost` when it failed or ended, with `feed.refused`, or with `history.compacted`. What the feed brings
   * before `goLive` waits, or is read from history again.
   */
  attachFeed: ofFeed,
  /** Leave the feed, in this turn; an attachment that is still on its way is left when it comes. */
  detachFeed: ofFeed,
  /** Tell the consumer that the watch is ready; answer with `ready.reported`. */
  announceReady: ofFeed,
  /**
   * If the consumer has no room, answer with `backlog.filled`. Else hand over the next page of history and answer with
   * `history.joined` when nothing lies between it and what the feed brings, else with `history.advanced`; or answer with
   * `history.compacted`, or with `feed.lost` when the engine cannot read. What is read for an older epoch is not handed over.
   */
  readHistory: ofFeed,
  /**
   * From now on hand over what the feed brings, first what waited, and skip what history brought already. Instead of
   * handing over what the consumer has no room for, or what comes after something that was dropped, say `backlog.filled`
   * and hand over nothing more.
   */
  goLive: ofFeed,
  /** Answer with `backlog.drained` when the consumer has room again. */
  awaitDrain: ofFeed,
  /** Nothing is handed over any more: tell the consumer, if there still is one, and forget the watch. */
  announceCancelled: ({ context: { control, ledger } }: Args) => ({
    epoch: control.epoch,
    reason: ledger.reason,
    floor: ledger.floor,
  }),
};

const feed = { epoch: 1, at: 10 };

export const watchExamples: readonly WatchEvent[] = [
  { type: 'ready.reported', at: 5 },
  { type: 'cancel.requested', at: 5, reason: 'the client cancelled it' },
  { type: 'consumer.disconnected', at: 5 },
  { type: 'engine.ended', at: 5, reason: 'the engine was stopped' },
  { type: 'feed.attached', ...feed },
  { type: 'feed.refused', ...feed, reason: 'permission denied' },
  { type: 'feed.lost', ...feed },
  { type: 'history.advanced', ...feed },
  { type: 'history.joined', ...feed },
  { type: 'history.compacted', ...feed, floor: 7 },
  { type: 'backlog.filled', ...feed },
  { type: 'backlog.drained', ...feed },
];

export const watchInput: WatchInput = {
  createTimeoutMs: 30_000,
  attachTimeoutMs: 10_000,
  resumeIntervalMs: 100,
  resumeMaxMs: 5_000,
  seed: 1,
};
