// What waits for one peer behind credit and backpressure: one flow a call, served round robin.
// Invariant: the frames of one call leave in the order in which they were written, and never beyond its credit.
import { FrameType, Flag, HEADER_BYTES } from './frames.ts';
import { limits } from './limits.ts';
import type { Page } from './page.ts';

/** One value or one frame that waits. */
export interface Piece {
  readonly type: number;
  readonly flags: number;
  /** Goes before the value (a CALL's function, deadline and route) and costs no credit. */
  readonly prefix: Uint8Array;
  readonly parts: readonly Uint8Array[];
  /** `frame`: leaves as it is. `chunks`: a value for more than one frame. */
  readonly form: 'frame' | 'chunks';
  /** Own values cost credit; what a hub passes on was counted by whoever sent it. */
  readonly cost: 'credit' | 'nothing';
  readonly totalBytes: number;
  leftBytes: number;
  /** The part, and the place in it, that leaves next. */
  part: number;
  offset: number;
  next: Piece | undefined;
}

export interface Flow {
  readonly peer: number;
  readonly id: number;
  /** Set for a flow that was opened; one without it ends when it is empty. */
  onRoom: (() => void) | undefined;
  creditBytes: number;
  waitingBytes: number;
  /** `ready`: in the ring. `blocked`: waits for credit. `empty`: nothing waits. `ended`: forgotten. */
  state: 'empty' | 'ready' | 'blocked' | 'ended';
  progress: 'untouched' | 'started';
  first: Piece | undefined;
  last: Piece | undefined;
  /** Its follower in the ring. */
  next: Flow | undefined;
}

const TOTAL_BYTES = 4;

export function makePiece(
  type: number,
  flags: number,
  prefix: Uint8Array,
  parts: readonly Uint8Array[],
  totalBytes: number,
  form: Piece['form'],
  cost: Piece['cost'],
): Piece {
  return {
    type,
    flags,
    prefix,
    parts,
    form,
    cost,
    totalBytes,
    leftBytes: totalBytes,
    part: 0,
    offset: 0,
    next: undefined,
  };
}

/** For the headers of one flush: a guess, the page grows beyond it. */
const RESERVED_HEADERS = 16 * HEADER_BYTES;
const RESERVED_FLOWS = 8;

/** Buckets of a count by key: most frames belong to calls without a flow, and learn so without the map. */
const BUCKETS = 256;

export class BulkLane {
  #counts: Uint32Array | undefined;
  #flows: Map<number, Flow> | undefined;
  /** Ring of the flows that may send: taken at the head, put back at the tail. */
  #head: Flow | undefined;
  #tail: Flow | undefined;
  #emptied: Flow[] = [];
  /** Bytes of own values, and of frames passed on, that wait. */
  ownBytes = 0;
  passedBytes = 0;

  /** Whether any flow exists. */
  get size(): number {
    return this.#flows?.size ?? 0;
  }

  /** Whether anything may be sent as soon as the socket has room. */
  get ready(): boolean {
    return this.#head !== undefined;
  }

