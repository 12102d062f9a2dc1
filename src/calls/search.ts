// Attempts of which a hub knows nothing: a hub before it may have handed them to any node, and died before the client heard
// of it.
// Invariant: such an attempt is called unstarted only when all nodes that may have it have said so: those on the rosters that
// its client brought, or, without rosters, those that came back in time.
import type { Clock, Timer } from '../ports.ts';
import { Fate, FrameType } from '../protocol/frames.ts';
import { limits } from '../protocol/limits.ts';
import { maxEntries, writeQueries } from '../protocol/lists.ts';
import type { Book } from './book.ts';
import { owesAnswer, type Asking, type Routed, type Running } from './roster.ts';
import { Returned, type Suspects } from './suspects.ts';

/** What is known of an attempt that is sought. */
interface Sought {
  readonly until: number;
  /** Undefined: any node. */
  readonly suspects: Suspects | undefined;
  /** What it is called when nobody has it: vanished, once a node said that it may have forgotten it. */
  fate: typeof Fate.UNSTARTED | typeof Fate.VANISHED;
}

export interface SearchOptions {
  readonly clock: Clock;
  /** How long after its start, and after it was asked, the hub searches at least; 0: only for who brings rosters. */
  readonly searchMs: number;
  /** How much longer it waits for nodes that may have it. */
  readonly graceMs: number;
  /** Instance of this hub. */
  readonly hub: string;
}

export class Search {
  readonly #book: Book;
  readonly #options: SearchOptions;
  readonly #youngUntil: number;
  readonly #returned: Returned;
  /** The first that was added is the first whose time is over. */
  readonly #sought = new Map<Routed, Sought>();
  /** Of this turn, by their clients: the nodes are asked at its end. */
  #fresh = new Map<Asking, Routed[]>();
  #turn: 'quiet' | 'ends' | 'stopped' = 'quiet';
  #timer: Timer | undefined;

  constructor(book: Book, options: SearchOptions) {
    this.#book = book;
    this.#options = options;
    this.#youngUntil = options.clock.now() + options.searchMs;
    this.#returned = new Returned(options.hub);
  }

  /** Whether an attempt of this client that nobody here knows may be with a node, here or not. */
  mayFind(client: Asking): boolean {
    return this.#options.searchMs > 0 || client.formerRosters !== undefined;
  }

  /** The same, of an attempt of which its client heard nothing. A client that comes late may have been with another hub until a moment ago. */
  mayBeElsewhere(client: Asking): boolean {
    const isYoung = this.#options.clock.now() < this.#youngUntil;
    return this.mayFind(client) && (isYoung || client.past === 'elsewhere');
  }

  stop(): void {
    this.#turn = 'stopped';
    this.#clearTimer();
  }

  /** Asks the nodes that are here, and those that come in time. The client waits meanwhile. */
  add(call: Routed): void {
    const { client } = call;
    const { clock, searchMs } = this.#options;
    call.state = 'sought';
    call.node = undefined;
    const { formerRosters } = client;
    const suspects = formerRosters === undefined ? undefined : this.#returned.seek(formerRosters);
    this.#sought.set(call, { until: clock.now() + searchMs, suspects, fate: Fate.UNSTARTED });
    this.#book.tellFate(client, 0, call.attempt, Fate.WAITING);
    const fresh = this.#fresh.get(client);
    if (fresh === undefined) this.#fresh.set(client, [call]);
    else fresh.push(call);
    this.settleSoon();
  }

  /** A node registered: it may be one of those that are sought. */
  nodeCame(node: Running): void {
    this.#returned.came(node);
  }

