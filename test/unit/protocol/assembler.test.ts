// The assembler: whole values or violations, within what may be held.
import { describe, expect, it } from 'vitest';
import { Assembler } from '../../../src/protocol/assembler.ts';
import { ProtocolViolation } from '../../../src/protocol/errors.ts';
import { CloseCode } from '../../../src/protocol/frames.ts';
import { limits } from '../../../src/protocol/limits.ts';

const small = { maxValueBytes: 100, maxAssemblyBytes: 150 };

/** A first part: `u32 total`, then so many bytes. */
function first(totalBytes: number, bytes = 0): Uint8Array {
  const part = new Uint8Array(4 + bytes).fill(1);
  new DataView(part.buffer).setUint32(0, totalBytes, true);
  return part;
}

function begin(assembler: Assembler, id: number, part: Uint8Array): void {
  assembler.begin(1, id, part, 0, part.length);
}

function append(assembler: Assembler, id: number, bytes: number, more: boolean): Uint8Array | undefined {
  return assembler.append(1, id, new Uint8Array(bytes).fill(2), 0, bytes, more);
}

function codeOf(act: () => unknown): number {
  try {
    act();
  } catch (error) {
    if (error instanceof ProtocolViolation) return error.closeCode;
    throw error;
  }
  return 0;
}

describe('an assembler', () => {
  it('hands a value over when its last part has come', () => {
    const assembler = new Assembler(small);
    begin(assembler, 1, first(6, 2));
    expect(append(assembler, 1, 2, true)).toBe(undefined);
    expect([assembler.has(1, 1), assembler.heldBytes]).toEqual([true, 6]);
    expect(append(assembler, 1, 2, false)).toEqual(Uint8Array.from([1, 1, 2, 2, 2, 2]));
    expect([assembler.has(1, 1), assembler.heldBytes]).toEqual([false, 0]);
  });

  it('keeps the values of several calls and peers apart', () => {
    const assembler = new Assembler(small);
    begin(assembler, 1, first(3, 1));
    assembler.begin(2, 1, first(2, 1), 0, 5);
    expect(append(assembler, 1, 2, false)).toHaveLength(3);
    expect(assembler.append(2, 1, new Uint8Array(1), 0, 1, false)).toHaveLength(2);
  });

  it('takes a value of the greatest size, and none that is larger', () => {
    const assembler = new Assembler(small);
    expect(codeOf(() => begin(assembler, 1, first(101)))).toBe(CloseCode.LIMIT_EXCEEDED);
    expect(assembler.heldBytes).toBe(0);
    begin(assembler, 1, first(100));
    expect(assembler.heldBytes).toBe(100);
  });

  it('holds as much as it may at once, and not one byte more', () => {
    const assembler = new Assembler(small);
    begin(assembler, 1, first(100));
    expect(codeOf(() => begin(assembler, 2, first(51)))).toBe(CloseCode.LIMIT_EXCEEDED);
    begin(assembler, 2, first(50));
    expect(assembler.heldBytes).toBe(150);
    assembler.drop(1, 1);
    expect(assembler.heldBytes).toBe(50);
    assembler.drop(1, 1);
    expect(assembler.heldBytes).toBe(50);
  });

  it('begins anew when a sender that resumes begins anew', () => {
    const assembler = new Assembler(small);
    begin(assembler, 1, first(100, 50));
    begin(assembler, 1, first(100, 1));
    expect(assembler.heldBytes).toBe(100);
    expect(append(assembler, 1, 99, false)).toHaveLength(100);
  });

  it.each([
    [
      'a first part without a length',
      (it: Assembler) => it.begin(1, 1, new Uint8Array(3), 0, 3),
      CloseCode.MALFORMED,
    ],
    ['a first part that is all of it', (it: Assembler) => begin(it, 1, first(5, 5)), CloseCode.MALFORMED],
    ['a value of nothing', (it: Assembler) => begin(it, 1, first(0)), CloseCode.MALFORMED],
    ['a chunk of nothing that was begun', (it: Assembler) => append(it, 9, 1, true), CloseCode.OUT_OF_ORDER],
  ])('refuses %s', (_name, act, code) => {
    const assembler = new Assembler(small);
    expect(codeOf(() => act(assembler))).toBe(code);
    expect(assembler.heldBytes).toBe(0);
  });

  it.each([
    ['brings more than was announced', 6, true],
    ['brings all of it and promises more', 5, true],
    ['is the last and too short', 4, false],
    ['is the last and too long', 6, false],
    ['brings nothing and promises more', 0, true],
  ])('refuses a chunk that %s, and holds nothing of it', (_name, bytes, more) => {
    const assembler = new Assembler(small);
    begin(assembler, 1, first(10, 5));
    expect(codeOf(() => append(assembler, 1, bytes, more))).toBe(CloseCode.MALFORMED);
    expect([assembler.has(1, 1), assembler.heldBytes]).toEqual([false, 0]);
  });

  it('lets credit fall due by quarters of the window, and loses none of it', () => {
    const assembler = new Assembler(limits);
    const quarter = limits.creditWindowBytes / 4;
    begin(assembler, 1, first(3_000_000, quarter - 5));
    expect(assembler.creditDue(1, 1)).toBe(0);
    append(assembler, 1, 1, true);
    expect(assembler.creditDue(1, 1)).toBe(quarter);
    expect(assembler.creditDue(1, 1)).toBe(0);
    append(assembler, 1, quarter + 7, true);
    expect(assembler.creditDue(1, 1)).toBe(quarter + 7);
    const rest = 3_000_000 - (quarter - 5) - 1 - (quarter + 7);
    append(assembler, 1, rest, false);
    expect([assembler.creditDue(1, 1), assembler.lastUncreditedBytes]).toEqual([0, rest]);
  });

  it('puts values where typed arrays can lie', () => {
    const assembler = new Assembler(small);
    begin(assembler, 1, first(16, 3));
    const whole = append(assembler, 1, 13, false)!;
    expect([whole.byteOffset, whole.buffer.byteLength]).toEqual([0, 16]);
  });
});
