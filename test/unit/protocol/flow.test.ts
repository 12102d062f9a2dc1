// Flows: what a call sends stays in order and within its credit, whatever the other end and the socket do.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Assembler } from '../../../src/protocol/assembler.ts';
import { Flag, FrameType } from '../../../src/protocol/frames.ts';
import { limits } from '../../../src/protocol/limits.ts';
import type { Outbox } from '../../../src/protocol/outbox.ts';
import { makeOutbox, type Frame, type Wire } from './wire.ts';

const { CALL, CHUNK, FAILURE, ITEM, RESULT } = FrameType;
const WINDOW = limits.creditWindowBytes;
const bytes = (count: number): Uint8Array[] => [new Uint8Array(count)];
const sum = (frames: readonly Frame[]): number =>
  frames.reduce((total, { payload }) => total + payload.length, 0);

function opened(): { wire: Wire; outbox: Outbox; room: number[] } {
  const { wire, outbox } = makeOutbox();
  const room: number[] = [];
  outbox.openFlow(1, 7, () => room.push(outbox.flowWaiting(1, 7)));
  return { wire, outbox, room };
}

describe('credit', () => {
  it('lets exactly one window leave, then exactly what was granted', () => {
    const { wire, outbox } = makeOutbox();
    outbox.value(CALL, 0, 0, 1, undefined, bytes(5_000_000));
    wire.settle();
    expect(sum(wire.take())).toBe(WINDOW);
    outbox.credit(0, 1, limits.maxChunkBytes - 1);
    wire.settle();
    expect(wire.take()).toEqual([]);
    outbox.credit(0, 1, 1);
    wire.settle();
    expect(sum(wire.take())).toBe(limits.maxChunkBytes);
  });

  it('is not spent on the prefix of a CALL', () => {
    const { wire, outbox } = makeOutbox();
    const prefix = { fn: 1, deadlineMs: 1, route: '{"node":"n1"}' };
    outbox.value(CALL, 0, 0, 1, prefix, bytes(5_000_000));
    wire.settle();
    const frames = wire.take();
    // 16 frames would be 21 bytes short of a window; a seventeenth of full size does not fit.
    expect(sum(frames)).toBe(WINDOW);
    outbox.credit(0, 1, limits.maxChunkBytes - 21);
    wire.settle();
    expect(wire.take()).toHaveLength(1);
  });

  it('of an item is its payload, to the byte', () => {
    const { wire, outbox, room } = opened();
    const whole = WINDOW / 16;
    for (let count = 0; count < 15; count += 1) outbox.value(ITEM, 0, 1, 7, undefined, bytes(whole));
    outbox.value(ITEM, 0, 1, 7, undefined, bytes(whole - 3));
    wire.settle();
    expect(outbox.flowWaiting(1, 7)).toBe(0);
    outbox.value(ITEM, 0, 1, 7, undefined, bytes(3));
    outbox.value(ITEM, 0, 1, 7, undefined, bytes(1));
    wire.settle();
    expect(sum(wire.take())).toBe(WINDOW);
    expect(outbox.flowWaiting(1, 7)).toBe(1);
    outbox.credit(1, 7, 1);
    wire.settle();
    expect([sum(wire.take()), outbox.flowWaiting(1, 7)]).toEqual([1, 0]);
    expect(room.every((waiting) => waiting === 0)).toBe(true);
  });

  it('of a stream goes no further than the socket, in the middle of a turn', () => {
    const { wire, outbox } = opened();
    wire.kernel = 'stuck';
    for (let count = 0; count < 15; count += 1) outbox.value(ITEM, 0, 1, 7, undefined, bytes(WINDOW / 16));
    expect(wire.bufferedBytes).toBeLessThan(limits.bulkWatermarkBytes + WINDOW / 16);
    expect(outbox.flowWaiting(1, 7)).toBe(WINDOW - WINDOW / 16 - 4 * (WINDOW / 16));
  });

  it('never exceeds a window, however much comes late for an earlier link', () => {
    const { wire, outbox } = makeOutbox();
    outbox.value(CALL, 0, 0, 1, undefined, bytes(5_000_000));
    outbox.credit(0, 1, 4_000_000_000);
    wire.settle();
    expect(sum(wire.take())).toBe(WINDOW);
  });

  it('for a call without a flow is dropped', () => {
    const { wire, outbox } = makeOutbox();
    outbox.credit(0, 1, 5);
    expect(wire.scheduled).toBe(0);
  });

  it('begins where a flow is told to begin', () => {
    const { wire, outbox } = makeOutbox();
    outbox.openFlow(1, 7, () => undefined, 10);
    outbox.value(ITEM, 0, 1, 7, undefined, '"12345678"');
    outbox.value(ITEM, 0, 1, 7, undefined, '1');
    wire.settle();
    expect([wire.take().length, outbox.flowWaiting(1, 7)]).toEqual([1, 1]);
  });
});

