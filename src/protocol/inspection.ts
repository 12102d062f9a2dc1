// The inspection stream: what a viewer of machines is told, what it may ask, and readers for either direction.
// Invariant: what a reader returns obeys its type and its limits; a number, a text or a state of a stranger is nothing else.
//
// A viewer dials `/inspect` of a hub, or of whatever serves a stream, as a WebSocket with the subprotocol below, and sends
// `open` first. From then on it gets text messages: each is one JSON object, or an array of them, in order; an empty array says
// only that the server is there, every few seconds at least. The same objects, one a line, are a recording (recording.ts).
//
// How a viewer keeps its truth: `present` replaces all that it knows of one process (`more`: the rest of that moment follows
// in further ones, which add to it). A step applies to an actor whose `seq` is lower than its own, and is passed over
// otherwise. `from: null` makes an actor; a `status` ends it. After `dropped` a fresh `present` follows.
// Of machines that run by the hundred thousand (calls) some actors are left out whole; `sampled` says how many.
import * as z from 'zod';
import { ProtocolViolation } from './errors.ts';
import { CloseCode } from './frames.ts';
import { limits } from './limits.ts';
import { isHarmless } from './messages.ts';

export const INSPECT_SUBPROTOCOL = 'holdfast.inspect.v1';
export const INSPECT_PATH = '/inspect';
export const INSPECT_VERSION = 1;

export const inspectLimits = {
  /** Longest message of a viewer; it only asks. */
  maxAskBytes: 16_384,
  /** Arrays and objects inside one another: machines nest, and each state takes two levels. */
  maxDepth: 100,
} as const;

export type StateValue = string | { readonly [state: string]: StateValue | undefined };

function isStateValue(value: unknown): boolean {
  if (typeof value === 'string') return true;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every(isStateValue);
}

const count = z.int().min(0);
const milliseconds = z.number();
const id = z.string().min(1).max(limits.maxActorLength);
const state = z.custom<StateValue>(isStateValue, 'must be a state value');
const status = z.enum(['done', 'stopped', 'error']);
const role = z.enum(['hub', 'node', 'client', 'proxy', 'app', 'checker']);
const operation = z.enum(['drain', 'undrain', 'disconnect', 'pause', 'resume', 'retry', 'clear']);
/** Fleet-wide: `hub/1f3c09ab`, `node/n3/9ab2c04d`. */
const process = id;
const timer = { id: z.string(), name: z.string(), delayMs: milliseconds };

/** First of all, and once. */
const hello = z.object({
  kind: z.literal('hello'),
  version: count,
  /** Who serves this stream. `at` is its monotonic clock, in milliseconds, here and everywhere. */
  process,
  role,
  name: z.string(),
  at: milliseconds,
  /** What this viewer may ask for. */
  may: z.array(operation),
  /** ISO 8601, of the moment `at`: for people only. */
  wallTime: z.string().optional(),
});

/** Before anything else of that process; the serving one is among them. */
const processSaid = z.object({
  kind: z.literal('process'),
  process,
  role,
  name: z.string(),
  at: milliseconds,
  state: z.enum(['here', 'gone']),
});

/** Before the first actor of it. */
const machineSaid = z.object({
  kind: z.literal('machine'),
  machine: id,
  /** When given, this document holds for this process only: it knows another machine of that name. */
  process: process.optional(),
  /** A MachineDocument of `holdfast/inspect`. */
  document: z.looseObject({ id: z.string() }),
});

const actorNow = z.object({
  actor: id,
  machine: id,
  parent: id.optional(),
  /** Of its latest step. */
  seq: count,
  /** When it entered the state. */
  since: milliseconds,
  state,
  context: z.unknown().optional(),
  timers: z.array(z.object({ ...timer, startedAt: milliseconds })).optional(),
});

/** All actors of one process that live at that moment. */
const present = z.object({
  kind: z.literal('present'),
  process,
  at: milliseconds,
  actors: z.array(actorNow),
  /** Another `present` follows, which adds to this one. */
  more: z.boolean().optional(),
});

/** One event that one actor took. */
const step = z.object({
  kind: z.literal('step'),
  process,
  /** Unique within the process. */
  actor: id,
  machine: id,
  parent: id.optional(),
  /** Counts the steps of one actor, from 1. */
  seq: count,
  at: milliseconds,
  /** Lamport clock: greater than that of every step that may have led to this one. */
  clock: count,
  /** Payloads are redacted: texts that are no ids become '…', unless the server shows them. */
  event: z.looseObject({ type: z.string() }),
  /** Null makes the actor: its event is `xstate.init`. */
  from: state.nullable(),
  /** Null when its start crashed. */
  to: state.nullable(),
  /** States between, when the event led through several. */
  via: z.array(state).optional(),
  effects: z.array(z.object({ name: z.string(), payload: z.unknown().optional() })).optional(),
  timers: z.array(z.union([z.object(timer), z.object({ cleared: z.string() })])).optional(),
  /** The step, maybe of another process, whose effect led to this event. */
  cause: z.object({ process, actor: id.optional(), clock: count }).optional(),
  context: z.unknown().optional(),
  /** The event was neither handled nor explicitly ignored: a defect. */
  unexpected: z.literal(true).optional(),
  /** It ended with this step. */
  status: status.optional(),
  error: z.string().optional(),
  /** A sentence, from the checker. */
  words: z.string().optional(),
});

/** So many steps of this process were not told; a fresh `present` of it follows. */
const dropped = z.object({ kind: z.literal('dropped'), process, steps: count, at: milliseconds });

/** Of the actors of this machine that began since the last such message, so many are shown, each whole. */
const sampled = z.object({
  kind: z.literal('sampled'),
  process,
  machine: id,
  at: milliseconds,
  began: count,
  shown: count,
});

