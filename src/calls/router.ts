// Routes calls between clients and nodes by their headers: who gets a call, what waits, what came back, what is unknown.
// Invariant: an attempt is handed to at most one node, and only after its client's socket took the assignment.
import type { Clock, Timer } from '../ports.ts';
import { HoldfastError, ProtocolViolation } from '../protocol/errors.ts';
import { CALL_PREFIX_BYTES, CloseCode, Fate, Flag, FrameType } from '../protocol/frames.ts';
import { limits } from '../protocol/limits.ts';
import { readCredit, readFates, readIds, writeFates, writeQueries } from '../protocol/lists.ts';
import { readName, readResume, type FailureCode } from '../protocol/messages.ts';
import type { Outbox } from '../protocol/outbox.ts';
import { createBalance, type Balance, type Choose } from './balance.ts';
import { createRunning, suits, type Asking, type Offer, type Routed, type Running } from './roster.ts';
import { readTarget } from './route.ts';
import { Turn } from './turn.ts';

export interface RouterOptions {
  readonly clock: Clock;
  readonly balance: Balance;
  /** An unsigned 32-bit number. */
  random(): number;
  /** Calls that may wait for one node. */
  readonly maxQueueSize: number;
  /** An idempotent call leaves a node that is away for this long, in milliseconds. */
  readonly failoverAfterMs: number;
  /** A call waits this long for a node that offers its function, in milliseconds. */
  readonly noNodeAfterMs: number;
  /** A node that a client speaks of and that the hub does not know may still come, for this long, in milliseconds. */
  readonly sessionGraceMs: number;
}

const SWEEP_MS = 250;
/** How far the smoothed latency moves toward each new measurement. */
const LATENCY_WEIGHT = 0.1;
/** Instances known to be gone for good. */
const MAX_GONE = 10_000;

export class Router {
  readonly #options: RouterOptions;
  readonly #clock: Clock;
  readonly #choose: Choose;
  readonly turn: Turn;
  readonly #offers = new Map<string, Offer>();
  readonly clients = new Map<number, Asking>();
  readonly nodes = new Map<number, Running>();
  readonly #byInstance = new Map<string, Running>();
  /** Nodes that clients speak of and that did not come yet, with the time until which they may. */
  readonly #expected = new Map<string, { node: Running; until: number }>();
  readonly #gone = new Set<string>();
  #assigned: Routed[] = [];
  #parked = 0;
  #sweeper: Timer | undefined;
  #accepting: 'yes' | 'no' = 'yes';
  /** Calls by how they ended, as the hub saw them. */
  readonly ended = { result: 0, failure: 0, queue_full: 0, no_node: 0, unstarted: 0, vanished: 0, cancelled: 0 };
  lateFrames = 0;

