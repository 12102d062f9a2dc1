// Everything written to one peer on one socket: what a turn writes leaves together, bulk waits its turn.
// Invariant: frames of one call keep their order; control frames wait for nobody.
import {
  CALL_PREFIX_BYTES,
  FrameType,
  Flag,
  HEADER_BYTES,
  callValueStart,
  maxPayloadBytes,
} from './frames.ts';
import { BulkLane, endsCall, makePiece, type Flow } from './flow.ts';
import { limits } from './limits.ts';
import { Page } from './page.ts';
import { clampDeadline, prefixOf, tooLong, tooLongRoute, tooLongValue, type CallPrefix } from './prefix.ts';
import { copyBytes } from './read.ts';
import { textBytes, utf8Encoder } from './text.ts';
import { encodedBytes, type Encoded } from './values.ts';

export type { CallPrefix } from './prefix.ts';

export interface OutboxPort {
  /** Sends one message. What it says it `kept` does not change afterwards. */
  send(bytes: Uint8Array): 'taken' | 'kept';
  /** Bytes that were sent and that the kernel has not taken yet. */
  readonly bufferedBytes: number;
  /** Calls `fn` when all input at hand was handled. */
  endOfTurn(fn: () => void): void;
}

/** Which step an effect belongs to that writes right now; undefined for none. */
export type Stamp = () => { readonly actor?: string | undefined; readonly clock: number } | undefined;

export interface OutboxOptions {
  /** Called once, when more waits than `limits` allow: the peer does not read. The bytes that wait stay until `close`. */
  onOverflow(waitingBytes: number): void;
}

const EMPTY = new Uint8Array(0);
/** A queued frame keeps its message's memory alive; when it is less than this part of it, it is copied instead. */
const MIN_ALIASED_SHARE = 6;

export class Outbox {
  readonly #port: OutboxPort;
  readonly #options: OutboxOptions;
  readonly #page: Page;
  readonly #lane = new BulkLane();
  #state: 'idle' | 'scheduled' | 'closed' = 'idle';
  #overflow: 'below' | 'reported' = 'below';
  /** Items of flows with nothing waiting go straight into the page while there is room below the watermark. */
  #socket: 'open' | 'full' = 'open';
  /** While somebody looks: control frames are preceded by the step that sent them. @default nobody looks */
  stamp: Stamp | undefined;
  readonly #onEndOfTurn = (): void => this.flush();

  constructor(port: OutboxPort, options: OutboxOptions) {
    this.#port = port;
    this.#options = options;
    this.#page = new Page(port);
  }

  /** Bytes that have not reached the kernel: the page, the flows, the socket's buffer. */
  get waitingBytes(): number {
    return this.#page.pendingBytes + this.#lane.ownBytes + this.#lane.passedBytes + this.#port.bufferedBytes;
  }

  /**
   * Control lane. Copies the payload, which leaves at the end of the turn.
   * Only a FAILURE waits, for frames of its own call that were written before it.
   * @throws HoldfastError `value_too_large` for a payload longer than its type allows.
   */
  frame(
    type: number,
    flags: number,
    peer: number,
    id: number,
    bytes: Uint8Array = EMPTY,
    start = 0,
    end = bytes.length,
  ): void {
    if (this.#state === 'closed') return;
    const length = end - start;
    if (length > maxPayloadBytes(type)) throw tooLong(type, length);
    if (this.stamp !== undefined && type !== FrameType.INSPECT) this.writeStamp(this.stamp());
    if (this.#lane.size > 0 && type === FrameType.FAILURE) {
      const flow = this.#lane.find(peer, id);
      if (flow !== undefined && flow.first !== undefined) {
        this.#queue(
          flow,
          makePiece(type, flags, EMPTY, [copyBytes(bytes, start, end)], length, 'frame', 'nothing'),
        );
        return;
      }
      if (flow !== undefined) this.#lane.finish(flow);
    }
    this.#writeFrame(type, flags, peer, id, bytes, start, end);
  }

  /** As `frame`, with a message in JSON. */
  json(type: number, flags: number, peer: number, id: number, message: object): void {
    const bytes = utf8Encoder.encode(JSON.stringify(message));
    this.frame(type, flags, peer, id, bytes, 0, bytes.length);
  }

