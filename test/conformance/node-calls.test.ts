// PROTOCOL.md on calls, as a node keeps it, towards a hub that is not ours.
import { describe, expect, it } from 'vitest';

import { CALL_PREFIX_BYTES, Fate, Flag, FrameType } from '../../src/protocol/frames.ts';
import { limits } from '../../src/protocol/limits.ts';
import { fn } from './fake-hub.ts';
import { callPayload } from './fleet.ts';
import { concat, frame, jsonOf, textOf, u32s, type Frame, type RawPeer } from './raw.ts';
import { introduce, call, ack, fatesOf, query, connected, read } from './node-lines.ts';

describe('Calls:', () => {
  it('A call is answered by RESULT under the number of its client', async () => {
    const { peer } = await connected();
    peer.send(introduce(), call(5, '[1,"ä"]'));
    const result = await peer.take(FrameType.RESULT);
    expect(result).toMatchObject({ peer: 9, id: 5, flags: 0 });
    expect(jsonOf(result)).toEqual([1, 'ä']);
  });

  it('A function that throws is answered by FAILURE with its name and message', async () => {
    const { peer } = await connected();
    peer.send(introduce(), call(5, '[]', fn.fail));
    const failure = await peer.take(FrameType.FAILURE);
    expect(failure).toMatchObject({ peer: 9, id: 5 });
    expect(jsonOf(failure)).toMatchObject({ code: 'failed', name: 'RangeError', message: 'no such row' });
  });

  it.each([
    ['an object without a prototype', Object.create(null) as unknown],
    [
      'an error with a name of a thousand characters',
      Object.assign(new Error('m'), { name: 'N'.repeat(1_000) }),
    ],
    ['an error whose message is no text', Object.assign(new Error('m'), { message: { a: 1 } })],
    ['a text of a MiB', 'x'.repeat(1_048_576)],
    ['an error with a message of a MiB', new Error('x'.repeat(1_048_576))],
    ['undefined', undefined],
  ])('A function that throws %s is answered by a FAILURE all the same', async (_, thrown) => {
    const { peer } = await connected({
      functions: {
        odd: () => {
          throw thrown;
        },
      },
    });
    peer.send(introduce(), call(1, '[]', 0));
    const { name, message } = jsonOf(await peer.take(FrameType.FAILURE));
    expect(String(name).length).toBeLessThanOrEqual(limits.maxNameLength);
    expect(String(message).length).toBeLessThanOrEqual(limits.maxReasonLength);
    await read(peer);
  });

  it.each([
    ['JSON that is cut off', '[1'],
    ['no list', '{"a":1}'],
    ['nothing', ''],
    ['bytes that are no UTF-8', new Uint8Array([0xff, 0xfe])],
    ['a preamble that is cut off', new Uint8Array([1, 0, 0])],
    ['a head that is longer than the value', new Uint8Array([1, 0, 0, 0, 255, 255, 255, 255, 0])],
    ['a segment of a kind that does not exist', longForm('[null,[["Evil",0]]]')],
    ['a segment whose path leads to a prototype', longForm('[{},[["Uint8Array",0,"__proto__"]]]')],
    ['a segment that is longer than the value', longForm('[null,[["Uint8Array",999]]]')],
    ['a segment of a negative length', longForm('[null,[["Uint8Array",-1]]]')],
    ['a path of a path', longForm('[[1],[["undefined",0,0,0]]]')],
  ])('Arguments that are %s are answered by FAILURE invalid, and the link stays', async (_, args) => {
    const { peer } = await connected();
    peer.send(introduce(), call(1, args));
    expect(jsonOf(await peer.take(FrameType.FAILURE))).toMatchObject({ code: 'invalid' });
    peer.send(call(2, '["next"]'));
    expect(await peer.take(FrameType.RESULT)).toMatchObject({ id: 2 });
  });

  it('MessagePack that cannot be decoded is answered by FAILURE invalid', async () => {
    const { peer } = await connected();
    peer.send(
      introduce(),
      call(1, new Uint8Array([0xc1]), fn.echo, Flag.MSGPACK),
      call(2, new Uint8Array([0xdc, 0xff, 0xff]), fn.echo, Flag.MSGPACK),
    );
    expect(jsonOf(await peer.take(FrameType.FAILURE))).toMatchObject({ code: 'invalid' });
    expect(jsonOf(await peer.take(FrameType.FAILURE))).toMatchObject({ code: 'invalid' });
  });

  it('A route whose length lies is answered by FAILURE invalid', async () => {
    const { peer } = await connected();
    peer.send(
      introduce(),
      frame(FrameType.CALL, callPayload('[]', { routeLength: 60_000 }), { peer: 9, id: 1 }),
    );
    expect(jsonOf(await peer.take(FrameType.FAILURE))).toMatchObject({ code: 'invalid' });
  });

  it('The same attempt twice is executed once', async () => {
    const { node, peer } = await connected();
    peer.send(introduce(), call(1, '[]'), call(1, '[]'));
    await peer.take(FrameType.RESULT);
    peer.send(call(1, '[]'));
    await read(peer);
    expect(peer.seen(FrameType.RESULT)).toEqual([]);
    expect(node.it.status().totalExecuted).toBe(1);
  });

  it('The same attempt number of another client is another call', async () => {
    const { node, peer } = await connected();
    peer.send(introduce(9), introduce(10), call(1, '["a"]'), call(1, '["b"]', fn.echo, 0, 10));
    expect(jsonOf(await peer.take(FrameType.RESULT, (it) => it.peer === 9))).toEqual(['a']);
    expect(jsonOf(await peer.take(FrameType.RESULT, (it) => it.peer === 10))).toEqual(['b']);
    expect(node.it.status().totalExecuted).toBe(2);
  });

  it('A call whose deadline is over is answered by FAILURE timed_out', async () => {
    const { peer } = await connected();
    peer.send(
      introduce(),
      frame(FrameType.CALL, callPayload('[]', { fn: fn.never, deadlineMs: 30 }), { peer: 9, id: 1 }),
    );
    expect(jsonOf(await peer.take(FrameType.FAILURE))).toMatchObject({ code: 'timed_out' });
  });

  it('CANCEL ends a running call by FAILURE cancelled, and of an unknown one nothing', async () => {
    const { peer } = await connected();
    peer.send(introduce(), call(1, '[]', fn.never), frame(FrameType.CANCEL, '', { peer: 9, id: 77 }));
    peer.send(frame(FrameType.CANCEL, '', { peer: 9, id: 1 }));
    expect(await peer.take(FrameType.FAILURE)).toMatchObject({ id: 1 });
    await read(peer);
    expect(peer.seen(FrameType.FAILURE)).toEqual([]);
  });
});