  constructor(options: RouterOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#choose = createBalance(options.balance, options.random);
    this.turn = new Turn(options.clock, () => this.#dispatch());
  }

  /** Calls that wait at the hub, and calls that are with nodes. */
  get waiting(): number {
    let waiting = this.#parked;
    for (const node of this.nodes.values()) waiting += node.queue.length;
    return waiting;
  }
  get running(): number {
    let running = 0;
    for (const node of this.nodes.values()) running += node.assigned.size;
    return running;
  }

  /** No new calls; those that wait are given back as not started. */
  stopAccepting(): void {
    this.#accepting = 'no';
    for (const offer of this.#offers.values()) {
      for (const call of offer.parked.splice(0)) this.#giveBack(call, 'the hub drains');
    }
    for (const node of this.nodes.values()) {
      for (const call of node.queue.splice(0)) this.#giveBack(call, 'the hub drains');
      node.queuedBytes = 0;
    }
    this.#parked = 0;
  }

  stop(): void {
    if (this.#sweeper !== undefined) this.#clock.clearTimer(this.#sweeper);
    this.#sweeper = undefined;
  }

  // ---- clients ----

  addClient(client: Asking): void {
    this.clients.set(client.number, client);
  }

  clientAttached(client: Asking, outbox: Outbox): void {
    client.outbox = outbox;
    client.definitions = [];
    client.told = new Set();
  }

  clientDetached(client: Asking): void {
    client.outbox = undefined;
    client.resuming = undefined;
    // Assigned, but the client may never have heard of it: not sent, so it is safe to say so.
    for (const call of client.held.splice(0)) this.#release(call);
    for (const call of client.calls.values()) if (call.uploading) this.#interrupt(call);
  }

  /** The client will not come back: its calls are cancelled and its outcomes forgotten. */
  removeClient(client: Asking): void {
    this.clientDetached(client);
    for (const call of [...client.calls.values()]) this.#drop(call);
    client.calls.clear();
    this.clients.delete(client.number);
    for (const node of this.nodes.values()) {
      // An acknowledgement of nothing: the client is gone.
      if (node.told.delete(client.number)) node.outbox?.frame(FrameType.ACK, 0, client.number, 0);
    }
  }

  /** @throws ProtocolViolation */
  clientFrame(client: Asking, type: number, flags: number, peer: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    switch (type) {
      case FrameType.CALL:
        return this.#call(client, flags, id, bytes, start, end);
      case FrameType.ACK:
        return this.#ack(client, peer, bytes, start, end);
      case FrameType.CHUNK:
        return this.#argumentChunk(client, flags, id, bytes, start, end);
      case FrameType.CREDIT: {
        const call = client.calls.get(id);
        if (call?.node === undefined) return;
        call.downBytes = Math.max(0, call.downBytes - readCredit(bytes, start, end));
        call.node.outbox?.forward(type, flags, client.number, id, bytes, start, end);
        return;
      }
      case FrameType.CANCEL: {
        const call = client.calls.get(id);
        if (call === undefined) return;
        if (call.state === 'assigned') {
          call.node?.outbox?.drop(client.number, id);
          call.node?.outbox?.frame(FrameType.CANCEL, 0, client.number, id);
        } else if (call.state !== 'done') this.#drop(call);
        return;
      }
      case FrameType.DEFINE:
        if (id !== client.definitions.length || id >= limits.maxDefinitionsPerClient) {
          throw new ProtocolViolation(
            CloseCode.LIMIT_EXCEEDED,
            `DEFINE ${id} after ${client.definitions.length} of at most ${limits.maxDefinitionsPerClient} definitions`,
          );
        }
        client.definitions.push(this.#offer(readName(bytes, start, end)));
        return;
      case FrameType.RESUME:
        return this.#resume(client, peer, flags, bytes, start, end);
      default:
        throw new ProtocolViolation(
          CloseCode.UNEXPECTED_TYPE,
          `frame type 0x${type.toString(16).padStart(2, '0')} does not come from a client`,
        );
    }
  }

  #call(client: Asking, flags: number, attempt: number, bytes: Uint8Array, start: number, end: number): void {
    if (end - start < CALL_PREFIX_BYTES) {
      throw new ProtocolViolation(CloseCode.MALFORMED, `CALL has ${end - start} bytes, fewer than ${CALL_PREFIX_BYTES}`);
    }
    const fn = (bytes[start] ?? 0) | ((bytes[start + 1] ?? 0) << 8);
    const routeBytes = (bytes[start + 2] ?? 0) | ((bytes[start + 3] ?? 0) << 8);
    const deadlineMs =
      ((bytes[start + 4] ?? 0) | ((bytes[start + 5] ?? 0) << 8) | ((bytes[start + 6] ?? 0) << 16) |
        ((bytes[start + 7] ?? 0) << 24)) >>> 0;
    const offer = client.definitions[fn];
    if (offer === undefined) {
      throw new ProtocolViolation(CloseCode.OUT_OF_ORDER, `CALL of function ${fn}, of which there was no DEFINE`);
    }
    if (client.calls.has(attempt)) {
      throw new ProtocolViolation(CloseCode.OUT_OF_ORDER, `CALL ${attempt} came twice`);
    }
    if (client.calls.size >= limits.maxCallsPerClient + limits.maxUnacknowledged) {
      throw new ProtocolViolation(CloseCode.LIMIT_EXCEEDED, `more than ${limits.maxCallsPerClient} calls at once`);
    }
    const target = routeBytes === 0 ? undefined : readTarget(bytes, start + CALL_PREFIX_BYTES, start + CALL_PREFIX_BYTES + routeBytes, end);
    const now = this.#clock.now();
    const call: Routed = {
      client,
      attempt,
      offer,
      flags,
      target,
      deadlineAt: now + deadlineMs,
      since: now,
      node: undefined,
      state: 'parked',
      frames: [],
      first: { bytes, start, end, prefixBytes: CALL_PREFIX_BYTES + routeBytes },
      uploading: (flags & Flag.MORE) !== 0,
      upBytes: end - start,
      downBytes: 0,
      idempotent: (flags & Flag.IDEMPOTENT) !== 0,
    };
    client.calls.set(attempt, call);
    if (this.#accepting === 'no') this.#giveBack(call, 'the hub drains');
    else this.#place(call);
  }

  /** Finds a node for a call that has none: assigned at once, queued, parked, or refused. */
  #place(call: Routed): void {
    const { offer, target } = call;
    if (offer === undefined) return;
    const candidates = target === undefined ? offer.nodes : offer.nodes.filter((node) => suits(node, target));
    const node = this.#choose(candidates);
    if (node === undefined) return this.#park(call);
    if (this.#hasPlace(node, call)) return this.#assign(call, node);
    // The chosen one is the least loaded or the next in turn; another may still have room.
    const free = candidates.find((it) => this.#hasPlace(it, call));
    if (free !== undefined) return this.#assign(call, free);
    const room = [node, ...candidates].find(
      (it) => it.queue.length < this.#options.maxQueueSize && it.queuedBytes < limits.maxQueueBytes,
    );
    if (room === undefined) {
      const waiting = candidates.reduce((sum, it) => sum + it.queue.length, 0);
      return this.#refuse(call, 'queue_full', `${waiting} calls wait for ${candidates.length} nodes already`);
    }
    this.#keepFirst(call);
    call.state = 'queued';
    call.node = room;
    room.queue.push(call);
    room.queuedBytes += bytesOf(call);
  }

  #hasPlace(node: Running, call: Routed): boolean {
    if (node.state !== 'online' || node.queue.length > 0 || node.assigned.size >= node.maxConcurrent) return false;
    return !call.uploading || node.bulk < limits.maxBulkCalls;
  }

  #park(call: Routed): void {
    const { offer } = call;
    if (offer === undefined) return;
    if (offer.parked.length >= this.#options.maxQueueSize) {
      return this.#refuse(call, 'queue_full', `${offer.parked.length} calls wait for a node that offers ${offer.name}`);
    }
    this.#keepFirst(call);
    call.state = 'parked';
    call.node = undefined;
    offer.parked.push(call);
    this.#parked += 1;
    this.#sweepSoon();
  }

  #assign(call: Routed, node: Running): void {
    const { client } = call;
    call.node = node;
    call.state = 'held';
    node.assigned.add(call);
    if (call.uploading) node.bulk += 1;
    this.#tellClient(client, node);
    client.outbox?.frame(FrameType.ASSIGNED, 0, node.number, call.attempt);
    this.#assigned.push(call);
    this.turn.schedule();
  }

  /** The clients' sockets were written to: what they took may go to the nodes. */
  #dispatch(): void {
    if (this.#assigned.length === 0) return;
    const assigned = this.#assigned;
    this.#assigned = [];
    for (const call of assigned) {
      if (call.state !== 'held') continue;
      if (call.client.outbox !== undefined && call.client.bufferedBytes() === 0) this.#send(call);
      else {
        this.#keepFirst(call);
        call.client.held.push(call);
      }
    }
  }

  /** The client's socket is empty: it knows of its assignments. */
  clientDrained(client: Asking): void {
    for (const call of client.held.splice(0)) if (call.state === 'held') this.#send(call);
  }

  #send(call: Routed): void {
    const { node, offer, client } = call;
    const outbox = node?.outbox;
    const fn = node === undefined || offer === undefined ? undefined : node.functions.get(offer.name);
    if (node === undefined || outbox === undefined || fn === undefined) return this.#release(call);
    call.state = 'assigned';
    if (!node.told.has(client.number)) this.#tellNode(node, client);
    const prefix = { fn, deadlineMs: Math.max(1, Math.ceil(call.deadlineAt - this.#clock.now())), route: '' };
    if (call.first !== undefined) {
      const { bytes, start, end } = call.first;
      call.first = undefined;
      outbox.forward(FrameType.CALL, call.flags, client.number, call.attempt, bytes, start, end, prefix);
    }
    for (const { type, flags, bytes } of call.frames) {
      const isCall = type === FrameType.CALL;
      outbox.forward(type, flags, client.number, call.attempt, bytes, 0, bytes.length, isCall ? prefix : undefined);
    }
    call.frames = [];
  }

  #argumentChunk(client: Asking, flags: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    const call = client.calls.get(id);
    // Given back meanwhile: the rest may still be under way.
    if (call === undefined || call.state === 'done') return;
    if (!call.uploading) throw new ProtocolViolation(CloseCode.OUT_OF_ORDER, `CHUNK of call ${id}, which is complete`);
    call.upBytes += end - start;
    if (call.upBytes > limits.creditWindowBytes + 2 * limits.maxChunkBytes) {
      throw new ProtocolViolation(CloseCode.LIMIT_EXCEEDED, `call ${id} sent ${call.upBytes} bytes without credit`);
    }
    const last = (flags & Flag.MORE) === 0;
    if (call.state === 'assigned') {
      call.node?.outbox?.forward(FrameType.CHUNK, flags, client.number, id, bytes, start, end);
    } else {
      call.frames.push({ type: FrameType.CHUNK, flags, bytes: bytes.slice(start, end) });
      if (call.state === 'queued' && call.node !== undefined) call.node.queuedBytes += end - start;
    }
    if (!last) return;
    call.uploading = false;
    if ((call.state === 'assigned' || call.state === 'held') && call.node !== undefined) call.node.bulk -= 1;
  }

  #ack(client: Asking, peer: number, bytes: Uint8Array, start: number, end: number): void {
    const node = this.nodes.get(peer);
    if (end > start) {
      readIds(bytes, start, end, (attempt) => {
        const call = client.calls.get(attempt);
        if (call === undefined) return;
        this.#free(call);
        client.calls.delete(attempt);
        call.state = 'gone';
      });
      if (node?.told.has(client.number)) {
        node.outbox?.frame(FrameType.ACK, 0, client.number, 0, bytes, start, end);
        this.#advance(node);
      }
    }
  }

  // ---- nodes ----

  /** The node's facts, whether it was expected, is new, or was here before. */
  addNode(facts: Pick<Running, 'number' | 'id' | 'instance' | 'functions' | 'labels' | 'maxConcurrent'>): Running {
    const expected = this.#expected.get(facts.instance);
    this.#expected.delete(facts.instance);
    const node = createRunning(facts);
    // Calls that clients said it has follow it into its session.
    for (const call of expected?.node.assigned ?? []) {
      call.node = node;
      node.assigned.add(call);
    }
    this.nodes.set(node.number, node);
    this.#byInstance.set(node.instance, node);
    return node;
  }

  /** `registration`: whether it registered anew since it was last online, and so knows nobody. */
  nodeOnline(node: Running, outbox: Outbox, registration: 'new' | 'routed'): void {
    const fresh = registration === 'new';
    node.outbox = outbox;
    if (fresh) node.told = new Set();
    this.#withdraw(node);
    node.state = 'online';
    for (const name of node.functions.keys()) this.#offer(name).nodes.push(node);
    if (fresh) this.#askClients(node);
    for (const name of node.functions.keys()) this.#unpark(this.#offer(name));
  }

  /** No new work, but what is there goes on. */
  nodeLeaving(node: Running): void {
    this.#withdraw(node);
    node.state = 'leaving';
    this.#replaceQueued(node);
  }

  nodeAway(node: Running): void {
    this.#withdraw(node);
    node.state = 'away';
    node.outbox = undefined;
    node.awaySince = this.#clock.now();
    for (const call of node.assigned) {
      if (call.state === 'held') this.#giveBack(call, `node ${node.id} went away before it was sent`);
      else if (call.uploading) this.#interrupt(call);
    }
    this.#replaceQueued(node);
    this.#sweepSoon();
  }

  /** The node will not come back as this instance. */
  removeNode(node: Running): void {
    this.nodeAway(node);
    node.state = 'gone';
    this.nodes.delete(node.number);
    this.#byInstance.delete(node.instance);
    this.#remember(node.instance);
    for (const call of [...node.assigned]) this.#vanish(call);
  }

  /** @throws ProtocolViolation */
  nodeFrame(node: Running, type: number, flags: number, peer: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    const client = this.clients.get(peer);
    const call = client?.calls.get(id);
    if (type === FrameType.FATE) {
      if (client !== undefined) this.#fates(node, client, bytes, start, end);
      return;
    }
    if (type < FrameType.CHUNK || type > FrameType.FAILURE) {
      throw new ProtocolViolation(
        CloseCode.UNEXPECTED_TYPE,
        `frame type 0x${type.toString(16).padStart(2, '0')} does not come from a node`,
      );
    }
    if (client === undefined || call === undefined || call.node !== node) {
      this.lateFrames += 1;
      return;
    }
    if (type === FrameType.CREDIT) {
      call.upBytes = Math.max(0, call.upBytes - readCredit(bytes, start, end));
    } else {
      call.downBytes += end - start;
      if (call.downBytes > limits.creditWindowBytes + 2 * limits.maxChunkBytes) {
        throw new ProtocolViolation(CloseCode.LIMIT_EXCEEDED, `call ${id} answered ${call.downBytes} bytes without credit`);
      }
    }
    client.outbox?.forward(type, flags, node.number, id, bytes, start, end);
    if (type === FrameType.FAILURE || (type === FrameType.RESULT && (flags & Flag.MORE) === 0)) {
      this.#finish(call, node, type === FrameType.RESULT ? 'result' : 'failure');
    }
  }

  #finish(call: Routed, node: Running, how: 'result' | 'failure'): void {
    if (call.state === 'done') return;
    this.#free(call);
    call.state = 'done';
    this.ended[how] += 1;
    call.client.finished += 1;
    node.executed += 1;
    const tookMs = this.#clock.now() - call.since;
    node.latencyMs = node.latencyMs === 0 ? tookMs : node.latencyMs + LATENCY_WEIGHT * (tookMs - node.latencyMs);
    this.#advance(node);
  }