  /** A node came: does it have any of them? */
  nodeOnline(node: Running): void {
    if (this.#sought.size === 0) return;
    const living = [...this.#sought.keys()].filter(({ state }) => state === 'sought');
    for (const [client, calls] of Map.groupBy(living, (call) => call.client)) this.#ask(node, client, calls);
  }

  /** A node answered about an attempt. Returns whether it has it: then it is the node's from now on. */
  answered(call: Routed, node: Running, fate: Fate): boolean {
    const sought = this.#sought.get(call);
    // A node that is not on its rosters cannot have forgotten it.
    const isSuspect = node.ordinal === 0 || (sought?.suspects?.came.has(node) ?? true);
    if (sought !== undefined && fate === Fate.VANISHED && isSuspect) sought.fate = fate;
    if (fate !== Fate.RUNNING && fate !== Fate.DONE) return false;
    this.#forget(call);
    call.node = node;
    call.state = 'assigned';
    call.presumed = 0;
    call.whereabouts = 'sure';
    // A client that is away asks when it is back.
    call.passing = call.client.outbox === undefined ? 'no' : 'yes';
    node.assigned.add(call);
    this.#book.tellClient(call.client, node);
    call.client.outbox?.frame(FrameType.ASSIGNED, 0, node.number, call.attempt);
    return true;
  }

  /** A node is gone that may have had any of them, and may have `owed` an answer. */
  nodeLost(node: Running, owed: boolean): void {
    this.#returned.left(node, owed);
    if (!owed) return;
    for (const sought of this.#sought.values())
      if (sought.suspects === undefined || node.ordinal === 0) sought.fate = Fate.VANISHED;
    this.settleSoon();
  }

  /** At the end of the turn it is looked who can be given up. */
  settleSoon(): void {
    if (this.#turn !== 'quiet' || this.#sought.size === 0) return;
    this.#turn = 'ends';
    this.#options.clock.endOfTurn(() => {
      if (this.#turn === 'stopped') return;
      this.#turn = 'quiet';
      this.#askAll();
      this.#settle();
    });
  }

  #askAll(): void {
    const fresh = this.#fresh;
    if (fresh.size === 0) return;
    this.#fresh = new Map();
    for (const node of this.#book.nodes.values())
      for (const [client, calls] of fresh) this.#ask(node, client, calls);
  }

  #ask(node: Running, client: Asking, calls: readonly Routed[]): void {
    if (node.outbox === undefined) return;
    const living = calls.filter(({ state }) => state === 'sought');
    for (let at = 0; at < living.length; at += maxEntries.queries) {
      const queries = living
        .slice(at, at + maxEntries.queries)
        .map(({ attempt }) => [attempt, 0, limits.creditWindowBytes] as const);
      this.#book.tellNode(node, client);
      node.queries += 1;
      node.outbox.frame(FrameType.QUERY, 0, client.number, 0, writeQueries(queries));
    }
  }

  /** Each is given up when its time is over, and all that may have it have answered or their time is over too. */
  #settle(): void {
    const { clock, graceMs } = this.#options;
    const now = clock.now();
    const owed = new Map<Suspects | undefined, boolean>();
    let next = Infinity;
    for (const [call, { until, suspects, fate }] of this.#sought) {
      if (call.state !== 'sought') {
        // It was cancelled or forgotten meanwhile.
        this.#forget(call);
        continue;
      }
      if (now < until) {
        next = Math.min(next, until);
        break;
      }
      let isOwed = owed.get(suspects);
      if (isOwed === undefined) owed.set(suspects, (isOwed = this.#isOwed(suspects)));
      // Executing an idempotent one twice does no harm: it does not wait longer.
      if (isOwed && !call.idempotent && now < until + graceMs) {
        next = Math.min(next, until + graceMs);
        continue;
      }
      this.#forget(call);
      if (isOwed || suspects?.doubt === 'some' || fate === Fate.VANISHED) this.#book.vanish(call);
      else this.#release(call);
    }
    this.#clearTimer();
    if (next < Infinity) this.#timer = clock.setTimer(() => this.#settle(), Math.max(1, next - now));
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) this.#options.clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  #release(call: Routed): void {
    this.#book.tellFate(call.client, 0, call.attempt, Fate.UNSTARTED);
    this.#book.ended.unstarted += 1;
    this.#book.drop(call);
  }

  #forget(call: Routed): void {
    const suspects = this.#sought.get(call)?.suspects;
    if (this.#sought.delete(call) && suspects !== undefined) this.#returned.release(suspects);
  }

  /** Nodes that know of no rosters are on none: they may have any. */
  #isOwed(suspects: Suspects | undefined): boolean {
    if (suspects?.owed === true) return true;
    for (const node of this.#book.nodes.values())
      if ((suspects === undefined || node.ordinal === 0) && owesAnswer(node)) return true;
    return false;
  }
}
