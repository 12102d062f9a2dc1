// What became of my calls? Clients ask, nodes answer, and the hub needs no memory of its own for it.
// Invariant: an attempt is called unstarted only when its node says so, or when no node was ever handed it.
import type { Clock, Timer } from '../ports.ts';
import { ProtocolViolation } from '../protocol/errors.ts';
import { CloseCode, Fate, Flag, FrameType } from '../protocol/frames.ts';
import { limits } from '../protocol/limits.ts';
import { readFates, writeFates, writeQueries } from '../protocol/lists.ts';
import { readResume } from '../protocol/messages.ts';
import type { Book } from './book.ts';
import { NO_FRAMES, Running, type Asking, type Rosters, type Routed } from './roster.ts';
import { Search } from './search.ts';
import { takenUpAt } from './taken-up.ts';

export interface ResumptionOptions {
  readonly clock: Clock;
  /** An idempotent call leaves a node that is away for this long, in milliseconds. */
  readonly failoverAfterMs: number;
  /** A node that a client speaks of and that the hub does not know may still come, for this long, in milliseconds. */
  readonly sessionGraceMs: number;
  /** Instance of the hub. */
  readonly hub: string;
}

type Query = [attempt: number, received: number, windowBytes: number];

const SWEEP_MS = 250;
const WINDOW_BYTES = limits.creditWindowBytes;

export class Resumption {
  readonly #book: Book;
  readonly #options: ResumptionOptions;
  /** Nodes that clients speak of and that did not come yet, with the time until which they may. */
  readonly #expected = new Map<string, { node: Running; until: number }>();
  readonly #search: Search;
  #sweeper: Timer | undefined;
  #state: 'on' | 'stopped' = 'on';

  constructor(book: Book, options: ResumptionOptions) {
    this.#book = book;
    this.#options = options;
    const { clock, failoverAfterMs: searchMs, sessionGraceMs: graceMs, hub } = options;
    this.#search = new Search(book, { clock, searchMs, graceMs, hub });
  }

