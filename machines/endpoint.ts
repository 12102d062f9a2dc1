// Health of one HTTP endpoint: verdicts on its attempts, its breaker, and the probes that prove it healthy again.
// Invariant: a verdict of an older epoch is counted and changes nothing; one probe runs at a time, and it has a deadline.
import { assign, setup } from 'xstate';
import { jitter, type Context, type EffectArgs } from './types.ts';

/** Durations in milliseconds. */
export interface EndpointTimes {
  /** Out of service for this long after the first ejection, n times this after the n-th. */
  readonly ejectionMs: number;
  /** No wait is longer, except one that the endpoint asked for. */
  readonly maxEjectionMs: number;
  readonly probeTimeoutMs: number;
  /** Between two probes of which each must succeed. */
  readonly probeIntervalMs: number;
}

export interface EndpointInput extends EndpointTimes {
  /** Failures in a row that eject it. */
  readonly failureThreshold: number;
  /** Probes in a row that must succeed. */
  readonly rise: number;
  readonly seed: number;
  /** Of its last ejection, for one that was ejected when its pool ended; 0 otherwise. Ejections count from there. */
  readonly epoch: number;
  readonly ejections: number;
}

interface Control {
  /** Advances with each ejection, each probe and each return to service. Attempts and probes carry it. */
  readonly epoch: number;
  /** Failures in a row since it is in service, up to the threshold. */
  readonly failures: number;
  readonly failureThreshold: number;
  /** Probes in a row that succeeded. */
  readonly successes: number;
  readonly rise: number;
}

interface Ledger extends EndpointTimes {
  readonly seed: number;
  /** Verdicts of all kinds: late, abandoned and client faults too. */
  readonly totalRequests: number;
  readonly failedRequests: number;
  readonly clientFaults: number;
  readonly credentialFaults: number;
  readonly abandonedRequests: number;
  /** Of verdicts that were not late. A client fault says nothing of the endpoint and is passed over. */
  readonly consecutiveFailures: number;
  /** Refused credentials in a row, and when the last were. */
  readonly denials: number;
  readonly deniedAt: number;
  /** Of answers that were not late; −1 before the first. */
  readonly latencyEwmaMs: number;
  /** When the last of them came. */
  readonly answeredAt: number;
  /** Ejections and failed probes that are not forgiven yet. */
  readonly ejections: number;
  readonly totalEjections: number;
  /** When it last came into service. */
  readonly servesSince: number;
  /** Of the present ejection. */
  readonly waitMs: number;
  readonly probes: number;
  readonly failedProbes: number;
  readonly staleEvents: number;
}

export type EndpointContext = Context<Control, Ledger>;

interface Fenced {
  /** The endpoint's epoch when the attempt, the probe or the ejection that it speaks of began. */
  readonly epoch: number;
  readonly at: number;
}

export type EndpointEvent =
  /** It is new: it serves. */
  | { type: 'endpoint.opened'; at: number }
  /** It was ejected when its pool ended, and still waits in the queue. */
  | { type: 'endpoint.restored'; at: number }
  /** An operator puts it back into service, unproven. */
  | { type: 'release.requested'; at: number }
  | { type: 'removal.requested'; at: number }
  | ({ type: 'attempt.succeeded'; latencyMs: number } & Fenced)
  /** `retryAfterMs`: it asks to be left alone for so long, 0 when it does not. `room` 1: the pool can do without it. */
  | ({ type: 'attempt.failed'; retryAfterMs: number; room: 0 | 1 } & Fenced)
  /** The client's fault (most 4xx). */
  | ({ type: 'attempt.faulted' } & Fenced)
  /** Credentials were refused (401, 403). */
  | ({ type: 'attempt.denied' } & Fenced)
  /** Nobody waited for the answer any more. */
  | ({ type: 'attempt.abandoned' } & Fenced)
  /** Too large a part of the attempts of this epoch failed, as whoever counts them found. */
  | ({ type: 'rate.exceeded'; room: 0 | 1 } & Fenced)
  /** The queue lets it be probed. */
  | ({ type: 'slot.granted' } & Fenced)
  | ({ type: 'probe.succeeded' } & Fenced)
  | ({ type: 'probe.failed' } & Fenced);

