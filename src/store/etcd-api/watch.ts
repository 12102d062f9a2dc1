// etcd's Watch service over a store: many watches on one stream, each with an id.
// Invariant: creations are answered in the order of their requests, and no event of a watch leaves before its creation is
// answered; when the stream ends, for whatever reason, so does every watch on it.
import type { Store } from '../contract.ts';
import type { Replies, Requests } from './call.ts';
import { statusError } from './errors.ts';
import type { Headers } from './header.ts';
import { StreamWatch, type WatchStreamSide } from './stream-watch.ts';
import {
  isEmptyRange,
  rangeOf,
  type WatchCreateRequest,
  type WatchRequest,
  type WatchResponse,
} from './messages.ts';

/** Says that no watch is meant, or all. */
const NO_WATCH = '-1';
/** A client that asks for more and does not read loses the stream. */
const MAX_UNREAD_BYTES = 8_388_608;

/** An answer that waits for those before it. */
interface Slot {
  send: (() => void) | undefined;
}

export class WatchStream implements Requests, WatchStreamSide {
  readonly #store: Store;
  readonly #headers: Headers;
  readonly #replies: Replies;
  readonly #watches = new Map<string, StreamWatch>();
  readonly #slots: Slot[] = [];
  #nextId = 0n;
  /** Watches that have yet to tell their progress, and the least that was told. */
  #asked: Set<StreamWatch> | undefined;
  #told = Infinity;
  #phase: 'open' | 'closed' = 'open';
  readonly #waiting = new Set<StreamWatch>();
  flow: 'more' | 'wait' = 'more';
  /** Newest that this stream knows of. */
  revision = 0;

  constructor(store: Store, headers: Headers, replies: Replies) {
    this.#store = store;
    this.#headers = headers;
    this.#replies = replies;
  }

  message(message: object): void {
    const { create_request, cancel_request, progress_request } = message as WatchRequest;
    if (create_request !== null) this.#create(create_request);
    else if (cancel_request !== null) this.#watches.get(cancel_request.watch_id.toString())?.cancel();
    else if (progress_request !== null) this.#askProgress();
    if (this.#replies.bufferedBytes > MAX_UNREAD_BYTES) this.#replies.end(statusError('tooManyRequests'));
  }

  /** A client that has said all that it will may go on listening. */
  ended(): void {}

  drained(): void {
    this.flow = 'more';
    // In the order in which they began to wait, so that each has its turn.
    for (const watch of [...this.#waiting]) {
      if (this.#full()) return;
      this.#waiting.delete(watch);
      watch.resume();
    }
  }

  waits(watch: StreamWatch): void {
    this.#waiting.add(watch);
  }

  #full(): boolean {
    return this.flow === 'wait';
  }

  closed(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    const watches = [...this.#watches.values()];
    this.#watches.clear();
    this.#waiting.clear();
    this.#slots.length = 0;
    this.#asked = undefined;
    for (const watch of watches) watch.close();
  }

  #create(request: WatchCreateRequest): void {
    const slot: Slot = { send: undefined };
    this.#slots.push(slot);
    const range = rangeOf({
      // The smallest key there is stands for none.
      key: request.key.length === 0 ? Uint8Array.of(0) : request.key,
      range_end: request.range_end,
    });
    if (isEmptyRange(range)) return this.#refuse(slot, 'mvcc: watcher range is empty');
    const wanted = request.watch_id.toString();
    const id = wanted === '0' ? this.#freeId() : wanted;
    if (this.#watches.has(id)) {
      return this.#refuse(slot, 'mvcc: duplicate watch ID provided on the WatchStream');
    }
    const watch = new StreamWatch(id, request, this, (send) => this.#fill(slot, send));
    this.#watches.set(id, watch);
    watch.start(this.#store, range);
  }

  #freeId(): string {
    while (this.#watches.has(String(this.#nextId))) this.#nextId++;
    return String(this.#nextId++);
  }

  #refuse(slot: Slot, reason: string): void {
    this.atNewest((revision) => this.#fill(slot, () => this.refusal(revision, reason)));
  }

  refusal(revision: number, reason: string): void {
    this.send(revision, { watch_id: NO_WATCH, created: true, canceled: true, cancel_reason: reason });
  }

  /** Calls `tell` with the store's revision, or with the newest that was heard of when the store does not say. */
  atNewest(tell: (revision: number) => void): void {
    void this.#store.status().then(
      ({ revision }) => tell(revision),
      () => tell(this.revision),
    );
  }

  #fill(slot: Slot, send: () => void): void {
    slot.send = send;
    while (this.#slots[0]?.send !== undefined) this.#slots.shift()?.send?.();
  }

  send(revision: number, response: Omit<WatchResponse, 'header'>): 'more' | 'wait' {
    if (this.#phase === 'closed') return 'more';
    this.revision = Math.max(this.revision, revision);
    this.flow = this.#replies.send({ header: this.#headers.at(revision), ...response });
    return this.flow;
  }

  /** Asks all watches; the answer is what the slowest of them has told: nothing that is still to come lies before it. */
  #askProgress(): void {
    if (this.#asked !== undefined) return;
    this.#told = Infinity;
    this.#asked = new Set(this.#watches.values());
    if (this.#asked.size === 0) return this.atNewest((revision) => this.#tellProgress(revision));
    for (const watch of [...this.#asked]) watch.askProgress();
  }

  progressed(watch: StreamWatch, revision: number): 'asked' | 'unasked' {
    if (this.#asked?.delete(watch) !== true) return 'unasked';
    this.#told = Math.min(this.#told, revision);
    if (this.#asked.size === 0) this.#tellProgress(this.#told);
    return 'asked';
  }

  #tellProgress(revision: number): void {
    this.#asked = undefined;
    if (revision < Infinity) this.send(revision, { watch_id: NO_WATCH });
  }

  gone(watch: StreamWatch): void {
    this.#watches.delete(watch.id);
    this.#waiting.delete(watch);
    if (this.#asked?.delete(watch) === true && this.#asked.size === 0) this.#tellProgress(this.#told);
  }
}
