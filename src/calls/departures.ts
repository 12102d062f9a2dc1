// Calls on their way out: those that wait for the link, those that left, and what to ask a hub that one comes back to.
// Invariant: an attempt's number is used once, so a late frame of an older attempt finds nothing.
import type { Clock } from '../ports.ts';
import { Flag, FrameType } from '../protocol/frames.ts';
import { limits } from '../protocol/limits.ts';
import type { RegisteredMessage, ResumeMessage, RosterMessage } from '../protocol/messages.ts';
import type { Outbox } from '../protocol/outbox.ts';
import { KnownNodes } from './known-nodes.ts';
import { Numbered } from './numbered.ts';
import type { Call, Peer } from './pending.ts';

export interface DeparturesOptions {
  readonly clock: Clock;
  /** Whether a call wants to be sent still. */
  wanted(call: Call): boolean;
  /** Whether it was sent, and the hub did not say which node has it. */
  isPresumed(call: Call): boolean;
  /** It was written to the link. */
  sent(call: Call, at: number): void;
}

const utf8 = new TextEncoder();
/** Attempts named in one RESUME frame, so that it stays well below `limits.maxControlBytes`. */
const RESUME_BATCH = 250;

export class Departures {
  /** Calls by the number of their present attempt. */
  readonly attempts = new Numbered<Call>();
  /** Attempts that ended here while nobody could be told, and the nodes that may still be at them. */
  readonly abandoned = new Map<number, Peer>();
  readonly #options: DeparturesOptions;
  /** The oldest first; those that ended meanwhile are skipped. */
  #waiting: Call[] = [];
  #waitingFrom = 0;
  #nextAttempt = 1;
  /** The first attempt of the present link. */
  #firstAttempt = 1;
  readonly #known = new KnownNodes();
  #outbox: Outbox | undefined;
  /** Written anew for each call; the outbox does not keep it. */
  readonly #prefix = { fn: 0, deadlineMs: 0, route: '' };
  readonly #functions = new Map<string, number>();
  #links: 'none' | 'first' | 'later' = 'none';
  #state: 'open' | 'held' = 'held';
  /** The node that answered last: most likely the one that gets the next call, so the hub need not say so. */
  presumed: Peer | undefined;

  constructor(options: DeparturesOptions) {
    this.#options = options;
  }

  /** Calls that wait for the link. */
  get waiting(): number {
    return this.#waiting.length - this.#waitingFrom;
  }

  *calls(): Generator<Call> {
    yield* this.#waiting.slice(this.#waitingFrom);
    yield* this.attempts.values();
  }

  /** The nodes that calls are with, or were. */
  *nodes(): Generator<Peer> {
    for (const { node } of this.attempts.values()) if (node !== undefined) yield node;
    yield* this.abandoned.values();
  }

  push(call: Call): void {
    this.#waiting.push(call);
  }

