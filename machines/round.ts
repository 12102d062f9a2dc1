// One attempt at one training round: who is asked, how long they are waited for, and its one commit.
// Invariant: it aggregates only updates of its own (round, epoch) from nodes that it asked, and commits at most once.
import { assign, setup } from 'xstate';
import type { Context, EffectArgs } from './types.ts';

/** Durations, in milliseconds, that a round waits by. */
export interface RoundTimes {
  /** From the asking until the round quorum must have answered. */
  readonly deadlineMs: number;
  /**
   * From the round quorum on, for those who are slower; never beyond the deadline. Below the quorum: for those who are away, while
   * it cannot be reached without them.
   */
  readonly stragglerGraceMs: number;
  /** Between two tries to write the checkpoint. */
  readonly checkpointRetryMs: number;
}

export interface RoundInput extends RoundTimes {
  /** From 1. */
  readonly round: number;
  /** Grows with each attempt at any round: what belongs to an older one is told by it. */
  readonly epoch: number;
  /** The round quorum: updates that it takes to commit; at least 1. */
  readonly minUpdates: number;
}

interface Control {
  readonly round: number;
  readonly epoch: number;
  readonly minUpdates: number;
  /** Asked, without an answer yet: ids of nodes, in order. */
  readonly awaited: readonly string[];
  /** Of these, whose link is broken: ids of nodes, in order. */
  readonly away: readonly string[];
  /** Their updates will be aggregated: ids of nodes, in order. */
  readonly accepted: readonly string[];
}

interface Ledger {
  readonly times: RoundTimes;
  readonly askedAt: number;
  /** When the last update came that was accepted. */
  readonly at: number;
  readonly asked: number;
  readonly refused: number;
  readonly lost: number;
  /** Updates of this attempt that came after it stopped waiting. */
  readonly late: number;
  readonly checkpointRetries: number;
  readonly staleEvents: number;
  /** Why it was abandoned. */
  readonly reason: string;
}

export type RoundContext = Context<Control, Ledger>;

interface OfAttempt {
  readonly round: number;
  /** Number of the attempt that it speaks of. */
  readonly epoch: number;
  readonly at: number;
}

export type RoundEvent =
  /** The gate paused, or training ends: wait for nobody any more. */
  | { type: 'abandon.requested'; reason: string; at: number }
  /** Answers `chooseParticipants`. */
  | ({ type: 'participants.chosen'; nodes: readonly string[] } & OfAttempt)
  /** Its update was checked and fits the model. */
  | ({ type: 'update.accepted'; node: string } & OfAttempt)
  /** It answered with what cannot be used, or with an error of its own. */
  | ({ type: 'update.refused'; node: string } & OfAttempt)
  /** It will not answer. */
  | ({ type: 'node.lost'; node: string } & OfAttempt)
  /** Its link broke. It may come back, and answer. */
  | ({ type: 'node.left'; node: string } & OfAttempt)
  | ({ type: 'node.returned'; node: string } & OfAttempt)
  | ({ type: 'aggregation.finished' } & OfAttempt)
  | ({ type: 'aggregation.failed'; reason: string } & OfAttempt)
  | ({ type: 'checkpoint.written' } & OfAttempt)
  /** It is not known to be written. */
  | ({ type: 'checkpoint.failed' } & OfAttempt);

const stale = { actions: 'noteStale' } as const;

const late = {
  'participants.chosen': stale,
  'update.accepted': stale,
  'update.refused': stale,
  'node.lost': stale,
  // Who is here matters only below the quorum.
  'node.left': [{ guard: 'isCurrent' }, stale],
  'node.returned': [{ guard: 'isCurrent' }, stale],
  'aggregation.finished': stale,
  'aggregation.failed': stale,
  'checkpoint.written': stale,
  'checkpoint.failed': stale,
} as const;

interface Given {
  readonly context: RoundContext;
  readonly event: RoundEvent;
}

