// Arguments that arrive at a node in chunks.
// Invariant: a value whose parts do not add up costs its own call, never the link: the hub passed it on unread.
import { Assembler } from '../protocol/assembler.ts';
import { ProtocolViolation } from '../protocol/errors.ts';
import { CALL_PREFIX_BYTES, CloseCode, Flag, FrameType } from '../protocol/frames.ts';
import { limits } from '../protocol/limits.ts';
import { writeCredit } from '../protocol/lists.ts';
import type { Outbox } from '../protocol/outbox.ts';
import { readU16, readU32 } from '../protocol/read.ts';
import type { Customer } from './execution.ts';

/** A CALL without its arguments. */
export interface Header {
  readonly client: Customer;
  readonly attempt: number;
  readonly fn: number;
  readonly flags: number;
  readonly deadlineAt: number;
  /** Where the arguments begin. */
  readonly valueAt: number;
}

/** @throws ProtocolViolation when the CALL is too short */
export function readHeader(
  client: Customer,
  flags: number,
  attempt: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  now: number,
  mostMs: number,
): Header {
  if (end - start < CALL_PREFIX_BYTES) {
    const message = `CALL has ${end - start} bytes, fewer than ${CALL_PREFIX_BYTES}`;
    throw new ProtocolViolation(CloseCode.MALFORMED, message);
  }
  return {
    client,
    attempt,
    fn: readU16(bytes, start),
    flags,
    deadlineAt: now + Math.min(readU32(bytes, start + 4), mostMs),
    valueAt: start + CALL_PREFIX_BYTES + readU16(bytes, start + 2),
  };
}

export interface UploadsOptions {
  accept(header: Header, bytes: Uint8Array): void;
  refuse(header: Header, reason: string): void;
}

export class Uploads {
  readonly #options: UploadsOptions;
  readonly #assembler = new Assembler(limits);
  readonly #headers = new Map<Customer, Map<number, Header>>();

  constructor(options: UploadsOptions) {
    this.#options = options;
  }

  begin(header: Header, outbox: Outbox | undefined, bytes: Uint8Array, start: number, end: number): void {
    const { client, attempt } = header;
    let headers = this.#headers.get(client);
    if (headers === undefined) this.#headers.set(client, (headers = new Map()));
    headers.set(attempt, header);
    this.#guard(header, () => {
      this.#assembler.begin(client.number, attempt, bytes, start, end);
      this.#credit(header, outbox);
    });
  }

  chunk(
    client: Customer,
    attempt: number,
    flags: number,
    outbox: Outbox | undefined,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const header = this.#headers.get(client)?.get(attempt);
    // Cancelled or refused meanwhile: the rest may still be under way.
    if (header === undefined) return;
    const more = (flags & Flag.MORE) !== 0;
    this.#guard(header, () => {
      const whole = this.#assembler.append(client.number, attempt, bytes, start, end, more);
      if (whole === undefined) return this.#credit(header, outbox);
      this.#headers.get(client)?.delete(attempt);
      this.#options.accept(header, whole);
    });
  }

  drop(client: Customer, attempt: number): void {
    this.#assembler.drop(client.number, attempt);
    this.#headers.get(client)?.delete(attempt);
  }

  clear(): void {
    for (const [client, headers] of this.#headers)
      for (const attempt of [...headers.keys()]) this.drop(client, attempt);
    this.#headers.clear();
  }

  #guard(header: Header, step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      this.drop(header.client, header.attempt);
      this.#options.refuse(header, error.message);
    }
  }

  #credit({ client, attempt }: Header, outbox: Outbox | undefined): void {
    const due = this.#assembler.creditDue(client.number, attempt);
    if (due > 0) outbox?.frame(FrameType.CREDIT, 0, client.number, attempt, writeCredit(due));
  }
}
