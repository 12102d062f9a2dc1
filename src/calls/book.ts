// The hub's book of calls: who asks, who runs, and the ways in which a call leaves it.
// Invariant: a call that left is in nobody's table, holds nobody's place, and its client was told or will ask.
import { Fate, FrameType } from '../protocol/frames.ts';
import { limits } from '../protocol/limits.ts';
import { writeFates, writeIds } from '../protocol/lists.ts';
import type { FailureCode } from '../protocol/messages.ts';
import { NO_FRAMES, type Asking, type Offer, type Routed, type Running } from './roster.ts';
import { isTakenUp } from './taken-up.ts';

/** Instances known to be gone for good. */
const MAX_GONE = 10_000;
/** Clients that were given up, and attempts of one client that vanished. */
const MAX_REMEMBERED = 10_000;

/** What becomes of calls that are journaled, when others would be forgotten. */
export interface DurableCalls {
  /** It is with no node, and finds another. */
  again(call: Routed): void;
  left(call: Routed): void;
  /** Calls `withdrawn` when no later start of this hub can take it up. */
  withdraw(call: Routed, withdrawn: () => void): void;
}

export class Book {
  readonly clients = new Map<number, Asking>();
  readonly nodes = new Map<number, Running>();
  readonly byInstance = new Map<string, Running>();
  readonly offers = new Map<string, Offer>();
  /** Calls for which there is no node. */
  parked = 0;
  /** Calls by how they ended, as the hub saw them. */
  readonly ended = { result: 0, failure: 0, queue_full: 0, no_node: 0, unstarted: 0, vanished: 0 };
  readonly #gone = new Set<string>();
  /** By the instance of a client that was given up: attempts up to this one may have been executed. */
  readonly #givenUp = new Map<string, number>();
  readonly #freed: (node: Running) => void;
  readonly #durables: DurableCalls;

  /** `freed` is called when a place at a node was freed by a call that left. */
  constructor(freed: (node: Running) => void, durables: DurableCalls) {
    this.#freed = freed;
    this.#durables = durables;
  }

  /** Function names that somebody offers, defined or waits for. */
  get functionNames(): number {
    return this.offers.size;
  }

  /** Calls that wait at the hub. */
  get waiting(): number {
    let waiting = this.parked;
    for (const node of this.nodes.values()) waiting += node.queue.length;
    return waiting;
  }

  /** The same, one by one. */
  waitingCalls(): Routed[] {
    const waiting: Routed[] = [];
    for (const offer of this.offers.values()) waiting.push(...offer.parked);
    for (const node of this.nodes.values()) waiting.push(...node.queue);
    for (const { held } of this.clients.values())
      waiting.push(...held.filter((call) => call.state === 'held' && call.node === undefined));
    return waiting;
  }

  /** Calls that are with nodes. */
  get running(): number {
    let running = 0;
    for (const node of this.nodes.values()) running += node.assigned.size;
    return running;
  }

  /** Of those the ones that can end here, since both ends are here. */
  get ending(): number {
    let ending = 0;
    for (const { outbox, assigned } of this.nodes.values()) {
      if (outbox === undefined) continue;
      for (const { client } of assigned) if (client.outbox !== undefined) ending += 1;
    }
    return ending;
  }

  offer(name: string): Offer {
    let offer = this.offers.get(name);
    if (offer === undefined) {
      offer = { name, nodes: [], parked: [], definitions: 0, state: 'known' };
      this.offers.set(name, offer);
    }
    return offer;
  }

  /** A client names it in its dictionary. */
  define(client: Asking, name: string): void {
    const offer = this.offer(name);
    offer.definitions += 1;
    client.definitions.push(offer);
  }

  /** Its link ended: the next one begins with an empty dictionary. */
  undefine(client: Asking): void {
    for (const offer of client.definitions.splice(0)) {
      offer.definitions -= 1;
      this.#forgetIdle(offer);
    }
  }

  /** Keeps a frame of a call that cannot be passed on yet. */
  keep(call: Routed, type: number, flags: number, bytes: Uint8Array): void {
    // Chunks that came in the same message as their CALL may have been kept before it.
    const frame = { type, flags, bytes };
    call.frames = type === FrameType.CALL ? [frame, ...call.frames] : [...call.frames, frame];
    call.client.waitingBytes += bytes.length;
  }

  /** The frames that were kept, which now are kept no more. */
  takeFrames(call: Routed): Routed['frames'] {
    const { frames, client } = call;
    client.waitingBytes -= bytesOf(call);
    call.frames = NO_FRAMES;
    return frames;
  }

  /** The node is offered no more. */
  withdraw(node: Running): void {
    for (const name of node.functions.keys()) {
      const offer = this.offers.get(name);
      const at = offer?.nodes.indexOf(node) ?? -1;
      if (offer === undefined || at < 0) continue;
      offer.nodes.splice(at, 1);
      this.#forgetIdle(offer);
    }
  }