/** A JSON value with segments: its head, and nothing behind it. */
function longForm(head: string): Uint8Array {
  const text = new TextEncoder().encode(head);
  const bytes = new Uint8Array(Math.ceil((8 + text.length) / 8) * 8);
  bytes[0] = 1;
  new DataView(bytes.buffer).setUint32(4, text.length, true);
  bytes.set(text, 8);
  return bytes;
}

describe('Long arguments:', () => {
  /** The list `[bytes]` with a Uint8Array of this length, as a value. */
  function bytesValue(length: number): Uint8Array {
    const head = longForm(`[[null],[["Uint8Array",${length},0]]]`);
    return concat([head, new Uint8Array(Math.ceil(length / 8) * 8).fill(3)]);
  }

  function upload(id: number, value: Uint8Array, total = value.length): Uint8Array[] {
    const room = limits.maxChunkBytes - CALL_PREFIX_BYTES - 4;
    const frames = [call(id, concat([u32s(total), value.subarray(0, room)]), fn.size, Flag.MORE)];
    for (let at = room; at < value.length; at += limits.maxChunkBytes) {
      const isLast = at + limits.maxChunkBytes >= value.length;
      const part = value.subarray(at, at + limits.maxChunkBytes);
      frames.push(frame(FrameType.CHUNK, part, { peer: 9, id, flags: isLast ? 0 : Flag.MORE }));
    }
    return frames;
  }

  it('Chunks make a value again, and credit comes each time a quarter of the window was taken', async () => {
    const { peer } = await connected();
    peer.send(introduce());
    const frames = upload(1, bytesValue(700_000));
    for (const each of frames) peer.send(each);
    expect(textOf((await peer.take(FrameType.RESULT)).payload)).toBe('700000');
    const credits = peer
      .seen(FrameType.CREDIT)
      .map(({ payload }) => new DataView(payload.buffer, payload.byteOffset).getUint32(0, true));
    expect(credits).toHaveLength(2);
    for (const credit of credits) {
      expect(credit).toBeGreaterThanOrEqual(limits.creditWindowBytes / 4);
      expect(credit).toBeLessThan(limits.creditWindowBytes / 4 + limits.maxChunkBytes);
    }
  });

  it.each([
    ['bring more than was announced', 100_000],
    ['bring less than was announced', 300_000],
    ['are announced to be longer than maxValueBytes', limits.maxValueBytes + 1],
    ['are announced to be nothing', 0],
  ])('Parts that %s are answered by FAILURE invalid, and the link stays', async (_, total) => {
    const { peer } = await connected();
    peer.send(introduce());
    for (const each of upload(1, bytesValue(200_000), total)) peer.send(each);
    expect(jsonOf(await peer.take(FrameType.FAILURE))).toMatchObject({ code: 'invalid' });
    peer.send(call(2, '["next"]'));
    expect(await peer.take(FrameType.RESULT)).toMatchObject({ id: 2 });
    expect(peer.seen(FrameType.FAILURE)).toEqual([]);
  });

  it('A first part without its announcement is answered by FAILURE invalid', async () => {
    const { peer } = await connected();
    peer.send(introduce(), call(1, 'abc', fn.size, Flag.MORE));
    expect(jsonOf(await peer.take(FrameType.FAILURE))).toMatchObject({ code: 'invalid' });
  });

  it('More at once than maxAssemblyBytes fails the call that exceeds it, and the others go on', async () => {
    const { peer } = await connected();
    peer.send(introduce());
    const announce = (id: number): Uint8Array =>
      call(id, concat([u32s(limits.maxValueBytes), new Uint8Array(8)]), fn.size, Flag.MORE);
    peer.send(announce(1), announce(2), announce(3));
    expect(await peer.take(FrameType.FAILURE)).toMatchObject({ id: 3 });
    peer.send(frame(FrameType.CANCEL, '', { peer: 9, id: 1 }), announce(4));
    await read(peer);
    expect(peer.seen(FrameType.FAILURE)).toEqual([]);
  });

  it('A CHUNK that continues nothing is ignored', async () => {
    const { peer } = await connected();
    peer.send(
      introduce(),
      frame(FrameType.CHUNK, 'abc', { peer: 9, id: 5 }),
      frame(FrameType.CHUNK, '', { peer: 9, id: 5, flags: Flag.MORE }),
    );
    await read(peer);
  });
});

