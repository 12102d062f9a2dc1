// A socket that tests hold in their hands: what was sent, what is buffered, when the turn ends.
// Invariant: nothing happens by itself; every step is a call.
import { Outbox, type OutboxPort } from '../../../src/protocol/outbox.ts';
import { readFrames } from '../../../src/protocol/read.ts';

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly peer: number;
  readonly id: number;
  readonly payload: Uint8Array;
}

export class Wire implements OutboxPort {
  readonly messages: Uint8Array[] = [];
  /** What a slow socket has not taken yet. */
  bufferedBytes = 0;
  /** `instant`: the kernel takes all at once. `stuck`: nothing leaves until `drain`. */
  kernel: 'instant' | 'stuck' = 'instant';
  /** What it says of the bytes it got: kept bytes stay in `messages` as they are, of others a copy. */
  memory: 'taken' | 'kept' = 'kept';
  readonly #turn: (() => void)[] = [];

  send(bytes: Uint8Array): 'taken' | 'kept' {
    this.messages.push(this.memory === 'kept' ? bytes : Uint8Array.from(bytes));
    if (this.kernel === 'stuck') this.bufferedBytes += bytes.length;
    return this.memory;
  }

  endOfTurn(fn: () => void): void {
    this.#turn.push(fn);
  }

  get scheduled(): number {
    return this.#turn.length;
  }

  /** Ends one turn. */
  turn(): void {
    for (const fn of this.#turn.splice(0)) fn();
  }

  /** Ends turns until nothing is scheduled. */
  settle(): void {
    while (this.#turn.length > 0) this.turn();
  }

  /** Frames of all messages since the last time. */
  take(): Frame[] {
    return this.messages.splice(0).flatMap(framesOf);
  }
}

export function makeOutbox(): { wire: Wire; outbox: Outbox; overflows: number[] } {
  const wire = new Wire();
  const overflows: number[] = [];
  const outbox = new Outbox(wire, { onOverflow: (waitingBytes) => overflows.push(waitingBytes) });
  return { wire, outbox, overflows };
}

export function framesOf(message: Uint8Array): Frame[] {
  const frames: Frame[] = [];
  readFrames(message, {
    frame: (type, flags, peer, id, bytes, start, end) => {
      frames.push({ type, flags, peer, id, payload: Uint8Array.from(bytes.subarray(start, end)) });
    },
  });
  return frames;
}

/** A frame's bytes, written without the codec. */
export function frameBytes({ type, flags, peer, id, payload }: Frame, length = payload.length): Uint8Array {
  const bytes = new Uint8Array(12 + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, type);
  view.setUint8(1, flags);
  view.setUint16(2, peer, true);
  view.setUint32(4, id, true);
  view.setUint32(8, length, true);
  bytes.set(payload, 12);
  return bytes;
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
