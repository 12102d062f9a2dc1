// Which node a call goes to, and when: places, queues, calls that no node offers yet.
// Invariant: a call is assigned to at most one node, of which its client has heard, and sent there only when its client presumed
// that node, or its socket took the assignment.
import type { Clock, Timer } from '../ports.ts';
import { FrameType } from '../protocol/frames.ts';
import { defaults, limits } from '../protocol/limits.ts';
import type { Announcements } from './announcements.ts';
import type { Balance, Choose } from './balance.ts';
import { bytesOf, type Book } from './book.ts';
import { suits, type Asking, type Offer, type Routed, type Running } from './roster.ts';
import { isTakenUp } from './taken-up.ts';
import { Turn } from './turn.ts';
import { copyBytes } from '../protocol/read.ts';

export interface PlacementOptions {
  readonly clock: Clock;
  readonly balance: Balance;
  readonly choose: Choose;
  /** Calls that may wait for one node, or for one function that no node offers. */
  readonly maxQueueSize: number;
  /** A call waits this long for a node that offers its function, in milliseconds. */
  readonly noNodeAfterMs: number;
  /** Journals where a durable call is; `kept` is called when it may be sent there. */
  journal(call: Routed, node: Running, kept: () => void): void;
}

const SWEEP_MS = 250;
const TELL_MS = 50;
/** A client that does not take an assignment for so long gives its places back. As long as a heartbeat may be late. */
const MAX_HELD_MS = defaults.heartbeatTimeoutMs;
/** More for a node waits in its queue. With the chunks of `maxBulkCalls` calls it stays below `maxOutboxBytes`. */
const MAX_NODE_BACKLOG_BYTES = limits.maxOutboxBytes / 4;

export class Placement {
  readonly turn: Turn;
  readonly #book: Book;
  readonly #announcements: Announcements;
  readonly #options: PlacementOptions;
  #assigned: Routed[] = [];
  /** Written anew for each call; the outbox does not keep it. */
  readonly #prefix = { fn: 0, deadlineMs: 0, route: '' };
  #sweeper: Timer | undefined;
  #teller: Timer | undefined;

  constructor(book: Book, announcements: Announcements, options: PlacementOptions) {
    this.#book = book;
    this.#announcements = announcements;
    this.#options = options;
    this.turn = new Turn(options.clock, () => this.#dispatch());
  }

  /** Finds a node for a call that has none: assigned at once, queued, parked, or refused. */
  place(call: Routed, now = this.#options.clock.now()): void {
    if (call.offer?.state === 'forgotten') call.offer = this.#book.offer(call.offer.name);
    const { offer, target, client } = call;
    if (offer === undefined) return;
    // Where a call is that the hub goes on with stands in the journal.
    const heardUpTo = isTakenUp(call) ? Infinity : client.heardUpTo;
    let candidates = target === undefined ? offer.nodes : offer.nodes.filter((node) => suits(node, target));
    let chosen = this.#options.choose(candidates);
    if (chosen === undefined) return this.#park(call, offer);
    if (client.toldVersion !== this.#announcements.version) this.#announcements.tellSoon(client, now);
    if (chosen.ordinal > heardUpTo) {
      candidates = candidates.filter(({ ordinal }) => ordinal <= heardUpTo);
      chosen = this.#options.choose(candidates);
      if (chosen === undefined) return this.#awaitRoster(call);
    }
    chosen = this.#prefer(call, chosen);
    if (hasPlace(chosen, call)) return this.#assign(call, chosen, now);
    // The chosen one is the least loaded or the next in turn; another may still have room.
    const free = candidates.find((node) => node.ordinal <= heardUpTo && hasPlace(node, call));
    if (free !== undefined) return this.#assign(call, free, now);
    const hasRoom = (node: Running): boolean =>
      node.ordinal <= heardUpTo &&
      node.queue.length < this.#options.maxQueueSize &&
      node.queuedBytes < limits.maxQueueBytes;
    const node = hasRoom(chosen) ? chosen : candidates.find(hasRoom);
    if (node === undefined) {
      const waiting = candidates.reduce((sum, it) => sum + it.queue.length, 0);
      return this.#book.refuse(
        call,
        'queue_full',
        `${waiting} calls wait for ${candidates.length} nodes already`,
      );
    }
    if (!this.keepFirst(call)) return;
    call.state = 'queued';
    call.node = node;
    node.queue.push(call);
    node.queuedBytes += bytesOf(call);
    this.advance(node);
  }

  /** Places were freed: the next of the queue go there. */
  advance(node: Running): void {
    for (let at = 0; at < node.queue.length && takesCalls(node);) {
      const call = node.queue[at];
      if (call === undefined) return;
      if (call.uploading && node.bulk >= limits.maxBulkCalls) {
        // Smaller ones need not wait for it.
        at += 1;
        continue;
      }
      if (at === 0) node.queue.shift();
      else node.queue.splice(at, 1);
      node.queuedBytes -= bytesOf(call);
      this.#assign(call, node, this.#options.clock.now());
    }
  }

  /** Whether the client's calls that wait here take too much with so many bytes more: then the call is refused. */
  refuseBeyond(call: Routed, bytes: number): boolean {
    const { waitingBytes } = call.client;
    if (waitingBytes + bytes <= limits.maxWaitingBytes) return false;
    this.#book.refuse(
      call,
      'queue_full',
      `calls of this client that wait at the hub take ${waitingBytes} bytes already`,
    );
    return true;
  }

