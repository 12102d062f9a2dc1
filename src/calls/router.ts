// The hub's router: takes the call frames of clients and nodes, and passes them on by their headers.
// Invariant: a frame reaches only the peer of the call that it names; one that names no call of its sender is late, and counted.
import type { Clock } from '../ports.ts';
import { ProtocolViolation } from '../protocol/errors.ts';
import { CloseCode, Flag, FrameType } from '../protocol/frames.ts';
import { limits } from '../protocol/limits.ts';
import { readCredit, readIds } from '../protocol/lists.ts';
import { readName } from '../protocol/messages.ts';
import type { Outbox } from '../protocol/outbox.ts';
import { copyBytes, unexpectedType } from '../protocol/read.ts';
import { readCall } from './admitted.ts';
import { Announcements } from './announcements.ts';
import { createBalance } from './balance.ts';
import { Book } from './book.ts';
import { Durables } from './durables.ts';
import { Placement, type PlacementOptions } from './placement.ts';
import { Resumption, type ResumptionOptions } from './resumption.ts';
import { keepUnpassed, owesAnswer, stopPassing, Running, type Asking, type Routed } from './roster.ts';
import { isTakenUp } from './taken-up.ts';
import type { Turn } from './turn.ts';

export interface RouterOptions extends Omit<PlacementOptions, 'choose' | 'journal'>, ResumptionOptions {
  /** An unsigned 32-bit number. */
  random(): number;
}

/** How far the smoothed latency moves toward each new measurement. */
const LATENCY_WEIGHT = 0.1;

export class Router {
  readonly #clock: Clock;
  readonly #hub: string;
  readonly book: Book;
  readonly #announcements: Announcements;
  readonly #placement: Placement;
  readonly #resumption: Resumption;
  readonly durables: Durables;
  #accepting: 'yes' | 'no' = 'yes';
  lateFrames = 0;
  /** When the frames that are being handled came in. */
  #now = 0;

