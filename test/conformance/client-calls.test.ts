// PROTOCOL.md on calls, as a client keeps it, towards a hub that is not ours.
import { describe, expect, it } from 'vitest';

import { CloseCode, Fate, Flag, FrameType } from '../../src/protocol/frames.ts';
import { limits } from '../../src/protocol/limits.ts';
import { concat, frame, textOf, u32s } from './raw.ts';
import {
  introduce,
  assigned,
  result,
  failure,
  fate,
  connected,
  read,
  heard,
  prefixOf,
  idsOf,
  codeOf,
} from './client-lines.ts';

describe('Calls:', () => {
  it('DEFINE numbers functions from 0 before the first CALL of each, once a link', async () => {
    const { client, peer } = await connected();
    void codeOf(client.it.call('add', [1]));
    void codeOf(client.it.call('mul', [2]));
    void codeOf(
      client.it.call('add', [3], { node: 'n7', labels: { zone: 'a' }, idempotent: true, deadlineMs: 5_000 }),
    );
    await peer.take(FrameType.CALL, ({ id }) => id === 3);
    const frames = peer.messages
      .flat()
      .filter(({ type }) => type === FrameType.DEFINE || type === FrameType.CALL);
    expect(frames.map(({ type, id }) => [type, id])).toEqual([
      [FrameType.DEFINE, 0],
      [FrameType.CALL, 1],
      [FrameType.DEFINE, 1],
      [FrameType.CALL, 2],
      [FrameType.CALL, 3],
    ]);
    expect([0, 2].map((at) => textOf(frames[at]!.payload))).toEqual(['add', 'mul']);
    const { deadlineMs, ...last } = prefixOf(frames[4]!);
    expect(last).toEqual({ fn: 0, route: '{"node":"n7","labels":{"zone":"a"}}', args: '[3]' });
    expect(deadlineMs).toBeGreaterThan(4_000);
    expect(deadlineMs).toBeLessThanOrEqual(5_000);
    expect(frames[4]!.flags).toBe(Flag.IDEMPOTENT);
  });

  it('RESULT settles the call, and ACK tells the node so', async () => {
    const { client, peer } = await connected();
    const calls = [client.it.call('add', [1]), client.it.call('add', [2])];
    await peer.take(FrameType.CALL, ({ id }) => id === 2);
    peer.send(introduce(), assigned(1), assigned(2), result(1, '"one"'), result(2, '"two"'));
    expect(await Promise.all(calls)).toEqual(['one', 'two']);
    const ack = await peer.take(FrameType.ACK);
    expect(ack.peer).toBe(12);
    expect(idsOf(ack)).toEqual([1, 2]);
  });

  it('A client presumes the node that answered last', async () => {
    const { client, peer } = await connected();
    const first = client.it.call('add', [1]);
    peer.send(introduce(), result((await peer.take(FrameType.CALL)).id, '1'));
    await first;
    void codeOf(client.it.call('add', [2]));
    expect(await peer.take(FrameType.CALL)).toMatchObject({ peer: 12 });
  });

  it.each([
    ['failed', 'function_failed'],
    ['timed_out', 'timed_out'],
    ['cancelled', 'cancelled'],
    ['queue_full', 'queue_full'],
    ['no_node', 'no_node'],
    ['vanished', 'lost'],
    ['too_large', 'value_too_large'],
    ['invalid', 'invalid_argument'],
    ['store_failed', 'store_failed'],
  ])('FAILURE %s settles the call with %s', async (code, expected) => {
    const { client, peer } = await connected();
    const call = codeOf(client.it.call('add', [1]));
    const { id } = await peer.take(FrameType.CALL);
    peer.send(introduce(), assigned(id), failure(id, code));
    expect(await call).toBe(expected);
  });

  it('FAILURE unstarted has the call sent again under the next number', async () => {
    const { client, peer } = await connected();
    const call = client.it.call('add', [1]);
    await peer.take(FrameType.CALL);
    peer.send(failure(1, 'unstarted', 0));
    expect(await peer.take(FrameType.CALL)).toMatchObject({ id: 2 });
    peer.send(introduce(), result(2, '"second"'));
    expect(await call).toBe('second');
  });

  it.each(['{', '', '{"code":"unheard"}', '[]', '\u0000'])(
    'A FAILURE %j that cannot be read counts as invalid, and the link stays',
    async (payload) => {
      const { client, peer } = await connected();
      const call = codeOf(client.it.call('add', [1]));
      await peer.take(FrameType.CALL);
      peer.send(introduce(), frame(FrameType.FAILURE, payload, { peer: 12, id: 1 }));
      expect(await call).toBe('invalid_argument');
      await read(peer);
    },
  );

  it('Frames of attempts that are not awaited are ignored', async () => {
    const { client, peer } = await connected();
    peer.send(
      introduce(),
      assigned(5),
      result(5, '1'),
      failure(6, 'failed'),
      frame(FrameType.ITEM, '1', { peer: 12, id: 7 }),
      frame(FrameType.CHUNK, 'abc', { peer: 12, id: 8 }),
      frame(FrameType.CREDIT, u32s(9), { peer: 12, id: 9 }),
      fate(10, Fate.UNSTARTED),
      frame(FrameType.ANSWER, { ok: true }, { id: 3 }),
      result(11, '', Flag.MORE),
    );
    await read(peer);
    expect(client.it.status()).toMatchObject({ state: 'connected', inFlight: 0 });
  });

  it('What still comes of an older attempt finds nothing', async () => {
    const { client, peer } = await connected();
    const call = client.it.call('add', [1]);
    await peer.take(FrameType.CALL);
    peer.send(failure(1, 'unstarted', 0));
    await peer.take(FrameType.CALL);
    peer.send(introduce(), result(1, '"late"'), result(2, '"right"'));
    expect(await call).toBe('right');
  });

  it.each([
    ['JSON that is cut off', '{"a":', 0],
    ['bytes that are no UTF-8', new Uint8Array([0xff]), 0],
    ['a preamble that is cut off', new Uint8Array([1, 2]), 0],
    ['MessagePack that does not exist', new Uint8Array([0xc1]), Flag.MSGPACK],
    ['JSON in MessagePack', '{"a":1}', Flag.MSGPACK],
  ])('A result that is %s fails its call, and the link stays', async (_, value, flags) => {
    const { client, peer } = await connected();
    const call = codeOf(client.it.call('add', [1]));
    await peer.take(FrameType.CALL);
    peer.send(introduce(), result(1, value, flags));
    expect(await call).toBe('invalid_argument');
    await read(peer);
  });

  it('A cancelled call says CANCEL', async () => {
    const { client, peer } = await connected();
    const controller = new AbortController();
    const call = codeOf(client.it.call('add', [1], { signal: controller.signal }));
    await peer.take(FrameType.CALL);
    peer.send(introduce(), assigned(1));
    await read(peer);
    controller.abort();
    expect(await call).toBe('cancelled');
    expect(await peer.take(FrameType.CANCEL)).toMatchObject({ id: 1 });
  });

  it('After DRAINING new calls wait for the next link', async () => {
    const { hub, client, peer } = await connected();
    peer.json(FrameType.DRAINING, { retryAfterMs: 1 });
    await heard(client.it, peer);
    const calls = [client.it.call('add', [0]), client.it.call('add', [1])];
    await heard(client.it, peer);
    expect(peer.seen(FrameType.CALL)).toEqual([]);
    peer.ws.close(CloseCode.UNAVAILABLE);
    const again = await hub.welcome();
    const ids = [(await again.take(FrameType.CALL)).id, (await again.take(FrameType.CALL)).id];
    again.send(introduce(), ...ids.map((id) => result(id, `${id}`)));
    expect(await Promise.all(calls)).toEqual(ids);
  });
});