describe('Streams and credit:', () => {
  it('A stream is ITEMs, then RESULT with STREAM', async () => {
    const { peer } = await connected();
    peer.send(introduce(), call(1, '[3]', fn.count, Flag.STREAM));
    const result = await peer.take(FrameType.RESULT);
    expect(result).toMatchObject({ flags: Flag.STREAM, id: 1 });
    expect(textOf(result.payload)).toBe('"end"');
    expect(peer.seen(FrameType.ITEM).map(({ payload }) => textOf(payload))).toEqual(['0', '1', '2']);
  });

  it('Without credit a stream stops at its window, and goes on by what CREDIT gives', async () => {
    const item = 'x'.repeat(59_998); // 60 000 bytes as JSON
    const { peer } = await connected({
      functions: {
        endless: async function* () {
          for (;;) yield item;
        },
      },
    });
    peer.send(introduce(), call(1, '[]', 0, Flag.STREAM));
    const most = Math.floor(limits.creditWindowBytes / 60_000);
    await expect.poll(() => peer.seen(FrameType.ITEM).length).toBe(most);
    await read(peer);
    expect(peer.seen(FrameType.ITEM)).toHaveLength(most);
    peer.send(frame(FrameType.CREDIT, u32s(120_000), { peer: 9, id: 1 }));
    await expect.poll(() => peer.seen(FrameType.ITEM).length).toBe(most + 2);
    // More than was sent makes no larger window.
    peer.send(
      ...Array.from({ length: 5 }, () => frame(FrameType.CREDIT, u32s(0xffff_ffff), { peer: 9, id: 1 })),
    );
    await expect.poll(() => peer.seen(FrameType.ITEM).length).toBeGreaterThan(most + 2);
    await read(peer);
    expect(peer.seen(FrameType.ITEM).length).toBeLessThanOrEqual(2 * most + 4);
  });

  it('A stream of undefined is held to its window too', async () => {
    const { peer } = await connected({
      functions: {
        nothing: async function* () {
          for (;;) yield undefined;
        },
      },
    });
    peer.send(introduce(), call(1, '[]', 0, Flag.STREAM));
    const count = async (): Promise<number> => {
      await read(peer);
      return peer.seen(FrameType.ITEM).length;
    };
    let before = -1;
    await expect
      .poll(
        async () => {
          const now = await count();
          const same = now === before && now > 0;
          before = now;
          return same;
        },
        { timeout: 20_000 },
      )
      .toBe(true);
    const bytes = peer.seen(FrameType.ITEM).reduce((sum, { payload }) => sum + payload.length, 0);
    expect(bytes).toBeLessThanOrEqual(limits.creditWindowBytes);
  });

  it('CREDIT of an unknown attempt is ignored', async () => {
    const { peer } = await connected();
    peer.send(introduce(), frame(FrameType.CREDIT, u32s(5), { peer: 9, id: 5 }));
    await read(peer);
  });
});