const isCurrent = ({ context: { control }, event }: Given): boolean =>
  'epoch' in event && event.round === control.round && event.epoch === control.epoch;
/** Speaks of a node that was asked and has not answered. */
const isAwaited = (given: Given): boolean =>
  isCurrent(given) && 'node' in given.event && given.context.control.awaited.includes(given.event.node);
const isLast = (given: Given): boolean => isAwaited(given) && given.context.control.awaited.length === 1;

/** By code units: the same everywhere. */
const inOrder = (nodes: readonly string[]): readonly string[] => [...new Set(nodes)].sort();

/** What an event about a node that is awaited makes of the sets. */
function afterwards({ context: { control }, event }: Given): Control {
  if (!('node' in event)) return control;
  const { node } = event;
  const others = (set: readonly string[]): readonly string[] => set.filter((other) => other !== node);
  if (event.type === 'node.left') return { ...control, away: inOrder([...control.away, node]) };
  const away = others(control.away);
  if (event.type === 'node.returned') return { ...control, away };
  const accepted = event.type === 'update.accepted' ? inOrder([...control.accepted, node]) : control.accepted;
  return { ...control, awaited: others(control.awaited), away, accepted };
}

const hasQuorum = ({ accepted, minUpdates }: Control): boolean => accepted.length >= minUpdates;
/** Even if everyone else answers, there are too few. */
const isHopeless = ({ accepted, awaited, minUpdates }: Control): boolean =>
  accepted.length + awaited.length < minUpdates;
/** There are too few without those who are away. */
const isShort = ({ accepted, awaited, away, minUpdates }: Control): boolean =>
  accepted.length + awaited.length - away.length < minUpdates;
const reachesQuorum = (given: Given): boolean => isAwaited(given) && hasQuorum(afterwards(given));

