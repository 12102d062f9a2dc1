// The endpoints that failed: who is in, in what order, how many there were, and whose turn it is to be probed.
// Invariant: an endpoint is in it at most once; no more are probed at a time than there are slots.
import { assign, setup } from 'xstate';
import type { Context, EffectArgs } from './types.ts';

/**
 * - `waiting`: for its time.
 * - `due`: for a slot.
 * - `probing`: has a slot.
 * - `held`: was verified as often as it may be; an operator decides.
 * - `out`: is healthy, as far as the queue heard. It is remembered for its epoch alone.
 */
export type QueuePhase = 'waiting' | 'due' | 'probing' | 'held' | 'out';

interface Entry {
  readonly endpoint: string;
  /** The newest epoch that was heard of. */
  readonly epoch: number;
  readonly phase: QueuePhase;
  /** Verifications that failed, up to the maximum; 0 where there is none. */
  readonly verifications: number;
}

export interface QueueTotals {
  /** Endpoints that came in. One that fails again while it is in does not come in again. */
  readonly totalFailed: number;
  readonly totalRecovered: number;
  /** Slots that were granted. */
  readonly totalProbes: number;
  /** Endpoints that an operator put back into service. */
  readonly totalCleared: number;
}

/** What survives a restart: durations, never deadlines, so downtime does not count. */
export interface FailureQueueRecord extends QueueTotals {
  /** In the order of the queue. */
  readonly entries: readonly {
    readonly endpoint: string;
    readonly epoch: number;
    readonly held: 0 | 1;
    readonly verifications: number;
    readonly remainingMs: number;
    readonly ejections: number;
  }[];
}

export interface FailureQueueInput {
  /** Endpoints that may be probed at a time. */
  readonly slots: number;
  /** Verifications of one endpoint that may fail in a row, until it is held; 0 = any number. */
  readonly maxVerifications: number;
  /** What is left of all times is written down this often, in milliseconds. */
  readonly checkpointMs: number;
  readonly record: FailureQueueRecord;
}

interface Control {
  readonly slots: number;
  readonly maxVerifications: number;
  readonly entries: readonly Entry[];
}

/** What an endpoint said of itself when it came in. */
interface Fact {
  readonly endpoint: string;
  /** When its time is over; before the queue serves, as if it had begun at 0. Of one that does not wait there is none. */
  readonly dueAt?: number;
  readonly ejections: number;
}

interface Ledger extends QueueTotals {
  readonly checkpointMs: number;
  /** When it last heard of the time. */
  readonly at: number;
  /** One of each endpoint that is in. A list: to copy a record of thousands takes fifty times as long. */
  readonly facts: readonly Fact[];
  readonly staleEvents: number;
}

export type FailureQueueContext = Context<Control, Ledger>;

export type FailureQueueEvent =
  /** It serves from now on: times run. */
  | { type: 'queue.opened'; at: number }
  | {
      type: 'endpoint.ejected';
      endpoint: string;
      epoch: number;
      waitMs: number;
      ejections: number;
      at: number;
    }
  | { type: 'endpoint.recovered'; endpoint: string; epoch: number; at: number }
  /** It does not exist any more. */
  | { type: 'endpoint.removed'; endpoint: string; at: number }
  /** Somebody looked how much time has passed. */
  | { type: 'time.read'; at: number }
  | { type: 'wait.elapsed'; endpoint: string; epoch: number; at: number }
  /** An operator has an endpoint probed as soon as a slot is free. */
  | { type: 'retry.requested'; endpoint: string; at: number }
  /** An operator puts all of them back into service. */
  | { type: 'clear.requested'; at: number }
  | { type: 'stop.requested'; at: number };

const isIn = ({ phase }: Entry): boolean => phase !== 'out';
const isWaiting = ({ phase }: Entry): boolean => phase === 'waiting';
/** A loop, since thousands may be ejected at once, and each is looked for. */
function find({ entries }: Control, endpoint: string): Entry | undefined {
  for (const entry of entries) if (entry.endpoint === endpoint) return entry;
  return undefined;
}
const without = ({ entries }: Control, endpoint: string): readonly Entry[] =>
  entries.filter((entry) => entry.endpoint !== endpoint);

/** Verifications that have failed, once it is ejected again. */
const verified = ({ maxVerifications }: Control, { phase, verifications }: Entry): number =>
  Math.min(maxVerifications, verifications + (phase === 'probing' ? 1 : 0));

type Ejected = Extract<FailureQueueEvent, { type: 'endpoint.ejected' }>;

