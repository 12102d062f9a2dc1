// The outbox: one message a turn, order within a call, control before bulk, limits on what waits.
import { describe, expect, it } from 'vitest';
import { HoldfastError, ProtocolViolation } from '../../../src/protocol/errors.ts';
import { Flag, FrameType } from '../../../src/protocol/frames.ts';
import { limits } from '../../../src/protocol/limits.ts';
import { encodeValue } from '../../../src/protocol/values.ts';
import { frameBytes, makeOutbox, utf8, type Frame } from './wire.ts';

const { CALL, CHUNK, FAILURE, ITEM, PING, RESULT, SYNC } = FrameType;
const names = (frames: readonly Frame[]): string[] =>
  frames.map(({ type }) => Object.entries(FrameType).find(([, number]) => number === type)?.[0] ?? 'unknown');
const text = (frame: Frame | undefined): string => Buffer.from(frame?.payload ?? []).toString();
const big = (bytes: number): Uint8Array[] => [new Uint8Array(bytes).fill(7)];

describe('what one turn writes', () => {
  it('leaves in one message, in the order in which it was written', () => {
    const { wire, outbox } = makeOutbox();
    outbox.frame(PING, 0, 0, 1);
    outbox.value(RESULT, 0, 2, 3, undefined, '[1,2]');
    outbox.json(FAILURE, 0, 2, 4, { code: 'failed', message: 'no' });
    expect([wire.messages.length, wire.scheduled]).toEqual([0, 1]);
    wire.turn();
    expect(wire.messages).toHaveLength(1);
    const frames = wire.take();
    expect(names(frames)).toEqual(['PING', 'RESULT', 'FAILURE']);
    expect(frames.map(text)).toEqual(['', '[1,2]', '{"code":"failed","message":"no"}']);
    expect(frames.map(({ peer, id }) => [peer, id])).toEqual([
      [0, 1],
      [2, 3],
      [2, 4],
    ]);
  });

  it('schedules nothing when nothing was written, and sends nothing twice', () => {
    const { wire, outbox } = makeOutbox();
    outbox.flush();
    expect([wire.messages.length, wire.scheduled]).toEqual([0, 0]);
    outbox.frame(PING, 0, 0, 1);
    outbox.flush();
    wire.settle();
    expect(wire.messages).toHaveLength(1);
  });

  it('never touches bytes again that it has sent', () => {
    const { wire, outbox } = makeOutbox();
    const copies: Uint8Array[] = [];
    for (let turn = 0; turn < 500; turn += 1) {
      for (let count = 0; count <= turn % 40; count += 1)
        outbox.value(ITEM, 0, 1, turn, undefined, `"${turn}-${count}"`);
      wire.turn();
      copies.push(Uint8Array.from(wire.messages[turn]!));
    }
    expect(wire.messages).toEqual(copies);
  });

  it('of bulk is written into memory again that a socket has taken, never into what one keeps', () => {
    const [taker, keeper] = [makeOutbox(), makeOutbox()];
    taker.wire.memory = 'taken';
    const copies: Uint8Array[] = [];
    for (let round = 1; round <= 20; round += 1) {
      for (const { outbox } of [taker, keeper])
        outbox.value(RESULT, 0, 0, round, undefined, [new Uint8Array(200_000).fill(round)]);
      taker.wire.settle();
      keeper.wire.settle();
      for (const message of keeper.wire.messages.slice(copies.length)) copies.push(Uint8Array.from(message));
    }
    expect(keeper.wire.messages).toEqual(copies);
    expect(taker.wire.messages).toEqual(copies);
    const pages = new Set(keeper.wire.messages.map(({ buffer }) => buffer));
    expect(pages.size).toBe(20);
  });

  it('leaves before the turn ends once it is ample, between two frames', () => {
    const { wire, outbox } = makeOutbox();
    for (let count = 0; count < 100; count += 1) outbox.frame(SYNC, 0, 0, count, new Uint8Array(88));
    expect(wire.messages.map(({ length }) => length)).toEqual([4_100, 4_100]);
    wire.turn();
    expect(wire.messages.map(({ length }) => length)).toEqual([4_100, 4_100, 1_800]);
    expect(wire.take().map(({ id }) => id)).toEqual(Array.from({ length: 100 }, (_, id) => id));
  });

  it('stays below the longest message, whatever waits', () => {
    const { wire, outbox } = makeOutbox();
    for (let id = 1; id <= 40; id += 1) {
      outbox.value(RESULT, 0, 0, id, undefined, big(1_000_000));
      outbox.frame(SYNC, 0, 0, id, new Uint8Array(limits.maxControlBytes));
    }
    wire.settle();
    const longest = Math.max(...wire.messages.map(({ length }) => length));
    expect(longest).toBeGreaterThan(limits.bulkWatermarkBytes);
    expect(longest).toBeLessThan(limits.maxMessageBytes);
  });

  it('writes numbers of the full width', () => {
    const { wire, outbox } = makeOutbox();
    outbox.frame(CALL, 0xff, 0xffff, 0xffff_ffff);
    wire.turn();
    expect(wire.take()).toEqual([
      { type: CALL, flags: 0xff, peer: 0xffff, id: 0xffff_ffff, payload: new Uint8Array() },
    ]);
  });

  it('takes control payloads of the longest size, and refuses one byte more without a trace', () => {
    const { wire, outbox } = makeOutbox();
    outbox.frame(SYNC, 0, 0, 1, new Uint8Array(limits.maxControlBytes));
    expect(() => outbox.frame(SYNC, 0, 0, 2, new Uint8Array(limits.maxControlBytes + 1))).toThrow(
      'frame 0x04 with 262145 bytes of payload was to be sent; at most 262144 are allowed',
    );
    wire.turn();
    expect(wire.take().map(({ id }) => id)).toEqual([1]);
  });

  it('is dropped after close, and so is what waits', () => {
    const { wire, outbox } = makeOutbox();
    outbox.frame(PING, 0, 0, 1);
    outbox.value(CALL, 0, 0, 1, undefined, big(100_000));
    outbox.close();
    outbox.frame(PING, 0, 0, 2);
    outbox.value(CALL, 0, 0, 2, undefined, '1');
    outbox.forward(CHUNK, 0, 0, 2, utf8('1'), 0, 1);
    outbox.openFlow(0, 3, () => undefined);
    outbox.flush();
    wire.settle();
    expect([wire.messages.length, outbox.waitingBytes]).toEqual([0, 0]);
  });
});

