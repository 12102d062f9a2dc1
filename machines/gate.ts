// The training gate: who takes part, whether enough of them do, and how long training waits when they do not.
// Invariant: open only while at least `minNodes` nodes that acknowledged the model are online, or within the debounce.
import { assign, setup } from 'xstate';
import type { Context, EffectArgs } from './types.ts';

/** What survives a restart: a duration, so downtime does not count. */
export interface GateRecord {
  /** What is consumed of the budget of the present pause, or of all pauses. */
  readonly consumedMs: number;
  /** Where a restart goes on: a run that was open once finds its quorum again within the budget of a pause. */
  readonly from: 'gathering' | 'paused';
}

/** Durations, in milliseconds, that the gate waits by. */
export interface GateTimes {
  /** From the loss of the quorum until the gate pauses. */
  readonly pauseAfterMs: number;
  /** The budget: how long it may be paused before training terminates. */
  readonly terminateAfterMs: number;
  /** What the budget is for: each pause anew, or all pauses together. */
  readonly budget: 'perPause' | 'cumulative';
  /** From each start until the first quorum must be there; undefined: for ever. */
  readonly gatherTimeoutMs?: number | undefined;
  /** From the wish to terminate until the model must have been delivered. */
  readonly deliveryTimeoutMs: number;
}

export interface GateInput extends GateTimes, GateRecord {
  /** With fewer nodes it pauses; at least 1. */
  readonly minNodes: number;
  /** With so many it opens; at least `minNodes`. */
  readonly resumeNodes: number;
}

/** A node that is online at the hub. */
export interface GateMember {
  readonly node: string;
  /** Grows with each time that the node comes online. */
  readonly epoch: number;
}

interface Control {
  /** Number of the present opening, pause or termination. */
  readonly epoch: number;
  readonly minNodes: number;
  readonly resumeNodes: number;
  readonly gathering: 'limited' | 'unlimited';
  readonly from: GateRecord['from'];
  /** Those that have not acknowledged the model yet, by their ids. */
  readonly joined: readonly GateMember[];
  /** Those that have: they count. By their ids. */
  readonly synced: readonly GateMember[];
}

/** Why training came to its end. */
export type GateEnd = 'completed' | 'budget_spent' | 'gather_timed_out' | 'requested';

interface Ledger {
  readonly times: GateTimes;
  /** Of the budget, when the present pause began, or was last measured. */
  readonly consumedMs: number;
  /** Since then the budget runs. */
  readonly runningSince: number;
  /** When the quorum was lost. */
  readonly belowSince: number;
  readonly pauses: number;
  /** In all pauses that are over or measured, of this run of the hub. */
  readonly pausedMs: number;
  readonly staleEvents: number;
  readonly end: GateEnd;
  readonly reason: string;
  readonly model: 'undelivered' | 'delivered';
}

export type GateContext = Context<Control, Ledger>;

interface OfNode extends GateMember {
  readonly at: number;
}

interface OfGate {
  /** Number of the opening, pause or termination that it speaks of. */
  readonly epoch: number;
  readonly at: number;
}

export type GateEvent =
  /** The trainer is ready to hear of nodes. */
  | { type: 'training.started'; at: number }
  /** All rounds are committed. */
  | { type: 'training.completed'; at: number }
  | { type: 'termination.requested'; reason: string; at: number }
  /** It is online at the hub. Of one node's events, those of a greater epoch come later. */
  | ({ type: 'node.joined' } & OfNode)
  /** It acknowledged the present model. */
  | ({ type: 'node.synced' } & OfNode)
  /** It is away, or gone. */
  | ({ type: 'node.left' } & OfNode)
  /** Answers `measureBudget`. */
  | ({ type: 'budget.measured' } & OfGate)
  | ({ type: 'model.delivered' } & OfGate)
  | ({ type: 'model.failed'; reason: string } & OfGate);

const late = {
  'budget.measured': { actions: 'noteStale' },
  'model.delivered': { actions: 'noteStale' },
  'model.failed': { actions: 'noteStale' },
} as const;

/** Nodes come and go, and nothing but the sets of them changes. */
const members = {
  'node.joined': [{ guard: 'isNewer', actions: ['admit', 'sendSync'] }, { actions: 'noteStale' }],
  'node.synced': [{ guard: 'awaitsSync', actions: 'count' }, { actions: 'noteStale' }],
  'node.left': [{ guard: 'isMember', actions: 'dismiss' }, { actions: 'noteStale' }],
} as const;