describe('Resume:', () => {
  it('QUERY is answered by FATE, and outcomes that are not acknowledged follow it', async () => {
    const { peer } = await connected();
    peer.send(introduce(), call(1, '["one"]'), call(2, '[]', fn.never), call(3, '[]', fn.fail));
    await peer.take(FrameType.RESULT);
    await peer.take(FrameType.FAILURE);
    peer.send(query([1], [2], [3], [4]));
    expect(fatesOf(await peer.take(FrameType.FATE))).toEqual([
      [1, Fate.DONE],
      [2, Fate.RUNNING],
      [3, Fate.DONE],
      [4, Fate.UNSTARTED],
    ]);
    expect(await peer.take(FrameType.RESULT)).toMatchObject({ id: 1 });
    expect(await peer.take(FrameType.FAILURE)).toMatchObject({ id: 3 });
  });

  it('QUERY with DURABLE is answered 0 only of attempts after all that the node has taken of that client', async () => {
    const { peer } = await connected();
    peer.send(introduce(), call(3, '["three"]'));
    await peer.take(FrameType.RESULT);
    peer.send(ack(3));
    await read(peer);
    const asked = frame(FrameType.QUERY, u32s(2, 0, 0, 3, 0, 0, 4, 0, 0), { peer: 9, flags: Flag.DURABLE });
    peer.send(asked);
    expect(fatesOf(await peer.take(FrameType.FATE))).toEqual([
      [2, Fate.VANISHED],
      [3, Fate.VANISHED],
      [4, Fate.UNSTARTED],
    ]);
    // Its client does not ask about what it acknowledged.
    peer.send(query([2]));
    expect(fatesOf(await peer.take(FrameType.FATE, ({ payload }) => payload.length === 5))).toEqual([
      [2, Fate.UNSTARTED],
    ]);
  });

  it('ACK frees the memory of the node: the outcome is not known any more', async () => {
    const { node, peer } = await connected();
    peer.send(introduce(), call(1, '["one"]'), call(2, '["two"]'));
    await peer.take(FrameType.RESULT, ({ id }) => id === 2);
    expect(node.it.status().retainedResults).toBe(2);
    peer.send(ack(1, 99));
    await read(peer);
    expect(node.it.status().retainedResults).toBe(1);
    peer.send(query([1], [2]));
    expect(fatesOf(await peer.take(FrameType.FATE, (it) => it.peer === 9))).toContainEqual([2, Fate.DONE]);
  });

  it('An ACK of nothing has the node forget the client and abort its calls', async () => {
    const { node, peer } = await connected();
    peer.send(introduce(), call(1, '[]', fn.never), call(2, '["two"]'));
    await peer.take(FrameType.RESULT);
    expect(node.it.status()).toMatchObject({ activeExecutions: 1, retainedResults: 1 });
    peer.send(frame(FrameType.ACK, '', { peer: 9 }));
    await read(peer);
    expect(node.it.status()).toMatchObject({ activeExecutions: 0, retainedResults: 0 });
  });

  it('Outcomes outlive the link: on the next one a QUERY finds them, under whatever number the client has there', async () => {
    const { hub, peer } = await connected();
    peer.send(introduce(), call(1, '["kept"]'));
    await peer.take(FrameType.RESULT);
    peer.vanish();
    const again = await hub.welcome();
    again.send(
      introduce(21, { id: 'c9', instance: 'ci9' }),
      frame(FrameType.QUERY, u32s(1, 0, 100), { peer: 21 }),
    );
    const told = await again.take(FrameType.FATE);
    expect(told.peer).toBe(21);
    expect(fatesOf(told)).toEqual([[1, Fate.DONE]]);
    expect(jsonOf(await again.take(FrameType.RESULT))).toEqual(['kept']);
  });

  it('Outcomes are not sent on a new link before the hub asks', async () => {
    const { hub, peer } = await connected();
    peer.send(introduce(), call(1, '["kept"]'));
    await peer.take(FrameType.RESULT);
    peer.vanish();
    const again = await hub.welcome();
    await read(again);
    again.send(introduce());
    await read(again);
    expect(again.seen(FrameType.RESULT)).toEqual([]);
  });

  it('The oldest outcomes are evicted beyond what a node keeps, and have vanished', async () => {
    const { node, peer } = await connected({ maxRetainedResults: 2 });
    peer.send(introduce(), call(1, '[1]'), call(2, '[2]'), call(3, '[3]'));
    await peer.take(FrameType.RESULT, ({ id }) => id === 3);
    expect(node.it.status().retainedResults).toBe(2);
    peer.send(query([1], [3]));
    expect(fatesOf(await peer.take(FrameType.FATE))).toEqual([
      [1, Fate.VANISHED],
      [3, Fate.DONE],
    ]);
  });

  it('A stream goes on from the item that the client names, within the window that it names', async () => {
    const { hub, peer } = await connected({
      functions: {
        items: async function* () {
          for (let at = 0; at < 5; at += 1) yield `${at}`.repeat(1_000);
        },
      },
    });
    peer.send(introduce(), call(1, '[]', 0, Flag.STREAM));
    await peer.take(FrameType.RESULT);
    peer.vanish();
    const again = await hub.welcome();
    again.send(introduce(), query([1, 2, 1_500]));
    expect(fatesOf(await again.take(FrameType.FATE))).toEqual([[1, Fate.DONE]]);
    await read(again);
    expect(again.seen(FrameType.ITEM).map(({ payload }) => textOf(payload)[1])).toEqual(['2']);
    again.send(frame(FrameType.CREDIT, u32s(5_000), { peer: 9, id: 1 }));
    await again.take(FrameType.RESULT);
    expect(again.seen(FrameType.ITEM).map(({ payload }) => textOf(payload)[1])).toEqual(['2', '3', '4']);
  });

  it('QUERY of more items than the stream ever had is no harm', async () => {
    const { peer } = await connected();
    peer.send(introduce(), call(1, '[3]', fn.count, Flag.STREAM));
    await peer.take(FrameType.RESULT);
    peer.send(query([1, 0xffff_ffff, 0xffff_ffff]));
    expect(fatesOf(await peer.take(FrameType.FATE))).toEqual([[1, Fate.DONE]]);
    expect(await peer.take(FrameType.RESULT)).toMatchObject({ id: 1 });
  });
});