describe('a CALL', () => {
  const prefix = { fn: 0x0102, deadlineMs: 0x0a0b0c0d, route: '{"labels":{"gpu":"ja – ü"}}' };

  it('begins with function, length of the route, deadline and route', () => {
    const { wire, outbox } = makeOutbox();
    outbox.value(CALL, Flag.IDEMPOTENT, 0, 5, prefix, '[1]');
    wire.turn();
    const [call] = wire.take();
    const route = utf8(prefix.route);
    expect(call?.payload).toEqual(
      Uint8Array.from([0x02, 0x01, route.length, 0, 0x0d, 0x0c, 0x0b, 0x0a, ...route, ...utf8('[1]')]),
    );
  });

  it('rounds its deadline up and never beyond what fits', () => {
    const { wire, outbox } = makeOutbox();
    for (const deadlineMs of [0.2, 5e12, -3])
      outbox.value(CALL, 0, 0, 1, { fn: 0, deadlineMs, route: '' }, '[]');
    wire.turn();
    const deadlines = wire.take().map(({ payload }) => new DataView(payload.buffer).getUint32(4, true));
    expect(deadlines).toEqual([1, 0xffff_ffff, 0]);
  });

  it('takes a route of the longest size, and refuses one byte more without a trace', () => {
    const { wire, outbox } = makeOutbox();
    const route = 'x'.repeat(limits.maxRouteBytes);
    outbox.value(CALL, 0, 0, 1, { ...prefix, route }, '[]');
    expect(() => outbox.value(CALL, 0, 0, 2, { ...prefix, route: `${route}x` }, '[]')).toThrow(HoldfastError);
    expect(() => outbox.value(CALL, 0, 0, 3, { ...prefix, route: `${route}x` }, big(100_000))).toThrow(
      HoldfastError,
    );
    wire.settle();
    expect(wire.take().map(({ id }) => id)).toEqual([1]);
  });

  it('is passed on under another number, with another function and deadline, without its route', () => {
    const { wire, outbox } = makeOutbox();
    outbox.value(CALL, Flag.STREAM, 0, 5, prefix, '[1]');
    wire.turn();
    const message = wire.messages.splice(0)[0]!;
    outbox.forward(CALL, Flag.STREAM, 9, 5, message, 12, message.length, {
      fn: 3,
      deadlineMs: 7,
      route: 'ignored',
    });
    wire.turn();
    expect(wire.take()).toEqual([
      {
        type: CALL,
        flags: Flag.STREAM,
        peer: 9,
        id: 5,
        payload: Uint8Array.from([3, 0, 0, 0, 7, 0, 0, 0, ...utf8('[1]')]),
      },
    ]);
  });

  it('is refused by whoever passes it on when it is shorter than its prefix says', () => {
    const { outbox } = makeOutbox();
    const rewritten = { fn: 0, deadlineMs: 1, route: '' };
    for (const bytes of [
      [1, 2, 3],
      [0, 0, 1, 0, 0, 0, 0, 0],
    ]) {
      const payload = Uint8Array.from(bytes);
      expect(() => outbox.forward(CALL, 0, 1, 1, payload, 0, payload.length, rewritten)).toThrow(
        ProtocolViolation,
      );
    }
  });
});