  attached(outbox: Outbox, registered: RegisteredMessage): void {
    this.#outbox = outbox;
    this.#functions.clear();
    this.#firstAttempt = this.#nextAttempt;
    this.#known.attached(registered);
    // Before the first call: the hub gives it to no node that this client did not say it has heard of.
    if (registered.roster !== undefined) outbox.frame(FrameType.ROSTER, 0, 0, registered.roster.upTo);
    this.#links = this.#links === 'none' ? 'first' : 'later';
    this.#state = 'open';
    if (this.#links === 'later') this.resume(0);
    this.pump();
  }

  /** The hub takes no new calls: they wait for the next link. */
  hold(): void {
    this.#state = 'held';
  }

  /** The hub has more nodes, or fewer. */
  rosterChanged(upTo: number, message: RosterMessage): void {
    this.#known.changed(upTo, message);
    this.#outbox?.frame(FrameType.ROSTER, 0, 0, upTo);
  }

  /** Returns the calls that one hub too many did not know. */
  detached(): readonly Call[] {
    this.#outbox = undefined;
    this.#state = 'held';
    this.presumed = undefined;
    const unsure = [...this.attempts.values()].filter((call) => this.#isUnsure(call));
    const isEarlier = unsure.some(({ attempt }) => attempt < this.#firstAttempt);
    this.#known.detached(isEarlier ? 'earlier' : unsure.length > 0 ? 'present' : 'none');
    if (this.#known.formerHubs <= limits.maxFormerHubs) return [];
    this.#known.forget();
    return unsure;
  }

  /** Whether another node than its own may have it, where that matters. */
  #isUnsure(call: Call): boolean {
    const isRepeatable = call.context.control.idempotent === 1;
    return !isRepeatable && (call.node === undefined || this.#options.isPresumed(call));
  }

  clear(): void {
    this.#waiting = [];
    this.#waitingFrom = 0;
  }

  /** Sends what waits, as long as the link takes it. */
  pump(now = this.#options.clock.now()): void {
    const outbox = this.#outbox;
    if (outbox === undefined || this.#state === 'held') return;
    while (this.#waitingFrom < this.#waiting.length && this.attempts.size < limits.maxCallsPerClient) {
      const call = this.#waiting[this.#waitingFrom];
      this.#waitingFrom += 1;
      // Ended while it waited, or queued twice by a quick retry.
      if (call === undefined || call.attempt !== 0 || !this.#options.wanted(call)) continue;
      call.attempt = this.#nextAttempt;
      this.#nextAttempt = this.#nextAttempt === 0xffff_ffff ? 1 : this.#nextAttempt + 1;
      this.attempts.set(call);
      call.node = call.route === '' ? this.presumed : undefined;
      const prefix = this.#prefix;
      prefix.fn = this.#define(outbox, call.name);
      prefix.deadlineMs = Math.max(1, Math.ceil(call.dueAt - now));
      prefix.route = call.route;
      call.wirePeer = call.node?.number ?? 0;
      outbox.value(FrameType.CALL, call.flags, call.wirePeer, call.attempt, prefix, call.encoded);
      this.#options.sent(call, now);
    }
    if (this.#waitingFrom < this.#waiting.length) return;
    this.#waiting.length = 0;
    this.#waitingFrom = 0;
  }

  /** A node that hears of them again is told that nobody waits. Beyond the limit it finds out by its own deadline. */
  abandon(attempt: number, node: Peer): void {
    if (this.abandoned.size < limits.maxRetainedResults) this.abandoned.set(attempt, node);
  }

  /** What became of my calls? About all nodes (0) the list is complete: what is not on it, the hub may forget. */
  resume(only: number): void {
    const calls: Named[] = [];
    for (const call of this.attempts.values()) calls.push(nameOf(call, this.#options.isPresumed(call)));
    for (const [attempt, node] of this.abandoned)
      calls.push({ attempt, node, received: 0, windowBytes: 0, idempotent: true });
    if (only === 0) {
      for (const roster of this.#known.rosters ?? [])
        this.#outbox?.json(FrameType.RESUME, Flag.MORE, 0, 0, {
          nodes: [],
          unassigned: [],
          rosters: [roster],
        });
    }
    this.#name(
      calls.filter(({ node }) => only === 0 || node?.number === only),
      only,
    );
  }

  #name(calls: readonly Named[], only: number): void {
    let at = 0;
    do {
      const more = at + RESUME_BATCH < calls.length ? Flag.MORE : 0;
      this.#outbox?.json(FrameType.RESUME, more, only, 0, resumeOf(calls.slice(at, at + RESUME_BATCH)));
      at += RESUME_BATCH;
    } while (at < calls.length);
  }

  #define(outbox: Outbox, name: string): number {
    let number = this.#functions.get(name);
    if (number === undefined) {
      number = this.#functions.size;
      this.#functions.set(name, number);
      outbox.frame(FrameType.DEFINE, 0, 0, number, utf8.encode(name));
    }
    return number;
  }
}

/** An attempt as RESUME names it. */
type Named = ResumeMessage['nodes'][number]['calls'][number] & { readonly node: Peer | undefined };

function nameOf({ attempt, node, stream, context }: Call, presumed: boolean): Named {
  return {
    presumed,
    attempt,
    node,
    received: stream?.received ?? 0,
    windowBytes: limits.creditWindowBytes - (stream?.waitingBytes ?? 0),
    idempotent: context.control.idempotent === 1,
  };
}

function resumeOf(calls: readonly Named[]): ResumeMessage {
  const nodes = new Map<Peer, ResumeMessage['nodes'][number]>();
  const unassigned: number[] = [];
  const idempotents: number[] = [];
  for (const { node, ...call } of calls) {
    if (node === undefined) {
      unassigned.push(call.attempt);
      if (call.idempotent) idempotents.push(call.attempt);
      continue;
    }
    let entry = nodes.get(node);
    if (entry === undefined) nodes.set(node, (entry = { id: node.id, instance: node.instance, calls: [] }));
    entry.calls.push(call);
  }
  const repeatable = idempotents.length === 0 ? {} : { idempotent: idempotents };
  return { nodes: [...nodes.values()], unassigned, ...repeatable };
}