describe('Long results:', () => {
  const full = limits.maxChunkBytes;
  /** A function that answers a text whose JSON has so many bytes. */
  const functions = { text: (bytes: number) => 'x'.repeat(bytes - 2) };
  const valuesOf = (peer: RawPeer, id: number): Frame[] =>
    peer.inbox.filter((it) => it.id === id && (it.type === FrameType.RESULT || it.type === FrameType.CHUNK));

  it('A result of maxChunkBytes travels in one frame, one byte more in chunks, each of them full but the last', async () => {
    const { peer } = await connected({ functions });
    peer.send(introduce(), call(1, `[${full}]`, 0), call(2, `[${full + 1}]`, 0), call(3, '[300000]', 0));
    await expect.poll(() => valuesOf(peer, 3).at(-1)?.flags).toBe(0);
    const shapes = [1, 2, 3].map((id) =>
      valuesOf(peer, id).map(({ type, flags, payload }) => [type, flags, payload.length]),
    );
    expect(shapes).toEqual([
      [[FrameType.RESULT, 0, full]],
      [
        [FrameType.RESULT, Flag.MORE, full],
        [FrameType.CHUNK, 0, 5],
      ],
      [
        [FrameType.RESULT, Flag.MORE, full],
        ...Array.from({ length: 3 }, () => [FrameType.CHUNK, Flag.MORE, full]),
        [FrameType.CHUNK, 0, 300_000 - 4 * full + 4],
      ],
    ]);
    const [first] = valuesOf(peer, 2);
    expect([...first!.payload.subarray(0, 5)]).toEqual([...u32s(full + 1), 0x22]);
  });

  it('A result waits at its window for credit, and short results and FATE pass it', async () => {
    const { peer } = await connected({ functions });
    peer.send(introduce(), call(1, '[3000000]', 0));
    const sent = (): number => valuesOf(peer, 1).reduce((sum, { payload }) => sum + payload.length, 0);
    await expect.poll(sent).toBe(limits.creditWindowBytes);
    peer.send(call(2, '[5]', 0), query([2]));
    await peer.take(FrameType.RESULT, ({ id }) => id === 2);
    await peer.take(FrameType.FATE);
    expect(sent()).toBe(limits.creditWindowBytes);
    peer.send(frame(FrameType.CREDIT, u32s(full), { peer: 9, id: 1 }));
    await expect.poll(sent).toBe(limits.creditWindowBytes + full);
  });

  it('Results that have chunks are served in turn, one frame each', async () => {
    const { peer } = await connected({ functions });
    peer.send(introduce(), call(1, '[600000]', 0), call(2, '[600000]', 0));
    await expect.poll(() => valuesOf(peer, 2).at(-1)?.flags).toBe(0);
    const order = peer.inbox.filter(({ type }) => type === FrameType.CHUNK).map(({ id }) => id);
    // The first result had a head start of one turn at most.
    const turns = order.slice(0, 12).filter((id, at) => at > 0 && id !== order[at - 1]).length;
    expect(turns).toBeGreaterThan(6);
  });

  it('A result that broke off half-way is sent again from its beginning', async () => {
    const { hub, peer } = await connected({ functions });
    peer.send(introduce(), call(1, '[3000000]', 0));
    await expect.poll(() => valuesOf(peer, 1).length).toBeGreaterThan(3);
    peer.vanish();
    const again = await hub.welcome();
    again.send(introduce(), query([1]));
    await again.take(FrameType.FATE);
    await expect.poll(() => valuesOf(again, 1).length).toBeGreaterThan(3);
    const [first] = valuesOf(again, 1);
    expect(first).toMatchObject({ type: FrameType.RESULT, flags: Flag.MORE });
    expect([...first!.payload.subarray(0, 4)]).toEqual([...u32s(3_000_000)]);
  });
});