describe('a value', () => {
  it('goes in one frame up to the longest payload, and in chunks beyond', () => {
    const { wire, outbox } = makeOutbox();
    outbox.value(RESULT, 0, 1, 1, undefined, big(limits.maxChunkBytes));
    outbox.value(RESULT, 0, 1, 2, undefined, big(limits.maxChunkBytes + 1));
    wire.settle();
    const frames = wire.take();
    expect(names(frames)).toEqual(['RESULT', 'RESULT', 'CHUNK']);
    expect(frames.map(({ flags, payload }) => [flags, payload.length])).toEqual([
      [0, 65_536],
      [Flag.MORE, 65_536],
      [0, 5],
    ]);
    expect(new DataView(frames[1]!.payload.buffer).getUint32(0, true)).toBe(65_537);
  });

  it('leaves room for the prefix of a CALL and its route', () => {
    const { wire, outbox } = makeOutbox();
    const prefix = { fn: 1, deadlineMs: 1, route: '{}' };
    outbox.value(CALL, 0, 0, 1, prefix, big(limits.maxChunkBytes - 10));
    outbox.value(CALL, 0, 0, 2, prefix, big(limits.maxChunkBytes - 9));
    wire.settle();
    expect(wire.take().map(({ type, payload }) => [type, payload.length])).toEqual([
      [CALL, 65_536],
      [CALL, 65_536],
      [CHUNK, 5],
    ]);
  });

  it('counts text by its bytes, not by its characters', () => {
    const { wire, outbox } = makeOutbox();
    outbox.value(RESULT, 0, 1, 1, undefined, 'ü'.repeat(32_768));
    outbox.value(RESULT, 0, 1, 2, undefined, 'ü'.repeat(32_769));
    outbox.value(RESULT, 0, 1, 3, undefined, '€'.repeat(60_000));
    wire.settle();
    const frames = wire.take();
    const whole = (id: number): string =>
      Buffer.concat(
        frames
          .filter((it) => it.id === id)
          .map(({ payload }, index) => (index === 0 && id > 1 ? payload.subarray(4) : payload)),
      ).toString();
    expect(frames.filter((it) => it.id === 1)).toHaveLength(1);
    expect(whole(1)).toBe('ü'.repeat(32_768));
    expect(whole(2)).toBe('ü'.repeat(32_769));
    expect(whole(3)).toBe('€'.repeat(60_000));
  });

  it('is refused when it is larger than a value may be', () => {
    const { outbox } = makeOutbox();
    const part = new Uint8Array(limits.maxValueBytes / 2);
    expect(() => outbox.value(CALL, 0, 0, 1, undefined, [part, part, new Uint8Array(1)])).toThrow(
      '268435457 bytes',
    );
    outbox.value(CALL, 0, 0, 2, undefined, [part, part]);
    expect(outbox.flowWaiting(0, 2)).toBe(limits.maxValueBytes);
  });
});