export const roundMachine = setup({
  types: {} as { context: RoundContext; events: RoundEvent; input: RoundInput },
  actions: {
    // effects
    chooseParticipants: () => {},
    sendTasks: () => {},
    keepUpdate: () => {},
    refuseLate: () => {},
    aggregate: () => {},
    writeCheckpoint: () => {},
    cancelTasks: () => {},
    announceCommitted: () => {},
    announceAbandoned: () => {},
    // assigns
    ask: assign({
      control: ({ context: { control }, event }) =>
        event.type === 'participants.chosen' ? { ...control, awaited: inOrder(event.nodes) } : control,
      ledger: ({ context: { ledger }, event }) =>
        event.type === 'participants.chosen'
          ? { ...ledger, askedAt: event.at, at: event.at, asked: inOrder(event.nodes).length }
          : ledger,
    }),
    accept: assign({
      control: afterwards,
      ledger: ({ context: { ledger }, event }) =>
        event.type === 'update.accepted' ? { ...ledger, at: event.at } : ledger,
    }),
    refuse: assign({
      control: afterwards,
      ledger: ({ context: { ledger } }) => ({ ...ledger, refused: ledger.refused + 1 }),
    }),
    // It is away, or here again.
    place: assign({ control: afterwards }),
    lose: assign({
      control: afterwards,
      ledger: ({ context: { ledger } }) => ({ ...ledger, lost: ledger.lost + 1 }),
    }),
    noteLate: assign({
      // Accepted is only what is aggregated.
      control: (given) => ({ ...afterwards(given), accepted: given.context.control.accepted }),
      ledger: ({ context: { ledger } }) => ({ ...ledger, late: ledger.late + 1 }),
    }),
    noteTooFew: assign({
      ledger: ({ context: { control, ledger }, event }) => ({
        ...ledger,
        reason:
          event.type === 'participants.chosen'
            ? `only ${inOrder(event.nodes).length} nodes can be asked; ${control.minUpdates} updates are needed`
            : `${control.accepted.length} of ${ledger.asked} nodes answered and ${control.awaited.length} still ` +
              `can; ${control.minUpdates} updates are needed`,
      }),
    }),
    noteAway: assign({
      ledger: ({ context: { control, ledger } }) => ({
        ...ledger,
        reason:
          `${control.accepted.length} of ${ledger.asked} nodes answered, and ${control.away.length} that are away did not ` +
          `come back within ${ledger.times.stragglerGraceMs} ms; ${control.minUpdates} updates are needed`,
      }),
    }),
    noteOverdue: assign({
      ledger: ({ context: { control, ledger } }) => ({
        ...ledger,
        reason:
          `${control.accepted.length} of ${ledger.asked} nodes answered within ${ledger.times.deadlineMs} ms; ` +
          `${control.minUpdates} updates are needed`,
      }),
    }),
    noteReason: assign({
      ledger: ({ context: { ledger }, event }) =>
        'reason' in event ? { ...ledger, reason: event.reason } : ledger,
    }),
    noteRetry: assign({
      ledger: ({ context: { ledger } }) => ({ ...ledger, checkpointRetries: ledger.checkpointRetries + 1 }),
    }),
    noteStale: assign({
      ledger: ({ context: { ledger } }) => ({ ...ledger, staleEvents: ledger.staleEvents + 1 }),
    }),
  },
  guards: {
    isCurrent,
    isAwaited,
    isLast,
    reachesQuorum,
    completesRound: (given) => isLast(given) && reachesQuorum(given),
    canReachQuorum: (given) =>
      isCurrent(given) &&
      given.event.type === 'participants.chosen' &&
      inOrder(given.event.nodes).length >= given.context.control.minUpdates,
    losesQuorum: (given) => isAwaited(given) && isHopeless(afterwards(given)),
    needsAway: (given) => isAwaited(given) && !isHopeless(afterwards(given)) && isShort(afterwards(given)),
    needsNobodyAway: (given) =>
      isAwaited(given) && !hasQuorum(afterwards(given)) && !isShort(afterwards(given)),
  },
  delays: {
    roundDeadline: ({ context }) => context.ledger.times.deadlineMs,
    stragglerGrace: ({ context: { ledger } }) =>
      Math.max(
        0,
        Math.min(ledger.times.stragglerGraceMs, ledger.askedAt + ledger.times.deadlineMs - ledger.at),
      ),
    returnGrace: ({ context }) => context.ledger.times.stragglerGraceMs,
    checkpointRetry: ({ context }) => context.ledger.times.checkpointRetryMs,
  },
}).createMachine({
  id: 'round',
  context: ({ input: { round, epoch, minUpdates, ...times } }) => ({
    control: { round, epoch, minUpdates, awaited: [], away: [], accepted: [] },
    ledger: {
      times,
      askedAt: 0,
      at: 0,
      asked: 0,
      refused: 0,
      lost: 0,
      late: 0,
      checkpointRetries: 0,
      staleEvents: 0,
      reason: '',
    },
  }),
  initial: 'selecting',
  states: {
    selecting: {
      entry: 'chooseParticipants',
      on: {
        ...late,
        'participants.chosen': [
          { guard: 'canReachQuorum', target: 'training', actions: ['ask', 'sendTasks'] },
          { guard: 'isCurrent', target: 'abandoned', actions: 'noteTooFew' },
          stale,
        ],
        'abandon.requested': { target: 'abandoned', actions: 'noteReason' },
      },
    },
    // Below the round quorum.
    training: {
      initial: 'reachable',
      after: { roundDeadline: { target: 'abandoned', actions: 'noteOverdue' } },
      on: {
        ...late,
        'update.accepted': [
          { guard: 'completesRound', target: 'aggregating', actions: ['accept', 'keepUpdate'] },
          { guard: 'reachesQuorum', target: 'collecting', actions: ['accept', 'keepUpdate'] },
          { guard: 'isAwaited', actions: ['accept', 'keepUpdate'] },
          stale,
        ],
        // No use to wait for what cannot become enough.
        'update.refused': [
          { guard: 'losesQuorum', target: 'abandoned', actions: ['refuse', 'noteTooFew'] },
          { guard: 'isAwaited', actions: 'refuse' },
          stale,
        ],
        'node.lost': [
          { guard: 'losesQuorum', target: 'abandoned', actions: ['lose', 'noteTooFew'] },
          { guard: 'isAwaited', actions: 'lose' },
          stale,
        ],
        'node.left': [{ guard: 'isAwaited', actions: 'place' }, stale],
        'node.returned': [{ guard: 'isAwaited', actions: 'place' }, stale],
        'abandon.requested': { target: 'abandoned', actions: 'noteReason' },
      },
      states: {
        // The quorum is in reach of those who are here.
        reachable: {
          on: {
            'update.refused': { guard: 'needsAway', target: 'unreachable', actions: 'refuse' },
            'node.lost': { guard: 'needsAway', target: 'unreachable', actions: 'lose' },
            'node.left': { guard: 'needsAway', target: 'unreachable', actions: 'place' },
          },
        },
        // It takes one that is away: the round is done again by others sooner than a session is given up.
        unreachable: {
          after: { returnGrace: { target: '#round.abandoned', actions: 'noteAway' } },
          on: {
            'update.accepted': {
              guard: 'needsNobodyAway',
              target: 'reachable',
              actions: ['accept', 'keepUpdate'],
            },
            'node.returned': { guard: 'needsNobodyAway', target: 'reachable', actions: 'place' },
          },
        },
      },
    },
    // Enough for a commit; the others have some time left.
    collecting: {
      after: { stragglerGrace: 'aggregating' },
      on: {
        ...late,
        'update.accepted': [
          { guard: 'isLast', target: 'aggregating', actions: ['accept', 'keepUpdate'] },
          { guard: 'isAwaited', actions: ['accept', 'keepUpdate'] },
          stale,
        ],
        'update.refused': [
          { guard: 'isLast', target: 'aggregating', actions: 'refuse' },
          { guard: 'isAwaited', actions: 'refuse' },
          stale,
        ],
        'node.lost': [
          { guard: 'isLast', target: 'aggregating', actions: 'lose' },
          { guard: 'isAwaited', actions: 'lose' },
          stale,
        ],
        // What is there is enough, and a commit needs no nodes: nobody's work is thrown away.
        'abandon.requested': 'aggregating',
      },
    },
    aggregating: {
      initial: 'computing',
      on: {
        ...late,
        'update.accepted': [{ guard: 'isAwaited', actions: ['noteLate', 'refuseLate'] }, stale],
        'update.refused': [{ guard: 'isAwaited', actions: 'refuse' }, stale],
        'node.lost': [{ guard: 'isAwaited', actions: 'lose' }, stale],
        // Once a write has been asked for, nobody else may say that it did not happen; and the end is near.
        'abandon.requested': {},
      },
      states: {
        computing: {
          entry: 'aggregate',
          on: {
            'aggregation.finished': [{ guard: 'isCurrent', target: 'saving' }, stale],
            'aggregation.failed': [
              { guard: 'isCurrent', target: '#round.abandoned', actions: 'noteReason' },
              stale,
            ],
          },
        },
        saving: {
          entry: 'writeCheckpoint',
          on: {
            'checkpoint.written': [{ guard: 'isCurrent', target: '#round.committed' }, stale],
            'checkpoint.failed': [{ guard: 'isCurrent', target: 'retrying', actions: 'noteRetry' }, stale],
          },
        },
        // The same is written again, so whichever write succeeds is the one commit.
        retrying: {
          after: { checkpointRetry: 'saving' },
          on: { 'checkpoint.written': [{ guard: 'isCurrent', target: '#round.committed' }, stale] },
        },
      },
    },
    committed: { type: 'final', entry: 'announceCommitted' },
    abandoned: { type: 'final', entry: ['cancelTasks', 'announceAbandoned'] },
  },
});

