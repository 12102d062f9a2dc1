// One watch over the cluster: the machine `watch` decides, this carries it out on the streams.
// Invariant: `#next` is the first revision whose changes the owner has not seen; nothing below it is told, and nothing
// above it before what lies between.
import { watchEffects, watchMachine } from '../../../machines/watch.ts';
import type { Actor } from '../../actors/actor.ts';
import type { System } from '../../actors/system.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import type { WatchEnd, WatchHandle, WatchRequest, WatchSink } from '../contract.ts';
import { watchEvent, type EventMessage } from './messages.ts';
import type { Replay } from './replay.ts';
import type { Feed, WatchStreams } from './watch-streams.ts';

/** How often an owner may be refused before it is told: the first time the token may have been out of date. */
const REFUSALS = 2;

const times = {
  attachTimeoutMs: 10_000,
  resumeIntervalMs: 50,
  resumeMaxMs: 1_000,
} as const;

export interface WatchSurroundings {
  readonly system: System;
  readonly streams: WatchStreams;
  /** Finds out up to which revision a watch has seen all. */
  readonly replay: (request: WatchRequest, next: number) => Replay;
  readonly id: string;
  readonly seed: number;
  /** For a member to take it, the first time. */
  readonly createTimeoutMs: number;
  /** Why no member could be asked, the last time. */
  readonly lastFailure: () => string;
  /** It ended: nothing of it is left. */
  readonly forget: () => void;
}

export class EtcdWatch implements WatchHandle {
  readonly #request: WatchRequest;
  readonly #sink: WatchSink;
  readonly #streams: WatchStreams;
  readonly #replay: WatchSurroundings['replay'];
  readonly #forget: () => void;
  readonly #lastFailure: () => string;
  readonly #actor: Actor<typeof watchMachine>;
  /** Undefined until the first attachment of a watch "from now on". */
  #next: number | undefined;
  /** The store's revision when a member took it. */
  #attachedAt = 0;
  #feed: Feed | undefined;
  #epoch = 0;
  #delivery: 'held' | 'live' | 'ended' = 'held';
  #room: 'more' | 'wait' = 'more';
  /** What the feed brought before it went live. */
  #held: EventMessage[][] = [];
  #refusals = 0;
  #end: WatchEnd | undefined;
  /** What the owner asked for and has not got: to be proven, to be proven once there is something to tell, or left to the server. */
  #bookmark: 'none' | 'asked' | 'early' | 'unknown' = 'none';
  #proof: Replay | undefined;
  /** All up to `revision` were told once those up to `after` are. */
  #promised: { readonly revision: number; readonly after: number } | undefined;