/** The entry of one that is ejected. */
function ejected(control: Control, known: Entry | undefined, { endpoint, epoch }: Ejected): Entry {
  const { maxVerifications } = control;
  if (known === undefined || !isIn(known)) return { endpoint, epoch, phase: 'waiting', verifications: 0 };
  const verifications = verified(control, known);
  const phase = maxVerifications > 0 && verifications === maxVerifications ? 'held' : 'waiting';
  return { endpoint, epoch, phase, verifications };
}

/** The entries after an event that is not stale; slots are granted afterwards. */
function changed(control: Control, event: FailureQueueEvent): readonly Entry[] {
  const { entries } = control;
  switch (event.type) {
    case 'endpoint.ejected': {
      const known = find(control, event.endpoint);
      const entry = ejected(control, known, event);
      if (known === undefined) return [...entries, entry];
      if (!isIn(known)) return [...without(control, event.endpoint), entry];
      // It keeps its place.
      return entries.map((one) => (one === known ? entry : one));
    }
    case 'endpoint.recovered':
      return entries.map((entry) =>
        entry.endpoint === event.endpoint
          ? { ...entry, epoch: event.epoch, phase: 'out', verifications: 0 }
          : entry,
      );
    case 'endpoint.removed':
      return without(control, event.endpoint);
    case 'wait.elapsed': {
      // Behind those that are due already.
      const due = find(control, event.endpoint);
      return due === undefined ? entries : [...without(control, event.endpoint), { ...due, phase: 'due' }];
    }
    case 'retry.requested': {
      const wanted = find(control, event.endpoint);
      if (wanted === undefined || (!isWaiting(wanted) && wanted.phase !== 'held')) return entries;
      return [{ ...wanted, phase: 'due', verifications: 0 }, ...without(control, event.endpoint)];
    }
    case 'clear.requested':
      return entries.map((entry) => ({ ...entry, phase: 'out', verifications: 0 }));
    default:
      return entries;
  }
}

/** Whether anybody waits after an event that is not stale: the same as `changed` says, at a fraction of its cost. */
function waitsAfter(control: Control, event: FailureQueueEvent): boolean {
  const { entries, maxVerifications } = control;
  if (!('endpoint' in event)) return entries.some(isWaiting);
  if (event.type === 'endpoint.ejected') {
    const known = maxVerifications === 0 ? undefined : find(control, event.endpoint);
    if (known === undefined || !isIn(known) || verified(control, known) < maxVerifications) return true;
  }
  return entries.some((entry) => isWaiting(entry) && entry.endpoint !== event.endpoint);
}

/** Those that are due and for which there is a slot. */
function granted({ entries, slots }: Control): readonly Entry[] {
  let free = slots;
  const due: Entry[] = [];
  for (const entry of entries) {
    if (entry.phase === 'probing') free -= 1;
    else if (entry.phase === 'due' && due.length < slots) due.push(entry);
  }
  return due.slice(0, Math.max(0, free));
}

const leftOf = ({ at }: Ledger, { dueAt = at }: Partial<Fact> = {}): number => Math.max(0, dueAt - at);
const byEndpoint = (facts: readonly Fact[]): ReadonlyMap<string, Fact> =>
  new Map(facts.map((fact) => [fact.endpoint, fact]));
const factsWithout = ({ facts }: Ledger, endpoint: string): readonly Fact[] =>
  facts.filter((fact) => fact.endpoint !== endpoint);
/** Its time runs no longer. */
const factsWithoutTime = ({ facts }: Ledger, endpoint: string): readonly Fact[] =>
  facts.map((fact) => (fact.endpoint === endpoint ? { endpoint, ejections: fact.ejections } : fact));

function recounted(ledger: Ledger, control: Control, event: FailureQueueEvent): Ledger {
  const { totalFailed, totalRecovered, totalCleared } = ledger;
  switch (event.type) {
    case 'endpoint.ejected': {
      const { endpoint, waitMs, ejections, at } = event;
      const known = find(control, endpoint);
      const isNew = known === undefined || !isIn(known);
      const waits = isWaiting(ejected(control, known, event));
      const fact = { endpoint, ejections, ...(waits ? { dueAt: at + waitMs } : {}) };
      return {
        ...ledger,
        facts: [...(isNew ? ledger.facts : factsWithout(ledger, endpoint)), fact],
        totalFailed: totalFailed + (isNew ? 1 : 0),
      };
    }
    case 'wait.elapsed':
    case 'retry.requested':
      return { ...ledger, facts: factsWithoutTime(ledger, event.endpoint) };
    case 'endpoint.recovered':
      return {
        ...ledger,
        facts: factsWithout(ledger, event.endpoint),
        totalRecovered: totalRecovered + 1,
      };
    case 'endpoint.removed':
      return { ...ledger, facts: factsWithout(ledger, event.endpoint) };
    case 'clear.requested':
      return { ...ledger, facts: [], totalCleared: totalCleared + control.entries.filter(isIn).length };
    default:
      return ledger;
  }
}