  /** Those that waited for a node that takes nothing new find another. */
  replaceQueued(node: Running): void {
    const queued = node.queue.splice(0);
    node.queuedBytes = 0;
    for (const call of queued) {
      call.node = undefined;
      this.place(call);
    }
  }

  /** Somebody offers it now. */
  unpark(offer: Offer): void {
    const parked = offer.parked.splice(0);
    this.#book.parked -= parked.length;
    for (const call of parked) this.place(call);
  }

  /** The client's socket is empty: it knows of its assignments. */
  clientDrained(client: Asking): void {
    for (const call of client.held.splice(0)) {
      if (call.state !== 'held') continue;
      if (call.node === undefined) this.place(call);
      else this.#send(call, this.#options.clock.now());
    }
  }

  /** The client said that it has heard of more nodes. */
  clientHeard(client: Asking): void {
    const waits = (call: Routed): boolean => call.state === 'held' && call.node === undefined;
    const waiting = client.held.filter(waits);
    if (waiting.length === 0) return;
    client.held = client.held.filter((call) => !waits(call));
    for (const call of waiting) if (call.state === 'held') this.place(call);
  }

  /** No node that may run it is one that its client has heard of. */
  #awaitRoster(call: Routed): void {
    this.#announcements.tell(call.client);
    call.node = undefined;
    this.#hold(call);
  }

  /** The node that the client presumes, if it is no worse: then nobody need be told. */
  #prefer(call: Routed, chosen: Running): Running {
    if (call.presumed === 0 || chosen.number === call.presumed) return chosen;
    const presumed = this.#book.nodes.get(call.presumed);
    if (presumed === undefined || presumed.ordinal > call.client.heardUpTo) return chosen;
    if (this.#options.balance !== 'leastLoaded' || !hasPlace(presumed, call)) return chosen;
    if (presumed.assigned.size > chosen.assigned.size || !call.offer?.nodes.includes(presumed)) return chosen;
    return suits(presumed, call.target) ? presumed : chosen;
  }

  /** A call that runs for a while is told of its node all the same, for the client's words. */
  #tellSoon(): void {
    this.#teller ??= this.#options.clock.setTimer(() => this.#tell(), TELL_MS);
  }

  #tell(): void {
    this.#teller = undefined;
    const before = this.#options.clock.now() - TELL_MS;
    for (const node of this.#book.nodes.values()) {
      for (const call of node.assigned) {
        if (call.presumed === 0) continue;
        if (call.since > before) this.#tellSoon();
        else {
          // Its client may have named the node itself, on a link that has not heard of it.
          this.#book.tellClient(call.client, node);
          call.client.outbox?.frame(FrameType.ASSIGNED, 0, node.number, call.attempt);
          call.presumed = 0;
        }
      }
    }
  }

  stop(): void {
    if (this.#teller !== undefined) this.#options.clock.clearTimer(this.#teller);
    this.#teller = undefined;
    if (this.#sweeper !== undefined) this.#options.clock.clearTimer(this.#sweeper);
    this.#sweeper = undefined;
  }

  #park(call: Routed, offer: Offer): void {
    if (offer.parked.length >= this.#options.maxQueueSize) {
      const message = `${offer.parked.length} calls wait for a node that offers ${offer.name}`;
      return this.#book.refuse(call, 'queue_full', message);
    }
    if (!this.keepFirst(call)) return;
    call.state = 'parked';
    call.node = undefined;
    offer.parked.push(call);
    this.#book.parked += 1;
    this.#sweepSoon();
  }

  /** Waits until its client reads. With a node, it has a place there; without, it takes nobody's. */
  #hold(call: Routed): void {
    const { client } = call;
    if (!this.keepFirst(call)) return;
    if (client.held.length === 0) client.heldSince = this.#options.clock.now();
    call.state = 'held';
    client.held.push(call);
    this.#sweepSoon();
  }

  /** The message in which a call came is not kept for it. False when the call was refused for its size. */
  keepFirst(call: Routed): boolean {
    const { first, firstStart, firstEnd } = call;
    if (first === undefined) return true;
    if (this.refuseBeyond(call, firstEnd - firstStart)) return false;
    call.first = undefined;
    this.#book.keep(call, FrameType.CALL, call.flags, copyBytes(first, firstStart, firstEnd));
    return true;
  }

  #sweepSoon(): void {
    this.#sweeper ??= this.#options.clock.setTimer(() => this.#sweep(), SWEEP_MS);
  }

  #assign(call: Routed, node: Running, now: number): void {
    const { client } = call;
    const isPresumed = call.presumed === node.number && client.told.has(node.number);
    if (!isPresumed && client.bufferedBytes() > 0) {
      // It does not read: a call that it must be told of would take a place and not start.
      call.node = undefined;
      return this.#hold(call);
    }
    call.node = node;
    call.state = 'held';
    node.assigned.add(call);
    if (call.uploading) node.bulk += 1;
    if (isPresumed) {
      // The client knows: nothing has to be written to it first.
      this.#tellSoon();
      return this.#send(call, now);
    }
    this.#book.tellClient(client, node);
    client.outbox?.frame(FrameType.ASSIGNED, 0, node.number, call.attempt);
    call.presumed = 0;
    this.#assigned.push(call);
    this.turn.schedule();
  }

  /** The clients' sockets were written to: what they took may go to the nodes. */
  #dispatch(): void {
    if (this.#assigned.length === 0) return;
    const assigned = this.#assigned;
    this.#assigned = [];
    const now = this.#options.clock.now();
    for (const call of assigned) {
      if (call.state !== 'held') continue;
      const { client } = call;
      if (client.outbox === undefined && call.durable === undefined) this.#book.release(call);
      else if (client.bufferedBytes() === 0) this.#send(call, now);
      else {
        const { node } = call;
        this.#hold(call);
        if (call.state !== 'held' && node !== undefined) this.advance(node);
      }
    }
  }

  #send(call: Routed, now: number): void {
    const { node, offer, client } = call;
    const outbox = node?.outbox;
    const fn = offer === undefined ? undefined : node?.functions.get(offer.name);
    if (node === undefined || outbox === undefined || fn === undefined) return this.#book.release(call);
    if (call.durable !== undefined && call.durable.node !== node)
      return this.#options.journal(call, node, () => this.#send(call, this.#options.clock.now()));
    call.state = 'assigned';
    // It may have waited while its client was away. Nothing of it was sent, so there is nothing to ask for first.
    call.passing = client.outbox === undefined ? 'no' : 'yes';
    this.#book.tellNode(node, client);
    const prefix = this.#prefix;
    prefix.fn = fn;
    prefix.deadlineMs = Math.max(1, Math.ceil(call.deadlineAt - now));
    const { first, firstStart, firstEnd } = call;
    if (first !== undefined) {
      call.first = undefined;
      outbox.forward(
        FrameType.CALL,
        call.flags,
        client.number,
        call.attempt,
        first,
        firstStart,
        firstEnd,
        prefix,
      );
    }
    if (call.frames.length === 0) return;
    for (const { type, flags, bytes } of this.#book.takeFrames(call)) {
      const itsPrefix = type === FrameType.CALL ? prefix : undefined;
      outbox.forward(type, flags, client.number, call.attempt, bytes, 0, bytes.length, itsPrefix);
    }
  }

  /** Calls that found nobody for too long, and places that clients keep which do not read. */
  #sweep(): void {
    const { clock, noNodeAfterMs } = this.#options;
    this.#sweeper = undefined;
    const now = clock.now();
    for (const offer of this.#book.offers.values()) {
      for (const call of [...offer.parked]) {
        if (now - call.since < noNodeAfterMs) continue;
        const who = call.target === undefined ? '' : ` with ${JSON.stringify(call.target)}`;
        this.#book.refuse(call, 'no_node', `no node${who} offered ${offer.name} within ${noNodeAfterMs} ms`);
      }
    }
    let again = this.#book.parked > 0;
    for (const client of this.#book.clients.values()) {
      if (client.held.length === 0) continue;
      again = true;
      if (now - client.heldSince < MAX_HELD_MS) continue;
      const placed = client.held.filter((call) => call.state === 'held' && call.node !== undefined);
      client.held = client.held.filter((call) => call.state === 'held' && call.node === undefined);
      for (const call of placed) this.#giveBack(call);
    }
    if (again) this.#sweepSoon();
  }

  #giveBack(call: Routed): void {
    const { node } = call;
    this.#book.giveBack(call, `its client did not read for ${MAX_HELD_MS} ms`);
    if (node !== undefined) this.advance(node);
  }
}

/** Whether it has a place, and reads what it is sent. */
function takesCalls(node: Running): boolean {
  if (node.state !== 'online' || node.assigned.size >= node.maxConcurrent) return false;
  return node.outbox !== undefined && node.outbox.waitingBytes < MAX_NODE_BACKLOG_BYTES;
}

function hasPlace(node: Running, call: Routed): boolean {
  if (node.queue.length > 0 || !takesCalls(node)) return false;
  return !call.uploading || node.bulk < limits.maxBulkCalls;
}