describe('Long values:', () => {
  const most = limits.maxChunkBytes;

  it('A result in chunks is put together, and credit is given for each quarter of the window', async () => {
    const { client, peer } = await connected();
    const call = client.it.call<string>('large');
    await peer.take(FrameType.CALL);
    const value = new TextEncoder().encode(JSON.stringify('x'.repeat(600_000)));
    peer.send(introduce(), result(1, concat([u32s(value.length), value.subarray(0, most - 4)]), Flag.MORE));
    for (let at = most - 4; at < value.length; at += most) {
      const flags = at + most < value.length ? Flag.MORE : 0;
      peer.send(frame(FrameType.CHUNK, value.subarray(at, at + most), { peer: 12, id: 1, flags }));
    }
    expect((await call).length).toBe(600_000);
    await peer.take(FrameType.ACK);
    const credits = peer.seen(FrameType.CREDIT);
    expect(credits.map(({ peer: to, id }) => [to, id])).toEqual([
      [12, 1],
      [12, 1],
    ]);
    for (const credit of credits)
      expect(idsOf(credit)[0]).toBeGreaterThanOrEqual(limits.creditWindowBytes / 4);
  });

  it.each([
    ['more than was announced', 10, 20],
    ['less than was announced', 30, 10],
    ['a value beyond maxValueBytes', limits.maxValueBytes + 1, 10],
  ])('Parts that bring %s fail the call, and the link stays', async (_, total, bytes) => {
    const { client, peer } = await connected();
    const call = codeOf(client.it.call('large'));
    await peer.take(FrameType.CALL);
    peer.send(
      introduce(),
      result(1, concat([u32s(total), new Uint8Array(5)]), Flag.MORE),
      frame(FrameType.CHUNK, new Uint8Array(bytes), { peer: 12, id: 1 }),
    );
    expect(await call).not.toMatch(/^no error/);
    await read(peer);
    expect(client.it.status().reconnects).toBe(0);
  });

  it('Results that exceed maxAssemblyBytes together fail the call that is too much, and the others go on', async () => {
    const { client, peer } = await connected();
    const calls = [1, 2, 3].map(() => client.it.call('large'));
    const third = codeOf(calls[2]!);
    void Promise.allSettled(calls);
    await peer.take(FrameType.CALL, ({ id }) => id === 3);
    const announce = (id: number): Uint8Array =>
      result(id, concat([u32s(limits.maxValueBytes), new Uint8Array(5)]), Flag.MORE);
    peer.send(introduce(), announce(1), announce(2), announce(3));
    expect(await third).not.toMatch(/^no error/);
    await read(peer);
    expect(client.it.status().inFlight).toBe(2);
  });

  it('Arguments beyond the window wait for credit, and what waits is dropped with its call', async () => {
    const { client, peer } = await connected();
    const bytes = new Uint8Array(5_000_000);
    const calls = [codeOf(client.it.call('large', [bytes])), codeOf(client.it.call('large', [bytes]))];
    const sentOf = (id: number): number =>
      peer.inbox
        .filter((it) => it.id === id && (it.type === FrameType.CALL || it.type === FrameType.CHUNK))
        .reduce((sum, { payload }) => sum + payload.length, 0);
    const window = limits.creditWindowBytes;
    await expect
      .poll(() => [sentOf(1), sentOf(2)].every((sent) => sent > window - most && sent <= window + 8))
      .toBe(true);
    // One ends without its arguments: credit for it later is credit for nothing.
    peer.send(
      introduce(),
      assigned(1),
      failure(1, 'failed'),
      frame(FrameType.CREDIT, u32s(window), { peer: 12, id: 1 }),
    );
    expect(await calls[0]).toBe('function_failed');
    peer.send(frame(FrameType.CREDIT, u32s(window / 2), { peer: 12, id: 2 }));
    await expect.poll(() => sentOf(2)).toBeGreaterThan(window + window / 2 - most);
    await read(peer);
    expect(sentOf(1)).toBeLessThanOrEqual(window + 8);
    expect(sentOf(2)).toBeLessThanOrEqual(window + window / 2 + 8);
  });
});

