// Attempts of which a hub knows nothing: a hub before it may have handed them to any node, and died before the client heard
// of it.
// Invariant: such an attempt is called unstarted only when the nodes that came back in time have been asked.
import type { Clock, Timer } from '../ports.ts';
import { Fate, FrameType } from '../protocol/frames.ts';
import { limits } from '../protocol/limits.ts';
import { writeQueries } from '../protocol/lists.ts';
import type { Book } from './book.ts';
import type { Asking, Routed, Running } from './roster.ts';

/** What is known of an attempt that is sought. */
interface Sought {
  readonly until: number;
  /** What it is called when nobody has it: vanished, once a node said that it may have forgotten it. */
  fate: typeof Fate.UNSTARTED | typeof Fate.VANISHED;
}

export class Search {
  readonly #book: Book;
  readonly #clock: Clock;
  /** How long nodes may take to come back to this hub, and to answer. */
  readonly #searchMs: number;
  readonly #youngUntil: number;
  readonly #sought = new Map<Routed, Sought>();
  #timer: Timer | undefined;

  /** `searchMs`: how long after its start, and after it was asked, the hub searches; 0: it never does. */
  constructor(book: Book, clock: Clock, searchMs: number) {
    this.#book = book;
    this.#clock = clock;
    this.#searchMs = searchMs;
    this.#youngUntil = clock.now() + searchMs;
  }

  get isOn(): boolean {
    return this.#searchMs > 0;
  }

  /** Whether an attempt that nobody here knows may be with a node that is not back yet. */
  get isYoung(): boolean {
    return this.#clock.now() < this.#youngUntil;
  }

  stop(): void {
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  /** Asks the nodes that are here, and those that come in time. The client waits meanwhile. */
  add(call: Routed): void {
    call.state = 'sought';
    call.node = undefined;
    this.#sought.set(call, { until: this.#clock.now() + this.#searchMs, fate: Fate.UNSTARTED });
    this.#book.tellFate(call.client, 0, call.attempt, Fate.WAITING);
    for (const node of this.#book.nodes.values()) this.#ask(node, call.client, [call]);
    this.#arm();
  }

  /** A node came: does it have any of them? */
  nodeOnline(node: Running): void {
    if (this.#sought.size === 0) return;
    for (const [client, calls] of Map.groupBy(this.#living(), (call) => call.client))
      this.#ask(node, client, calls);
  }

  /** A node answered about an attempt. Returns whether it has it: then it is the node's from now on. */
  answered(call: Routed, node: Running, fate: Fate): boolean {
    const sought = this.#sought.get(call);
    if (sought !== undefined && fate === Fate.VANISHED) sought.fate = fate;
    if (fate !== Fate.RUNNING && fate !== Fate.DONE) return false;
    this.#sought.delete(call);
    call.node = node;
    call.state = 'assigned';
    call.presumed = 0;
    call.passing = 'yes';
    node.assigned.add(call);
    this.#book.tellClient(call.client, node);
    call.client.outbox?.frame(FrameType.ASSIGNED, 0, node.number, call.attempt);
    return true;
  }

  #ask(node: Running, client: Asking, calls: readonly Routed[]): void {
    if (node.outbox === undefined) return;
    this.#book.tellNode(node, client);
    node.queries += 1;
    const queries = calls.map(({ attempt }) => [attempt, 0, limits.creditWindowBytes] as const);
    node.outbox.frame(FrameType.QUERY, 0, client.number, 0, writeQueries(queries));
  }

  /** Some were cancelled or forgotten meanwhile. */
  #living(): Routed[] {
    for (const call of this.#sought.keys()) if (call.state !== 'sought') this.#sought.delete(call);
    return [...this.#sought.keys()];
  }

  /** The first that was added is the first to be given up. */
  #arm(): void {
    for (const { until } of this.#sought.values()) {
      this.#timer ??= this.#clock.setTimer(() => this.#giveUp(), Math.max(0, until - this.#clock.now()));
      return;
    }
  }

  #giveUp(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    for (const call of this.#living()) {
      const { until, fate } = this.#sought.get(call) ?? { until: now, fate: Fate.UNSTARTED };
      if (until > now) break;
      this.#sought.delete(call);
      this.#book.tellFate(call.client, 0, call.attempt, fate);
      this.#book.ended[fate === Fate.VANISHED ? 'vanished' : 'unstarted'] += 1;
      this.#book.drop(call);
    }
    this.#arm();
  }
}