  /** Its place at the node is free again. */
  free(call: Routed): void {
    const { node } = call;
    if (node === undefined) return;
    node.unpassed?.delete(call);
    if (node.assigned.delete(call) && call.uploading) node.bulk -= 1;
  }

  /** Forgets a call; a node that has it is told that nobody waits. */
  drop(call: Routed): void {
    const { client, node, attempt } = call;
    if (node !== undefined && (call.state === 'assigned' || call.state === 'done')) {
      node.outbox?.drop(client.number, attempt);
      this.acknowledge(node, client, [attempt]);
    }
    this.leave(call);
    if (node !== undefined) this.#freed(node);
  }

  /** Its client waits no more. */
  cancel(call: Routed): void {
    const { client, node, attempt } = call;
    if (call.state === 'done') return;
    // A node that is away is told when it is back that nobody waits: the client has settled it.
    if (call.state !== 'assigned' || node?.outbox === undefined) return this.drop(call);
    node.outbox.drop(client.number, attempt);
    // It may have come back a moment ago, and know nobody.
    this.tellNode(node, client);
    node.outbox.frame(FrameType.CANCEL, 0, client.number, attempt);
  }

  /** Forgets a call whose client is gone. Its node is not told that the client has the outcome: it may come back to another hub. */
  forsake(call: Routed): void {
    const { client, node, attempt } = call;
    node?.outbox?.drop(client.number, attempt);
    this.leave(call);
    if (node !== undefined) this.#freed(node);
  }

  /** The node need not keep the outcomes of these attempts. One that is away is told when it is back. */
  acknowledge(node: Running, client: Asking, attempts: readonly number[]): void {
    if (node.outbox !== undefined) {
      if (node.told.has(client.number))
        node.outbox.frame(FrameType.ACK, 0, client.number, 0, writeIds(attempts));
      return;
    }
    node.owed ??= new Map();
    const owed = node.owed.get(client) ?? [];
    // More than a node keeps it has given up by itself.
    if (owed.length < limits.maxRetainedResults) owed.push(...attempts);
    node.owed.set(client, owed);
  }

  payOwed(node: Running): void {
    const { owed } = node;
    node.owed = undefined;
    for (const [client, attempts] of owed ?? []) {
      this.tellNode(node, client);
      this.acknowledge(node, client, attempts);
    }
  }

  /** Certainly not started: the client may send it again. */
  giveBack(call: Routed, why: string): void {
    this.ended.unstarted += 1;
    this.#withdraw(call, () => this.fail(call, 'unstarted', why));
  }

  /** Whether it was executed cannot be known. A client that does not hear so, for its link is lost, hears it when it asks. */
  vanish(call: Routed): void {
    if (call.idempotent && isTakenUp(call)) this.#repeat(call);
    else this.#giveUp(call);
  }