/** Weight of the newest answer: about the last twenty count. One after a silence of `FRESH_MS` counts alone. */
const EWMA_WEIGHT = 0.1;
const FRESH_MS = 10_000;

/** A wait is up to this much longer than it need be, so that endpoints that failed together are not probed together. */
const JITTER = 0.1;

const lateVerdicts = {
  'attempt.succeeded': { actions: 'countLate' },
  'attempt.failed': { actions: 'countLate' },
  'attempt.faulted': { actions: 'countLate' },
  'attempt.denied': { actions: 'countLate' },
  'attempt.abandoned': { actions: 'countLate' },
} as const;

/** Verdicts that change no health, wherever they come. */
const harmless = {
  'attempt.faulted': [{ guard: 'current', actions: 'countNeutral' }, { actions: 'countLate' }],
  'attempt.denied': [{ guard: 'current', actions: 'countDenial' }, { actions: 'countLate' }],
  'attempt.abandoned': [{ guard: 'current', actions: 'countNeutral' }, { actions: 'countLate' }],
} as const;

const late = {
  'rate.exceeded': { actions: 'noteStale' },
  'slot.granted': { actions: 'noteStale' },
  'probe.succeeded': { actions: 'noteStale' },
  'probe.failed': { actions: 'noteStale' },
} as const;

/** Out of service it is tried only when nothing better is left. What comes of that proves nothing: probes do. */
const outOfService = {
  ...late,
  ...harmless,
  'attempt.succeeded': [{ guard: 'current', actions: 'countSuccess' }, { actions: 'countLate' }],
  'attempt.failed': [{ guard: 'current', actions: 'countFailure' }, { actions: 'countLate' }],
  'endpoint.opened': {},
  'endpoint.restored': {},
} as const;

const eject = ['advanceEpoch', 'clearFailures', 'noteEjection', 'announceEjected'] as const;

const inService = {
  ...late,
  ...harmless,
  'rate.exceeded': [
    { guard: 'mayGo', target: 'ejected', actions: eject },
    // Too many are out already.
    { guard: 'current' },
    { actions: 'noteStale' },
  ],
  'endpoint.opened': {},
  'endpoint.restored': {},
  'release.requested': {},
  'removal.requested': 'removed',
} as const;

const failed = [
  { guard: 'lastStraw', target: 'ejected', actions: ['countFailure', ...eject] },
  {
    guard: 'asksToWait',
    target: 'ejected',
    actions: ['countFailure', 'advanceEpoch', 'clearFailures', 'noteDeferral', 'announceEjected'],
  },
  { guard: 'current', target: 'suspect', actions: ['countFailure', 'addFailure'] },
  { actions: 'countLate' },
] as const;

const setBack = {
  target: 'ejected',
  actions: ['advanceEpoch', 'clearSuccesses', 'noteSetback', 'announceEjected'],
} as const;

const proven = ['advanceEpoch', 'clearFailures', 'clearSuccesses', 'noteService'] as const;
const released = [...proven, 'announceReleased'] as const;

/** One more verdict; what kind it is, its event says. */
function counted(ledger: Ledger, event: EndpointEvent): Ledger {
  const totalRequests = ledger.totalRequests + 1;
  switch (event.type) {
    case 'attempt.failed':
      return { ...ledger, totalRequests, failedRequests: ledger.failedRequests + 1 };
    case 'attempt.faulted':
      return { ...ledger, totalRequests, clientFaults: ledger.clientFaults + 1 };
    case 'attempt.denied':
      return { ...ledger, totalRequests, credentialFaults: ledger.credentialFaults + 1 };
    case 'attempt.abandoned':
      return { ...ledger, totalRequests, abandonedRequests: ledger.abandonedRequests + 1 };
    default:
      return { ...ledger, totalRequests };
  }
}