  find(peer: number, id: number): Flow | undefined {
    if (this.#counts === undefined || this.#counts[bucketOf(peer, id)] === 0) return undefined;
    return this.#flows?.get(keyOf(peer, id));
  }

  /** The flow of this call; made when there is none. */
  open(peer: number, id: number, onRoom?: () => void): Flow {
    const key = keyOf(peer, id);
    this.#flows ??= new Map();
    const existing = this.#flows.get(key);
    if (existing !== undefined) {
      existing.onRoom ??= onRoom;
      return existing;
    }
    const flow: Flow = {
      peer,
      id,
      onRoom,
      creditBytes: limits.creditWindowBytes,
      waitingBytes: 0,
      state: 'empty',
      progress: 'untouched',
      first: undefined,
      last: undefined,
      next: undefined,
    };
    this.#flows.set(key, flow);
    this.#counts ??= new Uint32Array(BUCKETS);
    const bucket = bucketOf(peer, id);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    return flow;
  }

  push(flow: Flow, piece: Piece): void {
    const size = piece.prefix.length + piece.totalBytes;
    flow.waitingBytes += size;
    if (piece.cost === 'credit') this.ownBytes += size;
    else this.passedBytes += size;
    if (flow.last === undefined) flow.first = piece;
    else flow.last.next = piece;
    flow.last = piece;
    if (flow.state === 'empty') this.#enqueue(flow, piece);
  }

  /** Returns whether the flow may send again. */
  credit(peer: number, id: number, bytes: number): boolean {
    const flow = this.find(peer, id);
    if (flow === undefined) return false;
    // Credit for what an earlier link carried may come late: never more than one window is under way.
    flow.creditBytes = Math.min(limits.creditWindowBytes, flow.creditBytes + bytes);
    if (flow.state !== 'blocked' || flow.first === undefined) return false;
    this.#enqueue(flow, flow.first);
    return flow.state !== 'blocked';
  }

  /** Forgets a flow and what waits in it. Returns whether it existed and nothing of it had left. */
  drop(peer: number, id: number): boolean {
    const key = keyOf(peer, id);
    const flow = this.#flows?.get(key);
    if (flow === undefined) return false;
    this.#end(key, flow);
    return flow.progress === 'untouched';
  }

  /** A call's last frame was written: its flow has served. */
  finish(flow: Flow): void {
    this.#end(keyOf(flow.peer, flow.id), flow);
  }

  /** Writes frames into the page, one of each flow in turn, until so many bytes are exceeded or nothing may be sent. */
  pump(page: Page, roomBytes: number): void {
    let room = roomBytes;
    if (room > 0) page.reserve(Math.min(room + limits.maxChunkBytes, this.#readyBytes()) + RESERVED_HEADERS);
    while (room > 0) {
      const flow = this.#head;
      if (flow === undefined) return;
      this.#head = flow.next;
      if (this.#head === undefined) this.#tail = undefined;
      flow.next = undefined;
      const piece = flow.first;
      if (flow.state !== 'ready' || piece === undefined) continue;
      const before = page.pendingBytes;
      this.#write(flow, piece, page);
      room -= Math.max(page.pendingBytes - before, 1);
      this.#advance(flow, piece);
    }
  }

  /** Calls `onRoom` of the flows that emptied since the last time. */
  notify(): void {
    if (this.#emptied.length === 0) return;
    const emptied = this.#emptied;
    this.#emptied = [];
    for (const flow of emptied) flow.onRoom?.();
  }

  clear(): void {
    for (const flow of this.#flows?.values() ?? []) flow.state = 'ended';
    this.#flows = undefined;
    this.#counts = undefined;
    this.#head = undefined;
    this.#tail = undefined;
    this.#emptied = [];
    this.ownBytes = 0;
    this.passedBytes = 0;
  }

  /** What the flows in front may send, roughly: a measure for memory. */
  #readyBytes(): number {
    let bytes = 0;
    let flow = this.#head;
    for (let count = 0; flow !== undefined && count < RESERVED_FLOWS; count += 1) {
      bytes += Math.min(flow.waitingBytes, flow.creditBytes);
      flow = flow.next;
    }
    return bytes;
  }

  #enqueue(flow: Flow, piece: Piece): void {
    if (piece.cost === 'credit' && nextCost(piece) > flow.creditBytes) {
      flow.state = 'blocked';
      return;
    }
    flow.state = 'ready';
    if (this.#tail === undefined) this.#head = flow;
    else this.#tail.next = flow;
    this.#tail = flow;
  }

  /** One frame of the piece. */
  #write(flow: Flow, piece: Piece, page: Page): void {
    flow.progress = 'started';
    const prefixBytes = piece.prefix.length;
    const bytes = nextBytes(piece);
    if (piece.cost === 'credit') flow.creditBytes -= nextCost(piece);
    const isFirst = piece.leftBytes === piece.totalBytes;
    const isChunked = piece.form === 'chunks';
    const left = piece.leftBytes - bytes;
    const before = isFirst ? prefixBytes + (isChunked ? TOTAL_BYTES : 0) : 0;
    const more = isChunked && left > 0 ? Flag.MORE : 0;
    page.header(
      isFirst ? piece.type : FrameType.CHUNK,
      isFirst ? piece.flags | more : more,
      flow.peer,
      flow.id,
      before + bytes,
    );
    if (isFirst) {
      if (prefixBytes > 0) page.copy(piece.prefix, 0, prefixBytes);
      if (isChunked) page.u32(piece.totalBytes);
    }
    copyParts(piece, bytes, page);
    const gone = bytes + (isFirst ? prefixBytes : 0);
    flow.waitingBytes -= gone;
    if (piece.cost === 'credit') this.ownBytes -= gone;
    else this.passedBytes -= gone;
  }

  /** After a frame of its first piece: where the flow goes on. */
  #advance(flow: Flow, piece: Piece): void {
    if (piece.leftBytes === 0) {
      flow.first = piece.next;
      if (flow.first === undefined) flow.last = undefined;
    }
    const next = flow.first;
    if (next !== undefined) {
      this.#enqueue(flow, next);
      return;
    }
    flow.state = 'empty';
    if (flow.onRoom !== undefined) this.#emptied.push(flow);
    if (flow.onRoom === undefined || (piece.leftBytes === 0 && endsCall(piece.type))) this.finish(flow);
  }

  #end(key: number, flow: Flow): void {
    for (let piece = flow.first; piece !== undefined; piece = piece.next) {
      const size = piece.leftBytes + (piece.leftBytes === piece.totalBytes ? piece.prefix.length : 0);
      if (piece.cost === 'credit') this.ownBytes -= size;
      else this.passedBytes -= size;
    }
    flow.first = undefined;
    flow.last = undefined;
    flow.waitingBytes = 0;
    // Still in the ring, perhaps: the pump skips it there.
    flow.state = 'ended';
    if (this.#flows?.get(key) !== flow || this.#counts === undefined) return;
    this.#flows.delete(key);
    const bucket = bucketOf(flow.peer, flow.id);
    this.#counts[bucket] = (this.#counts[bucket] ?? 1) - 1;
  }
}

/** Nothing of a call, in this direction, follows its RESULT or FAILURE. */
export function endsCall(type: number): boolean {
  return type === FrameType.RESULT || type === FrameType.FAILURE;
}

/** 16 bits of peer and 32 of id: a safe integer. */
export function keyOf(peer: number, id: number): number {
  return peer * 0x1_0000_0000 + id;
}

function bucketOf(peer: number, id: number): number {
  return (id ^ (peer * 31)) & (BUCKETS - 1);
}

/** Value bytes in the next frame of the piece. */
function nextBytes(piece: Piece): number {
  if (piece.form === 'frame') return piece.leftBytes;
  const isFirst = piece.leftBytes === piece.totalBytes;
  const space = limits.maxChunkBytes - (isFirst ? piece.prefix.length + TOTAL_BYTES : 0);
  return Math.min(space, piece.leftBytes);
}

/** Credit that the next frame takes: its payload without a CALL's prefix. */
function nextCost(piece: Piece): number {
  const isFirst = piece.leftBytes === piece.totalBytes;
  return nextBytes(piece) + (piece.form === 'chunks' && isFirst ? TOTAL_BYTES : 0);
}

function copyParts(piece: Piece, count: number, page: Page): void {
  let wanted = count;
  while (wanted > 0) {
    const part = piece.parts[piece.part];
    if (part === undefined) break;
    const taken = Math.min(wanted, part.length - piece.offset);
    page.copy(part, piece.offset, piece.offset + taken);
    piece.offset += taken;
    wanted -= taken;
    if (piece.offset === part.length) {
      piece.part += 1;
      piece.offset = 0;
    }
  }
  piece.leftBytes -= count;
}
