// Many watches on few streams: which watch a message is for, and what becomes of all when their stream ends.
// Invariant: a feed hears nothing after it left or was lost; each creation has an id of its own, so nothing late is taken for it.
import type { WatchRequest } from '../contract.ts';
import { failedRequest, type Failed } from './failures.ts';
import type { Members } from './members.ts';
import { watchCreateRequest, type EventMessage, type WatchMessage } from './messages.ts';
import type { Tokens } from './tokens.ts';
import type { Channel, RpcFailure, RpcMetadata, RpcStream } from './transport.ts';

/** etcd serves the watches of one stream one after the other; with hundreds on one, slow ones starve (etcd-io/etcd#17529). */
const WATCHES_PER_STREAM = 100;

/** What a stream tells of one watch. */
export interface FeedHandlers {
  /** No change from the start revision, or after `revision`, can be missed any more. */
  attached(revision: number): void;
  /** Of whole revisions, in order. */
  events(events: readonly EventMessage[]): void;
  /** All changes up to `revision` came. */
  progress(revision: number): void;
  /** Changes before `floor` are gone. Last. */
  compacted(floor: number): void;
  /** It will not be served. Last. */
  refused(failed: Failed): void;
  /** The stream ended. Last. */
  lost(why: string): void;
}

export interface Feed {
  /** Nothing is heard of it afterwards. */
  leave(): void;
}

interface Registered {
  readonly handlers: FeedHandlers;
  /** Parts of a message that is still incomplete. */
  parts: EventMessage[];
}

interface Stream {
  readonly channel: Channel;
  readonly metadata: RpcMetadata;
  readonly rpc: RpcStream;
  readonly feeds: Map<string, Registered>;
  /** Ids that it was asked for and has not answered about, in their order: that is the order of the answers. */
  readonly asked: string[];
}

/** A refusal may come without an id (etcd 3.4): then it is for the first watch that has no answer yet. */
function idOf({ asked }: Stream, { watch_id: id, created }: WatchMessage): string {
  if (!created) return id.toString();
  const first = asked.shift() ?? '';
  return id.toNumber() < 0 ? first : id.toString();
}

export class WatchStreams {
  readonly #members: Members;
  readonly #tokens: Tokens;
  readonly #streams = new Set<Stream>();
  #lastId = 0;

  constructor(members: Members, tokens: Tokens) {
    this.#members = members;
    this.#tokens = tokens;
  }

  /** Asks for a watch as soon as a member can be asked. `startRevision` undefined: from now on. */
  attach(request: WatchRequest, startRevision: number | undefined, handlers: FeedHandlers): Feed {
    this.#lastId += 1;
    const id = this.#lastId;
    let place: Stream | 'waiting' | 'left' = 'waiting';
    const leaveQueue = this.#members.reach((channel) =>
      this.#tokens.get(channel, (metadata, failure) => {
        if (place === 'left') return;
        if (metadata === undefined) return this.#withoutToken(channel, failure, handlers);
        place = this.#streamOf(channel, metadata);
        place.feeds.set(String(id), { handlers, parts: [] });
        place.asked.push(String(id));
        place.rpc.send(watchCreateRequest(request, id, startRevision));
      }),
    );
    return {
      leave: () => {
        if (place === 'waiting') leaveQueue();
        else if (place !== 'left') this.#leave(place, id);
        place = 'left';
      },
    };
  }

  close(): void {
    for (const { rpc, feeds } of this.#streams) {
      feeds.clear();
      rpc.cancel();
    }
    this.#streams.clear();
  }

  #leave(stream: Stream, id: number): void {
    if (!stream.feeds.delete(String(id)) || !this.#streams.has(stream)) return;
    // The last stream stays open for the next watch; what it has of this one, the server is told to drop.
    if (stream.feeds.size > 0 || this.#streams.size === 1) {
      stream.rpc.send({ cancel_request: { watch_id: id } });
      return;
    }
    this.#streams.delete(stream);
    stream.rpc.cancel();
  }

  #streamOf(channel: Channel, metadata: RpcMetadata): Stream {
    for (const stream of this.#streams) {
      const fits = stream.channel === channel && stream.metadata === metadata;
      if (fits && stream.feeds.size < WATCHES_PER_STREAM) return stream;
    }
    // What is left empty on a former link, or under a former token, nobody will use again.
    for (const stream of [...this.#streams]) {
      if (stream.feeds.size > 0) continue;
      this.#streams.delete(stream);
      stream.rpc.cancel();
    }
    const feeds = new Map<string, Registered>();
    // A member that lost its leader ends the stream: it would say nothing for as long as it is cut off.
    const rpc = channel.stream(
      'Watch.Watch',
      { ...metadata, hasleader: 'true' },
      {
        message: (message) => this.#heard(stream, message as WatchMessage),
        ended: (failure) => this.#ended(stream, failure),
      },
    );
    const stream: Stream = { channel, metadata, rpc, feeds, asked: [] };
    this.#streams.add(stream);
    return stream;
  }

  #ended(stream: Stream, failure: RpcFailure): void {
    this.#streams.delete(stream);
    const { remedy } = failedRequest('watch', stream.channel.endpoint, failure);
    if (remedy === 'newToken') this.#tokens.refused(stream.metadata);
    else this.#members.avoid(stream.channel, failure.message);
    const feeds = [...stream.feeds.values()];
    stream.feeds.clear();
    for (const { handlers } of feeds) handlers.lost(`${stream.channel.endpoint}: ${failure.message}`);
  }

  #heard(stream: Stream, message: WatchMessage): void {
    const id = idOf(stream, message);
    const feed = stream.feeds.get(id);
    if (feed === undefined) return;
    const { handlers } = feed;
    if (message.canceled) {
      stream.feeds.delete(id);
      this.#cancelled(stream, message, handlers);
    } else if (message.created) handlers.attached(message.header?.revision.toNumber() ?? 0);
    else if (message.events.length === 0 && !message.fragment && feed.parts.length === 0)
      handlers.progress(message.header?.revision.toNumber() ?? 0);
    else {
      for (const event of message.events) feed.parts.push(event);
      if (message.fragment) return;
      const events = feed.parts;
      feed.parts = [];
      handlers.events(events);
    }
  }

  #cancelled(stream: Stream, message: WatchMessage, handlers: FeedHandlers): void {
    const floor = message.compact_revision.toNumber();
    if (floor > 0) return handlers.compacted(floor);
    const { endpoint } = stream.channel;
    const failure: RpcFailure = { status: 'other', message: message.cancel_reason };
    const failed = failedRequest('watch', endpoint, failure);
    // A token that is out of date looks to a watch like a right that is missing: try with another one first.
    if (stream.metadata['token'] !== undefined && failure.message.includes('permission denied'))
      this.#tokens.refused(stream.metadata);
    if (failed.remedy === 'none') handlers.refused(failed);
    else handlers.lost(`${endpoint}: ${message.cancel_reason}`);
  }

  #withoutToken(channel: Channel, failure: RpcFailure | undefined, handlers: FeedHandlers): void {
    if (failure === undefined) return;
    const failed = failedRequest('watch', channel.endpoint, failure);
    if (failed.remedy === 'none') handlers.refused(failed);
    else handlers.lost(failure.message);
  }
}