  #giveUp(call: Routed): void {
    this.leave(call);
    this.ended.vanished += 1;
    this.rememberVanished(call);
    this.tellFate(call.client, 0, call.attempt, Fate.VANISHED);
  }

  rememberVanished({ client, attempt }: Routed): void {
    client.vanished ??= new Map();
    client.vanished.set(attempt, undefined);
    if (client.vanished.size > MAX_REMEMBERED) dropOldest(client.vanished);
  }

  refuse(call: Routed, code: 'queue_full' | 'no_node', message: string): void {
    this.ended[code] += 1;
    this.#withdraw(call, () => this.fail(call, code, message));
  }

  /** Nobody may take a call up of which its client hears that it was not started. */
  #withdraw(call: Routed, tell: () => void): void {
    if (call.durable === undefined) {
      this.leave(call);
      return tell();
    }
    if (call.durable.past === 'unknown') return this.#giveUp(call);
    this.#takeOut(call);
    call.node = undefined;
    call.state = 'withdrawn';
    this.#durables.withdraw(call, () => {
      if (call.state !== 'withdrawn') return;
      this.leave(call);
      tell();
    });
  }

  /** Assigned, never sent, and now its node or its client is away: a client that is away asks when it is back. */
  release(call: Routed): void {
    if (call.durable !== undefined) this.again(call);
    else if (call.client.outbox === undefined) this.leave(call);
    else this.giveBack(call, 'its node went away before it was sent');
  }

  /** A node answered about a journaled call. Returns whether that is the hub's business, and not its client's. */
  decides(call: Routed, fate: Fate): boolean {
    const { durable, client, attempt } = call;
    if (durable !== undefined && fate === Fate.UNSTARTED) {
      // The client may not hear so while a later start of the hub could still place it.
      this.tellFate(client, 0, attempt, Fate.WAITING);
      this.again(call);
      return true;
    }
    if (!isTakenUp(call) || fate !== Fate.VANISHED) return false;
    call.awaits = 0;
    // It may have been acknowledged, and its record be about to go: its client knows, when it is back.
    if (call.idempotent) this.#repeat(call);
    return true;
  }

  /** A journaled call finds another node. The one that had it, if it is back some time, need not keep what came of it. */
  again(call: Routed): void {
    const { client, node, attempt } = call;
    if (node !== undefined && call.state !== 'held') this.acknowledge(node, client, [attempt]);
    this.free(call);
    call.node = undefined;
    this.#durables.again(call);
  }

  /** The same of one that may have been executed. */
  #repeat(call: Routed): void {
    if (call.durable !== undefined) call.durable.past = 'unknown';
    this.again(call);
  }

  /** Arguments that arrived in part will not be completed: the node forgets them, and the call was not started. */
  interrupt(call: Routed): void {
    this.drop(call);
    this.fail(call, 'unstarted', 'its link broke while its arguments were sent');
  }

  tellFate(client: Asking, peer: number, attempt: number, fate: Fate): void {
    client.outbox?.frame(FrameType.FATE, 0, peer, 0, writeFates([[attempt, fate]]));
  }

  tellClient(client: Asking, node: Running): void {
    if (client.told.has(node.number) || client.outbox === undefined) return;
    client.told.add(node.number);
    client.outbox.json(FrameType.PEER, 0, node.number, 0, { id: node.id, instance: node.instance });
  }

  tellNode(node: Running, client: Asking): void {
    if (node.told.has(client.number) || node.outbox === undefined) return;
    node.told.add(client.number);
    node.outbox.json(FrameType.PEER, 0, client.number, 0, { id: client.id, instance: client.instance });
  }

  fail({ client, attempt }: Routed, code: FailureCode, message: string): void {
    client.outbox?.json(FrameType.FAILURE, 0, 0, attempt, { code, message });
  }

  isGone(instance: string): boolean {
    return this.#gone.has(instance);
  }

  rememberGone(instance: string): void {
    this.#gone.add(instance);
    if (this.#gone.size > MAX_GONE) dropOldest(this.#gone);
  }

  /** The client may come back all the same, and ask about what was forgotten with it. */
  rememberGivenUp({ instance, calls }: Asking): void {
    let upTo = this.#givenUp.get(instance) ?? 0;
    for (const { attempt, state } of calls.values())
      if (state === 'assigned' || state === 'done' || state === 'sought') upTo = Math.max(upTo, attempt);
    if (upTo === 0) return;
    this.#givenUp.delete(instance);
    this.#givenUp.set(instance, upTo);
    if (this.#givenUp.size > MAX_REMEMBERED) dropOldest(this.#givenUp);
  }

  /** Nothing is known of this attempt, but that it may have been executed. */
  hasVanished({ instance, calls, vanished }: Asking, attempt: number): boolean {
    if (calls.has(attempt)) return false;
    return vanished?.has(attempt) === true || attempt <= (this.#givenUp.get(instance) ?? 0);
  }

  /** Out of every table, without a word to anybody. */
  leave(call: Routed): void {
    this.#takeOut(call);
    const { client } = call;
    if (client.calls.get(call.attempt) === call) client.calls.delete(call.attempt);
    call.state = 'gone';
    if (call.durable !== undefined) this.#durables.left(call);
  }

  /** It waits for no node, has none, and nothing of it is kept. */
  #takeOut(call: Routed): void {
    const { node, offer } = call;
    if (call.state === 'queued' && node !== undefined) {
      const at = node.queue.indexOf(call);
      if (at >= 0) {
        node.queue.splice(at, 1);
        node.queuedBytes -= bytesOf(call);
      }
    } else if (call.state === 'parked' && offer !== undefined) {
      const at = offer.parked.indexOf(call);
      if (at >= 0) {
        offer.parked.splice(at, 1);
        this.parked -= 1;
        this.#forgetIdle(offer);
      }
    }
    if (call.frames.length > 0) this.takeFrames(call);
    this.free(call);
  }

  /** A name that nobody offers, names or waits for is forgotten: a client may make up any number of them. */
  #forgetIdle(offer: Offer): void {
    if (offer.definitions > 0 || offer.nodes.length > 0 || offer.parked.length > 0) return;
    if (this.offers.get(offer.name) !== offer) return;
    this.offers.delete(offer.name);
    offer.state = 'forgotten';
  }
}

function dropOldest<T>(table: { keys(): Iterable<T>; delete(key: T): boolean }): void {
  for (const oldest of table.keys()) {
    table.delete(oldest);
    return;
  }
}

/** Bytes of a call that the hub keeps. */
export function bytesOf(call: Routed): number {
  let bytes = 0;
  for (const frame of call.frames) bytes += frame.bytes.length;
  return bytes;
}