  /** Places were freed: the next of the queue go there. */
  #advance(node: Running): void {
    while (node.queue.length > 0 && node.state === 'online' && node.assigned.size < node.maxConcurrent) {
      const call = node.queue[0];
      if (call === undefined || (call.uploading && node.bulk >= limits.maxBulkCalls)) return;
      node.queue.shift();
      node.queuedBytes -= bytesOf(call);
      if (call.state === 'queued') this.#assign(call, node);
    }
  }

  // ---- resume ----

  /** The node is here again: which of its calls do clients still wait for, and up to which item? They know best. */
  #askClients(node: Running): void {
    const asked = new Set<Asking>();
    for (const { client } of node.assigned) {
      if (asked.has(client) || client.outbox === undefined) continue;
      asked.add(client);
      this.#tellClient(client, node);
      client.outbox.frame(FrameType.RESUME, 0, node.number, 0);
    }
  }

  #resume(client: Asking, peer: number, flags: number, bytes: Uint8Array, start: number, end: number): void {
    const message = readResume(bytes, start, end);
    // About one node only: the client answers our question. Otherwise the list is complete.
    const complete = peer === 0;
    client.resuming ??= new Set();
    for (const { id, instance, calls } of message.nodes) {
      const node = this.#byInstance.get(instance) ?? this.#expect(id, instance);
      const queries: [number, number, number][] = [];
      for (const { attempt, received, windowBytes, idempotent } of calls) {
        client.resuming.add(attempt);
        if (node === undefined) {
          const call = client.calls.get(attempt);
          if (call !== undefined) this.#drop(call);
          this.#tellFate(client, 0, attempt, Fate.VANISHED);
          continue;
        }
        const call = this.#bind(client, attempt, node, idempotent);
        call.downBytes = 0;
        queries.push([attempt, received, windowBytes]);
      }
      if (node?.state === 'online' || node?.state === 'leaving') this.#query(node, client, queries);
      else this.#sweepSoon();
    }
    for (const attempt of message.unassigned) {
      client.resuming.add(attempt);
      this.#resumeUnassigned(client, attempt);
    }
    if ((flags & Flag.MORE) !== 0) return;
    const named = client.resuming;
    client.resuming = undefined;
    if (!complete) return;
    for (const call of [...client.calls.values()]) if (!named.has(call.attempt)) this.#drop(call);
  }

  /** The client did not hear of an assignment. If there was one, it hears now; if the hub never had the call, it may be sent again. */
  #resumeUnassigned(client: Asking, attempt: number): void {
    const call = client.calls.get(attempt);
    if (call === undefined) return this.#tellFate(client, 0, attempt, Fate.UNSTARTED);
    if (call.state === 'parked' || call.state === 'queued') {
      if (!call.uploading) return this.#tellFate(client, 0, attempt, Fate.WAITING);
      this.#drop(call);
      return this.#tellFate(client, 0, attempt, Fate.UNSTARTED);
    }
    const { node } = call;
    if (node === undefined || node.state === 'gone') return;
    this.#tellClient(client, node);
    client.outbox?.frame(FrameType.ASSIGNED, 0, node.number, attempt);
    call.downBytes = 0;
    if (node.outbox !== undefined) this.#query(node, client, [[attempt, 0, limits.creditWindowBytes]]);
  }

  #query(node: Running, client: Asking, queries: readonly [number, number, number][]): void {
    if (queries.length === 0 || node.outbox === undefined) return;
    this.#tellClient(client, node);
    if (!node.told.has(client.number)) this.#tellNode(node, client);
    for (const [attempt] of queries) client.outbox?.drop(node.number, attempt);
    node.outbox.frame(FrameType.QUERY, 0, client.number, 0, writeQueries(queries));
  }

  #fates(node: Running, client: Asking, bytes: Uint8Array, start: number, end: number): void {
    const told: [number, Fate][] = [];
    readFates(bytes, start, end, (attempt, fate) => {
      const call = client.calls.get(attempt);
      if (call === undefined || call.node !== node) return;
      told.push([attempt, fate]);
      if (fate === Fate.UNSTARTED || fate === Fate.VANISHED) {
        this.ended[fate === Fate.UNSTARTED ? 'unstarted' : 'vanished'] += 1;
        this.#drop(call);
      }
    });
    if (told.length > 0) client.outbox?.frame(FrameType.FATE, 0, node.number, 0, writeFates(told));
    this.#advance(node);
  }

  /** The hub's own record of an attempt that a client says is at `node`. */
  #bind(client: Asking, attempt: number, node: Running, idempotent: boolean): Routed {
    const known = client.calls.get(attempt);
    if (known !== undefined) return known;
    const now = this.#clock.now();
    const call: Routed = {
      client,
      attempt,
      offer: undefined,
      flags: 0,
      target: undefined,
      deadlineAt: Infinity,
      since: now,
      node,
      state: 'assigned',
      frames: [],
      first: undefined,
      uploading: false,
      upBytes: 0,
      downBytes: 0,
      idempotent,
    };
    client.calls.set(attempt, call);
    node.assigned.add(call);
    return call;
  }

  /** A node that a client speaks of: expected, unless it is known to be gone or another instance took its place. */
  #expect(id: string, instance: string): Running | undefined {
    if (this.#gone.has(instance)) return undefined;
    for (const node of this.nodes.values()) if (node.id === id && node.state === 'online') return undefined;
    const known = this.#expected.get(instance);
    if (known !== undefined) return known.node;
    const node = createRunning({ number: 0, id, instance, functions: new Map(), labels: {}, maxConcurrent: 0 });
    node.awaySince = this.#clock.now();
    this.#expected.set(instance, { node, until: this.#clock.now() + this.#options.sessionGraceMs });
    return node;
  }

  /** Another instance of this node id is online: the calls of those before it are settled. */
  supersede(id: string, instance: string): void {
    for (const [expected, { node }] of this.#expected) {
      if (node.id !== id || expected === instance) continue;
      this.#expected.delete(expected);
      this.#remember(expected);
      for (const call of [...node.assigned]) this.#vanish(call);
    }
  }

  // ---- what every path shares ----

  #offer(name: string): Offer {
    let offer = this.#offers.get(name);
    if (offer === undefined) this.#offers.set(name, (offer = { name, nodes: [], parked: [] }));
    return offer;
  }

  #withdraw(node: Running): void {
    for (const name of node.functions.keys()) {
      const offer = this.#offers.get(name);
      const at = offer?.nodes.indexOf(node) ?? -1;
      if (at >= 0) offer?.nodes.splice(at, 1);
    }
  }

  #replaceQueued(node: Running): void {
    const queued = node.queue.splice(0);
    node.queuedBytes = 0;
    for (const call of queued) {
      call.node = undefined;
      if (call.state === 'queued') this.#place(call);
    }
  }

  #unpark(offer: Offer): void {
    const parked = offer.parked.splice(0);
    this.#parked -= parked.length;
    for (const call of parked) if (call.state === 'parked') this.#place(call);
  }

  /** The message in which a call came is not kept for it. */
  #keepFirst(call: Routed): void {
    if (call.first === undefined) return;
    const { bytes, start, end } = call.first;
    call.frames.unshift({ type: FrameType.CALL, flags: call.flags, bytes: bytes.slice(start, end) });
    call.first = undefined;
  }

  /** Its place at the node is free again. */
  #free(call: Routed): void {
    const { node } = call;
    if (node === undefined) return;
    if (node.assigned.delete(call) && call.uploading) node.bulk -= 1;
  }

  /** Forgets a call; a node that has it is told that nobody waits. */
  #drop(call: Routed): void {
    const { client, node, attempt } = call;
    if (call.state === 'assigned' || call.state === 'done') {
      if (node?.told.has(client.number)) {
        node.outbox?.drop(client.number, attempt);
        const ids = new Uint8Array(4);
        new DataView(ids.buffer).setUint32(0, attempt, true);
        node.outbox?.frame(FrameType.ACK, 0, client.number, 0, ids);
      }
    }
    this.#unqueue(call);
    this.#free(call);
    client.calls.delete(attempt);
    call.state = 'gone';
    if (node !== undefined) this.#advance(node);
  }

  #unqueue(call: Routed): void {
    if (call.state === 'queued' && call.node !== undefined) {
      const at = call.node.queue.indexOf(call);
      if (at >= 0) call.node.queue.splice(at, 1);
      call.node.queuedBytes -= bytesOf(call);
    }
    if (call.state === 'parked' && call.offer !== undefined) {
      const at = call.offer.parked.indexOf(call);
      if (at >= 0) {
        call.offer.parked.splice(at, 1);
        this.#parked -= 1;
      }
    }
  }

  /** Certainly not started: the client may send it again. */
  #giveBack(call: Routed, why: string): void {
    this.#unqueue(call);
    this.#free(call);
    call.client.calls.delete(call.attempt);
    call.state = 'gone';
    this.ended.unstarted += 1;
    this.#fail(call, 'unstarted', why);
  }

  /** Assigned, never sent, and now the node or the client is away. The client asks when it is back. */
  #release(call: Routed): void {
    if (call.client.outbox !== undefined) return this.#giveBack(call, 'its node went away before it was sent');
    this.#free(call);
    call.client.calls.delete(call.attempt);
    call.state = 'gone';
  }

  /** Arguments that arrived in part will not be completed: the node forgets them, and the call was not started. */
  #interrupt(call: Routed): void {
    if (call.client.outbox !== undefined) {
      this.#drop(call);
      this.#fail(call, 'unstarted', 'its link broke while its arguments were sent');
    } else this.#drop(call);
  }

  #vanish(call: Routed): void {
    this.#free(call);
    call.client.calls.delete(call.attempt);
    call.state = 'gone';
    this.ended.vanished += 1;
    this.#tellFate(call.client, 0, call.attempt, Fate.VANISHED);
  }

  #refuse(call: Routed, code: 'queue_full' | 'no_node', message: string): void {
    this.#unqueue(call);
    call.client.calls.delete(call.attempt);
    call.state = 'gone';
    this.ended[code] += 1;
    this.#fail(call, code, message);
  }

  #fail({ client, attempt }: Routed, code: FailureCode, message: string): void {
    client.outbox?.json(FrameType.FAILURE, 0, 0, attempt, { code, message });
  }

  #tellFate(client: Asking, peer: number, attempt: number, fate: Fate): void {
    client.outbox?.frame(FrameType.FATE, 0, peer, 0, writeFates([[attempt, fate]]));
  }

  #tellClient(client: Asking, node: Running): void {
    if (client.told.has(node.number) || client.outbox === undefined) return;
    client.told.add(node.number);
    client.outbox.json(FrameType.PEER, 0, node.number, 0, { id: node.id, instance: node.instance });
  }

  #tellNode(node: Running, client: Asking): void {
    node.told.add(client.number);
    node.outbox?.json(FrameType.PEER, 0, client.number, 0, { id: client.id, instance: client.instance });
  }

  #remember(instance: string): void {
    this.#gone.add(instance);
    if (this.#gone.size <= MAX_GONE) return;
    for (const oldest of this.#gone) {
      this.#gone.delete(oldest);
      return;
    }
  }

  #sweepSoon(): void {
    this.#sweeper ??= this.#clock.setTimer(() => this.#sweep(), SWEEP_MS);
  }

  /** What waited too long: parked calls, idempotent calls of nodes that are away, nodes that did not come. */
  #sweep(): void {
    this.#sweeper = undefined;
    const now = this.#clock.now();
    let again = this.#parked > 0 || this.#expected.size > 0;
    for (const offer of this.#offers.values()) {
      for (const call of [...offer.parked]) {
        if (now - call.since < this.#options.noNodeAfterMs) continue;
        const who = call.target === undefined ? '' : ` with ${JSON.stringify(call.target)}`;
        this.#refuse(call, 'no_node', `no node${who} offered ${offer.name} within ${this.#options.noNodeAfterMs} ms`);
      }
    }
    const away = [...this.nodes.values(), ...[...this.#expected.values()].map(({ node }) => node)];
    for (const node of away) {
      if (node.state !== 'away' || node.assigned.size === 0) continue;
      again = true;
      if (now - node.awaySince < this.#options.failoverAfterMs) continue;
      for (const call of [...node.assigned]) if (call.idempotent) this.#vanish(call);
    }
    for (const [instance, { node, until }] of this.#expected) {
      if (now < until) continue;
      this.#expected.delete(instance);
      for (const call of [...node.assigned]) this.#vanish(call);
    }
    if (again) this.#sweepSoon();
  }
}

function bytesOf(call: Routed): number {
  let bytes = 0;
  for (const frame of call.frames) bytes += frame.bytes.length;
  return bytes;
}

/** Not an error of the router's: an option that does not exist. */
export function checkBalance(balance: string): Balance {
  if (balance === 'leastLoaded' || balance === 'roundRobin' || balance === 'latency' || balance === 'random') return balance;
  throw new HoldfastError(`option balance is ${balance}; choose leastLoaded, roundRobin, latency or random`, {
    code: 'invalid_option',
  });
}