describe('bulk', () => {
  it('is overtaken by control frames that were written later', () => {
    const { wire, outbox } = makeOutbox();
    outbox.value(CALL, 0, 0, 1, undefined, big(200_000));
    outbox.frame(PING, 0, 0, 9);
    outbox.value(RESULT, 0, 1, 2, undefined, '1');
    wire.settle();
    expect(names(wire.take())).toEqual(['PING', 'RESULT', 'CALL', 'CHUNK', 'CHUNK', 'CHUNK']);
  });

  it('waits while the socket holds enough, and control does not', () => {
    const { wire, outbox } = makeOutbox();
    wire.kernel = 'stuck';
    outbox.value(CALL, 0, 0, 1, undefined, big(900_000));
    wire.settle();
    const sent = wire.take().length;
    expect(sent).toBe(4);
    outbox.frame(PING, 0, 0, 9);
    wire.settle();
    expect(names(wire.take())).toEqual(['PING']);
    expect(outbox.flowWaiting(0, 1)).toBeGreaterThan(600_000);
    wire.bufferedBytes = 0;
    outbox.drained();
    expect(wire.take()).toHaveLength(4);
  });

  it('goes on by itself when the kernel took everything at once', () => {
    const { wire, outbox } = makeOutbox();
    outbox.value(CALL, 0, 0, 1, undefined, big(1_000_000));
    wire.settle();
    expect(outbox.flowWaiting(0, 1)).toBe(0);
    expect(wire.take()).toHaveLength(16);
  });

  it('is served in turn: one frame of each call', () => {
    const { wire, outbox } = makeOutbox();
    for (const id of [1, 2, 3]) outbox.value(CALL, 0, 0, id, undefined, big(150_000));
    wire.settle();
    expect(wire.take().map(({ id }) => id)).toEqual([1, 2, 3, 1, 2, 3, 1, 2, 3]);
  });

  it('is counted as waiting until it is written', () => {
    const { wire, outbox } = makeOutbox();
    outbox.value(CALL, 0, 0, 1, { fn: 0, deadlineMs: 1, route: '' }, big(100_000));
    outbox.frame(PING, 0, 0, 1);
    expect([outbox.flowWaiting(0, 1), outbox.waitingBytes]).toEqual([100_008, 100_020]);
    wire.bufferedBytes = 50;
    expect(outbox.waitingBytes).toBe(100_070);
    wire.bufferedBytes = 0;
    wire.settle();
    expect([outbox.flowWaiting(0, 1), outbox.waitingBytes]).toEqual([0, 0]);
  });
});

describe('dropping a call', () => {
  it('answers yes while nothing of it has left', () => {
    const { wire, outbox } = makeOutbox();
    outbox.value(CALL, 0, 0, 1, undefined, big(100_000));
    expect(outbox.drop(0, 1)).toBe(true);
    wire.settle();
    expect([wire.messages.length, outbox.waitingBytes]).toEqual([0, 0]);
  });

  it('answers no when a part of it has left, or nothing waits', () => {
    const { wire, outbox } = makeOutbox();
    wire.kernel = 'stuck';
    outbox.value(CALL, 0, 0, 1, undefined, big(900_000));
    wire.settle();
    expect(outbox.drop(0, 1)).toBe(false);
    expect(outbox.drop(0, 1)).toBe(false);
    expect(outbox.flowWaiting(0, 1)).toBe(0);
  });

  it('leaves other calls as they are, and its number free for new ones', () => {
    const { wire, outbox } = makeOutbox();
    outbox.value(CALL, 0, 0, 1, undefined, big(70_000));
    outbox.value(CALL, 0, 0, 2, undefined, big(70_000));
    outbox.drop(0, 1);
    outbox.value(CALL, 0, 0, 1, undefined, '"new"');
    wire.settle();
    expect(wire.take().map(({ id, type }) => [id, type])).toEqual([
      [1, CALL],
      [2, CALL],
      [2, CHUNK],
    ]);
  });
});