type Args = EffectArgs<RoundContext>;
const ofAttempt = ({ context: { control } }: Args) => ({ round: control.round, epoch: control.epoch });
const ofNode = ({ context, event }: Args) => ({
  ...ofAttempt({ context, event }),
  node: 'node' in event ? String(event.node) : '',
});
const outcome = ({ context: { ledger } }: Args) => ({
  asked: ledger.asked,
  refused: ledger.refused,
  lost: ledger.lost,
  late: ledger.late,
});

export const roundEffects = {
  /** Choose among the nodes that count; answer with `participants.chosen`. */
  chooseParticipants: ofAttempt,
  /** Ask these nodes to train. */
  sendTasks: (args: Args) => ({ ...ofAttempt(args), nodes: args.context.control.awaited }),
  /** Hold on to this node's update: it is one of those that will be aggregated. */
  keepUpdate: ofNode,
  /** Drop it, and tell its node. */
  refuseLate: ofNode,
  /** Make the next model of the updates of these nodes, in this order; answer with `aggregation.finished` or `aggregation.failed`. */
  aggregate: (args: Args) => ({ ...ofAttempt(args), nodes: args.context.control.accepted }),
  /**
   * Write model and round in one transaction that takes place only after the checkpoint of the round before, or over
   * this very one; answer with `checkpoint.written`, or with `checkpoint.failed` when that is not known.
   */
  writeCheckpoint: ofAttempt,
  /** Nobody waits for these nodes any more. */
  cancelTasks: (args: Args) => ({ ...ofAttempt(args), nodes: args.context.control.awaited }),
  /** The next round may begin. */
  announceCommitted: (args: Args) => ({
    ...ofAttempt(args),
    nodes: args.context.control.accepted,
    ...outcome(args),
  }),
  /** The same round has to be done again, by another attempt. */
  announceAbandoned: (args: Args) => ({
    ...ofAttempt(args),
    answered: args.context.control.accepted.length,
    ...outcome(args),
    reason: args.context.ledger.reason,
  }),
};