const change = ['note', 'apply', 'grantSlots', 'takeSlots', 'keepRecord'] as const;

/** What changes who is in: those that are due get the slots that are free, and the rest of the times runs on. */
const changes = [
  { guard: 'someoneWaits', target: 'waiting', reenter: true, actions: change },
  { target: 'idle', actions: change },
] as const;

const fencedChanges = [{ guard: 'stale', actions: 'noteStale' }, ...changes] as const;

const always = {
  'queue.opened': {},
  'endpoint.ejected': fencedChanges,
  'clear.requested': { target: 'idle', actions: ['releaseEndpoints', ...change] },
  'stop.requested': { target: 'closed', actions: ['note', 'keepRecord'] },
} as const;

export const failureQueueMachine = setup({
  types: {} as { context: FailureQueueContext; events: FailureQueueEvent; input: FailureQueueInput },
  actions: {
    // effects
    grantSlots: () => {},
    releaseEndpoints: () => {},
    readTime: () => {},
    reportElapsed: () => {},
    keepRecord: () => {},
    // assigns
    note: assign({
      ledger: ({ context: { ledger }, event }) => ('at' in event ? { ...ledger, at: event.at } : ledger),
    }),
    // Times run from now on.
    arm: assign({
      ledger: ({ context: { ledger }, event }) => {
        if (!('at' in event)) return ledger;
        const { at } = event;
        const facts = ledger.facts.map(({ dueAt, ...fact }): Fact =>
          dueAt === undefined ? fact : { ...fact, dueAt: at + dueAt },
        );
        return { ...ledger, at, facts };
      },
    }),
    apply: assign({
      control: ({ context: { control }, event }) => ({ ...control, entries: changed(control, event) }),
      ledger: ({ context: { control, ledger }, event }) => recounted(ledger, control, event),
    }),
    takeSlots: assign({
      control: ({ context: { control } }) => {
        const grants = granted(control);
        if (grants.length === 0) return control;
        const entries = control.entries.map((entry): Entry =>
          grants.includes(entry) ? { ...entry, phase: 'probing' } : entry,
        );
        return { ...control, entries };
      },
      ledger: ({ context: { control, ledger } }) => ({
        ...ledger,
        totalProbes: ledger.totalProbes + granted(control).length,
      }),
    }),
    noteStale: assign({
      ledger: ({ context: { ledger } }) => ({ ...ledger, staleEvents: ledger.staleEvents + 1 }),
    }),
  },
  guards: {
    someoneWaits: ({ context: { control }, event }) => waitsAfter(control, event),
    // Of an endpoint that was never heard of, the first ejection has epoch 1.
    stale: ({ context: { control }, event }) => {
      if (!('epoch' in event)) return false;
      const known = find(control, event.endpoint);
      if (event.type === 'wait.elapsed')
        return known === undefined || known.epoch !== event.epoch || !isWaiting(known);
      if (event.type === 'endpoint.recovered' && (known === undefined || !isIn(known))) return true;
      return event.epoch <= (known?.epoch ?? 0);
    },
  },
  delays: {
    /**
     * Until the first of them is due, or until what is left is to be written down. In whole milliseconds: less than a clock
     * can tell apart would never pass.
     */
    lookInterval: ({ context: { ledger } }) => {
      let leastMs = ledger.checkpointMs;
      for (const fact of ledger.facts)
        if (fact.dueAt !== undefined) leastMs = Math.min(leastMs, leftOf(ledger, fact));
      return Math.ceil(leastMs);
    },
  },
}).createMachine({
  id: 'failure-queue',
  context: ({ input: { record, ...options } }) => ({
    control: {
      slots: options.slots,
      maxVerifications: options.maxVerifications,
      entries: record.entries.map(({ endpoint, epoch, held, verifications }) => ({
        endpoint,
        epoch,
        phase: held === 1 ? 'held' : 'waiting',
        verifications,
      })),
    },
    ledger: {
      checkpointMs: options.checkpointMs,
      at: 0,
      facts: record.entries.map(({ endpoint, held, remainingMs, ejections }) =>
        held === 1 ? { endpoint, ejections } : { endpoint, ejections, dueAt: remainingMs },
      ),
      totalFailed: record.totalFailed,
      totalRecovered: record.totalRecovered,
      totalProbes: record.totalProbes,
      totalCleared: record.totalCleared,
      staleEvents: 0,
    },
  }),
  initial: 'starting',
  states: {
    // Times do not run: its pool does not serve yet.
    starting: {
      on: {
        'queue.opened': [
          { guard: 'someoneWaits', target: 'waiting', actions: 'arm' },
          { target: 'idle', actions: 'arm' },
        ],
        'endpoint.ejected': { actions: 'noteStale' },
        'endpoint.recovered': { actions: 'noteStale' },
        'endpoint.removed': {},
        'time.read': {},
        'wait.elapsed': { actions: 'noteStale' },
        'retry.requested': {},
        'clear.requested': {},
        'stop.requested': 'closed',
      },
    },
    // No time runs: all that are in are due, are probed, or are held.
    idle: {
      on: {
        ...always,
        'endpoint.recovered': [{ guard: 'stale', actions: 'noteStale' }, { actions: change }],
        'endpoint.removed': { actions: change },
        'time.read': {},
        'wait.elapsed': { actions: 'noteStale' },
        'retry.requested': { actions: change },
      },
    },
    waiting: {
      // The expiry of a delay carries no time, and may come late: what has passed is asked for.
      after: { lookInterval: { actions: 'readTime' } },
      on: {
        ...always,
        'endpoint.recovered': fencedChanges,
        'endpoint.removed': changes,
        'wait.elapsed': fencedChanges,
        'retry.requested': changes,
        'time.read': {
          target: 'waiting',
          reenter: true,
          actions: ['note', 'keepRecord', 'reportElapsed'],
        },
      },
    },
    closed: { type: 'final' },
  },
});

