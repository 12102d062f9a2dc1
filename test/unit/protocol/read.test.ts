// Reading messages: what is written comes back; anything else is refused, in a way that names the fault.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtocolViolation } from '../../../src/protocol/errors.ts';
import { CloseCode, FrameType, maxPayloadBytes } from '../../../src/protocol/frames.ts';
import { limits } from '../../../src/protocol/limits.ts';
import { readFrames } from '../../../src/protocol/read.ts';
import { concat, frameBytes, framesOf, makeOutbox, type Frame } from './wire.ts';

const types = Object.values(FrameType);
const anyFrame: fc.Arbitrary<Frame> = fc.record({
  type: fc.constantFrom(...types),
  flags: fc.nat(255),
  peer: fc.nat(0xffff),
  id: fc.nat(0xffff_ffff),
  payload: fc.uint8Array({ maxLength: 200 }),
});

function violation(act: () => unknown): ProtocolViolation {
  try {
    act();
  } catch (error) {
    if (error instanceof ProtocolViolation) return error;
    throw error;
  }
  throw new Error('no violation');
}

const frame = (type: number, payloadBytes: number): Frame => ({
  type,
  flags: 0,
  peer: 1,
  id: 2,
  payload: new Uint8Array(payloadBytes),
});

describe('readFrames', () => {
  it('gives back, in order, whatever frames were put into one message', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { minLength: 1, maxLength: 20 }), (frames) => {
        expect(framesOf(concat(...frames.map((it) => frameBytes(it))))).toEqual(frames);
      }),
    );
  });

  it('reads what an outbox wrote', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { minLength: 1, maxLength: 20 }), (frames) => {
        const { wire, outbox } = makeOutbox();
        for (const { type, flags, peer, id, payload } of frames) outbox.frame(type, flags, peer, id, payload);
        wire.settle();
        expect(wire.take()).toEqual(frames);
      }),
    );
  });

  it('answers any bytes with frames or a ProtocolViolation, and with nothing else', () => {
    const cut = fc.tuple(fc.array(anyFrame, { minLength: 1, maxLength: 5 }), fc.nat(), fc.nat());
    fc.assert(
      fc.property(
        cut,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 5 }),
        ([frames, from, to], changes) => {
          const whole = concat(...frames.map((it) => frameBytes(it)));
          const bytes = whole.slice(from % whole.length, (to % whole.length) + 1);
          for (const [place, value] of changes) if (bytes.length > 0) bytes[place % bytes.length] = value;
          try {
            const size = framesOf(bytes).reduce((sum, it) => sum + 12 + it.payload.length, 0);
            expect(size).toBe(bytes.length);
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolViolation);
            expect([CloseCode.MALFORMED, CloseCode.LIMIT_EXCEEDED]).toContain(
              (error as ProtocolViolation).closeCode,
            );
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('refuses every message that was cut short anywhere but between two frames', () => {
    const whole = concat(frameBytes(frame(FrameType.PING, 0)), frameBytes(frame(FrameType.ACK, 8)));
    for (let length = 0; length < whole.length; length += 1) {
      const part = whole.subarray(0, length);
      if (length === 12) expect(framesOf(part)).toHaveLength(1);
      else expect(violation(() => framesOf(part)).closeCode).toBe(CloseCode.MALFORMED);
    }
    expect(framesOf(whole)).toHaveLength(2);
  });

  it('hands over the frames before a faulty one', () => {
    const bytes = concat(frameBytes(frame(FrameType.PING, 0)), new Uint8Array(5));
    const seen: number[] = [];
    const error = violation(() => readFrames(bytes, { frame: (type) => void seen.push(type) }));
    expect(seen).toEqual([FrameType.PING]);
    expect(error.message).toBe('a frame header of 5 bytes instead of 12');
  });

  it('passes types on that do not exist: the role answers them', () => {
    expect(framesOf(frameBytes(frame(0xee, 3)))).toEqual([frame(0xee, 3)]);
  });

  it.each(Object.entries(FrameType))(
    'takes a %s of the longest payload, and not one byte more',
    (_name, type) => {
      const longest = maxPayloadBytes(type);
      expect(framesOf(frameBytes(frame(type, longest)))[0]?.payload).toHaveLength(longest);
      const error = violation(() => framesOf(frameBytes(frame(type, longest + 1))));
      expect(error.closeCode).toBe(CloseCode.LIMIT_EXCEEDED);
      expect(error.message).toContain(`${longest + 1} bytes of payload; at most ${longest}`);
    },
  );

  it('refuses a payload for its announced length alone, before it is there', () => {
    const header = frameBytes(frame(FrameType.CALL, 0), limits.maxChunkBytes + 1);
    expect(violation(() => framesOf(header)).closeCode).toBe(CloseCode.LIMIT_EXCEEDED);
    const huge = frameBytes(frame(FrameType.PING, 0), 0xffff_ffff);
    expect(violation(() => framesOf(huge)).closeCode).toBe(CloseCode.LIMIT_EXCEEDED);
  });

  it('takes a message of the longest size, and not one byte more', () => {
    const chunk = frameBytes(frame(FrameType.CHUNK, 65_536 - 12));
    const longest = concat(...Array.from({ length: 16 }, () => chunk));
    expect(longest).toHaveLength(limits.maxMessageBytes);
    expect(framesOf(longest)).toHaveLength(16);
    const longer = concat(longest, frameBytes(frame(FrameType.PING, 0)));
    expect(violation(() => framesOf(longer)).closeCode).toBe(CloseCode.TOO_BIG);
  });

  it('lets an error of the handler through as it is', () => {
    const defect = new RangeError('a defect of the role');
    const handler = {
      frame: () => {
        throw defect;
      },
    };
    expect(() => readFrames(frameBytes(frame(FrameType.PING, 0)), handler)).toThrow(defect);
  });
});