describe('passing on', () => {
  const payload = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(1);

  it('keeps frames of a call in order when the first of them waits', () => {
    const { wire, outbox } = makeOutbox();
    outbox.forward(ITEM, Flag.MORE, 1, 7, payload(60_000), 0, 60_000);
    outbox.forward(CHUNK, 0, 1, 7, payload(9), 0, 9);
    outbox.forward(ITEM, 0, 1, 7, payload(3), 0, 3);
    outbox.forward(FAILURE, 0, 1, 7, utf8('{}'), 0, 2);
    outbox.forward(RESULT, 0, 1, 8, payload(1), 0, 1);
    wire.settle();
    expect(wire.take().map(({ id, type }) => [id, type])).toEqual([
      [8, RESULT],
      [7, ITEM],
      [7, CHUNK],
      [7, ITEM],
      [7, FAILURE],
    ]);
  });

  it('costs no credit: that is between the two ends', () => {
    const { wire, outbox } = makeOutbox();
    for (let count = 0; count < 40; count += 1)
      outbox.forward(CHUNK, Flag.MORE, 1, 7, payload(65_536), 0, 65_536);
    wire.settle();
    expect(wire.take()).toHaveLength(40);
  });

  it('keeps long payloads where they are and copies short ones out of large messages', () => {
    const { wire, outbox } = makeOutbox();
    const message = payload(200_000);
    outbox.forward(CHUNK, Flag.MORE, 1, 7, message, 0, 60_000);
    outbox.forward(CHUNK, Flag.MORE, 1, 7, message, 100_000, 100_010);
    message.fill(2);
    wire.settle();
    const [long, short] = wire.take();
    expect([long?.payload[0], short?.payload[0]]).toEqual([2, 1]);
  });

  it('copies also what lies in a Buffer', () => {
    const { wire, outbox } = makeOutbox();
    const message = Buffer.alloc(200_000, 1);
    outbox.forward(CHUNK, Flag.MORE, 1, 7, message, 100_000, 100_010);
    message.fill(2);
    wire.settle();
    expect(wire.take()[0]?.payload[0]).toBe(1);
  });
});

describe('a slow reader', () => {
  const chunk = new Uint8Array(65_536);

  it('is reported once when more frames wait for it than the limit, and not one byte before', () => {
    const { wire, outbox, overflows } = makeOutbox();
    wire.kernel = 'stuck';
    wire.bufferedBytes = limits.bulkWatermarkBytes;
    const count = limits.maxOutboxBytes / chunk.length;
    for (let index = 0; index < count; index += 1)
      outbox.forward(CHUNK, Flag.MORE, 1, index, chunk, 0, chunk.length);
    expect(overflows).toEqual([]);
    outbox.forward(CHUNK, Flag.MORE, 1, 1, chunk, 0, 1);
    outbox.forward(CHUNK, Flag.MORE, 1, 1, chunk, 0, 1);
    expect(overflows).toEqual([limits.maxOutboxBytes + 1]);
  });

  it('is reported for what its socket holds, too', () => {
    const { wire, outbox, overflows } = makeOutbox();
    outbox.frame(PING, 0, 0, 1);
    wire.bufferedBytes = limits.maxOutboxBytes - 12;
    wire.settle();
    expect(overflows).toEqual([]);
    outbox.frame(PING, 0, 0, 2);
    wire.bufferedBytes = limits.maxOutboxBytes - 11;
    wire.settle();
    expect(overflows).toEqual([limits.maxOutboxBytes + 1]);
  });

  it('is not suspected for own values that wait for credit, up to their own limit', () => {
    const { outbox, overflows } = makeOutbox();
    const value = [new Uint8Array(limits.maxValueBytes)];
    outbox.value(CALL, 0, 0, 1, undefined, value);
    outbox.value(CALL, 0, 0, 2, undefined, value);
    expect(overflows).toEqual([]);
    outbox.value(CALL, 0, 0, 3, undefined, big(65_537));
    expect(overflows).toEqual([limits.maxOwnWaitingBytes + 65_537]);
  });
});

describe('the same bytes', () => {
  it('come from frame, value and forward', () => {
    const frame = { type: RESULT, flags: 0, peer: 3, id: 4, payload: utf8('[1,"ü"]') };
    const { wire, outbox } = makeOutbox();
    outbox.frame(RESULT, 0, 3, 4, frame.payload);
    outbox.value(RESULT, 0, 3, 4, undefined, '[1,"ü"]');
    outbox.value(RESULT, 0, 3, 4, undefined, [frame.payload]);
    outbox.forward(RESULT, 0, 3, 4, frame.payload, 0, frame.payload.length);
    wire.settle();
    expect(wire.messages).toEqual([
      Uint8Array.from(Array.from({ length: 4 }, () => [...frameBytes(frame)]).flat()),
    ]);
    expect(encodeValue([1, 'ü'], 'json')).toBe('[1,"ü"]');
  });
});