type Args = EffectArgs<FailureQueueContext>;
const named = ({ endpoint, epoch }: Entry) => ({ endpoint, epoch });

/** What is written down of it. */
export function failureQueueRecord({ control, ledger }: FailureQueueContext): FailureQueueRecord {
  const facts = byEndpoint(ledger.facts);
  return {
    totalFailed: ledger.totalFailed,
    totalRecovered: ledger.totalRecovered,
    totalProbes: ledger.totalProbes,
    totalCleared: ledger.totalCleared,
    entries: control.entries.filter(isIn).map(({ endpoint, epoch, phase, verifications }) => ({
      endpoint,
      epoch,
      held: phase === 'held' ? 1 : 0,
      verifications,
      // A probe that was under way is gone with its process: it is due again at once.
      remainingMs: phase === 'waiting' ? leftOf(ledger, facts.get(endpoint)) : 0,
      ejections: facts.get(endpoint)?.ejections ?? 0,
    })),
  };
}

export const failureQueueEffects = {
  /** Tell each of these that it is to be probed now: `slot.granted` with its epoch. */
  grantSlots: ({ context: { control } }: Args) => ({ grants: granted(control).map(named) }),
  /** Tell each of these that it serves again: `release.requested`. */
  releaseEndpoints: ({ context: { control } }: Args) => ({
    endpoints: control.entries.filter(isIn).map(({ endpoint }) => endpoint),
  }),
  /** Answer with `time.read`. */
  readTime: (_: Args) => ({}),
  /** Answer with `wait.elapsed` for each of these of which nothing is left. */
  reportElapsed: ({ context: { control, ledger } }: Args) => {
    const facts = byEndpoint(ledger.facts);
    const waiting = control.entries
      .filter(isWaiting)
      .map((entry) => ({ ...named(entry), remainingMs: leftOf(ledger, facts.get(entry.endpoint)) }));
    return { waiting };
  },
  /** The record has changed: keep the one that is the newest when you get to it. */
  keepRecord: (_: Args) => ({}),
};

const ofA = { endpoint: 'a', epoch: 1, at: 10 };
const ofB = { endpoint: 'b', epoch: 1, at: 10 };

export const failureQueueExamples: readonly FailureQueueEvent[] = [
  { type: 'queue.opened', at: 5 },
  { type: 'endpoint.ejected', ...ofA, waitMs: 30_000, ejections: 1 },
  { type: 'endpoint.recovered', ...ofA },
  { type: 'endpoint.removed', endpoint: 'a', at: 10 },
  { type: 'endpoint.removed', endpoint: 'b', at: 10 },
  { type: 'time.read', at: 10 },
  { type: 'wait.elapsed', ...ofA },
  { type: 'wait.elapsed', ...ofB },
  { type: 'retry.requested', endpoint: 'a', at: 10 },
  { type: 'clear.requested', at: 10 },
  { type: 'stop.requested', at: 10 },
];

/** The record of a queue in which nobody ever was. */
export const noFailures: FailureQueueRecord = {
  totalFailed: 0,
  totalRecovered: 0,
  totalProbes: 0,
  totalCleared: 0,
  entries: [],
};

export const failureQueueInput: FailureQueueInput = {
  slots: 1,
  maxVerifications: 2,
  checkpointMs: 1_000,
  record: {
    ...noFailures,
    totalFailed: 1,
    entries: [{ endpoint: 'b', epoch: 1, held: 0, verifications: 0, remainingMs: 1_500, ejections: 1 }],
  },
};