  /** Nobody is given up any more: who is away, or sought, may come to the next hub. */
  stop(): void {
    this.#state = 'stopped';
    this.#search.stop();
    if (this.#sweeper !== undefined) this.#options.clock.clearTimer(this.#sweeper);
    this.#sweeper = undefined;
  }

  /** The node is here again: which of its calls do clients still wait for, and up to which item? They know best. */
  askClients(node: Running): void {
    this.#search.nodeOnline(node);
    const clients = new Set(node.askedBy);
    node.askedBy = undefined;
    for (const { client } of [...node.assigned, ...(node.unpassed ?? [])]) clients.add(client);
    for (const client of clients) {
      if (client.outbox === undefined) {
        const theirs = takenUpAt(node, client).map(({ attempt }): Query => [attempt, 0, WINDOW_BYTES]);
        this.#query(node, client, theirs, Flag.DURABLE);
        continue;
      }
      this.#book.tellClient(client, node);
      // From the journal: the client may never have heard where they are.
      for (const { durable, client: its, attempt } of node.assigned)
        if (durable !== undefined && its === client)
          client.outbox.frame(FrameType.ASSIGNED, 0, node.number, attempt);
      client.outbox.frame(FrameType.RESUME, 0, node.number, 0);
      (node.asking ??= new Set()).add(client);
    }
  }

  /**
   * A client names its attempts. About one node (`peer`), it answers our question; otherwise its list is complete, and
   * what is not on it is forgotten.
   * @throws ProtocolViolation
   */
  resume(client: Asking, peer: number, flags: number, bytes: Uint8Array, start: number, end: number): void {
    const message = readResume(bytes, start, end);
    if (client.resuming === undefined) {
      client.resuming = new Set();
      if (peer === 0) client.formerRosters = undefined;
    }
    if (message.rosters !== undefined)
      client.formerRosters = rostersOf(client.formerRosters ?? [], message.rosters);
    const idempotents = new Set(message.idempotent);
    for (const { id, instance, calls } of message.nodes) {
      // Nothing to expect it for.
      if (calls.length === 0) continue;
      const node = this.#book.byInstance.get(instance) ?? this.#expect(id, instance);
      const queries: Query[] = [];
      for (const { attempt, received, windowBytes, idempotent, presumed } of calls) {
        name(client.resuming, attempt);
        if (this.#book.hasVanished(client, attempt)) {
          this.#resumeVanished(client, attempt, idempotent);
          continue;
        }
        // What it sent to this hub alone, this hub would know if it had given it to another.
        const whereabouts = presumed === false || client.past === 'here' ? 'sure' : 'unsure';
        if (node === undefined) {
          // Where it is not known here, that node may have had it.
          if (client.calls.has(attempt)) this.#resumeUnassigned(client, attempt, idempotent);
          else this.#book.tellFate(client, 0, attempt, Fate.VANISHED);
          continue;
        }
        const call = this.#bind(client, attempt, node, idempotent, whereabouts);
        if (call.node !== node || call.state === 'queued') {
          // Presumed wrongly, and the client did not hear so.
          this.#resumeUnassigned(client, attempt, idempotent);
          continue;
        }
        // A question would overtake a call that is held. Of one sent since we asked nothing was lost: more is under way.
        const isNew = call.passing === 'yes' && node.number === peer && node.asking?.has(client) === true;
        if (call.state !== 'held' && !isNew) queries.push([attempt, received, windowBytes]);
      }
      if (node !== undefined) this.#query(node, client, queries);
    }
    for (const attempt of message.unassigned) {
      name(client.resuming, attempt);
      this.#resumeUnassigned(client, attempt, idempotents.has(attempt));
    }
    if ((flags & Flag.MORE) !== 0) return;
    const named = client.resuming;
    client.resuming = undefined;
    if (peer !== 0) return void this.#book.nodes.get(peer)?.asking?.delete(client);
    client.past = 'here';
    for (const call of [...client.calls.values()]) if (!named.has(call.attempt)) this.#book.drop(call);
    for (const [attempt, node] of client.vanished ?? []) {
      if (named.has(attempt)) continue;
      client.vanished?.delete(attempt);
      if (node !== undefined) this.#book.acknowledge(node, client, [attempt]);
    }
  }

  /** A node tells what became of attempts. @throws ProtocolViolation */
  fates(node: Running, client: Asking | undefined, bytes: Uint8Array, start: number, end: number): void {
    const told: [number, Fate][] = [];
    node.answers += 1;
    readFates(bytes, start, end, (attempt, fate) => {
      const call = client?.calls.get(attempt);
      if (client !== undefined && call === undefined && (fate === Fate.RUNNING || fate === Fate.DONE)) {
        // Cancelled or forgotten meanwhile. One that vanished its client may still ask for, if it did not hear so.
        if (client.vanished?.has(attempt) !== true) this.#book.acknowledge(node, client, [attempt]);
        else {
          client.vanished.set(attempt, node);
          this.#book.tellClient(client, node);
          told.push([attempt, fate]);
        }
      }
      if (call?.state === 'sought') {
        if (this.#search.answered(call, node, fate)) told.push([attempt, fate]);
        return;
      }
      if (call?.node !== node || (call.state !== 'assigned' && call.state !== 'done')) return;
      // The answer to an older question: what follows it is not what the client asked for last.
      if (call.awaits !== node.answers) return;
      const isUnsure = call.whereabouts === 'unsure' && !call.idempotent;
      if (fate === Fate.UNSTARTED && isUnsure && this.#search.mayFind(call.client)) {
        // Handed out by a hub before this one: the client may only have presumed this node.
        this.#book.free(call);
        return this.#search.add(call);
      }
      if (this.#book.decides(call, fate)) return;
      told.push([attempt, fate]);
      call.passing = client?.outbox === undefined ? 'no' : 'yes';
      call.awaits = 0;
      call.downBytes = 0;
      if (fate !== Fate.UNSTARTED && fate !== Fate.VANISHED) return;
      this.#book.ended[fate === Fate.UNSTARTED ? 'unstarted' : 'vanished'] += 1;
      if (fate === Fate.VANISHED) this.#book.rememberVanished(call);
      this.#book.drop(call);
    });
    if (told.length > 0) client?.outbox?.frame(FrameType.FATE, 0, node.number, 0, writeFates(told));
    this.#search.settleSoon();
  }

  /** A node registered. */
  nodeCame(node: Running): void {
    this.#search.nodeCame(node);
  }

  /** A node is gone, and may have `owed` an answer. */
  nodeLost(node: Running, owed: boolean): void {
    this.#search.nodeLost(node, owed);
  }

  /** Calls that clients said this instance has follow it into its session. */
  adopt(node: Running): void {
    const expected = this.#expected.get(node.instance);
    this.#expected.delete(node.instance);
    node.owed = expected?.node.owed;
    for (const call of expected?.node.assigned ?? []) {
      call.node = node;
      node.assigned.add(call);
      (node.askedBy ??= new Set()).add(call.client);
    }
  }

  /** A journal says that this instance may have the call. */
  expect(call: Routed, id: string, instance: string): void {
    const node = this.#book.byInstance.get(instance) ?? this.#expect(id, instance);
    if (node === undefined) return this.#book.vanish(call);
    call.state = 'assigned';
    call.node = node;
    node.assigned.add(call);
    this.sweepSoon();
  }

  /** Another instance of this node id is online: the calls of those that were expected are settled. */
  supersede(id: string, instance: string): void {
    for (const [expected, { node }] of this.#expected) {
      if (node.id !== id || expected === instance) continue;
      this.#expected.delete(expected);
      this.#book.rememberGone(expected);
      for (const call of [...node.assigned]) this.#book.vanish(call);
    }
  }

  sweepSoon(): void {
    if (this.#state === 'on') this.#sweeper ??= this.#options.clock.setTimer(() => this.#sweep(), SWEEP_MS);
  }

  /**
   * The client did not hear of an assignment. If there was one, it hears now; if the hub never had the call, or a hub
   * before this one had it and did not assign it, it may be sent again.
   */
  #resumeUnassigned(client: Asking, attempt: number, idempotent: boolean): void {
    if (this.#book.hasVanished(client, attempt)) return this.#resumeVanished(client, attempt, idempotent);
    const call = client.calls.get(attempt);
    if (call === undefined) {
      if (this.#search.mayBeElsewhere(client))
        return this.#search.add(this.#record(client, attempt, undefined, idempotent, 'unsure'));
      return this.#book.tellFate(client, 0, attempt, Fate.UNSTARTED);
    }
    if (call.state === 'sought') return this.#book.tellFate(client, 0, attempt, Fate.WAITING);
    const { node } = call;
    if (call.state === 'parked' || call.state === 'queued' || node === undefined) {
      // The client presumes no node for it from now on.
      call.presumed = 0;
      if (!call.uploading) return this.#book.tellFate(client, 0, attempt, Fate.WAITING);
      this.#book.drop(call);
      return this.#book.tellFate(client, 0, attempt, Fate.UNSTARTED);
    }
    if (node.state === 'gone') return this.#book.vanish(call);
    if (node.number === 0) {
      // From the journal: it hears of its node when that is back.
      (node.askedBy ??= new Set()).add(client);
      return this.#book.tellFate(client, 0, attempt, Fate.WAITING);
    }
    this.#book.tellClient(client, node);
    client.outbox?.frame(FrameType.ASSIGNED, 0, node.number, attempt);
    // A question would overtake a call that is held.
    if (call.state !== 'held') this.#query(node, client, [[attempt, 0, WINDOW_BYTES]]);
  }

  /** Nobody knew what became of it. A node may have said since that it has it, and the client did not hear the one or the other. */
  #resumeVanished(client: Asking, attempt: number, idempotent: boolean): void {
    const node = client.vanished?.get(attempt);
    if (node === undefined || node.state === 'gone')
      return this.#book.tellFate(client, 0, attempt, Fate.VANISHED);
    client.vanished?.delete(attempt);
    this.#bind(client, attempt, node, idempotent, 'sure');
    this.#resumeUnassigned(client, attempt, idempotent);
  }

  #query(node: Running, client: Asking, queries: readonly Query[], flags = 0): void {
    if (queries.length === 0) return;
    if (node.outbox === undefined) {
      // It is asked when it is back.
      (node.askedBy ??= new Set()).add(client);
      return this.sweepSoon();
    }
    this.#book.tellClient(client, node);
    this.#book.tellNode(node, client);
    node.queries += 1;
    for (const [attempt] of queries) {
      client.outbox?.drop(node.number, attempt);
      const call = client.calls.get(attempt);
      if (call === undefined) continue;
      call.passing = 'no';
      call.awaits = node.queries;
    }
    node.outbox.frame(FrameType.QUERY, flags, client.number, 0, writeQueries(queries));
  }

  /** The hub's own record of an attempt that a client says is at `node`. */
  #bind(
    client: Asking,
    attempt: number,
    node: Running,
    idempotent: boolean,
    whereabouts: Routed['whereabouts'],
  ): Routed {
    const known = client.calls.get(attempt);
    if (known !== undefined) return known;
    const call = this.#record(client, attempt, node, idempotent, whereabouts);
    node.assigned.add(call);
    return call;
  }

  #record(
    client: Asking,
    attempt: number,
    node: Running | undefined,
    idempotent: boolean,
    whereabouts: Routed['whereabouts'],
  ): Routed {
    checkCount(client.calls.size + 1);
    const call: Routed = {
      client,
      attempt,
      offer: undefined,
      flags: 0,
      target: undefined,
      deadlineAt: Infinity,
      since: this.#options.clock.now(),
      presumed: node?.number ?? 0,
      node,
      place: -1,
      state: 'assigned',
      frames: NO_FRAMES,
      first: undefined,
      firstStart: 0,
      firstEnd: 0,
      uploading: false,
      upBytes: 0,
      downBytes: 0,
      passing: 'no',
      awaits: 0,
      result: 'none',
      idempotent,
      whereabouts,
      durable: undefined,
    };
    client.calls.set(call);
    return call;
  }

  /** A node that a client speaks of may still come, unless it is known to be gone or another instance took its place. */
  #expect(id: string, instance: string): Running | undefined {
    const known = this.#expected.get(instance);
    if (known !== undefined) return known.node;
    if (this.#book.isGone(instance) || this.#expected.size >= limits.maxPeers) return undefined;
    for (const node of this.#book.nodes.values())
      if (node.id === id && node.state === 'online') return undefined;
    const now = this.#options.clock.now();
    const node = new Running({ number: 0, id, instance, functions: new Map(), labels: {}, maxConcurrent: 0 });
    node.awaySince = now;
    this.#expected.set(instance, { node, until: now + this.#options.sessionGraceMs });
    return node;
  }

  /** Idempotent calls leave nodes that are away for too long; nodes that did not come are given up. */
  #sweep(): void {
    const { clock, failoverAfterMs } = this.#options;
    this.#sweeper = undefined;
    const now = clock.now();
    const away = [...this.#book.nodes.values()].filter((node) => node.state === 'away');
    for (const node of [...away, ...[...this.#expected.values()].map(({ node: it }) => it)]) {
      if (now - node.awaySince < failoverAfterMs) continue;
      for (const call of [...node.assigned, ...(node.unpassed ?? [])])
        if (call.idempotent) this.#book.vanish(call);
    }
    for (const [instance, { node, until }] of this.#expected) {
      if (now < until) continue;
      this.#expected.delete(instance);
      for (const call of [...node.assigned]) this.#book.vanish(call);
    }
    if (this.#expected.size > 0 || away.some((node) => node.assigned.size + (node.unpassed?.size ?? 0) > 0))
      this.sweepSoon();
  }
}

/** A list of several frames stays as short as a client's calls. */
function name(resuming: Set<number>, attempt: number): void {
  resuming.add(attempt);
  checkCount(resuming.size);
}

/** Each comes in a frame of its own. @throws ProtocolViolation */
function rostersOf(before: Rosters, more: Rosters): Rosters {
  const rosters = [...before, ...more];
  if (rosters.length <= limits.maxFormerHubs) return rosters;
  throw new ProtocolViolation(
    CloseCode.LIMIT_EXCEEDED,
    `a RESUME of ${rosters.length} rosters; at most ${limits.maxFormerHubs} are taken`,
  );
}

function checkCount(calls: number): void {
  if (calls <= limits.maxCallsPerClient + limits.maxUnacknowledged) return;
  throw new ProtocolViolation(
    CloseCode.LIMIT_EXCEEDED,
    `a RESUME of more than ${limits.maxCallsPerClient} calls`,
  );
}
