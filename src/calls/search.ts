// Attempts of which a young hub knows nothing: a hub before it may have handed them to any node, and died before the client
// heard of it.
// Invariant: such an attempt is called unstarted only when the nodes that came back in time have been asked.
import type { Clock, Timer } from '../ports.ts';
import { Fate, FrameType } from '../protocol/frames.ts';
import { limits } from '../protocol/limits.ts';
import { writeQueries } from '../protocol/lists.ts';
import type { Book } from './book.ts';
import type { Asking, Routed, Running } from './roster.ts';

export class Search {
  readonly #book: Book;
  readonly #clock: Clock;
  /** Until then nodes may come back to this hub, and be asked. */
  readonly #until: number;
  readonly #sought = new Set<Routed>();
  #timer: Timer | undefined;

  /** `youngMs`: how long after its start the hub searches. */
  constructor(book: Book, clock: Clock, youngMs: number) {
    this.#book = book;
    this.#clock = clock;
    this.#until = clock.now() + youngMs;
  }

  /** Whether an attempt that nobody here knows may be with a node that is not back yet. */
  get isOpen(): boolean {
    return this.#clock.now() < this.#until;
  }

  stop(): void {
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  /** Asks the nodes that are here, and those that come in time. The client waits meanwhile. */
  add(call: Routed): void {
    call.state = 'sought';
    call.node = undefined;
    this.#sought.add(call);
    this.#book.tellFate(call.client, 0, call.attempt, Fate.WAITING);
    for (const node of this.#book.nodes.values()) this.#ask(node, call.client, [call]);
    this.#timer ??= this.#clock.setTimer(() => this.#giveUp(), Math.max(0, this.#until - this.#clock.now()));
  }

  /** A node came: does it have any of them? */
  nodeOnline(node: Running): void {
    if (this.#sought.size === 0) return;
    for (const [client, calls] of Map.groupBy(this.#living(), (call) => call.client))
      this.#ask(node, client, calls);
  }

  /** A node answered about an attempt. Returns whether it has it: then it is the node's from now on. */
  found(call: Routed, node: Running, fate: Fate): boolean {
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
    return [...this.#sought].filter((call) => call.state === 'sought');
  }

  #giveUp(): void {
    this.#timer = undefined;
    for (const call of this.#living()) {
      this.#book.tellFate(call.client, 0, call.attempt, Fate.UNSTARTED);
      this.#book.ended.unstarted += 1;
      this.#book.drop(call);
    }
    this.#sought.clear();
  }
}
