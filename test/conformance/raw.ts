// A peer that speaks bytes: writes any frame, reads all frames, and tells how its connection ended.
// Invariant: it knows headers only, so that a test may say what no role of ours would.
import { WebSocket } from 'ws';
import type { ClientOptions } from 'ws';

import { CloseCode, FrameType, HEADER_BYTES } from '../../src/protocol/frames.ts';
import { SUBPROTOCOL } from '../../src/protocol/limits.ts';
import { readFrames } from '../../src/protocol/read.ts';

/** How long a test waits for what must come. */
const PATIENCE_MS = 10_000;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly peer: number;
  readonly id: number;
  readonly payload: Uint8Array;
}

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

type Payload = string | Uint8Array | object;

export interface Header {
  readonly flags?: number;
  readonly peer?: number;
  readonly id?: number;
  /** What the header says, when it lies. */
  readonly length?: number;
}

/** One frame. Text travels as UTF-8, any other object as JSON. */
export function frame(type: number, payload: Payload = '', header: Header = {}): Uint8Array<ArrayBuffer> {
  const body =
    payload instanceof Uint8Array
      ? payload
      : new TextEncoder().encode(typeof payload === 'string' ? payload : JSON.stringify(payload));
  const bytes = new Uint8Array(HEADER_BYTES + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, type);
  view.setUint8(1, header.flags ?? 0);
  view.setUint16(2, header.peer ?? 0, true);
  view.setUint32(4, header.id ?? 0, true);
  view.setUint32(8, header.length ?? body.length, true);
  bytes.set(body, HEADER_BYTES);
  return bytes;
}

export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function u32s(...numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(numbers.length * 4);
  const view = new DataView(bytes.buffer);
  numbers.forEach((number, index) => view.setUint32(index * 4, number, true));
  return bytes;
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

export function jsonOf<T = Record<string, unknown>>({ payload }: Frame): T {
  return JSON.parse(textOf(payload)) as T;
}

/** `ASSIGNED`, `0x77`. */
export function nameOf(type: number): string {
  const found = Object.entries(FrameType).find(([, value]) => value === type);
  return found?.[0] ?? `0x${type.toString(16)}`;
}

interface Waiter {
  readonly wants: (frame: Frame) => boolean;
  readonly resolve: (frame: Frame) => void;
  readonly reject: (error: Error) => void;
}

export class RawPeer {
  readonly ws: WebSocket;
  /** Frames that no test took yet. */
  readonly inbox: Frame[] = [];
  /** Frames of each message, as they came. */
  readonly messages: Frame[][] = [];
  readonly closed: Promise<Closed>;
  #end: Closed | undefined;
  #waiters: Waiter[] = [];
  #barriers = 0xf000_0000;

  constructor(ws: WebSocket) {
    this.ws = ws;
    ws.binaryType = 'nodebuffer';
    ws.on('error', () => {}); // `close` follows
    ws.on('message', (data) => this.#message(data as Buffer));
    this.closed = new Promise((resolve) => {
      ws.once('close', (code, reason) => {
        this.#end = { code, reason: reason.toString() };
        for (const { reject } of this.#waiters.splice(0)) reject(this.#gone());
        resolve(this.#end);
      });
    });
  }

  /** Dials, and waits until the WebSocket is open. */
  static async dial(url: string, options: ClientOptions = {}): Promise<RawPeer> {
    const ws = new WebSocket(url, SUBPROTOCOL, { perMessageDeflate: false, ...options });
    const peer = new RawPeer(ws);
    await new Promise<void>((resolve, reject) => {
      ws.once('open', resolve);
      ws.once('error', reject);
    });
    return peer;
  }

  /** All in one message. */
  send(...frames: readonly Uint8Array[]): void {
    this.ws.send(concat(frames));
  }

  json(type: number, message: object, header: Header = {}): void {
    this.send(frame(type, message, header));
  }

  /** The first frame of this type that no test took yet, whether it came already or comes. */
  take(type: number, suits: (frame: Frame) => boolean = () => true): Promise<Frame> {
    return this.takeAny([type], suits);
  }

  /** As `take`, of whichever of these types comes first. */
  takeAny(types: readonly number[], suits: (frame: Frame) => boolean = () => true): Promise<Frame> {
    const wants = (it: Frame): boolean => types.includes(it.type) && suits(it);
    const at = this.inbox.findIndex(wants);
    const [found] = at < 0 ? [] : this.inbox.splice(at, 1);
    if (found !== undefined) return Promise.resolve(found);
    if (this.#end !== undefined) return Promise.reject(this.#gone());
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(
          new Error(
            `no ${types.map(nameOf).join(' or ')} came; there are ${this.inbox.map((it) => nameOf(it.type)).join(', ')}`,
          ),
        );
      }, PATIENCE_MS);
      const waiter: Waiter = {
        wants,
        resolve: (it) => {
          clearTimeout(timer);
          resolve(it);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      this.#waiters.push(waiter);
    });
  }

  /** Frames of this type that came and that no test took. */
  seen(type: number): Frame[] {
    return this.inbox.filter((it) => it.type === type);
  }

  /** Resolves when the hub has handled all that was sent before, and all that it wrote before has come. */
  async barrier(): Promise<void> {
    this.#barriers += 1;
    const id = this.#barriers;
    this.send(frame(FrameType.PING, '', { id }));
    await this.take(FrameType.PONG, (pong) => pong.id === id);
  }

  /** Ends the connection without a word. */
  vanish(): void {
    this.ws.terminate();
  }

  async close(): Promise<Closed> {
    this.ws.close(CloseCode.NORMAL);
    return this.closed;
  }

  #message(data: Buffer): void {
    const frames: Frame[] = [];
    readFrames(data, {
      frame: (type, flags, peer, id, bytes, start, end) => {
        frames.push({ type, flags, peer, id, payload: Uint8Array.from(bytes.subarray(start, end)) });
      },
    });
    this.messages.push(frames);
    for (const it of frames) {
      const at = this.#waiters.findIndex(({ wants }) => wants(it));
      const [waiter] = at < 0 ? [] : this.#waiters.splice(at, 1);
      if (waiter === undefined) this.inbox.push(it);
      else waiter.resolve(it);
    }
  }

  #gone(): Error {
    return new Error(`the connection ended with ${this.#end?.code} ${this.#end?.reason}`);
  }
}