  constructor(options: RouterOptions) {
    const choose = createBalance(options.balance, options.random);
    this.#clock = options.clock;
    this.#hub = options.hub;
    this.book = new Book((node) => this.#placement.advance(node), {
      again: (call) => this.durables.again(call),
      left: (call) => this.durables.left(call),
      withdraw: (call, withdrawn) => this.durables.withdraw(call, withdrawn),
    });
    this.#announcements = new Announcements(options.clock, this.book.clients);
    this.#placement = new Placement(this.book, this.#announcements, {
      ...options,
      choose,
      journal: (call, node, kept) => this.durables.assign(call, node, kept),
    });
    this.#resumption = new Resumption(this.book, options);
    this.durables = new Durables(this.book, {
      clock: options.clock,
      // One that a hub which stops has not placed is the next one's.
      place: (call) => void (this.#accepting === 'yes' && this.#placement.place(call)),
      expect: (call, id, instance) => this.#resumption.expect(call, id, instance),
    });
  }

  get turn(): Turn {
    return this.#placement.turn;
  }

  /** No new calls; those that wait are given back as not started. What is not known to end here is left to the next hub. */
  stopAccepting(): void {
    this.#accepting = 'no';
    this.#resumption.stop();
    for (const call of this.book.waitingCalls())
      if (!isTakenUp(call)) this.book.giveBack(call, 'the hub drains');
  }

  stop(): void {
    this.#resumption.stop();
    this.#announcements.stop();
    this.#placement.stop();
  }

  /** The frames that follow came in at this time. */
  heard(at: number): void {
    this.#now = at;
  }

  addClient(client: Asking): void {
    this.book.clients.set(client.number, client);
  }

  clientAttached(client: Asking, outbox: Outbox): void {
    client.outbox = outbox;
    client.told = new Set();
  }

  /** It takes ROSTER frames: what it is told when it registers. */
  greet(client: Asking): { upTo: number; nodes: number[] } {
    return this.#announcements.greet(client);
  }

  clientDetached(client: Asking): void {
    client.outbox = undefined;
    client.resuming = undefined;
    this.book.undefine(client);
    // Assigned, but never sent: the client is told so when it asks.
    for (const call of client.held.splice(0)) if (call.state === 'held') this.book.release(call);
    for (const call of [...client.calls.values()]) {
      stopPassing(call);
      // What it ended with may have gone to the link that was lost.
      if (call.state === 'done') keepUnpassed(call);
      if (call.uploading) this.book.interrupt(call);
    }
  }

  clientDrained(client: Asking): void {
    this.#placement.clientDrained(client);
  }

  nodeDrained(node: Running): void {
    this.#placement.advance(node);
  }

  /** The client will not come back: its calls are cancelled and its outcomes forgotten. */
  removeClient(client: Asking): void {
    this.clientDetached(client);
    this.book.rememberGivenUp(client);
    for (const call of [...client.calls.values()]) this.book.forsake(call);
    this.book.clients.delete(client.number);
    for (const node of this.book.nodes.values()) {
      node.owed?.delete(client);
      node.askedBy?.delete(client);
      node.asking?.delete(client);
      // An acknowledgement of nothing: the client is gone. From a hub that drains it may go to the next one.
      if (node.told.delete(client.number) && this.#accepting === 'yes')
        node.outbox?.frame(FrameType.ACK, 0, client.number, 0);
    }
  }

  /** @throws ProtocolViolation */
  clientFrame(
    client: Asking,
    type: number,
    flags: number,
    peer: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    switch (type) {
      case FrameType.CALL:
        return this.#call(readCall(client, flags, peer, id, bytes, start, end, this.#now));
      case FrameType.ACK:
        return this.#ack(client, peer, bytes, start, end);
      case FrameType.CHUNK:
        return this.#argumentChunk(client, flags, id, bytes, start, end);
      case FrameType.CREDIT: {
        const call = client.calls.get(id);
        const bytesMore = readCredit(bytes, start, end);
        if (call?.state !== 'assigned' && call?.state !== 'done') return;
        call.downBytes = Math.max(0, call.downBytes - bytesMore);
        // A node that came back and knows nobody gets the credit with the question that it is asked.
        if (call.node?.told.has(client.number))
          call.node.outbox?.forward(type, flags, client.number, id, bytes, start, end);
        return;
      }
      case FrameType.CANCEL: {
        const call = client.calls.get(id);
        return call === undefined ? undefined : this.book.cancel(call);
      }
      case FrameType.DEFINE:
        if (id !== client.definitions.length || id >= limits.maxDefinitionsPerClient) {
          throw new ProtocolViolation(
            CloseCode.LIMIT_EXCEEDED,
            `DEFINE ${id} after ${client.definitions.length} of at most ${limits.maxDefinitionsPerClient} definitions`,
          );
        }
        return this.book.define(client, readName(bytes, start, end));
      case FrameType.ROSTER:
        this.#announcements.heard(client, id);
        return this.#placement.clientHeard(client);
      case FrameType.RESUME:
        return this.#resumption.resume(client, peer, flags, bytes, start, end);
      default:
        throw unexpectedType(type, 'a client');
    }
  }

  #call(call: Routed): void {
    call.client.calls.set(call);
    if (this.#accepting === 'no') this.book.giveBack(call, 'the hub drains');
    else if (call.durable !== undefined) {
      if (this.#placement.keepFirst(call)) this.durables.begin(call);
    } else this.#placement.place(call, this.#now);
  }

  #argumentChunk(
    client: Asking,
    flags: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const call = client.calls.get(id);
    // Given back or cancelled meanwhile: the rest may still be under way.
    if (call === undefined || call.state === 'done' || call.state === 'withdrawn') return;
    if (!call.uploading)
      throw new ProtocolViolation(CloseCode.OUT_OF_ORDER, `CHUNK of call ${id}, which is complete`);
    call.upBytes += end - start;
    if (call.upBytes > limits.maxUncreditedBytes) {
      throw new ProtocolViolation(
        CloseCode.LIMIT_EXCEEDED,
        `call ${id} sent ${call.upBytes} bytes without credit`,
      );
    }
    if (call.state === 'assigned') {
      call.node?.outbox?.forward(FrameType.CHUNK, flags, client.number, id, bytes, start, end);
    } else {
      if (this.#placement.refuseBeyond(call, end - start)) return;
      this.book.keep(call, FrameType.CHUNK, flags, copyBytes(bytes, start, end));
      if (call.state === 'queued' && call.node !== undefined) call.node.queuedBytes += end - start;
    }
    if ((flags & Flag.MORE) === 0) call.uploading = false;
    if (call.state === 'journaling') this.durables.more(call);
    if (call.uploading) return;
    if ((call.state === 'assigned' || call.state === 'held') && call.node !== undefined) {
      call.node.bulk -= 1;
      this.#placement.advance(call.node);
    }
  }

  #ack(client: Asking, peer: number, bytes: Uint8Array, start: number, end: number): void {
    const node = this.book.nodes.get(peer);
    const isAway = node?.state === 'away';
    readIds(bytes, start, end, (attempt) => {
      if (isAway) this.book.acknowledge(node, client, [attempt]);
      const call = client.calls.get(attempt);
      if (call === undefined) return;
      // Its client had presumed another node when it gave it up: the one that has it must hear so.
      if (call.node === node) this.book.leave(call);
      else this.book.drop(call);
    });
    if (node === undefined || isAway) return;
    // It may have come back since the outcome left it, and know nobody.
    this.book.tellNode(node, client);
    node.outbox?.frame(FrameType.ACK, 0, client.number, 0, bytes, start, end);
    this.#placement.advance(node);
  }

  addNode(
    facts: Pick<Running, 'number' | 'id' | 'instance' | 'functions' | 'labels' | 'maxConcurrent'>,
    history: Running['history'],
  ): Running {
    const node = new Running(facts);
    node.history = history;
    this.#resumption.adopt(node);
    this.book.nodes.set(node.number, node);
    this.book.byInstance.set(node.instance, node);
    return node;
  }

  /** It registered, and said which `ordinals` it had at the hubs before; undefined when it knows of none. */
  nodeRegistered(node: Running, ordinals: Running['ordinals'] | undefined): void {
    if (ordinals === undefined) return;
    if (node.ordinal === 0) node.ordinal = this.#announcements.join();
    node.ordinals = [...ordinals, { hub: this.#hub, ordinal: node.ordinal }];
    this.#resumption.nodeCame(node);
  }

  /** `registration`: whether it registered anew since it was last online, and so knows nobody. */
  nodeOnline(node: Running, outbox: Outbox, registration: 'new' | 'routed'): void {
    this.#link(node, outbox, 'online', registration);
    const offers = [...node.functions.keys()].map((name) => this.book.offer(name));
    for (const offer of offers) offer.nodes.push(node);
    for (const offer of offers) this.#placement.unpark(offer);
  }

  /** No new work, but what is there goes on: also what a node brings back that lost its link while it finished. */
  nodeLeaving(node: Running, outbox: Outbox, registration: 'new' | 'routed'): void {
    this.#link(node, outbox, 'leaving', registration);
    this.#placement.replaceQueued(node);
  }

  #link(node: Running, outbox: Outbox, state: 'online' | 'leaving', registration: 'new' | 'routed'): void {
    node.outbox = outbox;
    this.book.withdraw(node);
    node.state = state;
    if (registration === 'routed') return;
    node.told = new Set();
    this.book.payOwed(node);
    this.#resumption.askClients(node);
  }

  nodeAway(node: Running): void {
    this.book.withdraw(node);
    node.state = 'away';
    node.outbox = undefined;
    node.asking = undefined;
    node.awaySince = this.#clock.now();
    node.queries = 0;
    node.answers = 0;
    for (const call of [...node.assigned]) {
      stopPassing(call);
      call.downBytes = 0;
      if (call.state === 'held') this.book.release(call);
      else if (call.uploading) this.book.interrupt(call);
    }
    this.#placement.replaceQueued(node);
    this.#resumption.sweepSoon();
  }

  /** The node will not come back as this instance. */
  removeNode(node: Running): void {
    const owed = owesAnswer(node);
    this.nodeAway(node);
    node.state = 'gone';
    this.book.nodes.delete(node.number);
    // Its number may come to stand for another.
    for (const client of this.book.clients.values()) client.told.delete(node.number);
    this.book.byInstance.delete(node.instance);
    this.book.rememberGone(node.instance);
    // A hub that drains gives nobody up: the node may come to the next one, and the client ask there.
    if (this.#accepting === 'no') return;
    for (const call of [...node.assigned, ...(node.unpassed ?? [])]) this.book.vanish(call);
    // After what became of its calls: who hears of the one has heard of the other.
    this.#announcements.leave(node.ordinal);
    this.#resumption.nodeLost(node, owed);
  }

  /** Another instance of this node id is online. */
  supersede(id: string, instance: string): void {
    this.#resumption.supersede(id, instance);
  }

  /** @throws ProtocolViolation */
  nodeFrame(
    node: Running,
    type: number,
    flags: number,
    peer: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const client = this.book.clients.get(peer);
    if (type === FrameType.FATE) return this.#resumption.fates(node, client, bytes, start, end);
    if (type < FrameType.CHUNK || type > FrameType.FAILURE) throw unexpectedType(type, 'a node');
    const creditBytes = type === FrameType.CREDIT ? readCredit(bytes, start, end) : 0;
    if (type === FrameType.ITEM && start === end) {
      throw new ProtocolViolation(CloseCode.MALFORMED, 'an ITEM without a byte, which would cost no credit');
    }
    const call = client?.calls.get(id);
    const hasIt = call?.node === node && (call.state === 'assigned' || call.state === 'done');
    if (client === undefined || call === undefined || !hasIt) {
      this.lateFrames += 1;
      return;
    }
    if (type === FrameType.CREDIT) call.upBytes = Math.max(0, call.upBytes - creditBytes);
    else {
      call.downBytes += end - start;
      if (call.downBytes > limits.maxUncreditedBytes) {
        throw new ProtocolViolation(
          CloseCode.LIMIT_EXCEEDED,
          `call ${id} answered ${call.downBytes} bytes without credit`,
        );
      }
    }
    if (call.passing === 'yes') client.outbox?.forward(type, flags, node.number, id, bytes, start, end);
    if ((flags & Flag.MORE) !== 0) {
      if (type === FrameType.RESULT) call.result = 'arriving';
    } else if (type === FrameType.FAILURE) this.#finish(call, node, 'failure');
    else if (type === FrameType.RESULT || (type === FrameType.CHUNK && call.result === 'arriving'))
      this.#finish(call, node, 'result');
  }

  #finish(call: Routed, node: Running, how: 'result' | 'failure'): void {
    if (call.state !== 'done') this.#count(call, node, how);
    if (call.passing === 'yes') node.unpassed?.delete(call);
    else keepUnpassed(call);
  }

  #count(call: Routed, node: Running, how: 'result' | 'failure'): void {
    this.book.free(call);
    call.state = 'done';
    this.book.ended[how] += 1;
    call.client.finished += 1;
    node.history.totalTasksExecuted += 1;
    const tookMs = this.#now - call.since;
    node.latencyMs =
      node.latencyMs === 0 ? tookMs : node.latencyMs + LATENCY_WEIGHT * (tookMs - node.latencyMs);
    this.#placement.advance(node);
  }
}
