// The payloads of control frames: their types, their schemas, and reading them from bytes.
// Invariant: what a reader returns obeys its type and the limits; anything else is a ProtocolViolation.
import * as z from 'zod';
import { ProtocolViolation } from './errors.ts';
import { CloseCode } from './frames.ts';
import { limits } from './limits.ts';
import { decodeText } from './text.ts';

const count = z.int().min(0);
const milliseconds = z.number().min(0);
const retryAfterMs = milliseconds.max(limits.maxRetryAfterMs);
/** Ids, labels, names: visible text, no control or formatting characters, no blanks at its ends. */
const name = z
  .string()
  .min(1)
  .max(limits.maxNameLength)
  .regex(/^(?!\s)[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+(?<!\s)$/u, 'must be printable text');
const reason = z.string().max(limits.maxReasonLength);
const cut = (maxLength: number) => z.string().transform((text) => text.slice(0, maxLength));
const encoding = z.enum(['json', 'msgpack']);
const labels = z
  .record(name, name)
  .refine((record) => Object.keys(record).length <= limits.maxLabels, `must be at most ${limits.maxLabels}`);
const registration = { epoch: count, registrationEpoch: count };
/** Dials and registrations are numbered from 1. */
const ordinal = z.int().min(1);
const attempt = z.int().min(0).max(0xffff_ffff);
/** Lengths of runs of ordinals: of those that are not in the set, then of those that are, and so on, from 1. */
const runs = z.array(attempt).max(2 * limits.maxRosterRanges);

/** A call that a client waits for, and where a node may go on with it. */
const resumedCall = z.object({
  attempt,
  /** Items of its stream that the client has. */
  received: attempt,
  /** Bytes that the client takes before it gives credit again. */
  windowBytes: z.int().min(0).max(limits.creditWindowBytes),
  idempotent: z.boolean(),
  /** False: the hub said that this node has it. Otherwise another one may. */
  presumed: z.boolean().optional(),
});

export const schemas = {
  register: z.object({
    epoch: ordinal,
    registrationEpoch: ordinal,
    role: z.enum(['node', 'client']),
    id: name,
    /** Random, new with every start of the process: tells a restarted node from one that came back. */
    instance: name,
    token: z.string().max(limits.maxTokenLength).optional(),
    /** Names of what a node offers; empty for clients. */
    functions: z.array(name).max(limits.maxFunctionsPerNode),
    labels,
    maxConcurrent: count,
    /** How often it speaks at least, and how long it may be silent; a hub gives it that time. */
    heartbeatIntervalMs: milliseconds.max(limits.maxHeartbeatMs),
    heartbeatTimeoutMs: milliseconds.max(limits.maxHeartbeatMs),
    encodings: z.array(encoding).min(1).max(8),
    /** What hubs called this node, the newest last; `[]` from clients. Left out by those who know of no rosters. */
    ordinals: z
      .array(z.object({ hub: name, ordinal: attempt }))
      .max(limits.maxFormerHubs)
      .optional(),
    /** It tells what its machines do, when it is asked to. Left out by those that cannot. */
    inspects: z.literal(true).optional(),
    /** The step that sent this, while it is looked at. */
    step: z.object({ actor: z.string().max(limits.maxActorLength), clock: count }).optional(),
    /** Version of the software, for people. */
    version: name,
  }),
  registered: z.object({
    ...registration,
    /** Instance of the hub. */
    hub: name,
    session: count,
    resumed: z.boolean(),
    encoding,
    heartbeatTimeoutMs: milliseconds,
    sessionGraceMs: milliseconds,
    /** To a node: its number among the nodes of this hub, given once. */
    ordinal: ordinal.optional(),
    /** To a client: the nodes that this hub has, and the highest ordinal that it gave. */
    roster: z.object({ upTo: attempt, nodes: runs }).optional(),
  }),
  refused: z.object({ ...registration, terminal: z.boolean(), retryAfterMs, reason }),
  synced: z.object(registration),
  departing: z.object(registration),
  draining: z.object({ retryAfterMs }),
  replaced: z.object({ reason }),
  peer: z.object({ id: name, instance: name }),
  check: z.object({ functions: count, digest: z.string().max(limits.maxNameLength) }),
  checked: z.object({ ok: z.boolean(), lagMs: milliseconds }),
  failure: z.object({
    code: z.enum([
      'failed',
      'timed_out',
      'cancelled',
      'queue_full',
      'no_node',
      'unstarted',
      'vanished',
      'too_large',
      'invalid',
      'store_failed',
    ]),
    /** Name of the error that the function threw. */
    name: cut(limits.maxNameLength).optional(),
    message: cut(limits.maxReasonLength),
    stack: cut(limits.maxStackLength).optional(),
  }),
  resume: z.object({
    nodes: z.array(z.object({ id: name, instance: name, calls: z.array(resumedCall) })).max(limits.maxPeers),
    unassigned: z.array(attempt),
    /** Those of `unassigned` that may be executed twice. */
    idempotent: z.array(attempt).optional(),
    /** The nodes that hubs may have handed the attempts to, in frames before those that name the attempts. */
    rosters: z
      .array(z.object({ hub: name, nodes: runs }))
      .max(limits.maxFormerHubs)
      .optional(),
  }),
  /** All up to the frame's id that were not in the last one came; `gone` left, or `nodes` are all that there are. */
  roster: z.object({
    gone: z.array(ordinal).max(limits.maxRosterGone).optional(),
    nodes: runs.optional(),
  }),
  /** Without `process` nobody looks any more. */
  inspect: z.object({
    /** The hub, as its own stream names it. */
    process: z.string().max(limits.maxActorLength).optional(),
    contexts: z.boolean().default(false),
    payloads: z.enum(['redacted', 'shown']).default('redacted'),
    stepsPerSecond: z.number().min(1).max(100_000).default(100),
  }),
  /** `nodes` are answered in pages, the first at `from`. */
  ask: z.object({ ask: z.enum(['status', 'nodes']), from: count.default(0) }),
  answer: z.looseObject({
    ok: z.boolean(),
    status: z.looseObject({}).optional(),
    nodes: z.array(z.looseObject({ id: name, state: z.string() })).optional(),
    total: count.optional(),
  }),
} as const;

export type RegisterMessage = z.infer<typeof schemas.register>;
export type RegisteredMessage = z.infer<typeof schemas.registered>;
export type RefusedMessage = z.infer<typeof schemas.refused>;
export type SyncedMessage = z.infer<typeof schemas.synced>;
export type DepartingMessage = z.infer<typeof schemas.departing>;
export type DrainingMessage = z.infer<typeof schemas.draining>;
export type ReplacedMessage = z.infer<typeof schemas.replaced>;
export type PeerMessage = z.infer<typeof schemas.peer>;
export type CheckMessage = z.infer<typeof schemas.check>;
export type CheckedMessage = z.infer<typeof schemas.checked>;
export type FailureMessage = z.infer<typeof schemas.failure>;
export type FailureCode = FailureMessage['code'];
export type ResumedCall = z.infer<typeof resumedCall>;
export type ResumeMessage = z.infer<typeof schemas.resume>;
export type RosterMessage = z.infer<typeof schemas.roster>;
export type InspectMessage = z.infer<typeof schemas.inspect>;
export type AskMessage = z.infer<typeof schemas.ask>;
export type AnswerMessage = z.infer<typeof schemas.answer>;

type Reader<T> = (bytes: Uint8Array, start: number, end: number) => T;

/** Each throws ProtocolViolation MALFORMED with what was wrong. Fields that this version does not know are left out. */
export const readRegister: Reader<RegisterMessage> = reader('REGISTER', schemas.register);
export const readRegistered: Reader<RegisteredMessage> = reader('REGISTERED', schemas.registered);
export const readRefused: Reader<RefusedMessage> = reader('REFUSED', schemas.refused);
export const readSynced: Reader<SyncedMessage> = reader('SYNCED', schemas.synced);
export const readDeparting: Reader<DepartingMessage> = reader('DEPARTING', schemas.departing);
export const readDraining: Reader<DrainingMessage> = reader('DRAINING', schemas.draining);
export const readReplaced: Reader<ReplacedMessage> = reader('REPLACED', schemas.replaced);
export const readPeer: Reader<PeerMessage> = reader('PEER', schemas.peer);
export const readCheck: Reader<CheckMessage> = reader('CHECK', schemas.check);
export const readChecked: Reader<CheckedMessage> = reader('CHECKED', schemas.checked);
const readStrictFailure: Reader<FailureMessage> = reader('FAILURE', schemas.failure);
export const readResume: Reader<ResumeMessage> = reader('RESUME', schemas.resume);
export const readRoster: Reader<RosterMessage> = reader('ROSTER', schemas.roster);
export const readInspect: Reader<InspectMessage> = reader('INSPECT', schemas.inspect);
export const readAsk: Reader<AskMessage> = reader('ASK', schemas.ask);
export const readAnswer: Reader<AnswerMessage> = reader('ANSWER', schemas.answer);

/**
 * Never throws: a hub passes a FAILURE on unread, so one that cannot be read is its node's fault and ends its call only.
 * Texts that are too long are cut.
 */
export function readFailure(bytes: Uint8Array, start: number, end: number): FailureMessage {
  try {
    return readStrictFailure(bytes, start, end);
  } catch (error) {
    const why = error instanceof ProtocolViolation ? error.message : String(error);
    return { code: 'invalid', message: `the node answered what cannot be read: ${why}` };
  }
}

/** The payload of DEFINE: a function's name. */
export function readName(bytes: Uint8Array, start: number, end: number): string {
  const text = readText('DEFINE', bytes, start, end);
  const parsed = name.safeParse(text);
  if (!parsed.success) throw malformed('DEFINE', explain(parsed.error));
  return text;
}

/** Whether the text may be an id, a label or a function's name. */
export function isName(text: string): boolean {
  return name.safeParse(text).success;
}

function reader<T>(frame: string, schema: z.ZodType<T>): Reader<T> {
  return (bytes, start, end) => {
    const text = readText(frame, bytes, start, end);
    let raw: unknown;
    try {
      raw = JSON.parse(text);
    } catch {
      throw malformed(frame, 'its payload is no JSON');
    }
    if (!isHarmless(raw)) throw malformed(frame, 'it nests too deep or names a property of prototypes');
    const parsed = schema.safeParse(raw);
    if (!parsed.success) throw malformed(frame, explain(parsed.error));
    return parsed.data;
  };
}

function readText(frame: string, bytes: Uint8Array, start: number, end: number): string {
  try {
    return decodeText(bytes, start, end);
  } catch {
    throw malformed(frame, 'its payload is no UTF-8');
  }
}

const MAX_DEPTH = 12;
const poisonous = new Set(['__proto__', 'constructor', 'prototype']);

/** Keys of a hostile message end up in objects of ours: none may be one that prototypes answer to. */
export function isHarmless(value: unknown, levels = MAX_DEPTH): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (levels < 0) return false;
  if (Array.isArray(value)) return value.every((entry) => isHarmless(entry, levels - 1));
  for (const [key, entry] of Object.entries(value)) {
    if (poisonous.has(key) || !isHarmless(entry, levels - 1)) return false;
  }
  return true;
}

function explain(error: z.ZodError): string {
  const [issue] = error.issues;
  if (issue === undefined) return 'it does not fit its schema';
  const place = issue.path.map(String).join('.').slice(0, 100);
  return `${place === '' ? 'message' : place}: ${issue.message}`.slice(0, 200);
}

function malformed(frame: string, what: string): ProtocolViolation {
  return new ProtocolViolation(CloseCode.MALFORMED, `${frame}: ${what}`);
}
