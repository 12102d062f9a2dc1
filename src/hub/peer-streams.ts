// What the machines of nodes and clients do, passed on to the hub's viewers.
// Invariant: peers are asked only while somebody looks; one speaks for itself alone, however it names itself, at a bounded
// rate, in the hub's own time.
import { callMachine } from '../../machines/call.ts';
import { connectionMachine } from '../../machines/connection.ts';
import { executionMachine } from '../../machines/execution.ts';
import { Bucket } from '../inspect/stream/bucket.ts';
import type { Collector } from '../inspect/stream/collector.ts';
import type { Payloads } from '../inspect/stream/redact.ts';
import type { Clock } from '../ports.ts';
import { ProtocolViolation } from '../protocol/errors.ts';
import { CloseCode, Flag, FrameType } from '../protocol/frames.ts';
import { readTold, type MachineSaid, type Told } from '../protocol/inspection.ts';
import type { RegisterMessage } from '../protocol/messages.ts';
import { decodeText } from '../protocol/text.ts';
import type { Accepted } from './accepted.ts';

/** A member, as far as this needs it. */
export interface StreamingPeer {
  readonly role: 'node' | 'client';
  readonly id: string;
  readonly instance: string;
  readonly link: Accepted | undefined;
}

export interface PeerStreamsOptions {
  readonly clock: Clock;
  readonly collector: Collector;
  readonly payloads: Payloads | undefined;
  /** What viewers know already of that machine. */
  known(machine: string): MachineSaid | undefined;
  tell(message: Told): void;
}

interface Stream {
  readonly process: string;
  readonly bucket: Bucket;
  /** From its clock to the hub's. */
  offsetMs: number | undefined;
  dropped: number;
}

/** Steps of all peers together that are asked for in a second, and at least of each. */
const TOTAL_PER_SECOND = 2_000;
const LEAST_PER_SECOND = 5;
/** What a peer may send at once, in messages: a `present`, machines, what it kept while it was away. */
const BURST = 3_000;

export class PeerStreams {
  readonly #options: PeerStreamsOptions;
  readonly #streams = new Map<StreamingPeer, Stream>();
  readonly #offering = new Set<StreamingPeer>();
  #wish: { readonly contexts: boolean } | undefined;
  /** The step that sent the next frame of that peer. */
  #stamp: { readonly peer: StreamingPeer; readonly actor: string; readonly clock: number } | undefined;

  constructor(options: PeerStreamsOptions) {
    this.#options = options;
  }

