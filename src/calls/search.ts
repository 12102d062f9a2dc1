// Attempts of which a hub knows nothing: a hub before it may have handed them to any node, and died before the client heard
// of it.
// Invariant: such an attempt is called unstarted only when all nodes that came back in time have said so.
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

/** Whether it may still say something about attempts: it was asked, or will be when it is back. */
export const owesAnswer = ({ state, answers, queries }: Running): boolean =>
  state === 'away' || answers < queries;

export class Search {
  readonly #book: Book;
  readonly #clock: Clock;
  /** How long nodes may take to come back to this hub, and to answer. */
  readonly #searchMs: number;
  /** How much longer it waits for the answers of those that came. */
  readonly #graceMs: number;
  readonly #youngUntil: number;
  readonly #sought = new Map<Routed, Sought>();
  #timer: Timer | undefined;

  /** `searchMs`: how long after its start, and after it was asked, the hub searches; 0: it never does. */
  constructor(book: Book, clock: Clock, searchMs: number, graceMs: number) {
    this.#book = book;
    this.#clock = clock;
    this.#searchMs = searchMs;
    this.#graceMs = graceMs;
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
    // A client that is away asks when it is back.
    call.passing = call.client.outbox === undefined ? 'no' : 'yes';
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

  /** A node that may have had any of them is gone without an answer. */
  nodeLost(): void {
    for (const sought of this.#sought.values()) sought.fate = Fate.VANISHED;
    this.settle();
  }

  /** The first that was added is the first to be given up: when its time is over, and all have answered or theirs is too. */
  settle(): void {
    const [first] = this.#sought.values();
    const now = this.#clock.now();
    if (first === undefined || now < first.until) return this.#arm();
    const isOwed = this.#isOwed();
    for (const call of this.#living()) {
      const { until, fate } = this.#sought.get(call) ?? { until: now, fate: Fate.UNSTARTED };
      if (now < until || (isOwed && now < until + this.#graceMs)) break;
      this.#sought.delete(call);
      if (isOwed || fate === Fate.VANISHED) {
        this.#book.vanish(call);
        continue;
      }
      this.#book.tellFate(call.client, 0, call.attempt, fate);
      this.#book.ended.unstarted += 1;
      this.#book.drop(call);
    }
    this.stop();
    this.#arm();
  }

  #isOwed(): boolean {
    return [...this.#book.nodes.values()].some(owesAnswer);
  }

  #arm(): void {
    if (this.#timer !== undefined) return;
    for (const { until } of this.#sought.values()) {
      const now = this.#clock.now();
      // Time may have gone on since `settle` looked: what is due now and owed by nobody does not wait for the grace.
      const due = now < until || !this.#isOwed() ? until : until + this.#graceMs;
      this.#timer = this.#clock.setTimer(() => this.settle(), Math.max(1, due - now));
      return;
    }
  }
}