  constructor(request: WatchRequest, sink: WatchSink, surroundings: WatchSurroundings) {
    this.#request = request;
    this.#sink = sink;
    this.#streams = surroundings.streams;
    this.#replay = surroundings.replay;
    this.#forget = surroundings.forget;
    this.#lastFailure = surroundings.lastFailure;
    this.#next = request.startRevision;
    this.#actor = surroundings.system.spawn(watchMachine, {
      id: surroundings.id,
      input: { ...times, createTimeoutMs: surroundings.createTimeoutMs, seed: surroundings.seed },
      effects: watchEffects,
      performers: {
        attachFeed: ({ epoch }) => this.#attach(epoch),
        detachFeed: () => this.#detach(),
        announceReady: () => {
          this.#sink.ready(this.#attachedAt);
          this.#actor.send({ type: 'ready.reported' });
        },
        // The server reads history itself and puts it before what is new.
        readHistory: ({ epoch }) => this.#actor.send({ type: 'history.joined', epoch }),
        goLive: () => this.#goLive(),
        awaitDrain: ({ epoch }) => {
          if (this.#room === 'more') this.#actor.send({ type: 'backlog.drained', epoch });
        },
        announceCancelled: ({ reason, floor }) => this.#ended(reason, floor),
      },
    });
  }

  cancel(): void {
    if (this.#delivery === 'ended') return;
    this.#end ??= { reason: 'cancelled' };
    this.#actor.send({ type: 'cancel.requested', reason: 'cancelled' });
  }

  resume(): void {
    if (this.#room === 'more' || this.#delivery === 'ended') return;
    this.#room = 'more';
    this.#actor.send({ type: 'backlog.drained', epoch: this.#epoch });
  }

  requestProgress(): void {
    if (this.#delivery === 'ended') return;
    this.#bookmark = 'asked';
    this.#prove();
  }

  /** The store is closed. */
  stop(error: HoldfastError): void {
    if (this.#delivery === 'ended') return;
    this.#end ??= { reason: 'failed', error };
    this.#actor.send({ type: 'engine.ended', reason: error.message });
  }

  #attach(epoch: number): void {
    this.#epoch = epoch;
    this.#delivery = 'held';
    this.#held = [];
    const isCurrent = (): boolean => epoch === this.#epoch && this.#delivery !== 'ended';
    this.#feed = this.#streams.attach({ ...this.#request, progressNotify: true }, this.#next, {
      attached: (revision) => {
        if (!isCurrent()) return;
        this.#attachedAt = revision;
        this.#next ??= revision + 1;
        this.#refusals = 0;
        this.#actor.send({ type: 'feed.attached', epoch });
        this.#prove();
      },
      events: (events) => {
        if (!isCurrent()) return;
        if (this.#delivery === 'live') this.#deliver(events);
        else this.#held.push([...events]);
      },
      progress: (revision) => {
        if (isCurrent() && this.#delivery === 'live') this.#progress(revision);
      },
      compacted: (floor) => this.#actor.send({ type: 'history.compacted', epoch, floor }),
      refused: ({ error }) => {
        if (!isCurrent()) return;
        this.#refusals += 1;
        if (this.#refusals < REFUSALS) return this.#actor.send({ type: 'feed.lost', epoch });
        this.#end ??= { reason: 'failed', error };
        this.#actor.send({ type: 'feed.refused', epoch, reason: error.message });
      },
      lost: () => this.#actor.send({ type: 'feed.lost', epoch }),
    });
  }

  #detach(): void {
    this.#feed?.leave();
    this.#feed = undefined;
    this.#delivery = this.#delivery === 'ended' ? 'ended' : 'held';
    this.#held = [];
  }

  #goLive(): void {
    this.#delivery = 'live';
    const held = this.#held;
    this.#held = [];
    for (const events of held) if (this.#delivery === 'live') this.#deliver(events);
    this.#keepPromise();
  }

  #deliver(messages: readonly EventMessage[]): void {
    if (this.#room === 'wait') return;
    const next = this.#next ?? 1;
    const events = messages
      .filter(({ kv }) => kv.mod_revision.toNumber() >= next)
      .map((message) => watchEvent(message));
    const revision = events.at(-1)?.entry.modRevision;
    if (revision === undefined) return;
    this.#next = revision + 1;
    this.#room = this.#sink.events(events, revision);
    if (this.#room === 'wait') this.#actor.send({ type: 'backlog.filled', epoch: this.#epoch });
    else this.#keepPromise();
    if (this.#bookmark === 'early') this.#bookmark = 'asked';
    this.#prove();
  }

  /** Once there is a revision to begin with; one at a time, so that each answers for what was asked before it began. */
  #prove(): void {
    if (this.#bookmark !== 'asked' || this.#proof !== undefined || this.#next === undefined) return;
    this.#bookmark = 'none';
    this.#proof = this.#replay(this.#request, this.#next);
    void this.#proof.outcome.then((outcome) => {
      this.#proof = undefined;
      if (this.#delivery === 'ended') return;
      if (typeof outcome !== 'string') this.#promised = outcome;
      else if (this.#bookmark === 'none') this.#bookmark = outcome;
      this.#keepPromise();
      this.#prove();
    });
  }

  /** A bookmark of the server's own, which comes every ten minutes while nothing happens. */
  #progress(revision: number): void {
    const next = this.#next ?? 1;
    // A watch on a revision to come hears of earlier ones.
    if (revision < next - 1) return;
    this.#next = revision + 1;
    if (this.#request.progressNotify !== true && this.#bookmark !== 'unknown') return;
    if (this.#bookmark === 'unknown') this.#bookmark = 'none';
    this.#sink.progress(revision);
  }

  #keepPromise(): void {
    const promised = this.#promised;
    const told = (this.#next ?? 1) - 1;
    if (promised === undefined || this.#delivery !== 'live' || told < promised.after) return;
    this.#promised = undefined;
    const revision = Math.max(promised.revision, told);
    this.#next = revision + 1;
    this.#sink.progress(revision);
  }

  #ended(reason: string, floor: number): void {
    this.#delivery = 'ended';
    this.#proof?.stop();
    this.#forget();
    if (floor > 0) return this.#sink.ended({ reason: 'compacted', floor });
    this.#sink.ended(
      this.#end ?? { reason: 'failed', error: uncreated(`${reason} (${this.#lastFailure()})`) },
    );
  }
}

function uncreated(reason: string): HoldfastError {
  return new HoldfastError(`watch: ${reason}; look at the cluster's health`, {
    code: 'timed_out',
    retryable: true,
    blame: 'remote',
    started: 'notStarted',
  });
}