const afterEjection = (ledger: Ledger, ejections: number, leastMs: number, epoch: number): Ledger => {
  const { ejectionMs, maxEjectionMs, seed, totalEjections } = ledger;
  const own = Math.min(maxEjectionMs, ejectionMs * ejections * (1 + JITTER * jitter(seed, epoch)));
  return { ...ledger, ejections, totalEjections: totalEjections + 1, waitMs: Math.max(own, leastMs) };
};

/** For each `maxEjectionMs` in service one ejection is forgiven. */
const unforgiven = ({ ejections, servesSince, maxEjectionMs }: Ledger, at: number): number =>
  Math.max(0, ejections - Math.floor((at - servesSince) / maxEjectionMs));

export const endpointMachine = setup({
  types: {} as { context: EndpointContext; events: EndpointEvent; input: EndpointInput },
  actions: {
    // effects
    announceEjected: () => {},
    announceRecovered: () => {},
    announceReleased: () => {},
    announceRemoved: () => {},
    startProbe: () => {},
    abortProbe: () => {},
    // assigns
    advanceEpoch: assign({
      control: ({ context: { control } }) => ({ ...control, epoch: control.epoch + 1 }),
    }),
    addFailure: assign({
      control: ({ context: { control } }) => ({
        ...control,
        failures: Math.min(control.failureThreshold, control.failures + 1),
      }),
    }),
    clearFailures: assign({ control: ({ context: { control } }) => ({ ...control, failures: 0 }) }),
    addSuccess: assign({
      control: ({ context: { control } }) => ({ ...control, successes: control.successes + 1 }),
    }),
    clearSuccesses: assign({ control: ({ context: { control } }) => ({ ...control, successes: 0 }) }),
    countSuccess: assign({
      ledger: ({ context: { ledger }, event }) => {
        if (event.type !== 'attempt.succeeded') return ledger;
        const { latencyEwmaMs: before, answeredAt } = ledger;
        const weight =
          before < 0 ? 1 : Math.min(1, Math.max(EWMA_WEIGHT, (event.at - answeredAt) / FRESH_MS));
        return {
          ...ledger,
          totalRequests: ledger.totalRequests + 1,
          consecutiveFailures: 0,
          denials: 0,
          latencyEwmaMs: before + weight * (event.latencyMs - before),
          answeredAt: event.at,
        };
      },
    }),
    countFailure: assign({
      ledger: ({ context: { ledger } }) => ({
        ...ledger,
        totalRequests: ledger.totalRequests + 1,
        failedRequests: ledger.failedRequests + 1,
        consecutiveFailures: ledger.consecutiveFailures + 1,
      }),
    }),
    countNeutral: assign({ ledger: ({ context: { ledger }, event }) => counted(ledger, event) }),
    countDenial: assign({
      ledger: ({ context: { ledger }, event }) => ({
        ...counted(ledger, event),
        denials: ledger.denials + 1,
        deniedAt: 'at' in event ? event.at : ledger.deniedAt,
      }),
    }),
    countLate: assign({
      ledger: ({ context: { ledger }, event }) => ({
        ...counted(ledger, event),
        staleEvents: ledger.staleEvents + 1,
      }),
    }),
    noteEjection: assign({
      ledger: ({ context: { control, ledger }, event }) => {
        const at = 'at' in event ? event.at : ledger.servesSince;
        const leastMs = event.type === 'attempt.failed' ? event.retryAfterMs : 0;
        return afterEjection(ledger, unforgiven(ledger, at) + 1, leastMs, control.epoch);
      },
    }),
    // It is out because it asked for it: that is no reason to keep it out longer the next time.
    noteDeferral: assign({
      ledger: ({ context: { control, ledger }, event }) => {
        if (event.type !== 'attempt.failed') return ledger;
        return {
          ...ledger,
          ejections: unforgiven(ledger, event.at),
          totalEjections: ledger.totalEjections + 1,
          waitMs: event.retryAfterMs * (1 + JITTER * jitter(ledger.seed, control.epoch)),
        };
      },
    }),
    // A probe failed, or did not end in time. The expiry of a delay carries no time; none is needed.
    noteSetback: assign({
      ledger: ({ context: { control, ledger } }) => ({
        ...afterEjection(ledger, ledger.ejections + 1, 0, control.epoch),
        totalEjections: ledger.totalEjections,
        failedProbes: ledger.failedProbes + 1,
      }),
    }),
    noteProbe: assign({
      ledger: ({ context: { ledger } }) => ({ ...ledger, probes: ledger.probes + 1 }),
    }),
    noteService: assign({
      ledger: ({ context: { ledger }, event }) => ({
        ...ledger,
        consecutiveFailures: 0,
        servesSince: 'at' in event ? event.at : ledger.servesSince,
      }),
    }),
    noteStale: assign({
      ledger: ({ context: { ledger } }) => ({ ...ledger, staleEvents: ledger.staleEvents + 1 }),
    }),
  },
  guards: {
    current: ({ context, event }) => 'epoch' in event && event.epoch === context.control.epoch,
    lastStraw: ({ context: { control }, event }) =>
      event.type === 'attempt.failed' &&
      event.epoch === control.epoch &&
      event.room === 1 &&
      control.failures + 1 >= control.failureThreshold,
    asksToWait: ({ context: { control }, event }) =>
      event.type === 'attempt.failed' &&
      event.epoch === control.epoch &&
      event.room === 1 &&
      event.retryAfterMs > 0,
    mayGo: ({ context: { control }, event }) =>
      event.type === 'rate.exceeded' && event.epoch === control.epoch && event.room === 1,
    risen: ({ context: { control }, event }) =>
      'epoch' in event && event.epoch === control.epoch && control.successes + 1 >= control.rise,
  },
  delays: {
    probeTimeout: ({ context }) => context.ledger.probeTimeoutMs,
    probeInterval: ({ context }) => context.ledger.probeIntervalMs,
  },
}).createMachine({
  id: 'endpoint',
  context: ({ input }) => ({
    control: {
      epoch: input.epoch,
      failures: 0,
      failureThreshold: input.failureThreshold,
      successes: 0,
      rise: input.rise,
    },
    ledger: {
      ejectionMs: input.ejectionMs,
      maxEjectionMs: input.maxEjectionMs,
      probeTimeoutMs: input.probeTimeoutMs,
      probeIntervalMs: input.probeIntervalMs,
      seed: input.seed,
      totalRequests: 0,
      failedRequests: 0,
      clientFaults: 0,
      credentialFaults: 0,
      abandonedRequests: 0,
      consecutiveFailures: 0,
      denials: 0,
      deniedAt: 0,
      latencyEwmaMs: -1,
      answeredAt: 0,
      ejections: input.ejections,
      totalEjections: 0,
      servesSince: 0,
      waitMs: 0,
      probes: 0,
      failedProbes: 0,
      staleEvents: 0,
    },
  }),
  initial: 'starting',
  states: {
    starting: {
      on: {
        ...late,
        ...lateVerdicts,
        'endpoint.opened': { target: 'healthy', actions: 'noteService' },
        'endpoint.restored': 'ejected',
        'release.requested': {},
        'removal.requested': 'removed',
      },
    },
    healthy: {
      on: {
        ...inService,
        'attempt.succeeded': [{ guard: 'current', actions: 'countSuccess' }, { actions: 'countLate' }],
        'attempt.failed': failed,
      },
    },
    // It failed, and serves: the next success clears it.
    suspect: {
      on: {
        ...inService,
        'attempt.succeeded': [
          { guard: 'current', target: 'healthy', actions: ['countSuccess', 'clearFailures'] },
          { actions: 'countLate' },
        ],
        'attempt.failed': failed,
      },
    },
    // Out of service, in the queue, until the queue lets it be probed.
    ejected: {
      on: {
        ...outOfService,
        'slot.granted': [
          { guard: 'current', target: 'probing', actions: ['advanceEpoch', 'noteProbe', 'startProbe'] },
          { actions: 'noteStale' },
        ],
        'release.requested': { target: 'healthy', actions: released },
        'removal.requested': 'removed',
      },
    },
    probing: {
      after: { probeTimeout: { ...setBack, actions: ['abortProbe', ...setBack.actions] } },
      on: {
        ...outOfService,
        'probe.succeeded': [
          {
            guard: 'risen',
            target: 'healthy',
            actions: [...proven, 'announceRecovered'],
          },
          { guard: 'current', target: 'rising', actions: 'addSuccess' },
          { actions: 'noteStale' },
        ],
        'probe.failed': [{ guard: 'current', ...setBack }, { actions: 'noteStale' }],
        'release.requested': { target: 'healthy', actions: ['abortProbe', ...released] },
        'removal.requested': { target: 'removed', actions: 'abortProbe' },
      },
    },
    // A probe succeeded, and more must.
    rising: {
      after: {
        probeInterval: { target: 'probing', actions: ['advanceEpoch', 'noteProbe', 'startProbe'] },
      },
      on: {
        ...outOfService,
        'release.requested': { target: 'healthy', actions: released },
        'removal.requested': 'removed',
      },
    },
    removed: { type: 'final', entry: 'announceRemoved' },
  },
});