describe('Streams:', () => {
  it('Items come in their order, and credit is given as they are consumed', async () => {
    const { client, peer } = await connected();
    const stream = client.it.stream<string>('items');
    await peer.take(FrameType.CALL);
    const item = `"${'y'.repeat(49_998)}"`;
    peer.send(
      introduce(),
      assigned(1),
      ...Array.from({ length: 8 }, () => frame(FrameType.ITEM, item, { peer: 12, id: 1 })),
    );
    peer.send(result(1, '"end"', Flag.STREAM));
    let count = 0;
    for await (const each of stream) {
      expect(each).toHaveLength(49_998);
      count += 1;
    }
    expect(count).toBe(8);
  });

  it('No credit is given for items that nobody consumed', async () => {
    const { client, peer } = await connected();
    const stream = client.it.stream('items');
    await peer.take(FrameType.CALL);
    peer.send(
      introduce(),
      assigned(1),
      ...Array.from({ length: 8 }, () =>
        frame(FrameType.ITEM, `"${'y'.repeat(50_000)}"`, { peer: 12, id: 1 }),
      ),
    );
    peer.send(frame(FrameType.UNKNOWN));
    await peer.take(FrameType.REGISTER);
    expect(peer.seen(FrameType.CREDIT)).toEqual([]);
    await stream.return?.();
  });

  it('A hub that sends a window and two chunks more than was credited is broken off with 4404', async () => {
    const { hub, client, peer } = await connected();
    const stream = client.it.stream('items');
    await peer.take(FrameType.CALL);
    const item = frame(FrameType.ITEM, `"${'y'.repeat(most - 2)}"`, { peer: 12, id: 1 });
    peer.send(introduce(), assigned(1));
    const count = limits.creditWindowBytes / most + 2;
    for (let at = 0; at < count; at += 1) peer.send(item);
    await heard(client.it, peer);
    peer.send(item);
    expect(await peer.closed).toMatchObject({ code: CloseCode.LIMIT_EXCEEDED });
    await hub.welcome();
    await stream.return?.();
  });

  const most = limits.maxChunkBytes;
});
