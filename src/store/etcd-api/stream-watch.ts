// One watch of an etcd client: what its store tells, said as watch responses.
// Invariant: the first response says that it was created, the last one that it was cancelled; whole revisions stay together
// in one response, unless the client asked for fragments.
import type { KeyRange, Store, WatchEnd, WatchEvent, WatchHandle, WatchSink } from '../contract.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import { toStatusError } from './errors.ts';
import {
  numberOf,
  wireEntry,
  type WatchCreateRequest,
  type WatchResponse,
  type WireEvent,
} from './messages.ts';

/** The stream that carries it. */
export interface WatchStreamSide {
  readonly revision: number;
  /** `wait`: the client has enough to read. */
  readonly flow: 'more' | 'wait';
  /** Has `resume` called when it is this watch's turn to send again. */
  waits(watch: StreamWatch): void;
  send(revision: number, response: Omit<WatchResponse, 'header'>): 'more' | 'wait';
  atNewest(tell: (revision: number) => void): void;
  /** Says that no such watch came to be. */
  refusal(revision: number, reason: string): void;
  progressed(watch: StreamWatch, revision: number): 'asked' | 'unasked';
  gone(watch: StreamWatch): void;
}

/** etcd's: the longest request and what gRPC adds. */
const FRAGMENT_BYTES = 2_097_152;
/** Where a response without fragments is cut, at the end of a revision: gRPC's clients take 4 MiB unless told otherwise. */
const RESPONSE_BYTES = 1_048_576;
const EVENT_OVERHEAD_BYTES = 48;
const FILTERS = ['put', 'delete'] as const;

export class StreamWatch implements WatchSink {
  readonly id: string;
  readonly #request: WatchCreateRequest;
  readonly #side: WatchStreamSide;
  /** Has its argument called when all that was asked for before is answered. */
  readonly #inTurn: (send: () => void) => void;
  #handle: WatchHandle | undefined;
  #phase: 'creating' | 'ready' | 'announced' | 'ended' = 'creating';
  #flow: 'flowing' | 'waiting' = 'flowing';
  /** Arrived before the creation could be answered, or while the client had enough to read. Not encoded: it is shared. */
  #held: { readonly events: readonly WatchEvent[]; readonly revision: number } | undefined;

  constructor(
    id: string,
    request: WatchCreateRequest,
    side: WatchStreamSide,
    inTurn: (send: () => void) => void,
  ) {
    this.id = id;
    this.#request = request;
    this.#side = side;
    this.#inTurn = inTurn;
  }

  start(store: Store, range: KeyRange): void {
    const { start_revision, prev_kv, progress_notify, filters } = this.#request;
    const startRevision = numberOf(start_revision);
    try {
      // Below the first revision nothing was ever kept.
      if (startRevision < 0)
        throw new HoldfastError('there are no negative revisions', { code: 'compacted' });
      this.#handle = store.watch(
        {
          ...range,
          startRevision: startRevision === 0 ? undefined : startRevision,
          previous: prev_kv,
          progressNotify: progress_notify,
          without: filters.flatMap((filter) => FILTERS[filter] ?? []),
        },
        this,
      );
      if (this.#ended()) this.#handle.cancel();
    } catch (error) {
      this.ended({ reason: 'failed', error: error as HoldfastError });
    }
  }

