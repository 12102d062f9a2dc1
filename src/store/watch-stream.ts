// One watch: carries out what its machine decides, and brings the events of feed and history to its sink.
// Invariant: `#next` is the first revision of which the sink has not been told; nothing is told after `ended`.
import { watchEffects, watchMachine, type WatchInput } from '../../machines/watch.ts';
import type { Actor } from '../actors/actor.ts';
import type { System } from '../actors/system.ts';
import type { Log } from '../ports.ts';
import { HoldfastError } from '../protocol/errors.ts';
import { limits } from '../protocol/limits.ts';
import type { History } from './commands.ts';
import type {
  KeyRange,
  Revision,
  WatchEnd,
  WatchEvent,
  WatchHandle,
  WatchRequest,
  WatchSink,
} from './contract.ts';
import { eventOf, type Feed, type Follower } from './feed.ts';
import type { Proposals } from './proposals.ts';

/** The store, as its watches see it. */
export interface WatchHome {
  readonly system: System;
  readonly feed: Feed;
  readonly proposals: Proposals;
  readonly log: Log;
  forget(stream: WatchStream): void;
}

export interface WatchStreamOptions {
  readonly id: string;
  readonly request: WatchRequest;
  readonly sink: WatchSink;
  readonly times: WatchInput;
}

export class WatchStream implements Follower, WatchHandle {
  readonly range: KeyRange;
  readonly wantsPrevious: boolean;
  readonly wantsProgress: boolean;
  readonly #home: WatchHome;
  readonly #id: string;
  readonly #sink: WatchSink;
  readonly #without: readonly WatchEvent['type'][];
  #next: Revision;
  #epoch = 0;
  #place: 'off' | 'held' | 'live' = 'off';
  #held: WatchEvent[] = [];
  /** `full`: the sink answered `wait` and has not resumed; `awaited`: the machine wants to know when it does. */
  #room: 'free' | 'full' | 'awaited' = 'free';
  #progressWanted = false;
  /** Nothing was told since `nudge` asked last. */
  #quiet = true;
  #end: WatchEnd | undefined;
  #over = false;

  constructor(home: WatchHome, { id, request, sink, times }: WatchStreamOptions) {
    this.#home = home;
    this.#id = id;
    this.#sink = sink;
    this.range = { key: request.key, end: request.end };
    this.wantsPrevious = request.previous === true;
    this.wantsProgress = request.progressNotify === true;
    this.#without = request.without ?? [];
    this.#next = request.startRevision ?? home.feed.revision + 1;
    const actor = home.system.spawn(watchMachine, {
      id,
      input: times,
      effects: watchEffects,
      performers: {
        attachFeed: ({ epoch }) => this.#attach(epoch),
        detachFeed: () => this.#detach(),
        announceReady: () => this.#announceReady(),
        readHistory: ({ epoch }) => this.#readHistory(epoch),
        goLive: () => this.#goLive(),
        awaitDrain: ({ epoch }) => this.#awaitDrain(epoch),
        announceCancelled: ({ reason, floor }) => this.#announceEnd(reason, floor),
      },
    });
    actor.onDone((ending) => {
      if (ending.status === 'error') this.#crashed(ending.error);
    });
  }