const nodeRow = z.object({
  id,
  /** Of its session: `online`, `suspect`, `absent`, `draining` and so on. */
  state: z.string(),
  callsPerSecond: z.number(),
  running: count,
  waiting: count,
  executed: count,
  lastInboundAt: milliseconds,
  firstSeenAt: milliseconds.optional(),
  address: z.string().optional(),
  functions: count.optional(),
  labels: z.record(z.string(), z.string()).optional(),
});

const hubSaid = z.object({
  instance: z.string(),
  url: z.string(),
  state: z.enum(['listening', 'draining', 'stopped']),
  uptimeMs: milliseconds,
  lagMs: milliseconds,
  nodes: count,
  clients: count,
  connections: count,
  waiting: count,
  running: count,
  ended: z.record(z.string(), count),
  unexpectedEvents: count,
  deadLetters: count,
});

const trainingSaid = z.object({
  gate: z.object({
    state: z.string(),
    online: count,
    minNodes: count,
    budgetUsedMs: milliseconds,
    budgetMs: milliseconds,
  }),
  round: z.object({ number: count, state: z.string(), asked: count, answered: count }).optional(),
  history: z.array(z.object({ round: count, loss: z.number().optional(), accuracy: z.number().optional() })),
});

/** As a pool's `status()` says it; fields beyond these are passed on. */
const poolSaid = z.looseObject({
  name: z.string(),
  endpoints: z.array(
    z.looseObject({
      id: z.string(),
      state: z.string(),
      inFlight: count,
      totalRequests: count,
      failedRequests: count,
      ejections: count,
    }),
  ),
  queue: z.looseObject({ size: count, probing: count, held: count }),
  requests: count,
  retries: count,
  /** What waits in the failure queue, the next first. */
  waiting: z.array(z.looseObject({ endpoint: z.string(), phase: z.string() })).optional(),
});

/** The fleet as its hub knows it. */
const fleetSaid = z.object({
  kind: z.literal('fleet'),
  at: milliseconds,
  /** True: `nodes` are all that there are. False: those that changed. */
  whole: z.boolean(),
  hub: hubSaid.optional(),
  nodes: z.array(nodeRow),
  gone: z.array(z.string()),
  training: trainingSaid.optional(),
  pools: z.array(poolSaid).optional(),
});

/** To an `ask` of the same id. */
const answer = z.object({ kind: z.literal('answer'), id: count, ok: z.boolean(), message: z.string() });

const told = z.discriminatedUnion('kind', [
  hello,
  processSaid,
  machineSaid,
  present,
  step,
  dropped,
  sampled,
  fleetSaid,
  answer,
]);

const open = z.object({
  kind: z.literal('open'),
  /** Of the hub, where it has one. */
  token: z.string().max(4_096).optional(),
  /** Allows what `may` of the hello then lists. */
  operatorToken: z.string().max(4_096).optional(),
  /** Whether it wants the actors' contexts. @default false */
  contexts: z.boolean().optional(),
});

const ask = z.object({
  kind: z.literal('ask'),
  /** Comes back in the answer. */
  id: count,
  operation,
  /** Id of the node, of the endpoint, or of the pool. */
  target: z.string().max(limits.maxActorLength).optional(),
});

const viewerSaid = z.discriminatedUnion('kind', [open, ask]);

export type Role = z.infer<typeof role>;
export type Operation = z.infer<typeof operation>;
export type Hello = z.infer<typeof hello>;
export type ProcessSaid = z.infer<typeof processSaid>;
export type MachineSaid = z.infer<typeof machineSaid>;
export type ActorNow = z.infer<typeof actorNow>;
export type TimerNow = NonNullable<ActorNow['timers']>[number];
export type Present = z.infer<typeof present>;
export type Step = z.infer<typeof step>;
export type Dropped = z.infer<typeof dropped>;
export type Sampled = z.infer<typeof sampled>;
export type NodeRow = z.infer<typeof nodeRow>;
export type HubSaid = z.infer<typeof hubSaid>;
export type TrainingSaid = z.infer<typeof trainingSaid>;
export type PoolSaid = z.infer<typeof poolSaid>;
export type FleetSaid = z.infer<typeof fleetSaid>;
export type Answer = z.infer<typeof answer>;
export type Open = z.infer<typeof open>;
export type Ask = z.infer<typeof ask>;
/** What a server says. */
export type Told = z.infer<typeof told>;
/** What a viewer says. */
export type ViewerSaid = z.infer<typeof viewerSaid>;

/** One value of a server or of a recording. @throws ProtocolViolation MALFORMED, with what is wrong */
export function toTold(value: unknown): Told {
  return read('inspection', told, value);
}

/** A text message of a server: one value, or an array of them. @throws ProtocolViolation MALFORMED */
export function readTold(text: string): Told[] {
  const value = parse(text);
  return Array.isArray(value) ? value.map(toTold) : [toTold(value)];
}

/** A text message of a viewer. @throws ProtocolViolation MALFORMED */
export function readViewerSaid(text: string): ViewerSaid {
  return read('viewer', viewerSaid, parse(text));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformed('it is no JSON');
  }
}

function read<T>(whose: string, schema: z.ZodType<T>, value: unknown): T {
  if (!isHarmless(value, inspectLimits.maxDepth))
    throw malformed(`${whose}: it nests too deep or names a property of prototypes`);
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const place = issue?.path.map(String).join('.').slice(0, 100) || 'message';
  throw malformed(`${whose}: ${place}: ${issue?.message ?? 'it does not fit its schema'}`.slice(0, 200));
}

function malformed(what: string): ProtocolViolation {
  return new ProtocolViolation(CloseCode.MALFORMED, what);
}