  #ended(): boolean {
    return this.#phase === 'ended';
  }

  cancel(): void {
    if (this.#handle === undefined) this.ended({ reason: 'cancelled' });
    else this.#handle.cancel();
  }

  /** The stream is gone: nothing more can be said. */
  close(): void {
    this.#phase = 'ended';
    this.#held = undefined;
    this.#handle?.cancel();
  }

  resume(): void {
    if (this.#flow === 'flowing' || this.#phase !== 'announced') return;
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined && this.#sendEvents(held.events, held.revision) === 'wait')
      return this.#side.waits(this);
    this.#flow = 'flowing';
    this.#handle?.resume();
  }

  askProgress(): void {
    this.#handle?.requestProgress();
  }

  ready(revision: number): void {
    if (this.#phase !== 'creating') return;
    this.#phase = 'ready';
    this.#inTurn(() => this.#announce(revision));
  }

  #announce(revision: number): void {
    this.#side.send(revision, { watch_id: this.id, created: true });
    if (this.#phase !== 'ready') return;
    this.#phase = 'announced';
    if (this.#held === undefined) return;
    this.#flow = 'waiting';
    this.resume();
  }

  events(events: readonly WatchEvent[], revision: number): 'more' | 'wait' {
    if (this.#phase === 'ended') return 'more';
    const told = this.#phase === 'announced' && this.#side.flow === 'more';
    if (!told) this.#held = { events, revision };
    const flow = told ? this.#sendEvents(events, revision) : 'wait';
    if (flow === 'wait' && this.#phase === 'announced') {
      this.#flow = 'waiting';
      this.#side.waits(this);
    }
    return flow;
  }

  progress(revision: number): void {
    if (this.#phase === 'ended') return;
    const asked = this.#side.progressed(this, revision) === 'asked';
    if (!asked && this.#request.progress_notify && this.#phase === 'announced') {
      this.#side.send(revision, { watch_id: this.id });
    }
  }

  ended(end: WatchEnd): void {
    const before = this.#phase;
    if (before === 'ended') return;
    this.#phase = 'ended';
    this.#side.gone(this);
    // etcd tells no revision with a compaction.
    const last = (): void =>
      void this.#side.send(end.reason === 'compacted' ? 0 : this.#side.revision, this.#farewell(end));
    const held = this.#held;
    if (before === 'announced') {
      if (held !== undefined) this.#sendEvents(held.events, held.revision);
      return last();
    }
    if (before === 'ready') {
      // The announcement has its turn already; this comes behind it.
      return this.#inTurn(() => {
        this.#side.send(this.#side.revision, { watch_id: this.id, created: true });
        if (held !== undefined) this.#sendEvents(held.events, held.revision);
        last();
      });
    }
    this.#side.atNewest((revision) =>
      this.#inTurn(() => {
        if (end.reason === 'failed') return this.#side.refusal(revision, reasonOf(end.error));
        this.#side.send(revision, { watch_id: this.id, created: true });
        last();
      }),
    );
  }

  #farewell(end: WatchEnd): Omit<WatchResponse, 'header'> {
    const farewell = { watch_id: this.id, canceled: true };
    switch (end.reason) {
      case 'cancelled':
        return farewell;
      case 'compacted':
        return { ...farewell, compact_revision: end.floor };
      case 'failed':
        return { ...farewell, cancel_reason: reasonOf(end.error) };
    }
  }

  #sendEvents(events: readonly WatchEvent[], revision: number): 'more' | 'wait' {
    const { fragment } = this.#request;
    const pieces = cut(events, fragment ? 'anywhere' : 'between revisions');
    let flow: 'more' | 'wait' = 'more';
    pieces.forEach((piece, index) => {
      const response: Omit<WatchResponse, 'header'> = { watch_id: this.id, events: piece };
      if (fragment && index < pieces.length - 1) response.fragment = true;
      flow = this.#side.send(revision, response);
    });
    return flow;
  }
}

function reasonOf(error: HoldfastError): string {
  return toStatusError(error).message;
}

function cut(events: readonly WatchEvent[], where: 'anywhere' | 'between revisions'): WireEvent[][] {
  const limit = where === 'anywhere' ? FRAGMENT_BYTES : RESPONSE_BYTES;
  let piece: WireEvent[] = [];
  const pieces = [piece];
  let bytes = 0;
  let last = 0;
  for (const event of events) {
    const size = sizeOf(event);
    const { modRevision } = event.entry;
    const mayCut = where === 'anywhere' || modRevision !== last;
    if (bytes + size > limit && piece.length > 0 && mayCut) {
      pieces.push((piece = []));
      bytes = 0;
    }
    bytes += size;
    last = modRevision;
    piece.push(wireEvent(event));
  }
  return pieces;
}

function sizeOf({ entry, previous }: WatchEvent): number {
  const before =
    previous === undefined ? 0 : previous.key.length + previous.value.length + EVENT_OVERHEAD_BYTES;
  return entry.key.length + entry.value.length + EVENT_OVERHEAD_BYTES + before;
}

function wireEvent({ type, entry, previous }: WatchEvent): WireEvent {
  const event: WireEvent = { kv: wireEntry(entry) };
  if (type === 'delete') event.type = 1;
  if (previous !== undefined) event.prev_kv = wireEntry(previous);
  return event;
}