  /**
   * CALL (with its prefix), RESULT, ITEM. A value for one frame leaves with the turn; a larger one in chunks, under credit.
   * When a flow is open for the call, everything goes through it.
   * @throws HoldfastError `value_too_large` beyond `limits.maxValueBytes`, `invalid_argument` for too long a route.
   */
  value(
    type: number,
    flags: number,
    peer: number,
    id: number,
    prefix: CallPrefix | undefined,
    encoded: Encoded,
  ): void {
    if (this.#state === 'closed') return;
    const flow = this.#lane.size > 0 ? this.#lane.find(peer, id) : undefined;
    if (flow === undefined) {
      if (!this.#writeValue(type, flags, peer, id, prefix, encoded)) {
        this.#queueValue(this.#lane.open(peer, id), type, flags, prefix, encoded);
      }
      return;
    }
    if (
      flow.state === 'empty' &&
      this.#socket === 'open' &&
      this.#page.pendingBytes < limits.bulkWatermarkBytes
    ) {
      const bytes = encodedBytes(encoded);
      if (bytes <= flow.creditBytes && this.#writeValue(type, flags, peer, id, prefix, encoded)) {
        flow.creditBytes -= bytes;
        flow.progress = 'started';
        if (endsCall(type)) this.#lane.finish(flow);
        return;
      }
    }
    this.#queueValue(flow, type, flags, prefix, encoded);
  }

  /**
   * A hub passes a frame on: the same payload under another peer's number; of a CALL with `prefix`, function and deadline are
   * replaced and the route is left out. Frames of long values wait in the bulk lane, without credit: that is between the ends.
   * @throws ProtocolViolation for a CALL whose prefix is truncated.
   */
  forward(
    type: number,
    flags: number,
    peer: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    prefix?: CallPrefix,
  ): void {
    if (this.#state === 'closed') return;
    const from = prefix === undefined ? start : callValueStart(bytes, start, end);
    if ((flags & Flag.MORE) !== 0 || type === FrameType.CHUNK) {
      this.#queueFrame(this.#lane.open(peer, id), type, flags, bytes, from, end, prefix);
      return;
    }
    if (this.#lane.size > 0) {
      const flow = this.#lane.find(peer, id);
      if (flow !== undefined && flow.first !== undefined) {
        this.#queueFrame(flow, type, flags, bytes, from, end, prefix);
        return;
      }
    }
    if (prefix === undefined) {
      this.#writeFrame(type, flags, peer, id, bytes, from, end);
      return;
    }
    const length = CALL_PREFIX_BYTES + end - from;
    this.#page.header(type, flags, peer, id, length);
    this.#page.callPrefix(prefix.fn, 0, clampDeadline(prefix.deadlineMs));
    this.#page.copy(bytes, from, end);
    this.#written();
  }

  /**
   * Opens a flow for a call's items, so that they and their end keep their order and obey credit. It ends with the call's
   * RESULT or FAILURE, or with `drop`.
   * @param onRoom what waited of this flow has been written; called outside of any write, at the end of a flush.
   * @param creditBytes what the other end takes before it gives credit. @default one window
   */
  openFlow(
    peer: number,
    id: number,
    onRoom: () => void,
    creditBytes: number = limits.creditWindowBytes,
  ): void {
    if (this.#state !== 'closed') this.#lane.open(peer, id, onRoom).creditBytes = creditBytes;
  }

  /** Bytes of this call that wait for credit or for the socket. */
  flowWaiting(peer: number, id: number): number {
    return this.#lane.find(peer, id)?.waitingBytes ?? 0;
  }

  /** The other end consumed so many bytes of this call. Credit beyond one window, or for no flow, is dropped. */
  credit(peer: number, id: number, bytes: number): void {
    if (this.#lane.credit(peer, id, bytes)) this.#schedule();
  }

  /** Forgets the call's flow and what waits in it. Answers whether something waited and nothing of the call had left. */
  drop(peer: number, id: number): boolean {
    return this.#lane.drop(peer, id);
  }

  /** The socket's buffer is empty again. */
  drained(): void {
    this.#socket = 'open';
    if (this.#lane.ready) this.flush();
  }

  /** Sends what the turn has written, and as much of the bulk lane as the socket should hold. */
  flush(): void {
    if (this.#state === 'closed') return;
    this.#state = 'idle';
    const { bufferedBytes } = this.#port;
    if (this.#lane.ready) {
      this.#lane.pump(this.#page, limits.bulkWatermarkBytes - bufferedBytes - this.#page.pendingBytes);
    }
    this.#checkOverflow(bufferedBytes + this.#page.pendingBytes + this.#lane.passedBytes);
    const left = this.#send();
    // A socket that took everything will not report that it is empty again.
    if (left === 0 && this.#lane.ready) this.#schedule();
    this.#lane.notify();
  }

  /** Says which step the next frame belongs to: for one that is written later than its effect was performed. */
  writeStamp(step: ReturnType<Stamp>): void {
    if (this.stamp === undefined || this.#state === 'closed') return;
    if (step?.actor === undefined || step.clock > 0xffff_ffff) return;
    const actor = utf8Encoder.encode(step.actor);
    if (actor.length <= limits.maxActorLength)
      this.#writeFrame(FrameType.INSPECT, Flag.STAMP, 0, step.clock, actor, 0, actor.length);
  }

  /** Drops what waits; later writes are dropped silently. */
  close(): void {
    this.#state = 'closed';
    this.#lane.clear();
    this.#page.clear();
  }

  /** A frame is in the page: it leaves with the turn, or now, when the peer can be at work on it while we go on. */
  #written(): void {
    if (this.#page.pendingBytes >= limits.ampleMessageBytes) this.#send();
    this.#schedule();
  }

  /** Sends the page; answers what the socket has not taken yet. */
  #send(): number {
    this.#page.send();
    const { bufferedBytes } = this.#port;
    this.#socket = bufferedBytes < limits.bulkWatermarkBytes ? 'open' : 'full';
    return bufferedBytes;
  }

  #schedule(): void {
    if (this.#state !== 'idle') return;
    this.#state = 'scheduled';
    this.#port.endOfTurn(this.#onEndOfTurn);
  }

  #writeFrame(
    type: number,
    flags: number,
    peer: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const length = end - start;
    this.#page.header(type, flags, peer, id, length);
    this.#page.copy(bytes, start, end);
    this.#written();
  }

  /** Writes a value into one frame of the page; false, with nothing written, when it does not fit into one. */
  #writeValue(
    type: number,
    flags: number,
    peer: number,
    id: number,
    prefix: CallPrefix | undefined,
    encoded: Encoded,
  ): boolean {
    const page = this.#page;
    const valueBytes = typeof encoded === 'string' ? encoded.length : encodedBytes(encoded);
    // Text has at least one byte a character: more than this it may be, less it cannot be.
    const least = valueBytes + (prefix === undefined ? 0 : CALL_PREFIX_BYTES + prefix.route.length);
    if (least > limits.maxChunkBytes) return false;
    const mark = page.mark;
    page.header(type, flags, peer, id, least);
    if (prefix !== undefined) this.#writePrefix(prefix, mark);
    if (typeof encoded === 'string') page.text(encoded);
    else for (const part of encoded) page.copy(part, 0, part.length);
    if (page.mark - mark !== HEADER_BYTES + least && page.setLength(mark) > limits.maxChunkBytes) {
      page.undo(mark);
      return false;
    }
    this.#written();
    return true;
  }

  #writePrefix(prefix: CallPrefix, mark: number): void {
    const deadlineMs = clampDeadline(prefix.deadlineMs);
    if (prefix.route === '') {
      this.#page.callPrefix(prefix.fn, 0, deadlineMs);
      return;
    }
    const routeBytes = textBytes(prefix.route);
    if (routeBytes > limits.maxRouteBytes) {
      this.#page.undo(mark);
      throw tooLongRoute(routeBytes);
    }
    this.#page.callPrefix(prefix.fn, routeBytes, deadlineMs);
    this.#page.text(prefix.route);
  }

  #queueValue(
    flow: Flow,
    type: number,
    flags: number,
    prefix: CallPrefix | undefined,
    encoded: Encoded,
  ): void {
    const parts = typeof encoded === 'string' ? [utf8Encoder.encode(encoded)] : encoded;
    const bytes = encodedBytes(parts);
    if (bytes > limits.maxValueBytes) throw tooLongValue(bytes);
    const before = prefix === undefined ? EMPTY : prefixOf(prefix, prefix.route);
    const form = before.length + bytes > limits.maxChunkBytes ? 'chunks' : 'frame';
    this.#queue(flow, makePiece(type, flags, before, parts, bytes, form, 'credit'));
  }

  #queueFrame(
    flow: Flow,
    type: number,
    flags: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    prefix: CallPrefix | undefined,
  ): void {
    const isSmallShare = (end - start) * MIN_ALIASED_SHARE < bytes.buffer.byteLength;
    const payload = isSmallShare ? copyBytes(bytes, start, end) : bytes.subarray(start, end);
    const before = prefix === undefined ? EMPTY : prefixOf(prefix, '');
    this.#queue(flow, makePiece(type, flags, before, [payload], payload.length, 'frame', 'nothing'));
  }

  #queue(flow: Flow, piece: ReturnType<typeof makePiece>): void {
    this.#lane.push(flow, piece);
    this.#schedule();
    if (this.#lane.ownBytes > limits.maxOwnWaitingBytes) this.#report(this.#lane.ownBytes);
    this.#checkOverflow(this.#lane.passedBytes);
  }

  /** Own values are not counted here: they wait for credit also when the reader is quick. */
  #checkOverflow(waitingBytes: number): void {
    if (waitingBytes > limits.maxOutboxBytes) this.#report(waitingBytes);
  }

  #report(waitingBytes: number): void {
    if (this.#overflow === 'reported') return;
    this.#overflow = 'reported';
    this.#options.onOverflow(waitingBytes);
  }
}