const ends = {
  'training.completed': { target: '#gate.completed', actions: 'noteCompleted' },
  'termination.requested': { target: '#gate.terminating', actions: 'noteRequested' },
} as const;

/** A gate that waits without a limit looks up this often: no clock's timer is longer (32 bits). */
const LONGEST_WAIT_MS = 2 ** 31 - 1;

/**
 * From one record of the consumed budget to the next. A hub that is killed loses at most this of it at each restart:
 * a two-thousandth of the budget, between 5 and 100 ms.
 */
export function budgetRecordIntervalMs(terminateAfterMs: number): number {
  return Math.max(5, Math.min(100, terminateAfterMs / 2_000));
}

/** Sets are in the order of ids, by code units: where this one stands, or would. */
function placeIn(set: readonly GateMember[], node: string): number {
  let [low, high] = [0, set.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((set[middle]?.node ?? '') < node) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** 0: it is not in it. */
function epochIn(set: readonly GateMember[], node: string): number {
  const found = set[placeIn(set, node)];
  return found?.node === node ? found.epoch : 0;
}

const without = (set: readonly GateMember[], node: string): readonly GateMember[] =>
  epochIn(set, node) === 0 ? set : set.toSpliced(placeIn(set, node), 1);
const withMember = (set: readonly GateMember[], { node, epoch }: GateMember): readonly GateMember[] =>
  without(set, node).toSpliced(placeIn(set, node), 0, { node, epoch });

interface Given {
  readonly context: GateContext;
  readonly event: GateEvent;
}

/** What an event about a node makes of the sets. */
const ofMember =
  (change: (control: Control, member: GateMember) => Pick<Control, 'joined' | 'synced'>) =>
  ({ context: { control }, event }: Given): Control =>
    'node' in event ? { ...control, ...change(control, event) } : control;

const isNewer = ({ context: { control }, event }: Given): boolean =>
  event.type === 'node.joined' &&
  event.epoch > Math.max(epochIn(control.joined, event.node), epochIn(control.synced, event.node));
const isCounted = ({ synced }: Control, node: string): boolean => epochIn(synced, node) > 0;
const awaitsSync = ({ context: { control }, event }: Given): boolean =>
  event.type === 'node.synced' && event.epoch > 0 && event.epoch === epochIn(control.joined, event.node);
const isMember = ({ context: { control }, event }: Given): boolean =>
  event.type === 'node.left' &&
  event.epoch > 0 &&
  [epochIn(control.joined, event.node), epochIn(control.synced, event.node)].includes(event.epoch);
/** With one fewer there are too few. */
const isLastOfQuorum = ({ context: { control }, event }: Given): boolean =>
  'node' in event && isCounted(control, event.node) && control.synced.length - 1 < control.minNodes;

/** What the budget lost since it was last looked at. */
function measured(ledger: Ledger, at: number): Ledger {
  const passedMs = Math.max(0, at - ledger.runningSince);
  return {
    ...ledger,
    runningSince: at,
    // A timer that is late spends no more than there is.
    consumedMs: Math.min(ledger.times.terminateAfterMs, ledger.consumedMs + passedMs),
    pausedMs: ledger.pausedMs + passedMs,
  };
}

export const gateMachine = setup({
  types: {} as { context: GateContext; events: GateEvent; input: GateInput },
  actions: {
    // effects
    sendSync: () => {},
    openGate: () => {},
    pauseGate: () => {},
    measureBudget: () => {},
    recordBudget: () => {},
    deliverModel: () => {},
    announceEnd: () => {},
    // assigns
    advanceEpoch: assign({
      control: ({ context: { control } }) => ({ ...control, epoch: control.epoch + 1 }),
    }),
    admit: assign({
      control: ofMember(({ joined, synced }, member) => ({
        joined: withMember(joined, member),
        synced: without(synced, member.node),
      })),
    }),
    count: assign({
      control: ofMember(({ joined, synced }, member) => ({
        joined: without(joined, member.node),
        synced: withMember(synced, member),
      })),
    }),
    dismiss: assign({
      control: ofMember(({ joined, synced }, { node }) => ({
        joined: without(joined, node),
        synced: without(synced, node),
      })),
    }),
    // From here on a restart waits for the quorum with a budget.
    noteOpened: assign({ control: ({ context: { control } }) => ({ ...control, from: 'paused' as const }) }),
    startBudget: assign({
      ledger: ({ context: { ledger }, event }) =>
        'at' in event ? { ...ledger, runningSince: event.at } : ledger,
    }),
    startBudgetLate: assign({
      ledger: ({ context: { ledger } }) => ({
        ...ledger,
        runningSince: ledger.belowSince + ledger.times.pauseAfterMs,
      }),
    }),
    noteBelow: assign({
      ledger: ({ context: { ledger }, event }) =>
        'at' in event ? { ...ledger, belowSince: event.at } : ledger,
    }),
    notePause: assign({ ledger: ({ context: { ledger } }) => ({ ...ledger, pauses: ledger.pauses + 1 }) }),
    measure: assign({
      ledger: ({ context: { ledger }, event }) => ('at' in event ? measured(ledger, event.at) : ledger),
    }),
    // Each pause has a budget of its own, unless all share one.
    settleBudget: assign({
      ledger: ({ context: { ledger } }) => ({
        ...ledger,
        consumedMs: ledger.times.budget === 'cumulative' ? ledger.consumedMs : 0,
      }),
    }),
    noteSpent: assign({
      ledger: ({ context: { control, ledger } }) => ({
        ...ledger,
        consumedMs: ledger.times.terminateAfterMs,
        pausedMs: ledger.pausedMs + Math.max(0, ledger.times.terminateAfterMs - ledger.consumedMs),
        end: 'budget_spent' as const,
        reason:
          `paused for ${ledger.times.terminateAfterMs} ms` +
          `${ledger.times.budget === 'cumulative' ? ' in all' : ''}: ${control.synced.length} of ` +
          `${control.resumeNodes} nodes are online and have the model`,
      }),
    }),
    noteUngathered: assign({
      ledger: ({ context: { control, ledger } }) => ({
        ...ledger,
        end: 'gather_timed_out' as const,
        reason:
          `${control.synced.length} of ${control.resumeNodes} nodes were online and had the model ` +
          `within ${String(ledger.times.gatherTimeoutMs)} ms`,
      }),
    }),
    noteRequested: assign({
      ledger: ({ context: { ledger }, event }) =>
        event.type === 'termination.requested'
          ? { ...ledger, end: 'requested' as const, reason: event.reason }
          : ledger,
    }),
    noteCompleted: assign({
      ledger: ({ context: { ledger } }) => ({
        ...ledger,
        end: 'completed' as const,
        reason: 'all rounds are committed',
        model: 'delivered' as const,
      }),
    }),
    noteDelivered: assign({
      ledger: ({ context: { ledger } }) => ({ ...ledger, model: 'delivered' as const }),
    }),
    noteUndelivered: assign({
      ledger: ({ context: { ledger }, event }) => ({
        ...ledger,
        reason:
          `${ledger.reason}; the model was not delivered` +
          (event.type === 'model.failed'
            ? `: ${event.reason}`
            : ` within ${ledger.times.deliveryTimeoutMs} ms`),
      }),
    }),
    // Who starts training again after its end means it: all of the budget is there again.
    forgetBudget: assign({
      control: ({ context: { control } }) => ({ ...control, from: 'gathering' as const }),
      ledger: ({ context: { ledger } }) => ({ ...ledger, consumedMs: 0 }),
    }),
    noteStale: assign({
      ledger: ({ context: { ledger } }) => ({ ...ledger, staleEvents: ledger.staleEvents + 1 }),
    }),
  },
  guards: {
    isNewer,
    awaitsSync,
    isMember,
    // In a pause, `resumeNodes` open it; while it is open, `minNodes` keep it so.
    completesQuorum: (given) =>
      awaitsSync(given) && given.context.control.synced.length + 1 >= given.context.control.resumeNodes,
    keepsOpen: (given) =>
      awaitsSync(given) && given.context.control.synced.length + 1 >= given.context.control.minNodes,
    leavesTooFew: (given) => isMember(given) && isLastOfQuorum(given),
    returnsTooFew: (given) => isNewer(given) && isLastOfQuorum(given),
    hasQuorum: ({ context: { control } }) => control.synced.length >= control.resumeNodes,
    wasOpen: ({ context: { control } }) => control.from === 'paused',
    hasGatherLimit: ({ context: { control } }) => control.gathering === 'limited',
    current: ({ context: { control }, event }) => 'epoch' in event && event.epoch === control.epoch,
  },
  delays: {
    gatherTimeout: ({ context }) => context.ledger.times.gatherTimeoutMs ?? LONGEST_WAIT_MS,
    pauseDebounce: ({ context }) => context.ledger.times.pauseAfterMs,
    budgetLeft: ({ context: { ledger } }) => Math.max(0, ledger.times.terminateAfterMs - ledger.consumedMs),
    budgetRecordInterval: ({ context }) => budgetRecordIntervalMs(context.ledger.times.terminateAfterMs),
    deliveryTimeout: ({ context }) => context.ledger.times.deliveryTimeoutMs,
  },
}).createMachine({
  id: 'gate',
  context: ({ input: { minNodes, resumeNodes, consumedMs, from, ...times } }) => ({
    control: {
      epoch: 0,
      minNodes,
      resumeNodes,
      gathering: times.gatherTimeoutMs === undefined ? 'unlimited' : 'limited',
      from,
      joined: [],
      synced: [],
    },
    ledger: {
      times,
      consumedMs,
      runningSince: 0,
      belowSince: 0,
      pauses: 0,
      pausedMs: 0,
      staleEvents: 0,
      end: 'completed',
      reason: '',
      model: 'undelivered',
    },
  }),
  initial: 'starting',
  states: {
    starting: {
      on: {
        ...late,
        ...members,
        ...ends,
        'training.started': [
          { guard: 'hasQuorum', target: 'open', actions: 'settleBudget' },
          { guard: 'wasOpen', target: 'paused', actions: 'startBudget' },
          { target: 'gathering' },
        ],
      },
    },
    // The quorum was never there. Who waits with a limit said so.
    gathering: {
      after: {
        gatherTimeout: [
          { guard: 'hasGatherLimit', target: 'terminating', actions: 'noteUngathered' },
          { target: 'gathering', reenter: true },
        ],
      },
      on: {
        ...late,
        ...members,
        ...ends,
        'training.started': {},
        'node.synced': [
          { guard: 'completesQuorum', target: 'open', actions: 'count' },
          { guard: 'awaitsSync', actions: 'count' },
          { actions: 'noteStale' },
        ],
      },
    },
    open: {
      // The record comes first: a restart from here on is a pause.
      entry: ['advanceEpoch', 'noteOpened', 'recordBudget', 'openGate'],
      initial: 'steady',
      on: { ...late, ...members, ...ends, 'training.started': {} },
      states: {
        steady: {
          on: {
            'node.left': [
              { guard: 'leavesTooFew', target: 'wavering', actions: ['noteBelow', 'dismiss'] },
              { guard: 'isMember', actions: 'dismiss' },
              { actions: 'noteStale' },
            ],
            // It comes back before its leaving was told: what it had acknowledged does not count any more.
            'node.joined': [
              { guard: 'returnsTooFew', target: 'wavering', actions: ['noteBelow', 'admit', 'sendSync'] },
              { guard: 'isNewer', actions: ['admit', 'sendSync'] },
              { actions: 'noteStale' },
            ],
          },
        },
        // Too few; perhaps not for long.
        wavering: {
          after: { pauseDebounce: { target: '#gate.paused', actions: 'startBudgetLate' } },
          on: {
            'node.synced': [
              { guard: 'keepsOpen', target: 'steady', actions: 'count' },
              { guard: 'awaitsSync', actions: 'count' },
              { actions: 'noteStale' },
            ],
          },
        },
      },
    },
    // Its budget runs from its entry to its end: nothing that happens inside touches that timer.
    paused: {
      entry: ['advanceEpoch', 'notePause', 'pauseGate'],
      initial: 'counting',
      after: { budgetLeft: { target: 'terminating', actions: 'noteSpent' } },
      on: {
        ...late,
        ...members,
        ...ends,
        'training.started': {},
        'training.completed': { target: 'completed', actions: ['measure', 'noteCompleted'] },
        'termination.requested': { target: 'terminating', actions: ['measure', 'noteRequested'] },
        'node.synced': [
          { guard: 'completesQuorum', target: 'open', actions: ['measure', 'settleBudget', 'count'] },
          { guard: 'awaitsSync', actions: 'count' },
          { actions: 'noteStale' },
        ],
      },
      states: {
        counting: { after: { budgetRecordInterval: 'measuring' } },
        // A delay that is over does not say when it is: timers come late, and the sum of that would be lost.
        measuring: {
          entry: 'measureBudget',
          on: {
            'budget.measured': [
              { guard: 'current', target: 'counting', actions: ['measure', 'recordBudget'] },
              { actions: 'noteStale' },
            ],
          },
        },
      },
    },
    // The round is being finished or abandoned, the model saved and delivered: nodes make no difference any more.
    terminating: {
      entry: ['advanceEpoch', 'deliverModel'],
      after: { deliveryTimeout: { target: 'terminated', actions: 'noteUndelivered' } },
      on: {
        ...late,
        'training.started': {},
        // The round in hand was the last one: nothing is left to be resumed, whoever asked for the end.
        'training.completed': { target: 'completed', actions: 'noteCompleted' },
        'termination.requested': {},
        'node.joined': {},
        'node.synced': {},
        'node.left': {},
        'model.delivered': [
          { guard: 'current', target: 'terminated', actions: 'noteDelivered' },
          { actions: 'noteStale' },
        ],
        'model.failed': [
          { guard: 'current', target: 'terminated', actions: 'noteUndelivered' },
          { actions: 'noteStale' },
        ],
      },
    },
    terminated: { type: 'final', entry: ['forgetBudget', 'recordBudget', 'announceEnd'] },
    completed: { type: 'final', entry: ['forgetBudget', 'recordBudget', 'announceEnd'] },
  },
});

type Args = EffectArgs<GateContext>;
const ofGate = ({ context: { control } }: Args) => ({ epoch: control.epoch });

/** What is written down of a gate. */
export const gateRecord = ({ control, ledger }: GateContext): GateRecord => ({
  consumedMs: ledger.consumedMs,
  from: control.from,
});

/** The nodes that count, in the order of their ids. */
export const countedNodes = ({ control }: GateContext): string[] => control.synced.map(({ node }) => node);

export const gateEffects = {
  /** Give the node the present model; answer with `node.synced` and this epoch when it acknowledged it. */
  sendSync: ({ event }: Args) => ({
    node: 'node' in event ? String(event.node) : '',
    epoch: 'epoch' in event ? Number(event.epoch) : 0,
  }),
  /** Rounds may run. */
  openGate: ({ context }: Args) => ({ epoch: context.control.epoch, nodes: countedNodes(context) }),
  /** No round may begin; one that runs is asked to end. */
  pauseGate: ({ context: { control, ledger } }: Args) => ({
    epoch: control.epoch,
    online: control.synced.length,
    needed: control.resumeNodes,
    leftMs: Math.max(0, ledger.times.terminateAfterMs - ledger.consumedMs),
  }),
  /** Answer with `budget.measured` at once: its mailbox stamps the time. */
  measureBudget: ofGate,
  /** Write the record down, in the order in which it is asked for. */
  recordBudget: ({ context }: Args) => gateRecord(context),
  /** End the round, save the model and deliver it; answer with `model.delivered` or `model.failed`. */
  deliverModel: ({ context: { control, ledger } }: Args) => ({
    epoch: control.epoch,
    end: ledger.end,
    reason: ledger.reason,
  }),
  /** Training is over. */
  announceEnd: ({ context: { control, ledger } }: Args) => ({
    epoch: control.epoch,
    end: ledger.end,
    reason: ledger.reason,
    model: ledger.model,
    pauses: ledger.pauses,
    pausedMs: ledger.pausedMs,
  }),
};

const gate = { epoch: 1, at: 10 };
const aboutNode = (node: string): GateEvent[] => [
  { type: 'node.joined', node, epoch: 1, at: 5 },
  { type: 'node.synced', node, epoch: 1, at: 6 },
  { type: 'node.left', node, epoch: 1, at: 7 },
];

export const gateExamples: readonly GateEvent[] = [
  { type: 'training.started', at: 1 },
  { type: 'training.completed', at: 1 },
  { type: 'termination.requested', at: 1, reason: 'the operator asked for it' },
  ...aboutNode('n1'),
  ...aboutNode('n2'),
  ...aboutNode('n3'),
  { type: 'budget.measured', ...gate },
  { type: 'model.delivered', ...gate },
  { type: 'model.failed', ...gate, reason: 'the store is not reachable' },
];

export const gateInput: GateInput = {
  minNodes: 2,
  resumeNodes: 3,
  pauseAfterMs: 0,
  terminateAfterMs: 300_000,
  budget: 'perPause',
  gatherTimeoutMs: 600_000,
  deliveryTimeoutMs: 60_000,
  consumedMs: 0,
  from: 'gathering',
};