type Args = EffectArgs<EndpointContext>;
const ofEpoch = ({ context: { control } }: Args) => ({ epoch: control.epoch });

export const endpointEffects = {
  /** Tell the queue, also when it is in it: `endpoint.ejected`. It is to be probed after `waitMs`. */
  announceEjected: ({ context: { control, ledger } }: Args) => ({
    epoch: control.epoch,
    waitMs: ledger.waitMs,
    ejections: ledger.ejections,
  }),
  /** Tell the queue: `endpoint.recovered`. */
  announceRecovered: ofEpoch,
  /** An operator's word, not a probe, put it back into service; the queue knows. */
  announceReleased: ofEpoch,
  /** Tell the queue: `endpoint.removed`. */
  announceRemoved: ofEpoch,
  /** Probe it; answer with `probe.succeeded` or `probe.failed` and this epoch. */
  startProbe: ofEpoch,
  /** Nobody waits for the probe that runs. */
  abortProbe: ofEpoch,
};

const fenced = { epoch: 1, at: 10 };

export const endpointExamples: readonly EndpointEvent[] = [
  { type: 'endpoint.opened', at: 5 },
  { type: 'endpoint.restored', at: 5 },
  { type: 'release.requested', at: 10 },
  { type: 'removal.requested', at: 10 },
  { type: 'attempt.succeeded', latencyMs: 20, ...fenced },
  { type: 'attempt.failed', retryAfterMs: 0, room: 1, ...fenced },
  { type: 'attempt.failed', retryAfterMs: 5_000, room: 1, ...fenced },
  { type: 'attempt.failed', retryAfterMs: 0, room: 0, ...fenced },
  { type: 'attempt.faulted', ...fenced },
  { type: 'attempt.denied', ...fenced },
  { type: 'attempt.abandoned', ...fenced },
  { type: 'rate.exceeded', room: 1, ...fenced },
  { type: 'rate.exceeded', room: 0, ...fenced },
  { type: 'slot.granted', ...fenced },
  { type: 'probe.succeeded', ...fenced },
  { type: 'probe.failed', ...fenced },
];

export const endpointInput: EndpointInput = {
  failureThreshold: 5,
  rise: 2,
  ejectionMs: 30_000,
  maxEjectionMs: 300_000,
  probeTimeoutMs: 10_000,
  probeIntervalMs: 1_000,
  seed: 1,
  epoch: 0,
  ejections: 0,
};