  cancel(): void {
    if (this.#over) return;
    this.#end ??= { reason: 'cancelled' };
    this.#send({ type: 'cancel.requested', reason: 'cancelled' });
  }

  resume(): void {
    const room = this.#room;
    this.#room = 'free';
    if (room === 'awaited' && !this.#over) this.#send({ type: 'backlog.drained', epoch: this.#epoch });
  }

  requestProgress(): void {
    this.#progressWanted = true;
    this.#tellProgress();
  }

  /** The store ends. */
  fail(error: HoldfastError): void {
    if (this.#over) return;
    this.#end ??= { reason: 'failed', error };
    this.#send({ type: 'engine.ended', reason: error.message });
  }

  /** Time for a sign of life, if nothing was told since the last time. */
  nudge(): void {
    if (this.#quiet) this.requestProgress();
    this.#quiet = true;
  }

  hold(event: WatchEvent, revision: Revision): 'first' | 'more' | 'none' {
    if (revision < this.#next || this.#without.includes(event.type)) return 'none';
    this.#held.push(event);
    if (this.#place === 'live') return this.#held.length === 1 ? 'first' : 'more';
    if (this.#held.length > limits.maxHeldEvents) {
      // Whoever is not told yet reads them from history.
      this.#detach();
      this.#send({ type: 'feed.lost', epoch: this.#epoch });
    }
    return 'none';
  }

  flush(): void {
    // What another watch's sink did meanwhile may have taken this one off the feed.
    if (this.#place !== 'live') return;
    const events = this.#held;
    this.#held = [];
    this.#next = Math.max(this.#next, this.#home.feed.revision + 1);
    if (events.length > 0 && this.#tell(events) === 'wait') {
      this.#detach();
      this.#send({ type: 'backlog.filled', epoch: this.#epoch });
    } else this.#tellProgress();
  }

  get #actor(): Actor<typeof watchMachine> | undefined {
    return this.#home.system.get(this.#id) as Actor<typeof watchMachine> | undefined;
  }

  #send(event: Parameters<Actor<typeof watchMachine>['send']>[0]): void {
    this.#actor?.send(event);
  }

  /** The feed of an embedded engine is always there. Whoever needs nothing of the past is on it from now on. */
  #attach(epoch: number): void {
    this.#epoch = epoch;
    if (this.#next > this.#home.feed.revision) this.#follow();
    this.#send({ type: 'feed.attached', epoch });
  }

  #follow(): void {
    this.#place = 'held';
    this.#home.feed.attach(this);
  }

  #detach(): void {
    if (this.#place !== 'off') this.#home.feed.detach(this);
    this.#place = 'off';
    this.#held = [];
  }

  #announceReady(): void {
    const { revision } = this.#home.feed;
    // Not before `watch` has answered its handle.
    void Promise.resolve().then(() => {
      if (this.#over) return;
      this.#guard(() => this.#sink.ready(revision));
      this.#send({ type: 'ready.reported' });
    });
  }

  #readHistory(epoch: number): void {
    if (this.#place !== 'off') {
      this.#send({ type: 'history.joined', epoch });
      return;
    }
    const { key, end } = this.range;
    this.#home.proposals.propose({ type: 'history', key, end, from: this.#next }).then(
      (page) => this.#guard(() => this.#pageRead(epoch, page)),
      (error: unknown) => this.#readFailed(epoch, error),
    );
  }

  #pageRead(epoch: number, { changes, through, revision }: History): void {
    if (this.#over || epoch !== this.#epoch) return;
    const events = changes
      .filter(({ type }) => !this.#without.includes(type))
      .map((change) => eventOf(change, this.wantsPrevious));
    this.#next = through + 1;
    if (events.length > 0 && this.#tell(events) === 'wait') {
      this.#send({ type: 'backlog.filled', epoch });
      return;
    }
    // The sink may have cancelled.
    if (this.#over) return;
    const told = this.#home.feed.revision;
    if (revision > told)
      throw new Error(`history of revision ${revision} came before its changes; the feed is at ${told}`);
    const joined = through === told;
    if (joined) this.#follow();
    this.#send({ type: joined ? 'history.joined' : 'history.advanced', epoch });
  }

  #readFailed(epoch: number, error: unknown): void {
    if (this.#over || epoch !== this.#epoch) return;
    const { code, revision: floor = 0 } =
      error instanceof HoldfastError ? error : { code: 'store_failed', revision: 0 };
    if (code === 'compacted') {
      this.#end ??= { reason: 'compacted', floor };
      this.#send({ type: 'history.compacted', epoch, floor });
    } else this.#send({ type: 'feed.lost', epoch });
  }

  #goLive(): void {
    this.#place = 'live';
    this.flush();
  }

  #awaitDrain(epoch: number): void {
    if (this.#room === 'free') this.#send({ type: 'backlog.drained', epoch });
    else this.#room = 'awaited';
  }

  #tell(events: readonly WatchEvent[]): 'more' | 'wait' {
    const revision = events.at(-1)?.entry.modRevision ?? 0;
    this.#quiet = false;
    this.#room = 'full';
    const answer = this.#guard(() => this.#sink.events(events, revision)) ?? 'more';
    if (answer === 'more') this.#room = 'free';
    return answer;
  }

  #tellProgress(): void {
    if (!this.#progressWanted || this.#place !== 'live' || this.#held.length > 0) return;
    const { revision } = this.#home.feed;
    if (revision < this.#next - 1) {
      // It begins with a revision that is still to come.
      this.#home.feed.expect(this);
      return;
    }
    this.#progressWanted = false;
    this.#guard(() => this.#sink.progress(revision));
  }

  #announceEnd(reason: string, floor: Revision): void {
    if (this.#over) return;
    this.#over = true;
    this.#home.forget(this);
    const end: WatchEnd = this.#end ?? {
      reason: 'failed',
      error: new HoldfastError(`a watch ended: ${reason}${floor > 0 ? ` (${floor})` : ''}`, {
        code: 'store_failed',
      }),
    };
    this.#guard(() => this.#sink.ended(end));
  }

  /** Our own mistake, or that of the sink. */
  #crashed(error: unknown): void {
    this.#detach();
    const why = error instanceof Error ? error.message : String(error);
    const failed = new HoldfastError(`a watch failed (${why})`, { code: 'store_failed', cause: error });
    this.#end ??= { reason: 'failed', error: failed };
    this.#announceEnd(why, 0);
  }

  /** What a sink throws, or a backend that breaks its promises, ends the watch, and nobody else's. */
  #guard<T>(tell: () => T): T | undefined {
    try {
      return tell();
    } catch (error) {
      this.#home.log.error({ err: error, watch: this.#id }, 'a watch ends by an error');
      if (!this.#over) {
        const why = error instanceof Error ? error.message : String(error);
        this.fail(
          new HoldfastError(`the watch ended by an error: ${why}`, { code: 'store_failed', cause: error }),
        );
      }
      return undefined;
    }
  }
}