  /** Somebody looks. */
  begin(wish: { readonly contexts: boolean }): void {
    this.#wish = wish;
    // Peers say nothing of those that are everywhere the same.
    for (const machine of [connectionMachine, executionMachine, callMachine])
      this.#options.collector.sayMachine(machine);
    this.#streams.clear();
    for (const peer of this.#offering) if (peer.link !== undefined) this.#ask(peer, peer.link);
  }

  end(): void {
    this.#wish = undefined;
    for (const peer of this.#streams.keys()) {
      const { link } = peer;
      if (link === undefined) continue;
      link.outbox.stamp = undefined;
      link.outbox.json(FrameType.INSPECT, 0, 0, 0, {});
    }
    this.#streams.clear();
    this.#stamp = undefined;
  }

  /** It registers on this link, by this step of its own: `tell` tells its session so. */
  registering(
    peer: StreamingPeer,
    link: Accepted,
    { inspects, step }: RegisterMessage,
    tell: () => void,
  ): void {
    if (inspects !== true) return tell();
    this.#offering.add(peer);
    if (this.#wish === undefined) return tell();
    this.#ask(peer, link);
    if (step !== undefined) this.#options.collector.reading({ process: processOf(peer), ...step });
    tell();
    this.#options.collector.reading(undefined);
  }

  gone(peer: StreamingPeer): void {
    this.#offering.delete(peer);
    if (!this.#streams.delete(peer)) return;
    const { clock, tell } = this.#options;
    const { role, id: name } = peer;
    tell({ kind: 'process', process: processOf(peer), role, name, at: clock.now(), state: 'gone' });
  }

  /** A control frame of this peer is about to be handled: what it leads to has this cause. */
  reading(peer: StreamingPeer): void {
    const { collector, clock } = this.#options;
    const stamp = this.#stamp;
    if (stamp === undefined) return;
    this.#stamp = undefined;
    if (stamp.peer !== peer) return;
    collector.reading({ process: processOf(peer), actor: stamp.actor, clock: stamp.clock });
    clock.endOfTurn(() => collector.reading(undefined));
  }

  /** @throws ProtocolViolation for what is no stream */
  received(
    peer: StreamingPeer,
    flags: number,
    clock: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (!this.#offering.has(peer))
      throw new ProtocolViolation(CloseCode.OUT_OF_ORDER, 'INSPECT of a peer that did not offer it');
    const stream = this.#streams.get(peer);
    // It was still on its way when the last viewer left.
    if (stream === undefined) return;
    const text = textOf(bytes, start, end);
    if ((flags & Flag.STAMP) !== 0) {
      this.#stamp = { peer, actor: text, clock };
      return;
    }
    for (const message of readTold(text)) this.#passOn(peer, stream, message);
  }

  #passOn(peer: StreamingPeer, stream: Stream, message: Told): void {
    const { clock, tell } = this.#options;
    const now = clock.now();
    const { process } = stream;
    if (!stream.bucket.take(now)) {
      if (message.kind === 'step') stream.dropped += 1;
      return;
    }
    if (stream.dropped > 0 && message.kind === 'present' && message.more !== true) {
      tell({ kind: 'dropped', process, steps: stream.dropped, at: now });
      stream.dropped = 0;
    }
    if (message.kind === 'process') {
      stream.offsetMs = now - message.at;
      return tell({ kind: 'process', process, role: peer.role, name: peer.id, at: now, state: 'here' });
    }
    if (message.kind === 'machine') return this.#machine(stream, message);
    // Nothing is heard of one that did not say who it is.
    const { offsetMs } = stream;
    if (offsetMs !== undefined) translate(message, process, offsetMs, tell);
  }

  /** A machine of its own: another process may have another one of that name. */
  #machine({ process }: Stream, message: MachineSaid): void {
    const { known, tell } = this.#options;
    const said = known(message.machine);
    if (JSON.stringify(said?.document) !== JSON.stringify(message.document)) tell({ ...message, process });
  }

  #ask(peer: StreamingPeer, link: Accepted): void {
    const { clock, collector, payloads } = this.#options;
    const share = Math.max(LEAST_PER_SECOND, Math.floor(TOTAL_PER_SECOND / Math.max(1, this.#offering.size)));
    if (!this.#streams.has(peer)) {
      const bucket = new Bucket(2 * share, clock.now(), BURST);
      this.#streams.set(peer, { process: processOf(peer), bucket, offsetMs: undefined, dropped: 0 });
    }
    link.outbox.stamp = () => collector.stamp();
    link.outbox.json(FrameType.INSPECT, 0, 0, 0, {
      process: collector.process,
      ...this.#wish,
      payloads,
      stepsPerSecond: share,
    });
  }
}

/** As the hub names it: who it is, and which of its lives. */
function processOf({ role, id, instance }: StreamingPeer): string {
  return `${role}/${id}/${instance.slice(0, 8)}`;
}

function translate(message: Told, process: string, offsetMs: number, tell: (message: Told) => void): void {
  switch (message.kind) {
    case 'step':
    case 'dropped':
    case 'sampled':
      return tell({ ...message, process, at: message.at + offsetMs });
    case 'present': {
      const actors = message.actors.map(({ since, timers, ...actor }) => ({
        ...actor,
        since: since + offsetMs,
        ...(timers && {
          timers: timers.map((timer) => ({ ...timer, startedAt: timer.startedAt + offsetMs })),
        }),
      }));
      return tell({ ...message, process, at: message.at + offsetMs, actors });
    }
    default:
      // A fleet, a hello, an answer: those are the hub's.
      return undefined;
  }
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  try {
    return decodeText(bytes, start, end);
  } catch {
    throw new ProtocolViolation(CloseCode.MALFORMED, 'INSPECT: its payload is no UTF-8');
  }
}
