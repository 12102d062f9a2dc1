// Results and stream items on their way in: put together from chunks, and decoded.
// Invariant: a value that is broken costs its own call, never the link: the hub passed it on unread.
import { Assembler } from '../protocol/assembler.ts';
import { HoldfastError, ProtocolViolation } from '../protocol/errors.ts';
import { Flag } from '../protocol/frames.ts';
import { limits } from '../protocol/limits.ts';
import { decodeValue } from '../protocol/values.ts';
import type { Call } from './pending.ts';

export interface ArrivalsOptions {
  /** The node may send so many bytes more of this attempt. */
  credit(peer: number, attempt: number, bytes: number): void;
  /** A whole value; `creditBytes` is what its consumer owes for it. */
  arrived(call: Call, type: number, flags: number, value: unknown, creditBytes: number): void;
  broken(call: Call, error: unknown): void;
}

export class Arrivals {
  readonly #options: ArrivalsOptions;
  readonly #assembler = new Assembler(limits);

  constructor(options: ArrivalsOptions) {
    this.#options = options;
  }

  /** RESULT or ITEM. */
  value(
    call: Call,
    type: number,
    flags: number,
    peer: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    if ((flags & Flag.MORE) === 0) return this.#decode(call, type, flags, bytes, start, end, end - start);
    call.assembling = { type, flags };
    this.#guard(call, () => {
      this.#assembler.begin(peer, call.attempt, bytes, start, end);
      this.#options.credit(peer, call.attempt, this.#assembler.creditDue(peer, call.attempt));
    });
  }

  /** CHUNK of a value that was begun. */
  chunk(call: Call, flags: number, peer: number, bytes: Uint8Array, start: number, end: number): void {
    const { assembling, attempt } = call;
    if (assembling === undefined) return;
    this.#guard(call, () => {
      const whole = this.#assembler.append(peer, attempt, bytes, start, end, (flags & Flag.MORE) !== 0);
      if (whole === undefined)
        return this.#options.credit(peer, attempt, this.#assembler.creditDue(peer, attempt));
      call.assembling = undefined;
      const creditBytes = this.#assembler.lastUncreditedBytes;
      this.#decode(call, assembling.type, assembling.flags, whole, 0, whole.length, creditBytes);
    });
  }

  /** The rest of what was begun will not come. */
  forget(call: Call): void {
    if (call.assembling === undefined) return;
    this.#assembler.drop(call.node?.number ?? 0, call.attempt);
    call.assembling = undefined;
  }

  #decode(
    call: Call,
    type: number,
    flags: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    creditBytes: number,
  ): void {
    let value: unknown;
    try {
      value = decodeValue(bytes, start, end, (flags & Flag.MSGPACK) !== 0);
    } catch (error) {
      return this.#options.broken(call, error);
    }
    this.#options.arrived(call, type, flags, value, creditBytes);
  }

  #guard(call: Call, step: () => void): void {
    try {
      step();
    } catch (cause) {
      if (!(cause instanceof ProtocolViolation)) throw cause;
      const message = `call c${call.attempt} of ${call.name} got a broken value: ${cause.message}`;
      const options = { code: 'protocol_violation', blame: 'remote', cause } as const;
      this.#options.broken(call, new HoldfastError(message, options));
    }
  }
}
