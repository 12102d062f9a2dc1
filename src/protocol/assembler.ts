// Puts values together again that came in chunks.
// Invariant: what is reserved never exceeds `maxAssemblyBytes`, and a value is handed over only when it is whole.
import { ProtocolViolation } from './errors.ts';
import { keyOf } from './flow.ts';
import { CloseCode } from './frames.ts';
import { limits } from './limits.ts';
import { readU32 } from './read.ts';

interface Assembly {
  /** Exactly as long as the sender announced; begins at an aligned place, so that typed arrays can lie in it. */
  readonly value: Uint8Array;
  receivedBytes: number;
  /** Value bytes of frames (the announcement counts too) for which no credit was given yet. */
  uncreditedBytes: number;
}

export interface AssemblerLimits {
  readonly maxValueBytes: number;
  readonly maxAssemblyBytes: number;
}

/** `u32 total`, in front of the first piece of a value. */
const TOTAL_BYTES = 4;
const CREDIT_STEP_BYTES = limits.creditWindowBytes / 4;

export class Assembler {
  readonly #limits: AssemblerLimits;
  readonly #assemblies = new Map<number, Assembly>();
  #heldBytes = 0;
  #lastUncreditedBytes = 0;

  constructor(assemblerLimits: AssemblerLimits) {
    this.#limits = assemblerLimits;
  }

  /** Bytes reserved for values that are not whole yet. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Of the value that `append` returned last: the bytes for which `creditDue` has not answered. The consumer of a stream's item owes them. */
  get lastUncreditedBytes(): number {
    return this.#lastUncreditedBytes;
  }

  /**
   * The value part of a first frame with MORE. A value that this call had begun is forgotten: a sender that resumes begins again.
   * @throws ProtocolViolation LIMIT_EXCEEDED or MALFORMED.
   */
  begin(peer: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    this.drop(peer, id);
    if (end - start < TOTAL_BYTES) {
      throw new ProtocolViolation(
        CloseCode.MALFORMED,
        'the first part of a value without the length of the whole',
      );
    }
    const totalBytes = readU32(bytes, start);
    if (totalBytes > this.#limits.maxValueBytes) {
      throw new ProtocolViolation(
        CloseCode.LIMIT_EXCEEDED,
        `a value of ${totalBytes} bytes; at most ${this.#limits.maxValueBytes} are allowed`,
      );
    }
    if (this.#heldBytes + totalBytes > this.#limits.maxAssemblyBytes) {
      throw new ProtocolViolation(
        CloseCode.LIMIT_EXCEEDED,
        `values of ${this.#heldBytes + totalBytes} bytes at once; at most ${this.#limits.maxAssemblyBytes} are allowed`,
      );
    }
    const received = end - start - TOTAL_BYTES;
    if (received >= totalBytes) throw wrongLength(received, totalBytes);
    const value = new Uint8Array(totalBytes);
    value.set(bytes.subarray(start + TOTAL_BYTES, end));
    this.#heldBytes += totalBytes;
    this.#assemblies.set(keyOf(peer, id), { value, receivedBytes: received, uncreditedBytes: end - start });
  }

  /**
   * A CHUNK's payload. Returns the whole value with the last one.
   * @throws ProtocolViolation OUT_OF_ORDER when none was begun; MALFORMED when the parts do not add up to the length announced.
   */
  append(
    peer: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    more: boolean,
  ): Uint8Array | undefined {
    const key = keyOf(peer, id);
    const assembly = this.#assemblies.get(key);
    if (assembly === undefined) {
      throw new ProtocolViolation(CloseCode.OUT_OF_ORDER, `a CHUNK of call ${id} that continues nothing`);
    }
    const { value } = assembly;
    const received = assembly.receivedBytes + end - start;
    // A chunk that brings nothing could be sent for ever.
    const isWrong = more ? received >= value.length || end === start : received !== value.length;
    if (isWrong) {
      this.drop(peer, id);
      throw wrongLength(received, value.length);
    }
    value.set(bytes.subarray(start, end), assembly.receivedBytes);
    assembly.receivedBytes = received;
    assembly.uncreditedBytes += end - start;
    if (more) return undefined;
    this.#lastUncreditedBytes = assembly.uncreditedBytes;
    this.#heldBytes -= value.length;
    this.#assemblies.delete(key);
    return value;
  }

  has(peer: number, id: number): boolean {
    return this.#assemblies.has(keyOf(peer, id));
  }

  /** Forgets what came of this call's value. */
  drop(peer: number, id: number): void {
    const key = keyOf(peer, id);
    const assembly = this.#assemblies.get(key);
    if (assembly === undefined) return;
    this.#heldBytes -= assembly.value.length;
    this.#assemblies.delete(key);
  }

  /** Bytes received since it last answered more than 0, once they are a quarter of the credit window; else 0. Send them as CREDIT. */
  creditDue(peer: number, id: number): number {
    const assembly = this.#assemblies.get(keyOf(peer, id));
    if (assembly === undefined || assembly.uncreditedBytes < CREDIT_STEP_BYTES) return 0;
    const due = assembly.uncreditedBytes;
    assembly.uncreditedBytes = 0;
    return due;
  }
}

function wrongLength(received: number, totalBytes: number): ProtocolViolation {
  return new ProtocolViolation(
    CloseCode.MALFORMED,
    `the parts of a value bring ${received} bytes where ${totalBytes} were announced`,
  );
}