describe('a flow', () => {
  it('reports room when what waited has been written, and not while something waits', () => {
    const { wire, outbox, room } = opened();
    outbox.value(ITEM, 0, 1, 7, undefined, bytes(WINDOW));
    outbox.value(ITEM, 0, 1, 7, undefined, bytes(10));
    wire.settle();
    expect(room).toEqual([]);
    outbox.credit(1, 7, 500_000);
    wire.settle();
    expect(room).toEqual([0]);
  });

  it('may be written to from within its report of room', () => {
    const { wire, outbox } = makeOutbox();
    let left = 5;
    outbox.openFlow(1, 7, () => {
      if (left-- > 0) outbox.value(ITEM, 0, 1, 7, undefined, bytes(70_000));
    });
    outbox.value(ITEM, 0, 1, 7, undefined, bytes(70_000));
    wire.settle();
    expect(wire.take()).toHaveLength(12);
  });

  it('lets its RESULT and its FAILURE wait behind its items', () => {
    for (const end of [RESULT, FAILURE]) {
      const { wire, outbox } = opened();
      outbox.value(ITEM, 0, 1, 7, undefined, bytes(70_000));
      if (end === RESULT) outbox.value(RESULT, Flag.STREAM, 1, 7, undefined, '1');
      else outbox.json(FAILURE, 0, 1, 7, { code: 'failed', message: 'x' });
      outbox.json(FAILURE, 0, 1, 8, { code: 'failed', message: 'another call' });
      wire.settle();
      expect(wire.take().map(({ id, type }) => [id, type])).toEqual([
        [8, FAILURE],
        [7, ITEM],
        [7, CHUNK],
        [7, end],
      ]);
    }
  });

  it('sends a FAILURE also without credit: it ends what wants credit', () => {
    const { wire, outbox } = makeOutbox();
    outbox.openFlow(1, 7, () => undefined, 0);
    outbox.json(FAILURE, 0, 1, 7, { code: 'failed', message: 'x' });
    wire.settle();
    expect(wire.take().map(({ type }) => type)).toEqual([FAILURE]);
  });

  it('ends with its RESULT: its number may be used anew', () => {
    const { wire, outbox } = opened();
    outbox.value(ITEM, 0, 1, 7, undefined, bytes(WINDOW - 10));
    wire.settle();
    outbox.value(RESULT, 0, 1, 7, undefined, '1');
    wire.settle();
    outbox.value(ITEM, 0, 1, 7, undefined, bytes(60_000));
    wire.settle();
    expect(outbox.flowWaiting(1, 7)).toBe(0);
  });

  it('of a small item is written at once while the socket takes it', () => {
    const { wire, outbox } = opened();
    outbox.value(ITEM, 0, 1, 7, undefined, '1');
    outbox.frame(FrameType.PING, 0, 0, 1);
    wire.turn();
    expect(wire.take().map(({ type }) => type)).toEqual([ITEM, FrameType.PING]);
  });

  it('is found among many others, and gone after it ended', () => {
    const { wire, outbox } = makeOutbox();
    for (let id = 0; id < 2_000; id += 1) outbox.value(CALL, 0, id % 5, id, undefined, bytes(65_537));
    for (let id = 0; id < 2_000; id += 1) expect(outbox.flowWaiting(id % 5, id)).toBe(65_537);
    wire.settle();
    for (let id = 0; id < 2_000; id += 1) expect(outbox.flowWaiting(id % 5, id)).toBe(0);
    expect(wire.take()).toHaveLength(4_000);
  });
});

/** The far end: puts values together, grants credit as it likes, and keeps account. */
class Receiver {
  readonly assembler = new Assembler(limits);
  readonly values: number[][] = [[], [], []];
  readonly underWay = [0, 0, 0];

  take(frames: readonly Frame[]): void {
    for (const { type, flags, id, payload } of frames) {
      this.underWay[id]! += payload.length;
      expect(this.underWay[id]).toBeLessThanOrEqual(WINDOW);
      const more = (flags & Flag.MORE) !== 0;
      if (type === ITEM && more) this.assembler.begin(1, id, payload, 0, payload.length);
      else if (type === ITEM) this.values[id]!.push(payload.length);
      else {
        const whole = this.assembler.append(1, id, payload, 0, payload.length, more);
        if (whole !== undefined) this.values[id]!.push(whole.length);
      }
    }
  }
}

describe('any mixture of items, credit, slow sockets and turns', () => {
  const step = fc.oneof(
    fc.record({
      act: fc.constant('item' as const),
      id: fc.nat(2),
      size: fc.oneof(fc.nat(100), fc.nat(400_000)),
    }),
    fc.record({ act: fc.constant('credit' as const), id: fc.nat(2), share: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ act: fc.constantFrom('turn' as const, 'drain' as const, 'stick' as const) }),
  );

  it('delivers every item once, in order, and never sends beyond the credit', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { wire, outbox } = makeOutbox();
        const receiver = new Receiver();
        const sent: number[][] = [[], [], []];
        for (const id of [0, 1, 2]) outbox.openFlow(1, id, () => undefined);
        const grant = (id: number, share: number): void => {
          const amount = Math.ceil(receiver.underWay[id]! / share);
          if (amount === 0) return;
          receiver.underWay[id]! -= amount;
          outbox.credit(1, id, amount);
        };
        const drain = (): void => {
          wire.kernel = 'instant';
          wire.bufferedBytes = 0;
          outbox.drained();
        };
        for (const it of steps) {
          if (it.act === 'item') {
            // Sizes tell the items apart.
            const size = it.size + 1;
            sent[it.id]!.push(size);
            outbox.value(ITEM, 0, 1, it.id, undefined, bytes(size));
          } else if (it.act === 'credit') grant(it.id, it.share);
          else if (it.act === 'stick') wire.kernel = 'stuck';
          else if (it.act === 'drain') drain();
          else wire.turn();
          receiver.take(wire.take());
        }
        for (let round = 0; round < 200 && outbox.waitingBytes > 0; round += 1) {
          drain();
          wire.settle();
          receiver.take(wire.take());
          for (const id of [0, 1, 2]) grant(id, 1);
        }
        wire.settle();
        receiver.take(wire.take());
        expect(receiver.values).toEqual(sent);
        expect([outbox.waitingBytes, receiver.assembler.heldBytes]).toEqual([0, 0]);
      }),
      { numRuns: 150 },
    );
  });
});