const attempt = { round: 1, epoch: 1, at: 10 };

export const roundExamples: readonly RoundEvent[] = [
  { type: 'abandon.requested', reason: 'the gate paused', at: 5 },
  { type: 'participants.chosen', ...attempt, nodes: ['n1', 'n2', 'n3', 'n4'] },
  { type: 'participants.chosen', ...attempt, nodes: ['n1'] },
  { type: 'update.accepted', ...attempt, node: 'n1' },
  { type: 'update.accepted', ...attempt, node: 'n2' },
  { type: 'update.accepted', ...attempt, node: 'n3' },
  { type: 'update.refused', ...attempt, node: 'n2' },
  { type: 'update.refused', ...attempt, node: 'n3' },
  { type: 'update.refused', ...attempt, node: 'n4' },
  { type: 'node.lost', ...attempt, node: 'n2' },
  { type: 'node.lost', ...attempt, node: 'n3' },
  { type: 'node.lost', ...attempt, node: 'n4' },
  { type: 'node.left', ...attempt, node: 'n2' },
  { type: 'node.left', ...attempt, node: 'n3' },
  { type: 'node.left', ...attempt, node: 'n4' },
  { type: 'node.returned', ...attempt, node: 'n3' },
  { type: 'aggregation.finished', ...attempt },
  { type: 'aggregation.failed', ...attempt, reason: 'the strategy threw' },
  { type: 'checkpoint.written', ...attempt },
  { type: 'checkpoint.failed', ...attempt },
];

export const roundInput: RoundInput = {
  round: 1,
  epoch: 1,
  minUpdates: 2,
  deadlineMs: 60_000,
  stragglerGraceMs: 5_000,
  checkpointRetryMs: 1_000,
};
