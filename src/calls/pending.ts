// A call that was asked for and has not settled, and the nodes that calls are with.
// Invariant: plain data; the caller moves it.
import type { CallContext } from '../../machines/call.ts';
import type { CompiledActor } from '../engine/compile.ts';
import type { Observer } from '../engine/table-records.ts';
import type { Clock } from '../ports.ts';
import { Flag } from '../protocol/frames.ts';
import type { PeerMessage } from '../protocol/messages.ts';
import type { Encoded, Encoding } from '../protocol/values.ts';
import type { Waiting } from '../actors/deadlines.ts';
import type { CallFacts } from './outcome.ts';
import type { InboundStream } from './stream.ts';

/** Which node may run a call. */
export interface Target {
  /** Only this node. */
  readonly node?: string | undefined;
  /** Only nodes that carry all of these labels. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

export interface CallOptions extends Target {
  /** Milliseconds until `timed_out`, wherever the call is then. @default the client's executionTimeoutMs */
  readonly deadlineMs?: number | undefined;
  /** Executing it twice does no harm: it fails over to another node. @default false */
  readonly idempotent?: boolean | undefined;
  /**
   * Journaled in the hub's store before it is sent: when the hub is killed, its next start goes on with it. Arguments have at most
   * 512 KiB. Costs two writes. @default false
   */
  readonly durable?: boolean | undefined;
  /** Cancels the call, on the node too. */
  readonly signal?: AbortSignal | undefined;
}

export interface CallerOptions {
  readonly clock: Clock;
  readonly encoding: Encoding;
  readonly executionTimeoutMs: number;
  /** Attempts of one call, the first included. */
  readonly maxCallAttempts: number;
  /** Calls that wait for the link. */
  readonly maxQueueSize: number;
  /** Is told of each event of each call. */
  readonly observer?: Observer<Call> | undefined;
}

/** A node that calls are with. */
export interface Peer {
  /** On the present link; 0 = not heard of on this link. */
  number: number;
  readonly id: string;
  readonly instance: string;
}

/** Who waits for what a call ends with. */
export interface Waiter {
  readonly stream: InboundStream | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export interface Call extends CompiledActor<CallContext>, Waiting {
  readonly name: string;
  readonly encoded: Encoded;
  readonly flags: number;
  readonly route: string;
  readonly deadlineMs: number;
  /** Number of the present attempt on the wire; 0 = none. */
  attempt: number;
  /** Peer number under which its arguments were written: that of the node presumed then, or 0. */
  wirePeer: number;
  /** Where the present attempt is, as the hub said, or as was presumed when it was sent. */
  node: Peer | undefined;
  /** What became of the attempts before the present one: `unknown` once one of them may have been executed. */
  past: 'notStarted' | 'unknown';
  readonly stream: InboundStream | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  unlisten: (() => void) | undefined;
  /** What it settles with, set before the event that settles it. */
  result: unknown;
  error: unknown;
  /** Flags and type of the value that is put together from chunks. */
  assembling: { type: number; flags: number } | undefined;
}

export function newCall(
  name: string,
  encoded: Encoded,
  flags: number,
  route: string,
  deadlineMs: number,
  context: CallContext,
  { stream, resolve, reject }: Waiter,
): Call {
  return {
    state: 0,
    context,
    dueAt: 0,
    earlier: undefined,
    later: undefined,
    bucket: undefined,
    name,
    encoded,
    flags,
    route,
    deadlineMs,
    attempt: 0,
    wirePeer: 0,
    node: undefined,
    past: 'notStarted',
    stream,
    resolve,
    reject,
    unlisten: undefined,
    result: undefined,
    error: undefined,
    assembling: undefined,
  };
}

/** What the words of an error need to know of it. */
export function factsOf({ name, attempt, deadlineMs, node, past }: Call, state: string): CallFacts {
  // Before the hub said so, its node is only presumed.
  const isKnown = state !== 'sent' && state !== 'queued';
  return { name, attempt, deadlineMs, node: isKnown ? node?.id : undefined, state, past };
}

/** Of its CALL frame. */
export function flagsOf({ idempotent = false, durable = false }: CallOptions, encoding: Encoding): number {
  const msgpack = encoding === 'msgpack' ? Flag.MSGPACK : 0;
  return msgpack | (idempotent ? Flag.IDEMPOTENT : 0) | (durable ? Flag.DURABLE : 0);
}

/** JSON text, or '' for any node. */
export function routeOf({ node, labels }: Target): string {
  return node === undefined && labels === undefined ? '' : JSON.stringify({ node, labels });
}

/** The nodes of one client, by the numbers of its present link. One object stands for an instance, whatever its number. */
export class Peers {
  readonly #byNumber = new Map<number, Peer>();
  /** Those of the present link, and those of calls that an earlier link left. */
  readonly #byInstance = new Map<string, Peer>();

  get(number: number): Peer | undefined {
    return this.#byNumber.get(number);
  }

  /** An instance whose session was over and that came back has another number on the same link. */
  name(number: number, { id, instance }: PeerMessage): void {
    const peer = this.#byInstance.get(instance) ?? { number, id, instance };
    if (this.#byNumber.get(peer.number) === peer) this.#byNumber.delete(peer.number);
    peer.number = number;
    this.#byNumber.set(number, peer);
    this.#byInstance.set(instance, peer);
  }

  /** Another hub has other numbers: a node keeps none until it is named again. */
  detached(nodes: Iterable<Peer>): void {
    for (const peer of this.#byNumber.values()) peer.number = 0;
    this.#byNumber.clear();
    this.#byInstance.clear();
    for (const node of nodes) this.#byInstance.set(node.instance, node);
  }
}
